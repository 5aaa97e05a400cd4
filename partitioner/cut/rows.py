"""Cut one population of a network into tiles of at most one core. No weight is read, only which synapses exist.

Rows in order, each tile as long as its core allows, or up to the last of the places where the order says that a tile
should end (`Rule.stops`: the edges of blocks of channels, of parts of a hypergraph). Columns are cut only where one neuron
exceeds a core, or where somebody asks for it (`Rule.blocks`); then reducers add the partial sums and hold the neurons.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from neurodeploy.errors import DoesNotFit, some
from neurodeploy.flow.words import Range
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.synapses import Sparse
from partitioner.cost.budget import Demand, fits, needs, over
from partitioner.cost.lists import Segment, one_tile
from partitioner.cost.population import Sends, View
from partitioner.cut.grown import GrownTiles, TileGrowth, grown_reducers, grows
from partitioner.cut.rules import Rule

if TYPE_CHECKING:
    from partitioner.cut.sweep import RowLists

#: Populations of at most so many tiles are cut again into as many of equal length.
LEVELLED = 256


@dataclass(slots=True, eq=False)
class Cut:
    """How a population lies on cores: for each block of columns its row ranges, and the ranges of its reducers.

    demands : by columns (None: a reducer) and rows, in the order in which the tiles are packed. stopped : which budgets
    ended tiles, and how often.
    """

    blocks: dict[Range, Ints]
    reducers: Ints = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    demands: dict[tuple[Range | None, Range], Demand] = field(default_factory=dict)
    stopped: Counter[str] = field(default_factory=Counter)


class TooLarge(Exception):
    """One neuron does not fit: its row, what it needs, and whether that is its synapses or its reducer."""

    def __init__(self, row: int, demand: Demand, what: str) -> None:
        super().__init__(row)
        self.row, self.demand, self.what = row, demand, what


class Cutter:
    """What stays the same about one population while it is cut."""

    def __init__(self, view: View, rule: Rule) -> None:
        self.view, self.rule, self.limits = view, rule, rule.limits
        self.name, self.form, self.parts = view.name, view.form, view.segments
        self.size, self.columns = view.rows, view.columns
        self.lists: tuple[list[tuple[RowLists, int]], list[Segment]] | None = None

    def cut(self, sends: Sends) -> Cut:
        """Whole rows where they fit, else the fewest blocks of columns (doubling) that do. ND2002 where none do."""
        whole: Range = (0, self.columns)
        found, count = Cut({}), min(self.rule.blocks or 1, self.columns)
        problem: TooLarge | None = None
        if count == 1:
            try:
                self._rows(found, whole, sends, self.rule.rows)
                return found
            except TooLarge as first:
                problem = first
            over = zip(problem.demand[1:3], self.limits[1:3], strict=True)
            least = max((-(-used // limit) for used, limit in over if limit), default=2)
            count = max(2, min(least, self.columns))
        while count <= min(self.columns, self.rule.most_blocks or self.columns):
            block = max(1, -(-self.columns // count))
            try:
                return self._blocks(block, sends)
            except TooLarge as larger:
                problem = larger
            if block == 1 or problem.what == "reducer":
                break
            count *= 2
        if problem is None or (self.rule.most_blocks and count > self.rule.most_blocks):
            raise _not_so(self, problem)
        raise _impossible(self, problem)

    def longest(self, row: int, end: int) -> int:
        """How many rows from `row` on fit a core if they send nothing; not for sparse synapses."""
        whole: Range = (0, self.columns)

        def demand(stop: int) -> Demand:
            costs = [one_tile(part, (row, stop), whole, self.form) for part in self.parts]
            stored, axons = sum(c[0] for c in costs), sum(c[1] for c in costs)
            return self.view.home(stop - row, stored, axons, 0)

        most = min(end, row + (self.limits[0] or end), row + (self.rule.rows or end))
        return bisect_right(range(row + 1, most + 1), False, key=lambda s: not fits(demand(s), self.limits))

    def _blocks(self, block: int, sends: Sends) -> Cut:
        """Blocks of `block` columns, and reducers; these first, because they soon say that there are too many blocks."""
        found = Cut({})
        columns = [(start, min(start + block, self.columns)) for start in range(0, self.columns, block)]
        words = sum(self.view.sums.words(part) for part in columns)
        tiles = grown_reducers(self.view, words, sends, self.limits)
        found.reducers = self._taken(found, None, tiles, "reducer")
        for part in columns:
            self._rows(found, part, sends, self.rule.rows)
        reducers = [key for key in found.demands if key[0] is None]
        synapses = sorted((rows, part) for part, rows in found.demands if part is not None)
        found.demands = {key: found.demands[key] for key in [*((part, rows) for rows, part in synapses), *reducers]}
        return found

    def level(self, cut: Cut, sends: Sends) -> Cut:
        """The same number of tiles of about equal length, where that is possible: the busiest core sets the pace."""
        whole: Range = (0, self.columns)
        count = len(cut.blocks.get(whole, ()))
        if not 1 < count <= LEVELLED:
            return cut
        found = Cut({}, stopped=cut.stopped.copy())
        self._rows(found, whole, sends, min(-(-self.size // count), self.rule.rows or self.size))
        found.stopped = cut.stopped
        return found if len(found.blocks[whole]) == count else cut

    def _rows(self, found: Cut, columns: Range, sends: Sends, cap: int | None = None) -> None:
        """Cut all rows of one block of columns, at most `cap` a tile; tiles and their demands go into `found`."""
        most = min(self.size, self.limits[0] or self.size, cap or self.size)
        if columns == self.view.whole and self.growth is not None:
            tiles = self.growth.tiles(sends, self.limits, most, self.rule.stops)
            found.blocks[columns] = self._taken(found, columns, tiles, "synapses")
            return
        known, others = self._row_lists(columns)
        words, home = self.view.sums.words(columns), columns == self.view.whole
        ranges: list[Range] = []
        row, ahead, last = 0, min(most, 64), 0
        while row < self.size:
            end = min(self.size, row + ahead)
            grown = np.zeros((2, end - row + 1), np.int64)
            for lists, bits in known:
                grown += lists.profile(row, end, self.form.header, bits)

            def demand(stop: int, row: int = row, grown: Ints = grown) -> Demand:
                costs = [grown[:, stop - row].tolist(), *(one_tile(p, (row, stop), columns, self.form) for p in others)]
                stored, axons = sum(c[0] for c in costs), sum(c[1] for c in costs)
                if not home:
                    return self.view.partial(stop - row, stored, axons, words)
                return self.view.home(stop - row, stored, axons, sends.count((row, stop)))

            if end < self.size and end - row < most and fits(demand(end), self.limits):
                ahead = min(most, 2 * ahead)  # the tile goes on behind what was looked at
                continue
            stop = self._longest(found, row, end, demand, last)
            last, stop = stop - row, self._stop(row, stop)
            found.demands[columns, (row, stop)] = demand(stop)
            ranges.append((row, stop))
            ahead = min(most, 2 * (stop - row) + 1)
            row = stop
        found.blocks[columns] = np.array(ranges, np.int64).reshape(-1, 2)

    @cached_property
    def growth(self) -> TileGrowth | None:
        return TileGrowth(self.view) if grows(self.view) else None

    def _taken(self, found: Cut, columns: Range | None, tiles: GrownTiles, what: str) -> Ints:
        """The ranges of rows of these tiles, which are `found` then."""
        if tiles.stuck is not None:
            raise TooLarge(int(tiles.rows[-1, 1]) if len(tiles.rows) else 0, tiles.stuck, what)
        for (first, last), demand in zip(tiles.rows.tolist(), tiles.demands, strict=True):
            found.demands[columns, (first, last)] = demand
        found.stopped.update(tiles.full)
        return tiles.rows

    def _row_lists(self, columns: Range) -> tuple[list[tuple[RowLists, int]], list[Segment]]:
        """Of these columns the sparse synapses by row, with the bits of each, and the parts of other kinds. Those of all
        columns are kept: a population may be cut several times."""
        if columns == (0, self.columns) and self.lists is not None:
            return self.lists
        here = [(part, part.within(columns)) for part in self.parts]
        inside = [(part, part.projection.synapse, own) for part, own in here if own[0] < own[1]]
        known = [
            (_row_lists(s, own), self.form.bits(part.projection) + self.form.index_bits)
            for part, s, own in inside
            if isinstance(s, Sparse)
        ]
        found = known, [part for part, s, _ in inside if not isinstance(s, Sparse)]
        if columns == (0, self.columns):
            self.lists = found
        return found

    def _longest(self, found: Cut, row: int, end: int, demand: Callable[[int], Demand], likely: int) -> int:
        """The last stop in row + 1 .. end whose tile fits; demands grow with it. Tiles of one population are mostly as long
        as the `likely` one before."""
        low, high, guess = row, end + 1, row + likely
        if row < guess < end and fits(demand(guess), self.limits):
            low, high = guess, high if fits(demand(guess + 1), self.limits) else guess + 1
        if low < high - 1 and fits(demand(high - 1), self.limits):
            low = high - 1
        stops = range(low + 1, high - 1)
        stop = low + bisect_right(stops, False, key=lambda s: not fits(demand(s), self.limits))
        if stop == row:
            raise TooLarge(row, demand(row + 1), "synapses")
        if stop < self.size and stop < end:
            found.stopped.update(name for name, _, _ in over(demand(stop + 1), self.limits))
        elif stop < self.size:
            found.stopped["neurons"] += 1
        return stop

    def _stop(self, row: int, stop: int) -> int:
        """The last place where a tile should end, of those that this one reaches."""
        stops = self.rule.stops
        if stops is None or stop == self.size:
            return stop
        index = int(np.searchsorted(stops, stop, side="right"))
        return int(stops[index - 1]) if index and int(stops[index - 1]) > row else stop


def _row_lists(synapse: Sparse, columns: Range) -> RowLists:
    from partitioner.cut.sweep import RowLists

    return RowLists(synapse, columns)


def _not_so(population: Cutter, problem: TooLarge | None) -> DoesNotFit:
    """The number of column blocks that was asked for cannot be kept."""
    rule = population.rule
    asked = rule.blocks if problem is None else rule.most_blocks
    why = f"it has {some(population.columns, 'axon')}"
    if problem is not None:
        why = f"neuron {problem.row} needs {needs(problem.demand, population.limits)}"
    return DoesNotFit(
        "ND2002",
        population.name,
        f"cannot be cut into {some(asked or 1, 'block')} of columns: {why}",
        "pin another number of blocks, or leave it to the mapper",
    )


def _impossible(population: Cutter, problem: TooLarge) -> DoesNotFit:
    whole = f"neuron {problem.row} with {some(population.columns, 'axon')}"
    text = {
        "synapses": f"{whole} needs {needs(problem.demand, population.limits)}, however its columns are cut",
        "reducer": f"the reducer of {whole} needs {needs(problem.demand, population.limits)}",
    }
    return DoesNotFit(
        "ND2002",
        population.name,
        text[problem.what],
        "choose a chip with larger cores, or give the neuron fewer connections or shorter delays",
    )
