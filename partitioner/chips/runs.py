"""Runs: cores in an order, cut into one run for each chip, and orders in which that cuts few messages.

The best runs of all come from dynamic programming over the ends of chips. With K chips of c cores and n cores the end of
chip k lies in a window of K c - n + 1 positions, so that all windows together hold about n ends. What a run keeps inside
comes from a two-dimensional running sum over the pairs of its window.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.arrange import laid_out
from neurodeploy.ir.fixedpoint import Ints
from partitioner.chips.hypergraph import Hyper

#: A sum that is never reached.
_NEVER = -(2**62)


def best_runs(hyper: Hyper, order: Ints, room: Ints, fixed: Ints) -> Ints:
    """(cores,): the chip of each, from the best division of `order` into runs of at most ``room[k]`` cores for chip k.

    order : the free cores. fixed : (cores,) the chip of each other core.
    """
    count = len(order)
    ends = np.cumsum(room)
    at = np.full(hyper.cores, -1, np.int64)
    at[order] = np.arange(count)
    number = np.where(at < 0, count, at)
    u, v, weight = hyper.renumbered(number, count + 1).chain()
    kept = v < count  # what is pinned has the last number and takes no part
    u, v, weight = u[kept], v[kept], weight[kept]
    by_u = np.argsort(u, kind="stable")
    u, v, weight = u[by_u], v[by_u], weight[by_u]
    begins, score, choice = [0], np.zeros(1, np.int64), []
    for k in range(len(room)):
        low_a, high_a = begins[-1], begins[-1] + len(score) - 1
        low = max(0, count - int(ends[-1] - ends[k]))
        high = min(count, int(ends[k]))
        start, stop = np.searchsorted(u, (low_a, high))
        inside = v[start:stop] < high
        inner = np.zeros((high_a - low_a + 1, high - low + 1), np.int64)
        rows = np.minimum(u[start:stop][inside], high_a) - low_a
        columns = np.maximum(v[start:stop][inside] + 1, low) - low
        np.add.at(inner, (rows, columns), weight[start:stop][inside])
        inner = inner[::-1].cumsum(axis=0)[::-1].cumsum(axis=1)
        length = np.arange(low, high + 1)[None, :] - np.arange(low_a, high_a + 1)[:, None]
        inner = np.where((length >= 0) & (length <= room[k]), inner + score[:, None], _NEVER)
        last = len(inner) - 1 - inner[::-1].argmax(axis=0)  # of equals the one that fills earlier chips
        score = np.maximum(np.take_along_axis(inner, last[None, :], axis=0)[0], _NEVER)
        choice.append(last)
        begins.append(low)
    chip: Ints = fixed.copy()
    end = count
    for k in range(len(room) - 1, -1, -1):
        start = int(choice[k][end - begins[k + 1]]) + begins[k]
        chip[order[start:end]] = k
        end = start
    return chip


def receivers(hyper: Hyper) -> Ints:
    """Cores in order, but those that only exchange with earlier cores (reducers) amid these, by messages."""
    total, moment = np.zeros(hyper.cores, np.int64), np.zeros(hyper.cores, np.int64)
    shift = max(0, (int(hyper.weight.sum()) * hyper.cores).bit_length() - 50)
    weight = np.maximum(hyper.weight >> shift, 1)
    np.add.at(total, hyper.v, weight)
    np.add.at(moment, hyper.v, weight * hyper.u)
    only = total > 0
    only[hyper.u] = False  # it exchanges with a later core
    key = np.where(only, moment * 1024 // np.maximum(total, 1) + 1, np.arange(hyper.cores) * 1024)
    order: Ints = np.argsort(key, kind="stable")
    return order


def listeners(hyper: Hyper) -> Ints:
    """Cores by the broadcast that they listen to, these by their first core; those that listen to none where they stand."""
    key = np.arange(hyper.cores)
    if len(hyper.wide):
        first = hyper.pins[hyper.indptr[:-1]]
        np.minimum.at(key, hyper.pins, first[hyper.edge])
    order: Ints = np.argsort(key, kind="stable")
    return order


def layers(hyper: Hyper) -> Ints:
    """Cores by breadth-first layers, from a far end of each component; within a layer by their neighbours."""
    u, v, _ = hyper.chain()
    ends, others = np.concatenate((u, v)), np.concatenate((v, u))
    by = np.argsort(ends, kind="stable")
    others = others[by]
    begin = np.searchsorted(ends[by], np.arange(hyper.cores + 1))
    position = np.full(hyper.cores, -1, np.int64)
    done, found = 0, []
    for root in range(hyper.cores):
        if position[root] >= 0:
            continue
        far = _sweep(root, others, begin, position.copy())[-1]
        order = _sweep(int(far), others, begin, position)
        position[order] = done + np.arange(len(order))
        done += len(order)
        found.append(order)
    return np.concatenate(found)


def _sweep(root: int, others: Ints, begin: Ints, position: Ints) -> Ints:
    """Cores that can be reached from `root`, layer by layer; `position` marks them."""
    front, found, count = np.array([root], np.int64), [], 0
    position[root] = 0
    while len(front):
        position[front] = count + np.arange(len(front))
        count += len(front)
        found.append(front)
        fan = begin[front + 1] - begin[front]
        new = others[laid_out(begin[front], fan)[1]]
        mean = np.repeat(position[front], fan)
        new, mean = new[position[new] < 0], mean[position[new] < 0]
        front, back = np.unique(new, return_inverse=True)
        total = np.zeros(len(front), np.int64)
        np.add.at(total, back, mean)
        hits = np.bincount(back, minlength=len(front))
        front = front[np.lexsort((front, total * 1024 // np.maximum(hits, 1)))]
    return np.concatenate(found)
