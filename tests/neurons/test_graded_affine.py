from __future__ import annotations

import numpy as np

from neurodeploy.neurons.graded_affine import float_step, integer_step
from neurodeploy.neurons.registry import prepared_params
from simulators.islands import network_of
from tests.simulators.conftest import make_island


def test_integer_step_is_the_float_step_within_one_unit_of_each_rounding() -> None:
    for bias in (False, True):
        island = make_island(40, 8, acc_shift=5, shifts=(15, 20), bias=bias)
        params = prepared_params(network_of(island).populations[island.name])
        acc = {"a": np.random.default_rng(0).integers(-(2**25), 2**25, (9, 40))}
        stepped = integer_step(params, {}, acc, 1)
        assert stepped.saturated == stepped.saturated_out == stepped.wrapped == 0
        exact = float_step({name: value.astype(float) for name, value in params.items()}, {}, acc, 1)["s"]
        # The state is rounded to one unit, which the multiplier (below 2**15, shift at least 15) does not enlarge.
        assert float(np.abs(stepped.outputs["s"] - exact).max()) <= 1.0


def test_bias_is_added_before_the_shift() -> None:
    zero = {"a": np.zeros((1, 5), np.int64)}
    for bias in (False, True):
        island = make_island(5, 3, bias=bias, shifts=(15, 20))
        params = prepared_params(network_of(island).populations[island.name])
        assert bool(integer_step(params, {}, zero, 1).outputs["s"].any()) == bias
