"""Traffic: what moves on the chips, between them, and over the border to the host."""

from __future__ import annotations

import math

from neurodeploy.reporting import units
from neurodeploy.reporting.html import Html, el, svg
from neurodeploy.reporting.sections.frame import Body
from neurodeploy.reporting.units import Data

_KINDS = 12


def traffic(data: Data) -> Body | None:
    found = data.get("traffic")
    if found is None:
        return None
    to_chip, to_host = found["to_chip_bytes"], found["to_host_bytes"]
    inside, between = found["on_chip_bytes"], found["inter_chip_bytes"]
    most = max(to_chip, to_host, inside, between, 1.0)
    mapped = data.get("map")
    used = f"{units.count(mapped['chips_used'])} in use" if mapped is not None else None
    chips = el(
        "div",
        el("b", "Chips"),
        el("span", used, class_="hint") if used else None,
        _flow("core to core on one chip", inside, most, "on", both=True),
        _flow("chip to chip", between, most, "on", both=True),
        class_="node node-chip",
    )
    border = el(
        "div",
        _flow("host to chips", to_chip, most, "out"),
        _flow("chips to host", to_host, most, "in", back=True),
        el("span", f"{found['crossings']:g} crossings per {found['unit']}", class_="hint"),
        class_="border",
    )
    kinds = _host_kinds(data)
    host = el("div", el("b", "Host"), el("span", kinds, class_="hint") if kinds else None, class_="node node-host")
    lead = (
        f"Each {found['unit']} moves {units.si(to_chip + to_host, 'B')} over the host border and "
        f"{units.si(inside + between, 'B')} among the cores."
    )
    hint = f"Bytes per {found['unit']}{found['if']}. The thickness of an arrow grows with the logarithm of its bytes."
    return [lead, el("div", host, border, chips, class_="flow"), el("p", hint, class_="hint")]


def _host_kinds(data: Data) -> str:
    """The kinds of operation that stay on the host, as far as they are known."""
    kinds = list(dict.fromkeys(op["op"] for op in data.get("explain") or [] if op["device"] != "chip"))
    return ", ".join(units.words(kind) for kind in kinds[:_KINDS]) + (", …" if len(kinds) > _KINDS else "")


def _flow(label: str, value: float, most: float, kind: str, back: bool = False, both: bool = False) -> Html:
    """An arrow with its bytes; one that carries nothing is a dotted line."""
    width = 1.5 + 8.5 * math.log10(1 + value) / math.log10(1 + most)
    head = 5 + width
    shapes = [el("line", x1="0%", x2="100%", y1=14, y2=14, stroke_width=width if value else 1.5, class_="shaft")]
    if value:  # the heads stick out of the drawing, into its margin
        tip = f"M{head:.1f} 14l{-head:.1f} {-head * 0.62:.1f}v{head * 1.24:.1f}z"
        tail = f"M{-head:.1f} 14l{head:.1f} {-head * 0.62:.1f}v{head * 1.24:.1f}z"
        if not back:
            shapes.append(el("svg", el("path", d=tip), x="100%", class_="head"))
        if back or both:
            shapes.append(el("svg", el("path", d=tail), x="0%", class_="head"))
    drawn = svg("" if value else "nothing", 28, "", *shapes)
    return el("div", el("span", label), el("b", units.si(value, "B")), drawn, class_=f"arrow arrow-{kind}")
