"""What of the model is on the chip, side by side: the host alone, projections, block, all."""

from __future__ import annotations

from neurodeploy.reporting import units
from neurodeploy.reporting.html import el
from neurodeploy.reporting.sections.bands import band_chart
from neurodeploy.reporting.sections.frame import Body, bullets, table, texts
from neurodeploy.reporting.side_by_side import HEADS, MEANING, cells, name_of, remarks
from neurodeploy.reporting.units import Data

#: What is drawn of a generated token: joules at the boundary that holds the host, and seconds.
_DRAWN = (("Joules at the wall", "J"), ("Seconds", "s"))


def variants(data: Data) -> Body | None:
    rows = data.get("variants")
    if not rows:
        return None
    shown = texts(HEADS, [cells(row, rows) for row in rows])
    bands = [_bands(row) for row in rows]
    names = [name_of(row, rows) for row in rows]
    charts = [
        band_chart(title, unit, [(name, found and found[i]) for name, found in zip(names, bands, strict=True)])
        for i, (title, unit) in enumerate(_DRAWN)
    ]
    return [
        _lead(rows), table("What is on the chip, side by side", HEADS, shown, ""),
        el("p", f"{MEANING[0].upper()}{MEANING[1:]}.", class_="hint"),
        *charts, bullets(remarks(rows), "Beside these figures"),
    ]  # fmt: skip


def _lead(rows: list[Data]) -> str | None:
    """The largest step down in crossings, told with what it does to the joules at the wall."""
    known = [row for row in rows if row["generate"] and row["crossings"]]
    if len(known) < 2:
        return None
    most, least = (pick(known, key=lambda row: row["crossings"]) for pick in (max, min))
    joules = [units.si(row["generate"]["joules_per_token"]["wall"]["nominal"], "J") for row in (most, least)]
    crossings = [f"{row['crossings']:,.4g}" for row in (most, least)]
    return (
        f"With {most['on_chip']} on the chip a generated token crosses the host border {crossings[0]} times and needs "
        f"{joules[0]} at the wall (modelled); with {least['on_chip']}, {crossings[1]} times and {joules[1]}."
    )


def _bands(row: Data) -> tuple[units.Band, units.Band] | None:
    phase = row["generate"]
    return (phase["joules_per_token"]["wall"], phase["seconds_per_token"]) if phase else None
