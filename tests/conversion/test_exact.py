"""Networks whose real numbers are whole ones on the chip: spikes must be the same, bit for bit, after the latency.

Integrate-and-fire neurons, even weights with a largest mantissa of 254, whole thresholds: nothing is rounded. So these
tests are about order of neurons, convolutions, delays, alignment, resets, biases and initial states, not about rounding.
Then populations that a bias drives: the chip integrates it before the first input arrives, and must be in phase then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.conversion.spiking.compare import compare_spikes
from neurodeploy.conversion.spiking.options import QuantizeOptions
from neurodeploy.conversion.spiking.quantize import quantize
from neurodeploy.ir.float_network import FloatNetwork, Loss
from neurodeploy.ir.run import Probe
from neurodeploy.synapses import Conv, Dense, Sparse
from tests.conversion.nets import DT, affine, between, both, compared, flatten, neuron, row, scale_of, spikes, window

rng = np.random.default_rng(11)


@pytest.fixture(autouse=True)
def _drawn_anew() -> None:
    """The same draws in every test, whichever ran before."""
    rng.bit_generator.state = np.random.default_rng(11).bit_generator.state


def even(*shape: int) -> np.ndarray:
    """Even weights in -254..254 that reach both ends."""
    values = 2.0 * rng.integers(-127, 128, shape)
    values.flat[0], values.flat[-1] = 254, -254
    return values


def fires(shape, threshold=200.0, **options):
    name = options.pop("name", "n")
    return neuron(name, "if", shape, v_threshold=threshold, **options)


def exact(made: FloatNetwork, options: QuantizeOptions | None = None, **runs):
    """Convert, run both, demand equality and some spikes; returns the network and report."""
    chip, report = quantize(made, options)
    for line in report.projections:
        assert line.worst.relative == 0 and not line.clipped and not line.late, line
    wanted, got = both(made, chip, report, spikes(made, **runs))
    for line in compare_spikes(wanted.outputs, got, report.outputs):
        assert line.differing == 0 and line.early == 0 and line.float_count > 0 and line.steps == wanted.steps, line
    assert not got.activity.wrapped and not got.activity.saturated
    return chip, report


def test_layers() -> None:
    chip, report = exact(row(affine("a", even(9, 6)), fires(9), affine("b", even(4, 9)), fires(4, name="m")))
    assert report.latency == 2 and [type(p.synapse) for p in chip.projections] == [Dense, Dense]
    assert chip.outputs == ("m",) and chip.populations["n"].params["dv"] == 0


def test_biases_run_from_the_first_input_on() -> None:
    """The chip integrates a bias before the first input arrives: initial states make up for it."""
    made = row(
        affine("a", even(9, 6), rng.integers(-20, 40, 9)), fires(9), affine("b", even(4, 9), rng.integers(-20, 40, 4)),
        fires(4, name="m"), affine("c", even(5, 4), 30.0), fires(5, name="l"),
    )  # fmt: skip
    chip, report = exact(made)
    assert report.latency == 3 and "v" in chip.populations["l"].initial


def test_resets() -> None:
    for options in ({"v_reset": -100.0}, {"reset": "subtract"}, {"v_reset": rng.integers(-50, 50, 7) * 2.0}):
        made = row(affine("a", even(7, 6)), fires(7, **options))
        chip, _ = exact(made, QuantizeOptions(scales={"n": 1.0}), rate=0.6)
        assert chip.populations["n"].model == ("lif_subtract" if "reset" in options else "lif")


def test_convolutions_pools_and_the_order_of_neurons() -> None:
    """conv -> IF -> pool -> conv -> IF -> pool -> flatten -> affine -> IF on an image that is not square."""
    first = window("c1", "conv2d", (2, 9, 7), even(3, 2, 3, 3), padding=1)
    second = window("p1", "sum_pool2d", first.shape, kernel_size=2, stride=2)
    third = window("c2", "conv2d", second.shape, even(4, 3, 2, 2))
    fourth = window("p2", "sum_pool2d", third.shape, kernel_size=(3, 2), stride=1)
    made = row(
        first, fires(first.shape), second, third, fires(third.shape, 900.0, name="m"), fourth, flatten("f", fourth.shape),
        affine("w", even(5, int(np.prod(fourth.shape)))), fires(5, 500.0, name="l"),
    )  # fmt: skip
    chip, report = exact(made, rate=0.2, steps=40)
    kinds = {p.target: type(p.synapse) for p in chip.projections}
    assert kinds == {"n": Conv, "m": Conv, "l": Dense} and report.latency == 3
    assert chip.populations["n"].shape == (7, 9, 3)


def test_conv1d_groups_stride_dilation() -> None:
    line = window("c", "conv1d", (4, 12), even(6, 2, 3), stride=2, padding=2, dilation=2, groups=2)
    chip, _ = exact(row(line, fires(line.shape)))
    assert isinstance(chip.projections[0].synapse, Conv) and chip.populations["n"].shape == (line.shape[1], 1, 6)


def test_a_pixel_wise_gain_makes_a_convolution_sparse() -> None:
    conv = window("c", "conv2d", (1, 9, 9), 2.0 * rng.integers(1, 60, (2, 1, 3, 3)))
    gains = np.where(rng.random(conv.shape) < 0.5, 1.0, 2.0) / DT
    made = row(conv, fires(conv.shape, r=gains))
    line, chip, *_ = compared(made, QuantizeOptions(scales={"n": 1.0}))
    assert isinstance(chip.projections[0].synapse, Sparse) and line.differing == 0 and line.float_count > 0


def test_skip_connections_are_aligned_by_delays() -> None:
    layers = affine("a", even(6, 6)), fires(6), affine("b", even(6, 6)), affine("skip", even(6, 6)), fires(6, name="m")
    chip, _ = exact(between(layers, "input a n b m output, input skip m"))
    (skip,) = [p for p in chip.projections if p.source == "input" and p.target == "m"]
    assert skip.delay is not None and set(skip.delay.tolist()) == {1}


def test_a_population_on_itself_keeps_its_timing() -> None:
    layers = affine("a", even(6, 6)), fires(6, 400.0), affine("r", even(6, 6), 3.0)
    _, report = exact(between(layers, "input a n r ~n output"))
    assert report.latency == 1


def test_a_loop_through_two_populations_is_reported_as_late() -> None:
    layers = [affine("a", even(6, 6)), fires(6), affine("b", even(6, 6)), fires(6, name="m"), affine("r", even(6, 6))]
    _, report = quantize(between(layers, "input a n b m output, m r ~n"))
    assert {line.name: line.late for line in report.projections} == {"input->n": 0, "m->n": 1, "n->m": 0}
    assert any("m->n" in note.where and "timing" in note.done for note in report.notes)
    # A delay in the loop has steps to give: then nothing is late, and the spikes are equal.
    layers.append(neuron("d", "delay", 6, delay=3 * DT))
    exact(between(layers, "input a n b m output, m r d ~n"))


LAGS = np.array([0, 1, 5, 2, 1, 0]) * DT
BEFORE, AFTER = neuron("d", "delay", 6, delay=LAGS), neuron("e", "delay", 6, delay=LAGS[::-1])
WHOLE = affine("w", 2.0 * rng.integers(1, 127, (6, 6)))
#: Nodes before the neurons, the largest delay, how far a delay is off.
DELAYED = {
    "source": ([BEFORE, WHOLE], 5, 0.0),
    "target": ([WHOLE, AFTER], 5, 0.0),
    "between": ([affine("v", np.eye(6)[rng.permutation(6)]), BEFORE, affine("w", even(6, 6))], 5, 0.0),
    "uniform": ([neuron("d", "delay", 6, delay=4.3 * DT), WHOLE], 4, 0.3 * DT),
    "twice": ([BEFORE, WHOLE, AFTER], 10, 0.0),
}


@pytest.mark.parametrize("place", DELAYED)
def test_delays(place: str) -> None:
    nodes, most, off = DELAYED[place]
    line, chip, report, *_ = compared(row(*nodes, fires(6)), QuantizeOptions(scales={"n": 1.0}), rate=0.15)
    assert len(chip.projections) == 1
    delay = chip.projections[0].delay
    assert delay is not None and int(delay.max()) == most
    assert line.differing == 0 and line.float_count > 0
    assert report.projections[0].delay_error == pytest.approx(off, abs=1e-12)


def test_delays_that_no_single_synapse_can_have_become_projections() -> None:
    """Two ways from one neuron to another with different delays."""
    spread, join = np.array([[1.0], [1.0]]), np.array([[255.0, 102.0]])
    made = row(affine("a", spread), neuron("d", "delay", 2, delay=[0.0, 3 * DT]), affine("b", join), fires(1, 300.0))
    chip, _ = exact(made, rate=0.5)
    assert len(chip.projections) == 2


def test_parallel_paths_from_one_source_add_up() -> None:
    """x + W x: the identity and a matrix, whose weights are whole numbers of one exponent."""
    layers = affine("w", 128.0 * np.sign(even(5, 5))), neuron("s", "scale", 5, scale=254.0), fires(5, 500.0)
    line, chip, *_ = compared(between(layers, "input w n output, input s n"), QuantizeOptions(scales={"n": 1.0}))
    assert [p.name for p in chip.projections] == ["input->n", "input->n#2"] and line.differing == 0


def test_sums_for_outputs_and_thresholds() -> None:
    """An output behind linear nodes is read out as a number; a threshold fires on a sum."""
    made = row(
        affine("w", even(4, 6), 7.0), neuron("t", "threshold", 4, threshold=100.0), affine("v", even(3, 4), -5.0)
    )
    line, chip, *_ = compared(made)
    assert chip.populations["t"].model == "threshold" and chip.populations["output"].model == "li"
    assert line.graded and line.differing == 0 and line.latency == 2 and line.float_count != 0


def test_several_inputs_and_outputs() -> None:
    nodes = [
        neuron("x", "input", 4), neuron("y", "input", 3), affine("a", even(5, 4)), affine("b", even(5, 3)), fires(5),
        neuron("one", "output", 5), affine("c", even(2, 5)), fires(2, name="m"), neuron("two", "output", 2),
    ]  # fmt: skip
    _, report = exact(between(nodes, "x a n one, y b n c m two"))
    assert (report.outputs["one"].latency, report.outputs["two"].latency) == (1, 2)


def test_graded_inputs() -> None:
    made = row(affine("w", even(4, 6)), neuron("n", "if", 4, v_threshold=300.0))
    x = {"input": rng.integers(-8, 9, (2, 50, 6)) / 4.0}
    line, chip, *_ = compared(made, QuantizeOptions(graded_inputs={"input": 0.25}, scales={"n": 4.0}), x)
    assert line.differing == 0 and line.float_count > 0 and chip.projections[0].graded


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_networks(seed: int) -> None:
    """Layers with skips, self loops, delays, biases and both resets."""
    own = np.random.default_rng(seed)
    sizes = own.integers(1, 7, own.integers(2, 5)).tolist()
    nodes, ways, layers = [neuron("input", "input", sizes[0])], [], ["input"]
    for k, size in enumerate(sizes):
        sources = list({layers[-1], layers[int(own.integers(len(layers)))]})
        if own.random() < 0.4:
            sources.append(f"n{k}")
        reset = str(own.choice(["value", "subtract"]))
        nodes.append(neuron(f"n{k}", "if", size, reset, v_threshold=float(own.integers(100, 400))))
        for source in sources:
            columns = next(node.size for node in nodes if node.name == source)
            weight = 2.0 * own.integers(-127, 128, (size, columns))
            weight.flat[0], way = 254.0, [source, f"w{k}.{source}"]
            nodes.append(affine(way[-1], weight, own.integers(-30, 30, size) if own.random() < 0.5 else None))
            if own.random() < 0.4:
                way.append(f"d{k}.{source}")
                nodes.append(neuron(way[-1], "delay", size, delay=own.integers(0, 6, size) * DT))
            ways.append(" ".join([*way, f"~n{k}" if source == f"n{k}" else f"n{k}"]))
        layers.append(f"n{k}")
    nodes.append(neuron("output", "output", sizes[-1]))
    made = between(nodes, ",".join([*ways, f"{layers[-1]} output"]))
    chip, report = quantize(made, QuantizeOptions(scales=dict.fromkeys(layers[1:], 1.0)))
    wanted, got = both(made, chip, report, spikes(made, steps=30, seed=seed % 1000))
    assert not report.notes or all("24 bits" in note.found or "cannot start" in note.found for note in report.notes)
    if not any("cannot start" in note.found for note in report.notes):
        assert compare_spikes(wanted.outputs, got, report.outputs)[0].differing == 0


@pytest.mark.parametrize("unit", [1.0, 0.375, 0.1])
@pytest.mark.parametrize("threshold", [3, 7])
@pytest.mark.parametrize("below", [False, True])
def test_weights_on_a_grid_stay_exact(unit: float, threshold: int, below: bool) -> None:
    """Multiples of any number: ties with the threshold are ties on the chip, for ``v > x`` and for ``v >= x``."""
    weight = unit * rng.integers(-2, 4, (9, 6))
    weight[0, :2] = 3 * unit, -2 * unit
    hair = -1e-12 if below else 1e-12
    exact(row(affine("a", weight), fires(9, threshold * unit + hair)))


@pytest.mark.parametrize("below", [False, True])
def test_leaky_neurons_on_a_grid(below: bool) -> None:
    """Decays are rounded, weights and thresholds are not: a first sum that equals the threshold is a tie."""
    leak = {"tau": 5 * DT, "r": 5.0, "v_threshold": 2 * (1 - 1e-12 if below else 1 + 1e-12)}
    made = row(affine("a", np.array([[2.0, 1.0], [3.0, -1.0]])), neuron("n", "lif", 2, **leak))
    chip, report = quantize(made)
    (line,) = report.projections
    whole = 2 * scale_of(chip)
    assert line.worst.relative == 0 and whole.is_integer()
    assert chip.populations["n"].params["vth"] == whole - below
    x = np.zeros((1, 1, 2))
    x[..., 0] = 1
    wanted, got = both(made, chip, report, {"input": x})
    assert wanted.outputs["output"].tolist() == [[[below, True]]]
    assert got.outputs["n"][:, 1:].tolist() == [[[below, True]]]


def test_a_grid_that_is_too_fine_changes_nothing() -> None:
    """Weights of more levels than mantissas have: the largest weight stands at the end of its mantissa as ever."""
    weight = np.array([[1000.0, 1.0, -7.0]])
    chip, _ = quantize(row(affine("a", weight), fires(1, 1500.0)))
    assert np.abs(chip.projections[0].synapse.weight).max() == 254


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
