"""Cut populations whose rows are alike (`View.uniform`) into tiles that fit one core each, all of them together.

`cut/bands.py` lists the ways to cut one, `cut/choice.py` says what each costs and which is best; here the choice is made for
all of them, and turned into tiles. Those of equal shape are solved once and stamped. Sizes only: no weight is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from neurodeploy.ir.chip import SystemSpec
from partitioner.cost.budget import core_limits, over
from partitioner.cost.population import View
from partitioner.cut.bands import BandCut, BandCutter
from partitioner.cut.choice import ONE, Prices, Way, figures_of, hull, prices_of, value_of
from partitioner.cut.pour import Pour
from partitioner.cut.rows import Cut
from partitioner.cut.rules import Rule
from partitioner.cut.stamp import Demands, stamped
from partitioner.options import Options

#: Blockings of a population whose levels are looked at, levels of each, growth of the number of bands from one to the next.
BLOCKINGS, LEVELS, COARSE = 4, 16, 1.5
#: The part of the cores that are there which a choice may plan with: small tiles never pack without loss.
PLANNED = Fraction(99, 100)


class Split(NamedTuple):
    """How each population is cut, in their order, and the groups that share no core with anything else: an expert keeps
    its cores to itself where that costs no chip, so that chips of idle experts can be gated."""

    cuts: dict[str, Cut]
    apart: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Populations that are cut alike: how, in the order of what a saved core costs (`cut.choice.hull`)."""

    cutter: BandCutter
    members: list[int]
    ways: list[Way]
    demands: Demands

    @classmethod
    def of(cls, view: View, rule: Rule, prices: Prices | None) -> _Shape:
        cutter = BandCutter(view, rule)
        return cls(cutter, [], [Way(cut, figures_of(cutter, cut, prices)) for cut in cutter.cuts()], {})

    def empty(self) -> _Shape:
        """The same without members, for another choice."""
        return replace(self, members=[], ways=list(self.ways))


#: Shapes that were worked out before, under the same limits and prices.
Shapes = dict[tuple[object, ...], _Shape]


def split_uniform(
    views: Sequence[View],
    rules: Mapping[str, Rule],
    system: SystemSpec,
    options: Options,
    available: int,
    *,
    taken: int = 0,
    filling: bool = True,
    known: Shapes | None = None,
) -> Split:
    """Cut these populations, each by its rule; `View.outputs` are all out-axons of a neuron.

    available : chips that may be used. taken : cores that other populations take of them. filling : whether what is left of
    the rows may be cut so that it fills cores, where the objective is "cores". known : shapes of earlier calls with the same
    system and options, which this one adds to.

    Raises
    ------
    DoesNotFit ND2002 : one neuron fits no core, however its columns are split; or a pin cannot be held.
    UserError ND2003 : the objective needs costs that the chip's table lacks.
    """
    prices = prices_of(system) if options.objective in ("latency", "energy") else None
    shapes = _shapes(views, rules, prices, {} if known is None else known)
    ranked = _ranked(shapes, options.objective, prices, available)
    chosen = _within(shapes, ranked, int(available * system.chip.cores * PLANNED) - taken, len(views))
    limits = core_limits(system.chip, options.max_rows, options.caps)
    experts = _apart(views, chosen, system.chip.cores)
    filling = filling and options.objective == "cores"
    pours: dict[str, Pour] = {}
    cuts = {}
    for view, (way, shape) in zip(views, chosen, strict=True):
        word = view.group if view.group in experts else ""
        pour = pours.setdefault(word, Pour(limits)) if filling and not way.cut.alone else None
        stamp = stamped(view, way.cut, pour, shape.demands)
        cuts[view.name] = replace(stamp, stopped=_stopped(shape.cutter, way.cut))
    return Split(cuts, frozenset(experts))


def _stopped(cutter: BandCutter, cut: BandCut) -> Counter[str]:
    """Which budgets ended how many tiles."""
    found: Counter[str] = Counter()
    for band in () if cut.alone else cut.bands[:-1] or cut.bands:
        if band.rows < cutter.view.rows:
            demand = cutter.view.tile(band.rows + 1, cut.width, max(cut.words))
            for name, _, _ in over(demand, cutter.rule.limits):
                found[name] += band.count * len(cut.blocks)
    return found


def _shapes(views: Sequence[View], rules: Mapping[str, Rule], prices: Prices | None, known: Shapes) -> list[_Shape]:
    found: Shapes = {}
    for index, view in enumerate(views):
        beside, kinds = view.inner
        inner = (beside, *((kind.columns, kind.inner_bytes(1, kind.columns)) for kind in kinds))
        rule, form = rules[view.name], (view.row_bits, view.neuron, view.table, view.microcoded, inner)
        heads = tuple((part.rows, part.heads) for part in view.sections)
        asked = (rule.rows, rule.blocks, rule.even, rule.rate)
        key = (view.rows, view.columns, view.outputs, view.sums.key, form, heads, asked, view.share)
        if key not in found:
            if key not in known:
                known[key] = _Shape.of(view, rule, prices)
            found[key] = known[key].empty()
        found[key].members.append(index)
    return list(found.values())


def _ranked(
    shapes: Sequence[_Shape], objective: str, prices: Prices | None, chips: int
) -> list[list[tuple[int, int, int]]]:
    """For each shape (cores, figure, index) of its ways from the best by the objective to the one with fewest cores."""
    total_time = 0
    if objective in ("latency", "energy"):
        for shape in shapes:
            fewest = min(shape.ways, key=lambda way: (way.figures.cores, way.figures.messages))
            total_time += fewest.figures.time * len(shape.members)
            _add_levels(shape, prices)
    cores = sum(min(way.figures.cores for way in shape.ways) * len(shape.members) for shape in shapes)
    needed = min(chips, -(-cores // (ONE * prices.cores))) if prices else 0
    found = []
    for shape in shapes:
        points = []
        for index, way in enumerate(shape.ways):
            value = value_of(way.figures, objective, way.cut, total_time, needed, prices)
            points.append((way.figures.cores, value, index))
        found.append(hull(points))
    return found


def _add_levels(shape: _Shape, prices: Prices | None) -> None:
    points = [(way.figures.cores, way.figures.messages, index) for index, way in enumerate(shape.ways)]
    picked = dict.fromkeys([0, *(index for *_, index in hull(points)[:BLOCKINGS])])
    for index in list(picked)[:BLOCKINGS]:
        for cut in shape.cutter.levels(shape.ways[index].cut, COARSE, LEVELS):
            shape.ways.append(Way(cut, figures_of(shape.cutter, cut, prices)))


def _within(
    shapes: Sequence[_Shape], ranked: Sequence[list[tuple[int, int, int]]], cores: int, count: int
) -> list[tuple[Way, _Shape]]:
    """One way for each population, by Lagrange: the best, and where these take too many cores the next for some."""
    steps = []
    for number, order in enumerate(ranked):
        for place, (a, b) in enumerate(pairwise(order)):
            saved = a[0] - b[0]
            steps.append((Fraction(b[1] - a[1], saved), number, place, saved))
    at = [[0] * len(shape.members) for shape in shapes]
    over = sum(order[0][0] * len(shape.members) for shape, order in zip(shapes, ranked, strict=True))
    over -= cores * ONE
    for _, number, place, saved in sorted(steps):
        if over <= 0:
            break
        moved = min(len(shapes[number].members), -(-over // saved))
        for member in range(moved):
            at[number][member] = place + 1
        over -= moved * saved
    found: list[tuple[Way, _Shape] | None] = [None] * count
    for shape, order, places in zip(shapes, ranked, at, strict=True):
        for member, place in zip(shape.members, places, strict=True):
            found[member] = shape.ways[order[place][2]], shape
    return [way for way in found if way is not None]


def _apart(views: Sequence[View], chosen: Sequence[tuple[Way, _Shape]], cores_per_chip: int) -> set[str]:
    """The experts, if whole cores for each cost no chip more, or less than a hundredth of the cores."""
    sizes: dict[str, int] = {}
    for view, (way, _) in zip(views, chosen, strict=True):
        if view.expert:
            sizes[view.group] = sizes.get(view.group, 0) + way.figures.cores
    total = sum(way.figures.cores for way, _ in chosen)
    more = sum(-size % ONE for size in sizes.values())
    before, after = (-(-int((total + extra) / PLANNED) // (ONE * cores_per_chip)) for extra in (0, more))
    return set(sizes) if after == before or more * 100 < total else set()
