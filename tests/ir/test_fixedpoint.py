from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Dyadic, round_shift, saturate, signed_max


@given(st.integers(-(2**50), 2**50), st.integers(0, 40))
def test_round_shift_rounds_half_up(x: int, shift: int) -> None:
    assert int(round_shift(np.array([x]), shift)[0]) == math.floor(x / 2**shift + (0.5 if shift else 0)) or (
        abs(x) >= 2**52  # the float on the right is exact below that
    )


@given(st.floats(1e-30, 1e30))
def test_dyadic_of_24_bits_is_the_nearest_float32(value: float) -> None:
    assert Dyadic.nearest(value).value == float(np.float32(value))


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_dyadic_needs_a_positive_finite_number(value: float) -> None:
    with pytest.raises(InternalError, match="ND9002"):
        Dyadic.nearest(value)


def test_saturate_is_symmetric_and_counts() -> None:
    clipped, lost = saturate(np.array([-(2**23), -(2**23) + 1, 0, 2**23 - 1, 2**23]), 24)
    assert clipped.tolist() == [-(2**23) + 1, -(2**23) + 1, 0, 2**23 - 1, 2**23 - 1]
    assert lost == 2
    assert signed_max(8) == 127
