"""Where the messages of a placed mapping travel: hops and the load of every link, with and without multicast.

Routes are those of `flow.routes`: first along the row, then along the column.

*Unicast*: one copy for each destination core, the whole way; what the host sends is copied in the port of each
destination chip. *Multicast*: one copy for each link of the X-Y tree, on the mesh of each chip and on the grid. Loihi
has no multicast on its mesh (an out-axon for each destination core); the second figure says what a tree would save.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.flow.nets import Nets
from neurodeploy.flow.routes import HOST, HOST_CHIP, nodes, routers
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints

#: Messages: counted, or the mean of a step.
Messages = NDArray[np.int64] | NDArray[np.float64]


class Legs(NamedTuple):
    """Trees on equal meshes, as (root, leaf) pairs: `tree` numbers the tree of each pair, in which `where` (the mesh),
    root and `weight` are the same. Unicast is a tree a pair."""

    tree: Ints
    where: Ints
    root_x: Ints
    root_y: Ints
    x: Ints
    y: Ints
    weight: Messages


@dataclass(frozen=True, eq=False)
class LinkLoads:
    """Messages in `Nets.per` steps over the directed links of n meshes of `shape` = (columns, rows).

    `east`, `west` (n, rows, columns - 1): link between column i and i + 1; `south`, `north` (n, columns, rows - 1): link
    between row i and i + 1 (south: row numbers grow). `hops_ew` and `hops_ns` are their sums. `cut` is the most messages
    that cross a straight cut through a mesh in one direction, over the links there: no routing between the same places
    has a smaller largest load.
    """

    shape: tuple[int, int]
    east: Messages
    west: Messages
    south: Messages
    north: Messages
    cut: float

    @property
    def most(self) -> float:
        """On the busiest link."""
        return self.busiest()[3]

    @property
    def hops_ew(self) -> int:
        return int(self.east.sum() + self.west.sum())

    @property
    def hops_ns(self) -> int:
        return int(self.south.sum() + self.north.sum())

    def flat(self) -> Messages:
        """Every directed link once, flat: those of the rows (east, west), then those of the columns (south, north)."""
        return np.concatenate([part.reshape(-1) for part in (self.east, self.west, self.south, self.north)])

    def busiest(self) -> tuple[int, tuple[int, int], tuple[int, int], float]:
        """(mesh, from (x, y), to (x, y), messages) of the link with most messages, the first of equals; zeros if none."""
        best: tuple[int, tuple[int, int], tuple[int, int], float] = (0, (0, 0), (0, 0), 0)
        for name, load in (("east", self.east), ("west", self.west), ("south", self.south), ("north", self.north)):
            if not load.size or load.max() <= best[3]:
                continue
            mesh, line, step = (int(i) for i in np.unravel_index(int(load.argmax()), load.shape))
            ends = ((step, line), (step + 1, line)) if name in ("east", "west") else ((line, step), (line, step + 1))
            source, target = ends if name in ("east", "south") else (ends[1], ends[0])
            best = (mesh, source, target, load.max().item())
        return best


@dataclass(frozen=True, eq=False)
class Routed:
    """`chips` are the chips in use, ascending: mesh k of `mesh` is that of chip ``chips[k]``, and ``ports[k]`` its port.

    `grid` is one mesh, that of the chips: chip c is its node (c % columns, c // columns). ``packets`` counts messages
    times chip-to-chip links.
    """

    chips: Ints
    mesh: LinkLoads
    grid: LinkLoads
    ports: Ints

    @property
    def packets(self) -> int:
        return self.grid.hops_ew + self.grid.hops_ns


def between_chips(system: SystemSpec, source: Ints, target: Ints, messages: Messages) -> LinkLoads:
    """The loads of the links between chips, of messages between pairs of them (equal lengths): a mesh a board.

    Chip ``k * system.chips + c`` is chip c of board k; both ends of a pair are on one board.
    """
    board, where = np.unique(source // system.chips, return_inverse=True)
    begin, end = (nodes(system, ends % system.chips) for ends in (source, target))
    return unicast(begin, end, messages, system.grid, where.reshape(-1).astype(np.int64), len(board))


def unicast(
    begin: Ints, end: Ints, messages: Messages, shape: tuple[int, int], where: Ints | None = None, meshes: int = 1
) -> LinkLoads:
    """The loads of messages between coordinates (n, 2), at least 0 and below `shape`, each on the mesh that `where` says."""
    tree = np.arange(len(begin), dtype=np.int64)
    on = np.zeros_like(tree) if where is None else where
    legs = Legs(tree, on, begin[:, 0], begin[:, 1], end[:, 0], end[:, 1], messages)
    return _loads(legs, meshes, shape, multicast=False)


def route(nets: Nets, chip: Ints, core: Ints, system: SystemSpec, *, multicast: bool = False) -> Routed:
    """The loads of `nets` where logical core i lies on core ``core[i]`` of chip ``chip[i]``."""
    chips, place = np.unique(np.concatenate([chip, [HOST_CHIP]]), return_inverse=True)
    place = place.reshape(-1).astype(np.int64)  # of the host too: the last entry, which HOST = -1 finds
    x, y = routers(system.chip, np.append(core, 0)).T
    net = np.repeat(np.arange(len(nets.source), dtype=np.int64), np.diff(nets.indptr))
    ends = _Ends(nets.source[net], nets.pins, net, nets.weight[net])
    count = len(chips)
    outside = (ends.source == HOST) | (ends.target == HOST)
    far = outside | (place[ends.source] != place[ends.target])
    within, inward, outward = (
        ends.of(chosen) for chosen in (~far, far & (ends.target != HOST), far & (ends.source != HOST))
    )
    zero = np.zeros(len(place), np.int64)
    mesh = _joined(
        _legs(within, place[within.target], (x, y), (x, y), count),
        _legs(inward, place[inward.target], (zero, zero), (x, y), count),
        _legs(outward, place[outward.source], (x, y), (zero, zero), count),
        multicast=multicast,
    )
    ports = np.zeros(count, np.int64)
    for pairs, at in ((inward, place[inward.target]), (outward, place[outward.source])):
        chosen = np.unique(pairs.net * count + at, return_index=True)[1] if multicast else slice(None)
        np.add.at(ports, at[chosen], pairs.weight[chosen])
    moved = ends.of(_once(ends, place, count, multicast))
    a, b = (nodes(system, chips[place[side]]).T for side in (moved.source, moved.target))
    tree = moved.net if multicast else np.arange(len(moved.net), dtype=np.int64)
    grid = Legs(tree, np.zeros_like(tree), a[0], a[1], b[0], b[1], moved.weight)
    return Routed(
        chips, _loads(mesh, count, system.chip.mesh, multicast), _loads(grid, 1, system.grid, multicast), ports
    )


class _Ends(NamedTuple):
    """A (source, target) pair for each destination of each net."""

    source: Ints
    target: Ints
    net: Ints
    weight: Ints

    def of(self, chosen: Ints | NDArray[np.bool_]) -> _Ends:
        return _Ends(*(part[chosen] for part in self))


def _legs(ends: _Ends, where: Ints, root: tuple[Ints, Ints], leaf: tuple[Ints, Ints], meshes: int) -> Legs:
    """Ways over one mesh; `root` and `leaf` give the place of every core."""
    (x0, y0), (x1, y1) = root, leaf
    a, b = ends.source, ends.target
    return Legs(ends.net * meshes + where, where, x0[a], y0[a], x1[b], y1[b], ends.weight)


def _joined(*legs: Legs, multicast: bool) -> Legs:
    """All of them: as trees (the way to the port is a branch of the source's own), or each way by itself."""
    tree, *rest = (np.concatenate(parts) for parts in zip(*legs, strict=True))
    number = np.unique(tree, return_inverse=True)[1].reshape(-1) if multicast else np.arange(len(tree))
    return Legs(number.astype(np.int64), *rest)


def _once(ends: _Ends, place: Ints, chips: int, multicast: bool) -> Ints:
    """The pairs that travel over the grid: one for each destination chip of a tree, or of what the host sends."""
    far = np.flatnonzero(place[ends.source] != place[ends.target])
    merged = far if multicast else far[ends.source[far] == HOST]
    alone = far[:0] if multicast else far[ends.source[far] != HOST]
    _, first = np.unique(ends.net[merged] * chips + place[ends.target[merged]], return_index=True)
    return np.sort(np.concatenate([alone, merged[first]]))


def _loads(legs: Legs, meshes: int, shape: tuple[int, int], multicast: bool) -> LinkLoads:
    """LinkLoads of trees whose pairs may be in any order; without `multicast` every pair is a tree."""
    columns, rows = shape
    trunk = _spans(legs.tree if multicast else None, legs.root_x, legs.x)
    first = trunk.first
    where, row = legs.where[first], legs.root_y[first]
    east, west = _both(meshes * rows, columns, where * rows + row, legs.root_x[first], trunk, legs.weight[first])
    branch = _spans(legs.tree * columns + legs.x if multicast else None, legs.root_y, legs.y)
    first = branch.first
    line = legs.where[first] * columns + legs.x[first]
    south, north = _both(meshes * columns, rows, line, legs.root_y[first], branch, legs.weight[first])
    south, north = (part.reshape(meshes, columns, rows - 1) for part in (south, north))
    if multicast:  # a tree goes down several columns, but crosses a cut between rows once
        upright = _spans(legs.tree, legs.root_y, legs.y)
        first = upright.first
        down, up = _both(meshes, rows, legs.where[first], legs.root_y[first], upright, legs.weight[first])
    else:
        down, up = south.sum(axis=1), north.sum(axis=1)
    shaped = [part.reshape(meshes, rows, columns - 1) for part in (east, west)]
    crossing = [part.sum(axis=1).max(initial=0) / rows for part in shaped]
    crossing += [part.max(initial=0) / columns for part in (down, up)]
    return LinkLoads(shape, shaped[0], shaped[1], south, north, float(max(crossing)))


class _Reach(NamedTuple):
    """Of each group of pairs one of its members and how far it reaches to both sides of its root."""

    first: Ints | slice
    low: Ints
    high: Ints


def _spans(key: Ints | None, root: Ints, leaf: Ints) -> _Reach:
    """Pairs of one key are a group; without a key each pair is one."""
    if key is None:
        return _Reach(slice(None), np.minimum(root, leaf), np.maximum(root, leaf))
    if not len(key):
        return _Reach(key, key, key)
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    first = order[starts]
    low = np.minimum(np.minimum.reduceat(leaf[order], starts), root[first])
    high = np.maximum(np.maximum.reduceat(leaf[order], starts), root[first])
    return _Reach(first, low, high)


def _both(
    lines: int, length: int, line: Ints, root: Ints, reach: _Reach, weight: Messages
) -> tuple[Messages, Messages]:
    """(lines, length - 1) messages upwards from each root to `high`, and downwards to `low`."""
    found, begin = [], line * (length + 1)
    for low, high in ((root, reach.high), (reach.low, root)):
        steps = np.zeros(lines * (length + 1), weight.dtype)
        np.add.at(steps, begin + low, weight)
        np.add.at(steps, begin + high, -weight)
        found.append(steps.reshape(lines, length + 1).cumsum(axis=1)[:, : length - 1])
    return found[0], found[1]
