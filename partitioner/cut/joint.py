"""Split islands into tiles that fit one core each. Sizes only: no weight is read.

`cut/bands.py` lists the ways to cut one island, `cut/choice.py` says what each costs and which is best; here the choice is
made for all islands together, and turned into tiles. Islands of equal shape are solved once and stamped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from neurodeploy.ir.chip import SystemSpec
from partitioner.cost.budget import core_limits
from partitioner.cost.population import View
from partitioner.cut.bands import BandCutter
from partitioner.cut.choice import ONE, Prices, Way, figures_of, hull, prices_of, value_of
from partitioner.cut.pour import Pour
from partitioner.cut.rules import Rule
from partitioner.cut.stamp import Stamp, Tile
from partitioner.options import Options

#: Networks: a split into more column blocks must save this part of the cores to be taken.
GAIN = 0.1
#: Blockings of an island whose levels are looked at, and levels of each.
BLOCKINGS, LEVELS = 4, 16
#: Growth of the number of bands from one level to the next, where levels are candidates and where cores are to be shared.
COARSE, FINE = 1.5, 1.1
#: The part of the cores that are there which a choice may plan with: small tiles never pack without loss.
PLANNED = Fraction(99, 100)


class Split(NamedTuple):
    """The tiles of all islands in their order. Tiles whose words in `apart` differ never share a core: an expert keeps
    its cores to itself where that costs no chip, so that chips of idle experts can be gated."""

    tiles: list[Tile]
    apart: list[str]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Islands that are cut alike: how, in the order of what a saved core costs (`cut.choice.hull`)."""

    cutter: BandCutter
    share: Fraction
    members: list[int]
    ways: list[Way]


def split_islands(
    islands: Sequence[View], rules: Mapping[str, Rule], system: SystemSpec, options: Options, available: int
) -> Split:
    """Cut all islands, each by its rule.

    Raises
    ------
    DoesNotFit ND2002 : one neuron of an island fits no core, however its columns are split; or a pin cannot be held.
    UserError ND2003 : the objective needs costs that the chip's table lacks.
    """
    prices = prices_of(system) if options.objective in ("latency", "energy") or options.spread else None
    shapes = _shapes(islands, rules)
    for shape in shapes:
        shape.ways.extend(Way(cut, figures_of(shape.cutter, cut, shape.share, prices)) for cut in shape.cutter.cuts())
    ranked = _ranked(shapes, options.objective, prices, available)
    chosen = _within(shapes, ranked, int(available * system.chip.cores * PLANNED), len(islands))
    if options.spread:
        chosen = _spread(shapes, chosen, prices, system, available)
    limits = core_limits(system.chip, options.max_rows, options.caps)
    experts = _apart(islands, chosen, system.chip.cores)
    filling = options.objective == "cores" and not options.spread
    pours: dict[str, Pour] = {}
    tiles: list[Tile] = []
    words: list[str] = []
    for island, (way, _) in zip(islands, chosen, strict=True):
        word = island.group if island.group in experts else ""
        pour = pours.setdefault(word, Pour(limits)) if filling else None
        tiles.extend(Stamp(island, way.cut).tiles(pour))
        words.extend([word] * (len(tiles) - len(words)))
    return Split(tiles, words)


def _shapes(islands: Sequence[View], rules: Mapping[str, Rule]) -> list[_Shape]:
    found: dict[tuple[object, ...], _Shape] = {}
    for index, island in enumerate(islands):
        rule = rules[island.name]
        heads = tuple((part.rows, part.heads) for part in island.slices)
        key = (
            island.rows,
            island.columns,
            island.outputs,
            island.sums.key,
            heads,
            rule.rows,
            rule.blocks,
            island.share,
        )
        if key not in found:
            found[key] = _Shape(BandCutter(island, rule), island.share, [], [])
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
            shape.ways.append(Way(cut, figures_of(shape.cutter, cut, shape.share, prices)))


def _within(
    shapes: Sequence[_Shape], ranked: Sequence[list[tuple[int, int, int]]], cores: int, count: int
) -> list[tuple[Way, BandCutter]]:
    """One way for each island, by Lagrange: the best, and where these take too many cores the next for some."""
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
    found: list[tuple[Way, BandCutter] | None] = [None] * count
    for shape, order, places in zip(shapes, ranked, at, strict=True):
        for member, place in zip(shape.members, places, strict=True):
            found[member] = shape.ways[order[place][2]], shape.cutter
    return [way for way in found if way is not None]


def _apart(islands: Sequence[View], chosen: Sequence[tuple[Way, BandCutter]], cores_per_chip: int) -> set[str]:
    """The experts, if whole cores for each cost no chip more, or less than a hundredth of the cores."""
    sizes: dict[str, int] = {}
    for island, (way, _) in zip(islands, chosen, strict=True):
        if island.expert:
            sizes[island.group] = sizes.get(island.group, 0) + way.figures.cores
    total = sum(way.figures.cores for way, _ in chosen)
    more = sum(-size % ONE for size in sizes.values())
    before, after = (-(-int((total + extra) / PLANNED) // (ONE * cores_per_chip)) for extra in (0, more))
    return set(sizes) if after == before or more * 100 < total else set()


def _spread(
    shapes: Sequence[_Shape],
    chosen: list[tuple[Way, BandCutter]],
    prices: Prices | None,
    system: SystemSpec,
    available: int,
) -> list[tuple[Way, BandCutter]]:
    """The same column blocks in tiles as even as the cores of the chips that are needed allow: the busiest has least."""
    needed = -(-sum(way.figures.cores for way, _ in chosen) // (ONE * system.chip.cores))
    room = min(needed, available) * system.chip.cores
    levels: dict[int, list[Way]] = {}
    for way, cutter in chosen:
        if id(way) not in levels:
            cuts = cutter.levels(way.cut, FINE, room)
            levels[id(way)] = [way, *(Way(cut, figures_of(cutter, cut, Fraction(1), prices)) for cut in cuts)]
    times = sorted({level.figures.time for found in levels.values() for level in found})
    low, high = 0, len(times) - 1  # the largest time always fits: it is that of the tallest tiles
    while low < high:
        middle = (low + high) // 2
        if sum(_least(levels[id(way)], times[middle]).cut.tiles for way, _ in chosen) <= room:
            high = middle
        else:
            low = middle + 1
    return [(_least(levels[id(way)], times[low]), cutter) for way, cutter in chosen]


def _least(levels: Sequence[Way], time: int) -> Way:
    """The fewest tiles with at most this time, or the shortest time that there is."""
    fast = [way for way in levels if way.figures.time <= time]
    return min(fast, key=lambda way: way.cut.tiles) if fast else min(levels, key=lambda way: way.figures.time)
