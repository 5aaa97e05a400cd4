"""What models count as wrapped and clipped; the rules of our own; roots and norms, Lava's faults beside the right ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.neurons import inv_sqrt
from neurodeploy.neurons.graded_affine import MODEL as AFFINE
from neurodeploy.neurons.registry import prepared_params
from tests.layers import network_of
from tests.neurons.stepping import Cells, population
from tests.simulators.conftest import make_island

END = 2**23


def test_the_current_wraps_once_and_each_value_is_counted() -> None:
    cells = Cells(population("lif", 5, du=4095, dv=4096, vth=2**17), samples=2)
    stepped = cells.step(a=[131072, -131072, 262149, 131071, -131071])
    assert cells.state["u"][0].tolist() == [END, END, 320, END - 64, -END + 64]
    assert stepped.wrapped == 2 * 2  # 2**23 is kept; -2**23 and 262149 << 6 are not; in each of two samples
    assert cells.state["v"][0].tolist() == [END - 1, END - 1, 320, END - 64, -END + 64]
    assert stepped.saturated == 2 * 2


def test_an_input_beyond_25_bits_wraps_at_32_and_stays_outside_24() -> None:
    cells = Cells(population("lif", 2, du=4095, dv=4096, vth=2**17))
    stepped = cells.step(a=[2**25 - 1, 2**26])
    assert cells.state["u"][0].tolist() == [2**31 - 64 - 2**32 + 2**32 - 2**24, 0]
    assert stepped.wrapped == 2
    assert cells.state["v"][0].tolist() == [END - 1, 0] and stepped.saturated == 1


def test_refractory_neurons_hold_their_voltage() -> None:
    cells = Cells(population("lif_refractory", 3, du=4095, dv=0, vth=9, refractory_period=np.array([0, 1, 3])))
    spikes, voltages = [], []
    for _ in range(8):
        spikes.append(cells.step(a=10).outputs["s"][0].tolist())
        voltages.append(cells.state["v"][0].tolist())
    assert np.array(spikes).T.tolist() == [[1] * 8, [1, 0] * 4, [1, 0, 0, 0] * 2]
    assert (np.array(voltages) == 0).all()
    assert cells.state["u"][0].tolist() == [640] * 3


def test_a_refractory_voltage_is_neither_changed_nor_counted() -> None:
    cells = Cells(population("lif_refractory", 1, {"r": 2, "v": 5}, du=4095, dv=4096, vth=2**17))
    assert cells.step(a=131072).saturated == 0
    assert cells.state["v"].item() == 5 and cells.state["r"].item() == 1


@pytest.mark.parametrize("drive", [1, 7, 40])
def test_subtraction_keeps_the_charge(drive: int) -> None:
    """What went in is in the spikes and in the voltage, unless more comes in than one spike a step takes out."""
    cells = Cells(population("lif_subtract", 1, du=4095, dv=0, vth=41))
    spikes = sum(int(cells.step(a=drive).outputs["s"].item()) for _ in range(200))
    assert spikes * 41 * 64 + cells.state["v"].item() == 200 * drive * 64
    assert spikes == (200 * drive - 1) // 41


def test_the_integrator_sends_its_voltage() -> None:
    cells = Cells(population("li", 2, du=4095, dv=2048, bias_mant=1))
    sent = [cells.step(a=[1, -1]).outputs["s"][0].tolist() for _ in range(3)]
    assert sent == [[65, -63], [97, -94], [113, -110]]  # 32.5, 48.5 towards zero; -31.5, -47


def test_threshold_is_strict() -> None:
    cells = Cells(population("threshold", 3, vth=np.array([0, 5, -(2**31)])))
    assert cells.step(a=[0, 6, -(2**31)]).outputs["s"][0].tolist() == [0, 1, 0]
    assert cells.step(a=[1, 5, 0]).outputs["s"][0].tolist() == [1, 0, 1]


def test_a_state_space_rounds_half_up() -> None:
    cells = Cells(population("s4d", 1, a_re=2**14, b_re=1, c_re=1, c_exp=1))
    sent = [cells.step(a=drive).outputs["s"].item() for drive in (1000, 0, 0, 0, 0, 0, 0)]
    assert sent == [1000, 500, 250, 125, 63, 32, 16]


def test_a_state_space_turns_and_clips() -> None:
    cells = Cells(population("s4d", 1, a_re=0, a_im=-(2**15), b_re=3, c_re=1, c_im=1))
    cells.step(a=5)
    assert (cells.state["re"].item(), cells.state["im"].item()) == (15, 0)
    cells.step()
    assert (cells.state["re"].item(), cells.state["im"].item()) == (0, -15)
    assert cells.step().outputs["s"].item() == -30
    stepped = cells.step(a=2**31 - 1)
    assert cells.state["re"].item() == END - 1
    assert stepped.outputs["s"].item() == END - 1
    assert (stepped.saturated, stepped.wrapped) == (2, 0)


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


def test_slayer_fires_at_equality_from_4096_on() -> None:
    cells = Cells(population("cuba", 4, du=4096, dv=4096, vth=np.array([4095, 4095, 4096, 4096])))
    assert cells.step(a=[4095, 4096, 4095, 4096]).outputs["s"][0].tolist() == [0, 1, 0, 1]


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


def test_integer_step_is_the_float_step_within_one_unit_of_each_rounding() -> None:
    for bias in (False, True):
        island = make_island(40, 8, acc_shift=5, shifts=(15, 20), bias=bias)
        params = prepared_params(network_of(island).populations[island.name])
        acc = {"a": np.random.default_rng(0).integers(-(2**25), 2**25, (9, 40))}
        stepped = AFFINE.step(params, {}, acc, 1)
        assert stepped.saturated == stepped.saturated_out == stepped.wrapped == 0
        exact = AFFINE.float_step({name: value.astype(float) for name, value in params.items()}, {}, acc, 1)["s"]
        ratio = params["multiplier"] * 2.0 ** -(params["shift"] + params["acc_shift"])
        np.testing.assert_array_equal(exact, (acc["a"] + params["bias"]) * ratio)
        # The state is rounded to one unit, which the multiplier (below 2**15, shift at least 15) does not enlarge.
        assert float(np.abs(stepped.outputs["s"] - exact).max()) <= 1.0


def test_bias_is_added_before_the_shift() -> None:
    zero = {"a": np.zeros((1, 5), np.int64)}
    for bias in (False, True):
        island = make_island(5, 3, bias=bias, shifts=(15, 20))
        params = prepared_params(network_of(island).populations[island.name])
        assert bool(AFFINE.step(params, {}, zero, 1).outputs["s"].any()) == bias
