from __future__ import annotations

import numpy as np

from neurodeploy.neurons.graded_affine import float_step, integer_step
from tests.simulators.conftest import make_island


def test_integer_step_is_the_float_step_within_one_unit_of_each_rounding() -> None:
    neurons = make_island(40, 8, acc_shift=5, shifts=(15, 20)).neurons
    acc = np.random.default_rng(0).integers(-(2**25), 2**25, (9, 40))
    out, lost_state, lost_out = integer_step(neurons, acc, slice(None))
    assert lost_state == lost_out == 0
    exact = float_step(neurons, acc.astype(np.float64), slice(None))
    # The state is rounded to one unit, which the multiplier (below 2**15, shift at least 15) does not enlarge.
    assert float(np.abs(out - exact).max()) <= 1.0


def test_bias_is_added_before_the_shift() -> None:
    neurons = make_island(5, 3, bias=True, shifts=(15, 20)).neurons
    assert neurons.bias is not None
    zero = np.zeros((1, 5), np.int64)
    without = integer_step(make_island(5, 3, shifts=(15, 20)).neurons, zero, slice(None))[0]
    assert not without.any()
    exact = float_step(neurons, neurons.bias[None].astype(np.float64), slice(None))
    assert float(np.abs(integer_step(neurons, zero, slice(None))[0] - exact).max()) <= 1.0
