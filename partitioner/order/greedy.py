"""Rows of sparse synapses gathered into tiles by the axons that they share, compiled. Imported only where it is tried.

A tile of n rows that touches axon j with f_j synapses costs, in the terms of `cost/lists.py`::

    synapse_bytes = sum over touched axons (h + ceil(f_j b_j / 8)) + sum over dense projections c_k (h + ceil(n b_k / 8))
    in_axons      = touched axons + sum over dense projections c_k
    out_axons     = sum over rows of what each of them sends
    state_bytes   = n * state of a neuron + a (in_axons + out_axons)

`fill` grows one tile after another: always by the row that brings fewest new axons, until a budget is full. `mend` takes a
given division, moves rows out of tiles that exceed a budget, and then every row to where it saves most axons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.machine.jit import jit
from partitioner.cost.budget import OPEN

#: Rounds over all rows in `mend`.
ROUNDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The synapses into a population, from both sides, and what rows cost.

    starts, axons : axons of each row. by_axon, rows : rows of each axon. bits : of a synapse of each axon. dense : (k, 2)
    columns and bits of dense projections. out : out-axons of each row. limits : five, `OPEN` where unknown. words : header,
    bytes of an axon entry, bytes of a neuron.
    """

    starts: Ints
    axons: NDArray[np.int32]
    by_axon: Ints
    rows: NDArray[np.int32]
    bits: Ints
    dense: Ints
    out: Ints
    limits: Ints
    words: Ints

    @property
    def count(self) -> int:
        return len(self.starts) - 1


def fill(task: Rows, tiles: int, work: int) -> tuple[Ints, int, int]:
    """(tile of each row, -1 where none yet; tiles filled; work left) after at most `tiles` tiles."""
    tile_of = np.full(task.count, -1, np.int64)
    filled, left = _fill(
        task.starts, task.axons, task.by_axon, task.rows, task.bits, task.dense, task.out, task.limits, task.words,
        tiles, work, tile_of,
    )  # fmt: skip
    return tile_of, int(filled), int(left)


def mend(task: Rows, tile_of: Ints) -> Ints:
    """A division that keeps the limits, with as few touched axons as moving single rows finds; tiles may become more."""
    tiles = int(tile_of.max(initial=-1)) + 1
    spare = max(8, tiles // 4)
    counts = np.zeros((len(task.by_axon) - 1, tiles + spare), np.uint16)
    found: Ints = tile_of.copy()
    _mend(
        task.starts, task.axons, task.bits, task.dense, task.out, task.limits, task.words, ROUNDS, tiles, counts, found
    )
    return found


def reaches(task: Rows, tile_of: Ints) -> int:
    """Sum over axons of the tiles in which they have a synapse."""
    return int(_reaches(task.by_axon, task.rows, tile_of, np.full(int(tile_of.max(initial=-1)) + 1, -1, np.int64)))


@jit
def _reaches(by_axon, rows, tile_of, last):  # type: ignore[no-untyped-def]
    total = 0
    for axon in range(len(by_axon) - 1):
        for k in range(by_axon[axon], by_axon[axon + 1]):
            tile = tile_of[rows[k]]
            if last[tile] != axon:
                last[tile] = axon
                total += 1
    return total


@jit
def _fits(n, stored, touched, out, dense, words, limits):  # type: ignore[no-untyped-def]
    header, entry, neuron = words[0], words[1], words[2]
    for k in range(len(dense)):
        stored += dense[k, 0] * (header + (n * dense[k, 1] + 7) // 8)
        touched += dense[k, 0]
    state = n * neuron + entry * (touched + out)
    return n <= limits[0] and stored <= limits[1] and touched <= limits[2] and out <= limits[3] and state <= limits[4]


@jit
def _fill(starts, axons, by_axon, rows, bits, dense, out, limits, words, tiles, work, tile_of):  # type: ignore[no-untyped-def]
    count, header = len(starts) - 1, words[0]
    most = 0
    for row in range(count):
        most = max(most, starts[row + 1] - starts[row])
    head = np.full(most + 1, -1, np.int64)
    after, before = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    lacks = np.full(count, -1, np.int64)  # new axons that a candidate brings, -1 where the row is none
    seen = np.empty(count, np.int64)  # candidates of this tile
    fan = np.zeros(len(by_axon) - 1, np.int64)
    mine = np.empty(len(by_axon) - 1, np.int64)  # axons of this tile
    tile, scan, seed = 0, 0, -1
    while tile < tiles and work > 0:
        while scan < count and tile_of[scan] >= 0:
            scan += 1
        if scan == count:
            break
        row = seed if seed >= 0 else scan
        n = stored = touched = sent = candidates = low = 0
        while row >= 0:
            more, fresh = 0, 0
            for k in range(starts[row], starts[row + 1]):
                f, b = fan[axons[k]], bits[axons[k]]
                more += ((f + 1) * b + 7) // 8 - (f * b + 7) // 8
                if f == 0:
                    more += header
                    fresh += 1
            fitting = _fits(n + 1, stored + more, touched + fresh, sent + out[row], dense, words, limits)
            if not fitting and n > 0:
                break
            n, stored, sent = n + 1, stored + more, sent + out[row]
            tile_of[row] = tile
            if lacks[row] >= 0:  # it leaves the candidates
                if before[row] >= 0:
                    after[before[row]] = after[row]
                else:
                    head[lacks[row]] = after[row]
                if after[row] >= 0:
                    before[after[row]] = before[row]
                lacks[row] = -2
            for k in range(starts[row], starts[row + 1]):
                axon = axons[k]
                fan[axon] += 1
                if fan[axon] > 1:
                    continue
                mine[touched] = axon
                touched += 1
                work -= by_axon[axon + 1] - by_axon[axon]
                for i in range(by_axon[axon], by_axon[axon + 1]):
                    other = rows[i]
                    if tile_of[other] >= 0:
                        continue
                    if lacks[other] < 0:
                        lacks[other] = starts[other + 1] - starts[other]
                        seen[candidates] = other
                        candidates += 1
                    else:
                        if before[other] >= 0:
                            after[before[other]] = after[other]
                        else:
                            head[lacks[other]] = after[other]
                        if after[other] >= 0:
                            before[after[other]] = before[other]
                    lacks[other] -= 1
                    key = lacks[other]
                    before[other] = -1
                    after[other] = head[key]
                    if head[key] >= 0:
                        before[head[key]] = other
                    head[key] = other
                    low = min(low, key)
            if not fitting:
                break  # one row that exceeds a core by itself: columns must be cut, it has a tile of its own
            while low <= most and head[low] < 0:
                low += 1
            if low <= most:
                row = head[low]
            else:
                low = 0
                while scan < count and tile_of[scan] >= 0:
                    scan += 1
                row = scan if scan < count else -1
        while low <= most and head[low] < 0:
            low += 1
        seed = head[low] if low <= most else -1
        for i in range(candidates):
            other = seen[i]
            if lacks[other] >= 0:
                head[lacks[other]] = -1
            lacks[other] = -1
        for i in range(touched):
            fan[mine[i]] = 0
        tile += 1
    return tile, work


@jit
def _mend(starts, axons, bits, dense, out, limits, words, rounds, tiles, counts, tile_of):  # type: ignore[no-untyped-def]
    count, header, most = len(starts) - 1, words[0], counts.shape[1]
    size, stored = np.zeros(most, np.int64), np.zeros(most, np.int64)
    touched, sent = np.zeros(most, np.int64), np.zeros(most, np.int64)
    for row in range(count):
        _put(row, tile_of[row], 1, starts, axons, bits, out, header, counts, size, stored, touched, sent)
    shared = np.zeros(most, np.int64)
    for turn in range(2 * rounds):
        moved = 0
        for row in range(count):
            here = tile_of[row]
            over = not _fits(size[here], stored[here], touched[here], sent[here], dense, words, limits)
            if turn < rounds and not over:
                continue  # first everything that must go
            shared[:tiles] = 0
            loses = 0
            for k in range(starts[row], starts[row + 1]):
                axon = axons[k]
                loses += counts[axon, here] == 1
                for tile in range(tiles):
                    shared[tile] += counts[axon, tile] > 0
            degree = starts[row + 1] - starts[row]
            best, target = -OPEN if over else 0, -1
            for tile in range(tiles):
                gain = loses - (degree - shared[tile])
                if tile == here or gain <= best or size[tile] == 0:
                    continue
                more = _more(row, tile, starts, axons, bits, header, counts)
                if _fits(size[tile] + 1, stored[tile] + more, touched[tile] + degree - shared[tile], sent[tile] + out[row],
                         dense, words, limits):  # fmt: skip
                    best, target = gain, tile
            if target < 0 and over and size[here] > 1 and tiles < most:
                target = tiles  # nobody has room for it
                tiles += 1
            if target >= 0:
                _put(row, here, -1, starts, axons, bits, out, header, counts, size, stored, touched, sent)
                _put(row, target, 1, starts, axons, bits, out, header, counts, size, stored, touched, sent)
                tile_of[row] = target
                moved += 1
        if moved == 0 and turn >= rounds:
            break


@jit
def _more(row, tile, starts, axons, bits, header, counts):  # type: ignore[no-untyped-def]
    """Bytes that a row adds to a tile."""
    total = 0
    for k in range(starts[row], starts[row + 1]):
        axon = axons[k]
        f, b = np.int64(counts[axon, tile]), bits[axon]
        total += ((f + 1) * b + 7) // 8 - (f * b + 7) // 8
        if f == 0:
            total += header
    return total


@jit
def _put(row, tile, sign, starts, axons, bits, out, header, counts, size, stored, touched, sent):  # type: ignore[no-untyped-def]
    """Put a row into a tile (1) or take it out (-1)."""
    for k in range(starts[row], starts[row + 1]):
        axon = axons[k]
        old = np.int64(counts[axon, tile])
        new = old + sign
        stored[tile] += (new * bits[axon] + 7) // 8 - (old * bits[axon] + 7) // 8
        if old == 0 or new == 0:
            stored[tile] += sign * header
            touched[tile] += sign
        counts[axon, tile] = np.uint16(new)
    size[tile] += sign
    sent[tile] += sign * out[row]
