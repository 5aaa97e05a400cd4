"""Tiles of convolutions and direct connections, compiled: row by row until a budget is full. No weight is read.

A tile that takes one row more sees the input pixels that no row before has seen, and keeps the kernel of one output
channel more where none before is of it: what a growing tile costs follows from what it cost before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.machine.jit import jit
from neurodeploy.synapses import Conv, Direct
from partitioner.cost.budget import RESOURCES, Demand, Limits, room_of
from partitioner.cost.population import Sends, View

_NONE: Ints = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class GrownTiles:
    """Tiles one after another. rows : (tiles, 2). demands : of each. full : the budgets that ended them. stuck : what the
    neuron behind the last tile needs, where that fits no core."""

    rows: Ints
    demands: list[Demand]
    full: Counter[str]
    stuck: Demand | None


class TileGrowth:
    """What stays the same about a population while it is cut into tiles of all its columns; `grows` says of which."""

    def __init__(self, view: View) -> None:
        parts = [part.projection for part in view.segments]
        convs = [(p.synapse, view.form.lists(p)) for p in parts if isinstance(p.synapse, Conv)]
        self._view, self._direct = view, len(parts) - len(convs)
        order = convs[0][0].row_order if convs else None
        self._order = _NONE if order is None else order
        table = [  # height, channels, height of the input, groups, lists of a group, and their format
            (*s.output_shape[1:], s.input_shape[1], s.groups, s.weight[0].size, *form[:2]) for s, form in convs
        ]
        self._parts = np.array(table, np.int64).reshape(-1, 7)
        self._xs, self._ys = (_stacked([s.leads[axis] for s, _ in convs]) for axis in (0, 1))
        self._units = [_stacked([s.units_by_cell[k][None] for s, _ in convs])[:, 0] for k in (0, 1)]

    def tiles(self, sends: Sends, limits: Limits, most: int, stops: Ints | None) -> GrownTiles:
        """As long as the limits of a core, `most` rows and the places where a tile should end (`cut.rules.Rule`) allow."""
        synapses = self._order, self._parts, self._xs, self._ys, *self._units
        return _tiles(self._view, sends, limits, most, stops, (0, self._direct), synapses)


def grown_reducers(view: View, words: int, sends: Sends, limits: Limits) -> GrownTiles:
    """Reducers of rows that receive `words` messages each, as long as the limits of a core allow."""
    _, stored, axons, _, _ = view.reducer(1, words, 0)
    nothing = _NONE, _NONE.reshape(0, 7), *(_NONE.reshape(0, 1, 1),) * 2, *(_NONE.reshape(0, 1),) * 2
    return _tiles(view, sends, limits, view.rows, None, (stored, axons), nothing)


def _tiles(
    view: View,
    sends: Sends,
    limits: Limits,
    most: int,
    stops: Ints | None,
    a_row: tuple[int, int],
    synapses: Sequence[Ints],
) -> GrownTiles:
    """a_row : bytes and entries of axons that a row brings, whatever is in the tile. synapses : as `_grow` takes them."""
    fixed = (view.neuron, view.table, view.form.axon, *a_row, sends.always, sends.reserve)
    found, full, first, stuck = _grow(
        view.rows, most, np.array(room_of(limits), np.int64), fixed, *sends.edges(view.rows),
        _NONE if stops is None else stops, *synapses,
    )  # fmt: skip
    ended = {RESOURCES[k]: int(full[k]) for k in np.argsort(first, kind="stable").tolist() if full[k]}
    demands = [view.home(*each) for each in found[:, 2:].tolist()]
    last = demands.pop() if stuck else None
    return GrownTiles(found[: len(demands), :2].copy(), demands, Counter(ended), last)


def grows(view: View) -> bool:
    """Whether cells say what its tiles cost: convolutions without delays, and direct connections, with all neurons in one
    order."""
    parts = [part.projection for part in view.segments]
    orders = {id(p.synapse.row_order) for p in parts if isinstance(p.synapse, Conv)}
    return (
        bool(parts)
        and len(orders) < 2
        and all(
            p.synapse.whole_units((0, p.synapse.columns), p.delay is not None)
            if isinstance(p.synapse, Conv)
            else isinstance(p.synapse, Direct)
            for p in parts
        )
    )


def _stacked(arrays: Sequence[Ints]) -> Ints:
    """Arrays of two axes as one of three, filled up with -1; no copy of one alone, which others may hold too."""
    if len(arrays) == 1:
        return arrays[0][None]
    shape = np.array([a.shape for a in arrays], np.int64).reshape(-1, 2).max(axis=0, initial=1)
    found = np.full((len(arrays), *shape.tolist()), -1, np.int64)
    for place, a in zip(found, arrays, strict=True):
        place[: a.shape[0], : a.shape[1]] = a
    return found


@jit
def _grow(size, most, room, fixed, begin, end, stops, order, parts, xs, ys, first_unit, units):  # type: ignore[no-untyped-def]
    """(tiles, 6) first row, row behind the last, rows, bytes of synapses, entries of axons and of destinations; how often
    each budget ended a tile, and the first such tile; whether one row fits no core, which is then the last of the tiles."""
    neuron, table, axon, row_bytes, row_axons, always, reserve = fixed
    found, count, stuck = np.empty((64, 6), np.int64), 0, False
    full, first = np.zeros(len(room), np.int64), np.full(len(room), size, np.int64)
    past, used = np.empty((min(most, size) + 1, 3), np.int64), np.empty(len(room), np.int64)
    # What was seen last by the tile that begins at which row.
    widest, most_groups = (parts[:, 1].max(), parts[:, 3].max()) if len(parts) else (0, 0)
    spots = np.full((len(parts), xs.shape[1] * ys.shape[1] * most_groups), -1, np.int64)
    seen, met = np.full(first_unit.shape, -1, np.int64), np.full(units.shape, -1, np.int64)
    channels, groups = np.full((len(parts), widest), -1, np.int64), np.full((len(parts), widest), -1, np.int64)
    outputs = np.zeros((len(parts), widest), np.int64)
    row = 0
    while row < size and not stuck:
        rows, stored, axons, over = 0, 0, 0, False
        while rows < min(most, size - row) and not over:
            at = order[row + rows] if len(order) else row + rows
            for k in range(len(parts)):
                pixel = at // parts[k, 1]
                channel = at - pixel * parts[k, 1]
                g = channel * parts[k, 3] // parts[k, 1]
                if channels[k, channel] != row:
                    channels[k, channel] = row
                    kernel, bits = parts[k, 4], parts[k, 6]
                    if groups[k, g] != row:
                        groups[k, g], outputs[k, g] = row, 0
                        stored += kernel * parts[k, 5]
                    outputs[k, g] += 1
                    stored += kernel * ((outputs[k, g] * bits + 7) // 8 - ((outputs[k, g] - 1) * bits + 7) // 8)
                spot = pixel * parts[k, 3] + g
                if spots[k, spot] == row:
                    continue
                spots[k, spot] = row
                for x in xs[k, pixel // parts[k, 0]]:
                    for y in ys[k, pixel % parts[k, 0]]:
                        cell = (x * parts[k, 2] + y) * parts[k, 3] + g
                        if x < 0 or y < 0 or seen[k, cell] == row:
                            continue
                        seen[k, cell] = row
                        for u in range(first_unit[k, cell], first_unit[k, cell + 1]):
                            axons += met[k, units[k, u]] != row
                            met[k, units[k, u]] = row
            rows += 1
            sent, entries, bytes_ = end[row + rows] - begin[row], axons + row_axons * rows, stored + row_bytes * rows
            out = always * rows + sent + (sent * reserve + 99) // 100
            past[rows] = bytes_, entries, out
            used[:] = rows, bytes_, entries, out, table + rows * neuron + axon * (entries + out)
            for k in range(len(room)):
                over = over or used[k] > room[k]
        stuck = over and rows == 1
        for k in range(len(room)) if over and not stuck else range(0):
            if used[k] > room[k]:
                full[k] += 1
                first[k] = min(first[k], count)
        rows -= over and not stuck
        if not over and row + rows < size:
            full[0] += 1
            first[0] = min(first[0], count)
        place = np.searchsorted(stops, row + rows, side="right")
        if place and stops[place - 1] > row and row + rows < size:
            rows = stops[place - 1] - row
        if count == len(found):
            found = np.concatenate((found, np.empty_like(found)))
        found[count, :3] = row, row + rows, rows
        found[count, 3:] = past[rows]
        count += 1
        row += rows
    return found[:count], full, first, stuck
