"""How far the busiest core of a step is from the busiest of the mean step.

A unit takes the sum over its steps of the longest core of each, and counts of a run give the mean load of each core::

    max over cores of mean over steps of x  <=  mean over steps of max over cores of x

Where the events of every step were kept (`ir.raster`) the right side is computed: at every draw of the prices (`band`) the
core, and the stage of its work, that takes longest is chosen in each step, and what the chosen ones do is a row of loads,
the mean over the steps. The rows are exact at the draws that chose them and a lower bound at any other price.

Elsewhere the right side is bounded from above, whatever the steps were: in every step x of a core lies between l, its load
without any event, and h, with an event of every neuron that ever sends, and its mean m is known. For any number a::

    max of x  <=  a + sum of (x - a)+         E (x - a)+  <=  m - a                     a <= l
                                                              (m - l) (h - a) / (h - l)    l < a < h
                                                              0                         h <= a

The least of it over a is reached at one of all l and h, for it is convex and straight between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.flow.loads import WORK
from neurodeploy.ir.fixedpoint import Ints

Floats = NDArray[np.float64]
#: Ticks whose chosen cores are held at a time.
TICKS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """busiest (stages, k, 17) : the mean over steps of the core that takes longest in each, by the stage that does, chosen
    by k draws of prices; none where that is not known.

    least, most (n, 17) : of each core, without any event and with all that ever happen; none where `busiest` is known, or
    all steps are taken to be alike.
    """

    busiest: Floats
    least: Floats
    most: Floats

    def changed(self, change: Callable[[Floats], Floats]) -> Spread:
        """Every table changed by its last axis, the kinds of work."""
        return Spread(change(self.busiest), change(self.least), change(self.most))

    def longest(self, prices: Floats) -> Floats:
        """(k,) of k draws of prices (stages, 17, k): the mean seconds of the busiest core of each step, 0 where unknown."""
        if not self.busiest.size:
            return np.zeros(1)
        found: Floats = np.einsum("srw,swk->rk", self.busiest, prices, optimize=True).max(axis=0)
        return found

    def factor(self, loads: Floats, prices: Floats) -> float:
        """How many times the largest mean the mean of the largest may be at these prices (stages, 17)."""
        if not len(self.least):
            return 1.0
        low, mean, high = ((table @ prices.T).max(axis=1) for table in (self.least, loads, self.most))
        largest = float(mean.max(initial=0.0))
        return max(1.0, most_of_largest(low, mean, high) / largest) if largest else 1.0


NO_ROWS = np.zeros((0, len(WORK)))
#: Of steps that are alike.
ALIKE = Spread(NO_ROWS, NO_ROWS, NO_ROWS)


def most_of_largest(low: Floats, mean: Floats, high: Floats) -> float:
    """The most that the mean of the maximum of n numbers can be, which lie between `low` and `high` and have these means."""
    low, high = np.minimum(low, mean), np.maximum(high, mean)
    wide = high > low
    share = np.divide(mean - low, high - low, out=np.ones_like(mean), where=wide)
    at = np.concatenate((low, high))
    turn = np.concatenate((1.0 - share * wide, share * wide))  # of the slope, at each of these
    order = np.argsort(at, kind="stable")
    at, turn = at[order], turn[order]
    slope = 1.0 - len(mean) + np.cumsum(turn)[:-1]
    first = at[0] + float((mean - at[0]).sum())
    return float((first + np.cumsum(np.append(0.0, slope * np.diff(at)))).min())


def of_steps(tables: Iterable[Ints], always: Floats, cells: Sequence[Ints], prices: Floats) -> list[Floats]:
    """For each phase of a step (stages, k, 17), the mean over all ticks of the loads of the core that takes longest in it.

    tables : (ticks of a part, shards, 9), part after part. always (shards, 17) : what each does beside in every tick.
    cells : of each phase the number of the core of each shard, -1 where it works in another phase. prices : (stages, 17, k).
    """
    sums, ticks = [np.zeros((len(prices), prices.shape[2], len(WORK))) for _ in cells], 0
    gathers = [_gather(cell) for cell in cells]
    for table in tables:
        ticks += len(table)
        for found, (mine, cores) in zip(sums, gathers, strict=True):
            loads = np.zeros((len(table), cores.shape[0], len(WORK))) + cores @ always[mine]
            for column in np.flatnonzero(table[:, mine].any(axis=(0, 1))).tolist():
                loads[:, :, column] += (cores @ table[:, mine, column].T).T
            for first in range(0, len(table), TICKS):
                _choose(loads[first : first + TICKS], prices, found)
    return [found / max(1, ticks) for found in sums]


def _gather(cell: Ints) -> tuple[Ints, Any]:
    """The shards of a phase, and the sparse matrix (cores, shards) that adds them up."""
    from scipy.sparse import csr_array

    mine = np.flatnonzero(cell >= 0)
    shape = (int(cell.max(initial=-1)) + 1, len(mine))
    return mine, csr_array((np.ones(len(mine)), (cell[mine], np.arange(len(mine)))), shape=shape)


def _choose(loads: Floats, prices: Floats, found: Floats) -> None:
    """Adds to `found` the core of each tick that takes longest at each draw. A core that does no more of anything than the
    one that is busiest at nominal prices is never chosen."""
    if not loads.shape[1]:
        return
    nominal = np.max([loads @ stage[:, 0] for stage in prices], axis=0)
    top = nominal.argmax(axis=1)[:, None, None]
    used = prices.any(axis=(0, 2))
    kept = np.any(loads[:, :, used] > np.take_along_axis(loads, top, axis=1)[:, :, used], axis=2)
    np.put_along_axis(kept, top[:, :, 0], True, axis=1)
    chosen = np.argsort(~kept, axis=1, kind="stable")[:, : int(kept.sum(axis=1).max(initial=1))]
    few = np.take_along_axis(loads, chosen[:, :, None], axis=1)
    seconds = np.concatenate([few @ stage for stage in prices], axis=1)  # (ticks, stages * few, k)
    stage, core = np.divmod(seconds.argmax(axis=1), few.shape[1])
    rows = np.take_along_axis(few, core[:, :, None], axis=1)
    for number in range(len(prices)):
        found[number] += (rows * (stage == number)[:, :, None]).sum(axis=0)
