"""Lava's inverse root and normalisation with their faults, and the right ones beside them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.neurons import inv_sqrt
from tests.neurons.stepping import Cells, population


def test_the_table_of_first_estimates_is_lavas_formula() -> None:
    assert [2 * int(2**12 / (2 ** ((m - 12) / 2) * 1.238982962)) for m in range(24)] == inv_sqrt.ESTIMATES.tolist()


def test_lavas_root_is_near_below_24_bits_and_counted_beyond() -> None:
    cells = Cells(population("inv_sqrt", 6))
    stepped = cells.step(a=[1, 4096, 16384, 409600, 2**23, 2**24 - 1])
    assert stepped.outputs["s"][0].tolist() == [264045, 4095, 2047, 409, 89, 63]
    assert (stepped.wrapped, stepped.saturated) == (0, 0)
    stepped = cells.step(a=[0, -1, -(2**31), 2**24, 2**31 - 1, 4])
    assert stepped.outputs["s"][0].tolist()[:3] == [0, 0, 0]
    assert stepped.wrapped >= 2 and stepped.saturated == 2


def test_how_far_lavas_root_is_off() -> None:
    """The bounds that the module states, on every 97th input and the powers of two."""
    a = np.unique(np.concatenate([np.arange(1, 2**24, 97), 2 ** np.arange(24), 2 ** np.arange(1, 25) - 1]))
    cells = Cells(population("inv_sqrt", a.size))
    gap = np.abs(cells.step(a=a).outputs["s"] - cells.float_step(a=a)["s"])[0]
    assert gap[a >= 2**12].max() <= 3
    assert (gap * np.sqrt(a) / 2**18)[a < 2**12].max() <= 0.008
    assert (gap * np.sqrt(a) / 2**18).max() <= 0.028


@given(a=st.integers(1, 2**31 - 1), exp=st.integers(0, 30), bias=st.sampled_from([0, 1, 2**31 - 1]))
def test_the_right_root_is_the_nearest_integer(a: int, exp: int, bias: int) -> None:
    stepped = Cells(population("rsqrt", 1, exp=exp, bias=bias)).step(a=a)
    y, x = stepped.outputs["s"].item(), a + bias
    if stepped.saturated:
        assert y == 2**23 - 1 and (2 * y + 1) ** 2 * x <= 2 ** (2 * exp + 2)
    else:  # y - 1/2 <= 2**exp / sqrt(x) < y + 1/2
        assert max(2 * y - 1, 0) ** 2 * x <= 2 ** (2 * exp + 2) < (2 * y + 1) ** 2 * x


def test_the_right_root_of_nothing_is_nothing() -> None:
    stepped = Cells(population("rsqrt", 3)).step(a=[0, -5, 1])
    assert stepped.outputs["s"][0].tolist() == [0, 0, 2**18] and stepped.saturated == 1
    stepped = Cells(population("rsqrt", 1, exp=30)).step(a=1)
    assert stepped.outputs["s"].item() == 2**23 - 1 and stepped.saturated == 1


@pytest.mark.parametrize(("vector", "root", "late"), [("norm", "rsqrt", 2), ("norm_vec", "inv_sqrt", 1)])
def test_only_the_right_norm_meets_its_own_input(vector: str, root: str, late: int) -> None:
    """norm -> one-step synapses -> root -> one-step synapses -> norm, with an input that changes in every step."""
    rng = np.random.default_rng(11)
    x = rng.integers(20, 120, (30, 8))
    cells, inverse = Cells(population(vector, 8, vth=0)), Cells(population(root, 1))
    squares, factors = [0], [0]  # what the synapses will deliver
    for t in range(30):
        factor = factors[-1]
        sent = cells.step(a1=x[t], a2=factor)
        factors.append(inverse.step(a=squares[-1]).outputs["s"].item())
        squares.append(int(sent.outputs["s2"].sum()))
        if t < 4:
            continue
        own = inverse_of(root, x[t - 2])
        assert factor == own, "the factor in step t is that of the input two steps ago"
        np.testing.assert_array_equal(sent.outputs["s"][0], x[t - late] * own)
    right = sent.outputs["s"][0] / 2**18 if vector == "norm" else None
    if right is not None:
        assert abs(np.sqrt((right**2).sum()) - 1) < 0.001


def inverse_of(root: str, x: np.ndarray) -> int:
    return int(Cells(population(root, 1)).step(a=int((x * x).sum())).outputs["s"].item())


def test_lavas_norm_wraps_where_the_right_one_clips() -> None:
    stepped = Cells(population("norm_vec", 2, vth=0)).step(a1=[46341, 46340])
    assert stepped.outputs["s2"][0].tolist() == [46341**2 - 2**32, 46340**2] and stepped.wrapped == 1
    stepped = Cells(population("norm", 2)).step(a1=[46341, 3])
    assert stepped.outputs["s2"][0].tolist() == [2**23 - 1, 9] and (stepped.saturated, stepped.wrapped) == (1, 0)
    stepped = Cells(population("norm", 1, square_exp=31)).step(a1=-(2**31))
    assert stepped.outputs["s2"].item() == 2**23 - 1
