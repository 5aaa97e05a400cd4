"""What `diff` says of two bundles: the sentence, and the settings and host operations that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.derive import PHASE_TEXT
from neurodeploy.reporting.units import Data

#: What a figure is called, by its name.
WORDS = {
    "cores": "cores", "chips": "chips", "crossings": "crossings of the host border", "steps": "steps of the chip",
    "host_operations": "host operations", "joules_chip": "joules at the chip", "joules_wall": "joules at the wall",
    "seconds": "seconds", "loss": "loss", "neurons": "neurons", "populations": "populations", "synapses": "synapses",
    "weight_bytes": "weights",
}  # fmt: skip
#: One of what a sentence counts.
ONE = {"cores": "core", "crossings": "crossing of the host border", "host_operations": "host operation"}
#: Phases in the order of headlines.
_PHASES = tuple(PHASE_TEXT)
Row = dict[str, Any]


def settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Row]:
    """Those that differ; None is what a side does not have."""
    names = dict.fromkeys((*a, *b))
    return [{"name": name, "a": a.get(name), "b": b.get(name)} for name in names if a.get(name) != b.get(name)]


def operations(a: Sequence[Data], b: Sequence[Data]) -> list[Row]:
    """Host operations that only one side has, or for another reason; None: that side has none of that name on its host."""
    sides = [{row["path"]: {"rule": row["rule"], "reason": row["reason"]} for row in rows} for rows in (a, b)]
    paths = dict.fromkeys((*sides[0], *sides[1]))
    rows = [{"path": path, "a": sides[0].get(path), "b": sides[1].get(path)} for path in paths]
    return [row for row in rows if row["a"] != row["b"]]


def figure(found: Mapping[str, Any], name: str, phase: str | None = None) -> Data | None:
    """The row of that name and phase."""
    return next((row for row in found["figures"] if (row["name"], row["phase"]) == (name, phase)), None)


def main_phase(found: Mapping[str, Any]) -> str | None:
    """The phase that headlines speak of, of those that both sides have."""
    known = {row["phase"] for row in found["figures"]}
    return next((phase for phase in _PHASES if phase in known), None)


def value(row: Data, side: str) -> str:
    """A figure of one side in words, with its band where it has one."""
    held, unit = row[side], row["unit"]
    if isinstance(held, Mapping):
        return units.spread(held, unit)
    return units.percent(held, 2, signed=True) if row["name"] == "loss" else units.si(held, unit)


def times(row: Data) -> str:
    """The ratio in words; a band that holds 1 is not settled."""
    ratio = row["ratio"]
    if ratio is None:
        return units.DASH
    if ratio["low"] == ratio["high"]:
        return units.digits(ratio["nominal"], 3)
    return f"{units.digits(ratio['nominal'], 3)} ({units.span(ratio, '')}){'' if row['settled'] else ', not settled'}"


def clauses(found: Mapping[str, Any]) -> list[str]:
    """Joules, seconds, cores, crossings, loss: the parts of the sentence, as far as they are known."""
    phase, said = main_phase(found), list[str]()
    if phase is not None:
        for name in ("joules_wall", "seconds"):
            row = figure(found, name, phase)
            if row is not None and row["ratio"] is not None and row["a"] != row["b"]:
                said.append(f"{times(row)} times the {WORDS[name]} per {PHASE_TEXT[phase]}")
    for name in ONE:
        row = figure(found, name)
        if row is not None and row["a"] != row["b"]:
            said.append(f"{value(row, 'b')} {ONE[name] if row['b'] == 1 else WORDS[name]} for {value(row, 'a')}")
    loss = figure(found, "loss")
    if loss is not None and loss["a"] != loss["b"]:
        said.append(f"a loss of {value(loss, 'b')} for {value(loss, 'a')}")
    return said


def placed(where: Data) -> str:
    """Where a mapping lies."""
    return f"{units.some(where['cores'], 'core')} on {units.some(where['chips'], 'chip')} of {where['system']}"


def names(found: Mapping[str, Any]) -> tuple[str, str]:
    """Both bundles by the last part of their paths, by all of it where those are equal."""
    a, b = (found[side]["bundle"] for side in ("a", "b"))
    short = [path.replace("\\", "/").rstrip("/").rpartition("/")[2] for path in (a, b)]
    return (short[0], short[1]) if short[0] != short[1] else (a, b)


def answer(found: Mapping[str, Any]) -> str:
    """The sentence."""
    a, b = names(found)
    said = clauses(found)
    if said:
        return f"{b} beside {a}: {', '.join(said)}"
    differ = found["settings"] or found["operations"] or any(row["a"] != row["b"] for row in found["figures"])
    return f"{b} beside {a}: {'nothing that can be compared was measured' if differ else 'no difference'}"
