"""Cut all populations of a network into tiles.

Out-axons depend on how the targets are cut, and these on theirs: populations are cut from the last to the first with
the destinations known so far, and those whose tiles turn out too large are cut again until none is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.fixedpoint import Ints
from partitioner.cost.budget import Limits, fits, needs
from partitioner.cost.lists import destinations
from partitioner.cost.population import View
from partitioner.cut.rows import LEVELLED, Cut, Cutter, TooLarge
from partitioner.cut.rules import Rule
from partitioner.cut.stamp import Tile

#: How often a population is cut again because its destinations have become more.
ROUNDS = 24
#: Per cent of the destinations that are counted on top from the third round on, as many more with each: so that cuts
#: that chase one another come to rest.
RESERVE = 2


Rules = Mapping[str, Rule]


def split_network(views: Mapping[str, View], rules: Rules) -> dict[str, Cut]:
    """How every population is cut; `rules` has one for each of them.

    Raises
    ------
    DoesNotFit ND2002 : a neuron exceeds a core, however its columns are cut.
    DoesNotFit ND2013 : the tables of destinations grow as fast as the tiles shrink.
    """
    sizes = {name: Cutter(view, rules[name]) for name, view in views.items()}
    reached = {
        part.projection.name: np.ones(part.units.count, np.int64)
        for population in sizes.values()
        for part in population.parts
    }
    cuts: dict[str, Cut] = {}
    waiting = list(reversed(sizes))
    for turn in range(ROUNDS):
        for name in waiting:
            cuts[name] = sizes[name].cut_with(views[name].sends(reached), RESERVE * max(0, turn - 1))
            reached |= _reached(views[name], cuts[name])
        waiting = [name for name in reversed(sizes) if _settle(views[name], cuts[name], reached, rules[name].limits)]
        if not waiting:
            return {name: cuts[name] for name in sizes}
    raise _unstable(sizes[waiting[0]], cuts[waiting[0]])


def levelled(views: Mapping[str, View], rules: Rules, cuts: dict[str, Cut]) -> dict[str, Cut] | None:
    """The same cuts with tiles of equal length; None where they would not fit."""
    if not any(1 < len(rows) <= LEVELLED for cut in cuts.values() for rows in cut.blocks.values()):
        return None
    sizes = {name: Cutter(views[name], rules[name]) for name in cuts}
    reached: dict[str, Ints] = {}
    for name in sizes:
        reached |= _reached(views[name], cuts[name])
    found: dict[str, Cut] = {}
    for name in reversed(sizes):
        try:
            found[name] = sizes[name].level(cuts[name], views[name].sends(reached))
        except TooLarge:
            return None
        if found[name] is not cuts[name]:
            reached |= _reached(views[name], found[name])
    found = {name: replace(found[name], demands=dict(found[name].demands)) for name in sizes}
    large = [name for name in sizes if _settle(views[name], found[name], reached, rules[name].limits)]
    return None if large else found


def _reached(view: View, cut: Cut) -> dict[str, Ints]:
    """Destinations of each unit of every projection into a population."""
    found = {}
    for part in view.segments:
        none = np.zeros(part.units.count, np.int64)
        blocks = cut.blocks.items()
        found[part.projection.name] = sum((destinations(part, rows, columns) for columns, rows in blocks), start=none)
    return found


def tiles_of(name: str, cut: Cut) -> list[Tile]:
    """The tiles of a population in row order, reducers last."""
    found = [
        Tile(name, "synapses", (int(start), int(stop)), columns, name, cut.demands[columns, (int(start), int(stop))])
        for columns, rows in cut.blocks.items()
        for start, stop in rows
    ]
    found.sort(key=lambda tile: (tile.rows, tile.cols))
    for start, stop in cut.reducers:
        rows = (int(start), int(stop))
        found.append(Tile(name, "reducer", rows, (0, len(cut.blocks)), name, cut.demands[None, rows]))
    return found


def unit_sends(views: Mapping[str, View], source: str, cuts: Mapping[str, Cut]) -> Ints:
    """Out-axons of each neuron of a population by what these cuts reach, (rows,); not where a convolution reads it."""
    found = np.full(views[source].rows, views[source].outputs, np.int64)
    for name, cut in cuts.items():
        for part in views[name].segments:
            if part.projection.source == source:
                for columns, rows in cut.blocks.items():
                    found[:: part.units.size] += destinations(part, rows, columns)
    return found


def _settle(view: View, cut: Cut, reached: Mapping[str, Ints], limits: Limits) -> bool:
    """Bring the demands up to date with the destinations; whether a tile has become too large."""
    homes, sends = [None] if len(cut.reducers) else [view.whole], view.sends(reached)
    large = False
    for (columns, rows), demand in cut.demands.items():
        if columns in homes:
            out = sends.count(rows)
            state = demand[4] + view.form.axon * (out - demand[3])
            cut.demands[columns, rows] = (demand[0], demand[1], demand[2], out, state)
            large = large or not fits(cut.demands[columns, rows], limits)
    return large


def _unstable(population: Cutter, cut: Cut) -> DoesNotFit:
    worst = max(cut.demands.values(), key=lambda demand: (not fits(demand, population.limits), demand[4]))
    return DoesNotFit(
        "ND2013",
        population.name,
        f"its {population.size} neurons reach so many cores that their axon tables do not fit: a tile of {worst[0]} "
        f"neurons needs {needs(worst, population.limits)}, and smaller tiles have more destinations",
        "connect it to fewer neurons, or choose a chip with larger tables",
    )
