"""A lane of grouped weights (`synapses.grouped`): exact sums as products of 8-bit digits of the weights that count.

With w_ij written in digits of 8 bits, each of either sign, the weights of a digit d are a matrix of int8, and each is
multiplied as the one matrix of `simulators.fast.lane` is: with payloads of 16 bits, or with two planes of 8 bits::

    w_ij = sum_d 256**d w_ij[d]                                          -128 <= w_ij[d] <= 127
    acc_i = offset_i + sum_d 256**d (P0_i[d] + 256 P1_i[d] + 65536 P2_i[d])

The kernel that updates the neurons adds the places. 4-bit weights with factors of 7 bits have two digits, those of a file
with 16-bit scales three.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints, signed_max
from neurodeploy.ir.network import Projection
from neurodeploy.ir.synapse import Synapse
from neurodeploy.machine.threads import split
from neurodeploy.neurons.model import Values
from simulators.fast.kernels import lane as kernels
from simulators.products.choice import Product, choose
from simulators.products.pairs import padded

#: What stands for sums of wide axons that are added elsewhere.
NOTHING = np.zeros((0, 0), np.int64)
#: Sums of a place held at a time, and elements of a matrix that are turned into digits at a time.
SUMS_PER_BLOCK, ELEMENTS = 1 << 17, 1 << 22


class GroupedLane:
    """One `Grouped` within the step into `graded_affine`: what `lane.Lane` is for a `Dense` of int8, with its `run`."""

    def __init__(self, projection: Projection, params: Values, bits: int) -> None:
        self.name, self.bits, self._limit = projection.target, bits, signed_max(bits)
        synapse = projection.synapse
        self.rows, self.columns = synapse.rows, synapse.columns
        exponent = np.zeros(self.columns, np.uint8) if projection.axon_exp is None else projection.axon_exp
        self._is_wide = np.ascontiguousarray(exponent > 0)
        self._wide = np.flatnonzero(self._is_wide)
        #: (digits, rows, columns), and those of wide axons alone.
        self._digits = digits_of(synapse)
        self._wide_digits = np.ascontiguousarray(self._digits[:, :, self._wide])
        largest, sums = _sums(self._digits, self._is_wide)
        #: What the magnitudes of the terms of any product add up to, at most.
        self._bound = largest << 15
        bias = params["bias"].astype(np.int64)
        #: Whether real numbers of 64 bits hold every sum of `kernels.fire` to its last half.
        self.exact = projection.largest_sum(self._limit) + int(np.abs(bias).max(initial=0)) < 2**51
        unit = 2.0 ** -int(params["acc_shift"].item())
        self._numbers = np.array(
            [unit, *(float(signed_max(int(params[n].item()))) for n in ("state_bits", "out_bits"))]
        )
        #: By the bits that a product takes at a time, as `lane.Lane` has them.
        self._neurons = {8: np.empty((2, self.rows)), 16: np.empty((2, self.rows))}
        for digit, offset in ((8, bias + 128 * sums[0] + 128 * 256 * sums[1]), (16, bias)):
            self._neurons[digit][0] = offset * unit + 0.5
            self._neurons[digit][1] = np.ldexp(params["multiplier"].astype(float), -params["shift"].astype(int))

    def run(
        self, payload: NDArray[np.int16], out: NDArray[Any], bounds: NDArray[np.int64], scale: float
    ) -> NDArray[np.int64]:
        """As `lane.Lane.run`."""
        tokens, columns = payload.shape
        counts = np.zeros((1, columns + self.rows + 3), np.int64)
        product = choose(tokens, 16)
        two = product.digit is np.int8
        planes = np.empty((2 * tokens, columns), np.int8) if two else padded((tokens, columns))
        kernels.digits(0, tokens, payload, self._is_wide, self._limit, planes, two, counts[0])
        if counts[0, -1]:
            raise InternalError("ND9005", self.name, f"{counts[0, -1]} payloads exceed {self.bits} bits")
        upper = payload[:, self._wide]
        given = product, planes, (upper >> 8).astype(np.int8) if two else upper, tokens
        block = min(self.rows, max(64, SUMS_PER_BLOCK // max(1, len(planes))))
        total = np.empty((tokens, block), np.int64)
        for start in range(0, self.rows, block):
            rows = slice(start, min(start + block, self.rows))
            sums = total[:, : rows.stop - start]
            self._add(*given, rows, sums)
            split(
                kernels.fire_part, 0, tokens, sums, NOTHING, 0.0, start, self._neurons[8 if two else 16], self._numbers,
                scale, out, bounds, counts,
            )  # fmt: skip
        return np.asarray(counts[0])

    def _add(
        self, product: Product, planes: NDArray[Any], upper: NDArray[Any], tokens: int, rows: slice, total: Ints
    ) -> None:
        """The sums of all places into `total`, (tokens, rows)."""
        for place, digits in enumerate(self._digits):
            sums = product(planes, digits[rows], self._bound).reshape(-1, tokens, total.shape[1])
            for number, part in enumerate(sums):
                kernels.gather(part, 8 * (place + number), not place + number, total)
            if len(self._wide):
                part = product(upper, self._wide_digits[place, rows], self._bound)
                kernels.gather(part, 8 * (place + len(sums)), False, total)


def digits_of(synapse: Synapse) -> NDArray[np.int8]:
    """(digits, rows, columns) of the weights that count."""
    step = max(1, ELEMENTS // max(1, synapse.columns))
    ranges = [(start, min(start + step, synapse.rows)) for start in range(0, synapse.rows, step)]
    count = 1
    for rows in ranges:
        weight = _part(synapse, rows)
        count = max(count, _count(int(weight.min(initial=0)), int(weight.max(initial=0))))
    digits = np.empty((count, synapse.rows, synapse.columns), np.int8)
    for rows in ranges:
        rest = _part(synapse, rows).astype(np.int32)
        for place in range(count):
            low = ((rest + 128) & 255) - 128
            digits[place, slice(*rows)] = low
            rest = (rest - low) >> 8
    return digits


def _sums(digits: NDArray[np.int8], is_wide: NDArray[np.bool_]) -> tuple[int, Ints]:
    """The largest sum of magnitudes of a row of digits; each row's sum of weights over narrow and over wide axons."""
    largest, sums = 0, np.zeros((2, digits.shape[1]), np.int64)
    for place, plane in enumerate(digits):
        own = np.empty_like(sums)
        largest = max(largest, int(kernels.weight_sums(plane, is_wide, own)))
        sums += own << 8 * place
    return largest, sums


def _part(synapse: Synapse, rows: tuple[int, int]) -> NDArray[Any]:
    own = synapse.part(rows, (0, synapse.columns))
    return (synapse if own is None else own).matrix()


def _count(low: int, high: int) -> int:
    """Digits that hold these: ``d`` of them reach from ``-128 r`` to ``127 r``, r = (256**d - 1) / 255."""
    count, reach = 1, 1
    while low < -128 * reach or high > 127 * reach:
        count, reach = count + 1, reach * 256 + 1
    return count
