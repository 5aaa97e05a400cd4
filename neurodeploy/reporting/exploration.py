"""Words and figures of an exploration, as page and terminal both show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.units import Band, Data

HEADS = ("Front", "Loss>", "J at the wall>", "J board>", "Seconds>", "Chips>", "Cores>")

#: Columns of counts, the last of `HEADS`.
COUNTS = ("chips_used", "cores_used")


def points(number: int) -> str:
    return units.some(number, "point")


def band(row: Data, name: str) -> Band | None:
    """Nominal value, low and high of a column with a band; None where it was not reached."""
    if row[name] is None:
        return None
    return {"low": row[f"{name}_low"], "nominal": row[name], "high": row[f"{name}_high"]}


def axes_of(table: Data) -> list[str]:
    """Those that have several values."""
    return [name for name, values in table["over"].items() if len(values) > 1]


def name_of(table: Data, row: Data) -> str:
    """A point by its values: "preset=a8, system=kapoho-point"."""
    return ", ".join(f"{name}={row[name]}" for name in axes_of(table)) or f"point {row['point']}"


def loss(table: Data, row: Data) -> str:
    """The loss, of a text with its change against the float model."""
    if row["loss"] is None:
        return units.DASH
    if not table["relative"]:
        return units.percent(row["loss"], 3)
    change = row["loss_change"]
    return units.digits(row["loss"], 5) + ("" if change is None else f" ({units.percent(change, 2, signed=True)})")


def told(table: Data, row: Data) -> str:
    """A point in a clause: its name, joules with the band, chips, loss."""
    joules = band(row, "joules_wall")
    figure = units.DASH if joules is None else units.spread(joules, "J")
    chips = units.some(row["chips_used"], "chip")
    lost = f"{loss(table, row)} {table['loss_is']}" if table["relative"] else f"loss {loss(table, row)}"
    return f"{name_of(table, row)}: {figure} a {table['unit']} at the wall (modelled), {chips}, {lost}"


def cells(table: Data, row: Data) -> list[str]:
    """Of `HEADS`."""
    wall = band(row, "joules_wall")
    return [
        "yes" if row["front"] else "",
        loss(table, row),
        units.DASH if wall is None else units.spread(wall, "J"),
        units.si(row["joules_board"], "J"),
        units.si(row["seconds"], "s"),
        *(units.DASH if row[name] is None else units.count(row[name]) for name in COUNTS),
    ]


def ordered(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The front first, by joules; then what is behind it; last what could not be priced."""
    return sorted(
        rows, key=lambda row: (not row["front"], row["joules_wall"] is None, row["joules_wall"] or 0.0, row["point"])
    )
