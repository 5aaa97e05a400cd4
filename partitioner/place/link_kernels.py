"""The loop of `links.relieve`, compiled: link loads are kept up to date route by route. Integers only."""

from __future__ import annotations

from neurodeploy.machine.jit import jit
from partitioner.place.kernels import draw, exchange, move_delta


@jit
def add_route(loads, columns, x0, y0, x1, y1, amount):  # type: ignore[no-untyped-def]
    """Add `amount` to every link of the XY route; ``loads[way, y * columns + x]`` is the link that leaves (x, y) eastwards
    (0), westwards (1), towards greater y (2) or smaller y (3)."""
    for x in range(x0, x1):
        loads[0, y0 * columns + x] += amount
    for x in range(x0, x1, -1):
        loads[1, y0 * columns + x] += amount
    for y in range(y0, y1):
        loads[2, y * columns + x1] += amount
    for y in range(y0, y1, -1):
        loads[3, y * columns + x1] += amount


@jit
def _routes_of(item, other, sign, loads, columns, xy, place, source, target, amount, first, touching):  # type: ignore[no-untyped-def]
    """Add (or, sign -1, remove) the routes of all pairs of `item`, without those it shares with `other`."""
    for slot in range(first[item], first[item + 1]):
        e = touching[slot]
        s, t = source[e], target[e]
        if other >= 0 and (s == other or t == other):
            continue
        a, b = place[s], place[t]
        add_route(loads, columns, xy[a, 0], xy[a, 1], xy[b, 0], xy[b, 1], sign * amount[e])


@jit
def _exchange(  # type: ignore[no-untyped-def]
    i, b, place, occupant, px, py, scaled, loads, columns, xy, source, target, amount, first, touching
):
    """Item i and whoever is on site b change places, and their routes with them."""
    j = occupant[b]
    for sign in (-1, 1):
        if sign > 0:
            exchange(place, occupant, px, py, scaled, i, b)
        _routes_of(i, -1, sign, loads, columns, xy, place, source, target, amount, first, touching)
        if j >= 0:
            _routes_of(j, i, sign, loads, columns, xy, place, source, target, amount, first, touching)


@jit
def _judge(loads, scale):  # type: ignore[no-untyped-def]
    """(load of the busiest link, its way, its number, sum of squares of the loads >> scale)."""
    most, way, link, squares = loads[0, 0], 0, 0, loads[0, 0] * 0
    for w in range(4):
        for k in range(loads.shape[1]):
            load = loads[w, k]
            if load > most:
                most, way, link = load, w, k
            squares += (load >> scale) * (load >> scale)
    return most, way, link, squares


@jit
def _crosses(way, link, columns, x0, y0, x1, y1):  # type: ignore[no-untyped-def]
    x, y = link % columns, link // columns
    if way == 0:
        return y == y0 and x0 <= x < x1
    if way == 1:
        return y == y0 and x1 < x <= x0
    if way == 2:
        return x == x1 and y0 <= y < y1
    return x == x1 and y1 < y <= y0


@jit
def relieve_loop(  # type: ignore[no-untyped-def]
    indptr, index, weight, place, occupant, px, py, scaled, xy, source, target, amount, first, touching, loads, columns,
    cost, limit, scale, tries, state,
):  # fmt: skip
    """Propose exchanges of items whose messages cross the busiest link; keep those that relieve it within the cost limit."""
    pairs = len(source)
    for e in range(pairs):
        a, b = place[source[e]], place[target[e]]
        add_route(loads, columns, xy[a, 0], xy[a, 1], xy[b, 0], xy[b, 1], amount[e])
    most, way, link, squares = _judge(loads, scale)
    for _ in range(tries):
        e = (draw(state) * pairs) >> 32
        for _ in range(64):  # a pair that crosses the busiest link, or any after 64 draws
            a, b = place[source[e]], place[target[e]]
            if _crosses(way, link, columns, xy[a, 0], xy[a, 1], xy[b, 0], xy[b, 1]):
                break
            e = (draw(state) * pairs) >> 32
        i = source[e] if draw(state) & 1 else target[e]
        b = (draw(state) * len(xy)) >> 32
        j = occupant[b]
        a = place[i]
        if j == i or (xy[a, 0] == xy[b, 0] and xy[a, 1] == xy[b, 1]):
            continue
        delta = move_delta(indptr, index, weight, px, py, i, j, scaled[b, 0], scaled[b, 1])
        if cost + delta > limit:
            continue
        _exchange(i, b, place, occupant, px, py, scaled, loads, columns, xy, source, target, amount, first, touching)
        new_most, new_way, new_link, new_squares = _judge(loads, scale)
        if new_most < most or (new_most == most and new_squares < squares):
            most, way, link, squares = new_most, new_way, new_link, new_squares
            cost += delta
        else:
            _exchange(
                i, a, place, occupant, px, py, scaled, loads, columns, xy, source, target, amount, first, touching
            )
    return cost
