"""Graded affine neuron at T = 1: multiply, shift, saturate. It realises a weight scale per output row in integers.

float step::      y_i = r_i * acc_i                with r_i = multiplier_i * 2**-(shift_i + acc_shift)

integer step::    a_i = saturate(round_shift(acc_i, acc_shift), state_bits)
                  y_i = saturate(round_shift(a_i * multiplier_i, shift_i), out_bits)

`acc` is the exact dendritic sum, bias included. State: one value of 24 bits, overwritten every step, so nothing is carried
from token to token. A neuron of our own: Lava has no counterpart; multiply-and-shift is an instruction of Loihi 2's neuron
programs (Intel, Loihi 2 technology brief, 2021), widths as in Meyer et al., arXiv 2409.15022.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints, round_shift, saturate
from neurodeploy.ir.program import GradedNeurons


def float_step(neurons: GradedNeurons, acc: NDArray[np.float64], rows: slice) -> NDArray[np.float64]:
    """Real outputs in payload units: what the integer step computes but for rounding and saturation."""
    ratio = np.ldexp(neurons.multiplier[rows].astype(np.float64), -neurons.shift[rows].astype(np.int64))
    return acc * ratio * 2.0**-neurons.acc_shift


def integer_step(neurons: GradedNeurons, acc: Ints, rows: slice) -> tuple[NDArray[np.int32], int, int]:
    """`acc` (tokens, rows) int64 without bias -> outputs int32, saturated states, saturated outputs."""
    if neurons.bias is not None:
        acc = acc + neurons.bias[rows]
    state, lost_state = saturate(round_shift(acc, neurons.acc_shift), neurons.state_bits)
    product = state * neurons.multiplier[rows].astype(np.int64)
    out, lost_out = saturate(round_shift(product, neurons.shift[rows].astype(np.int64)), neurons.out_bits)
    return out.astype(np.int32), lost_state, lost_out
