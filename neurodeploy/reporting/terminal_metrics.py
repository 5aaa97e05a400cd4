"""The metrics of a mapping for the terminal: each beside what is least possible, and the null models."""

from __future__ import annotations

from rich.console import Console

from neurodeploy.reporting import units
from neurodeploy.reporting.judged import COUNTS, metric_rows, null_rows
from neurodeploy.reporting.terminal_table import listed, ratio, say, show_table
from neurodeploy.reporting.units import Data


def print_metrics(found: Data, console: Console) -> None:
    """Two tables and the notes of the mapper."""
    say(console, f"Counts of one {found['unit']}, {found['rates']}; energies and times are modelled", "dim")
    rows = [[row.name, row.value, row.bound, ratio(row.ratio)] for row in metric_rows(found)]
    show_table(console, ["Metric", "Value", "At least", "Of it>"], rows)
    rows = [
        [name, transport, *(units.si(row[key]) for key in COUNTS), ratio(row["ratio"])]
        for name, transport, row in null_rows(found)
    ]
    heads = [
        "Placement of the same cores",
        "Transport>",
        "Messages x hops>",
        "Chip packets>",
        "Busiest link>",
        "Ours/it>",
    ]
    show_table(console, heads, rows)
    nulls = found["nulls"]
    notes = [*found["mapper"]["notes"], *(nulls["notes"] if nulls else [])]
    listed(console, notes)
