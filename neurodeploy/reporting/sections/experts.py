"""Expert usage: how the tokens of each routed layer spread over its experts."""

from __future__ import annotations

from neurodeploy.reporting import units
from neurodeploy.reporting.html import Html, el, line, rect, svg
from neurodeploy.reporting.sections.frame import Body
from neurodeploy.reporting.units import Data


def experts(data: Data) -> Body | None:
    """None for a model without experts: there is nothing that could be run."""
    found = data.get("experts")
    if not found:
        return None
    used = sum(1 for counts in found.values() for tokens in counts if tokens)
    every = sum(len(counts) for counts in found.values())
    worst = max(found, key=lambda layer: _imbalance(found[layer]))
    lead = (
        f"{units.count(used)} of {units.count(every)} experts were given tokens; the least even layer is {worst}, "
        f"whose busiest expert has {units.si(_imbalance(found[worst]))} times its even share."
    )
    hint = "One column per expert, in order. The line is the even share."
    charts = el("div", *(_layer(layer, counts) for layer, counts in found.items()), class_="experts")
    return [lead, charts, el("p", hint, class_="hint")]


def _imbalance(counts: list[int]) -> float:
    """The busiest expert over the mean; 1 is even, 0 is unused."""
    whole = sum(counts)
    return max(counts) * len(counts) / whole if whole else 0.0


def _layer(layer: str, counts: list[int]) -> Html:
    whole, most = sum(counts), max(counts, default=0)
    title = f"layer {layer}" if layer.isdigit() else layer
    if not most:
        return el("figure", el("figcaption", el("b", title), " no tokens"))
    height, pitch, bars = 48, 1 / len(counts), []
    for i, tokens in enumerate(counts):
        tall = max(height * tokens / most, 1.0)
        tip = f"expert {i}: {units.count(tokens)} tokens, {units.percent(tokens / whole, 2)}"
        bars.append(rect("k0" if tokens else "track", (i + 0.1) * pitch, 0.8 * pitch, height - tall, tall, tip))
    even = height * (1 - whole / len(counts) / most)
    bars.append(line("even", ("0%", "100%"), (even, even)))
    caption = el("figcaption", el("b", title), f" {units.si(_imbalance(counts))} × even")
    return el(
        "figure", caption, svg("", height, f"{title}: {units.count(whole)} tokens over {len(counts)} experts", *bars)
    )
