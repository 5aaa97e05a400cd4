"""What of a model is on the chip, side by side: the host alone, its projections, its blocks, all of it.

A bundle that was mapped is run and priced. What no bundle is given for can be planned from shapes alone, as `fit` does, at
the activity of the run. The host alone computes the integers that the chip would of projections: it loses what they lose.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from typing import Any

from neurodeploy.accounting.costs import cost
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.outlines import Assumed
from neurodeploy.bundle import AnyPath, Bundle, open_bundle
from neurodeploy.conversion.hollow import raised
from neurodeploy.conversion.presets import ON_CHIP
from neurodeploy.errors import UserError, some
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.run import ActivityCounts, RunActivity
from neurodeploy.pipeline.counts import counts_of
from neurodeploy.pipeline.fit_pricing import everything, price
from neurodeploy.pipeline.fit_reading import folded
from neurodeploy.pipeline.fitting import fit
from neurodeploy.pipeline.mapping import by_segment
from neurodeploy.synapses.hollow import layers_of

#: A token for which the host does everything.
HOST_ONLY = "host only"
#: What is told of a phase.
PHASE = ("joules_per_token", "seconds_per_token", "bound_by")
#: What an evaluation says of the loss.
LOSS = ("text", "tokens", "bits_per_byte_change", "kl_per_token", "top1_agreement")
Row = dict[str, Any]


def on_chip_of(opened: Bundle) -> str:
    """What of its model a bundle has on the chip (`conversion.presets.ON_CHIP`)."""
    preset: Any = opened.program.conversion.get("preset", {})
    return str(preset.get("on_chip", ON_CHIP[0]))


def row_of(
    opened: Bundle, mapping: Mapping, system: SystemSpec, priced: Table[str, Any], found: Table[str, Any] | None = None
) -> Row:
    """A bundle that was priced on its mapping; `found` is an evaluation of it, by default the one that it keeps."""
    segments = by_segment(opened.program, mapping)[1]
    crossings, steps = (sum(row[f"{what}_per_token"] for row in segments) for what in ("crossings", "steps"))
    return _row(
        on_chip_of(opened), "run", system, priced, bundle=opened.path.name, chips=mapping.chips_used,
        cores=mapping.cores_used, crossings=crossings, steps=steps, loss=loss_of(found or opened.read_evaluation()),
    )  # fmt: skip


def loss_of(found: Table[str, Any] | None) -> dict[str, Any] | None:
    """What an evaluation says of the loss; None where nothing is known."""
    return None if found is None else {name: found[name] for name in LOSS}


def same_files(opened: Bundle, other: Bundle) -> bool:
    """Whether two bundles were converted from the same files, or from modules with the same weights."""
    sources = [each.manifest["source"] for each in (opened, other)]
    files = [sorted(entry["sha256"] for entry in source["files"]) or source.get("sha256") for source in sources]
    return bool(files[0] == files[1])


def same_model(opened: Bundle, other: Bundle) -> None:
    """ND3293 where two bundles were not converted from the same files, or are not language models."""
    names = [each.program.info.name for each in (opened, other)]
    if other.program.streamed or not same_files(opened, other):
        problem = f"is of {names[1]}, {opened.path} of {names[0]} or of other weights"
        raise UserError("ND3293", other.path, problem, "compare bundles that were converted from the same files")


def side_by_side(
    own: Row, opened: Bundle, others: Sequence[tuple[Bundle, Row]], counts: ActivityCounts | RunActivity, prompt: int,
    profile: HostSpec, *, plan: bool,
) -> list[Row]:  # fmt: skip
    """All rows, in the order of `HOST_ONLY` and `ON_CHIP`. own : of `opened`, which was priced with these counts of a prompt
    of so many tokens. others : further bundles that were. plan : what is in none of them is planned for this system."""
    from targets.hosts import get_host

    rows = [own, *(row for _, row in others)]
    bits = {_weights(bundle) for bundle in (opened, *(bundle for bundle, _ in others))}
    if plan:
        known = {row["on_chip"] for row in rows}
        activity, system = _activity(opened, counts), str(own["system"])
        if get_host(profile.name) is not profile:
            fix = "leave one of them out"
            raise UserError("ND2046", "--compare", "plans for a host's profile, and this machine was measured", fix)
        rows += [
            _planned(opened, name, system, prompt, activity, profile.name) for name in ON_CHIP if name not in known
        ]
    rows.append(_host_alone(opened, own, prompt, profile, rows))
    if len(bits) > 1:
        for row in rows:
            row["note"] = "; ".join(filter(None, [row["note"], "bundles of several presets"]))
    order = [HOST_ONLY, *ON_CHIP]
    return sorted(rows, key=lambda row: order.index(row["on_chip"]))


def _row(
    on_chip: str, source: str, system: SystemSpec | str, phases: Table[str, Any], *, bundle: str | None = None,
    chips: int, cores: int, crossings: float | None = None, steps: float | None = None,
    loss: dict[str, Any] | None = None, note: str = "",
) -> Row:  # fmt: skip
    priced = {name: phases[name] and {key: phases[name][key] for key in PHASE} for name in ("generate", "prefill")}
    return {
        "on_chip": on_chip, "from": source, "bundle": bundle, "system": system if isinstance(system, str) else system.name,
        "chips": chips, "cores": cores, "crossings": crossings, "steps": steps, **priced, "loss": loss, "note": note,
    }  # fmt: skip


def _weights(opened: Bundle) -> tuple[Any, Any]:
    preset: Any = opened.program.conversion.get("preset", {})
    return preset.get("weights", "rows"), preset.get("weight_bits", 8)


def _activity(opened: Bundle, counts: ActivityCounts | RunActivity) -> float:
    """Share of the inputs of linear layers that were not zero."""
    linear = {population.name for population in layers_of(opened.program)}
    rows = [row for row in counts_of(opened, counts)["projections"].values() if row["target"] in linear]
    places = sum(row["events"] / row["density"] for row in rows if row["density"])
    return min(1.0, sum(row["events"] for row in rows) / places) if places else 1.0


def _host_alone(opened: Bundle, own: Row, prompt: int, profile: HostSpec, rows: Sequence[Row]) -> Row:
    """The host's operations, and every linear layer as the same integers on it."""
    from targets.systems import get_system

    program, system = folded(raised(opened.program)), get_system(own["system"])
    made = price(program, (), None, everything(program), system, profile, Assumed(1.0, "the host computes all", prompt))
    ledgers: dict[str, EnergyLedger] = {ledger.phase: ledger for ledger in made}
    phases = {name: ledger.to_json() for name, ledger in ledgers.items()}
    loss = next((row["loss"] for row in rows if row["on_chip"] == ON_CHIP[0]), None)
    note = "the integers of the projections, by the host" if loss else ""
    return _row(
        HOST_ONLY, "computed", profile.name, phases, chips=0, cores=0, crossings=0, steps=0, loss=loss, note=note
    )


def _planned(opened: Bundle, on_chip: str, system: str, prompt: int, activity: float, host: str) -> Row:
    """What `fit` says of shapes alone; its figures are None where that does not fit the system."""
    from targets.systems import get_system

    weights, bits = _weights(opened)
    width = bits if weights == "rows" else 8
    found = fit(opened.path, system, bits=(width,), on_chip=on_chip, context=prompt, activity=activity, host=host)
    row = found["rows"][0]
    note = "" if weights == "rows" else "planned with 8 bits a weight"
    if not row["fits"]:
        needs = (
            f"needs {some(row['chips_used'], 'chip')}" if row.get("chips_used") else "needs more than the system has"
        )
        note = "; ".join(filter(None, [note, f"does not fit: {needs}"]))
    phases = {name: row.get(name) for name in ("generate", "prefill")}
    crossings = None
    if phases["generate"]:
        latency = cost(get_system(system).chip, "t_host_link_s").nominal
        crossings = 2 * phases["generate"]["seconds_split"]["host link latency"] / latency
    return _row(
        on_chip, "plan", system, phases, chips=row.get("chips_used", 0), cores=row.get("cores_used", 0),
        crossings=crossings, note=note,
    )  # fmt: skip


def opened_beside(opened: Bundle, beside: Sequence[AnyPath]) -> list[Bundle]:
    """The other bundles, of the same model each (`same_model`)."""
    found = [open_bundle(path) for path in beside]
    for other in found:
        same_model(opened, other)
    return found
