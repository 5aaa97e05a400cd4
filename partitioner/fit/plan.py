"""A plan of a hollow program with copies: cores and chips beside their bounds, for one width of weights and one memory.

What stands together and repeats is a `Unit`: the part of a layer that every token meets, one expert, the head. A unit is
cut and packed once, alone, and multiplied. Layers may share the cores that their rests leave open: a small model is cut and
packed as a whole, as the mapper does, a large one in windows of equal layers. Experts share with nobody, so that each can
stand on chips of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from neurodeploy.flow.support import needs_of, refuse
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.program import Program
from neurodeploy.synapses.hollow import at_width
from partitioner.bound.cores import bound_of
from partitioner.cost.budget import RESOURCES, Limits, core_limits
from partitioner.cost.population import View, views_of
from partitioner.cut.stamp import Tile
from partitioner.fit.cut import Cuts, with_memory
from partitioner.fit.pack import assign, cores, pack

#: Models of at most so many cores are packed as a whole, of larger ones as many equal layers together as have so many.
TOGETHER = 3000
#: Nor of more than so many layers.
LAYERS = 256


@dataclass(frozen=True, slots=True)
class Unit:
    """Islands that stand together, `copies` equal ones: `per_layer` in each of `layers`.

    tiles, core_of : the tiles of one copy and the core of each, counted from the copy's first.
    cores : cores of one copy alone; all_cores : of all copies, with the rests shared.
    share : fraction of tokens that one copy sees. expert : whether it is one of several that tokens are routed to.
    """

    name: str
    layers: tuple[int, ...]
    per_layer: int
    share: Fraction
    views: tuple[View, ...] = field(compare=False)
    tiles: tuple[Tile, ...]
    core_of: tuple[int, ...]
    cores: int
    all_cores: int

    @property
    def copies(self) -> int:
        return len(self.layers) * self.per_layer

    @property
    def expert(self) -> bool:
        return self.views[0].copies.experts > 1

    @property
    def weights(self) -> int:
        """Weights of one copy."""
        return sum(view.rows * view.columns for view in self.views)


@dataclass(frozen=True, slots=True)
class Fit:
    """The plan of a model at `bits` bits a weight and `memory_kib` KiB of synaptic memory a core.

    units : the body; head : the vocabulary projection, None where the model has none.
    bound, binding : the least cores for the body, and the resource that asks for them; with the head `bound_all`.
    naive : weights over the synaptic memory of a core, headers forgotten, and with the head `naive_all`.
    fill : part of each known budget that the body's cores use, by resource.
    """

    bits: int
    memory_kib: int
    cores_per_chip: int
    units: tuple[Unit, ...]
    head: Unit | None
    bound: int
    binding: str
    bound_all: int
    naive: int
    naive_all: int
    fill: dict[str, float]

    @property
    def cores(self) -> int:
        """Cores of the body."""
        return sum(unit.all_cores for unit in self.units)

    @property
    def cores_all(self) -> int:
        return self.cores + self.head_cores

    @property
    def head_cores(self) -> int:
        return self.head.all_cores if self.head is not None else 0

    @property
    def chips(self) -> int:
        """Chips of the body, filled one after the other."""
        return -(-self.cores // self.cores_per_chip)

    @property
    def chips_all(self) -> int:
        return -(-self.cores_all // self.cores_per_chip)

    def largest(self) -> View:
        """The class of islands that takes most weights: where a remedy must begin."""
        return max(
            (view for unit in self.units for view in unit.views), key=lambda v: v.copies.count * v.rows * v.columns
        )


def plan(
    program: Program, chip: ChipSpec, bits: int, memory_kib: int | None = None, others: Iterable[SystemSpec] = ()
) -> Fit:
    """Cut, pack and bound a hollow program.

    Raises DoesNotFit ND2002 where one neuron exceeds a core, however its columns are split; ND2004, ND2090 where the chip
    lacks what the program needs (`flow.support`), which a system of `others` may have.
    """
    program = at_width(program, bits)
    refuse(chip, needs_of(program), others)
    chip = with_memory(chip, memory_kib)
    limits, cuts = core_limits(chip), Cuts(chip)
    views = views_of(program, chip)
    body = [view for view in views.values() if view.name in program.copies]
    units = shared(units_of(body, cuts), cuts)
    outside = tuple(view for view in views.values() if view.name not in program.copies)
    head = make_unit("lm_head", (program.info.layers,), 1, outside, cuts) if outside else None
    counted = [(view, view.copies.count) for view in body]
    bound, binding = bound_of(counted, chip)
    memory = limits[RESOURCES.index("synapse_bytes")] or 1
    weights = [sum(n * v.rows * v.columns for v, n in some) for some in (counted, [(v, 1) for v in outside])]
    return Fit(
        bits=bits,
        memory_kib=memory // 1024,
        cores_per_chip=chip.cores,
        units=tuple(units),
        head=head,
        bound=bound,
        binding=binding,
        bound_all=bound_of([*counted, *((view, 1) for view in outside)], chip)[0],
        naive=_naive(weights[0], bits, memory),
        naive_all=_naive(sum(weights), bits, memory),
        fill=_fill(units, limits),
    )


def _naive(weights: int, bits: int, memory: int) -> int:
    return -(-weights * bits // (8 * memory))


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
    """A unit cut and packed alone; its copies share no core yet."""
    tiles = cuts.of([tuple(views)])
    core_of = tuple(assign([tile.demand for tile in tiles], core_limits(cuts.chip)))
    alone = max(core_of) + 1
    return Unit(
        name, layers, per_layer, views[0].share, tuple(views), tiles, core_of, alone,
        alone * len(layers) * per_layer,
    )  # fmt: skip


def shared(units: Sequence[Unit], cuts: Cuts) -> list[Unit]:
    """The units with the cores of all copies where layers share their rests; experts stay as they are."""
    found = list(units)
    layered = [index for index, unit in enumerate(units) if not unit.expert]
    order = sorted((layer, index) for index in layered for layer in units[index].layers)
    if sum(units[index].all_cores for index in layered) <= TOGETHER and len(order) <= LAYERS:
        together = _packed([units[index].views for _, index in order], cuts)
        for index, count in zip(layered, _apportioned(together, [units[i].all_cores for i in layered]), strict=True):
            found[index] = replace(units[index], all_cores=count)
        return found
    for index in layered:
        unit = units[index]
        window = max(1, min(unit.copies, TOGETHER // unit.cores, LAYERS))
        whole, rest = divmod(unit.copies, window)
        count = whole * _packed([unit.views] * window, cuts)
        count += _packed([unit.views] * rest, cuts) if rest else 0
        found[index] = replace(unit, all_cores=min(count, unit.all_cores))
    return found


def _packed(layers: Sequence[tuple[View, ...]], cuts: Cuts) -> int:
    """Cores of these layers, cut and packed together."""
    return cores(pack(Counter(tile.demand for tile in cuts.of(layers)), core_limits(cuts.chip)))


def _apportioned(total: int, parts: Sequence[int]) -> list[int]:
    """`total` shared out in proportion to `parts`, no more than these: what is rounded away goes to the last ones."""
    whole = sum(parts)
    total = min(total, whole)
    ends = [total * sum(parts[: index + 1]) // whole for index in range(len(parts))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _fill(units: Sequence[Unit], limits: Limits) -> dict[str, float]:
    used, count = [0] * len(RESOURCES), sum(unit.all_cores for unit in units)
    for unit in units:
        for tile in unit.tiles:
            for index, amount in enumerate(tile.demand):
                used[index] += unit.copies * amount
    return {
        name: amount / (count * limit)
        for name, amount, limit in zip(RESOURCES, used, limits, strict=True)
        if limit and count
    }
