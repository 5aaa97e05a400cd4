"""Terminal summaries of the verbs that check or collect: verify, doctor, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from neurodeploy.reporting import brief_made, units
from neurodeploy.reporting.terminal_table import listed, say, show_table, told


def print_verify(found: Mapping[str, Any], console: Console) -> None:
    """What was checked, what of the mapping was executed, and what is wrong."""
    told(console, brief_made.verify(found))
    listed(console, found["violations"], "red", "  ")


def print_doctor(found: Mapping[str, Any], console: Console) -> None:
    """The answer, then the machine as name and value; nested values on lines of their own."""
    told(console, brief_made.doctor(found))
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
