"""What a system that is too small keeps of a hollow program: prices and choice of `offload`, with counts of copies.

Units move as `map --chips` moves them: an attention layer, an expert, any other island alone. Each has a size (parts of a
core) and a price (picojoules that it costs to move it to the host, everything that waits included), both those of
`offload.price`; `offload.choice` finds the cheapest set that leaves so that the rest fits and nothing leaves that need not.
Islands on the host cross no border, so that fewer crossings are part of the price. What stays is packed again as a plan of
its own, and the capacity lowered until it fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from neurodeploy.ir.chip import ChipSpec, HostSpec, SystemSpec
from neurodeploy.ir.copies import ALONE, Copies, class_name
from neurodeploy.ir.program import Program
from neurodeploy.synapses.hollow import at_width
from partitioner.cost.population import View, views_of
from partitioner.fit.plan import Cuts, Unit, make_unit, shared, with_memory
from partitioner.offload.choice import choose, parts_of_core
from partitioner.offload.price import core_parts, price_view, standing_watts

#: A table of all fillings has at most so many entries.
FILLINGS = 1 << 20
#: How often the capacity is lowered.
TRIES = 6


@dataclass(frozen=True, slots=True)
class Movable:
    """Islands that move together: of all copies of `unit` the first `kept` stay.

    size : parts of a core that one takes. price : picojoules that it costs to move one to the host. streamed : bytes of
    weights a token that streaming one in would move.
    """

    unit: Unit
    size: int
    price: int
    streamed: float
    kept: int = 0

    @property
    def gone(self) -> int:
        return self.unit.copies - self.kept

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers of which anything left: the first ones stay."""
        return self.unit.layers[self.kept // self.unit.per_layer :]

    @property
    def crossings(self) -> float:
        """In and out for each island of one on the chips, an expert's for the tokens that it sees."""
        return float(2 * len(self.unit.views) * self.unit.share)


@dataclass(frozen=True, slots=True)
class Fallback:
    """kept : what stays on the chips, as units of a plan. groups : of which the host computes what is `gone`."""

    kept: tuple[Unit, ...]
    groups: tuple[Movable, ...]

    @property
    def cores(self) -> int:
        return sum(unit.all_cores for unit in self.kept)

    @property
    def streamed(self) -> float:
        """Bytes of weights a token that streaming them in would move, if everything that left were run on the chips."""
        return sum(group.gone * group.streamed for group in self.groups)

    @property
    def crossings(self) -> tuple[float, float]:
        """Of the border a token: of the plan, and if all were resident."""
        each = [(group.kept, group.unit.copies, group.crossings) for group in self.groups]
        return sum(kept * one for kept, _, one in each), sum(copies * one for _, copies, one in each)


def fallback(
    program: Program, system: SystemSpec, available: int, bits: int, memory_kib: int | None, host: HostSpec
) -> Fallback:
    """The plan for `available` chips of the system. Raises what `fit.plan.plan` raises.

    Sizes are estimates where small tiles share cores: the capacity is moved by what the packed units leave free or lack;
    the fullest of the plans that fit is kept.
    """
    system, program = with_memory(system, memory_kib), at_width(program, bits)
    cuts, offered = Cuts(system.chip), available * system.chip.cores
    scale = parts_of_core(offered, FILLINGS)
    groups = [_priced(*g, program, system, host, available, cuts, scale) for g in _groups(program, system.chip)]
    order = [index for index, group in enumerate(groups) for _ in range(group.unit.copies)]
    sizes, prices = [groups[i].size for i in order], [groups[i].price for i in order]
    capacity, best, tried = offered * scale, Fallback((), tuple(groups)), set[tuple[int, ...]]()
    for _ in range(TRIES):
        left = Counter(order[index] for index in choose(sizes, prices, max(0, capacity)))
        kept = [replace(group, kept=group.unit.copies - left[index]) for index, group in enumerate(groups)]
        counts = tuple(group.kept for group in kept)
        if counts in tried:
            break
        tried.add(counts)
        found = Fallback(_units(kept, cuts), tuple(kept))
        if best.cores < found.cores <= offered:
            best = found
        capacity += scale * (offered - found.cores)
    return best


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
) -> Movable:  # fmt: skip
    watts = standing_watts(system, available, host)
    unit = make_unit(name, copies.layers, copies.experts, views, cuts)
    size, moved, streamed = 0, 0, 0.0
    for view in views:
        shards = [tile.on(*divmod(place, system.chip.cores)) for place, tile in enumerate(cuts.of([(view,)]))]
        prices = price_view(program.network, view, shards, system, host, available)
        size += core_parts(view, shards, cuts.limits, scale)
        moved += prices.gain(watts)
        streamed += prices.stream.bytes - prices.chip.bytes  # of the weights, beside the messages
    return Movable(unit, min(size, unit.cores * scale), moved, streamed)


def _units(groups: Sequence[Movable], cuts: Cuts) -> tuple[Unit, ...]:
    """Units of what stays: in each layer what every token meets together, experts apart."""
    always, units = list[Unit](), list[Unit]()
    together: dict[int, list[int]] = {}
    for index, group in enumerate(groups):
        unit = group.unit
        if unit.per_layer == 1:
            for layer in unit.layers[: group.kept]:
                together.setdefault(layer, []).append(index)
            continue
        whole, rest = divmod(group.kept, unit.per_layer)
        for layers, copies in ((unit.layers[:whole], unit.per_layer), (unit.layers[whole : whole + 1], rest)):
            if layers and copies:
                units.append(make_unit(unit.name, layers, copies, unit.views, cuts))
    sets: dict[tuple[int, ...], list[int]] = {}
    for layer, members in sorted(together.items()):
        sets.setdefault(tuple(members), []).append(layer)
    for inside, where in sets.items():
        views = [view for index in inside for view in groups[index].unit.views]
        always.append(make_unit(groups[inside[0]].unit.name.split(":")[0], tuple(where), 1, views, cuts))
    return tuple(shared([*always, *units], cuts))
