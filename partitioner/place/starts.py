"""Starts: complete placements to begin from. Each is a sequence of items laid along a curve, or two coordinates made legal.

Sequences: the order given (a compiler numbers layers in order), levels (longest path from the inputs, smoothest order
within a level), spectral (by the smoothest vector of the graph), random. Coordinates: the two smoothest vectors, and the
ways from two corners. Structured starts win on regular networks, spectral ones where the order was lost, corners on sparse
meshes, whose two smoothest vectors may be any two directions; none wins everywhere, so the portfolio tries all.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurodeploy.ir.arrange import laid_out
from neurodeploy.ir.fixedpoint import Ints
from partitioner.place.curves import curves
from partitioner.place.kernels import hops_from
from partitioner.place.problem import Problem
from partitioner.place.randomness import shuffled
from partitioner.place.spectral import smooth_vectors

#: A start: its name, and the site of each item.
Start = tuple[str, Ints]

#: More items than these are a large problem: searched from more starts, and as long as it pays.
MANY = 512

#: Longest chain of levels that is looked for; deeper networks keep the other starts.
DEEPEST = 4096


def levels(problem: Problem) -> Ints | None:
    """Longest path from an input to each item, along the direction of the pairs; isolated items come last.

    None where messages go round in circles (a recurrent network), or where there are no pairs.
    """
    source, target = problem.source, problem.target
    use = source != target
    source, target = source[use], target[use]
    if not len(source):
        return None
    level = np.zeros(problem.n, np.int64)
    waiting = np.bincount(target, minlength=problem.n)
    order = np.argsort(source, kind="stable")
    follow = target[order]
    first = np.searchsorted(source[order], np.arange(problem.n + 1))
    ready = np.flatnonzero((waiting == 0) & (first[1:] > first[:-1]))
    done, depth = 0, 0
    while len(ready) and depth < DEEPEST:
        level[ready] = depth
        reached = follow[laid_out(first[ready], first[ready + 1] - first[ready])[1]]
        done += len(reached)
        np.subtract.at(waiting, reached, 1)
        candidates = np.unique(reached)
        ready = candidates[waiting[candidates] == 0]
        depth += 1
    if done < len(source):
        return None
    isolated = np.ones(problem.n, np.bool_)
    isolated[source] = isolated[target] = False
    level[isolated] = depth
    return level


def sequences(problem: Problem, smooth: Ints) -> Iterator[tuple[str, Ints, tuple[int, ...]]]:
    """(name, order of items, widths of layers worth a block-snake)."""
    level = levels(problem)
    widths: tuple[int, ...] = ()
    if level is not None:
        widths = tuple(sorted({int(w) for w in np.quantile(np.bincount(level), (0.5, 0.9), method="lower")}))
    yield "given", np.arange(problem.n), widths
    yield "spectral", np.lexsort((smooth[:, 1], smooth[:, 0])), ()
    if level is not None:
        within = smooth_vectors(problem, level)
        yield "levels", np.lexsort((within[:, 0], level)), widths


def corners(problem: Problem) -> Ints:
    """(n, 2) coordinates of each item from its hops a and b to two items at corners of the graph: a - b and a + b.

    In a mesh with its corners at (0, 0) and (w, 0) they are 2 x - w and 2 y + w. The first corner is farthest from the most
    connected item, the one opposite farthest from the first; the second is far from an item halfway, and not nearer to one
    of them than to the other.
    """
    indptr, index = problem.indptr, problem.index
    away = hops_from(indptr, index, int(np.argmax(np.diff(indptr))))
    linked = away < problem.n
    first = hops_from(indptr, index, int(np.argmax(np.where(linked, away, -1))))
    opposite = hops_from(indptr, index, int(np.argmax(np.where(linked, first, -1))))
    uneven = np.where(linked, np.abs(first - opposite), 8 * problem.n)
    between = hops_from(indptr, index, int(np.argmin(uneven)))
    second = hops_from(indptr, index, int(np.argmax(4 * between - uneven)))
    return np.stack((first - second, first + second), 1)


def two_dimensional(problem: Problem, where: Ints, how: str) -> Iterator[Start]:
    """Coordinates `where` (n, 2), made legal by sorting into columns, then rows: Hall's placement with smoothest vectors."""
    for name, axis in (("columns", 0), ("rows", 1)):
        for first in (0, 1):
            place = np.empty(problem.n, np.int64)
            by_line = np.lexsort((problem.sites[:, 1 - axis], problem.sites[:, axis]))
            line = problem.sites[by_line, axis]
            ends = np.flatnonzero(np.concatenate((line[1:] != line[:-1], [True]))) + 1
            order, begin = np.argsort(where[:, first], kind="stable"), 0
            for end in ends.tolist():
                share = order[begin:end]
                share = share[np.argsort(where[share, 1 - first], kind="stable")]
                place[share] = by_line[begin : begin + len(share)]
                begin = end
            yield f"{how} by {name}{'' if first == 0 else ', turned'}", place


def all_starts(problem: Problem, seed: int) -> Iterator[Start]:
    """Every start of the portfolio."""
    smooth = smooth_vectors(problem)
    for name, order, widths in sequences(problem, smooth):
        for curve, line in curves(problem.sites, widths).items():
            place = np.empty(problem.n, np.int64)
            place[order] = line[: problem.n]
            yield (curve if name == "given" else f"{name}, {curve}"), place
    yield from two_dimensional(problem, smooth, "spectral")
    if problem.n > MANY:
        yield from two_dimensional(problem, corners(problem), "corners")
    yield "random", shuffled(len(problem.sites), seed)[: problem.n]
