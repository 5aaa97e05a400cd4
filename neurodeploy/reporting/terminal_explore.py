"""`explore` for the terminal: the answer, the front and what is behind it, errors, where everything is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from neurodeploy.reporting import exploration, units
from neurodeploy.reporting.terminal_table import LINES, listed, say, show_table


def print_explore(found: Mapping[str, Any], console: Console) -> None:
    """The first line is the answer."""
    rows = [row for row in exploration.ordered(found["rows"]) if row["joules_wall"] is not None]
    say(console, found["answer"], "bold" if rows else "bold red")
    shown = rows[: max(LINES, sum(row["front"] for row in rows))]
    names = exploration.axes_of(found)
    cells = [[", ".join(str(row[name]) for name in names), *exploration.cells(found, row)] for row in shown]
    show_table(console, [", ".join(names) or "Point", *exploration.HEADS], cells)
    if len(rows) > len(shown):
        say(console, f"and {exploration.points(len(rows) - len(shown))} behind the front: see the page", "dim")
    errors = Counter(row["error"] for row in found["rows"] if row["error"])
    listed(console, (f"{exploration.points(times)}: {error}" for error, times in errors.most_common()), lead="  ")
    done = found["stages"]
    stages = (
        f"{units.some(done['computed'], 'stage')} computed, {units.count(done['reused'])} taken from {done['work']}"
    )
    say(console, f"{found['chosen']}; loss: {found['loss_is']}; run: {found['data']}; {stages}", "dim")
    listed(console, done["notes"], "dim")
    say(console, f"page, data and table: {', '.join(found['paths'])}", "dim")
