"""`graded_attention` for all steps of a block: products over all its queries and keys, one pass over the scores.

Every sum of `neurons/graded_attention.py` is below 2**53, so that products of real numbers of 64 bits are exact in any
order: a score ``2**15 * 2**15 * 2**10`` at most, a weighted value ``2**21 * 2**15 * 2**17``. Positions follow one
another here, while a run lasts; a ring is what is put into the state.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints, signed_max
from neurodeploy.ir.population import Population
from neurodeploy.machine.jit import jit
from neurodeploy.machine.threads import parts_of, split
from neurodeploy.neurons import graded_attention as model
from neurodeploy.neurons.arithmetic import Integers
from neurodeploy.neurons.model import Values
from neurodeploy.neurons.registers import REGISTER_BITS
from simulators.fast.neurons import Arrays, Neurons, Ports
from simulators.fast.neurons import neurons as plain

#: Scores that exist at a time.
SCORES = 1 << 21
#: Work of a score in units of a multiply-add of `machine.threads`.
WORK_SCORE = 8


@jit
def weigh(part, parts, s, shift, first, stop, table, fraction, limit, z, lost):  # type: ignore[no-untyped-def]
    """Exact sums s (queries, heads, keys) become weights, 0 where a query does not see a key; z: their sums.

    shift (heads,); first, stop (queries,): the keys that a query sees; limit: largest score; lost (parts,): clipped ones.
    """
    queries, heads, keys = s.shape
    x = np.empty(keys, np.int64)
    for i in range(queries * part // parts, queries * (part + 1) // parts):
        for h in range(heads):
            row, right = s[i, h], shift[h]
            half = (np.int64(1) << (right - 1)) if right > 0 else np.int64(0)
            most = np.int64(-(2**62))
            for j in range(first[i], stop[i]):
                value = (np.int64(row[j]) + half) >> right
                if value > limit or value < -limit:
                    lost[part] += 1
                    value = limit if value > 0 else -limit
                x[j] = value
                most = max(most, value >> fraction)
            total = np.int64(0)
            row[: first[i]] = 0.0
            row[stop[i] :] = 0.0
            for j in range(first[i], stop[i]):
                behind = min(most - (x[j] >> fraction), 40)
                p = table[x[j] & ((1 << fraction) - 1)]
                if behind > 0:
                    p = (p + (np.int64(1) << (behind - 1))) >> behind
                row[j] = p
                total += p
            z[i, h] = total


class Remembering(Neurons):
    """The population, and its keys and values by position."""

    def __init__(self, population: Population, state: Values) -> None:
        super().__init__(population, state)
        p = self.params
        names = ("heads", "kv_heads", "head_dim", "slots", "kind")
        self.heads, self.groups, self.dim, self.slots, self.kind = (int(p[name].item()) for name in names)
        shift = np.broadcast_to(p["score_shift"], (self.size,)).reshape(self.heads, self.dim)[:, 0]
        self.shift = np.ascontiguousarray(shift.reshape(self.groups, -1))
        #: Steps done; None until the first block says so.
        self.position: int | None = None

    def advance(self, start: int, stop: int, first: int, ports: Ports, outputs: Arrays) -> None:
        steps, begin = stop - start, first - 1 + start
        if self.position is None:
            self._unroll(begin)
        on = Integers()
        arrived = {name: port.arrived[:, start:stop] for name, port in ports.items()}
        q, k, v = model.coded(on, self.params, arrived)
        if self.kind == model.FULL:
            over = max(0, begin + steps - max(self.slots, begin))
            on.wrapped += 2 * over * len(q) * self.groups * self.dim
        for name, new in (("key", k), ("value", v)):
            rows = new.reshape(*new.shape[:2], self.groups, -1)[..., : self.dim].reshape(len(q), steps, -1)
            self.state[name] = np.concatenate([self.state[name], rows.astype(np.int16)], axis=1)
        self.position = begin + steps
        a = np.empty(q.shape, np.int64)
        z = np.empty((*q.shape[:2], self.heads), np.int64)
        for sample in range(len(q)):
            self._attend(q[sample], sample, begin, a[sample], z[sample], on)
        sent = model.finished(on, a, np.repeat(z, self.dim, axis=2), self.params)
        outputs["s"][:, start:stop] = sent
        self.lost[0] += (on.wrapped, on.saturated, on.saturated_out)
        kept = min(self.slots, self.position)
        if self.state["key"].shape[1] > 2 * kept:
            self._forget(kept)

    def _attend(self, q: Ints, sample: int, begin: int, a: Ints, z: Ints, on: Integers) -> None:
        """Sums a (steps, size) and z (steps, heads) of one sample."""
        keys, values = (self.state[name][sample].reshape(-1, self.groups, self.dim) for name in ("key", "value"))
        base = begin + len(q) - len(keys)  # the position of the first
        seen = [model.first_seen(begin + i, self.slots, self.kind) for i in range(len(q))]
        heads = self.heads // self.groups
        for group in range(self.groups):
            width = slice(group * heads * self.dim, (group + 1) * heads * self.dim)
            several = q[:, width].reshape(len(q), heads, self.dim)
            key, value = keys[:, group].astype(np.float64), values[:, group].astype(np.float64)
            step = max(1, SCORES // (heads * len(keys)))
            for i in range(0, len(q), step):
                part = several[i : i + step].astype(np.float64)
                low, end = seen[i] - base, begin + i + len(part) - base
                s = (part.reshape(-1, self.dim) @ key[low:end].T).reshape(len(part), heads, -1)
                first = np.array(seen[i : i + step]) - base - low
                stop = np.arange(len(part)) + begin + i + 1 - base - low
                total = z[i : i + step, group * heads : (group + 1) * heads]
                total[...], lost = weighed(s, self.shift[group], first, stop)
                on.saturated += lost
                sums = s.reshape(-1, end - low) @ value[low:end]
                a[i : i + step, width] = sums.reshape(len(part), -1)

    def _unroll(self, begin: int) -> None:
        """Rings become positions in order."""
        if begin > self.slots:
            order = np.arange(begin - self.slots, begin) % self.slots
            self.state = {name: array[:, order] for name, array in self.state.items()}
        self.position = begin

    def _forget(self, rows: int) -> None:
        self.state = {name: np.ascontiguousarray(array[:, -rows:]) for name, array in self.state.items()}

    def states(self, last: bool = False) -> Values:
        if self.position is None:
            return self.state
        kept = min(self.slots, self.position)
        place = np.argsort(np.arange(self.position - kept, self.position) % self.slots)
        return {name: array[:, array.shape[1] - kept :][:, place] for name, array in self.state.items()}


def weighed(s: NDArray[np.float64], shift: Ints, first: Ints, stop: Ints) -> tuple[Ints, int]:
    """`weigh` by several threads: the sums of weights (queries, heads), and scores that were clipped."""
    z = np.empty(s.shape[:2], np.int64)
    work, limit = s.size * WORK_SCORE, signed_max(REGISTER_BITS)
    lost = np.zeros(parts_of(work), np.int64)
    split(weigh, work, s, shift, first, stop, model.EXP, model.FRACTION_BITS, limit, z, lost)
    return z, int(lost.sum())


def neurons(population: Population, state: Values) -> Neurons:
    """The fastest way to run this population; it owns `state`."""
    return Remembering(population, state) if population.model == "graded_attention" else plain(population, state)
