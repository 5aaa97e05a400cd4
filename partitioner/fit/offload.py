"""What a system that is too small keeps of an outline: prices and choice of `offload`, on classes instead of islands.

Units move as `map --chips` moves them: an attention layer, an expert, any other island alone. Each has a size (parts of a
core) and a price (picojoules that it costs to move it to the host, everything that waits included), both those of
`offload.price`; `offload.choice` finds the cheapest set that leaves so that the rest fits and nothing leaves that need not.
Islands on the host cross no border, so that fewer crossings are part of the price. What stays is packed again as a plan of
its own, and the capacity lowered until it fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.outline import Matrix, Outline
from partitioner.cost.budget import core_limits
from partitioner.fit.cut import Cuts, hollow, with_memory
from partitioner.fit.plan import Unit, make_unit, shared
from partitioner.offload.choice import choose
from partitioner.offload.price import Price, core_parts, price_island, standing_watts

#: Parts of a core in which sizes are counted, lowered where a table of all fillings would have more entries.
PARTS, FILLINGS = 64, 1 << 20
#: How often the capacity is lowered.
TRIES = 6
PICO = 1e-12


@dataclass(frozen=True, slots=True)
class _Group:
    """Islands that move together, one in each of `layers` (experts: `copies` in each)."""

    name: str
    layers: tuple[int, ...]
    copies: int
    matrices: tuple[Matrix, ...]
    size: int
    price: int
    streamed: float


@dataclass(frozen=True, slots=True)
class Gone:
    """A group on the host: `copies` of it (over all layers), the fraction of tokens that one sees."""

    name: str
    matrices: tuple[Matrix, ...]
    layers: tuple[int, ...]
    copies: int
    of: int

    @property
    def share(self) -> float:
        return float(self.matrices[0].share)

    @property
    def weights(self) -> int:
        """Weights of all copies."""
        return self.copies * sum(matrix.weights for matrix in self.matrices)


@dataclass(frozen=True, slots=True)
class Fallback:
    """kept : what stays on the chips, as units of a plan. gone : what the host computes, by group.

    streamed : bytes of weights a token that streaming them in would move, if everything that left were run on the chips.
    crossings : border crossings a token of the plan, and if all were resident.
    """

    kept: tuple[Unit, ...]
    gone: tuple[Gone, ...]
    cores: int
    chips: int
    streamed: float
    crossings: tuple[float, float]


def fallback(
    outline: Outline, system: SystemSpec, available: int, bits: int, memory_kib: int | None, host: HostSpec
) -> Fallback:
    """The plan for `available` chips of the system. Raises what `fit.plan.plan` raises."""
    chip = with_memory(system.chip, memory_kib)
    cuts = Cuts(chip, bits)
    offered = available * chip.cores
    scale = PARTS
    while scale > 1 and offered * scale > FILLINGS:
        scale //= 2
    groups = [_priced(g, replace(system, chip=chip), host, available, cuts, scale) for g in _groups(outline)]
    kept, units = _settled(groups, cuts, offered, scale)
    gone = [
        Gone(g.name, g.matrices, _last_layers(g, n), len(g.layers) * g.copies - n, len(g.layers) * g.copies)
        for g, n in zip(groups, kept, strict=True)
        if n < len(g.layers) * g.copies
    ]
    cores = sum(unit.all_cores for unit in units)
    return Fallback(
        units,
        tuple(gone),
        cores,
        -(-cores // chip.cores),
        sum((len(g.layers) * g.copies - n) * g.streamed for g, n in zip(groups, kept, strict=True)),
        (_crossings(groups, kept), _crossings(groups, [len(g.layers) * g.copies for g in groups])),
    )


def _settled(groups: Sequence[_Group], cuts: Cuts, offered: int, scale: int) -> tuple[list[int], tuple[Unit, ...]]:
    """How many copies of each group stay, and their units. Sizes are estimates where small tiles share cores: the capacity
    is moved by what the packed units leave free or lack; the fullest of the plans that fit is kept."""
    order = [index for index, group in enumerate(groups) for _ in range(len(group.layers) * group.copies)]
    sizes, prices = [groups[i].size for i in order], [groups[i].price for i in order]
    capacity, best, best_units = offered * scale, [0] * len(groups), tuple[Unit, ...]()
    tried: set[tuple[int, ...]] = set()
    for _ in range(TRIES):
        left = [0] * len(groups)
        for index in choose(sizes, prices, max(0, capacity)):
            left[order[index]] += 1
        kept = [len(g.layers) * g.copies - n for g, n in zip(groups, left, strict=True)]
        if tuple(kept) in tried:
            break
        tried.add(tuple(kept))
        units = _units(groups, kept, cuts)
        used = sum(unit.all_cores for unit in units)
        if sum(unit.all_cores for unit in best_units) < used <= offered:
            best, best_units = kept, units
        capacity += scale * (offered - used)
    return best, best_units


def _crossings(groups: Sequence[_Group], kept: Sequence[int]) -> float:
    """In and out for each island on the chips, an expert's for the tokens that it sees."""
    return float(sum(2 * n * len(g.matrices) * g.matrices[0].share for g, n in zip(groups, kept, strict=True)))


def _groups(outline: Outline) -> list[tuple[str, tuple[int, ...], int, tuple[Matrix, ...]]]:
    """Attention, experts, and every other island alone, in the order of the layer; the head last."""
    found: list[tuple[str, tuple[int, ...], int, tuple[Matrix, ...]]] = []
    for block in outline.blocks:
        inside: dict[str, list[Matrix]] = {}
        for matrix in block.matrices:
            roles = {part.role for part in matrix.parts}
            name = "expert" if matrix.experts > 1 else "attention" if roles & set("qkvo") else matrix.name
            inside.setdefault(name, []).append(matrix)
        for name, matrices in inside.items():
            found.append((f"{block.name}: {name}", block.layers, matrices[0].experts, tuple(matrices)))
    if outline.head is not None:
        found.append(("lm_head", (outline.info.layers,), 1, (outline.head,)))
    return found


def _priced(
    group: tuple[str, tuple[int, ...], int, tuple[Matrix, ...]], system: SystemSpec, host: HostSpec, available: int,
    cuts: Cuts, scale: int,
) -> _Group:  # fmt: skip
    name, layers, copies, matrices = group
    watts = standing_watts(system, available, host)
    size, moved, streamed = 0, 0, 0.0
    for matrix in matrices:
        island = hollow(matrix, cuts.bits)
        shards = [
            Shard(t.island, t.kind, t.rows, t.cols, *divmod(place, system.chip.cores))
            for place, t in enumerate(cuts.of([(matrix,)]))
        ]
        prices = price_island(island, shards, system, host, float(matrix.share), available, cuts.bits)
        size += core_parts(island, shards, system, core_limits(system.chip), scale, cuts.bits)
        moved += round((prices.host.whole(watts) - prices.chip.whole(watts)) / PICO)
        streamed += _beyond(prices.stream, prices.chip)
    alone = make_unit(name, layers, copies, matrices, cuts).cores
    return _Group(name, layers, copies, matrices, min(size, alone * scale), moved, streamed)


def _beyond(stream: Price, chip: Price) -> float:
    """Bytes of weights that streaming moves beside the messages."""
    return stream.bytes - chip.bytes


def _last_layers(group: _Group, kept: int) -> tuple[int, ...]:
    """The layers of which anything left: the first ones stay."""
    return group.layers[kept // group.copies :]


def _units(groups: Sequence[_Group], kept: Sequence[int], cuts: Cuts) -> tuple[Unit, ...]:
    """Units of what stays: in each layer what every token meets together, experts apart."""
    units: list[Unit] = []
    together: dict[int, list[int]] = {}
    for index, (group, count) in enumerate(zip(groups, kept, strict=True)):
        if group.copies == 1:
            for layer in group.layers[:count]:
                together.setdefault(layer, []).append(index)
            continue
        whole, rest = divmod(count, group.copies)
        for layers, copies in ((group.layers[:whole], group.copies), (group.layers[whole : whole + 1], rest)):
            if layers and copies:
                units.append(make_unit(group.name, layers, copies, group.matrices, cuts))
    sets: dict[tuple[int, ...], list[int]] = {}
    for layer, members in sorted(together.items()):
        sets.setdefault(tuple(members), []).append(layer)
    always = []
    for inside, where in sets.items():
        matrices = [matrix for index in inside for matrix in groups[index].matrices]
        name = groups[inside[0]].name.split(":")[0]
        always.append(make_unit(name, tuple(where), 1, matrices, cuts))
    return tuple(shared([*always, *units], cuts))
