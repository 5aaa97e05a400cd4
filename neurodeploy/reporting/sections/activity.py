"""Activity: the exact counts of a run, island by island."""

from __future__ import annotations

from neurodeploy.reporting import units
from neurodeploy.reporting.derive import number_ranges, pattern
from neurodeploy.reporting.html import Html, el
from neurodeploy.reporting.schema import IslandCounts, ReportData
from neurodeploy.reporting.sections.frame import MAX_ROWS, Body, cell, number, table


def activity(data: ReportData) -> Body | None:
    found = data.get("activity")
    if found is None:
        return None
    groups: dict[str, list[str]] = {}
    for name in found:
        groups.setdefault(pattern(name), []).append(name)
    heads = ["Islands", "Layers", "Events per token>", "Synaptic operations per token>", "Neuron updates per token>"]
    heads += ["Density, mean>", "Clipped>"]
    rows = [_row(name, names, found) for name, names in list(groups.items())[:MAX_ROWS]]
    return [_lead(found), table(heads, rows)]


def _rate(counts: IslandCounts, value: float) -> float:
    """A count per token that the island saw."""
    return value / counts["tokens"] if counts["tokens"] else 0.0


def _lead(found: dict[str, IslandCounts]) -> str | None:
    synops = sum(_rate(counts, counts["synops"]) for counts in found.values())
    if not synops:
        return "No island saw an event."
    dense = sum(_rate(counts, counts["synops"] / counts["density"]) for counts in found.values() if counts["density"])
    share = f", {units.percent(synops / dense)} of what the dense product would do" if dense else ""
    return f"A token that visits every island makes {units.si(synops)} synaptic operations{share}."


def _row(name: str, names: list[str], found: dict[str, IslandCounts]) -> list[Html]:
    """Sums over the islands of a pattern, each per token that it saw."""
    members = [found[n] for n in names]
    density = sum(counts["density"] for counts in members) / len(members)
    return [
        cell(el("b", name), class_="path"),
        cell(number_ranges(names), class_="layers"),
        number(sum(_rate(counts, counts["events"]) for counts in members)),
        number(sum(_rate(counts, counts["synops"]) for counts in members)),
        number(sum(_rate(counts, counts["neuron_updates"]) for counts in members)),
        cell(units.percent(density), density),
        number(sum(counts["saturations"] for counts in members)),
    ]
