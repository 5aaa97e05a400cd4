"""`finish`: from tiles to chips and cores: pack, cut over chips, place. The tail that programs and networks share.

Each stage is a function of its own file: `pack.cores.pack`, `chips.divide.divide`, `place`. Here they are called in
a row, with the time that they share, the pins of the user and the files of finished stages.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from neurodeploy.flow.nets import Nets
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.storage.stage_files import Result, StageFiles, digest
from partitioner.bound.packing import lower_bound
from partitioner.chips import hypergraph
from partitioner.chips.divide import Task, divide, filled
from partitioner.chips.pins import chips_needed, pinned_chips
from partitioner.cost.budget import Limits
from partitioner.cut.stamp import Tile
from partitioner.options import Options
from partitioner.pack.cores import Packing, pack, spread
from partitioner.place.system import Search, place_chips, place_cores_of_chips, split_traffic

#: Parts of `Options.time_limit` after which packing and the division over chips have ended.
PACK_UNTIL, CHIPS_UNTIL = 0.25, 0.65
#: For the objective "cores" packings are compared by their messages where there are at most so many tiles.
COMPARED = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where every tile goes.

    chip, core : (tiles,) int64. chips, cores : how many it takes. notes : what a reader must know of how it came about.
    bound : no packing of these tiles takes fewer cores. torn : chips that kept groups touch beyond the least. cut : messages
    between chips, but for the host's to the first chip of each. strategy, division : which packing and which division won.
    None and "" where tiles were packed and not divided, since the system is too small.
    """

    chip: Ints
    core: Ints
    chips: int
    cores: int
    notes: tuple[str, ...]
    bound: int
    torn: int | None
    cut: int | None
    strategy: str
    division: str


def finish(
    tiles: Sequence[Tile],
    nets_of: Callable[[Ints], Nets],
    limits: Limits,
    system: SystemSpec,
    available: int,
    options: Options,
    *,
    compatible: Sequence[str] = (),
    affinity: Sequence[tuple[str, str, int]] = (),
    work: Path | None = None,
) -> Places:
    """Chip and core of every tile.

    Parameters
    ----------
    tiles : in the order of the model; those of a group whose name is not that of their island should share a chip, and do
        where that costs no chip.
    nets_of : (tiles,) core of each tile -> the messages between these cores.
    limits : of a core, as `Options.caps` and `Options.max_rows` lower them.
    available : chips of the system that may be used. `Places.chips` may exceed it: then chips and cores are in filling
        order, and the caller says what would help.
    compatible : (tiles,) tiles with different words never share a core; empty: any may.
    affinity : (group, group, messages) that sharing a chip would save, beside those of the nets.
    work : a folder for the results of finished stages; a later call with equal inputs takes them from there.

    Raises
    ------
    DoesNotFit ND2020 : more is pinned to a chip than it holds.
    UserError ND2021 : a pin names a chip that may not be used, or nothing that is placed.
    UserError ND2022 : the folder `work` cannot be written.
    """
    if not tiles:
        none = np.zeros(0, np.int64)
        return Places(none, none, 0, 0, (), 0, 0, 0, "", "")
    run = _Run(tiles, nets_of, limits, system, available, options, work)
    run.pack(compatible)
    if run.needed > available:
        return run.unplaced()
    run.divide(affinity)
    return run.place()


@dataclass(eq=False)
class _Run:
    """One call of `finish`: what the stages hand on."""

    tiles: Sequence[Tile]
    nets_of: Callable[[Ints], Nets]
    limits: Limits
    system: SystemSpec
    available: int
    options: Options
    work: Path | None

    def __post_init__(self) -> None:
        self.begun = time.monotonic()
        self.files = StageFiles(self.work)
        self.demand = np.array([tile.demand for tile in self.tiles], np.int64)
        kept = dict.fromkeys(tile.group for tile in self.tiles if tile.group not in ("", tile.island))
        self.names = {name: index for index, name in enumerate(kept)}
        self.group = np.array([self.names.get(tile.group, -1) + 1 for tile in self.tiles], np.int64)
        self.notes: list[str] = []
        self.pinned = pinned_chips(self.tiles, self.options, self.available)
        self.inputs = digest(*self._words()) if self.work is not None else ""

    def _words(self) -> list[str]:
        options = json.dumps(asdict(self.options), sort_keys=True, default=str)
        chip = self.system.chip
        return [
            json.dumps([list(tile) for tile in self.tiles]),
            json.dumps(
                [self.limits, self.available, self.system.name, self.system.grid, chip.name, chip.cores, chip.mesh]
            ),
            repr(sorted((name, cost.nominal) for name, cost in chip.costs.items())),
            options,
            f"numpy {np.__version__} mtkahypar {hypergraph.version()}",
        ]

    def _deadline(self, part: float) -> float | None:
        limit = self.options.time_limit
        return None if limit is None else self.begun + part * limit

    def pack(self, compatible: Sequence[str]) -> None:
        alike = np.unique(compatible or [""] * len(self.tiles), return_inverse=True)[1].reshape(-1).astype(np.int64)
        keys = alike * (self.available + 1) + self.pinned + 1

        def compute() -> Result:
            best, notes = self._packed(keys)
            bound = lower_bound(self.demand, self.limits, alike)
            facts = {"cores": best.cores, "strategy": best.strategy, "bound": bound, "notes": list(notes)}
            return best.core, facts

        self.core_of_tile, self.packing = self.files.run("pack", lambda: digest(self.inputs, keys), compute)
        self.notes += self.packing["notes"]
        self.cores = int(self.packing["cores"])
        self.pinned_core = self._pinned_cores(self.core_of_tile, self.cores)
        self.needed = self._needed(self.cores, self.pinned_core)

    def _packed(self, keys: Ints) -> tuple[Packing, tuple[str, ...]]:
        """Fewest chips, then fewest cores that tie groups to one another, then cores and messages, or messages and cores if
        the objective is not "cores"."""
        until, size = self._deadline(PACK_UNTIL), self.system.chip.cores
        found, notes = pack(self.demand, self.limits, keys, size, until, groups=self.group)
        chips = [self._needed(p.cores, self._pinned_cores(p.core, p.cores)) for p in found]
        tied = [self._tied(packing) for packing in found]
        first = min(zip(chips, tied, strict=True))
        equal = [k for k in range(len(found)) if (chips[k], tied[k]) == first]
        if self.options.objective == "cores":
            fewest = min(found[k].cores for k in equal)
            equal = [k for k in equal if found[k].cores == fewest]
        compared = len(self.tiles) <= COMPARED or self.options.objective != "cores"
        compared = compared and len(equal) > 1 and first[0] <= self.available
        order = [(self._messages(found[k]) if compared else 0, found[k].cores, k) for k in equal]
        best = found[min(order)[-1]]
        if self.options.spread:
            free = first[0] * size - best.cores
            best = spread(best, self.demand, self.limits, free)
        return best, notes

    def _tied(self, packing: Packing) -> int:
        """Groups that share a core with another, once for each such core."""
        own = np.flatnonzero(self.group)
        pairs = np.unique(packing.core[own] * (len(self.tiles) + 1) + self.group[own])
        return len(pairs) - len(np.unique(pairs // (len(self.tiles) + 1)))

    def _messages(self, packing: Packing) -> int:
        """Deliveries to cores, and messages between chips where these are filled in order."""
        nets = self.nets_of(packing.core)
        chips = np.arange(packing.cores) // self.system.chip.cores
        return int((nets.weight * np.diff(nets.indptr)).sum()) + hypergraph.of_nets(nets).cut(chips)

    def _pinned_cores(self, core_of_tile: Ints, cores: int) -> Ints:
        pinned = np.full(cores, -1, np.int64)
        pinned[core_of_tile] = self.pinned
        return pinned

    def _needed(self, cores: int, pinned: Ints) -> int:
        return chips_needed(cores, pinned, self.system.chip, self.options)

    def unplaced(self) -> Places:
        """Filling order, for a system that is too small."""
        chip, core = np.divmod(self.core_of_tile, self.system.chip.cores)
        bound, strategy = int(self.packing["bound"]), str(self.packing["strategy"])
        return Places(chip, core, self.needed, self.cores, tuple(self.notes), bound, None, None, strategy, "")

    @cached_property
    def nets(self) -> Nets:
        return self.nets_of(self.core_of_tile)

    def divide(self, affinity: Sequence[tuple[str, str, int]]) -> None:
        nets = self.nets
        flow = digest(self.inputs, self.core_of_tile, nets.source, nets.indptr, nets.pins, nets.weight)
        flow = digest(flow, json.dumps([list(entry) for entry in affinity]))
        named = np.unique(self.pinned_core[self.pinned_core >= 0])
        self.bins = np.full(self.needed, -1, np.int64)
        self.bins[: len(named)] = named

        def compute() -> Result:
            task = self._task(named, affinity)
            notes: tuple[str, ...] = ()
            if self.options.place:
                thorough = self.options.objective == "traffic"
                found, notes = divide(task, self.options.seed, self._deadline(CHIPS_UNTIL), thorough=thorough)
            else:
                found = filled(task)
            part = _by_first_core(found.chip, len(named))
            return part, {"torn": found.torn, "cut": found.cut, "name": found.name, "notes": list(notes)}

        self.part, self.division = self.files.run("chips", lambda: flow, compute)
        self.notes += self.division["notes"]

    def _task(self, named: Ints, affinity: Sequence[tuple[str, str, int]]) -> Task:
        names = self.names
        together = [(names[a], names[b], w) for a, b, w in affinity if a in names and b in names and a != b and w > 0]
        slot = np.full(self.available + 1, -1, np.int64)
        slot[named] = np.arange(len(named))
        return Task(
            hypergraph.of_nets(self.nets),
            tuple(self._cores_of_groups()),
            np.full(self.needed, self.system.chip.cores, np.int64),
            slot[self.pinned_core],
            tuple(together),
        )

    def _cores_of_groups(self) -> list[Ints]:
        by = np.argsort(self.group, kind="stable")
        ends = np.searchsorted(self.group[by], np.arange(1, len(self.names) + 2))
        return [np.unique(self.core_of_tile[by[a:b]]) for a, b in pairwise(ends)]

    def place(self) -> Places:
        nets, chips = self.nets, len(self.bins)

        def compute() -> Result:
            traffic = split_traffic(nets, self.part, chips)
            search = Search(self.options.place, self.options.seed, self._deadline(1.0), self.options.objective)
            number = place_chips(traffic, self.bins, self.system, self.available, search)
            core = place_cores_of_chips(traffic, self.part, chips, self.system.chip, self.options.objective, search)
            notes = [f"placement was cut short on {search.late} meshes"] if search.late else []
            return np.stack((number[self.part], core)), {"notes": notes}

        where = digest(self.inputs, self.part, nets.source, nets.indptr, nets.pins, nets.weight)
        (chip, core), facts = self.files.run("place", lambda: where, compute)
        return Places(
            chip[self.core_of_tile],
            core[self.core_of_tile],
            len(np.unique(chip)),
            self.cores,
            (*self.files.notes, *self.notes, *facts["notes"]),
            int(self.packing["bound"]),
            int(self.division["torn"]),
            int(self.division["cut"]),
            str(self.packing["strategy"]),
            str(self.division["name"]),
        )


def _by_first_core(part: Ints, named: int) -> Ints:
    """Parts numbered by their first core; the first `named`, which stand for chips of the system, keep their numbers."""
    used, first = np.unique(part, return_index=True)
    number = np.arange(int(part.max()) + 1)
    free = used >= named
    number[used[free][np.argsort(first[free], kind="stable")]] = named + np.arange(int(free.sum()))
    return np.asarray(number[part])
