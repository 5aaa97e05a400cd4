"""`finish`: from tiles to chips and cores: pack, cut over chips, place. The tail that programs and networks share.

Each stage is a function of its own file: `pack.cores.pack`, `chips.divide.divide`, `place`. Here they are called in
a row, with the time that they share, the pins of the user and the files of finished stages.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Table
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

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
    asked = _Asked(tiles, nets_of, limits, system, available, options, StageFiles(work))
    packed = _pack(asked, compatible)
    if packed.chips > available:
        chip, core = np.divmod(packed.core, system.chip.cores)
        bound, strategy = int(packed.facts["bound"]), str(packed.facts["strategy"])
        notes = tuple(packed.facts["notes"])
        return Places(chip, core, packed.chips, len(packed.pinned), notes, bound, None, None, strategy, "")
    nets = nets_of(packed.core)
    return _place(asked, packed, nets, *_divide(asked, packed, nets, affinity))


@dataclass(frozen=True, eq=False)
class _Asked:
    """One call of `finish`, and what its stages read of the tiles."""

    tiles: Sequence[Tile]
    nets_of: Callable[[Ints], Nets]
    limits: Limits
    system: SystemSpec
    available: int
    options: Options
    files: StageFiles
    begun: float = field(default_factory=time.monotonic)

    @cached_property
    def demand(self) -> Ints:
        return np.array([tile.demand for tile in self.tiles], np.int64)

    @cached_property
    def names(self) -> dict[str, int]:
        """The groups that are kept together, numbered."""
        kept = dict.fromkeys(tile.group for tile in self.tiles if tile.group not in ("", tile.island))
        return {name: index for index, name in enumerate(kept)}

    @cached_property
    def group(self) -> Ints:
        """(tiles,): the number of the group plus one, 0 for none."""
        return np.array([self.names.get(tile.group, -1) + 1 for tile in self.tiles], np.int64)

    @cached_property
    def pinned(self) -> Ints:
        return pinned_chips(self.tiles, self.options, self.available)

    @cached_property
    def inputs(self) -> str:
        """The digest of all this, for the files of the stages."""
        chip = self.system.chip
        frame = [self.limits, self.available, self.system.name, self.system.grid, chip.name, chip.cores, chip.mesh]
        return digest(
            json.dumps([list(tile) for tile in self.tiles]),
            json.dumps(frame),
            repr(sorted((name, cost.nominal) for name, cost in chip.costs.items())),
            json.dumps(asdict(self.options), sort_keys=True, default=str),
            f"numpy {np.__version__} mtkahypar {hypergraph.version()}",
        )

    def deadline(self, part: float) -> float | None:
        limit = self.options.time_limit
        return None if limit is None else self.begun + part * limit

    def needs(self, core_of_tile: Ints, cores: int) -> tuple[Ints, int]:
        """(cores,) the chip that a tile of each is pinned to, or -1; and how many chips these cores need."""
        pinned = np.full(cores, -1, np.int64)
        pinned[core_of_tile] = self.pinned
        return pinned, chips_needed(pinned, self.system.chip, self.options)


@dataclass(frozen=True, slots=True, eq=False)
class _Packed:
    """core : (tiles,). pinned, chips : as `_Asked.needs` says. facts : of the stage."""

    core: Ints
    pinned: Ints
    chips: int
    facts: dict[str, Any]

    @property
    def bins(self) -> Ints:
        """(chips,): the chip of the system that each stands for: first those of the pins, then -1."""
        named = np.unique(self.pinned[self.pinned >= 0])
        return np.pad(named, (0, self.chips - len(named)), constant_values=-1)


def _pack(asked: _Asked, compatible: Sequence[str]) -> _Packed:
    alike = np.unique(compatible or [""] * len(asked.tiles), return_inverse=True)[1].reshape(-1).astype(np.int64)
    keys = alike * (asked.available + 1) + asked.pinned + 1

    def compute() -> Result:
        best, notes = _packed(asked, keys)
        bound = lower_bound(asked.demand, asked.limits, alike)
        return best.core, {"cores": best.cores, "strategy": best.strategy, "bound": bound, "notes": list(notes)}

    core, facts = asked.files.run("pack", lambda: digest(asked.inputs, keys), compute)
    return _Packed(core, *asked.needs(core, int(facts["cores"])), facts)


def _packed(asked: _Asked, keys: Ints) -> tuple[Packing, tuple[str, ...]]:
    """Fewest chips, then fewest cores that tie groups to one another, then cores and messages, or messages and cores if
    the objective is not "cores"."""
    options, size = asked.options, asked.system.chip.cores
    found, notes = pack(asked.demand, asked.limits, keys, size, asked.deadline(PACK_UNTIL), groups=asked.group)
    ranks = [(asked.needs(p.core, p.cores)[1], _tied(asked, p)) for p in found]
    first = min(ranks)
    equal = [k for k, rank in enumerate(ranks) if rank == first]
    if options.objective == "cores":
        fewest = min(found[k].cores for k in equal)
        equal = [k for k in equal if found[k].cores == fewest]
    compared = len(asked.tiles) <= COMPARED or options.objective != "cores"
    compared = compared and len(equal) > 1 and first[0] <= asked.available
    order = [(_messages(asked, found[k]) if compared else 0, found[k].cores, k) for k in equal]
    best = found[min(order)[-1]]
    if options.spread:
        best = spread(best, asked.demand, asked.limits, first[0] * size - best.cores)
    return best, notes


def _tied(asked: _Asked, packing: Packing) -> int:
    """Groups that share a core with another, once for each such core."""
    own, width = np.flatnonzero(asked.group), len(asked.tiles) + 1
    pairs = np.unique(packing.core[own] * width + asked.group[own])
    return len(pairs) - len(np.unique(pairs // width))


def _messages(asked: _Asked, packing: Packing) -> int:
    """Deliveries to cores, and messages between chips where these are filled in order."""
    nets = asked.nets_of(packing.core)
    chips = np.arange(packing.cores) // asked.system.chip.cores
    return int((nets.weight * np.diff(nets.indptr)).sum()) + hypergraph.of_nets(nets).cut(chips)


def _divide(asked: _Asked, packed: _Packed, nets: Nets, affinity: Sequence[tuple[str, str, int]]) -> Result:
    """(cores,) the number of the chip of each among `_Packed.bins`; and facts."""

    def inputs() -> str:
        flow = digest(asked.inputs, packed.core, nets.source, nets.indptr, nets.pins, nets.weight)
        return digest(flow, json.dumps([list(entry) for entry in affinity]))

    def compute() -> Result:
        task, options = _task(asked, packed, nets, affinity), asked.options
        notes: tuple[str, ...] = ()
        if options.place:
            thorough = options.objective == "traffic"
            found, notes = divide(task, options.seed, asked.deadline(CHIPS_UNTIL), thorough=thorough)
        else:
            found = filled(task)
        part = _by_first_core(found.chip, int((packed.bins >= 0).sum()))
        return part, {"torn": found.torn, "cut": found.cut, "name": found.name, "notes": list(notes)}

    return asked.files.run("chips", inputs, compute)


def _task(asked: _Asked, packed: _Packed, nets: Nets, affinity: Sequence[tuple[str, str, int]]) -> Task:
    names = asked.names
    together = [(names[a], names[b], w) for a, b, w in affinity if a in names and b in names and a != b and w > 0]
    slot, named = np.full(asked.available + 1, -1, np.int64), packed.bins[packed.bins >= 0]
    slot[named] = np.arange(len(named))
    by = np.argsort(asked.group, kind="stable")
    ends = np.searchsorted(asked.group[by], np.arange(1, len(names) + 2))
    groups = tuple(np.unique(packed.core[by[a:b]]) for a, b in pairwise(ends))
    capacity = np.full(packed.chips, asked.system.chip.cores, np.int64)
    return Task(hypergraph.of_nets(nets), groups, capacity, slot[packed.pinned], tuple(together))


def _place(asked: _Asked, packed: _Packed, nets: Nets, part: Ints, division: Table[str, Any]) -> Places:
    options, packing = asked.options, packed.facts

    def compute() -> Result:
        traffic = split_traffic(nets, part, packed.chips)
        search = Search(options.place, options.seed, asked.deadline(1.0), options.objective)
        number = place_chips(traffic, packed.bins, asked.system, asked.available, search)
        core = place_cores_of_chips(traffic, part, packed.chips, asked.system.chip, options.objective, search)
        notes = [f"placement was cut short on {search.late} meshes"] if search.late else []
        return np.stack((number[part], core)), {"notes": notes}

    def inputs() -> str:
        return digest(asked.inputs, part, nets.source, nets.indptr, nets.pins, nets.weight)

    (chip, core), facts = asked.files.run("place", inputs, compute)
    return Places(
        chip[packed.core],
        core[packed.core],
        len(np.unique(chip)),
        len(packed.pinned),
        (*asked.files.notes, *packing["notes"], *division["notes"], *facts["notes"]),
        int(packing["bound"]),
        int(division["torn"]),
        int(division["cut"]),
        str(packing["strategy"]),
        str(division["name"]),
    )


def _by_first_core(part: Ints, named: int) -> Ints:
    """Parts numbered by their first core; the first `named`, which stand for chips of the system, keep their numbers."""
    used, first = np.unique(part, return_index=True)
    number = np.arange(int(part.max()) + 1)
    free = used >= named
    number[used[free][np.argsort(first[free], kind="stable")]] = named + np.arange(int(free.sum()))
    return np.asarray(number[part])
