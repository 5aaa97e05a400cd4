"""What a board measured of a run, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from neurodeploy.reporting import units
from neurodeploy.reporting.terminal_table import listed, say, show_table

#: Of a measurement.
UNITS = {"joules": "J", "seconds": "s", "watts": "W", "first_token_seconds": "s"}


def print_board(found: Mapping[str, Any], console: Console) -> None:
    """Who measured, figures of a sample, events that cores counted, whether outputs are the simulation's."""
    say(console, f"measured by {found['measured_by']} on {found['host']}", "bold")
    rows = [
        [
            f"{row['quantity']}, {row['part']}", row["boundary"] or units.DASH,
            units.si(row["nominal"], UNITS[row["quantity"]]), units.span(row, UNITS[row["quantity"]]),
        ]
        for row in found["figures"]
    ]  # fmt: skip
    show_table(console, ["Of a sample", "Boundary", "Measured>", "Low – high over samples>"], rows)
    rows = [[row["event"], row["field"], units.si(row["nominal"]), units.span(row, "")] for row in found["entries"]]
    show_table(console, ["Event", "Lava's field", "Of a sample>", "Low – high over samples>"], rows)
    outputs = found["outputs"]
    same = (
        "the simulation's bits"
        if not outputs["differing"]
        else f"{units.some(outputs['differing'], 'bin')} not the same"
    )
    late = units.some(outputs["lag"], "step")
    say(console, f"outputs of {units.some(outputs['bins'], 'bin')} came {late} late: {same}")
    say(console, f"placement: {found['placement']['says']}")
    listed(console, found["missing"], "dim", "not to be had: ")
