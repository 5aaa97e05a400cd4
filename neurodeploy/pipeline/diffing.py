"""`diff`: two bundles side by side: what they are, where they lie, what they cost, what they lose, what the host does.

Both are priced by one account, with the same draws of the coefficients, so that a ratio has a band of its own::

    ratio = figure(other) / figure(bundle)           settled where its band does not hold 1
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Table
from pathlib import Path
from typing import Any, NamedTuple

from neurodeploy.accounting.band import Band
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.bundle import AnyPath, Bundle, open_bundle
from neurodeploy.errors import UserError
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.tensors import FORMAT
from neurodeploy.pipeline import pricing
from neurodeploy.pipeline.mapping import by_segment
from neurodeploy.pipeline.reporting import about
from neurodeploy.pipeline.saving import check_out, saved
from neurodeploy.pipeline.session import KINDS, STREAM, TEXT, Progress, read_mapping, refuse
from neurodeploy.pipeline.variants import PHASE, same_files
from neurodeploy.pipeline.verbs import verb
from neurodeploy.reporting import differences
from neurodeploy.reporting.derive import PHASE_TEXT

#: Boundaries whose joules are compared: the chips, and with host and supply.
BOUNDARIES = ("chip", "wall")
#: Of the description of a program, what is compared as a number, with its unit.
SIZES = {"neurons": "", "populations": "", "synapses": "", "weight_bytes": "B"}
#: Of a mapping.
PLACES = ("chips", "cores", "crossings", "steps", "host_operations")


class Side(NamedTuple):
    """A bundle, its mapping where it has one, and the ledger of each phase where it was priced."""

    opened: Bundle
    placed: tuple[Mapping, SystemSpec] | None
    ledgers: Table[str, EnergyLedger]
    told: dict[str, Any]


@verb
def diff(
    bundle: AnyPath,
    other: AnyPath,
    *,
    text: str | Path | None = None,
    input: str | Path | None = None,
    prompt_tokens: int | None = None,
    tokens: int | None = None,
    steps: int | None = None,
    layout: str | None = None,
    host: str = "cpu-generic",
    out: str | Path | None = None,
    runner: str = "fast",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Two bundles side by side; the dictionary is what ``diff --json`` prints. Ratios are of `other` to `bundle`.

    Both may be of one model or of two, and of different kinds. What is mapped is run and priced as by `energy`: a language
    model on `text` (default: the embedded prose), `prompt_tokens` and `tokens` of it; a network that streams feed on
    `input`, with `steps` and `layout`, where it is given. What cannot be compared is null, and "notes" say why.

    Returns
    -------
    "answer", a sentence; "a" and "b", each side: "model" (name, kind, sizes), "settings" of the conversion, "map" (system,
    chips, cores, crossings of the border and steps of the chip a token or step), "phases" (joules and seconds of a token,
    sample or step with bands), "loss" that is recorded, "host", its operations with rule and reason; "figures", rows with
    both values, the "ratio" with its band and whether it is "settled"; "settings" and "operations" that differ; "notes".

    out : keep the answer as a page (.html), as .json or .csv; "out" then names the file.

    Raises ND3262 where `text` or `input` suits neither bundle, ND3264 for options of a kind that neither is, ND5004 and
    ND5013 for `out`, and what `energy` raises.
    """
    check_out(out)
    opened = [open_bundle(path) for path in (bundle, other)]
    given = {
        TEXT: {"text": text, "prompt_tokens": prompt_tokens, "tokens": tokens},
        STREAM: {"input": input, "steps": steps, "layout": layout},
    }
    kinds = {_fed_by(each) for each in opened}
    for kind in (TEXT, STREAM):
        if kind not in kinds and given[kind][kind] is not None:
            (own,) = kinds
            raise UserError("ND3262", f"--{kind}", f"does not suit {KINDS[own].several}", f"give --{own} FILE")
        if kind not in kinds:
            refuse(KINDS[kind].several, given[kind])
    profile = pricing.host_profile(host, False)
    sides = []
    for i, each in enumerate(opened):
        if progress:
            progress("diff", i, 2)
        asked = {name: value for name, value in given[_fed_by(each)].items() if value is not None}
        sides.append(_side(each, asked, runner, profile))
    if progress:
        progress("diff", 2, 2)
    a, b = sides
    found: dict[str, Any] = {"a": _told(a), "b": _told(b), "same_model": same_files(a.opened, b.opened)}
    found |= {"host": profile.name, "figures": [*_places(found), *_prices(a, b), *_sizes(found)]}
    found["settings"] = differences.settings(found["a"]["settings"], found["b"]["settings"])
    mapped = found["a"]["map"] is not None and found["b"]["map"] is not None
    found["operations"] = differences.operations(found["a"]["host"], found["b"]["host"]) if mapped else []
    found["notes"] = _notes(a, b, found)
    return saved("diff", {"answer": differences.answer(found), **found}, out)


def _fed_by(opened: Bundle) -> str:
    return STREAM if opened.program.streamed else TEXT


def _kind(opened: Bundle) -> str:
    if not opened.program.streamed:
        return "language model"
    return "converted module" if opened.program.conversion.get("format") == FORMAT else "spiking network"


def _side(opened: Bundle, given: dict[str, Any], runner: str, profile: HostSpec) -> Side:
    """Priced where it is mapped and there is something to run."""
    placed = read_mapping(opened) if opened.is_mapped else None
    data = given.pop(_fed_by(opened), None)
    if placed is None or (opened.program.streamed and data is None):
        return Side(opened, placed, {}, {})
    counted: Callable[..., pricing.Counts] = pricing.count_stream if opened.program.streamed else pricing.count_text
    counts = counted(opened, data, runner, None, **given)
    _, ledgers = pricing.ledgers_of(opened.program, *placed, counts.phases, profile)
    steps = int(counts.told["steps"])
    if "sample" in ledgers and steps > 1:
        ledgers = {**ledgers, "step": ledgers["sample"].part("step", steps)}
    return Side(opened, placed, ledgers, counts.told)


def _told(side: Side) -> dict[str, Any]:
    """One side as it is printed."""
    from partitioner.judge.summary import explain

    opened, phases = side.opened, {name: ledger.to_json() for name, ledger in side.ledgers.items()}
    hosted = [row for row in (explain(side.placed[0]) if side.placed else ()) if row["device"] != "chip"]
    return {
        "bundle": str(opened.path),
        "kind": _kind(opened),
        "model": about(opened),
        "settings": dict(_settings(opened)),
        "map": _placed(side, len(hosted)),
        "read": {key: side.told[key] for key in ("input", "unit", "steps", "samples")} if side.told else None,
        "phases": {name: {key: phase[key] for key in PHASE} for name, phase in phases.items()},
        "loss": _loss(opened),
        "host": [{key: row[key] for key in ("path", "op", "rule", "reason", "bytes_per_token")} for row in hosted],
    }


def _placed(side: Side, hosted: int) -> dict[str, Any] | None:
    if side.placed is None:
        return None
    mapping, system = side.placed
    segments = by_segment(side.opened.program, mapping)[1]
    crossings, steps = (sum(row[f"{what}_per_token"] for row in segments) for what in ("crossings", "steps"))
    return {
        "system": system.name, "chips": mapping.chips_used, "cores": mapping.cores_used,
        "crossings": crossings, "steps": steps, "host_operations": hosted,
    }  # fmt: skip


def _settings(opened: Bundle) -> Iterator[tuple[str, Any]]:
    """What the conversion was told, by its names in Python: plain values only."""
    conversion: Table[str, Any] = opened.program.conversion
    for key in ("preset", "options", "bits"):
        suffix = "_bits" if key == "bits" else ""
        for name, value in (conversion.get(key) or {}).items():
            if value is None or isinstance(value, str | int | float | bool):
                yield f"{name}{suffix}", value
    if isinstance(conversion.get("code"), str):
        yield "code", conversion["code"]


def _loss(opened: Bundle) -> dict[str, Any] | None:
    """What is recorded of it: by `eval --keep` of a language model, by the check of a converted module."""
    kept, check = opened.read_evaluation(), opened.program.conversion.get("check")
    if kept is not None:
        on = {"of": "bits a byte, change from float", "on": f"{kept['tokens']} tokens of {kept['text']}"}
        return {**on, "value": float(kept["bits_per_byte_change"])}
    if isinstance(check, Table) and "largest_relative" in check:
        on = {"of": "largest error, of the largest output", "on": f"{check['samples']} samples of the conversion"}
        return {**on, "value": float(check["largest_relative"])}
    return None


def _places(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Of two mappings; crossings and steps of one unit alone, a token or a time step."""
    sides = [found["a"], found["b"]]
    if None in (side["map"] for side in sides):
        return
    tokens = {side["kind"] == "language model" for side in sides}
    for name in PLACES:
        if len(tokens) == 1 or name not in ("crossings", "steps"):
            yield _row(name, "", None, *(float(side["map"][name]) for side in sides))


def _prices(a: Side, b: Side) -> Iterator[dict[str, Any]]:
    """Of the phases that both have."""
    for phase in (name for name in PHASE_TEXT if name in a.ledgers and name in b.ledgers):
        one, two = a.ledgers[phase], b.ledgers[phase]
        for boundary in BOUNDARIES:
            yield _banded(f"joules_{boundary}", "J", phase, one.joules(boundary), two.joules(boundary))
        yield _banded("seconds", "s", phase, one.seconds, two.seconds)


def _sizes(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    sides = [found["a"], found["b"]]
    losses = [side["loss"] for side in sides]
    if all(losses) and losses[0]["of"] == losses[1]["of"]:
        yield {**_row("loss", "", None, *(loss["value"] for loss in losses)), "ratio": None}
    for name, unit in SIZES.items():
        yield _row(name, unit, None, *(float(side["model"][name]) for side in sides))


def _row(name: str, unit: str, phase: str | None, a: Any, b: Any) -> dict[str, Any]:
    ratio = dict.fromkeys(("low", "nominal", "high"), b / a) if a else None
    return {"name": name, "unit": unit, "phase": phase, "a": a, "b": b, "ratio": ratio, "settled": a != b}


def _banded(name: str, unit: str, phase: str, a: Band, b: Band) -> dict[str, Any]:
    """With the band of the ratio, draw by draw."""
    ratio = b.over(a) if a.nominal > 0 else None
    settled = ratio is not None and not ratio.low <= 1.0 <= ratio.high
    told = {"ratio": ratio and ratio.to_json(), "settled": settled}
    return {"name": name, "unit": unit, "phase": phase, "a": a.to_json(), "b": b.to_json(), **told}


def _notes(a: Side, b: Side, found: dict[str, Any]) -> list[str]:
    """What a reader of the figures must know."""
    said = []
    for side in (a, b):
        name = str(side.opened.path)
        if side.placed is None:
            said.append(f"{name} is not mapped: nothing is known of its cores and joules")
        elif not side.ledgers:
            said.append(f"{name} was not run: give --input FILE for joules and seconds")
    if not found["same_model"]:
        said.append("they were not converted from the same files")
    systems = [side["map"]["system"] for side in (found["a"], found["b"]) if side["map"]]
    if len(set(systems)) > 1:
        said.append(f"systems differ: {systems[0]}, {systems[1]}")
    losses = [found[side]["loss"] for side in ("a", "b")]
    if all(losses) and (losses[0]["of"], losses[0]["on"]) != (losses[1]["of"], losses[1]["on"]):
        on = "; ".join(f"{loss['of']}, {loss['on']}" for loss in losses)
        said.append(f"losses are not of the same: {on}")
    if a.ledgers and b.ledgers and not a.ledgers.keys() & b.ledgers.keys():
        said.append("tokens are not samples: joules and seconds stand beside each other without a ratio")
    return said
