"""The loops of the annealer and of the polish, compiled by numba: int64 arithmetic only, so the same on every machine.

State of a placement, changed in place (n items, k anchors behind them, m sites):

* ``place (n,)``: the site of each item; ``occupant (m,)``: the item on each site, -1 where it is empty;
* ``px, py (n + k,)``: scaled coordinates of items and anchors, kept beside `place` to save an indirection.

Random numbers are xorshift64* (Vigna 2016), its 64-bit state in ``state[0]``; draws in a range by multiply and shift.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.machine.jit import jit


@jit
def draw(state):  # type: ignore[no-untyped-def]
    """The next 32 random bits as int64."""
    s = state[0]
    s ^= s >> np.uint64(12)
    s ^= s << np.uint64(25)
    s ^= s >> np.uint64(27)
    state[0] = s
    return np.int64((s * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(32))


@jit
def move_delta(indptr, index, weight, px, py, i, j, bx, by):  # type: ignore[no-untyped-def]
    """Cost change when item i moves to (bx, by) while item j, its partner there (or -1), takes i's place."""
    ax, ay = px[i], py[i]
    delta = np.int64(0)
    for e in range(indptr[i], indptr[i + 1]):
        k = index[e]
        if k != j:
            x, y = px[k], py[k]
            delta += weight[e] * (abs(x - bx) + abs(y - by) - abs(x - ax) - abs(y - ay))
    if j >= 0:
        for e in range(indptr[j], indptr[j + 1]):
            k = index[e]
            if k != i:
                x, y = px[k], py[k]
                delta += weight[e] * (abs(x - ax) + abs(y - ay) - abs(x - bx) - abs(y - by))
    return delta


@jit
def exchange(place, occupant, px, py, scaled, i, b):  # type: ignore[no-untyped-def]
    """Item i goes to site b; whoever is there to i's site."""
    a, j = place[i], occupant[b]
    if j >= 0:
        place[j] = a
        px[j], py[j] = px[i], py[i]
    px[i], py[i] = scaled[b, 0], scaled[b, 1]
    place[i] = b
    occupant[b] = i
    occupant[a] = j


@jit
def site_near(state, spot, reach, span, own, width, height, cell_start, cell_site):  # type: ignore[no-untyped-def]
    """A random site whose cell is among the `span` ones from `reach` before `spot` on, both ways; -1 outside the mesh, in an
    empty cell and in the cell `own`."""
    x = spot % width + ((draw(state) * span) >> 32) - reach
    y = spot // width + ((draw(state) * span) >> 32) - reach
    if x < 0 or y < 0 or x >= width or y >= height:
        return -1
    goal = y * width + x
    room = cell_start[goal + 1] - cell_start[goal]
    if room == 0 or goal == own:
        return -1
    return cell_site[cell_start[goal] + (((draw(state) * room) >> 32) if room > 1 else 0)]


@jit
def anneal_stage(  # type: ignore[no-untyped-def]
    indptr,
    index,
    weight,
    place,
    occupant,
    px,
    py,
    scaled,
    cell,
    cell_start,
    cell_site,
    size,
    window,
    near,
    level,
    shift,
    table,
    moves,
    state,
):
    """`moves` proposals at one temperature. Returns the change of cost.

    A proposal takes a random item and a random site at most `window` cells away in x and y, from the item itself or, in
    `near` of 256 cases, one cell around a random neighbour of it; whoever is there swaps. It is accepted when
    ``delta <= (level * table[r]) >> shift`` for a random r: the Metropolis rule ``u <= exp(-delta / T)`` with
    ``table[r] = -ln u`` in units of 2**-12 and the temperature ``T = level * 2**(12 - shift)``.
    """
    n = len(indptr) - 1
    width, height = size[0], size[1]
    total = np.int64(0)
    side = 2 * window + 1
    for _ in range(moves):
        i = (draw(state) * n) >> 32
        degree = indptr[i + 1] - indptr[i]
        here, reach = i, window
        if degree > 0 and (draw(state) & 255) < near:
            k = index[indptr[i] + ((draw(state) * degree) >> 32)]
            if k < n:
                here, reach = k, 1
        span = 2 * reach + 1 if reach != window else side
        spot = cell[place[here]]
        b = site_near(state, spot, reach, span, cell[place[i]], width, height, cell_start, cell_site)
        if b < 0:
            continue
        delta = move_delta(indptr, index, weight, px, py, i, occupant[b], scaled[b, 0], scaled[b, 1])
        if delta > 0 and delta > (level * table[draw(state) & 4095]) >> shift:
            continue
        exchange(place, occupant, px, py, scaled, i, b)
        total += delta
    return total


@jit
def polish(indptr, index, weight, place, occupant, px, py, scaled, cell, cell_start, cell_site, size, window, rounds):  # type: ignore[no-untyped-def]
    """Each item in turn takes its best exchange within `window` cells, until a round changes nothing. Returns the change."""
    n = len(indptr) - 1
    width, height = size[0], size[1]
    total = np.int64(0)
    for _ in range(rounds):
        before = total
        for i in range(n):
            spot = cell[place[i]]
            x0, y0 = spot % width, spot // width
            best, best_site = np.int64(0), np.int64(-1)
            for y in range(max(0, y0 - window), min(height, y0 + window + 1)):
                for x in range(max(0, x0 - window), min(width, x0 + window + 1)):
                    goal = y * width + x
                    if goal == spot:
                        continue
                    for slot in range(cell_start[goal], cell_start[goal + 1]):
                        b = cell_site[slot]
                        delta = move_delta(indptr, index, weight, px, py, i, occupant[b], scaled[b, 0], scaled[b, 1])
                        if delta < best:
                            best, best_site = delta, b
            if best_site >= 0:
                exchange(place, occupant, px, py, scaled, i, best_site)
                total += best
        if total == before:
            break
    return total


@jit
def hops_from(indptr, index, start):  # type: ignore[no-untyped-def]
    """(n,) pairs on the shortest way from item `start` to each item, n where there is none; anchors are no way."""
    n = len(indptr) - 1
    away, queue = np.full(n, n, np.int64), np.empty(n, np.int64)
    away[start], queue[0], first, last = 0, start, 0, 1
    while first < last:
        i = queue[first]
        first += 1
        for e in range(indptr[i], indptr[i + 1]):
            k = index[e]
            if k < n and away[k] == n:
                away[k] = away[i] + 1
                queue[last] = k
                last += 1
    return away


@jit
def sample(indptr, index, weight, place, occupant, px, py, scaled, count, state):  # type: ignore[no-untyped-def]
    """The mean size of the cost change of `count` random exchanges over the whole mesh (at least 1)."""
    n, m = len(indptr) - 1, len(scaled)
    total, seen = np.int64(0), np.int64(0)
    for _ in range(count):
        i, b = (draw(state) * n) >> 32, (draw(state) * m) >> 32
        if occupant[b] == i:
            continue
        delta = move_delta(indptr, index, weight, px, py, i, occupant[b], scaled[b, 0], scaled[b, 1])
        total += min(abs(delta), np.int64(2**40))
        seen += 1
    return max(np.int64(1), total // max(seen, np.int64(1)))
