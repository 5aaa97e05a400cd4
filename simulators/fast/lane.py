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
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.program import Island
from neurodeploy.ir.result import IslandActivity
from neurodeploy.ops.host.threads import most_parts, split
from simulators.fast.kernels import lane as kernels
from simulators.products.choice import Product, choose
from simulators.products.pairs import SUMS_PAST, padded, room

#: Sums held at a time: enough rows that the product is efficient, few enough to stay in the last-level cache.
SUMS_PER_BLOCK = 1 << 21
#: Work of one element in units of a multiply-add of `ops.host.threads`: what a second thread is worth.
WORK_FIRE, WORK_DIGITS = 5, 6


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """What the formulas above need of an island, made once: views where possible, small arrays otherwise.

    offset : by the bits that a product takes at a time. bound : of the magnitudes of any sum's terms, before exponents.
    """

    weight: NDArray[np.int8]
    wide: NDArray[np.int64]
    wide_weight: NDArray[np.int8]
    axon_is_wide: NDArray[np.bool_]
    offset: dict[int, NDArray[np.int64]]
    bound: int
    multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]


class _Planes(NamedTuple):
    """Payloads as a product takes them: stacked planes, events by axon, and those of the wide axons one place up."""

    product: Product
    stacked: NDArray[Any]
    events: NDArray[np.int64]
    upper: NDArray[Any] | None
    upper_place: int


def _prepare(island: Island) -> _Prepared:
    synapses, neurons = island.synapses, island.neurons
    weight = np.asarray(synapses.weight)
    is_wide = np.ascontiguousarray(synapses.axon_shift > 0)
    sums = np.empty((2, island.rows), np.int64)
    largest = kernels.weight_sums(weight, is_wide, sums)
    bias = np.zeros(island.rows, np.int64) if neurons.bias is None else neurons.bias.astype(np.int64)
    two_digits = island.payload_bits > 8 or is_wide.any()
    by_digit = bias + 128 * sums[0] + 128 * 256 * sums[1] if two_digits else bias
    wide = np.flatnonzero(is_wide)
    return _Prepared(
        weight=weight,
        wide=wide,
        wide_weight=np.ascontiguousarray(weight[:, wide]),
        axon_is_wide=is_wide,
        offset={8: by_digit, 16: bias},
        bound=int(largest) << 15,
        multiplier=neurons.multiplier.astype(np.int64),
        shift=neurons.shift.astype(np.int64),
    )


class _Room(threading.local):
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
    """Runs islands by exact integer products; prepared islands are kept as long as the islands live."""

    def __init__(self) -> None:
        self._prepared: WeakKeyDictionary[Island, _Prepared] = WeakKeyDictionary()
        self._room = _Room()

    def run_island(self, island: Island, payload: NDArray[np.int16]) -> tuple[NDArray[np.int32], IslandActivity]:
        out = np.empty((payload.shape[0], island.rows), np.int32)
        return out, self._into(island, payload, [(0, out)], 1.0)

    def run_decoded(
        self, island: Island, payload: NDArray[np.int16]
    ) -> tuple[list[NDArray[np.float32]], IslandActivity]:
        """The same integers, each multiplied by the output scale as `ops.host.border.decode` does, one array a slice.

        One pass over memory instead of two: the largest outputs, those of a vocabulary, do not stay in any cache.
        """
        parts = [(part.start, np.empty((payload.shape[0], part.rows), np.float32)) for part in island.slices]
        activity = self._into(island, payload, parts, island.output_scale.value)
        return [array for _, array in parts], activity

    def _into(
        self, island: Island, payload: NDArray[np.int16], outputs: list[tuple[int, NDArray[Any]]], scale: float
    ) -> IslandActivity:
        """Run and write rows ``start:start + array.shape[1]`` of the scaled outputs to each (start, array)."""
        prepared = self._prepared.get(island)
        if prepared is None:
            prepared = self._prepared[island] = _prepare(island)
        tokens = payload.shape[0]
        if tokens == 0:
            return IslandActivity.zero(island)
        parts = most_parts()
        planes = self._planes(island, prepared, payload, parts)
        product, offset = planes.product, prepared.offset[16 if planes.product.digit is np.int16 else 8]
        messages = np.full(island.rows, tokens, np.int64)
        lost = np.zeros((parts, 2), np.int64)
        neurons = island.neurons
        block = max(256, SUMS_PER_BLOCK // len(planes.stacked))
        for first, out in outputs:
            for start in range(0, out.shape[1], block):
                rows = slice(first + start, first + min(start + block, out.shape[1]))
                sums = self._room.take((len(planes.stacked), rows.stop - rows.start), product.sums(prepared.bound))
                product.multiply(planes.stacked, prepared.weight[rows], sums)
                high = sums[:0]
                if planes.upper is not None:
                    high = product(planes.upper, prepared.wide_weight[rows], prepared.bound)
                silent = np.zeros((parts, rows.stop - rows.start), np.int64)
                split(
                    kernels.fire, sums.size * WORK_FIRE, sums, high, planes.upper_place, offset[rows],
                    neurons.acc_shift, neurons.state_bits, prepared.multiplier[rows], prepared.shift[rows],
                    neurons.out_bits, np.float32(scale), out, start, silent, lost,
                )  # fmt: skip
                messages[rows] -= silent.sum(axis=0)
        lost_state, lost_out = (int(count) for count in lost.sum(axis=0))
        return IslandActivity(tokens, planes.events, messages, 0, lost_state, lost_out)

    @staticmethod
    def _planes(island: Island, prepared: _Prepared, payload: NDArray[np.int16], parts: int) -> _Planes:
        """The payloads for the product that is the fastest for so many tokens."""
        tokens, columns, wide = payload.shape[0], island.columns, prepared.wide
        events = np.zeros((parts, columns), np.int64)
        too_large = np.zeros(parts, np.int64)
        work, limit = payload.size * WORK_DIGITS, island.payload_max
        single = island.payload_bits <= 8 and not wide.size
        product = choose(tokens, 8 if single else 16)
        upper, place = (payload[:, wide], 8) if wide.size else (None, 0)
        if product.digit is np.int16:
            stacked: NDArray[Any] = padded((tokens, columns))
            split(kernels.whole, work, payload, prepared.axon_is_wide, stacked, events, limit, too_large)
        elif single:
            stacked = np.empty((tokens, columns), np.int8)
            split(kernels.whole, work, payload, prepared.axon_is_wide, stacked, events, limit, too_large)
        else:
            stacked = np.empty((2 * tokens, columns), np.int8)
            split(kernels.two_digits, work, payload, prepared.axon_is_wide, stacked, events, limit, too_large)
            if upper is not None:
                upper, place = np.ascontiguousarray((upper >> 8).astype(np.int8)), 16
        if too_large.any():
            problem = f"{too_large.sum()} payloads exceed {island.payload_bits} bits"
            raise InternalError("ND9005", island.name, problem)
        return _Planes(product, stacked, events.sum(axis=0), upper, place)
