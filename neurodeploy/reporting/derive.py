"""What page and terminal both say: the verdict, operations grouped by layer pattern, the ledger by boundary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from neurodeploy.accounting.ledger import BOUNDARIES
from neurodeploy.ir.chip import Basis
from neurodeploy.ir.devices import POPULATION as POPULATIONS
from neurodeploy.reporting import units
from neurodeploy.reporting.units import Band, Data
from neurodeploy.reporting.without_chip import clause

#: Share of a boundary's energy that its ledger entries may miss before the page shows it as "not itemised".
ITEMISED_TOLERANCE = 0.005
#: The boundary that headlines use: the chips and all of their static power, and nothing that is not a chip.
HEADLINE_BOUNDARY = "chip"
#: Those that a table with one row a model shows: of the chips, and with the host and the supply.
BOUNDARY_OF_TABLES = ("chip", "wall")
#: The verdicts of `map --json`.
FITS, PARTLY, NOT_FIT = "fits", "partly", "does not fit"
#: The phases of an account by name, those that headlines speak of first.
PHASE_TEXT = {"generate": "generated token", "prefill": "prompt token", "sample": "sample", "step": "time step"}


#: Counts of a run by key, as a table heads them.
POPULATION = {
    "neurons": "Neurons", "messages": "Messages", "rate": "Rate", "updates": "Updates",
    "saturated": "Clipped", "wrapped": "Wrapped",
}  # fmt: skip
PROJECTION = {"events": "Events", "density": "Density", "synops": "Synaptic operations", "wrapped": "Wrapped"}

# --- the sentence at the top -----------------------------------------------------------------------------------------


def verdict(data: Mapping[str, Any]) -> list[str]:
    """The clauses of the verdict in order: fit, energy, whether the chip pays, accuracy; only of what was run."""
    clauses = []
    section, run = data.get("map"), data.get("run")
    if section is not None:
        clauses.append(fit_clause(section))
    phase, name = headline_phase(data.get("energy"))
    band = phase["joules_per_token"].get(HEADLINE_BOUNDARY) if phase is not None else None
    if band is not None:
        needs = "would need" if section is not None and fit_of(section) == NOT_FIT else "needs"
        wall = phase["joules_per_token"].get("wall") if phase is not None else None
        told = f", {units.si(wall['nominal'], 'J')} at the wall" if wall else ""
        clauses.append(
            f"{needs} {units.si(band['nominal'], 'J')} per {PHASE_TEXT[name]} at the chip boundary{told} (modelled)"
        )
    pays = clause(phase) if phase is not None else None
    clauses += [pays] if pays else []
    accuracy = data.get("accuracy")
    if accuracy is not None:
        clauses.append(loss_clause(accuracy))
    if data.get("labelled"):
        clauses.append(labelled_clause(data["labelled"]))
    check = (data.get("conversion") or {}).get("check")
    if check is not None:
        clauses.append(
            f"is at most {units.percent(check['largest_relative'], 2)} of the largest output off its original"
        )
    for row in data.get("comparison") or []:
        share = units.percent(differing(row), 2)
        clauses.append(f"differs from float in {share} of the bins of {row['population']}")
    return clauses or ([f"ran {units.some(run['steps'], run['unit'])}"] if run is not None else [])


def first_labelled(found: Data) -> Data:
    """The output whose labels headlines speak of: the first that decides."""
    row: Data = found["outputs"][0]
    return row


def labelled_clause(found: Data) -> str:
    row, samples = first_labelled(found), units.some(found["samples"], "sample")
    theirs = f" (float {units.count(row['float_correct'])})" if row["float_correct"] is not None else ""
    return f"puts {units.count(row['chip_correct'])} of {samples} into the right class{theirs}"


def differing(row: Data) -> float:
    """Share of the bins (neuron, step and sample) of an output in which float and integers differ."""
    return row["differing"] / row["compared"] if row["compared"] else 0.0


def fit_of(section: Mapping[str, Any]) -> str:
    """Of a mapping, or of its section in a report: whether all, a part or nothing of it holds on the chips."""
    if section["fits"]:
        return FITS
    return PARTLY if section["host_islands"] and not section["violations"] else NOT_FIT


def fit_clause(section: Data) -> str:
    used, available = section["chips_used"], section["chips_available"]
    if fit_of(section) == PARTLY:
        left = section["host_islands"]
        host = f"{units.some(left, 'island')} run{'s' if left == 1 else ''} on the host"
        return f"fits only partly ({host}, the rest on {units.count(used)} of {units.some(available, 'chip')})"
    if section["fits"] and used == available == 1:
        return "fits on one chip"
    if section["fits"]:
        return f"fits on {units.count(used)} of {units.some(available, 'chip')}"
    if used > available:
        return f"does not fit: {units.count(used)} chips are needed, {section['system']} has {units.count(available)}"
    broken = len(section["violations"])
    return f"does not fit: {broken} budget{'s are' if broken != 1 else ' is'} exceeded"


def loss(accuracy: Data) -> float:
    """Relative change of bits per byte, chip against float; positive is worse."""
    reference = accuracy["float"]["bits_per_byte"]
    return (accuracy["chip"]["bits_per_byte"] - reference) / reference if reference else 0.0


def loss_clause(accuracy: Data) -> str:
    change = loss(accuracy)
    if change == 0:
        return "gives the same bits per byte as in float"
    if change < 0:  # rounding improves no model: what it moves this way is the chance of one text
        return f"loses nothing in bits per byte ({units.percent(change, 2)} on this text)"
    return f"loses {units.percent(change, 2)} in bits per byte"


def phases(energy: Data | None) -> dict[str, Data | None]:
    """The phases of an account by name, that of headlines first; None for one that was not run."""
    return {name: energy[name] for name in PHASE_TEXT if name in energy} if energy else {}


def unit_of(phase: str) -> str:
    """What the figures of a phase are of: "token", "sample", "step"."""
    return PHASE_TEXT[phase].rpartition(" ")[2]


def headline_phase(energy: Mapping[str, Any] | None) -> tuple[Data | None, str]:
    """The phase that headlines speak of: generation where it was priced, else the prompt; a sample."""
    return next(((phase, name) for name, phase in phases(energy).items() if phase is not None), (None, "generate"))


def rate_band(seconds: Band) -> Band:
    """Tokens per second of a band of seconds per token: the slow end is the low one. Zero seconds give zero."""
    low, nominal, high = (1 / seconds[key] if seconds[key] else 0.0 for key in ("high", "nominal", "low"))
    return {"low": low, "nominal": nominal, "high": high}


# --- the ledger ------------------------------------------------------------------------------------------------------


def inside(entry: Data, boundary: str) -> bool:
    return BOUNDARIES.index(entry["boundary"]) <= BOUNDARIES.index(boundary)


@dataclass(frozen=True, slots=True)
class ComponentRow:
    """One component of a ledger: its joules, the boundary at which it first counts, and its shares by basis."""

    name: str
    device: str
    boundary: str
    joules: Band
    basis: dict[str, float]


def components(phase: Data) -> list[ComponentRow]:
    """The components of a phase, largest first; from the ledger, or as given where there is no ledger."""
    if not phase["entries"]:
        rows = [ComponentRow(name, "", "", band, {}) for name, band in phase["by_component"].items()]
        return sorted(rows, key=lambda row: -row.joules["nominal"])
    groups: dict[tuple[str, str, str], list[Data]] = {}
    for entry in phase["entries"]:
        groups.setdefault((entry["component"], entry["device"], entry["boundary"]), []).append(entry)
    rows = [
        ComponentRow(name, device, boundary, units.total(entry["joules"] for entry in found), basis_shares(found))
        for (name, device, boundary), found in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row.joules["nominal"], row.name, row.device, row.boundary))


def basis_shares(entries: Iterable[Data]) -> dict[str, float]:
    """Share of the nominal joules by basis, best basis first; empty where there are none."""
    sums = dict.fromkeys((basis.value for basis in Basis), 0.0)
    for entry in entries:
        sums[entry["basis"]] += entry["joules"]["nominal"]
    whole = sum(sums.values())
    return {basis: value / whole for basis, value in sums.items() if value > 0} if whole > 0 else {}


def basis_sentence(shares: dict[str, float]) -> str:
    """What a reader may conclude from `basis_shares`: they are of prices, and no product is better than its amount."""
    parts = ", ".join(f"{units.share(part)} {name}" for name, part in shares.items())
    return f"no joule is measured: amounts are counted or modelled, and their unit costs, by joules, are {parts}"


def boundary_stack(phase: Data, boundary: str) -> tuple[list[tuple[ComponentRow, float]], float]:
    """The components inside a boundary, innermost first, with nominal joules; and what the figure has beyond them."""
    stated = phase["joules_per_token"].get(boundary)
    if stated is None:
        return [], 0.0
    within = BOUNDARIES[: BOUNDARIES.index(boundary) + 1]
    rows = [row for row in components(phase) if row.boundary in within and row.joules["nominal"] > 0]
    parts = [(row, row.joules["nominal"]) for row in sorted(rows, key=lambda row: within.index(row.boundary))]
    rest = stated["nominal"] - sum(value for _, value in parts)
    return parts, rest if rest > ITEMISED_TOLERANCE * stated["nominal"] else 0.0


# --- operations and sites by layer pattern ---------------------------------------------------------------------------

_NUMBER = re.compile(r"(?<![A-Za-z0-9_])\d+(?![A-Za-z0-9_])")


def pattern(path: str) -> str:
    """A path with each number between its dots as a star: ``layers.3.mlp.down_proj`` -> ``layers.*.mlp.down_proj``."""
    return _NUMBER.sub("*", path)


def number_ranges(paths: Sequence[str]) -> str:
    """Which numbers the stars of a pattern stand for: "0–29", or "0–3 × 0–7" for two stars."""
    found = [[int(number) for number in _NUMBER.findall(path)] for path in paths]
    return " × ".join(units.ranges(column) for column in zip(*found, strict=False))


@dataclass(frozen=True, slots=True)
class OpGroup:
    """Operations of one pattern, kind, device and rule. `wordings` counts the different reasons among them."""

    pattern: str
    layers: str
    count: int
    op: str
    device: str
    rule: str
    reason: str
    remedy: str
    wordings: int
    bytes_per_token: float


def steps_of(ops: Sequence[Data]) -> tuple[str, str]:
    """What the steps of a program are called, and of what their bytes are."""
    fed = any(op["path"].startswith(POPULATIONS) for op in ops)
    return ("population", "step") if fed else ("operation", "token")


def op_groups(ops: Sequence[Data]) -> list[OpGroup]:
    """Operations grouped so that thirty equal layers are one row, in order of first appearance."""
    groups: dict[tuple[str, str, str, str], list[Data]] = {}
    for op in ops:
        groups.setdefault(
            (pattern(op["path"].removeprefix(POPULATIONS)), op.get("op", ""), op["device"], op["rule"]), []
        ).append(op)
    return [
        OpGroup(
            pattern=name,
            layers=number_ranges([op["path"] for op in found]),
            count=len(found),
            op=kind,
            device=device,
            rule=rule,
            reason=found[0]["reason"],
            remedy=found[0]["remedy"],
            wordings=len({op["reason"] for op in found}),
            bytes_per_token=sum(op["bytes_per_token"] for op in found),
        )
        for (name, kind, device, rule), found in groups.items()
    ]


def alike(table: Mapping[str, Data]) -> list[tuple[str, str, dict[str, Any]]]:
    """Rows of equal layers as one: its pattern, the layers, sums of counts and means of shares (which are no integers)."""
    groups: dict[str, list[str]] = {}
    for name, row in table.items():
        groups.setdefault(name if row["layer"] is None else pattern(name), []).append(name)
    return [
        (name, number_ranges(names) if len(names) > 1 else "", _joined([table[n] for n in names]))
        for name, names in groups.items()
    ]


def _joined(rows: Sequence[Data]) -> dict[str, Any]:
    found = dict(rows[0])
    for key in found.keys() - {"layer"}:
        values = [row[key] for row in rows]
        if isinstance(found[key], int | float):
            found[key] = sum(values) / len(values) if isinstance(found[key], float) else sum(values)
    return found


def middle(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    """Median and minimum of the values that are known."""
    known = [value for value in values if value is not None]
    return (median(known), min(known)) if known else (None, None)
