"""Executes a mapping: every shard on its own core, partial sums to reducers, and what each core did counted there.

The arithmetic is that of `reference`; only the order of additions differs, and integer addition does not care. So the
outputs equal those of the unmapped island bit for bit, and the counts, taken shard by shard, must equal what
`accounting.islands` derives from the counts of the whole island.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping as Table

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.flow.words import island_words
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.program import Island
from neurodeploy.ir.result import IslandActivity, ShardCounts
from neurodeploy.neurons.graded_affine import integer_step
from simulators.reference import accumulate, check_payload


class PartitionedRunner:
    """`IslandRunner` over the shards of a mapping, on cores of `chip`. `shard_counts` grows with every call.

    A value that leaves a core is as many messages as `flow.words` says, and each of them is an event where it arrives.

    An island whose shards do not cover every row and column exactly once is ND9007: the mapper's verifier reports that
    before anything runs.
    """

    name = "partitioned"

    def __init__(self, mapping: Mapping, chip: ChipSpec) -> None:
        self._shards, self._chip = mapping.by_island(), chip
        self.shard_counts: dict[Shard, ShardCounts] = defaultdict(lambda: ShardCounts(0, 0, 0, 0))

    def run_island(self, island: Island, payload: NDArray[np.int16]) -> tuple[NDArray[np.int32], IslandActivity]:
        check_payload(island, payload)
        shards = self._shards.get(island.name, [])
        tokens = payload.shape[0]
        sums: Ints = np.zeros((tokens, island.rows), np.int64)
        cover = np.zeros((island.rows, island.columns), np.int8)
        for shard in shards:
            if shard.kind == "synapses":
                rows, columns = slice(*shard.rows), slice(*shard.cols)
                sums[:, rows] += accumulate(island.synapses, payload, rows, columns)
                cover[rows, columns] += 1
        if not (cover == 1).all():
            raise InternalError("ND9007", island.name, "its shards do not cover every synapse exactly once")
        out = np.empty((tokens, island.rows), np.int32)
        lost_state = lost_out = 0
        for shard in _homes(island, shards):
            rows = slice(*shard.rows)
            out[:, rows], state, output = integer_step(island.neurons, sums[:, rows], rows)
            lost_state, lost_out = lost_state + state, lost_out + output
        events = np.count_nonzero(payload, axis=0).astype(np.int64)
        messages = np.count_nonzero(out, axis=0).astype(np.int64)
        self._count(island, shards, tokens, events, messages)
        return out, IslandActivity(tokens, events, messages, 0, lost_state, lost_out)

    def _count(
        self, island: Island, shards: list[Shard], tokens: int, events: NDArray[np.int64], messages: NDArray[np.int64]
    ) -> None:
        words = island_words(island, shards, self._chip)
        for shard in shards:
            old = self.shard_counts[shard]
            if shard.kind == "reducer":
                arrived = tokens * shard.row_count * words.received
                sent = int(messages[slice(*shard.rows)].sum()) * words.sent(shard)
                new = (arrived, arrived, tokens * shard.row_count, sent)
            else:
                fired = int(events[slice(*shard.cols)].sum())
                partial = shard.col_count < island.columns
                values = tokens * shard.row_count if partial else int(messages[slice(*shard.rows)].sum())
                sent = values * words.sent(shard)
                new = (fired, fired * shard.row_count, tokens * shard.row_count, sent)
            self.shard_counts[shard] = ShardCounts(
                old.events + new[0], old.synops + new[1], old.neuron_updates + new[2], old.messages_out + new[3]
            )


def _homes(island: Island, shards: list[Shard]) -> list[Shard]:
    """The shards that hold the neurons: reducers where columns are split, synapse shards elsewhere."""
    reducers = [shard for shard in shards if shard.kind == "reducer"]
    reduced: set[tuple[int, int]] = {shard.rows for shard in reducers}
    whole = [s for s in shards if s.kind == "synapses" and s.cols == (0, island.columns)]
    homes = reducers + [s for s in whole if s.rows not in reduced]
    if sum(shard.row_count for shard in homes) != island.rows:
        raise InternalError("ND9007", island.name, "its neurons do not live on exactly one core each")
    return homes


def by_core(counts: Table[Shard, ShardCounts]) -> dict[tuple[int, int], ShardCounts]:
    """Counts summed over the shards of each (chip, core)."""
    cores: dict[tuple[int, int], list[ShardCounts]] = defaultdict(list)
    for shard, count in counts.items():
        cores[shard.chip, shard.core].append(count)
    return {
        core: ShardCounts(
            sum(c.events for c in found), sum(c.synops for c in found),
            sum(c.neuron_updates for c in found), sum(c.messages_out for c in found),
        )
        for core, found in sorted(cores.items())
    }  # fmt: skip
