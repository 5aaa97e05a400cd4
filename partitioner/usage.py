"""What a shard costs of each budget: the only place where the mapper computes bytes. `verify.py` does not import it.

A synapse shard of r rows and c columns owns one list of targets for each of its c source axons. A list is a header and
the r weights of that axon, packed to whole bytes. With formats h = synapse_row_header_bytes, s = neuron_state_bytes,
a = axon_entry_bytes and b bits a weight::

    neurons       = r
    synapse_bytes = c * (h + ceil(r * b / 8))
    in_axons      = c
    out_axons     = r * messages          one destination: the host border, or the reducer of the row
    state_bytes   = s * r + a * (in_axons + out_axons)

`messages` is the number of messages that carry one value of a neuron (`flow.words`): 1 or 2 for a partial sum. A
reducer of r rows receives p messages a row (the words of all column blocks together), each over an axon of its own with
one weight: in_axons = r * p, synapse_bytes = r * p * (h + ceil(b / 8)). Several shards on a core add up: nothing is
shared between them, so that the count never understates.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from neurodeploy.flow.words import Words, island_words
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard, Usage
from neurodeploy.ir.program import Island, Program

#: The budgets of a core in the order of a `Demand`.
RESOURCES = ("neurons", "synapse_bytes", "in_axons", "out_axons", "state_bytes")
#: A partial sum travels in at most this many messages.
MAX_WORDS = 2

Demand = tuple[int, int, int, int, int]
Limits = tuple[int | None, ...]
Core = tuple[int, int]


@dataclass(frozen=True)
class Cost:
    """The formats of a chip at `bits` bits a weight, and the demands that follow from them."""

    chip: ChipSpec
    bits: int

    @cached_property
    def formats(self) -> tuple[int, int, int]:
        """Bytes of a list header, of a neuron's state and of an axon entry."""
        formats = self.chip.formats
        return formats["synapse_row_header_bytes"], formats["neuron_state_bytes"], formats["axon_entry_bytes"]

    def synapses(self, rows: int, columns: int, messages: int) -> Demand:
        header, state, axon = self.formats
        sent = rows * messages
        lists = columns * (header + -(-rows * self.bits // 8))
        return rows, lists, columns, sent, state * rows + axon * (columns + sent)

    def reducer(self, rows: int, received: int, messages: int) -> Demand:
        header, state, axon = self.formats
        sent, axons = rows * messages, rows * received
        return rows, axons * (header + -(-self.bits // 8)), axons, sent, state * rows + axon * (axons + sent)


def island_bits(island: Island, weight_bits: int | None) -> int:
    """Bits a weight that are planned for: the island's own, unless the caller asks what another width would do."""
    return island.synapses.weight_bits if weight_bits is None else weight_bits


def shard_demand(shard: Shard, words: Words, cost: Cost) -> Demand:
    """`words` of the island that it is of (`flow.words.island_words`)."""
    if shard.kind == "reducer":
        return cost.reducer(shard.row_count, words.received, words.output)
    return cost.synapses(shard.row_count, shard.col_count, words.sent(shard))


def core_demands(
    mapping: Mapping, program: Program, system: SystemSpec, *, weight_bits: int | None = None
) -> dict[Core, Demand]:
    """The demand of every core that holds a shard, by (chip, core), in order."""
    found: dict[Core, Demand] = {}
    costs: dict[int, Cost] = {}
    for name, shards in mapping.by_island().items():
        island = program.islands[name]
        bits = island_bits(island, weight_bits)
        cost = costs.setdefault(bits, Cost(system.chip, bits))
        words = island_words(island, shards, system.chip)
        for shard in shards:
            key = (shard.chip, shard.core)
            found[key] = add(found.get(key, (0, 0, 0, 0, 0)), shard_demand(shard, words, cost))
    return dict(sorted(found.items()))


def core_usage(
    mapping: Mapping, program: Program, system: SystemSpec, *, weight_bits: int | None = None
) -> dict[Core, tuple[Usage, ...]]:
    """`core_demands` beside the limits of the chip."""
    limits = system.chip.budget.limits()
    return {
        key: tuple(Usage(name, used, limits[name].value) for name, used in zip(RESOURCES, demand, strict=True))
        for key, demand in core_demands(mapping, program, system, weight_bits=weight_bits).items()
    }


def core_limits(
    chip: ChipSpec, max_rows: int | None = None, caps: Table[str, int] = MappingProxyType({})
) -> tuple[int | None, ...]:
    """The limits in the order of `RESOURCES`. `max_rows` lowers the number of neurons a core may take, `caps` a limit to
    that many per cent of it; a cap on a limit that is unknown changes nothing."""
    limits: Table[str, int | None] = {name: limit.value for name, limit in chip.budget.limits().items()}
    values = [None if (v := limits[name]) is None else v * caps.get(name, 100) // 100 for name in RESOURCES]
    if max_rows is not None:
        values[0] = max_rows if values[0] is None else min(values[0], max_rows)
    return tuple(values)


def add(a: Demand, b: Demand) -> Demand:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4]


def times(demand: Demand, count: int) -> Demand:
    a, b, c, d, e = demand
    return a * count, b * count, c * count, d * count, e * count


def fits(demand: Demand, limits: tuple[int | None, ...]) -> bool:
    return all(limit is None or used <= limit for used, limit in zip(demand, limits, strict=True))


def most_rows(demand: Callable[[int], Demand], most: int, limits: Limits) -> int:
    """The largest n in 0..most whose demand fits; demands grow with n."""
    return bisect_right(range(1, most + 1), False, key=lambda n: not fits(demand(n), limits))
