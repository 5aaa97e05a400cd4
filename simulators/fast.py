"""Exact integer matrix products for all tokens of a sequence at once; the same bits one token at a time.

A 16-bit payload is two 8-bit digits, ``x = 256 * hi + (lo - 128) + 128`` with ``hi = x >> 8`` and ``lo = x & 255``, both
in int8. Axons with exponent 8 move up one digit, so three digit planes cover all::

    acc_i = P0_i + 256 * P1_i + 65536 * P2_i + offset_i
    plane 0: lo - 128 of narrow axons; plane 1: hi of narrow, lo - 128 of wide axons; plane 2: hi of wide axons alone
    offset_i = bias_i + 128 * sum_{narrow} w_ij + 128 * 256 * sum_{wide} w_ij

Payloads of 8 bits or fewer need a single plane. The planes are stacked and multiplied in one call per block of neurons, so
that the sums are still in the cache when the neuron update reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.hostops.threads import most_parts, split
from neurodeploy.ir.program import Island
from neurodeploy.ir.result import IslandActivity
from simulators import neuron_kernels as kernels
from simulators.int8_matmul import int8_matmul

#: Sums held at a time: enough rows that the product is efficient, few enough to stay in the last-level cache.
SUMS_PER_BLOCK = 1 << 21
#: Work of one element in units of a multiply-add of `hostops.threads`: what a second thread is worth.
WORK_FIRE, WORK_DIGITS = 5, 6
_NO_SUMS = np.zeros((0, 0), np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """What the formulas above need of an island, made once: views where possible, small arrays otherwise."""

    weight: torch.Tensor
    wide: NDArray[np.int64]
    wide_weight: torch.Tensor
    axon_is_wide: NDArray[np.bool_]
    offset: NDArray[np.int64]
    multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]


def _prepare(island: Island) -> _Prepared:
    synapses, neurons = island.synapses, island.neurons
    weight = np.asarray(synapses.weight)
    is_wide = synapses.axon_shift > 0
    wide = np.flatnonzero(is_wide)
    offset = np.zeros(island.rows, np.int64) if neurons.bias is None else neurons.bias.astype(np.int64)
    wide_weight = np.ascontiguousarray(weight[:, wide])
    wide_sum = wide_weight.sum(axis=1, dtype=np.int64)
    if island.payload_bits > 8 or wide.size:
        offset = offset + 128 * (weight.sum(axis=1, dtype=np.int64) - wide_sum) + 128 * 256 * wide_sum
    return _Prepared(
        weight=torch.from_numpy(weight),
        wide=wide,
        wide_weight=torch.from_numpy(wide_weight),
        axon_is_wide=np.ascontiguousarray(is_wide),
        offset=offset,
        multiplier=neurons.multiplier.astype(np.int64),
        shift=neurons.shift.astype(np.int64),
    )


class FastRunner:
    """`Runner` on 8-bit dot-product units; prepared islands are kept as long as the islands live."""

    name = "fast"

    def __init__(self) -> None:
        self._prepared: WeakKeyDictionary[Island, _Prepared] = WeakKeyDictionary()

    def run(self, island: Island, payload: NDArray[np.int16]) -> tuple[NDArray[np.int32], IslandActivity]:
        out = np.empty((payload.shape[0], island.rows), np.int32)
        return out, self._into(island, payload, [(0, out)], 1.0)

    def run_decoded(self, island: Island, payload: NDArray[np.int16]) -> tuple[list[torch.Tensor], IslandActivity]:
        """The same integers, each multiplied by the output scale as `hostops.border.decode` does, one array a slice.

        One pass over memory instead of two: the largest outputs, those of a vocabulary, do not stay in any cache.
        """
        parts = [(part.start, np.empty((payload.shape[0], part.rows), np.float32)) for part in island.slices]
        activity = self._into(island, payload, parts, island.output_scale.value)
        return [torch.from_numpy(array) for _, array in parts], activity

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
        planes, events = self._planes(island, prepared, payload, parts)
        upper = self._upper_digits(prepared, payload)
        messages = np.full(island.rows, tokens, np.int64)
        lost = np.zeros((parts, 2), np.int64)
        neurons = island.neurons
        block = max(256, SUMS_PER_BLOCK // planes.shape[0])
        for first, out in outputs:
            for start in range(0, out.shape[1], block):
                rows = slice(first + start, first + min(start + block, out.shape[1]))
                sums = int8_matmul(planes, prepared.weight[rows].t()).numpy()
                high = _NO_SUMS if upper is None else int8_matmul(upper, prepared.wide_weight[rows].t()).numpy()
                silent = np.zeros((parts, rows.stop - rows.start), np.int64)
                split(
                    kernels.fire, sums.size * WORK_FIRE, sums, high, prepared.offset[rows],
                    neurons.acc_shift, neurons.state_bits, prepared.multiplier[rows], prepared.shift[rows],
                    neurons.out_bits, np.float32(scale), out, start, silent, lost,
                )  # fmt: skip
                messages[rows] -= silent.sum(axis=0)
        lost_state, lost_out = (int(count) for count in lost.sum(axis=0))
        return IslandActivity(tokens, events, messages, 0, lost_state, lost_out)

    @staticmethod
    def _planes(
        island: Island, prepared: _Prepared, payload: NDArray[np.int16], parts: int
    ) -> tuple[torch.Tensor, NDArray[np.int64]]:
        """Digit planes 0 and 1 stacked, (2 * tokens, columns) int8 ((tokens, columns) for narrow payloads); events."""
        single = island.payload_bits <= 8 and not prepared.wide.size
        planes = np.empty(((1 if single else 2) * payload.shape[0], island.columns), np.int8)
        events = np.zeros((parts, island.columns), np.int64)
        too_large = np.zeros(parts, np.int64)
        work, limit = payload.size * WORK_DIGITS, island.payload_max
        if single:
            split(kernels.single_digit, work, payload, planes, events, limit, too_large)
        else:
            split(kernels.two_digits, work, payload, prepared.axon_is_wide, planes, events, limit, too_large)
        if too_large.any():
            problem = f"{too_large.sum()} payloads exceed {island.payload_bits} bits"
            raise InternalError("ND9005", island.name, problem)
        return torch.from_numpy(planes), events.sum(axis=0)

    @staticmethod
    def _upper_digits(prepared: _Prepared, payload: NDArray[np.int16]) -> torch.Tensor | None:
        """Plane 2: the upper digits of the wide axons, None where there are none."""
        if not prepared.wide.size:
            return None
        return torch.from_numpy(np.ascontiguousarray((payload[:, prepared.wide] >> 8).astype(np.int8)))
