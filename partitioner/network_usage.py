"""What the shards and cores of a network's mapping cost, by the rules of `network_cost`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from neurodeploy.ir.arrange import arranged
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping, Shard, Usage
from neurodeploy.ir.network import Network

from .network_cost import (
    Range,
    destinations,
    format_of,
    home_demand,
    many_tiles,
    neuron_bytes,
    partial_demand,
    reducer_demand,
    segments,
    sends_of,
    width,
    words_of,
)
from .usage import RESOURCES, Core, Demand, add


def by_columns(shards: Iterable[Shard]) -> dict[Range, list[Shard]]:
    """Synapse shards by their columns, in row order."""
    found: dict[Range, list[Shard]] = {}
    for shard in sorted(shards, key=lambda s: (s.cols, s.rows)):
        if shard.kind == "synapses":
            found.setdefault(shard.cols, []).append(shard)
    return found


def row_ranges(shards: list[Shard]) -> Ints:
    return np.array([shard.rows for shard in shards], np.int64).reshape(-1, 2)


def reached_units(mapping: Mapping, network: Network) -> dict[str, Ints]:
    """Projection -> how many shards each unit of its columns reaches."""
    network = arranged(network, mapping.orders)
    placed, reached = mapping.by_island(), dict[str, Ints]()
    for name in network.populations:
        blocks = by_columns(placed.get(name, []))
        for part in segments(network, name):
            reached[part.projection.name] = np.zeros(part.units.count, np.int64)
            for columns, shards in blocks.items():
                reached[part.projection.name] += destinations(part, row_ranges(shards), columns)
    return reached


def shard_demands(
    mapping: Mapping, network: Network, chip: ChipSpec, weight_bits: int | None = None
) -> dict[Shard, Demand]:
    """What every shard costs."""
    network = arranged(network, mapping.orders)
    form, reached = format_of(chip, weight_bits), reached_units(mapping, network)
    found: dict[Shard, Demand] = {}
    for name, shards in mapping.by_island().items():
        parts, population = segments(network, name), network.populations[name]
        whole, neuron = (0, width(parts)), neuron_bytes(network, population)
        sends, blocks = sends_of(network, name, reached), by_columns(shards)
        for columns, members in blocks.items():
            rows = row_ranges(members)
            costs = [many_tiles(part, rows, columns, form) for part in parts]
            for index, shard in enumerate(members):
                stored, axons = sum(int(c[0][index]) for c in costs), sum(int(c[1][index]) for c in costs)
                found[shard] = (
                    home_demand(shard.row_count, stored, axons, sends.count(shard.rows), neuron, form)
                    if columns == whole
                    else partial_demand(shard.row_count, stored, axons, words_of(parts, columns), form)
                )
        words = sum(words_of(parts, columns) for columns in blocks)
        for shard in shards:
            if shard.kind == "reducer":
                found[shard] = reducer_demand(shard.row_count, words, sends.count(shard.rows), neuron, form)
    return found


def core_demands(
    mapping: Mapping, network: Network, system: SystemSpec, *, weight_bits: int | None = None
) -> dict[Core, Demand]:
    """The demand of every core that holds a shard, by (chip, core), in order."""
    found: dict[Core, Demand] = {}
    for shard, demand in shard_demands(mapping, network, system.chip, weight_bits).items():
        key = (shard.chip, shard.core)
        found[key] = add(found.get(key, (0, 0, 0, 0, 0)), demand)
    return dict(sorted(found.items()))


def core_usage(
    mapping: Mapping, network: Network, system: SystemSpec, *, weight_bits: int | None = None
) -> dict[Core, tuple[Usage, ...]]:
    """`core_demands` beside the limits of the chip."""
    limits = system.chip.budget.limits()
    return {
        key: tuple(Usage(name, used, limits[name].value) for name, used in zip(RESOURCES, demand, strict=True))
        for key, demand in core_demands(mapping, network, system, weight_bits=weight_bits).items()
    }
