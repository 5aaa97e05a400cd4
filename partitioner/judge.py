"""All metrics of one mapping in a plain dictionary: the section "metrics" of ``map --json`` and of the reports.

Programs are judged at full activity: one event for each column of an island and one message for each row, an expert by
the share of the tokens that it sees. Networks at the rates that are given (a run that was counted), or with every neuron
sending in every step. Its keys, all counts a token or a time step:

    cores        used, lower bound, ratio; by layer too          km1, cut     messages that leave a core, a chip
    hops         unicast and multicast, E-W and N-S              links        largest and p99 load, its lower bound
    interchip    packets, busiest link, bandwidth                makespan     busiest core and link, barrier, step
    energy       left to SANA-FE                                 mapper       objective, seed, notes, time, memory
    fallback     crossings of the host border                    bounds, nulls  what placement could and naive ones do
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neurodeploy.flow.nets import Nets
from neurodeploy.flow.words import island_words
from neurodeploy.ir.arrange import arranged, counts_there
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import INPUT, Network, Population
from neurodeploy.ir.program import Program

from . import bounds, network_mapper, network_nets, program_nets
from .classify import activity_of, crossings
from .metrics import NOT_PRICED, Places, Work, fallback, layers_of, makespan, places_of, traffic_metrics
from .network_nets import Sent
from .network_work import network_work
from .nulls import null_models
from .population import views_of

#: What a crossing of the border is, by what is judged.
CROSSINGS = {
    "token": "in and out for each call of an island on the chips: two crossings, one exchange; the bytes that they carry",
    "time step": "in and out, where host and chips exchange every step; the energy of a sample has one exchange in all",
}


def program_metrics(
    mapping: Mapping,
    program: Program,
    system: SystemSpec,
    *,
    weight_bits: int | None = None,
    nulls: bool = True,
    traffic: tuple[Places, Nets] | None = None,
) -> dict[str, Any]:
    """The metrics of a language model's mapping, a token. `traffic`: of `program_traffic_of`, where it is known."""
    places, nets = traffic or program_traffic_of(mapping, program, system)

    views = views_of(program, system.chip, weight_bits)

    def bound(name: str) -> tuple[int, str]:
        return bounds.lower_bound((v for v in views.values() if v.name in resident and v.layer == name), system.chip)

    resident = set(mapping.by_island())
    work = program_work(mapping, program, system, places, nets.per, weight_bits)
    layers, border = layers_of(mapping, lambda name: views[name].layer, bound), crossings(program, mapping.assignments)
    return _all(mapping, system, places, nets, work, layers, "token", "full activity", border, nulls)


def program_traffic_of(mapping: Mapping, program: Program, system: SystemSpec) -> tuple[Places, Nets]:
    """Logical cores of a language model's mapping and the messages between them."""
    places = places_of(mapping)
    return places, program_nets.nets_of_tiles(program, mapping.shards, system)(places.of_shard)


def program_work(
    mapping: Mapping, program: Program, system: SystemSpec, places: Places, per: int, weight_bits: int | None = None
) -> Work:
    """What each core does for `per` tokens: every event drives its column's weights, every neuron is microcoded."""
    activity = activity_of(program)
    synops, microcoded = np.zeros(places.cores), np.zeros(places.cores)
    words: dict[str, int] = {}
    for name, shards in mapping.by_island().items():
        words[name] = island_words(program.islands[name], shards, system.chip).received
    for index, shard in enumerate(mapping.shards):
        island, core = program.islands[shard.island], places.of_shard[index]
        tokens = float(activity[shard.island] * per)
        each = words[shard.island] if shard.kind == "reducer" else shard.col_count
        synops[core] += tokens * shard.row_count * each
        if shard.kind == "reducer" or shard.cols == (0, island.columns):
            microcoded[core] += tokens * shard.row_count
    none = np.zeros(places.cores)
    return Work(synops, none, none, microcoded)


def network_metrics(
    mapping: Mapping,
    network: Network,
    system: SystemSpec,
    *,
    weight_bits: int | None = None,
    sent: Sent | None = None,
    per: int = 1,
    nulls: bool = True,
    traffic: tuple[Places, Nets, list[str]] | None = None,
) -> dict[str, Any]:
    """The metrics of a spiking network's mapping, a time step; `sent` and `per` as in `network_nets.nets_of_tiles`.

    `traffic`: of `network_traffic_of`, where it is known.
    """
    places, nets, notes = traffic or network_traffic_of(mapping, network, sent, per)

    def bound(name: str) -> tuple[int, str]:
        return network_mapper.lower_bound(alone(network, name), system.chip, weight_bits)

    work = network_work(network, mapping, places, sent, per)
    rates = "every neuron sends" if sent is None else "as counted in a run"
    layers = layers_of(mapping, lambda name: name, bound)
    border = float(any(p.model == INPUT for p in network.populations.values()) + bool(network.outputs))
    found = _all(mapping, system, places, nets, work, layers, "time step", rates, border, nulls)
    found["mapper"]["notes"] += notes
    return found


def network_traffic_of(
    mapping: Mapping, network: Network, sent: Sent | None = None, per: int = 1
) -> tuple[Places, Nets, list[str]]:
    """Logical cores of a network's mapping and the messages between them; what is a sample is said."""
    places = places_of(mapping)
    there = None if sent is None else counts_there(sent, mapping.orders)
    made = network_nets.nets_of_tiles(arranged(network, mapping.orders), mapping.shards, sent=there, per=per)
    return places, made(places.of_shard), list(made.notes)


def alone(network: Network, name: str) -> Network:
    """One population with the projections from and to it; all others are inputs, which take no core."""
    kept = tuple(p for p in network.projections if name in (p.source, p.target))
    beside = {end for p in kept for end in (p.source, p.target)} | {name}
    populations = {
        key: population if key == name else Population(key, population.shape, INPUT)
        for key, population in network.populations.items()
        if key in beside
    }
    outputs = tuple(key for key in network.outputs if key == name)
    return replace(network, populations=populations, projections=kept, outputs=outputs)


def _all(
    mapping: Mapping,
    system: SystemSpec,
    places: Places,
    nets: Nets,
    work: Work,
    layers: list[dict[str, Any]],
    unit: str,
    rates: str,
    crossings: float,
    nulls: bool,
) -> dict[str, Any]:
    traffic = traffic_metrics(nets, places, system)
    bound = mapping.lower_bound
    return {
        "unit": unit,
        "rates": rates,
        "cores": {
            "used": mapping.cores_used,
            "lower_bound": bound,
            "ratio": mapping.cores_used / bound if bound else None,
            "by_layer": layers,
        },
        **traffic,
        "makespan": makespan(work, nets, places, system, traffic),
        "energy": {"sana_fe_j": None, "note": NOT_PRICED},
        "mapper": {
            "objective": mapping.objective, "seed": mapping.seed, "notes": list(mapping.notes), "seconds": None,
            "cpu_seconds": None, "peak_bytes": None,
        },
        "fallback": fallback(mapping, crossings, CROSSINGS[unit]),
        "nulls": null_models(nets, places, system, mapping.seed) if nulls else None,
    }  # fmt: skip
