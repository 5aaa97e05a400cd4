"""Parameters that rounding loses entirely: an error, or a line of its own before all others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.conversion.spiking.compat import quantize_as_published
from neurodeploy.conversion.spiking.options import QuantizeOptions
from neurodeploy.conversion.spiking.quantize import quantize
from neurodeploy.errors import UserError
from neurodeploy.frontends.nir.writer import write
from neurodeploy.ir.float_network import FloatNetwork, Loss
from tests.conversion.nets import DT, affine, network, neuron, window
from tests.conversion.test_quantize import layer
from tests.refusals import refused
from tests.tiny import call

rng = np.random.default_rng(5)


def losses(made: FloatNetwork) -> list[str]:
    return [f"{note.where}: {note.found}" for note in quantize(made)[1].notes if isinstance(note, Loss)]


def test_an_ordinary_layer_loses_nothing() -> None:
    made = layer("lif", rng.normal(size=(8, 6)), v_leak=0.1, r=20.0)
    assert losses(made) == []
    assert quantize(made)[1].projections[0].worst.by_row < 0.05


@pytest.mark.parametrize(("row", "what"), [([1e-6, -1e-6, 0], "all"), ([1e-2, 6e-3, 7e-3], "more than half")])
def test_a_row_that_is_lost_is_named_and_is_an_error_of_all_of_it(row: list[float], what: str) -> None:
    """Beside 2.0 in mixed signs a step of the weights is 2 / 127: half of it is 7.9e-3."""
    weight = np.array([[2.0, -1.0, 0.5], row, [1.0, 1.0, -2.0]])
    made = layer("lif", weight, r=20.0)
    (line,) = losses(made)
    assert f"{what} of the weights of 1 of 3 rows (1)" in line and line.startswith("input->n:")
    report = quantize(made)[1]
    assert report.projections[0].worst.by_row > 0.5 and (what != "all" or report.projections[0].worst.by_row == 1.0)
    assert report.projections[0].worst.relative < 0.01  # of the largest weight of all


def test_one_weight_beyond_all_scales_is_not_a_good_conversion() -> None:
    weight = rng.normal(size=(4, 3))
    weight[0, 0] = 3e38
    found = losses(layer("lif", weight))
    assert any("all of the weights of 3 of 4 rows (1, 2, 3)" in line for line in found)
    assert any("the threshold of 4 of 4 neurons" in line for line in found)


def test_channels_of_a_convolution_are_rows() -> None:
    weight = rng.normal(size=(3, 1, 2, 2))
    weight[2] = 1e-7
    nodes = [neuron("x", "input", (1, 4, 4)), window("c", "conv2d", (1, 4, 4), weight, bias=0.5)]
    nodes += [neuron("n", "lif", (3, 3, 3), r=20.0), neuron("output", "output", (3, 3, 3))]
    made = network(nodes, [("x", "c"), ("c", "n"), ("n", "output")])
    (line,) = losses(made)
    assert "all of the weights of 1 of 3 rows (2)" in line


@pytest.mark.parametrize(
    ("params", "what"),
    [
        ({"tau": [0.02, 20.0, 0.02]}, "the decay of v of 1 of 3 neurons (1)"),  # 5e-5 a step, half of 1/4096 is 1.2e-4
        ({"v_threshold": [1.0, 1e-9, 1.0]}, "the threshold of 1 of 3 neurons (1)"),
        ({"v_leak": [0.0, 1e-5, 0.0], "v_threshold": [1.0, 2e-5, 1.0]}, "the bias of 1 of 3 neurons (1)"),
    ],
)
def test_a_neurons_parameter_that_is_lost_is_named(params: dict[str, Any], what: str) -> None:
    given = {"r": 20.0, **params}
    assert any(what in line for line in losses(layer("lif", rng.normal(size=(3, 4)), **given)))


def test_a_bias_that_decides_nothing_is_no_loss() -> None:
    """It would lift the voltage by 1e-6 of the threshold."""
    made = layer("lif", rng.normal(size=(3, 4)), r=20.0, v_leak=[0.4, 1e-6, 0.4])
    assert losses(made) == []
    assert quantize(made)[1].populations[0].errors["bias"].by_row == 1.0


def test_a_threshold_that_is_rounded_down_exactly_is_no_loss() -> None:
    """Without a leak all voltages are whole weights: v > 1e-9 is v > 0."""
    made = layer("if", np.array([[1.0, 2.0]]), v_threshold=1e-9)
    assert losses(made) == [] and quantize(made)[0].populations["n"].params["vth"] == 0


def test_a_delay_that_is_lost_is_named() -> None:
    nodes = [neuron("x", "input", 2), neuron("d", "delay", 2, delay=[0.3 * DT, 2 * DT]), neuron("n", "lif", 2, r=20.0)]
    made = network([*nodes, neuron("output", "output", 2)], [("x", "d"), ("d", "n"), ("n", "output")])
    assert [line for line in losses(made) if "the delay of 1 of 2 values (0)" in line]


@pytest.mark.parametrize("params", [{"v_leak": 1e38, "v_threshold": 2e38}, {"tau": 1e30}])
def test_a_layer_that_keeps_no_weight_is_refused(params: dict[str, Any]) -> None:
    error = refused(UserError, "ND1274", quantize, layer("lif", rng.normal(size=(3, 4)), **params))
    assert error.subject == "n"


def test_weights_that_were_all_zero_are_not_lost() -> None:
    assert losses(layer("lif", np.zeros((3, 4)))) == []


def test_few_bits_lose_more() -> None:
    weight = np.array([[1.0, -1.0], [0.1, -0.1]])
    made = layer("lif", weight, r=20.0)
    assert losses(made) == []
    notes = quantize(made, QuantizeOptions(weight_bits=2))[1].notes
    assert any(isinstance(note, Loss) and "1 of 2 rows (1)" in note.found for note in notes)


def test_the_answer_begins_with_what_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [
        neuron("input", "input", 3),
        affine("a", [[1.0, -1, 1], [1e-9, 1e-9, 1e-9]]),
        neuron("n", "lif", 2, r=20.0),
    ]
    made = network([*nodes, neuron("output", "output", 2)], [("input", "a"), ("a", "n"), ("n", "output")])
    write(made, tmp_path / "x.nir")
    arguments = ["convert", str(tmp_path / "x.nir"), "--dt", str(DT), "--out", str(tmp_path / "x.nd")]
    shown = call(arguments, capsys)
    assert shown.status == 0 and shown.out.startswith("lost: input->n: loses all of the weights of 1 of 2 rows (1)")
    assert "100 %" in shown.out.replace("\u202f", " ").replace("\u00a0", " ")
    np.save(tmp_path / "x.npy", np.ones((5, 3), bool))
    assert "lost: input->n" in call(["eval", str(tmp_path / "x.nd"), "--input", str(tmp_path / "x.npy")], capsys).out


def test_a_time_step_that_leaves_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [neuron("input", "input", 3), affine("a", rng.normal(size=(2, 3))), neuron("n", "lif", 2, r=20.0)]
    made = network([*nodes, neuron("output", "output", 2)], [("input", "a"), ("a", "n"), ("n", "output")])
    write(made, tmp_path / "x.nir")
    arguments = [
        "convert",
        str(tmp_path / "x.nir"),
        "--dt",
        "1e-320",
        "--gain",
        "physical",
        "--out",
        str(tmp_path / "x.nd"),
    ]
    found = call(arguments, capsys)
    assert found.status == 2 and found.err.startswith("error ND1274 n: ")


def test_the_published_bridge_tells_what_it_cuts_off() -> None:
    """``int(dt / tau * 256)`` is 0 from a tau of 256 steps on, and no input gets through it."""
    one = layer("lif", np.ones((1, 1)), 0.0, tau=300 * DT)
    notes = quantize_as_published(one)[1].notes
    assert any(isinstance(note, Loss) and "loses every weight" in note.found for note in notes)
    weak = layer("cubalif", np.array([[1.0, 2.0], [1e-7, 1e-7]]), tau_mem=10_000 * DT, r=10_000.0)
    found = [f"{note.where}: {note.found}" for note in quantize_as_published(weak)[1].notes if isinstance(note, Loss)]
    assert any("n: loses its decay of v" in line for line in found)
    assert any("all of the weights of 1 of 2 rows (1)" in line for line in found)
