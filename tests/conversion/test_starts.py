"""Populations that a bias drives: the chip integrates it before the first input arrives, and must be in phase then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from neurodeploy.conversion.spiking.quantize import quantize
from neurodeploy.ir.float_network import FloatNetwork, Loss
from neurodeploy.ir.run import Probe
from tests.conversion.nets import DT, affine, between, both, compared, neuron, row, scale_of

#: A step keeps half of current and voltage, an input of 1 adds 1: decays of 12 bits are exact.
HALF: dict[str, Any] = {"tau_syn": 2 * DT, "tau_mem": 2 * DT, "r": 2.0, "w_in": 2.0}


def braille(reset: str, **params: Any) -> FloatNetwork:
    """Input, recurrent CubaLIF, CubaLIF: biases fire them alone, weights are whole 64ths, so that nothing is rounded."""
    rng = np.random.default_rng(11)

    def weights(rows: int, columns: int) -> np.ndarray[Any, Any]:
        return rng.integers(-16, 17, (rows, columns)) / 64.0

    nodes = [
        affine("up", weights(20, 6), rng.integers(30, 70, 20) / 64.0),
        neuron("hidden", "cubalif", 20, reset, **{**HALF, **params}),
        affine("back", weights(20, 20) / 4, rng.integers(-4, 5, 20) / 64.0),
        affine("down", weights(7, 20), rng.integers(40, 70, 7) / 64.0),
        neuron("last", "cubalif", 7, reset, **{**HALF, **params}),
    ]  # fmt: skip
    return between(nodes, "input up hidden down last output, hidden back ~hidden")


@pytest.mark.parametrize("reset", ["value", "subtract"])
def test_a_recurrent_network_driven_by_biases_is_in_phase(reset: str) -> None:
    """Equal rates do not show it: the bins do."""
    made = braille(reset)
    row, _, report, *_ = compared(made, samples=3, steps=200, rate=0.1)
    assert report.latency == 2 and not any(isinstance(note, Loss) for note in report.notes)
    assert row.float_count > 0.2 * row.bins  # it fires on its own
    assert not row.differing and not row.early


@pytest.mark.parametrize(("syn", "mem", "bias"), [(0.6, 0.5, 0.4), (0.1, 0.8, 0.5), (0.3, 0.25, 1.0)])
def test_neurons_that_fire_by_their_bias_alone_fire_in_the_very_steps(syn: float, mem: float, bias: float) -> None:
    """Decays and steady spikes as of the Braille networks of the NIR paper: out of phase, up to half the bins differ."""
    tau = {"tau_syn": DT / (1 - syn), "tau_mem": DT / (1 - mem)}
    gains = {"r": tau["tau_mem"] / DT, "w_in": tau["tau_syn"] / DT}
    biases = np.random.default_rng(50).uniform(0.3, 1.0, 45) * bias
    made = row(
        affine("up", np.eye(38, 12) / 8, biases[:38]), neuron("hidden", "cubalif", 38, **tau, **gains),
        affine("down", np.zeros((7, 38)), biases[38:]), neuron("last", "cubalif", 7, **tau, **gains),
    )  # fmt: skip
    line = compared(made, samples=1, steps=256, rate=0.05).line
    assert line.float_count > 0.1 * line.bins and line.differing == 0


def chain(size: int, biases: Sequence[float | None], kind: str, **params: Any) -> FloatNetwork:
    """Populations "a", "b", "c" behind one another."""
    layers = [
        (affine(f"w{name}", np.eye(size) / 4, bias), neuron(name, kind, size, **params))
        for name, bias in zip("abc", biases, strict=True)
    ]
    return row(*(node for pair in layers for node in pair))


@pytest.mark.parametrize("bias", [-0.5, 0.7, 1.5])
@pytest.mark.parametrize(("kind", "params"), [("lif", {"tau": 4 * DT, "r": 4.0}), ("cubalif", HALF)])
def test_the_state_is_that_of_the_float_network_when_the_first_input_can_arrive(
    kind: str, params: dict[str, Any], bias: float
) -> None:
    """The third population of a chain, at the third step, against the float network before its first."""
    made = chain(3, [bias] * 3, kind, v_threshold=8.0, **params)
    chip, report = quantize(made)
    inputs = {"input": np.zeros((1, 30, 3))}
    wanted, got = both(made, chip, report, inputs, [Probe("c", "v", None), Probe("c", "s", None)], ["c"])
    volts = got.probes["c.v"][0] / (64 * scale_of(chip, "c"))
    assert not got.probes["c.s"][0, :3].any()
    np.testing.assert_array_equal(got.probes["c.s"][0, 3:33], wanted.recorded["c"]["out"][0])
    np.testing.assert_allclose(volts[3:33], wanted.recorded["c"]["v"][0], atol=0.01)


def test_one_neuron_that_cannot_start_in_phase_does_not_keep_the_others_from_it() -> None:
    """A decay of the current to a tenth in a step would want a start of a thousand times the bias."""
    fast = {"tau_syn": np.array([1.11, 2.0, 2.0]) * DT, "tau_mem": np.array([1.01, 2.0, 2.0]) * DT, "v_threshold": 1.0}
    gains = {"r": fast["tau_mem"] / DT, "w_in": fast["tau_syn"] / DT}
    made = chain(3, [0.7] * 3, "cubalif", **fast, **gains)
    _, _, report, wanted, got = compared(made, inputs={"input": np.zeros((1, 40, 3))})
    off = wanted.outputs["output"][0] != got.outputs["c"][0, report.latency :]
    assert not off[:, 1:].any()


def test_what_cannot_be_in_phase_is_a_loss_with_its_size() -> None:
    """Held down by -4 a step, it would have to come from far above its threshold, and fire on the way."""
    _, report = quantize(chain(2, [None, None, -4.0], "lif", tau=2 * DT, r=2.0))
    (note,) = [note for note in report.notes if isinstance(note, Loss)]
    assert note.where == "c" and note.found.startswith("cannot start 3 steps before") and "2 of 2 neurons" in note.found
