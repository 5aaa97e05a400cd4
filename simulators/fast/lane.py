"""Exact integer matrix products for all tokens of a sequence at once; the same bits one token at a time.

A product takes payloads of 8 or of 16 bits at a time, whichever is faster here (`simulators.products`); axons with exponent
8 move up 8 bits. By 16 bits, with a second product over the few wide axons alone::

    acc_i = P_i + 256 * W_i + bias_i

By 8 bits a payload is two digits, ``x = 256 * hi + (lo - 128) + 128`` with ``hi = x >> 8`` and ``lo = x & 255``, both in
int8, and three digit planes cover all::

    acc_i = P0_i + 256 * P1_i + 65536 * P2_i + offset_i
    plane 0: lo - 128 of narrow axons; plane 1: hi of narrow, lo - 128 of wide axons; plane 2: hi of wide axons alone
    offset_i = bias_i + 128 * sum_{narrow} w_ij + 128 * 256 * sum_{wide} w_ij

Payloads of 8 bits or fewer need a single plane. The planes are stacked and multiplied in one call per block of neurons, so
that the sums are still in the cache when the neuron update reads them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints, signed_max
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.machine.threads import most_parts, split
from neurodeploy.neurons import registry
from simulators.fast.kernels import lane as kernels
from simulators.fast.neurons import Arrays, Neurons, Ports
from simulators.fast.traffic import Traffic
from simulators.products.choice import Product, choose
from simulators.products.pairs import SUMS_PAST, padded, room

#: Sums held at a time: enough rows that the product is efficient, few enough to stay in the last-level cache.
SUMS_PER_BLOCK = 1 << 21
#: Work of one element in units of a multiply-add of `machine.threads`: what a second thread is worth.
WORK_FIRE, WORK_DIGITS = 5, 6


class _Planes(NamedTuple):
    """Payloads as a product takes them: stacked planes, events by axon, and those of the wide axons one place up."""

    product: Product
    stacked: NDArray[Any]
    events: NDArray[np.int64]
    upper: NDArray[Any] | None
    upper_place: int


class Counts(NamedTuple):
    """Payloads that are not zero by axon, outputs that are not by neuron; states and outputs that were clipped."""

    events: NDArray[np.int64]
    messages: NDArray[np.int64]
    lost_state: int
    lost_out: int


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
        self._is_wide = np.ascontiguousarray(exponent > 0)
        self._wide = np.flatnonzero(self._is_wide)
        self._wide_weight = np.ascontiguousarray(self.weight[:, self._wide])
        sums = np.empty((2, self.rows), np.int64)
        largest = kernels.weight_sums(self.weight, self._is_wide, sums)
        bias, self._multiplier, self._shift = (self._each(params[name]) for name in ("bias", "multiplier", "shift"))
        two_digits = bits > 8 or self._wide.size
        by_digit = bias + 128 * sums[0] + 128 * 256 * sums[1] if two_digits else bias
        #: By the bits that a product takes at a time.
        self._offset = {8: by_digit, 16: bias}
        #: Of the magnitudes of any sum's terms, before exponents.
        self._bound = int(largest) << 15
        self._acc_shift, self._state_bits, self._out_bits = (
            int(params[name].item()) for name in ("acc_shift", "state_bits", "out_bits")
        )

    @classmethod
    def of(cls, network: Network, name: str, room: Room) -> Lane | None:
        """The lane into a population; None where anything else leads there, or later, or payloads may be wider."""
        into = network.into(name)
        if network.populations[name].model != "graded_affine" or len(into) != 1:
            return None
        p = into[0]
        exponents = set() if p.axon_exp is None else set(np.unique(p.axon_exp).tolist())
        bits = registry.largest_payload(network.populations[p.source]).bit_length() + 1
        fits = p.synapse.kind == "dense" and p.synapse.weight.dtype == np.int8 and exponents <= {0, 8} and bits <= 16
        if not fits or p.latency or not p.graded or p.weight_exp:
            return None
        return cls(p, registry.prepared_params(network.populations[name]), bits, room)

    def _each(self, values: Ints) -> NDArray[np.int64]:
        """One a neuron, and writable: one compiled type."""
        return np.array(np.broadcast_to(values, (self.rows,)), np.int64)

    def run(self, payload: NDArray[np.int16], outputs: list[tuple[int, NDArray[Any]]], scale: float) -> Counts:
        """Payloads (tokens, columns): write rows ``start:start + array.shape[1]`` of the outputs, each times `scale`, to
        every (start, array)."""
        tokens = payload.shape[0]
        parts = most_parts()
        planes = self._planes(payload, parts)
        product, offset = planes.product, self._offset[16 if planes.product.digit is np.int16 else 8]
        messages = np.full(self.rows, tokens, np.int64)
        lost = np.zeros((parts, 2), np.int64)
        block = max(256, SUMS_PER_BLOCK // len(planes.stacked))
        for first, out in outputs:
            for start in range(0, out.shape[1], block):
                rows = slice(first + start, first + min(start + block, out.shape[1]))
                sums = self._room.take((len(planes.stacked), rows.stop - rows.start), product.sums(self._bound))
                product.multiply(planes.stacked, self.weight[rows], sums)
                high = sums[:0]
                if planes.upper is not None:
                    high = product(planes.upper, self._wide_weight[rows], self._bound)
                silent = np.zeros((parts, rows.stop - rows.start), np.int64)
                split(
                    kernels.fire, sums.size * WORK_FIRE, sums, high, planes.upper_place, offset[rows],
                    self._acc_shift, self._state_bits, self._multiplier[rows], self._shift[rows],
                    self._out_bits, np.float32(scale), out, start, silent, lost,
                )  # fmt: skip
                messages[rows] -= silent.sum(axis=0)
        lost_state, lost_out = (int(count) for count in lost.sum(axis=0))
        return Counts(planes.events, messages, lost_state, lost_out)

    def _planes(self, payload: NDArray[np.int16], parts: int) -> _Planes:
        """The payloads for the product that is the fastest for so many tokens."""
        tokens, wide = payload.shape[0], self._wide
        events = np.zeros((parts, self.columns), np.int64)
        too_large = np.zeros(parts, np.int64)
        work, limit = payload.size * WORK_DIGITS, signed_max(self.bits)
        single = self.bits <= 8 and not wide.size
        product = choose(tokens, 8 if single else 16)
        upper, place = (payload[:, wide], 8) if wide.size else (None, 0)
        if product.digit is np.int16:
            stacked: NDArray[Any] = padded((tokens, self.columns))
            split(kernels.whole, work, payload, self._is_wide, stacked, events, limit, too_large)
        elif single:
            stacked = np.empty((tokens, self.columns), np.int8)
            split(kernels.whole, work, payload, self._is_wide, stacked, events, limit, too_large)
        else:
            stacked = np.empty((2 * tokens, self.columns), np.int8)
            split(kernels.two_digits, work, payload, self._is_wide, stacked, events, limit, too_large)
            if upper is not None:
                upper, place = np.ascontiguousarray((upper >> 8).astype(np.int8)), 16
        if too_large.any():
            raise InternalError("ND9005", self.name, f"{too_large.sum()} payloads exceed {self.bits} bits")
        return _Planes(product, stacked, events.sum(axis=0), upper, place)


class LaneNeurons(Neurons):
    """A population and the projection into it at once, from the payloads of its source."""

    def __init__(self, population: Population, lane: Lane, source: Traffic) -> None:
        super().__init__(population, {})
        self.lane, self.source = lane, source

    def advance(self, start: int, stop: int, first: int, ports: Ports, outputs: Arrays) -> None:
        payload = self.source.payload[:, start:stop]
        tokens = payload.shape[0] * (stop - start)
        out = np.empty((tokens, self.size), np.int32)
        found = self.lane.run(payload.reshape(tokens, -1).astype(np.int16), [(0, out)], 1.0)
        outputs["s"][:, start:stop] = out.reshape(-1, stop - start, self.size)
        self.saturated, self.saturated_out = self.saturated + found.lost_state, self.saturated_out + found.lost_out
