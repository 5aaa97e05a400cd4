"""The ways to cut one island: column blocks, rows of a tile, and how the reducers ride along. Sizes only.

All rows of an island have the same column blocks. Rows are cut in *bands*: every block of a band has a tile of the same
rows. Where columns are cut, the rows' partial sums need reducers: memory and in-axons that are small beside the tiles',
so they get no cores of their own. Instead some bands are a little lower and each of their tiles leaves room for the
reducers of a few rows (`carried`). What is left of the rows is a short last band, and what is left of the reducers
small pieces; both share cores with whatever else is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from neurodeploy.errors import DoesNotFit, some
from neurodeploy.flow.words import Range
from neurodeploy.ir.network import BLOCK
from partitioner.cost.budget import Demand, Limits, most_rows, needs
from partitioner.cost.population import View
from partitioner.cut.rules import Rule

#: Where a way has been found, blocks of less than sqrt(memory / NARROW) columns are not tried: the header of a list and the
#: reducer's part in a partial sum cost the same at about sqrt(memory), and this is far below.
NARROW = 8
_UNKNOWN = 1 << 17
#: At most so many ways to cut the columns of an island are looked at, the fewest blocks first, then ever sparser.
MOST_CUTS = 40
DENSE = 12
GROWTH = 1.25
#: A piece of reducers or of a last band takes at most 1 / PIECE of a core, so that pieces pack well.
PIECE = 4
#: What carried reducers may take of a core's memory, and what they leave of its in-axons and state.
CARRIED_MEMORY = 4


@dataclass(frozen=True, slots=True)
class Band:
    """`count` bands of `rows` rows; each of their tiles leaves room for the reducers of `carried` rows."""

    rows: int
    carried: int
    count: int


@dataclass(frozen=True, slots=True)
class BandCut:
    """One way to cut an island. `words` are the messages of a value by block, `piece` the rows of a reducer's piece;
    `alone` where every tile is meant to have a core to itself."""

    blocks: tuple[Range, ...]
    words: tuple[int, ...]
    bands: tuple[Band, ...]
    piece: int
    alone: bool = False

    @property
    def reduced(self) -> bool:
        return len(self.blocks) > 1

    @property
    def width(self) -> int:
        return max(stop - start for start, stop in self.blocks)

    @property
    def most_rows(self) -> int:
        return max(band.rows for band in self.bands)

    @property
    def tiles(self) -> int:
        return len(self.blocks) * sum(band.count for band in self.bands)


@dataclass(frozen=True)
class BandCutter:
    """An island with the limits that decide how it can be cut."""

    view: View
    rule: Rule
    _known: dict[Range, int] = field(default_factory=dict)

    def cuts(self) -> list[BandCut]:
        """Every way with tiles as tall as they can be: whole columns first, then ever more blocks. Never empty.

        Raises
        ------
        DoesNotFit ND2002 : not even one neuron fits a core, however its columns are cut; or a pin cannot be held.
        """
        found: list[BandCut] = []
        if self.rule.even and self.rule.rows is not None:
            tall = replace(self, rule=replace(self.rule, rows=None, even=False)).cuts()
            return [self.level(cut, min(self.rule.rows, cut.most_rows)) for cut in tall]
        for blocks in self._blockings():
            width = blocks[0][1] - blocks[0][0]
            if len(found) > 1 and width * width * NARROW < (self.rule.limits[1] or _UNKNOWN):
                break
            cut = self.tallest(blocks)
            if cut is not None:
                found.append(cut)
        if not found:
            raise self._impossible()
        return found

    def tallest(self, blocks: tuple[Range, ...]) -> BandCut | None:
        """The cut into these blocks with the tallest tiles; None where one row, or the reducer of one, does not fit."""
        words = self._words(blocks)
        if words is None:
            return None
        rows = self._rows(blocks, words, self.rule.limits)
        if not rows:
            return None
        if len(blocks) == 1:
            return BandCut(blocks, words, self._bands(rows), 0)
        piece = self._piece(words)
        return BandCut(blocks, words, self._carrying(blocks, words, rows, piece), piece) if piece else None

    def levels(self, cut: BandCut, growth: float, most: int) -> Iterator[BandCut]:
        """The same blocks in ever more bands of equal height, so that every core has the same to do: up to `most` ways,
        each with `growth` times the bands of the one before."""
        if self.rule.rows is not None:
            return
        count, before = -(-self.view.rows // cut.most_rows), 0
        for _ in range(most):
            rows = -(-self.view.rows // count)
            if rows != before:
                yield self.level(cut, rows)
            if rows == 1:
                return
            before, count = rows, max(count + 1, int(count * growth))

    def level(self, cut: BandCut, rows: int) -> BandCut:
        """The same blocks, tiles of `rows` rows; reducers in pieces, one for each tile where that is possible."""
        bands, blocks = -(-self.view.rows // rows), len(cut.blocks)
        piece = min(cut.piece, -(-self.view.rows // (bands * blocks)))
        return BandCut(cut.blocks, cut.words, self._bands(rows), piece, alone=True)

    def _bands(self, rows: int, left: int | None = None) -> tuple[Band, ...]:
        left = self.view.rows if left is None else left
        bands = [Band(rows, 0, left // rows), Band(left % rows, 0, 1)]
        return tuple(band for band in bands if band.rows and band.count)

    def _carrying(self, blocks: tuple[Range, ...], words: tuple[int, ...], rows: int, piece: int) -> tuple[Band, ...]:
        """As many bands with reducers as it takes, of equal height, then full bands, then the rest."""
        left = self.view.rows
        each = min(left, self._carried(blocks, words, rows))
        if not each or left < rows:
            return self._bands(rows)
        bands = -(-left // (each * len(blocks)))
        each = -(-left // (bands * len(blocks)))
        tall = self._rows(blocks, words, _less(self.rule.limits, self._reducer(words, each)))
        if not tall or tall >= left:
            return self._bands(rows)
        bands = min(bands, left // tall)
        carrying = Band(tall, each, bands)
        return (*((carrying,) if bands else ()), *self._bands(rows, left - bands * tall))

    def _carried(self, blocks: tuple[Range, ...], words: tuple[int, ...], rows: int) -> int:
        """Rows whose reducers may ride with a tile: what its axons and state leave, and a part of the memory."""
        width, most = max(stop - start for start, stop in blocks), max(words)
        left = list(_less(self.rule.limits, self.view.tile(rows, width, most)))
        memory = self.rule.limits[1]
        left[1] = None if memory is None else memory // CARRIED_MEMORY
        if left[0] is not None:  # neurons: a carrying tile is lower than `rows`
            left[0] += rows // CARRIED_MEMORY
        return most_rows(partial(self._reducer, words), self.view.rows, tuple(left))

    def _reducer(self, words: tuple[int, ...], rows: int) -> Demand:
        return self.view.reducer(rows, sum(words), rows * self.view.outputs)

    def _piece(self, words: tuple[int, ...]) -> int:
        part = tuple(None if limit is None else limit // PIECE for limit in self.rule.limits)
        small = most_rows(partial(self._reducer, words), self.view.rows, part)
        return small or most_rows(partial(self._reducer, words), self.view.rows, self.rule.limits)

    def _rows(self, blocks: tuple[Range, ...], words: tuple[int, ...], limits: Limits) -> int:
        """The most rows of a tile in every block, or those that are pinned; 0 where they do not fit."""
        shapes = {(stop - start, messages) for (start, stop), messages in zip(blocks, words, strict=True)}
        rows = min(
            most_rows(lambda n, w=width, m=messages: self.view.tile(n, w, m), self.view.rows, limits)  # type: ignore[misc]
            for width, messages in shapes
        )
        if self.rule.rows is None:
            return rows
        wanted = min(self.rule.rows, self.view.rows)
        return wanted if wanted <= rows else 0

    def _words(self, blocks: tuple[Range, ...]) -> tuple[int, ...] | None:
        if len(blocks) == 1:
            return (self.view.outputs,)
        found = []
        for start, stop in blocks:
            if (start, stop) not in self._known:
                self._known[start, stop] = self.view.sums.words((start, stop))
            found.append(self._known[start, stop])
            if found[-1] > self.view.sums.most:
                return None
        return tuple(found)

    def _blockings(self) -> Iterator[tuple[Range, ...]]:
        columns, pinned = self.view.columns, self.rule.blocks
        if pinned in (None, 1):
            yield ((0, columns),)
        widest = self._widest()
        if pinned == 1 or not widest or columns < 2:
            return
        seen = set()
        for count in self._counts(max(2, -(-columns // widest))):
            for blocks in _blockings(columns, count, widest):
                if blocks not in seen and len(blocks) > 1 and pinned in (None, len(blocks)):
                    seen.add(blocks)
                    yield blocks

    def _counts(self, fewest: int) -> Iterator[int]:
        if self.rule.blocks is not None:
            if fewest <= self.rule.blocks <= self.view.columns:
                yield self.rule.blocks
            return
        count = fewest
        for index in range(MOST_CUTS):
            if count > self.view.columns:
                return
            yield count
            count = count + 1 if index < DENSE else max(count + 1, int(count * GROWTH))

    def _widest(self) -> int:
        """The most columns of one row that fit a core as a partial sum; 0 where not even one does."""
        for messages in (1, self.view.sums.most):
            width = most_rows(lambda n, m=messages: self.view.tile(1, n, m), self.view.columns, self.rule.limits)  # type: ignore[misc]
            if width:
                return width
        return 0

    def _impossible(self) -> DoesNotFit:
        """Say which budget one neuron exceeds: its synapses, its partial sums or the reducer of these; or which pin."""
        width = max(1, self._widest())
        blocks = next(_blockings(self.view.columns, -(-self.view.columns // width), width))
        words = [self.view.sums.words(block) for block in blocks]
        tried = [
            ("one column of row 0", self.view.tile(1, 1, 1)),
            (f"row 0 over {some(width, 'column')}, as a partial sum,", self.view.tile(1, width, max(words))),
            (f"the reducer of row 0 over {some(len(blocks), 'column block')}", self.view.reducer(1, sum(words), 1)),
        ]
        tried_out = f"no split of its {some(self.view.columns, 'column')} at {self.view.row_bits} bits helps"
        fix = f"{tried_out}: choose a chip with larger cores"
        problem = f"one row needs partial sums of {some(max(words), 'message')}, the most is {self.view.sums.most}"
        if self.rule.rows is not None or self.rule.blocks is not None:
            pinned = self.rule.blocks or 1
            widest = -(-self.view.columns // pinned)
            rows = self.rule.rows or 1
            what = f"a tile of {some(rows, 'row')} and {some(widest, 'column')}, as pinned,"
            tried.append((what, self.view.tile(rows, widest, max(words) if pinned > 1 else 1)))
            problem = (
                f"no cut has {self.rule.rows or 'any'} rows and {self.rule.blocks or 'any'} column blocks, as pinned"
            )
            fix = "take the pin away, or pin fewer rows or other column blocks"
        for what, demand in tried:
            if needed := needs(demand, self.rule.limits):
                problem = f"{what} needs {needed}"
                break
        return DoesNotFit("ND2002", self.view.name, f"{problem} on {self.view.form.chip}", fix)


def _blockings(columns: int, count: int, widest: int) -> Iterator[tuple[Range, ...]]:
    """About `count` blocks of equal width, then those with their borders at multiples of `BLOCK`.

    The bound on partial sums is known for blocks of `BLOCK` columns, so that a cut between them proves fewer bits.
    """
    width = min(-(-columns // count), widest)
    yield _even(columns, width)
    if width >= BLOCK:
        aligned = -(-width // BLOCK) * BLOCK
        yield _even(columns, aligned if aligned <= widest else width // BLOCK * BLOCK)


def _even(columns: int, width: int) -> tuple[Range, ...]:
    return tuple((start, min(start + width, columns)) for start in range(0, columns, width))


def _less(limits: Limits, demand: Demand) -> Limits:
    return tuple(None if limit is None else limit - used for limit, used in zip(limits, demand, strict=True))
