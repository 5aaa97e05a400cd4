"""What page and terminal both say: the verdict, operations grouped by layer pattern, the ledger by boundary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.schema import (
    BASES,
    BOUNDARIES,
    PHASES,
    Accuracy,
    Band,
    Explained,
    LedgerEntry,
    MapSection,
    Phase,
)

#: Share of a boundary's energy that its ledger entries may miss before the page shows it as "not itemised".
ITEMISED_TOLERANCE = 0.005
#: The boundary that headlines use: the chips and all of their static power, and nothing that is not a chip.
HEADLINE_BOUNDARY = "chip"
#: The verdicts of `map --json`.
FITS, PARTLY, NOT_FIT = "fits", "partly", "does not fit"
PHASE_TEXT = {"generate": "generated token", "prefill": "prompt token", "sample": "sample", "step": "time step"}


# --- the sentence at the top -----------------------------------------------------------------------------------------


def verdict(data: Mapping[str, Any]) -> list[str]:
    """The clauses of the verdict in order: fit, energy, accuracy; only of what was run."""
    clauses = []
    section, run = data.get("map"), data.get("run")
    if section is not None:
        clauses.append(fit_clause(section) if run is None else _room(section))
    phase, name = headline_phase(data.get("energy"))
    band = phase["joules_per_token"].get(HEADLINE_BOUNDARY) if phase is not None else None
    if band is not None:
        needs = "would need" if section is not None and fit_of(section) == NOT_FIT else "needs"
        modelled = " (modelled)" if run is not None else ""
        per = f"a {PHASE_TEXT[name]}" if run is not None else f"per {PHASE_TEXT[name]}"
        clauses.append(f"{needs} {units.si(band['nominal'], 'J')} {per} at the chip boundary{modelled}")
    accuracy = data.get("accuracy")
    if accuracy is not None:
        clauses.append(loss_clause(accuracy))
    for row in data.get("comparison") or []:
        share = row["differing"] / row["compared"] if row["compared"] else 0.0
        clauses.append(f"differs from float in {units.percent(share, 2)} of the bins of {row['population']}")
    return clauses or ([f"ran {units.count(run['steps'])} steps"] if run is not None else [])


def _room(section: MapSection) -> str:
    """Of a spiking network, whose size is told in cores."""
    cores, chips = units.some(section["cores_used"], "core"), units.some(section["chips_used"], "chip")
    return f"{'fits on' if section['fits'] else 'does not fit:'} {cores} of {chips}"


def fit_of(section: Mapping[str, Any]) -> str:
    """Of a mapping, or of its section in a report: whether all, a part or nothing of it holds on the chips."""
    if section["fits"]:
        return FITS
    return PARTLY if section["host_islands"] and not section["violations"] else NOT_FIT


def fit_clause(section: MapSection) -> str:
    used, available = section["chips_used"], section["chips_available"]
    chips = "chip" if available == 1 else "chips"
    if fit_of(section) == PARTLY:
        left = section["host_islands"]
        host = f"{units.some(left, 'island')} run{'s' if left == 1 else ''} on the host"
        return f"fits only partly ({host}, the rest on {units.count(used)} of {units.count(available)} {chips})"
    if section["fits"] and used == available == 1:
        return "fits on one chip"
    if section["fits"]:
        return f"fits on {units.count(used)} of {units.count(available)} {chips}"
    if used > available:
        return f"does not fit: {units.count(used)} chips are needed, {section['system']} has {units.count(available)}"
    broken = len(section["violations"])
    return f"does not fit: {broken} budget{'s are' if broken != 1 else ' is'} exceeded"


def loss(accuracy: Accuracy) -> float:
    """Relative change of bits per byte, chip against float; positive is worse."""
    reference = accuracy["float"]["bits_per_byte"]
    return (accuracy["chip"]["bits_per_byte"] - reference) / reference if reference else 0.0


def loss_clause(accuracy: Accuracy) -> str:
    change = loss(accuracy)
    if change == 0:
        return "gives the same bits per byte as in float"
    if change < 0:  # rounding improves no model: what it moves this way is the chance of one text
        return f"loses nothing in bits per byte ({units.percent(change, 2)} on this text)"
    return f"loses {units.percent(change, 2)} in bits per byte"


def phases(energy: Mapping[str, Any] | None) -> dict[str, Phase | None]:
    """The phases of an energy section by name, that of headlines first.

    A spiking network has a sample and its mean step instead of tokens, and the ledger of the step alone.
    """
    if energy is None or "step" not in energy:
        return {name: energy[name] for name in PHASES} if energy else {}
    made: dict[str, Phase | None] = {}
    for name in ("sample", "step"):
        seconds, own = energy[name]["seconds"], name == "step"
        lists = {key: energy[key] if own else [] for key in ("assumptions", "not_modelled")}
        lists["entries"] = (energy.get("entries") or energy[name].get("entries", [])) if own else []
        phase: Any = {
            "joules_per_token": energy[name]["joules"], "seconds_per_token": seconds,
            "tokens_per_s": rate_band(seconds)["nominal"], "bound_by": energy["bound_by"],
            "by_layer": [], "by_component": [], **lists,
        }  # fmt: skip
        made[name] = phase
    return made


def unit_of(phase: str) -> str:
    """What the figures of a phase are of: "token", "sample", "step"."""
    return PHASE_TEXT[phase].rpartition(" ")[2]


def headline_phase(energy: Mapping[str, Any] | None) -> tuple[Phase | None, str]:
    """The phase that headlines speak of: generation where it was priced, else the prompt; a sample."""
    return next(((phase, name) for name, phase in phases(energy).items() if phase is not None), (None, PHASES[0]))


def rate_band(seconds: Band) -> Band:
    """Tokens per second of a band of seconds per token: the slow end is the low one. Zero seconds give zero."""
    low, nominal, high = (1 / seconds[key] if seconds[key] else 0.0 for key in ("high", "nominal", "low"))
    return {"low": low, "nominal": nominal, "high": high}


# --- the ledger ------------------------------------------------------------------------------------------------------


def inside(entry: LedgerEntry, boundary: str) -> bool:
    return BOUNDARIES.index(entry["boundary"]) <= BOUNDARIES.index(boundary)


@dataclass(frozen=True, slots=True)
class ComponentRow:
    """One component of a ledger: its joules, the boundary at which it first counts, and its shares by basis."""

    name: str
    device: str
    boundary: str
    joules: Band
    basis: dict[str, float]


def components(phase: Phase) -> list[ComponentRow]:
    """The components of a phase, largest first; from the ledger, or as given where there is no ledger."""
    if not phase["entries"]:
        rows = [ComponentRow(row["component"], "", "", row["joules"], {}) for row in phase["by_component"]]
        return sorted(rows, key=lambda row: -row.joules["nominal"])
    groups: dict[tuple[str, str, str], list[LedgerEntry]] = {}
    for entry in phase["entries"]:
        groups.setdefault((entry["component"], entry["device"], entry["boundary"]), []).append(entry)
    rows = [
        ComponentRow(name, device, boundary, units.total(entry["joules"] for entry in found), basis_shares(found))
        for (name, device, boundary), found in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row.joules["nominal"], row.name, row.device, row.boundary))


def basis_shares(entries: Iterable[LedgerEntry]) -> dict[str, float]:
    """Share of the nominal joules by basis, best basis first; empty where there are none."""
    sums = dict.fromkeys(BASES, 0.0)
    for entry in entries:
        sums[entry["basis"]] += entry["joules"]["nominal"]
    whole = sum(sums.values())
    return {basis: value / whole for basis, value in sums.items() if value > 0} if whole > 0 else {}


def basis_sentence(shares: dict[str, float]) -> str:
    """What a reader may conclude from `basis_shares`: they are of prices, and no product is better than its amount."""
    parts = ", ".join(f"{units.share(part)} {name}" for name, part in shares.items())
    return f"no joule is measured: amounts are counted or modelled, and their unit costs, by joules, are {parts}"


def boundary_stack(phase: Phase, boundary: str) -> tuple[list[tuple[ComponentRow, float]], float]:
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


def op_groups(ops: Sequence[Explained]) -> list[OpGroup]:
    """Operations grouped so that thirty equal layers are one row, in order of first appearance."""
    groups: dict[tuple[str, str, str, str], list[Explained]] = {}
    for op in ops:
        groups.setdefault((pattern(op["path"]), op.get("op", ""), op["device"], op["rule"]), []).append(op)
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


def middle(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    """Median and minimum of the values that are known."""
    known = [value for value in values if value is not None]
    return (median(known), min(known)) if known else (None, None)
