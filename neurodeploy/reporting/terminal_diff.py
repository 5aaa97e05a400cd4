"""`diff` for the terminal: the sentence, both sides, settings and host operations that differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from neurodeploy.reporting import differences, units
from neurodeploy.reporting.derive import PHASE_TEXT
from neurodeploy.reporting.said import Said
from neurodeploy.reporting.terminal_table import listed, say, told
from neurodeploy.reporting.units import Data

#: Settings and rules that a line names.
_NAMED = 4


def lines(found: Mapping[str, Any]) -> list[Said]:
    """The sentence, both sides, the settings that differ, the host operations that do."""
    said = [Said(found["answer"], "bold")]
    for name, side in zip(differences.names(found), (found["a"], found["b"]), strict=True):
        said.append(Said(f"{name}: {_side(side)}"))
    said.append(Said(f"settings that differ: {_listed([_setting(row) for row in found['settings']])}"))
    every = [(row[side] or {}).get("rule") for row in found["operations"] for side in ("a", "b")]
    rules = [rule for rule in dict.fromkeys(every) if rule]
    named = f", by the rule{'' if len(rules) == 1 else 's'} {_listed(rules)}" if rules else ""
    return [*said, Said(f"host operations that differ: {units.count(len(found['operations']))}{named}")]


def print_diff(found: Mapping[str, Any], console: Console) -> None:
    """The same and every note; the page, and --json, have all."""
    told(console, lines(found))
    listed(console, found["notes"], lead="note: ")
    if "out" in found:
        say(console, f"written to {found['out']}")


def _listed(parts: list[str]) -> str:
    more = len(parts) - _NAMED
    return ", ".join(parts[:_NAMED]) + (f" and {units.count(more)} more" if more > 0 else "") if parts else "none"


def _setting(row: Data) -> str:
    return f"{row['name']} {_worded(row['a'])} and {_worded(row['b'])}"


def _worded(value: object) -> str:
    return "not set" if value is None else f"{value}"


def _side(side: Data) -> str:
    """What it is, where it lies, what it costs, what it loses."""
    said = [f"{side['kind']} {side['model']['name']}"]
    placed, loss = side["map"], side["loss"]
    if placed is None:
        said.append("not mapped")
    else:
        crossings = placed["crossings"]
        said += [differences.placed(placed), f"{crossings:,.4g} crossing{'' if crossings == 1 else 's'}"]
    phase = next((name for name in PHASE_TEXT if name in side["phases"]), None)
    if phase is not None:
        told = side["phases"][phase]
        joules, seconds = told["joules_per_token"]["wall"], told["seconds_per_token"]
        said.append(f"{units.spread(joules, 'J')} at the wall and {units.spread(seconds, 's')} per {PHASE_TEXT[phase]}")
    if loss is not None:
        said.append(f"{loss['of']}: {units.percent(loss['value'], 2, signed=True)}")
    return ", ".join(said)
