"""A lower bound on cores that holds for any mapper with the formats of `cost/lists.py`, and the naive one to compare with.

What is proven. Take any mapping of populations of O x I all-to-all synapses (islands are such): rectangles of weights on
cores, each row either whole in one rectangle or in k > 1 column blocks with a reducer, nothing shared between rectangles.
With `Limits` known as L_x (x a resource) and weights u_x >= 0 with sum 1, every core has ``sum_x u_x used_x / L_x <= 1``::

    cores >= sum over populations, rows i of  U(i),      U(i) = least sum_x u_x used_x(i) / L_x  of one row's part

and the part of a row is bounded from below through the rows R(c) that a core can hold at most of a rectangle of c
columns (memory, in-axons, neurons, out-axons and state all limit it). A rectangle of r <= R(c) rows and c columns gives
each of its rows, with h, b, s, a as in `cost/lists.py` and m the messages of a value of a row there::

    neurons 1    synapse_bytes c (h + ceil(r b / 8)) / r    in_axons c / r    out_axons m    state s + a (c / r + m)

Memory and axons fall with r, so they are at least what r = 1 .. R(c) allows: ``c phi(R(c))`` with ``phi(R) = min over r
<= R of (h + ceil(r b / 8)) / r``, and ``c / R(c)``. This is the header cost that total demand over budget misses: with
about ``Amax`` weights in a full core ``phi = b/8 + h c / Amax``. The row's cost is the smaller of

* uncut: one rectangle of I columns;
* cut: blocks of c_1 + ... + c_k = I columns. Each adds m(c_j) messages to the reducer: as many in-axons, ``m (h + ceil(b
  / 8))`` bytes and ``a m`` state there; the reducer has a neuron, its state and its outputs. With f(c) the cost of a
  block of c columns, reducer's share included, ``sum f(c_j) >= I min_c f(c) / c`` and ``>= k_min min_c f(c)``. In the
  limit of fine cuts ``f(c) / c = b/8 + h c / Amax + g m / c``, least at ``c = sqrt(g m Amax / h)``: 2 sqrt(g h m / Amax)
  above the naive bound.

s is the state of a neuron, or on a block of columns that of its sums. m(c) is the least number of messages of a partial sum
over *any* c columns (`population.Sums.least_words`), of an island from the sums of the fewest consecutive blocks of
`Synapses.block_abs_sum` that c columns can touch; a block of more than `Sums.most` messages does not exist. Entries of homes
for destinations on other cores come on top, one for each that is read at all. Other populations count as one shard without
limits that sends to one shard of each reader (`least_demand`), which all populations together exceed too.

The bound is the largest over u: each resource alone, and every pair of resources in eighths. There is no term for items
that are larger than half a core (Martello and Toth's L2), because no item is given: any island can be cut into other
rectangles. `pack.cores.lower_bound` has L2 for the tiles of one split. All sums are integers, rounded down until the last
division.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import BLOCK
from partitioner.cost.budget import NOTHING, RESOURCES, Demand, Limits, add, core_limits, times
from partitioner.cost.lists import Destinations, one_tile
from partitioner.cost.population import View

#: Costs of a row count in 2**-20 of a byte, an axon or a neuron, parts of a core in 2**-14 of that.
FINE = 1 << 20
PART = 1 << 14
ONE_CORE = FINE * PART
#: Pairs of resources are weighed in parts of this.
EIGHTH = 8
#: Stands for a limit that is unknown.
_OPEN = 1 << 40


def lower_bound(views: Iterable[View], chip: ChipSpec) -> tuple[int, str]:
    """The least number of cores of these populations, and the resource that asks for them: the one with the largest part
    in the bound ("none" where there is no population or no limit)."""
    return bound_of([(view, 1) for view in views], chip)


def bound_of(classes: Iterable[tuple[View, int]], chip: ChipSpec) -> tuple[int, str]:
    """`lower_bound` of `count` equal populations each: one of the class stands for all of them."""
    limits, least = core_limits(chip), NOTHING
    mixtures = _mixtures([index for index, limit in enumerate(limits) if limit])
    total, parts = [0] * len(mixtures), [[0] * len(RESOURCES) for _ in mixtures]
    solved: dict[tuple[object, ...], tuple[list[int], list[list[int]]]] = {}
    for view, count in classes:
        alone = least_demand(view)
        least = add(least, times(alone, count))
        sent = alone[3] - view.rows * view.outputs  # entries of homes for destinations, however they are cut
        linear = (0, 0, 0, sent, sent * view.form.axon) if view.uniform else alone
        for index, weights in enumerate(mixtures.tolist() if any(linear) else ()):
            shares = [w * n * ONE_CORE // (limit or 1) for w, n, limit in zip(weights, linear, limits, strict=True)]
            total[index] += count * sum(shares)
            for resource, part in enumerate(shares):
                parts[index][resource] += count * part
        if not view.uniform:
            continue
        words = view.sums.least_words()
        key = (view.rows, view.columns, view.neuron, view.row_bits, view.sums.bits, view.outputs, words.tobytes())
        if key not in solved:
            costs, taken = _row_costs(_Shape(view, limits, words), limits, mixtures)
            solved[key] = costs.tolist(), taken.tolist()
        for index, (least_here, taken_here) in enumerate(zip(*solved[key], strict=True)):
            total[index] += count * view.rows * least_here
            for resource, part in enumerate(taken_here):
                parts[index][resource] += count * view.rows * part
    best, binding = 0, "none"
    for weights, whole, shares in zip(mixtures, total, parts, strict=True):
        cores = -(-whole // (ONE_CORE * int(weights.sum())))
        if cores > best:
            best, binding = cores, RESOURCES[max(range(len(shares)), key=shares.__getitem__)]
    for name, used, limit in zip(RESOURCES, least, limits, strict=True):
        if limit and -(-used // limit) > best:
            best, binding = -(-used // limit), name
    return best, binding


def least_demand(view: View) -> Demand:
    """What a population takes of all budgets at least: one shard without limits that sends to one shard of each reader.
    Further cuts repeat lists, headers and entries and save nothing."""
    rows = (0, view.rows)
    costs = [one_tile(part, rows, view.whole, view.form) for part in view.segments]
    read = {
        p.name: Destinations(np.minimum(p.units.sums(p.synapse.axons().astype(np.int64)), 1)) for p in view.outgoing
    }
    return view.home(view.rows, sum(c[0] for c in costs), sum(c[1] for c in costs), view.sends(read).count(rows))


def _mixtures(known: Sequence[int]) -> Ints:
    """(mixtures, resources): each known resource alone, then pairs of them in parts of `EIGHTH`."""
    rows = [[int(i == index) for i in range(len(RESOURCES))] for index in known]
    for a, b in combinations(known, 2):
        for part in range(1, EIGHTH):
            rows.append([part if i == a else EIGHTH - part if i == b else 0 for i in range(len(RESOURCES))])
    return np.array(rows, np.int64).reshape(-1, len(RESOURCES))


@dataclass(frozen=True)
class _Shape:
    """What one island's rows cost at least, by the columns of a rectangle. Costs are in 1 / `FINE`, (5, rectangles)."""

    view: View
    limits: Limits
    words: Ints

    def uncut(self) -> Ints | None:
        """Cost of a row in one rectangle (5,), None where not even one fits."""
        columns = np.array([self.view.columns])
        messages = np.array([self.view.outputs])
        state = np.array([self.view.neuron])
        rows = self._rows(columns, messages, state)
        return None if rows[0] < 1 else self._cost(columns, messages, rows, state)[:, 0]

    def blocks(self) -> tuple[Ints, Ints]:
        """Widths of column blocks that can be (n,) and their cost for each row, with what they add to the reducer (5, n)."""
        columns = np.arange(1, self.view.columns)
        messages = self.words[-(-columns // BLOCK) - 1]
        most = int(messages.max(initial=0))
        state = np.array([self.view.sums.state(words) for words in range(most + 1)], np.int64)[messages]
        rows = self._rows(columns, messages, state)
        can = (rows >= 1) & (messages <= self.view.sums.most)
        columns, messages = columns[can], messages[can]
        found = self._cost(columns, messages, rows[can], state[can])
        header, axon = self.view.form.header, self.view.form.axon
        found[1] += FINE * messages * (header + -(-self.view.sums.bits // 8))
        found[2] += FINE * messages
        found[4] += FINE * messages * axon
        return columns, found

    def home(self) -> Ints:
        """What the reducer of a row takes whatever arrives (5,): its neuron, its outputs, their state."""
        state, axon = self.view.neuron, self.view.form.axon
        sent = self.view.outputs
        return FINE * np.array([1, 0, 0, sent, state + axon * sent], np.int64)

    def _rows(self, columns: Ints, messages: Ints, state: Ints) -> Ints:
        """R(c): the most rows of a rectangle with so many bytes of state each, at most the population's own."""
        header, axon = self.view.form.header, self.view.form.axon
        neurons, memory, axons, sent, states = (_OPEN if limit is None else limit for limit in self.limits)
        rows = np.full(len(columns), min(neurons, self.view.rows), np.int64)
        rows = np.minimum(rows, np.maximum(memory // columns - header, 0) * 8 // self.view.row_bits)
        rows = np.minimum(rows, np.where(messages > 0, sent // np.maximum(messages, 1), _OPEN))
        each = state + axon * messages
        left = states - axon * columns
        rows = np.minimum(rows, np.where(left < 0, 0, np.where(each > 0, left // np.maximum(each, 1), _OPEN)))
        return np.where(columns > axons, 0, rows)

    def _cost(self, columns: Ints, messages: Ints, rows: Ints, state: Ints) -> Ints:
        header, axon = self.view.form.header, self.view.form.axon
        each = np.arange(1, int(rows.max(initial=1)) + 1)
        least = np.minimum.accumulate(FINE * (header + -(-each * self.view.row_bits // 8)) // each)
        axons = FINE * columns // rows
        return np.stack(
            [
                np.full(len(columns), FINE),
                columns * least[rows - 1],
                axons,
                FINE * messages,
                FINE * (state + axon * messages) + axon * axons,
            ]
        )


def _row_costs(shape: _Shape, limits: Limits, mixtures: Ints) -> tuple[Ints, Ints]:
    """For each mixture the least cost of a row, and by resource what that consists of, in parts of `ONE_CORE`."""
    scale = np.array([[limit or 0] for limit in limits], np.int64)

    def priced(costs: Ints) -> Ints:
        """(mixtures, resources, n) weighed parts of a core."""
        parts = np.where(scale > 0, costs.reshape(len(scale), -1) * PART // np.maximum(scale, 1), 0)
        return np.asarray(mixtures[:, :, None] * parts)

    columns, blocks = shape.blocks()
    found: list[tuple[Ints, Ints]] = []
    whole = shape.uncut()
    if whole is not None:
        parts = priced(whole)[:, :, 0]
        found.append((parts.sum(axis=1), parts))
    if len(columns):
        parts, home, width = priced(blocks), priced(shape.home())[:, :, 0], shape.view.columns
        costs = parts.sum(axis=1)
        even = costs * width // columns
        at = even.argmin(axis=1)[:, None]
        fewest = -(-width // int(columns.max())) * costs.min(axis=1)
        least = np.maximum(np.take_along_axis(even, at, 1)[:, 0], fewest) + home.sum(axis=1)
        taken = np.take_along_axis(parts, at[:, :, None], 2)[:, :, 0] * width // columns[at]
        found.append((least, taken + home))
    if not found:  # no mapper can: the split says so
        return np.zeros(len(mixtures), np.int64), np.zeros(mixtures.shape, np.int64)
    if len(found) == 1:
        return found[0]
    first = (found[0][0] <= found[1][0])[:, None]
    return np.minimum(found[0][0], found[1][0]), np.where(first, found[0][1], found[1][1])
