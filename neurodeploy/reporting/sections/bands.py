"""Bands of one figure of several things under one another, on one logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence

from neurodeploy.reporting import units
from neurodeploy.reporting.charts import LogScale, band_plot
from neurodeploy.reporting.html import Html, el
from neurodeploy.reporting.sections.energy_details import band_text
from neurodeploy.reporting.units import Band

_COLOUR = "u5"


def band_chart(title: str, unit: str, named: Sequence[tuple[str, Band | None]]) -> Html:
    """A line for each name: its band, and nominal, low and high in figures. None: not known."""
    scale = LogScale.over(band for _, band in named if band is not None)
    lines = []
    for name, band in named:
        said = "not known" if band is None else f"{units.si(band['nominal'], unit)}, {units.span(band, unit)}"
        figure = el("span", said) if band is None else band_text(band, unit=unit)
        label = el("div", el("b", name), class_="bar-label")
        value = el("div", figure, class_="bar-value")
        plot = band_plot(band, scale, _COLOUR, f"{name}: {said}")
        lines.append(el("div", label, plot, value, el("span"), class_="boundary"))
    foot = el("div", el("span"), scale.axis(unit), el("span"), el("span"), class_="boundary")
    return el("div", el("h3", title), *lines, foot, class_="chart")
