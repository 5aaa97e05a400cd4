"""A lane of grouped weights (`synapses.grouped`): exact sums as products of 8-bit digits of the weights that count.

With w_ij written in digits of 8 bits, each of either sign, and `P` of them::

    w_ij = sum_d 256**d w_ij[d]                  -128 <= w_ij[d] <= 127
    acc_i = bias_i + sum_d 256**d (sum_{narrow j} w_ij[d] x_j + 256 sum_{wide j} w_ij[d] x_j)

The digits of a row lie one after another, so that they are rows of one matrix and one product per block of neurons has all
of them: its sums are still in the cache when they are put together and the neurons update. 4-bit weights with factors of 7
bits have two digits, those of a file with 16-bit scales three or four.
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
from simulators.fast.products import exact_product

#: Sums of digits held at a time, and elements of a matrix that are turned into digits at a time.
SUMS_PER_BLOCK, ELEMENTS = 1 << 18, 1 << 22
#: Of what the kernel shall divide: sums of no wide axons are among the others here.
NOTHING = np.zeros((0, 0), np.int64)


class GroupedLane:
    """One `Grouped` within the step into `graded_affine`: what `lane.Lane` is for a `Dense` of int8, with its `run`."""

    def __init__(self, projection: Projection, params: Values, bits: int) -> None:
        self.name, self.bits, self._limit = projection.target, bits, signed_max(bits)
        synapse = projection.synapse
        self.rows, self.columns = synapse.rows, synapse.columns
        exponent = np.zeros(self.columns, np.uint8) if projection.axon_exp is None else projection.axon_exp
        self._is_wide = np.ascontiguousarray(exponent > 0)
        self._wide = np.flatnonzero(self._is_wide)
        self._digits = digits_of(projection.synapse)
        self._wide_digits = np.ascontiguousarray(self._digits[:, self._wide])
        #: How many digits a weight has, and what the magnitudes of the terms of any product add up to.
        self._places = len(self._digits) // max(1, self.rows)
        self._bound = _magnitudes(self._digits) << 15
        bias = params["bias"].astype(np.int64)
        #: Whether real numbers of 64 bits hold every sum of `kernels.fire` to its last half.
        self.exact = projection.largest_sum(self._limit) + int(np.abs(bias).max(initial=0)) < 2**51
        unit = 2.0 ** -int(params["acc_shift"].item())
        self._numbers = np.array(
            [unit, *(float(signed_max(int(params[n].item()))) for n in ("state_bits", "out_bits"))]
        )
        self._neurons = np.empty((2, self.rows))
        self._neurons[0] = bias * unit + 0.5
        self._neurons[1] = np.ldexp(params["multiplier"].astype(float), -params["shift"].astype(int))

    def run(
        self, payload: NDArray[np.int16], out: NDArray[Any], bounds: NDArray[np.int64], scale: float
    ) -> NDArray[np.int64]:
        """As `lane.Lane.run`."""
        tokens, columns = payload.shape
        counts = np.zeros((1, columns + self.rows + 3), np.int64)
        planes = np.empty((tokens, columns), np.int16)
        kernels.digits(0, tokens, payload, self._is_wide, self._limit, planes, False, counts[0])
        if counts[0, -1]:
            raise InternalError("ND9005", self.name, f"{counts[0, -1]} payloads exceed {self.bits} bits")
        narrow, wide = planes.astype(np.int32), payload[:, self._wide].astype(np.int32)
        place = 256 ** np.arange(self._places, dtype=np.int64)
        block = max(64, SUMS_PER_BLOCK // max(1, tokens * self._places))
        for start in range(0, self.rows, block):
            stop = min(start + block, self.rows)
            rows = slice(start * self._places, stop * self._places)
            sums: Ints = exact_product(narrow, self._digits[rows], self._bound).astype(np.int64)
            if self._wide.size:
                sums += exact_product(wide, self._wide_digits[rows], self._bound).astype(np.int64) << 8
            total = sums.reshape(tokens, stop - start, self._places) @ place
            split(
                kernels.fire_part, 0, tokens, total, NOTHING, 0.0, start, self._neurons, self._numbers, scale, out,
                bounds, counts,
            )  # fmt: skip
        return np.asarray(counts[0])


def digits_of(synapse: Synapse) -> NDArray[np.int8]:
    """(rows * digits, columns) of the weights that count."""
    most = 1
    step = max(1, ELEMENTS // max(1, synapse.columns))
    ranges = [(start, min(start + step, synapse.rows)) for start in range(0, synapse.rows, step)]
    for rows in ranges:
        weight = _part(synapse, rows)
        most = max(most, _count(int(weight.min(initial=0)), int(weight.max(initial=0))))
    digits = np.empty((synapse.rows, most, synapse.columns), np.int8)
    for rows in ranges:
        rest = _part(synapse, rows).astype(np.int32)
        for place in range(most):
            low = ((rest + 128) & 255) - 128
            digits[slice(*rows), place] = low
            rest = (rest - low) >> 8
    return digits.reshape(-1, synapse.columns)


def _magnitudes(digits: NDArray[np.int8]) -> int:
    """The largest sum of magnitudes of a row."""
    step = max(1, ELEMENTS // max(1, digits.shape[1]))
    sums = [
        np.abs(digits[start : start + step].astype(np.int16)).sum(axis=1, dtype=np.int64).max(initial=0)
        for start in range(0, len(digits), step)
    ]
    return int(max(sums, default=0))


def _part(synapse: Synapse, rows: tuple[int, int]) -> NDArray[Any]:
    own = synapse.part(rows, (0, synapse.columns))
    return (synapse if own is None else own).matrix()


def _count(low: int, high: int) -> int:
    """Digits that hold these: ``d`` of them reach from ``-128 r`` to ``127 r``, r = (256**d - 1) / 255."""
    count, reach = 1, 1
    while low < -128 * reach or high > 127 * reach:
        count, reach = count + 1, reach * 256 + 1
    return count
