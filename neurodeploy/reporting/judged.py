"""The metrics of a mapping as rows: what page and terminal both show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.units import Data

#: Names of the null models for people.
NULL_NAMES = {
    "random": "random, mean of {runs}",
    "sequential": "sequential (row-major)",
    "snake": "snake",
    "hilbert": "Hilbert curve",
    "metis-rb": "METIS, recursive bisection",
}


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric in words; `bound` and `ratio` where there is a bound."""

    name: str
    value: str
    bound: str = ""
    ratio: float | None = None


def metric_rows(found: Data) -> Iterator[MetricRow]:
    """One row a metric, in the order of ``map --json``."""
    si, cores, hops, links = units.si, found["cores"], found["hops"], found["links"]
    bounds, between, time = found["bounds"], found["interchip"], found["makespan"]
    yield MetricRow("cores", units.count(cores["used"]), units.count(cores["lower_bound"]), cores["ratio"])
    km1, cut = found["km1"], found["cut"]
    yield MetricRow("messages to other cores", f"{si(km1['cores'])}, to other chips {si(km1['chips'])}")
    yield MetricRow("messages that leave their core", f"{si(cut['cores'])}, their chip {si(cut['chips'])}")
    total, least = hops["unicast"]["total"], bounds["unicast_hops"]
    east, north = hops["unicast"]["east_west"], hops["unicast"]["north_south"]
    text = f"{si(total)} ({si(east)} E-W, {si(north)} N-S)"
    yield MetricRow("messages x hops, unicast", text, si(least), total / least if least else None)
    tree = hops["multicast"]
    yield MetricRow("with multicast trees", f"{si(tree['total'])} ({si(tree['east_west'])} E-W)")
    transport = hops["unicast"]["transport_energy_j"]
    if transport is not None:
        yield MetricRow("transport energy", si(transport, "J"), si(bounds["transport_energy_j"], "J"), bounds["ratio"])
    text = f"{units.some(links['max'], 'message', si)}, p99 {si(links['p99'])}, mean {si(links['mean'])}"
    yield MetricRow("busiest mesh link", text, si(links["lower_bound"]), links["ratio"])
    yield MetricRow("busiest port of a chip", units.some(links["busiest_port"]["messages"], "message", si))
    busiest = between["busiest"]
    if busiest is not None:
        links_used = units.some(between["links_used"], "link")
        yield MetricRow("packets between chips", f"{si(between['packets'])} on {links_used}")
        spent = f", {si(busiest['seconds'], 's')} of its bandwidth" if busiest["seconds"] is not None else ""
        text, bound = f"{busiest['from']} to {busiest['to']}: {si(busiest['messages'])}{spent}", between["lower_bound"]
        yield MetricRow("busiest link of chips", text, si(bound), busiest["messages"] / bound if bound else None)
    if time.get("step_s") is not None:
        text = f"{si(time['step_s'], 's')}: cores {si(time['cores_s'], 's')}, links {si(time['links_s'], 's')}, "
        yield MetricRow(
            "step, all cores at work", f"{text}barrier {si(time['barrier_s'], 's')}; {time['bound_by']} bind"
        )
    host = found["fallback"]
    text = f"{units.some(host['crossings'], 'crossing')}, {si(host['bytes'], 'B')}"
    yield MetricRow("host border", text)
    mapper = found["mapper"]
    spent = f", {si(mapper['seconds'], 's')}" if mapper["seconds"] is not None else ""
    memory = f", {si(mapper['peak_bytes'], 'B')} at most" if mapper["peak_bytes"] is not None else ""
    yield MetricRow("mapper", f"objective {mapper['objective']}, seed {mapper['seed']}{spent}{memory}")
    priced = found["energy"]["sana_fe_j"]
    if priced is not None:
        yield MetricRow("energy by SANA-FE", si(priced, "J"))


#: Of a placement: its messages times hops, packets between chips, busiest link.
COUNTS = ("hops", "interchip_packets", "max_link_load")


def null_rows(found: Data) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Placements of the same cores, ours first: name, transport in words, and its figures as those of a null model."""
    nulls = found["nulls"]
    if nulls is None or not nulls["models"]:
        return
    counts = (found["hops"]["unicast"]["total"], found["interchip"]["packets"], found["links"]["max"])
    ours = {"transport": nulls["ours"], "ratio": 1.0, **dict(zip(COUNTS, counts, strict=True))}
    rows: list[tuple[str, Mapping[str, Any]]] = [("ours", ours)]
    rows += [(NULL_NAMES.get(row["name"], row["name"]).format(runs=row["runs"]), row) for row in nulls["models"]]
    for name, row in rows:
        yield name, units.si(row["transport"], "J" if nulls["unit"] == "J" else ""), row
