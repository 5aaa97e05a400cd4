"""A console, a line and a table: text from strangers' files stays plain text, whatever the terminal can show."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurodeploy.reporting import units
from neurodeploy.reporting.said import Said
from neurodeploy.storage.tables import clean

#: Where no width is known (a pipe, a file) lines may be so long.
_WIDTH = 120
#: Lines of a list before it is cut.
LINES = 10
_ASCII = str.maketrans({"µ": "u", units.DASH: "-", "×": "x", "…": "~", "\u2212": "-"})


def open_console() -> Console:
    made = Console(highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made = Console(highlight=False, width=_WIDTH)
    return made


def plain(console: Console, text: str, style: str = "") -> Text:
    """Text as it stands: no markup, no control characters, nothing that the terminal's encoding lacks."""
    text = units.breakable(clean(text))
    if not console.encoding.lower().startswith("utf"):
        text = text.translate(_ASCII).encode(console.encoding, "replace").decode(console.encoding)
    return Text(text, style=style)


def say(console: Console, text: str, style: str = "") -> None:
    console.print(plain(console, text, style), soft_wrap=True)


def told(console: Console, lines: Iterable[Said]) -> None:
    for line in lines:
        say(console, *line)


def show_table(console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; a head that ends in ">" is of a column of numbers. Nothing at all where there are no rows."""
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for head in heads:
        number = head.endswith(">")
        table.add_column(
            plain(console, head.removesuffix(">")),
            justify="right" if number else "left",
            no_wrap=number,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(plain(console, value) for value in row))
    console.print(table)
    console.print()


def listed(console: Console, lines: Iterable[str], style: str = "yellow", lead: str = "note: ") -> None:
    """A line each, as many as fit on a screen; `--json` has all."""
    every = list(lines)
    for line in every[:LINES]:
        say(console, f"{lead}{line}", style)
    if len(every) > LINES:
        say(console, f"{'' if lead.strip() else lead}and {units.count(len(every) - LINES)} more: see --json", style)


def ratio(value: float | None) -> str:
    return f"{value:.2f}" if value else units.DASH
