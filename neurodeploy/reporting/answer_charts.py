"""The chart of a verb's result, one a verb: horizontal bars, drawn by matplotlib where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from neurodeploy.errors import UserError
from neurodeploy.reporting import derive, units
from neurodeploy.reporting.answer_tables import library

#: Bars that a chart has at most: the longest.
_MOST = 30


class Bar(NamedTuple):
    """A value with its name, and the ends of its band where it has one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


#: Title, what the axis measures with its unit, bars.
Chart = tuple[str, str, list[Bar]]


def _energy(found: Any) -> Chart | None:
    phase, name = derive.headline_phase(found)
    if phase is None:
        return None
    bars = [
        Bar(row.name, row.joules["nominal"], row.joules["low"], row.joules["high"]) for row in derive.components(phase)
    ]
    unit = f"J per {derive.unit_of(name)}"
    return f"Energy per {derive.PHASE_TEXT[name]} at the wall, modelled", unit, bars


def _map(found: Any) -> Chart:
    full = {name: entry for name, entry in found["utilisation"].items() if entry["limit"]}
    bars = [Bar(units.words(name), entry["max"]) for name, entry in full.items()]
    return f"{found['system']}: the fullest core", "share of the budget (1 is all of it)", bars


def _run(found: Any) -> Chart:
    bars = [Bar(name, row["messages"]) for name, row in found["populations"].items()]
    return f"{found['model']}: messages in {units.some(found['steps'], found['unit'])}", "messages", bars


def _explain(found: Any) -> Chart:
    groups = derive.op_groups(found)
    bars = [Bar(f"{group.pattern} ({group.device})", group.bytes_per_token) for group in groups]
    return "Over the host border", f"bytes per {derive.steps_of(found)[1]}", [bar for bar in bars if bar.value]


def _eval(found: Any) -> Chart | None:
    if "comparison" in found:
        rows = [Bar(row["population"], derive.differing(row)) for row in found["comparison"]]
        return "Bins that differ from float", "share of bins", rows
    sides = {name: found[name] for name in ("float", "chip") if found[name] is not None}
    return "Bits per byte", "bits per byte", [Bar(name, side["bits_per_byte"]) for name, side in sides.items()]


def _fit(found: Any) -> Chart:
    rows = [row for row in found["rows"] if row["chips"] is not None]
    return "Chips that are needed", "chips", [Bar(f"{row['system']}, {row['bits']} bit", row["chips"]) for row in rows]


def _demo(found: Any) -> Chart:
    bands = {
        row["on_chip"]: row["generate"]["joules_per_token"]["wall"] for row in found["compared"] if row["generate"]
    }
    bars = [Bar(str(name), band["nominal"], band["low"], band["high"]) for name, band in bands.items()]
    return "Energy per generated token at the wall, modelled", "J per token", bars


#: Verbs that have a chart.
CHARTS: Mapping[str, Callable[[Any], Chart | None]] = {
    "energy": _energy, "map": _map, "run": _run, "explain": _explain, "eval": _eval, "fit": _fit, "demo": _demo,
    "report": lambda found: _energy(found["data"]["energy"] or {}),
}  # fmt: skip


def draw(verb: str, found: Any, ax: Any = None) -> Any:
    """Draw the chart of a result into `ax`, or a new figure; returns the axes. ND3301 where there is nothing to draw."""
    made = CHARTS[verb](found) if verb in CHARTS else None
    if made is None or not made[2]:
        fix = f"results of {', '.join(sorted(CHARTS))} have one; to_frame and save take any"
        raise UserError("ND3301", f"plot of {verb}", "has nothing to draw", fix)
    title, measure, bars = made
    if ax is None:
        ax = library("matplotlib.pyplot", "plot").subplots(layout="constrained")[1]
    bars = sorted(bars, key=lambda bar: bar.value)[-_MOST:]
    ends = [(bar.value - (bar.value if bar.low is None else bar.low),
             (bar.value if bar.high is None else bar.high) - bar.value) for bar in bars]  # fmt: skip
    banded = any(bar.low is not None for bar in bars)
    places = range(len(bars))  # by number: two bars may have one name
    ax.barh(places, [bar.value for bar in bars], xerr=list(zip(*ends, strict=True)) if banded else None)
    ax.set_yticks(places, labels=[bar.name for bar in bars])
    ax.set_title(title)
    ax.set_xlabel(measure)
    return ax
