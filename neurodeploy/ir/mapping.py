"""`Mapping`: which device runs each operation and why, and which core holds each shard."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass, field

from neurodeploy.ir.affinity import Affinity
from neurodeploy.ir.chip import Origin
from neurodeploy.ir.fixedpoint import Ints


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows ``rows[0]:rows[1]`` and columns ``cols[0]:cols[1]`` of an island on core `core` of chip `chip`.

    `kind` is "synapses" (the neurons of these rows live here unless the columns are split, then it sends partial sums) or
    "reducer" (adds the partial sums of its rows and holds their neurons; its `cols` are (0, number of column blocks)).
    `group` names what was kept together: a head, an expert, a projection.
    """

    island: str
    kind: str
    rows: tuple[int, int]
    cols: tuple[int, int]
    chip: int
    core: int
    group: str = ""

    @property
    def row_count(self) -> int:
        return self.rows[1] - self.rows[0]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an operation is not on the chip: a stable rule name, the text, and what would put it there."""

    rule: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """An operation and its device ("chip" or "host"); `bytes_per_token` cross the host border because of it."""

    path: str
    op: str
    device: str
    reason: Reason
    bytes_per_token: int


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """A complete plan for one system. `lower_bound` is the least number of cores any mapper could use.

    orders : of a population whose neurons do not lie on cores in index order: int64 (size,), the neuron at each row. Rows
        of its shards, and columns of the projections that it sends, count in that order (`ir.arrange.arranged`).
    objective, seed : what was asked of the mapper.
    notes : what a reader must know of how it came about: a library that is missing, a search that was cut short.
    affinity : of the experts on the text that the mapping was made for.
    origin : the user's file that the system is of; None of a system that we know.
    """

    system: str
    chips_available: int
    cores_per_chip: int
    shards: tuple[Shard, ...]
    assignments: tuple[Assignment, ...]
    lower_bound: int
    binding_resource: str
    unknown_limits: tuple[str, ...]
    orders: Table[str, Ints] = field(default_factory=dict)
    objective: str = "cores"
    seed: int = 0
    notes: tuple[str, ...] = ()
    affinity: Affinity | None = None
    origin: Origin | None = None

    @property
    def chips_used(self) -> int:
        return len({shard.chip for shard in self.shards})

    @property
    def cores_used(self) -> int:
        return len({(shard.chip, shard.core) for shard in self.shards})

    def by_island(self) -> dict[str, list[Shard]]:
        found: dict[str, list[Shard]] = {}
        for shard in self.shards:
            found.setdefault(shard.island, []).append(shard)
        return found
