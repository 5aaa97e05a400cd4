"""Terminal summaries of the verbs that check or collect: verify, doctor, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from neurodeploy.reporting import units
from neurodeploy.reporting.terminal_table import extent, listed, say, show_table

#: Of the float network of a spiking one.
_SOURCE = {
    None: "no float network: the source holds integers",
    True: "the float network is read by nir",
    False: "the float network is not pure NIR: see the warnings of the conversion",
}


def print_verify(found: Mapping[str, Any], console: Console) -> None:
    """What was checked, what of the mapping was executed, and what is wrong."""
    violations, done = found["violations"], found["executed"]
    verdict = "the mapping exceeds its budgets, and was not executed" if violations else "sound"
    if done and not violations:
        verdict += f"; its mapping was executed, {extent(done)}: the same bits"
    say(console, f"{found['bundle']}: {verdict}", "bold red" if violations else "bold")
    say(console, f"{units.some(found['members'], 'member')} with the digests of the manifest")
    if found["layers_read_by_nir"]:
        say(console, f"{units.some(found['layers_read_by_nir'], 'layer')} read by nir: the same integers")
    else:
        say(console, _SOURCE[found["source_read_by_nir"]])
    golden, steps = found["golden_vectors"], found["golden_steps"]
    if steps:
        outputs = units.some(max(golden.values()), "output")
        over = f"over {units.some(steps, 'golden step')}"
        say(console, f"{outputs} {over}: the same bits on {' and '.join(golden)}")
    else:
        say(console, "no golden vectors: a single step of this network is too much work for the reference")
    if (widths := found.get("widths", {"counted": 0}))["counted"]:
        rest = f"{units.count(widths['counted'])} calibrated: what exceeds them is counted in every run"
        say(console, f"{units.some(widths['proven'], 'width')} of numbers proven, {rest}")
    if not found["mapped"]:
        say(console, "not mapped yet: neurodeploy map", "dim")
    listed(console, violations, "red", "  ")


def print_doctor(found: Mapping[str, Any], console: Console) -> None:
    """The machine as name and value; nested values on lines of their own."""
    rows = []
    for name, value in found.items():
        if isinstance(value, Mapping):
            rows += [[f"{units.words(name)}: {key}", _value(item)] for key, item in value.items()]
        else:
            rows.append([units.words(name), _value(value)])
    show_table(console, ["This machine", ""], rows)


def _value(value: Any) -> str:
    if value is None:
        return "not installed"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value(item)}" for key, item in value.items())
    return ", ".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)


def print_paths(found: Sequence[Any], console: Console) -> None:
    """The files that were written, one a line."""
    for path in found:
        say(console, str(path))
