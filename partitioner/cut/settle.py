"""Cut all populations into tiles: those whose rows are alike together (`cut.joint`), the others row by row (`cut.rows`).

Out-axons depend on how the targets are cut, and these on theirs: populations are cut from the last to the first with
the destinations known so far, and those whose tiles turn out too large are cut again until none is. Where rows are alike
every neuron is counted with the out-axons of the one that has most; the exact ones follow once all populations are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np

from neurodeploy.errors import DoesNotFit, some
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from partitioner.cost.budget import Limits, fits, needs
from partitioner.cost.lists import Destinations, reached
from partitioner.cost.population import View
from partitioner.cut.beside import beside_weights
from partitioner.cut.joint import Split, split_uniform
from partitioner.cut.known import KnownCuts
from partitioner.cut.rows import LEVELLED, Cut, TooLarge
from partitioner.cut.rules import Rule
from partitioner.cut.stamp import Tile
from partitioner.options import Options

#: How often a population is cut again because its destinations have become more.
ROUNDS = 24
#: Per cent of the destinations that are counted on top from the third round on, as many more with each: so that cuts
#: that chase one another come to rest.
RESERVE = 2
Views = Mapping[str, View]
Rules = Mapping[str, Rule]
Found = TypeVar("Found")


def split(
    views: Views, rules: Rules, system: SystemSpec, options: Options, available: int, *, filling: bool = True,
    known: KnownCuts | None = None,
) -> Split:  # fmt: skip
    """How every population is cut; `rules` has one for each of them, the rest is as for `split_uniform`. known : of earlier
    calls with the same system and options; this one adds to it.

    Raises
    ------
    DoesNotFit ND2002 : a neuron exceeds a core, however its columns are cut.
    DoesNotFit ND2013 : the tables of destinations grow as fast as the tiles shrink.
    """
    known, rules = KnownCuts() if known is None else known, {**rules, **beside_weights(views, rules)}
    ragged = {name for name, view in views.items() if not view.uniform}
    units = {
        part.projection.name: Destinations(np.ones(part.units.count, np.int64))
        for view in views.values()
        for part in view.segments
        if part.projection.source in views
    }
    cuts: dict[str, Cut] = {}
    apart: frozenset[str] = frozenset()

    def alone(name: str, reserve: int) -> Cut:
        return known.cut(views[name], rules[name], replace(views[name].sends(units), reserve=reserve))

    def together(names: Sequence[str], reserve: int) -> Split:
        sends = {name: replace(views[name].sends(units), reserve=reserve) for name in names}
        asked = [replace(views[name], outputs=sends[name].most(views[name].rows)) for name in names]
        taken = sum(len(cut.demands) for name, cut in cuts.items() if name not in sends)
        return split_uniform(asked, rules, system, options, available, taken=taken, filling=filling, known=known.shapes)

    waiting = list(views)[::-1]
    for turn in range(ROUNDS):
        reserve = RESERVE * max(0, turn - 1)
        for name in waiting:
            if name in ragged:
                cuts[name] = _with_reserve(partial(alone, name), reserve)
                units.update(_reached(views, name, cuts[name], known))
        if even := [name for name in reversed(waiting) if name not in ragged]:
            found = _with_reserve(partial(together, even), reserve)
            cuts |= found.cuts
            apart |= found.apart
            for name in even:
                units.update(_reached(views, name, cuts[name], known))
        waiting = [name for name in list(views)[::-1] if _settle(views[name], cuts[name], units, rules[name].limits)]
        if not waiting:
            return Split({name: cuts[name] for name in views}, apart)
    raise _unstable(views[waiting[0]], cuts[waiting[0]], rules[waiting[0]].limits)


def _with_reserve(cut: Callable[[int], Found], reserve: int) -> Found:
    """With so many per cent of the destinations on top, unless a neuron does not fit with them."""
    try:
        return cut(reserve)
    except DoesNotFit:
        if not reserve:
            raise
    return cut(0)


def levelled(views: Views, rules: Rules, cuts: dict[str, Cut], known: KnownCuts) -> dict[str, Cut] | None:
    """The same cuts with tiles of equal length where rows differ; None where they would not fit, or nothing changes."""
    sizes = [name for name, view in views.items() if not view.uniform]
    if not any(1 < len(rows) <= LEVELLED for name in sizes for rows in cuts[name].blocks.values()):
        return None
    units: dict[str, Destinations] = {}
    for name in views:
        units |= _reached(views, name, cuts[name], known)
    found = dict(cuts)
    for name in reversed(sizes):
        try:
            found[name] = known.level(views[name], rules[name], cuts[name], views[name].sends(units))
        except TooLarge:
            return None
        if found[name] is not cuts[name]:
            units |= _reached(views, name, found[name], known)
    found = {name: replace(cut, demands=dict(cut.demands)) for name, cut in found.items()}
    large = [name for name in views if _settle(views[name], found[name], units, rules[name].limits)]
    return None if large else found


def _reached(views: Views, name: str, cut: Cut, known: KnownCuts) -> dict[str, Destinations]:
    """Destinations of each unit of every projection into a population that comes from another."""
    parts = (part for part in views[name].segments if part.projection.source in views)
    return {part.projection.name: known.reached(part, cut) for part in parts}


def tiles_of(views: Views, cuts: Mapping[str, Cut]) -> tuple[Tile, ...]:
    """The tiles of all populations, those of each in the order in which they are packed."""
    return tuple(
        Tile(name, "synapses", rows, columns, views[name].group, demand)
        if columns is not None
        else Tile(name, "reducer", rows, (0, len(cut.blocks)), views[name].group, demand)
        for name, cut in cuts.items()
        for (columns, rows), demand in cut.demands.items()
    )


def unit_sends(views: Views, source: str, cuts: Mapping[str, Cut]) -> Ints:
    """Out-axons of each neuron of a population by what these cuts reach, (rows,); not where a convolution reads it."""
    found = np.full(views[source].rows, views[source].outputs, np.int64)
    for name, cut in cuts.items():
        for part in views[name].segments:
            if part.projection.source == source:
                found[:: part.units.size] += reached(part, cut.blocks).each
    return found


def _settle(view: View, cut: Cut, units: Mapping[str, Destinations], limits: Limits) -> bool:
    """Bring the demands up to date with the destinations; whether a tile has become too large."""
    home = None if len(cut.reducers) else view.whole
    tiles = [(columns, rows) for columns, rows in cut.demands if columns == home]
    large = False
    for tile, out in zip(tiles, view.sends(units).counts([rows for _, rows in tiles]), strict=True):
        neurons, stored, axons, before, state = cut.demands[tile]
        if out != before:
            cut.demands[tile] = (neurons, stored, axons, out, state + view.form.axon * (out - before))
        large = large or not fits(cut.demands[tile], limits)
    return large


def _unstable(view: View, cut: Cut, limits: Limits) -> DoesNotFit:
    worst = max(cut.demands.values(), key=lambda demand: (not fits(demand, limits), demand[4]))
    return DoesNotFit(
        "ND2013",
        view.name,
        f"its {some(view.rows, 'neuron')} reach so many cores that their axon tables do not fit: a tile of "
        f"{some(worst[0], 'neuron')} needs {needs(worst, limits)}, and smaller tiles have more destinations",
        "connect it to fewer neurons, or choose a chip with larger tables",
    )
