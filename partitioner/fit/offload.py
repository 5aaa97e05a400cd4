"""What a system that is too small keeps of a hollow program: prices and choice of `offload`, with counts of copies.

Units move as `map --chips` moves them: an attention layer, an expert, any other island alone. Each has a size (parts of a
core) and a price (picojoules that it costs to move it to the host, everything that waits included), both those of
`offload.price`; `offload.choice` finds the cheapest set that leaves so that the rest fits and nothing leaves that need not.
Islands on the host cross no border, so that fewer crossings are part of the price. What stays is packed again as a plan of
its own, and the capacity lowered until it fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from neurodeploy.ir.chip import ChipSpec, HostSpec, SystemSpec
from neurodeploy.ir.copies import ALONE, Copies, class_name
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.program import Program
from neurodeploy.synapses.hollow import at_width
from partitioner.cost.budget import core_limits
from partitioner.cost.population import View, views_of
from partitioner.fit.cut import Cuts, with_memory
from partitioner.fit.plan import Unit, make_unit, shared
from partitioner.offload.choice import choose
from partitioner.offload.price import Price, core_parts, price_view, standing_watts

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
    views: tuple[View, ...]
    size: int
    price: int
    streamed: float


@dataclass(frozen=True, slots=True)
class Gone:
    """A group on the host: `copies` of it (over all layers), the fraction of tokens that one sees."""

    name: str
    views: tuple[View, ...]
    layers: tuple[int, ...]
    copies: int
    of: int

    @property
    def share(self) -> float:
        return float(self.views[0].share)

    @property
    def weights(self) -> int:
        """Weights of all copies."""
        return self.copies * sum(view.rows * view.columns for view in self.views)


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
    program: Program, system: SystemSpec, available: int, bits: int, memory_kib: int | None, host: HostSpec
) -> Fallback:
    """The plan for `available` chips of the system. Raises what `fit.plan.plan` raises."""
    chip, program = with_memory(system.chip, memory_kib), at_width(program, bits)
    cuts = Cuts(chip)
    offered = available * chip.cores
    scale = PARTS
    while scale > 1 and offered * scale > FILLINGS:
        scale //= 2
    system = replace(system, chip=chip)
    groups = [_priced(*g, program, system, host, available, cuts, scale) for g in _groups(program, chip)]
    kept, units = _settled(groups, cuts, offered, scale)
    gone = [
        Gone(g.name, g.views, _last_layers(g, n), len(g.layers) * g.copies - n, len(g.layers) * g.copies)
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
    return float(sum(2 * n * len(g.views) * g.views[0].share for g, n in zip(groups, kept, strict=True)))


def _groups(program: Program, chip: ChipSpec) -> Iterator[tuple[str, Copies, tuple[View, ...]]]:
    """Attention, experts, and every other island alone, in the order of the layer; the head last."""
    found: dict[str, list[View]] = {}
    for view in views_of(program, chip).values():
        found.setdefault(view.group, []).append(view)
    for group, views in found.items():
        copies = views[0].copies
        if copies is ALONE:
            yield "lm_head", Copies("lm_head", (program.info.layers,)), tuple(views)
            continue
        name = "expert" if views[0].expert else group.rpartition(".")[2]
        if len(views) == 1 and not views[0].expert and group == views[0].name:
            name = class_name([part.path for part in views[0].sections])
        yield f"{copies.kind}: {name}", copies, tuple(views)


def _priced(
    name: str, copies: Copies, views: tuple[View, ...], program: Program, system: SystemSpec, host: HostSpec,
    available: int, cuts: Cuts, scale: int,
) -> _Group:  # fmt: skip
    watts = standing_watts(system, available, host)
    size, moved, streamed = 0, 0, 0.0
    for view in views:
        shards = [
            Shard(t.island, t.kind, t.rows, t.cols, *divmod(place, system.chip.cores))
            for place, t in enumerate(cuts.of([(view,)]))
        ]
        prices = price_view(program.network, view, shards, system, host, available)
        size += core_parts(view, shards, core_limits(system.chip), scale)
        moved += round((prices.host.whole(watts) - prices.chip.whole(watts)) / PICO)
        streamed += _beyond(prices.stream, prices.chip)
    alone = make_unit(name, copies.layers, copies.experts, views, cuts).cores
    return _Group(name, copies.layers, copies.experts, views, min(size, alone * scale), moved, streamed)


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
                units.append(make_unit(group.name, layers, copies, group.views, cuts))
    sets: dict[tuple[int, ...], list[int]] = {}
    for layer, members in sorted(together.items()):
        sets.setdefault(tuple(members), []).append(layer)
    always = []
    for inside, where in sets.items():
        views = [view for index in inside for view in groups[index].views]
        name = groups[inside[0]].name.split(":")[0]
        always.append(make_unit(name, tuple(where), 1, views, cuts))
    return tuple(shared([*always, *units], cuts))
