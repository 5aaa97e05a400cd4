"""All metrics of one mapping in a plain dictionary: the section "metrics" of ``map --json`` and of the reports.

Islands are judged at full activity: one event for each column and one message for each row, an expert by the share of the
tokens that it sees. Networks at the rates that are given (a run that was counted), or with every neuron sending in every
step. Its keys, all counts a token or a time step:

    cores        used, lower bound, ratio; by layer too          km1, cut     messages that leave a core, a chip
    hops         unicast and multicast, E-W and N-S              links        largest and p99 load, its lower bound
    interchip    packets, busiest link, bandwidth                makespan     busiest core and link, barrier, step
    energy       left to SANA-FE                                 mapper       objective, seed, notes, time, memory
    fallback     crossings of the host border                    bounds, nulls  what placement could and naive ones do
"""

from __future__ import annotations

from typing import Any

from neurodeploy.flow.nets import Nets
from neurodeploy.flow.streams import Sent, Streams
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program
from partitioner.classify import crossings
from partitioner.cost.population import views_of
from partitioner.judge.figures import (
    NOT_PRICED,
    Places,
    core_loads,
    fallback,
    layers_of,
    makespan,
    places_of,
    traffic_metrics,
)
from partitioner.judge.nulls import null_models
from partitioner.nets.streams import streams_of
from partitioner.nets.tiles import nets_of_tiles

#: What a crossing of the border is, by what is judged.
CROSSINGS = {
    "token": "in and out for each call of an island on the chips: two crossings, one exchange; the bytes that they carry",
    "time step": "in and out, where host and chips exchange every step; the energy of a sample has one exchange in all",
}


def metrics(
    mapping: Mapping,
    program: Program,
    system: SystemSpec,
    *,
    weight_bits: int | None = None,
    sent: Sent | None = None,
    per: int = 1,
    nulls: bool = True,
    traffic: tuple[Places, Nets, Streams] | None = None,
) -> dict[str, Any]:
    """The metrics of a mapping, a token or a time step; `sent` and `per` as in `nets.streams.streams_of`.

    traffic : of `traffic_of`, where it is known.
    """
    places, nets, streams = traffic or traffic_of(mapping, program, system, sent, per)
    views = views_of(program, system.chip, weight_bits, mapping.orders)
    unit, rates = ("time step", "every neuron sends") if program.streamed else ("token", "full activity")
    links, least = traffic_metrics(nets, places, system), mapping.lower_bound
    return {
        "unit": unit,
        "rates": rates if sent is None else "as counted in a run",
        "cores": {
            "used": mapping.cores_used,
            "lower_bound": least,
            "ratio": mapping.cores_used / least if least else None,
            "by_layer": layers_of(mapping, views, system.chip),
        },
        **links,
        "makespan": makespan(core_loads(streams, places), nets, places, system, links),
        "energy": {"sana_fe_j": None, "note": NOT_PRICED},
        "mapper": {
            "objective": mapping.objective, "seed": mapping.seed, "notes": [*mapping.notes, *streams.notes],
            "seconds": None, "cpu_seconds": None, "peak_bytes": None,
        },
        "fallback": fallback(mapping, crossings(program, mapping.assignments), CROSSINGS[unit]),
        "nulls": null_models(nets, places, system, mapping.seed) if nulls else None,
    }  # fmt: skip


def traffic_of(
    mapping: Mapping, program: Program, system: SystemSpec, sent: Sent | None = None, per: int = 1
) -> tuple[Places, Nets, Streams]:
    """Logical cores of a mapping, the nets between them, and the messages that these count."""
    places = places_of(mapping)
    streams = streams_of(program, mapping.shards, system.chip, orders=mapping.orders, sent=sent, per=per)
    return places, nets_of_tiles(streams)(places.of_shard), streams
