"""What models count as wrapped and clipped; the rules of our own; roots and norms, Lava's faults beside the right ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.ir.population import Population
from neurodeploy.neurons import inv_sqrt
from tests.neurons.stepping import Cells, population

END = 2**23


#: What is stepped; for each step its inputs, what is there afterwards, and what wrapped and was clipped.
BY_HAND: dict[str, tuple[Population, list[tuple[dict[str, object], dict[str, list[int]], tuple[int, int]]]]] = {
    # 2**23 is kept; -2**23 and 262149 << 6 are not.
    "the current wraps once and each value is counted": (
        population("lif", 5, du=4095, dv=4096, vth=2**17),
        [({"a": [131072, -131072, 262149, 131071, -131071]},
          {"u": [END, END, 320, END - 64, -END + 64], "v": [END - 1, END - 1, 320, END - 64, -END + 64]}, (2, 2))],
    ),
    "an input beyond 25 bits wraps at 32 and stays outside 24": (
        population("lif", 2, du=4095, dv=4096, vth=2**17),
        [({"a": [2**25 - 1, 2**26]}, {"u": [2**31 - 64 - 2**32 + 2**32 - 2**24, 0], "v": [END - 1, 0]}, (2, 1))],
    ),
    "refractory neurons hold their voltage": (
        population("lif_refractory", 3, du=4095, dv=0, vth=9, refractory_period=np.array([0, 1, 3])),
        [({"a": 10}, {"s": list(s), "v": [0] * 3, "u": [640] * 3}, (0, 0))
         for s in zip([1] * 8, [1, 0] * 4, [1, 0, 0, 0] * 2, strict=True)],
    ),
    "a refractory voltage is neither changed nor counted": (
        population("lif_refractory", 1, {"r": 2, "v": 5}, du=4095, dv=4096, vth=2**17),
        [({"a": 131072}, {"v": [5], "r": [1]}, (0, 0))],
    ),
    "the integrator sends its voltage: 32.5, 48.5 towards zero; -31.5, -47": (
        population("li", 2, du=4095, dv=2048, bias_mant=1),
        [({"a": [1, -1]}, {"s": sent}, (0, 0)) for sent in ([65, -63], [97, -94], [113, -110])],
    ),
    "threshold is strict": (
        population("threshold", 3, vth=np.array([0, 5, -(2**31)])),
        [({"a": [0, 6, -(2**31)]}, {"s": [0, 1, 0]}, (0, 0)), ({"a": [1, 5, 0]}, {"s": [1, 0, 1]}, (0, 0))],
    ),
    "a state space rounds half up": (
        population("s4d", 1, a_re=2**14, b_re=1, c_re=1, c_exp=1),
        [({"a": a}, {"s": [s]}, (0, 0)) for a, s in zip([1000, *[0] * 6], [1000, 500, 250, 125, 63, 32, 16], strict=True)],
    ),
    "a state space turns and clips": (
        population("s4d", 1, a_re=0, a_im=-(2**15), b_re=3, c_re=1, c_im=1),
        [({"a": 5}, {"re": [15], "im": [0]}, (0, 0)), ({}, {"re": [0], "im": [-15]}, (0, 0)), ({}, {"s": [-30]}, (0, 0)),
         ({"a": 2**31 - 1}, {"re": [END - 1], "s": [END - 1]}, (0, 2))],
    ),
    "slayer fires at equality from 4096 on": (
        population("cuba", 4, du=4096, dv=4096, vth=np.array([4095, 4095, 4096, 4096])),
        [({"a": [4095, 4096, 4095, 4096]}, {"s": [0, 1, 0, 1]}, (0, 0))],
    ),
    "lavas root is near below 24 bits": (
        population("inv_sqrt", 6),
        [({"a": [1, 4096, 16384, 409600, 2**23, 2**24 - 1]}, {"s": [264045, 4095, 2047, 409, 89, 63]}, (0, 0))],
    ),
    "and counted beyond": (
        population("inv_sqrt", 3),
        [({"a": [0, -1, -(2**31)]}, {"s": [0, 0, 0]}, (0, 2)), ({"a": [2**24, 2**31 - 1, 4]}, {}, (4, 0))],
    ),
    "the right root of nothing is nothing": (
        population("rsqrt", 3), [({"a": [0, -5, 1]}, {"s": [0, 0, 2**18]}, (0, 1))]
    ),
    "the right root is clipped": (population("rsqrt", 1, exp=30), [({"a": 1}, {"s": [END - 1]}, (0, 1))]),
    "lavas norm wraps": (
        population("norm_vec", 2, vth=0), [({"a1": [46341, 46340]}, {"s2": [46341**2 - 2**32, 46340**2]}, (1, 0))]
    ),
    "the right norm clips": (population("norm", 2), [({"a1": [46341, 3]}, {"s2": [END - 1, 9]}, (0, 1))]),
    "the right norm clips the largest square": (
        population("norm", 1, square_exp=31), [({"a1": -(2**31)}, {"s2": [END - 1]}, (0, 1))]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(name: str) -> None:
    """In each of two samples."""
    cells, rows = Cells(BY_HAND[name][0], samples=2), BY_HAND[name][1]
    for inputs, wanted, counts in rows:
        stepped = cells.step(**inputs)
        for key, values in wanted.items():
            assert {**cells.state, **stepped.outputs}[key].tolist() == [values] * 2, key
        assert (stepped.wrapped, stepped.saturated) == (2 * counts[0], 2 * counts[1])


@pytest.mark.parametrize("drive", [1, 7, 40])
def test_subtraction_keeps_the_charge(drive: int) -> None:
    """What went in is in the spikes and in the voltage, unless more comes in than one spike a step takes out."""
    cells = Cells(population("lif_subtract", 1, du=4095, dv=0, vth=41))
    spikes = sum(int(cells.step(a=drive).outputs["s"].item()) for _ in range(200))
    assert spikes * 41 * 64 + cells.state["v"].item() == 200 * drive * 64
    assert spikes == (200 * drive - 1) // 41


def test_a_stable_state_space_stays_close_to_its_real_numbers() -> None:
    """A and B round by half a unit a step and part, which a pole of magnitude 0.9 gathers: sqrt(2) / (1 - 0.9)."""
    angle = 0.3
    turned = {"a_re": round(0.9 * np.cos(angle) * 2**15), "a_im": round(0.9 * np.sin(angle) * 2**15)}
    cells = Cells(population("s4d", 4, **turned, b_re=100, b_exp=3, c_re=2**14, c_exp=15))
    rng = np.random.default_rng(5)
    for _ in range(300):
        drive = rng.integers(-1000, 1000, 4)
        cells.step(a=drive)
        cells.float_step(a=drive)
        for part in ("re", "im"):
            assert np.abs(cells.state[part] - cells.float_state[part]).max() <= np.sqrt(2) / (1 - 0.9)


def test_the_table_of_first_estimates_is_lavas_formula() -> None:
    assert [2 * int(2**12 / (2 ** ((m - 12) / 2) * 1.238982962)) for m in range(24)] == inv_sqrt.ESTIMATES.tolist()


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
    if vector == "norm":
        assert abs(np.sqrt(((sent.outputs["s"][0] / 2**18) ** 2).sum()) - 1) < 0.001


def inverse_of(root: str, x: np.ndarray) -> int:
    return int(Cells(population(root, 1)).step(a=int((x * x).sum())).outputs["s"].item())
