"""Tiles, and how a way to cut an island is turned into them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from neurodeploy.flow.words import Range
from neurodeploy.ir.mapping import Shard
from partitioner.cost.budget import Demand
from partitioner.cost.population import View
from partitioner.cut.bands import BandCut
from partitioner.cut.pour import Pour
from partitioner.cut.rows import Cut

#: A piece that is cut off to fill a core has so many bytes of weights for each byte of list headers, at least.
HEADERS = 7


class Tile(NamedTuple):
    """A shard without a place, and what it costs."""

    island: str
    kind: str
    rows: Range
    cols: Range
    group: str
    demand: Demand

    def on(self, chip: int, core: int) -> Shard:
        return Shard(self.island, self.kind, self.rows, self.cols, chip, core, self.group)


#: The columns (None: a reducer), the rows and the demand of a tile.
Piece = tuple[Range | None, Range, Demand]


#: Demands of tiles by rows, columns and messages a row (columns 0: of reducers), of islands that are cut alike.
Demands = dict[tuple[int, int, int], Demand]


def stamped(view: View, cut: BandCut, pour: Pour | None, known: Demands | None = None) -> Cut:
    """The tiles of one island; what is left of its rows is cut to fill the cores of `pour`, if it is given. `known` : what
    islands that are cut alike have found out about their tiles."""
    found = Cut({})
    blocks: dict[Range, list[Range]] = {}
    reducers: list[Range] = []
    for columns, rows, demand in _Stamp(view, cut, {} if known is None else known).pieces(pour):
        (reducers if columns is None else blocks.setdefault(columns, [])).append(rows)
        found.demands[columns, rows] = demand
    found.blocks = {columns: np.array(sorted(rows), np.int64) for columns, rows in sorted(blocks.items())}
    found.reducers = np.array(sorted(reducers), np.int64).reshape(-1, 2)
    return found


class _Stamp:
    def __init__(self, view: View, cut: BandCut, known: Demands) -> None:
        self._view, self._cut, self._demands = view, cut, known
        self._received = sum(cut.words)

    def pieces(self, pour: Pour | None) -> Iterator[Piece]:
        """In row order, reducers after the tile that they ride with; then the last band, and the rest of the reducers."""
        cut, view = self._cut, self._view
        if not cut.reduced and (whole := heads_whole(view, cut.most_rows)):
            yield from (self._synapses(rows, cut.blocks[0], cut.words[0]) for rows in whole)
            return
        row = reduced = 0
        for band in cut.bands:
            last = pour is not None and band is cut.bands[-1] and band.count == 1 and not band.carried
            for _ in range(band.count):
                rows = (row, row + band.rows)
                for cols, words in zip(cut.blocks, cut.words, strict=True):
                    if last and pour is not None:
                        yield from self._poured(rows, cols, words, pour)
                        continue
                    yield self._synapses(rows, cols, words)
                    if band.carried and reduced < view.rows:
                        stop = min(reduced + band.carried, view.rows)
                        yield self._reducer((reduced, stop))
                        reduced = stop
                row += band.rows
        if cut.reduced:
            yield from self._reducers((reduced, view.rows), pour)

    def _poured(self, rows: Range, cols: Range, words: int, pour: Pour) -> Iterator[Piece]:
        width = cols[1] - cols[0]
        least = -(-8 * HEADERS * self._view.form.header // self._view.row_bits) + 1
        for piece in pour.cut(rows, lambda n: self._tile(n, width, words), least):
            yield self._synapses(piece, cols, words)

    def _reducers(self, rows: Range, pour: Pour | None) -> Iterator[Piece]:
        for start in range(*rows, self._cut.piece):
            piece = (start, min(start + self._cut.piece, rows[1]))
            for part in [piece] if pour is None else pour.cut(piece, self._reducer_of, 1):
                yield self._reducer(part)

    def _reducer_of(self, rows: int) -> Demand:
        key = (rows, 0, self._received)
        if key not in self._demands:
            self._demands[key] = self._view.reducer(rows, self._received, rows * self._view.outputs)
        return self._demands[key]

    def _reducer(self, rows: Range) -> Piece:
        return None, rows, self._reducer_of(rows[1] - rows[0])

    def _synapses(self, rows: Range, cols: Range, words: int) -> Piece:
        return cols, rows, self._tile(rows[1] - rows[0], cols[1] - cols[0], words)

    def _tile(self, rows: int, columns: int, words: int) -> Demand:
        key = (rows, columns, words)
        if key not in self._demands:
            self._demands[key] = self._view.tile(*key)
        return self._demands[key]


def heads_whole(view: View, most: int) -> list[Range]:
    """Ranges of at most `most` rows between heads; empty where that takes more cores, or wastes a quarter of one."""
    count, rest = -(-view.rows // most), (view.rows - 1) % most + 1
    if not any(part.heads for part in view.sections) or rest * 4 < most * 3:
        return []
    cuts = [0]
    for start, stop in _units(view):
        if stop - start > most:
            return []
        if stop - cuts[-1] > most:
            cuts.append(start)
    return list(pairwise([*cuts, view.rows])) if len(cuts) <= count else []


def _units(view: View) -> Iterator[Range]:
    """Row ranges that should stay whole: each head of a slice with heads, each row of the others."""
    for part in view.sections:
        step = part.rows // part.heads if part.heads and part.rows % part.heads == 0 else 1
        for start in range(part.start, part.stop, step):
            yield start, start + step
