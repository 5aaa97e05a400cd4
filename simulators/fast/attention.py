"""`graded_attention` for all steps of a block: exact products over all its queries and keys, one pass over the scores.

A product of 16-bit numbers adds pairs of them in 32 bits. So that a sum of so many of them fits, a query is split into
digits of b bits and a weight into two of 11 (d: neurons of a head, w: bits of a key or value)::

    2**(b - 1) * (2**(w - 1) - 1) * d < 2**31        2**10 * (2**(w - 1) - 1) * 64 < 2**31

for 64 positions at a time, whose sums are added in 64 bits. Positions follow one another here, while a run lasts; a ring is
what is put into the state.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints, signed_max
from neurodeploy.ir.population import Population
from neurodeploy.machine.threads import parts_of, split
from neurodeploy.neurons import graded_attention as model
from neurodeploy.neurons import registry
from neurodeploy.neurons.model import Values
from simulators.fast.kernels import attention as kernels
from simulators.fast.neurons import Arrays, Neurons, Ports
from simulators.fast.neurons import neurons as plain
from simulators.fast.registers import requantising
from simulators.products.tiles import SPREAD

#: Work of a key and a query's number, and of an input that is coded, in units of a multiply-add of `machine.threads`.
WORK_SUM, WORK_INPUT = 2, 4
TABLE = model.EXP.astype(np.float32)


class Attending(NamedTuple):
    """Of a population for the kernels: some of its parameters, bits of a digit of a query, limits of q' and of k' and v',
    factors of the inputs, shifts of the scores by head, and what `requantise` reads, by head."""

    heads: int
    groups: int
    dim: int
    slots: int
    kind: int
    bits: int
    limits: Ints
    factors: NDArray[np.float64]
    shift: Ints
    finish: tuple[NDArray[Any], ...]

    @classmethod
    def of(cls, population: Population) -> Attending:
        p = registry.prepared_params(population)
        names = ("heads", "kv_heads", "head_dim", "slots", "kind")
        heads, groups, dim, slots, kind = (int(p[name].item()) for name in names)
        limits = np.array([signed_max(model.QUERY_BITS), signed_max(int(p["kv_bits"].item()))])
        # the whole of a query, or as many bits as leave every sum of a head's products in 32
        bits = min(model.QUERY_BITS, 32 - int(limits[1] * dim).bit_length())
        multipliers, shifts, (score_shift,) = (
            np.array([np.broadcast_to(p[name], population.size) for name in names])
            for names in (
                [f"{port}_multiplier" for port in "qkv"],
                [f"{port}_shift" for port in "qkv"],
                ["score_shift"],
            )
        )
        params, reals, numbers = requantising(population)
        rows = (np.ascontiguousarray(x.reshape(-1, heads, dim).swapaxes(0, 1)) for x in (params, reals))
        factors = np.ldexp(multipliers.astype(float), -shifts)
        finish = (*rows, numbers)
        return cls(heads, groups, dim, slots, kind, bits, limits, factors, score_shift[::dim].copy(), finish)


_kept: WeakKeyDictionary[Population, Attending] = WeakKeyDictionary()


class Growing:
    """Keys and values of the last `rows` positions before `position`, as a state has them and as the kernels read them.

    rows are only ever added behind those that are there, so that what was handed out stays as it is.
    """

    def __init__(self, samples: int, groups: int, dim: int, position: int) -> None:
        self.groups, self.dim, self.position, self.rows = groups, dim, position, 0
        self.natural = {name: np.empty((samples, 0, groups * dim), np.int16) for name in ("key", "value")}
        self.key = np.empty((samples, groups, 0, -(-dim // 2), SPREAD, 2), np.int16)
        self.value = np.empty((samples, groups, 0, -(-dim // SPREAD) * SPREAD, 2), np.int16)

    @classmethod
    def of(cls, state: Values, groups: int, dim: int, slots: int, position: int) -> Growing:
        """What is in a state before that position, in order: itself, if nothing was added since it was handed out."""
        handed, other = (getattr(state[name], "memory", None) for name in ("key", "value"))
        if handed is other and isinstance(handed, Growing) and handed.position == position:
            return handed
        found = cls(len(state["key"]), groups, dim, position)
        order = np.arange(max(0, position - slots), position) % slots
        found.room(order.size)
        for name, array in state.items():
            found.natural[name][:, : order.size] = array[:, order]
        found.add(order.size)
        return found

    def room(self, steps: int, slots: int = 0) -> None:
        """For so many more rows: twice as many where they do not fit, without those before the last `slots`."""
        if self.rows + steps <= self.natural["key"].shape[1]:
            return
        rows = min(slots, self.rows)
        capacity = -(-2 * (rows + steps) // kernels.CHUNK) * kernels.CHUNK
        for name, old in self.natural.items():
            self.natural[name] = np.empty((len(old), capacity, old.shape[2]), np.int16)
            self.natural[name][:, :rows] = old[:, self.rows - rows : self.rows]
        (samples, groups, _, *pair), (_, _, _, *one) = self.key.shape, self.value.shape
        self.key = np.empty((samples, groups, capacity // SPREAD, *pair), np.int16)
        self.value = np.empty((samples, groups, capacity // 2, *one), np.int16)
        self.rows = 0
        self.add(rows)

    def add(self, rows: int) -> None:
        """So many more, which are in `natural` already."""
        natural = self.natural["key"], self.natural["value"]
        kernels.pack(self.rows, self.rows + rows, *natural, self.dim, self.key, self.value)
        self.rows += rows

    def state(self, slots: int) -> Values:
        """The last `slots` positions, each at its place in the ring."""
        kept = min(slots, self.position)
        found = {name: array[:, self.rows - kept : self.rows] for name, array in self.natural.items()}
        if self.position > slots:
            place = np.argsort(np.arange(self.position - kept, self.position) % slots)
            found = {name: array[:, place] for name, array in found.items()}
        return {name: Handed.of(array, self) for name, array in found.items()}


class Handed(np.ndarray):  # type: ignore[type-arg]
    """A part of a state that knows the `Growing` it was taken from. It cannot be written to."""

    memory: Growing | None = None

    @classmethod
    def of(cls, array: NDArray[np.int16], memory: Growing) -> Handed:
        found = array.view(cls)
        found.memory, found.flags.writeable = memory, False
        return found


class Remembering(Neurons):
    """The population, and its keys and values by position."""

    def __init__(self, population: Population, state: Values) -> None:
        if population not in _kept:
            _kept[population] = Attending.of(population)
        self.own = _kept[population]
        self.population, self.size, self.state, self.lost = (
            population,
            population.size,
            state,
            np.zeros((1, 3), np.int64),
        )
        self.memory: Growing | None = None

    def advance(self, start: int, stop: int, first: int, ports: Ports, outputs: Arrays) -> None:
        steps, begin, samples, own = stop - start, first - 1 + start, len(outputs["s"]), self.own
        if self.memory is None:
            self.memory = Growing.of(self.state, own.groups, own.dim, own.slots, begin)
        memory = self.memory
        memory.room(steps, own.slots)
        if own.kind == model.FULL:
            over = max(0, begin + steps - max(own.slots, begin))
            self.lost[0, 0] += 2 * over * samples * own.groups * own.dim
        rows = -(-steps // kernels.QUERIES) * kernels.QUERIES * -(-model.QUERY_BITS // own.bits)
        query = np.empty((samples, own.heads, rows, 2 * memory.key.shape[3]), np.int16)
        query[..., own.dim :] = 0
        arrived = tuple(ports[port].arrived for port in "qkv")
        self._split(
            kernels.take, samples * steps * self.size * WORK_INPUT, start, stop, arrived, own.factors, own.limits, own.heads,
            own.groups, own.bits, memory.rows, query, memory.natural["key"], memory.natural["value"],
        )  # fmt: skip
        memory.add(steps)
        memory.position = begin + steps
        positions, base = np.arange(begin, begin + steps), memory.position - memory.rows
        seen, until = model.first_seen(positions, own.slots, own.kind) - base, positions + 1 - base
        self._split(
            kernels.attend, int((until - seen).sum()) * samples * self.size * WORK_SUM, query, memory.key, memory.value,
            seen, until, own.bits, own.shift, model.FRACTION_BITS, TABLE, model.INVERSE, *own.finish,
            outputs["s"][:, start:stop],
        )  # fmt: skip

    def _split(self, kernel: Any, work: int, *given: Any) -> None:
        """By several threads, which count by themselves."""
        lost = np.zeros((parts_of(work), 3), np.int64)
        split(kernel, work, *given, lost)
        self.lost[0] += lost.sum(axis=0)

    def states(self, last: bool = False) -> Values:
        return self.state if self.memory is None else self.memory.state(self.own.slots)


def neurons(population: Population, state: Values) -> Neurons:
    """The fastest way to run this population; it owns `state`."""
    return Remembering(population, state) if population.model == "graded_attention" else plain(population, state)
