"""What is counted as wrapped and clipped, and the rules of the models that have no counterpart in Lava."""

from __future__ import annotations

import numpy as np
import pytest

from tests.neurons.stepping import Cells, population

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
