"""netx's optimisation of weight bits, and what Lava's `Dense` then stores.

netx shifts a matrix to the left as far as 8 bits of its sign mode allow and gives the shift back as the weight exponent
(lava-dl 0.6.0 ``netx/utils.py: optimize_weight_bits``)::

    mixed        max <= 127 / 2**k,  -min <= 128 / 2**k,  one bit more for the even steps:  shift = k + 1
    inhibitory   -min <= 256 / 2**k, no weight is 0 or more                                 shift = k
    excitatory   max <= 255 / 2**k                                                          shift = k
    bits = 8 - shift - n,   n = trailing zeros that all weights share (at most 8), one less if mixed

The sign mode is not handed on: Lava infers its own from the shifted matrix, clips and truncates
(`synapses.weights.lava_weights`). A matrix whose largest weight is 0 is mixed for netx and inhibitory for Lava, whose
clipping to -255 changes a least weight that is a power of two (shifted to -256); that is reproduced and listed. Odd
mixed weights beyond 127 get 9 bits from netx, with which Lava truncates nothing. Integers here, so that no logarithm
decides.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.lavadl.fields import Fields, Notes
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.synapses.weights import RANGES, WEIGHT_BITS, infer_sign_mode, lava_weights, smallest_type

MIXED_RANGE = (-256, 254)


class Stored(NamedTuple):
    """Effective weights, their exponent (never positive), bits and sign mode: ``weight * 2**exponent`` is meant."""

    weight: NDArray[np.signedinteger]
    exponent: int
    bits: int
    sign_mode: str


def most_shift(limit: int, magnitude: int) -> int:
    """The largest k with ``magnitude * 2**k <= limit``, negative where even 0 is too much."""
    shift = 0
    while magnitude << (shift + 1) <= limit:
        shift += 1
    while shift <= 0 and magnitude > limit << -shift:
        shift -= 1
    return shift


def trailing_zeros(weight: Ints) -> int:
    """Bits at the end that are 0 in all weights, at most 8."""
    union = int(np.bitwise_or.reduce(np.abs(weight), axis=None))
    return next((n for n in range(8) if union >> n & 1), 8)


def optimised(weight: Ints, fields: Fields, name: str, notes: Notes) -> tuple[Ints, int, int]:
    """(clipped weights, shift to the left, bits) of netx. ND1288 where netx would shift all weights away."""
    if not weight.any():
        notes.repairs.append(
            f"{fields.layer} {name}: all weights are 0, where netx stops with an overflow; 8 bits, no shift"
        )
        return weight, 0, 8
    high, low = int(weight.max()), int(weight.min())
    if (high > MIXED_RANGE[1] and low < 0) or (low < MIXED_RANGE[0] and high > 0):
        clipped = np.clip(weight, *MIXED_RANGE)
        changed = int(np.count_nonzero(clipped != weight))
        notes.repairs.append(
            f"{fields.layer} {name}: {changed} weights of {low}..{high} clipped to {MIXED_RANGE}, as in netx"
        )
        weight, high, low = clipped, int(clipped.max()), int(clipped.min())
    if high < 0:
        shift, mixed = most_shift(256, -low), 0
    elif low >= 0:
        shift, mixed = most_shift(255, high), 0
    else:
        sides = ([most_shift(127, high)] if high else []) + [most_shift(128, -low)]
        shift, mixed = min(sides) + 1, 1
    if shift < 0:
        problem = f"has weights of one sign in {low}..{high}, beyond 8 bits: netx would shift them all to 0"
        raise ModelError("ND1288", f"{fields.where}/{name}", problem, "quantise the weights to 8 bits")
    return weight, shift, 8 - shift - (trailing_zeros(weight) - mixed)


def stored(matrices: list[Ints], fields: Fields, name: str, notes: Notes) -> list[Stored]:
    """What Lava keeps of matrices that share one exponent (a layer's input and recurrent weights, or one alone)."""
    together = np.concatenate([matrix.reshape(-1) for matrix in matrices])
    clipped, shift, bits = optimised(together, fields, name, notes)
    found, start = [], 0
    for matrix in matrices:
        part = (clipped[start : start + matrix.size] << shift).reshape(matrix.shape)
        start += matrix.size
        mode = infer_sign_mode(part)
        if bits == WEIGHT_BITS + 1 and mode == "mixed":
            weight = np.clip(part, *RANGES[mode])  # netx asks for 9 bits, and Lava then truncates nothing
            weight = weight.astype(smallest_type(weight))
            notes.repairs.append(
                f"{fields.layer} {name}: odd weights beyond 7 bits and sign, which Lava keeps and no chip can"
            )
        elif 1 <= bits <= WEIGHT_BITS:
            weight, _ = lava_weights(part, bits, mode)
        else:
            problem = f"has {mode} weights for which netx chooses {bits} bits, with which Lava would lose them"
            raise ModelError("ND1288", f"{fields.where}/{name}", problem, "quantise the weights to 8 bits")
        changed = int(np.count_nonzero(weight != part))
        if changed:
            notes.repairs.append(
                f"{fields.layer} {name}: {changed} weights changed by Lava's clipping to {mode} {bits} bits"
            )
        found.append(Stored(weight, -shift, bits, mode))
    return found
