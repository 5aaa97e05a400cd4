"""The closed form of `cut.bands` for a population of a network whose rows are alike: all its synapses are all-to-all.

Bands of equal rows over all blocks of columns, as tall as they can be, with the reducers riding along or in small pieces,
the way that takes least by the objective: fewer cores than blocks cut row by row, whose reducers have tiles of their own.
Every neuron is counted with the out-axons of the one that has most; the exact ones follow once all populations are cut.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

from partitioner.cost.budget import over
from partitioner.cost.population import Sends, View
from partitioner.cut.bands import BandCutter
from partitioner.cut.choice import figures_of, value_of
from partitioner.cut.pour import Pour
from partitioner.cut.rules import Rule
from partitioner.cut.stamp import Stamp, Tile


def banded(view: View, rule: Rule, sends: Sends) -> tuple[list[Tile], Counter[str]]:
    """The tiles, and which budgets ended how many of them.

    Raises
    ------
    DoesNotFit ND2002 : one neuron exceeds a core, however its columns are cut.
    """
    cutter = BandCutter(replace(view, outputs=sends.most(view.rows)), rule)
    ways = [(cut, figures_of(cutter, cut, Fraction(1), None)) for cut in cutter.cuts()]
    cut, _ = min(ways, key=lambda way: (value_of(way[1], rule.objective, way[0], 0, 0, None), way[1].messages))
    stopped: Counter[str] = Counter()
    for band in cut.bands[:-1] if len(cut.bands) > 1 else cut.bands:
        demand = cutter.view.tile(band.rows + 1, cut.width, max(cut.words))
        for name, _, _ in over(demand, rule.limits):
            stopped[name] += band.count * len(cut.blocks)
    pour = Pour(rule.limits) if rule.objective == "cores" else None
    return list(Stamp(cutter.view, cut).tiles(pour)), stopped
