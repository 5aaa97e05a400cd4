"""What a run leaves behind: exact integers only. Energy and time are made from these later.

No count has a default: what is forgotten must be an error, never a silent 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.program import Island


@dataclass(slots=True, eq=False)
class IslandActivity:
    """Counts of one island over all tokens that it ran. Exact, and enough for any split of it.

    tokens : tokens (T = 1 steps) in which the island was called with at least one row of input
    events : (columns,) non-zero payloads by axon
    messages_out : (rows,) non-zero outputs by neuron
    saturated_in, saturated_state, saturated_out : values clipped in the encoder, the state, the output payload
    """

    tokens: int
    events: NDArray[np.int64]
    messages_out: NDArray[np.int64]
    saturated_in: int
    saturated_state: int
    saturated_out: int

    @classmethod
    def zero(cls, island: Island) -> IslandActivity:
        return cls(0, np.zeros(island.columns, np.int64), np.zeros(island.rows, np.int64), 0, 0, 0)

    def add(self, other: IslandActivity) -> None:
        self.tokens += other.tokens
        self.events += other.events
        self.messages_out += other.messages_out
        self.saturated_in += other.saturated_in
        self.saturated_state += other.saturated_state
        self.saturated_out += other.saturated_out

    @property
    def saturations(self) -> int:
        return self.saturated_in + self.saturated_state + self.saturated_out


@dataclass(slots=True, eq=False)
class HostIsland:
    """An island that the host computed, with the same integers: what it saw, and what that took of the host.

    activity : as if it had run on the chip; none of it is an event of a chip
    calls : calls with at least one token; each reads all weights once
    flops, bytes : work of these calls (`ops.host.linear.island_work`)
    """

    activity: IslandActivity
    calls: int
    flops: int
    bytes: int

    def add(self, other: HostIsland) -> None:
        self.activity.add(other.activity)
        self.calls += other.calls
        self.flops += other.flops
        self.bytes += other.bytes


@dataclass(slots=True, eq=False)
class ActivityCounts:
    """Counts by island, and the work that the host did between them.

    `islands` ran on the chip, `host_islands` on the host; their work is not in `host_flops` and `host_bytes`, which are
    those of the host's own operations.
    """

    islands: dict[str, IslandActivity]
    tokens: int
    host_flops: int
    host_bytes: int
    host_islands: dict[str, HostIsland]

    @classmethod
    def zero(cls) -> ActivityCounts:
        return cls({}, 0, 0, 0, {})

    def add_island(self, name: str, activity: IslandActivity) -> None:
        """Counts of one more call of an island on the chip."""
        if name in self.islands:
            self.islands[name].add(activity)
        else:
            self.islands[name] = activity

    def add_host_island(self, name: str, work: HostIsland) -> None:
        """Counts of one more call of an island on the host."""
        if name in self.host_islands:
            self.host_islands[name].add(work)
        else:
            self.host_islands[name] = work

    def add(self, other: ActivityCounts) -> None:
        for name, activity in other.islands.items():
            self.add_island(name, activity)
        for name, work in other.host_islands.items():
            self.add_host_island(name, work)
        self.tokens += other.tokens
        self.host_flops += other.host_flops
        self.host_bytes += other.host_bytes

    def everywhere(self) -> dict[str, IslandActivity]:
        """The activity of every island that was called, whichever device computed it."""
        return self.islands | {name: work.activity for name, work in self.host_islands.items()}

    @property
    def saturations(self) -> int:
        return sum(activity.saturations for activity in self.everywhere().values())


@dataclass(frozen=True, slots=True)
class ShardCounts:
    """What one core did, derived from `ActivityCounts` and a mapping, or counted directly by a partitioned run."""

    events: int
    synops: int
    neuron_updates: int
    messages_out: int


class IslandRunner(Protocol):
    """Runs one island on integer payloads: the same bits whoever implements it."""

    name: str

    def run_island(self, island: Island, payload: NDArray[np.int16]) -> tuple[NDArray[np.int32], IslandActivity]:
        """`payload` (tokens, columns) int16 -> (tokens, rows) int32 and the counts of this call."""
        ...
