"""The annealing loop of `nets.place_nets`, compiled: exchanges priced by the boxes of the nets they touch. Integers only."""

from __future__ import annotations

import numpy as np

from neurodeploy.machine.jit import jit

from .kernels import draw, exchange, site_near


@jit
def _boxes(item, other, indptr, pins, weight, first, incident, px, py, mark, stamp):  # type: ignore[no-untyped-def]
    """The cost of the nets of two items (other may be -1), each net once."""
    total = np.int64(0)
    for turn in range(2):
        i = item if turn == 0 else other
        if i < 0:
            continue
        for slot in range(first[i], first[i + 1]):
            net = incident[slot]
            if mark[net] == stamp:
                continue
            mark[net] = stamp
            k = pins[indptr[net]]
            x0, x1, y0, y1 = px[k], px[k], py[k], py[k]
            for e in range(indptr[net] + 1, indptr[net + 1]):
                k = pins[e]
                x0, x1 = min(x0, px[k]), max(x1, px[k])
                y0, y1 = min(y0, py[k]), max(y1, py[k])
            total += weight[net] * (x1 - x0 + y1 - y0)
    return total


@jit
def net_stage(  # type: ignore[no-untyped-def]
    indptr, pins, weight, first, incident, mark, place, occupant, px, py, scaled, cell, cell_start, cell_site, size,
    window, level, shift, table, moves, state, stamp,
):  # fmt: skip
    """`moves` proposals as in `kernels.anneal_stage`, half of them next to an item that shares a net.

    With ``shift == 0`` nothing is kept: a sample. Returns (change of cost, mean size of a change, last stamp).
    """
    n = len(place)
    width, height = size[0], size[1]
    total, sizes, seen = np.int64(0), np.int64(0), np.int64(0)
    for _ in range(moves):
        i = (draw(state) * n) >> 32
        here, reach, degree = i, window, first[i + 1] - first[i]
        if shift == 0:
            reach = max(width, height)
        elif degree > 0 and draw(state) & 1:
            net = incident[first[i] + ((draw(state) * degree) >> 32)]
            here = pins[indptr[net] + ((draw(state) * (indptr[net + 1] - indptr[net])) >> 32)]
            reach = 1 if here != i else window
        spot, span = cell[place[here]], 2 * reach + 1
        b = site_near(state, spot, reach, span, cell[place[i]], width, height, cell_start, cell_site)
        if b < 0:
            continue
        a, j = place[i], occupant[b]
        stamp += 1
        before = _boxes(i, j, indptr, pins, weight, first, incident, px, py, mark, stamp)
        if j < 0:
            px[i], py[i] = scaled[b, 0], scaled[b, 1]
        exchange(place, occupant, px, py, i, j, b)
        stamp += 1
        delta = _boxes(i, j, indptr, pins, weight, first, incident, px, py, mark, stamp) - before
        sizes += min(abs(delta), np.int64(2**40))
        seen += 1
        if shift > 0 and (delta <= 0 or delta <= (level * table[draw(state) & 4095]) >> shift):
            total += delta
            continue
        if j < 0:
            px[i], py[i] = scaled[a, 0], scaled[a, 1]
        exchange(place, occupant, px, py, i, j, a)
    return total, max(np.int64(1), sizes // max(seen, np.int64(1))), stamp
