"""`Network`: integers in time: populations, projections between them, and the rule of a time step.

Time steps count from 1, as in Lava. A projection has a latency: 0 (`instant`, and every `Direct`), or one step and its
delay. In step t::

    1. every projection with latency delivers what is due: a[port] = sum over projections of pending[.., 0]
    2. populations update in an order in which instant projections point forward. Each first gets what they deliver, adds

           a_i[port] = wrap(a_i[port] + sum over instant projections of c_i)

       and sends one payload a neuron
    3. every projection with latency reads the payload of its source in this step and adds to what is pending::

           pending_i[k] = wrap32(pending_i[k] + c_i[k])                                  k = 0 arrives in step t + 1

A contribution c is one sum for each delay slot k, of the synapses with that delay (an instant projection has one slot)::

    acc_i[k] = wrap(sum_j w_ij * (x_j << axon_exp_j))         x_j = the payload if `graded`, else 1 where it is not 0
    c_i[k]   = wrap(shift(acc_i[k], weight_exp))              of a `Direct` connection the payload itself

`shift` is ``acc << exp`` for exp > 0 and the flooring ``acc >> -exp`` otherwise, after the whole sum of one delay slot, as
in Lava's `Dense`, `Sparse` and `DelayDense` (lava 0.10 ``proc/dense/models.py``). How numbers wrap belongs to the port that
they reach (`neurons.model.Port`): a port of Lava's kind wraps each `wrap` above to 32 bits, but the contribution of a `Conv`
to 24 (``proc/conv/utils.py: signed_clamp``); an *exact* port has no wrap at all, in what is pending neither: its sum is
proven to fit before anything runs.

Weights here are *effective* integers: Lava's clipping to the sign mode and its truncation to the weight bits are done
before (`neurodeploy.synapses.weights`). Shapes of populations with space are (x, y, channel), Lava's order; a neuron's
index is the C-order index in that shape. No float anywhere; every array is checked when a network is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Dyadic, Ints
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.synapse import WEIGHT_TYPES, Coo, Synapse
from neurodeploy.ir.units import Units

#: Longest delay beyond the synapse's own step: 6 bits hold 0..63, lava-dl's netx stops at 62.
DELAY_MAX = 62
#: Columns of an entry of `Projection.block_sums`.
BLOCK = 256
#: Largest exponent of an axon.
AXON_EXP_MAX = 15
SIGN_MODES = ("mixed", "excitatory", "inhibitory")


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from port `source_port` of `source` to port `target_port` of `target`.

    graded : the payload multiplies the weight; otherwise any non-zero payload counts as one (Lava's num_message_bits 0).
    weight_exp : the shift of the module docstring.
    delay : steps beyond the synapse's own, uint8 0..62: None, (columns,) for axonal delays, or one for each synapse in the
        shape of ``synapse.weight`` of a `Dense` or `Sparse`. An axonal delay means the same on all synapses of the axon.
    weight_bits, sign_mode : how the mantissas are stored: memory and Lava need it, the arithmetic does not.
    instant : delivers within the step, without a delay. A `Direct` connection always does.
    axon_exp : exponents of the axons, uint8 (columns,) 0..15; None: all are 0.
    block_sums : int64 (ceil(columns / `BLOCK`),), for each block of columns the largest, over rows, sum of
        ``|w_ij| << axon_exp_j``: whoever bounds partial sums need not read the weights. None: not known.
    """

    name: str
    source: str
    target: str
    synapse: Synapse
    source_port: str = "s"
    target_port: str = "a"
    graded: bool = False
    weight_exp: int = 0
    delay: NDArray[np.uint8] | None = None
    weight_bits: int = 8
    sign_mode: str = "mixed"
    instant: bool = False
    axon_exp: NDArray[np.uint8] | None = None
    block_sums: Ints | None = None

    @property
    def latency(self) -> int:
        """Steps from a payload to its sum, delays left aside: 0 or 1."""
        return 0 if self.instant or self.synapse.wire else 1

    @property
    def valued(self) -> bool:
        """Whether the value of a payload counts, not only that it is not zero."""
        return self.graded or self.synapse.wire

    @property
    def beyond_lava(self) -> str:
        """What it does that no synapse of Lava's does, nor one of the formats of spiking networks; "" for nothing."""
        if self.instant and not self.synapse.wire:
            return "delivers within the step over synapses"
        return "" if self.axon_exp is None else "raises the payloads of its axons"

    @property
    def depth(self) -> int:
        """Delay slots: 1 + the largest delay. A direct connection has none."""
        if self.synapse.wire:
            return 0
        return 1 if self.delay is None or not self.delay.size else 1 + int(self.delay.max())

    @property
    def delay_by(self) -> str:
        """What `delay` has one value for: "none", "axon" or "synapse"."""
        if self.delay is None:
            return "none"
        s = self.synapse
        return "synapse" if s.own_delays and self.delay.shape == s.weight.shape else "axon"

    @property
    def wrap_bits(self) -> int:
        return self.synapse.wrap_bits

    @property
    def units(self) -> Units:
        """Which columns share an entry of the axon tables."""
        return self.synapse.units(self.delay is not None)

    def delays_of(self, coo: Coo) -> Ints:
        """Delay of each of these synapses: one array for the forms "none", "by axon" and "by synapse"."""
        if self.delay is None:
            return np.zeros(coo.row.size, np.int64)
        if self.delay_by == "axon":
            return self.delay[coo.column].astype(np.int64)
        return self.delay.reshape(-1)[coo.position].astype(np.int64)

    def largest_sum(self, payload_max: int) -> int:
        """A bound that no sum of one delay slot exceeds in magnitude, before the shift and without wrapping."""
        if self.block_sums is not None:
            return int(self.block_sums.sum()) * (payload_max if self.graded else 1)
        raised = 0 if self.axon_exp is None else int(self.axon_exp.max())
        return self.synapse.largest_sum(self.graded, payload_max) << raised

    def largest_arrival(self, payload_max: int) -> int:
        """A bound of what it delivers to a neuron in one step without any wrap: a shifted sum for each delay slot."""
        return max(1, self.depth) * (self.largest_sum(payload_max) << max(self.weight_exp, 0))


@dataclass(frozen=True, eq=False)  # no slots: runners keep what they prepare in a WeakKeyDictionary of networks
class Network:
    """Populations in order, projections, the populations whose payloads are the result, and the length of a time step.

    `dt` in seconds (None: the source does not say). `provenance` is for people and reports: format, file, what was
    repaired.
    """

    name: str
    populations: Mapping[str, Population]
    projections: tuple[Projection, ...]
    outputs: tuple[str, ...]
    dt: Dyadic | None = None
    provenance: Mapping[str, object] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(name for name, population in self.populations.items() if population.model == INPUT)

    @property
    def neurons(self) -> int:
        return sum(p.size for p in self.populations.values() if p.model != INPUT)

    @cached_property
    def _ends(self) -> tuple[dict[str, list[Projection]], dict[str, list[Projection]]]:
        """Projections by target and by source."""
        into, out_of = ({name: list[Projection]() for name in self.populations} for _ in range(2))
        for p in self.projections:
            into[p.target].append(p)
            out_of[p.source].append(p)
        return into, out_of

    def into(self, population: str) -> tuple[Projection, ...]:
        """Projections to a population, in order: their columns one after another are its axons for the mapper."""
        return tuple(self._ends[0].get(population, ()))

    def out_of(self, population: str) -> tuple[Projection, ...]:
        """Projections from a population, in order."""
        return tuple(self._ends[1].get(population, ()))

    def order(self) -> tuple[str, ...]:
        """Populations so that every instant projection points forward, otherwise as given. ND9012 where they form a
        cycle."""
        waiting: dict[str, set[str]] = {name: set() for name in self.populations}
        for p in self.projections:
            if not p.latency:
                waiting[p.target].add(p.source)
        done: dict[str, None] = {}
        while len(done) < len(waiting):
            ready = [name for name, needs in waiting.items() if name not in done and needs <= done.keys()]
            if not ready:
                stuck = sorted(set(waiting) - set(done))
                raise InternalError("ND9012", stuck[0], "direct connections form a cycle without a synapse")
            done.update(dict.fromkeys(ready))
        return tuple(done)

    def check(self) -> None:
        """Names, shapes, types and ranges of the structure (parameters: `neurons.registry.check_network`). Raises
        ND9012.

        Frontends turn what a user's file does wrong into their own errors before they build a network.
        """
        need(bool(self.populations), self.name, "has no population")
        for name, population in self.populations.items():
            need(name == population.name and "/" not in name, name, "is not a usable name")
            need(bool(population.shape) and all(side > 0 for side in population.shape), name, "has an empty shape")
            starts, stops = ([getattr(part, end) for part in population.sections] for end in ("start", "stop"))
            covered = [*starts, population.size] == [0, *stops] and all(part.rows > 0 for part in population.sections)
            need(covered or not starts, name, "has sections that do not cover its neurons")
        need(bool(self.outputs) and set(self.outputs) <= set(self.populations), self.name, "has no or unknown outputs")
        names = {p.name for p in self.projections}
        need(len(names) == len(self.projections), self.name, "has two projections of one name")
        for p in self.projections:
            need(p.source in self.populations and p.target in self.populations, p.name, "joins unknown populations")
            sizes = (self.populations[p.target].size, self.populations[p.source].size)
            own = (p.synapse.rows, p.synapse.columns)
            need(own == sizes, p.name, f"has synapses for {own}, not {sizes}")
            need(self.populations[p.target].model != INPUT, p.name, "leads into an input")
            known = p.sign_mode in SIGN_MODES and 1 <= p.weight_bits <= 32 and -31 <= p.weight_exp <= 31
            need(known, p.name, "has a bad format")
            _check_synapse(p)
        self.order()


def need(condition: bool, where: str, problem: str) -> None:
    """ND9012 unless the condition holds."""
    if not condition:
        raise InternalError("ND9012", where, problem)


def _check_synapse(p: Projection) -> None:
    s = p.synapse
    if s.wire:
        plain = p.delay is None and p.weight_exp == 0 and p.axon_exp is None
        need(plain, p.name, "is direct and has a delay or an exponent")
        return
    need(not p.instant or p.delay is None, p.name, "is instant and has a delay")
    need(s.weight.dtype in WEIGHT_TYPES, p.name, f"has weights of type {s.weight.dtype}")
    problem = s.problem()
    need(not problem, p.name, problem)
    if p.axon_exp is not None:
        fits = p.axon_exp.dtype == np.uint8 and p.axon_exp.shape == (s.columns,) and p.axon_exp.max() <= AXON_EXP_MAX
        need(bool(fits), p.name, f"axon_exp is not uint8 0..{AXON_EXP_MAX} for each axon")
    if p.block_sums is not None:
        sums, most = p.block_sums, BLOCK << (p.weight_bits - 1 + s.extra_bits + AXON_EXP_MAX)
        right = sums.dtype == np.int64 and sums.shape == (-(-s.columns // BLOCK),) and sums.min() >= 0
        need(right and sums.max() <= most, p.name, "block_sums is not what its weights can give")
    if p.delay is not None:
        allowed = {(s.columns,)} | ({s.weight.shape} if s.own_delays else set())
        right = p.delay.dtype == np.uint8 and p.delay.shape in allowed
        need(right, p.name, "delay is not uint8 for each axon or synapse")
        need(p.delay.size == 0 or int(p.delay.max()) <= DELAY_MAX, p.name, f"a delay exceeds {DELAY_MAX}")
