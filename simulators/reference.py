"""The living definition of what an island computes. Slow, plain and legible; every other runner equals it bit for bit.

For each token and neuron i, with exact integers of unbounded meaning (int64 never overflows here: payload, exponent,
weight and fan-in together stay under 2**15 * 2**8 * 2**7 * 2**31)::

    acc_i = bias_i + sum_j w_ij * (x_j << axon_shift_j)
    a_i   = saturate(round_shift(acc_i, acc_shift), state_bits)
    y_i   = saturate(round_shift(a_i * multiplier_i, shift_i), out_bits)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.program import Island, Synapses
from neurodeploy.ir.result import IslandActivity
from neurodeploy.neurons.graded_affine import integer_step


def accumulate(synapses: Synapses, payload: NDArray[np.int16], rows: slice, columns: slice) -> Ints:
    """Partial sums (tokens, rows) int64 of the given rows over the given columns."""
    shifted = payload[:, columns].astype(np.int64) << synapses.axon_shift[columns].astype(np.int64)
    sums: Ints = shifted @ synapses.weight[rows, columns].astype(np.int64).T
    return sums


def check_payload(island: Island, payload: NDArray[np.int16]) -> None:
    """A payload of the wrong type, width or range is our own mistake, never clipped in silence."""
    if payload.dtype != np.int16 or payload.ndim != 2 or payload.shape[1] != island.columns:
        raise InternalError(
            "ND9005", island.name, f"payload is {payload.dtype} {payload.shape}, needs int16 (tokens, {island.columns})"
        )
    if payload.size and int(np.abs(payload.astype(np.int32)).max()) > island.payload_max:
        raise InternalError("ND9005", island.name, f"a payload exceeds {island.payload_bits} bits")


class ReferenceRunner:
    """`IslandRunner` by the formulas above."""

    name = "reference"

    def run_island(self, island: Island, payload: NDArray[np.int16]) -> tuple[NDArray[np.int32], IslandActivity]:
        check_payload(island, payload)
        everything = slice(None)
        acc = accumulate(island.synapses, payload, everything, everything)
        out, lost_state, lost_out = integer_step(island.neurons, acc, everything)
        activity = IslandActivity(
            tokens=payload.shape[0],
            events=np.count_nonzero(payload, axis=0).astype(np.int64),
            messages_out=np.count_nonzero(out, axis=0).astype(np.int64),
            saturated_in=0,
            saturated_state=lost_state,
            saturated_out=lost_out,
        )
        return out, activity
