"""Cut all populations of a network into tiles.

Out-axons depend on how the targets are cut, and these on theirs: populations are cut from the last to the first with
the destinations known so far, and those whose tiles turn out too large are cut again until none is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import INPUT, Network

from .network_cost import Sends, destinations, format_of, sends_of
from .network_cut import LEVELLED, Cut, Cutter, Rule, TooLarge, needs
from .split import Tile
from .usage import fits

#: How often a population is cut again because its destinations have become more.
ROUNDS = 24
#: Per cent of the destinations that are counted on top from the third round on, as many more with each: so that cuts
#: that chase one another come to rest.
RESERVE = 2


Rules = Mapping[str, Rule]


def split_network(network: Network, chip: ChipSpec, rules: Rules, weight_bits: int | None = None) -> dict[str, Cut]:
    """How every population but the inputs is cut; `rules` has one for each of them.

    Raises
    ------
    DoesNotFit ND2011 : a neuron exceeds a core, however its columns are cut.
    DoesNotFit ND2013 : the tables of destinations grow as fast as the tiles shrink.
    """
    form = format_of(chip, weight_bits)
    sizes = {
        name: Cutter(network, name, form, rules[name])
        for name, population in network.populations.items()
        if population.model != INPUT
    }
    reached = {
        part.projection.name: np.ones(part.units.count, np.int64)
        for population in sizes.values()
        for part in population.parts
    }
    cuts: dict[str, Cut] = {}
    waiting = list(reversed(sizes))
    for turn in range(ROUNDS):
        for name in waiting:
            cuts[name] = sizes[name].cut_with(sends_of(network, name, reached), RESERVE * max(0, turn - 1))
            reached |= _reached(sizes[name], cuts[name])
        waiting = [
            name for name in reversed(sizes) if _settle(sizes[name], cuts[name], sends_of(network, name, reached))
        ]
        if not waiting:
            return {name: cuts[name] for name in sizes}
    raise _unstable(sizes[waiting[0]], cuts[waiting[0]])


def levelled(
    network: Network, chip: ChipSpec, rules: Rules, cuts: dict[str, Cut], weight_bits: int | None = None
) -> dict[str, Cut] | None:
    """The same cuts with tiles of equal length; None where they would not fit."""
    if not any(1 < len(rows) <= LEVELLED for cut in cuts.values() for rows in cut.blocks.values()):
        return None
    form = format_of(chip, weight_bits)
    sizes = {name: Cutter(network, name, form, rules[name]) for name in cuts}
    reached: dict[str, Ints] = {}
    for name, population in sizes.items():
        reached |= _reached(population, cuts[name])
    found: dict[str, Cut] = {}
    for name in reversed(sizes):
        try:
            found[name] = sizes[name].level(cuts[name], sends_of(network, name, reached))
        except TooLarge:
            return None
        if found[name] is not cuts[name]:
            reached |= _reached(sizes[name], found[name])
    found = {name: replace(found[name], demands=dict(found[name].demands)) for name in sizes}
    large = [name for name in sizes if _settle(sizes[name], found[name], sends_of(network, name, reached))]
    return None if large else found


def _reached(population: Cutter, cut: Cut) -> dict[str, Ints]:
    """Destinations of each unit of every projection into a population."""
    found = {}
    for part in population.parts:
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


def _settle(population: Cutter, cut: Cut, sends: Sends) -> bool:
    """Bring the demands up to date with the destinations; whether a tile has become too large."""
    homes = [None] if len(cut.reducers) else [(0, population.columns)]
    large = False
    for (columns, rows), demand in cut.demands.items():
        if columns in homes:
            out = sends.count(rows)
            state = demand[4] + population.form.axon * (out - demand[3])
            cut.demands[columns, rows] = (demand[0], demand[1], demand[2], out, state)
            large = large or not fits(cut.demands[columns, rows], population.limits)
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
