"""A plan of a model: cores and chips beside their bounds, for one width of weights and one memory.

What stands together and repeats is a `Unit`: the part of a layer that every token meets, one expert, the head; or all of a
program that repeats nothing. A unit is mapped once, alone, and multiplied. Layers may share the cores that their rests leave
open: a small model is cut and packed as a whole, as the mapper does, a large one in windows of equal layers. Experts share
with nobody, so that each can stand on chips of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

import numpy as np

from neurodeploy.flow.support import needs_of, refuse
from neurodeploy.ir.chip import Basis, ChipSpec, Limit, SystemSpec
from neurodeploy.ir.copies import class_name
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program
from neurodeploy.synapses.hollow import at_width
from partitioner.bound.cores import bound_of
from partitioner.cost.budget import NOTHING, RESOURCES, Demand, Limits, add, core_limits, times
from partitioner.cost.population import View, views_of
from partitioner.cost.usage import core_demands
from partitioner.cut.rules import Rule
from partitioner.cut.settle import split, tiles_of
from partitioner.cut.stamp import Tile
from partitioner.fit.pack import assign, cores, pack
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.pack.cores import pack as pack_cores

#: Models of at most so many cores are packed as a whole, of larger ones as many equal layers together as have so many.
TOGETHER = 3000
#: Nor of more than so many layers.
LAYERS = 256
#: As many chips as the split of a unit may plan with: what fits is decided afterwards.
_CHIPS = 1 << 20


@dataclass(frozen=True, slots=True)
class Unit:
    """Islands that stand together, `copies` equal ones: `per_layer` in each of `layers`.

    mapping : of one copy alone, on `cores`. used : what that takes of all budgets.
    all_cores : of all copies, with the rests shared.
    """

    name: str
    layers: tuple[int, ...]
    per_layer: int
    views: tuple[View, ...] = field(compare=False)
    mapping: Mapping = field(compare=False)
    used: Demand
    cores: int
    all_cores: int

    @property
    def copies(self) -> int:
        return len(self.layers) * self.per_layer

    @property
    def share(self) -> Fraction:
        """Of tokens that one copy sees."""
        return self.views[0].share

    @property
    def expert(self) -> bool:
        """Whether it is one of several that tokens are routed to."""
        return self.views[0].copies.experts > 1

    @property
    def weights(self) -> int:
        """Of one copy."""
        return sum(stored(view) for view in self.views)


class Size(NamedTuple):
    """Cores, chips that they fill one after the other; the least cores that there can be, and (`naive`) weights over the
    synaptic memory of a core, headers forgotten."""

    cores: int
    chips: int
    bound: int
    naive: int


@dataclass(frozen=True, slots=True)
class Fit:
    """The plan of a model at `bits` bits a weight and `memory_kib` KiB of synaptic memory a core.

    units : the body; head : the vocabulary projection, None where the model has none. body, whole : without it and with it.
    binding : the resource that asks for most cores. fill : part of each known budget that the body's cores use, by resource.
    """

    bits: int
    memory_kib: int
    cores_per_chip: int
    units: tuple[Unit, ...]
    head: Unit | None
    body: Size
    whole: Size
    binding: str
    fill: dict[str, float]

    def standing(self, head: str | None) -> tuple[Unit, ...]:
        """The units on the chips, where the head is on the "chip" or elsewhere."""
        return (*self.units, self.head) if head == "chip" and self.head is not None else self.units

    @property
    def widest(self) -> str:
        """The class of islands that takes most weights: where a remedy must begin."""
        views = [view for unit in self.units for view in unit.views]
        largest = max(views, key=lambda view: view.copies.count * stored(view))
        return class_name([part.path for part in largest.sections] or [largest.name])


def stored(view: View) -> int:
    """Weights that a population keeps, but for those of shared kernels."""
    kinds = [part.projection.synapse for part in view.segments]
    return sum(kind.count() for kind in kinds if not (kind.shared or kind.wire))


def with_memory(system: SystemSpec, kib: int | None) -> SystemSpec:
    """The system whose cores have so many KiB of synaptic memory instead of their own; None leaves it."""
    if kib is None:
        return system
    chip, limit = system.chip, Limit(kib * 1024, Basis.GUESSED, f"asked for: {kib} KiB")
    return replace(system, chip=replace(chip, budget=replace(chip.budget, synapse_bytes=limit)))


def plan(
    program: Program, system: SystemSpec, bits: int, memory_kib: int | None = None, chips: int | None = None,
    others: Sequence[SystemSpec] = (),
) -> Fit:  # fmt: skip
    """Map and bound a program.

    What repeats is planned for as many chips as it takes; a program that repeats nothing is mapped to at most `chips` of the
    system, and raises what `map_model` raises.

    Raises DoesNotFit ND2002 where one neuron exceeds a core, however its columns are split; ND2004, ND2090 where the chip
    lacks what the program needs (`flow.support`), which a system of `others` may have.
    """
    system = with_memory(system, memory_kib)
    chip, head = system.chip, None
    if program.copies:
        program = at_width(program, bits)
        refuse(chip, needs_of(program.network), others)
        views, cuts = views_of(program, chip), Cuts(chip)
        body = [view for name, view in views.items() if name in program.copies]
        outside = tuple(view for name, view in views.items() if name not in program.copies)
        units = shared(units_of(body, cuts), cuts)
        if outside:
            head = make_unit("lm_head", (program.info.layers,), 1, outside, cuts)
        bound, binding = bound_of([(view, view.copies.count) for view in body], chip)
    else:
        body, outside = list(views_of(program, chip, bits).values()), ()
        mapping = map_model(program, system, Options(weight_bits=bits, chips=chips, place=False), alternatives=others)
        used = total(core_demands(mapping, program, system, weight_bits=bits).values())
        units = [Unit(program.info.name, (0,), 1, tuple(body), mapping, used, *[mapping.cores_used] * 2)]
        bound, binding = mapping.lower_bound, mapping.binding_resource
    limits = core_limits(chip)
    memory = limits[RESOURCES.index("synapse_bytes")] or 1

    def size(some: Sequence[Unit | None], views: Sequence[View], bound: int) -> Size:
        cores = sum(unit.all_cores for unit in some if unit is not None)
        weights = sum(view.copies.count * stored(view) for view in views)
        return Size(cores, -(-cores // chip.cores), bound, -(-weights * bits // (8 * memory)))

    every = [*body, *outside]
    least = bound_of([(view, view.copies.count) for view in every], chip)[0] if outside else bound
    return Fit(
        bits=bits,
        memory_kib=memory // 1024,
        cores_per_chip=chip.cores,
        units=tuple(units),
        head=head,
        body=size(units, body, bound),
        whole=size([*units, head], every, least),
        binding=binding,
        fill=_fill(units, limits),
    )


class Cuts:
    """Tiles of layers on one chip, by the mapper's own split; what was cut once is remembered."""

    def __init__(self, chip: ChipSpec) -> None:
        self.limits = core_limits(chip)
        self.system = SystemSpec("", chip, _CHIPS, (_CHIPS, 1), "")
        self._known: dict[tuple[tuple[View, ...], ...], tuple[Tile, ...]] = {}

    def of(self, layers: Sequence[tuple[View, ...]]) -> tuple[Tile, ...]:
        """The tiles of these layers' islands, one of each class, cut together as `map_model` cuts them. Those that stand
        again in layer n have "n:" before their island's name. What a layer sends to others than these takes no entry for a
        destination.

        Raises DoesNotFit ND2002 where not even one neuron of an island fits a core.
        """
        key = tuple(layers)
        if key not in self._known:
            views, inside = {}, {view.name for members in layers for view in members}
            for number, members in enumerate(layers):
                for view in members:
                    name = f"{number}:{view.name}" if view.name in views else view.name
                    own = tuple(p for p in view.outgoing if p.target in inside)
                    views[name] = replace(view, name=name, group=name, expert=False, share=Fraction(1), outgoing=own)
            rules = dict.fromkeys(views, Rule(self.limits))
            self._known[key] = tiles_of(views, split(views, rules, self.system, Options(), _CHIPS).cuts)
        return self._known[key]

    def cores(self, layers: Sequence[tuple[View, ...]]) -> int:
        """Cores of these layers, cut and packed together: where tiles are of many kinds, as the mapper packs them if that
        takes fewer."""
        tiles = self.of(layers)
        found = cores(pack(Counter(tile.demand for tile in tiles), self.limits))
        if all(view.uniform for members in layers for view in members):
            return found
        demand = np.array([tile.demand for tile in tiles], np.int64)
        packings, _ = pack_cores(demand, self.limits, np.zeros(len(tiles), np.int64), self.system.chip.cores)
        return min(found, *(packing.cores for packing in packings))


def units_of(views: Sequence[View], cuts: Cuts) -> list[Unit]:
    """Of each class of layers the part that every token meets, then its experts."""
    found: dict[tuple[str, tuple[int, ...]], dict[tuple[int, int], list[View]]] = {}
    for view in views:
        kinds = found.setdefault((view.copies.kind, view.copies.layers), {})
        kinds.setdefault((view.copies.experts, view.copies.chosen), []).append(view)
    return [
        make_unit(name if experts == 1 else f"{name}: expert", layers, experts, inside, cuts)
        for (name, layers), kinds in found.items()
        for (experts, _), inside in sorted(kinds.items(), key=lambda entry: entry[0][0] > 1)
    ]


def make_unit(name: str, layers: tuple[int, ...], per_layer: int, views: Sequence[View], cuts: Cuts) -> Unit:
    """A unit mapped alone; its copies share no core yet."""
    tiles, chip = cuts.of([tuple(views)]), cuts.system.chip
    core_of = assign([tile.demand for tile in tiles], cuts.limits)
    alone = max(core_of) + 1
    shards = tuple(tile.on(*divmod(core, chip.cores)) for tile, core in zip(tiles, core_of, strict=True))
    mapping = Mapping("", -(-alone // chip.cores), chip.cores, shards, (), 0, "none", ())
    used = total(tile.demand for tile in tiles)
    return Unit(name, layers, per_layer, tuple(views), mapping, used, alone, alone * len(layers) * per_layer)


def total(demands: Iterable[Demand]) -> Demand:
    return reduce(add, demands, NOTHING)


def shared(units: Sequence[Unit], cuts: Cuts) -> list[Unit]:
    """The units with the cores of all copies where layers share their rests; experts stay as they are."""
    found = list(units)
    layered = [index for index, unit in enumerate(units) if not unit.expert]
    order = sorted((layer, index) for index in layered for layer in units[index].layers)
    if sum(units[index].all_cores for index in layered) <= TOGETHER and len(order) <= LAYERS:
        together = cuts.cores([units[index].views for _, index in order])
        for index, count in zip(layered, _apportioned(together, [units[i].all_cores for i in layered]), strict=True):
            found[index] = replace(units[index], all_cores=count)
        return found
    for index in layered:
        unit = units[index]
        window = max(1, min(unit.copies, TOGETHER // unit.cores, LAYERS))
        whole, rest = divmod(unit.copies, window)
        count = whole * cuts.cores([unit.views] * window)
        count += cuts.cores([unit.views] * rest) if rest else 0
        found[index] = replace(unit, all_cores=min(count, unit.all_cores))
    return found


def _apportioned(total: int, parts: Sequence[int]) -> list[int]:
    """`total` shared out in proportion to `parts`, no more than these: what is rounded away goes to the last ones."""
    whole = sum(parts)
    total = min(total, whole)
    ends = [total * sum(parts[: index + 1]) // whole for index in range(len(parts))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _fill(units: Sequence[Unit], limits: Limits) -> dict[str, float]:
    count = sum(unit.all_cores for unit in units)
    used = total(times(unit.used, unit.copies) for unit in units)
    return {
        name: amount / (count * limit)
        for name, amount, limit in zip(RESOURCES, used, limits, strict=True)
        if limit and count
    }
