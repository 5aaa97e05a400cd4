"""Exact integer matrix products for all tokens of a sequence at once; the same bits one token at a time.

A product takes payloads of 8 or of 16 bits at a time, whichever is faster here (`simulators.products`); axons with exponent
8 move up 8 bits. By 16 bits, with a second product over the few wide axons alone::

    acc_i = P_i + 256 * W_i + bias_i

By 8 bits a payload is two digits, ``x = 256 * hi + (lo - 128) + 128`` with ``hi = x >> 8`` and ``lo = x & 255``, both in
int8, and three digit planes cover all::

    acc_i = P0_i + 256 * P1_i + 65536 * P2_i + offset_i
    plane 0: lo - 128 of narrow axons; plane 1: hi of narrow, lo - 128 of wide axons; plane 2: hi of wide axons alone
    offset_i = bias_i + 128 * sum_{narrow} w_ij + 128 * 256 * sum_{wide} w_ij

Other exponents are for narrow payloads alone: raised, they still have 16 bits, and the products see them so.

Payloads of 8 bits or fewer need a single plane. The planes are stacked and multiplied in one call per block of neurons, so
that the sums are still in the cache when the neuron update reads them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints, signed_max
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.ir.run import RunActivity
from neurodeploy.ir.segments import Decode
from neurodeploy.machine.threads import parts_of, split
from neurodeploy.neurons import registry
from simulators.fast.grouped import GroupedLane
from simulators.fast.kernels import lane as kernels
from simulators.fast.neurons import Arrays, Neurons, Ports
from simulators.fast.traffic import Traffic
from simulators.products.choice import Product, choose
from simulators.products.libraries import torch_loaded
from simulators.products.pairs import FEW, SUMS_PAST, multiply, padded, room

#: Sums held at a time: enough rows that the product is efficient, few enough to stay in the second-level cache.
SUMS_PER_BLOCK = 1 << 18
#: Work of one element in units of a multiply-add of `machine.threads`: what a second thread is worth.
WORK_FIRE, WORK_DIGITS = 3, 3
#: Exponents of the axons of a layer whose few wide ones have a product of their own.
WIDE = {0, 8}
#: What tells a kernel the type of its sums, and that there are no digits yet.
NARROW_SUMS, WIDE_SUMS, NOTHING = np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros((0, 0), np.int16)


class Room(threading.local):
    """Memory for the sums of a block, of each thread its own: asking the system for it anew costs a tenth of the product."""

    def __init__(self) -> None:
        self._kept = np.empty(0, np.uint8)

    def take(self, shape: tuple[int, int], kind: type[np.signedinteger[Any]]) -> NDArray[Any]:
        """An array of which nothing is known, until the next call."""
        size = shape[0] * shape[1] * np.dtype(kind).itemsize
        if self._kept.size < size:
            self._kept = room(size, SUMS_PAST)
        return self._kept[:size].view(kind).reshape(shape)


class Lane:
    """One `Dense` of int8 within the step into `graded_affine`, prepared: views where possible, small arrays otherwise.

    bits : width of a payload, at most 16. room : memory that lanes share.
    """

    def __init__(self, projection: Projection, params: Mapping[str, Ints], bits: int, room: Room) -> None:
        self.name, self.bits, self._room = projection.target, bits, room
        self.weight = np.asarray(projection.synapse.weight)
        self.rows, self.columns = self.weight.shape
        exponent = np.zeros(self.columns, np.uint8) if projection.axon_exp is None else projection.axon_exp
        #: Exponents that are not those of wide axons: payloads are raised before anything else.
        self._raised = None if set(np.unique(exponent)) <= WIDE else exponent.astype(np.int16)
        if self._raised is not None:
            bits, exponent = bits + int(exponent.max()), np.zeros(self.columns, np.uint8)
        self._is_wide = np.ascontiguousarray(exponent > 0)
        self._wide = np.flatnonzero(self._is_wide)
        self._wide_weight = np.ascontiguousarray(self.weight[:, self._wide])
        sums = np.empty((2, self.rows), np.int64)
        largest = int(kernels.weight_sums(self.weight, self._is_wide, sums))
        self._single = bits <= 8 and not self._wide.size
        #: Of the magnitudes of any sum's terms, before exponents.
        self._bound = largest << 15
        bias = params["bias"].astype(np.int64)
        #: Whether real numbers of 64 bits hold every sum of `kernels.fire` to its last half.
        self.exact = (self._bound << 9) + int(np.abs(bias).max(initial=0)) < 2**51
        unit = 2.0 ** -int(params["acc_shift"].item())
        limits = (float(signed_max(int(params[name].item()))) for name in ("state_bits", "out_bits"))
        self._numbers = np.array([unit, *limits])
        by_digit = bias if self._single else bias + 128 * sums[0] + 128 * 256 * sums[1]
        #: By the bits that a product takes at a time.
        self._neurons = {8: np.empty((2, self.rows)), 16: np.empty((2, self.rows))}
        for digit, offset in ((8, by_digit), (16, bias)):
            self._neurons[digit][0] = offset * unit + 0.5
            self._neurons[digit][1] = np.ldexp(params["multiplier"].astype(float), -params["shift"].astype(int))
        self._limit = signed_max(bits)
        self._products: dict[tuple[bool, bool], Product] = {}

    @classmethod
    def of(cls, network: Network, name: str, room: Room) -> Lane | GroupedLane | None:
        """The lane into a population; None where anything else leads there, or later, payloads or sums may be wider, or
        neurons have a threshold."""
        into = network.into(name)
        if network.populations[name].model != "graded_affine" or len(into) != 1:
            return None
        p = into[0]
        exponents = {0} if p.axon_exp is None else set(np.unique(p.axon_exp).tolist())
        bits = registry.largest_payload(network.populations[p.source]).bit_length() + 1
        narrow = p.synapse.kind == "dense" and bits + max(exponents) <= 16
        fits = p.synapse.weight.dtype == np.int8 and (exponents <= WIDE or narrow) and bits <= 16
        if p.synapse.kind not in ("dense", "grouped") or not fits or p.latency or not p.graded or p.weight_exp:
            return None
        params = registry.prepared_params(network.populations[name])
        if params["vth"].any():
            return None
        lane = GroupedLane(p, params, bits) if p.synapse.kind == "grouped" else cls(p, params, bits, room)
        return lane if lane.exact else None

    def run(
        self, payload: NDArray[np.int16], out: NDArray[Any], bounds: NDArray[np.int64], scale: float
    ) -> NDArray[np.int64]:
        """Payloads (tokens, columns) to outputs times `scale` in `out` (float32, or int32 with a scale of 1).

        bounds : numbers of neurons; the outputs between two of them are an array (tokens, neurons), one after another.
        Returns the events by axon, the messages by neuron, states and outputs that were clipped, and a 0.
        """
        if self._raised is not None:
            payload = payload << self._raised
        tokens, columns = payload.shape
        product = self._product(tokens)
        own = product.multiply is multiply
        works = payload.size * WORK_DIGITS, tokens * self.rows * (columns // 8 if own else WORK_FIRE)
        counts = np.zeros((parts_of(max(works)), columns + self.rows + 3), np.int64)
        neurons = self._neurons[16 if product.digit is np.int16 else 8], self._numbers, scale, out, bounds, counts
        if own:
            planes = NOTHING
            if len(counts) > 1 and tokens >= FEW:
                planes = padded(payload.shape)
                split(kernels.digits_part, works[0], payload, self._is_wide, self._limit, planes, False, counts)
            kind = WIDE_SUMS if product.sums(self._bound) is np.int64 else NARROW_SUMS
            split(
                kernels.pairs, works[1], payload, planes, self._is_wide, self._limit, self.weight, self._wide,
                self._wide_weight, kind, *neurons,
            )  # fmt: skip
        else:
            self._by_library(product, payload, works, counts, neurons)
        found: Ints = counts[0] if len(counts) == 1 else counts.sum(axis=0)
        if found[-1]:
            raise InternalError("ND9005", self.name, f"{found[-1]} payloads exceed {self.bits} bits")
        return found

    def _product(self, tokens: int) -> Product:
        """The fastest product for so many tokens; which it is may change when torch is loaded."""
        key = tokens < FEW, torch_loaded()
        if key not in self._products:
            self._products[key] = choose(tokens, 8 if self._single else 16)
        return self._products[key]

    def _by_library(
        self, product: Product, payload: NDArray[np.int16], works: tuple[int, int], counts: NDArray[np.int64],
        neurons: tuple[Any, ...],
    ) -> None:  # fmt: skip
        """Digits of all tokens, then products and neurons by blocks of neurons, whose sums stay in the cache."""
        tokens, columns = payload.shape
        two = product.digit is np.int8 and not self._single
        planes = (
            padded((tokens, columns)) if product.digit is np.int16 else np.empty(((1 + two) * tokens, columns), np.int8)
        )
        split(kernels.digits_part, works[0], payload, self._is_wide, self._limit, planes, two, counts)
        upper = payload[:, self._wide]
        if two:
            upper = (upper >> 8).astype(np.int8)
        place = self._numbers[0].item() * (2.0**16 if two else 2.0**8)
        block = max(256, SUMS_PER_BLOCK // len(planes))
        for start in range(0, self.rows, block):
            rows = slice(start, min(start + block, self.rows))
            sums = self._room.take((len(planes), rows.stop - start), product.sums(self._bound))
            product.multiply(planes, self.weight[rows], sums)
            high = product(upper, self._wide_weight[rows], self._bound) if self._wide.size else sums[:0]
            split(kernels.fire_part, sums.size * WORK_FIRE, tokens, sums, high, place, start, *neurons)


class Decoded:
    """A lane and the decoder behind it: the integers of the lane times the scale, as `ops.host.border.decode` makes them.

    One pass over memory instead of two: the largest outputs, those of a vocabulary, do not stay in any cache.
    """

    def __init__(self, lane: Lane | GroupedLane, network: Network, decode: Decode) -> None:
        self._lane, self._scale = lane, decode.scale.value
        population = network.populations[decode.population]
        self._names = network.into(population.name)[0].source, population.name
        self._bounds = np.array([0, *([part.stop for part in population.sections] or [population.size])])
        self._ticks, self._counts = 0, np.zeros(lane.columns + lane.rows + 3, np.int64)

    def __call__(self, payload: NDArray[np.int16]) -> NDArray[np.float32]:
        """Payloads (ticks, columns) -> the outputs (ticks, neurons) of section after section in one flat array."""
        ticks = len(payload)
        out = np.empty(ticks * self._lane.rows, np.float32)
        if ticks:
            self._counts += self._lane.run(payload, out, self._bounds, self._scale)
            self._ticks += ticks
        return out

    def take(self) -> RunActivity:
        """The counts of all calls since the last time."""
        (source, name), columns, counts = self._names, self._lane.columns, self._counts
        fired = {source: {"s": counts[:columns]}, name: {"s": counts[columns:-3]}}
        lost = {name: int(counts[-3]), f"{name}.s": int(counts[-2])}
        found = RunActivity(self._ticks, 1, fired, {key: count for key, count in lost.items() if count}, {}, None)
        self._ticks, self._counts = 0, np.zeros_like(counts)
        return found


class LaneNeurons(Neurons):
    """A population and the projection into it at once, from the payloads of its source."""

    def __init__(self, population: Population, lane: Lane | GroupedLane, source: Traffic) -> None:
        super().__init__(population, {})
        self.lane, self.source = lane, source

    def advance(self, start: int, stop: int, first: int, ports: Ports, outputs: Arrays) -> None:
        payload = self.source.payload[:, start:stop]
        tokens = payload.shape[0] * (stop - start)
        out = np.empty(tokens * self.size, np.int32)
        found = self.lane.run(payload.reshape(tokens, -1).astype(np.int16), out, np.array([0, self.size]), 1.0)
        outputs["s"][:, start:stop] = out.reshape(-1, stop - start, self.size)
        self.lost[0, 1:] += found[-3:-1]
