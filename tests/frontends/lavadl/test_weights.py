"""netx's optimisation of weight bits: against its own formula in floating point, and where that formula fails."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.errors import ModelError
from neurodeploy.frontends.hdf5_guard import Group
from neurodeploy.frontends.lavadl.fields import Fields, Notes
from neurodeploy.frontends.lavadl.weights import most_shift, optimised, stored, trailing_zeros
from tests.refusals import refused

FIELDS = Fields(Group("/layer/1"), "f.net:/layer/1")


def netx(weight: np.ndarray) -> tuple[float, float]:
    """(scale bits, weight bits) as lava-dl 0.6.0 ``netx/utils.py: optimize_weight_bits`` defines them."""
    high, low = weight.max(), weight.min()
    with np.errstate(divide="ignore"):
        if high < 0:
            scale, signed = np.float64(-256) / low, 0
        elif low >= 0:
            scale, signed = np.float64(255) / high, 0
        else:
            scale, signed = min(np.float64(127) / high, np.float64(-128) / low), 1
    bits = np.floor(np.log2(scale)) + signed
    n = next((n for n in range(8, 0, -1) if (weight % 2**n == 0).all()), 0)
    return bits, 8 - bits - (n - signed)


@given(st.lists(st.integers(-256, 254), min_size=1, max_size=6), st.sampled_from([0, 1, -1]))
def test_equals_the_formula(values: list[int], sign: int) -> None:
    weight = np.array(values, np.int64)
    weight = np.abs(weight) * sign if sign else weight
    if not weight.any():
        return
    bits, width = netx(weight)
    try:
        clipped, shift, mine = optimised(weight, FIELDS, "weight", Notes())
    except ModelError as error:
        assert error.code == "ND1288"
        assert bits < 0
        return
    assert np.array_equal(clipped, weight)
    assert (shift, mine) == (bits, width)


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=8))
def test_even_weights_of_8_bits_are_kept_exactly(halves: list[int]) -> None:
    """All that slayer's 8-bit quantisation makes, unless none is positive and the least is a power of two: netx shifts
    that to -256, which Lava's inhibitory weights do not reach.
    """
    weight = 2 * np.array(halves, np.int64)[None]
    least = -int(weight.min())
    if weight.max() <= 0 < least and least & (least - 1) == 0:
        return
    notes = Notes()
    [kept] = stored([weight], FIELDS, "weight", notes)
    assert np.array_equal(kept.weight.astype(np.int64) * 2.0**kept.exponent, weight)
    assert bool(notes.repairs) == (not weight.any())
    assert kept.exponent <= 0 and 1 <= kept.bits <= 8


def test_no_weights_at_all() -> None:
    """netx divides by zero here."""
    notes = Notes()
    [kept] = stored([np.zeros((3, 2), np.int64)], FIELDS, "weight", notes)
    assert (kept.weight.tolist(), kept.exponent, kept.bits) == ([[0, 0]] * 3, 0, 8)
    assert "all weights are 0" in notes.repairs[0]


def test_clipped_as_in_netx() -> None:
    notes = Notes()
    [kept] = stored([np.array([[300, -300, 255, 2]])], FIELDS, "weight", notes)
    assert kept.weight.tolist() == [[254, -256, 254, 2]]
    assert "3 weights of -300..300 clipped" in notes.repairs[0]


def test_lava_clips_a_lone_negative_sign_further() -> None:
    """Mixed for netx because the largest is 0, inhibitory for Lava, which keeps -255..0 in steps of what is asked for."""
    notes = Notes()
    [kept] = stored([np.array([[0, -128, -64]])], FIELDS, "weight", notes)
    assert kept.sign_mode == "inhibitory"
    assert (kept.weight.tolist(), kept.exponent, kept.bits) == ([[0, -192, -128]], -1, 2)
    assert "changed by Lava's clipping" in notes.repairs[0]


def test_odd_weights_beyond_127_keep_their_last_bit() -> None:
    notes = Notes()
    [kept] = stored([np.array([[253, -1]])], FIELDS, "weight", notes)
    assert (kept.weight.tolist(), kept.bits) == ([[253, -1]], 9)
    assert "no chip" in notes.repairs[0]


@pytest.mark.parametrize("weight", [[300, 1], [-300, -5], [-256, -256], [0, -400]])
def test_weights_that_netx_would_lose(weight: list[int]) -> None:
    refused(ModelError, "ND1288", stored, [np.array([weight])], FIELDS, "weight", Notes())


def test_recurrent_weights_share_the_exponent() -> None:
    first, second = stored([np.array([[2, 4]]), np.array([[-100]])], FIELDS, "weight", Notes())
    assert (first.exponent, second.exponent) == (-1, -1)
    assert (first.sign_mode, second.sign_mode) == ("excitatory", "inhibitory")
    assert first.weight.tolist() == [[4, 8]] and second.weight.tolist() == [[-200]]


def test_parts() -> None:
    assert [most_shift(127, m) for m in (1, 63, 64, 127, 128, 254, 255)] == [6, 1, 0, 0, -1, -1, -2]
    assert [trailing_zeros(np.array(w)) for w in ([6, 4], [256, -512], [0, 8], [-3])] == [1, 8, 3, 0]
