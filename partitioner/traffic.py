"""Messages a token at full activity: over the host border, between the cores of a chip, between chips.

In this strategy the host encodes the input of every island. One message for each column (each event, at most) crosses
the border to the first chip that needs it, is passed on to every further chip that needs it, and is delivered once to
every core that holds its column. One message for each row returns to the host. Partial sums go from the core that made
them to the core of the row's reducer, unless that is the same core. An expert counts for the fraction of tokens that it
is expected to see. Where on the board the host's port is, and hops on the mesh, are not modelled here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields

from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.program import Island, Program

from .classify import activity_of
from .usage import Cost, block_words, island_bits


@dataclass(frozen=True, slots=True)
class Traffic:
    """Expected messages for one token, each of `message_bytes` bytes."""

    message_bytes: int
    host_in: float = 0.0
    host_out: float = 0.0
    events_to_cores: float = 0.0
    events_between_chips: float = 0.0
    partials_between_cores: float = 0.0
    partials_between_chips: float = 0.0

    def to_json(self) -> dict[str, dict[str, float]]:
        """``{kind: {"messages": messages a token, "bytes": bytes a token}}``"""
        kinds = [entry.name for entry in fields(self) if entry.name != "message_bytes"]
        counts = {kind: float(getattr(self, kind)) for kind in kinds}
        return {kind: {"messages": n, "bytes": n * self.message_bytes} for kind, n in counts.items()}


def traffic(mapping: Mapping, program: Program, system: SystemSpec) -> Traffic:
    """Sum over all islands."""
    total: dict[str, float] = defaultdict(float)
    activity = activity_of(program)
    for name, shards in mapping.by_island().items():
        island, share = program.islands[name], float(activity[name])
        cost = Cost(system.chip, island_bits(island, None))
        total["host_in"] += share * island.columns
        total["host_out"] += share * island.rows * cost.words(island.neurons.out_bits)
        for kind, count in [*_events(shards), *_partials(island, shards, cost)]:
            total[kind] += share * count
    return Traffic(system.chip.formats["message_bytes"], **total)


def _events(shards: list[Shard]) -> Iterator[tuple[str, int]]:
    cores: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
    for shard in shards:
        if shard.kind == "synapses":
            cores[shard.cols].add((shard.chip, shard.core))
    for (start, stop), places in cores.items():
        yield "events_to_cores", (stop - start) * len(places)
        yield "events_between_chips", (stop - start) * (len({chip for chip, _ in places}) - 1)


def _partials(island: Island, shards: list[Shard], cost: Cost) -> Iterator[tuple[str, int]]:
    words = block_words(island, shards, cost)
    reducers = [shard for shard in shards if shard.kind == "reducer"]
    for shard in shards if words else ():
        for target in reducers if shard.kind == "synapses" and shard.cols in words else ():
            rows = min(shard.rows[1], target.rows[1]) - max(shard.rows[0], target.rows[0])
            if rows > 0 and shard.chip != target.chip:
                yield "partials_between_chips", rows * words[shard.cols]
            elif rows > 0 and shard.core != target.core:
                yield "partials_between_cores", rows * words[shard.cols]
