"""A plan from an `Outline`, without weights: cores and chips beside their bounds, for one width of weights and one memory.

What stands together and repeats is a `Unit`: the part of a layer that every token meets, one expert, the head. A unit is
cut and packed once, alone, and multiplied. Layers may share the cores that their rests leave open: a small model is cut and
packed as a whole, as the mapper does, a large one in windows of equal layers. Experts share with nobody, so that each can
stand on chips of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from neurodeploy.flow.support import Need, refuse
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.fixedpoint import STATE_BITS
from neurodeploy.ir.outline import Block, Matrix, Outline
from partitioner.bound.cores import bound_of
from partitioner.cost.budget import RESOURCES, Limits, core_limits
from partitioner.cost.population import view_of
from partitioner.cut.stamp import Tile
from partitioner.fit.cut import Cuts, hollow, with_memory
from partitioner.fit.pack import assign, cores, pack

#: Models of at most so many cores are packed as a whole, of larger ones as many equal layers together as have so many.
TOGETHER = 3000
#: Nor of more than so many layers.
LAYERS = 256


@dataclass(frozen=True, slots=True)
class Unit:
    """Islands that stand together, `copies` equal ones: `per_layer` in each of `layers`.

    bits : of a weight, for which it was cut.
    tiles, core_of : the tiles of one copy and the core of each, counted from the copy's first.
    cores : cores of one copy alone; all_cores : of all copies, with the rests shared.
    share : fraction of tokens that one copy sees. expert : whether it is one of several that tokens are routed to.
    """

    name: str
    bits: int
    layers: tuple[int, ...]
    per_layer: int
    share: Fraction
    matrices: tuple[Matrix, ...]
    tiles: tuple[Tile, ...]
    core_of: tuple[int, ...]
    cores: int
    all_cores: int

    @property
    def copies(self) -> int:
        return len(self.layers) * self.per_layer

    @property
    def expert(self) -> bool:
        return self.matrices[0].experts > 1

    @property
    def weights(self) -> int:
        """Weights of one copy."""
        return sum(matrix.weights for matrix in self.matrices)


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

    def largest(self) -> tuple[Unit, Matrix]:
        """The class of islands that takes most weights: where a remedy must begin."""
        found = [(unit.copies * matrix.weights, unit, matrix) for unit in self.units for matrix in unit.matrices]
        _, unit, matrix = max(found, key=lambda entry: entry[0])
        return unit, matrix


def plan(
    outline: Outline, chip: ChipSpec, bits: int, memory_kib: int | None = None, others: Iterable[SystemSpec] = ()
) -> Fit:
    """Cut, pack and bound an outline.

    Raises DoesNotFit ND2002 where one neuron exceeds a core, however its columns are split; ND2004, ND2090 where the chip
    lacks what the converter needs (`flow.support`), which a system of `others` may have.
    """
    refuse(chip, needs_of_outline(outline, bits), others)
    chip = with_memory(chip, memory_kib)
    limits, cuts = core_limits(chip), Cuts(chip, bits)
    units = shared([made for block in outline.blocks for made in units_of(block, cuts)], cuts)
    head = None
    if outline.head is not None:
        head = make_unit("lm_head", (outline.info.layers,), 1, (outline.head,), cuts)
    body = [(view_of(hollow(matrix, bits), chip), unit.copies) for unit in units for matrix in unit.matrices]
    bound, binding = bound_of(body, chip)
    everything = [*body, *([(view_of(hollow(outline.head, bits), chip), 1)] if outline.head is not None else [])]
    memory = limits[RESOURCES.index("synapse_bytes")] or 1
    return Fit(
        bits=bits,
        memory_kib=memory // 1024,
        cores_per_chip=chip.cores,
        units=tuple(units),
        head=head,
        bound=bound,
        binding=binding,
        bound_all=bound_of(everything, chip)[0],
        naive=_naive(outline.body, bits, memory),
        naive_all=_naive(outline.body + (outline.head.weights if outline.head is not None else 0), bits, memory),
        fill=_fill(units, limits),
    )


def needs_of_outline(outline: Outline, bits: int) -> list[Need]:
    """What the converter makes of it: neurons of `graded_affine`, 24-bit states and outputs, weights of `bits` bits."""
    widths = {"payload_bits": STATE_BITS, "state_bits": STATE_BITS, "weight_bits": bits}
    name = outline.info.name
    return [Need(name, "neurons", "graded_affine", name), *(Need(name, what, n, name) for what, n in widths.items())]


def _naive(weights: int, bits: int, memory: int) -> int:
    return -(-weights * bits // (8 * memory))


def units_of(block: Block, cuts: Cuts) -> list[Unit]:
    """The part of a layer that every token meets, then its expert."""
    made = []
    always = tuple(matrix for matrix in block.matrices if matrix.experts == 1)
    if always:
        made.append(make_unit(block.name, block.layers, 1, always, cuts))
    kinds = dict.fromkeys((matrix.experts, matrix.chosen) for matrix in block.matrices if matrix.experts > 1)
    for experts, chosen in kinds:
        inside = tuple(matrix for matrix in block.matrices if (matrix.experts, matrix.chosen) == (experts, chosen))
        made.append(make_unit(f"{block.name}: expert", block.layers, experts, inside, cuts))
    return made


def make_unit(name: str, layers: tuple[int, ...], per_layer: int, matrices: Sequence[Matrix], cuts: Cuts) -> Unit:
    """A unit cut and packed alone; its copies share no core yet."""
    tiles = cuts.of([tuple(matrices)])
    core_of = tuple(assign([tile.demand for tile in tiles], core_limits(cuts.chip)))
    alone = max(core_of) + 1
    return Unit(
        name, cuts.bits, layers, per_layer, matrices[0].share, tuple(matrices), tiles, core_of, alone,
        alone * len(layers) * per_layer,
    )  # fmt: skip


def shared(units: Sequence[Unit], cuts: Cuts) -> list[Unit]:
    """The units with the cores of all copies where layers share their rests; experts stay as they are."""
    found = list(units)
    layered = [index for index, unit in enumerate(units) if not unit.expert]
    order = sorted((layer, index) for index in layered for layer in units[index].layers)
    if sum(units[index].all_cores for index in layered) <= TOGETHER and len(order) <= LAYERS:
        together = _packed([units[index].matrices for _, index in order], cuts)
        for index, count in zip(layered, _apportioned(together, [units[i].all_cores for i in layered]), strict=True):
            found[index] = replace(units[index], all_cores=count)
        return found
    for index in layered:
        unit = units[index]
        window = max(1, min(unit.copies, TOGETHER // unit.cores, LAYERS))
        whole, rest = divmod(unit.copies, window)
        count = whole * _packed([unit.matrices] * window, cuts)
        count += _packed([unit.matrices] * rest, cuts) if rest else 0
        found[index] = replace(unit, all_cores=min(count, unit.all_cores))
    return found


def _packed(layers: Sequence[tuple[Matrix, ...]], cuts: Cuts) -> int:
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
