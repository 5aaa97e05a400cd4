"""The float runner against values by hand, and against the formulas of the frameworks that train such networks."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.errors import UserError
from simulators.float_network import run
from tests.conversion.nets import DT, affine, between, flatten, neuron, row, spikes, window
from tests.refusals import refused

rng = np.random.default_rng(5)


HALVES = [0.5, 0.5, 0.5, 0.5]
LEAK = neuron("n", "li", 1, tau=4e-3, r=2.0, v_leak=0.5)  # dt / tau = 1 / 4
CURRENT = neuron("n", "cubali", 1, tau_syn=2e-3, tau_mem=4e-3, r=8.0, w_in=2.0)
EXPONENTIAL = 0.5 + 2 * (1 - np.exp(-0.25) ** np.arange(1, 4))
#: node, its inputs -> variable, what it is by hand, scheme, tolerance
BY_HAND = {
    "integrator": (neuron("n", "i", 1, r=500.0), [1, 2, -1], "v", [0.5, 1.5, 1.0], "euler", 0),
    "gain per step": (neuron("n", "i", 1, r=0.5, gain="per-step"), [1, 2, -1], "v", [0.5, 1.5, 1.0], "euler", 0),
    "reset in the step": (neuron("n", "if", 1), HALVES, "v", [0.5, 1.0, 0.0, 0.5], "euler", 0),
    "strictly above": (neuron("n", "if", 1), HALVES, "out", [0, 0, 1, 0], "euler", 0),
    "reset to a value": (neuron("n", "if", 1, v_reset=-0.25), [1.5, 0.5], "v", [-0.25, 0.25], "euler", 0),
    "reset by subtraction": (neuron("n", "if", 1, "subtract"), [2.5, 0, 0, 0], "v", [1.5, 0.5, 0.5, 0.5], "euler", 0),
    "spikes on": (neuron("n", "if", 1, "subtract"), [2.5, 0, 0, 0], "out", [1, 1, 0, 0], "euler", 0),
    "leak": (LEAK, [1, 0], "v", [0.5 + 0.5, 1.0 - 0.125], "euler", 1e-7),
    "exponential leak": (LEAK, [1, 1, 1], "v", EXPONENTIAL, "exponential", 1e-12),
    "current": (CURRENT, [1, 0], "c", [1.0, 0.5], "euler", 1e-7),
    "voltage of the new current": (CURRENT, [1, 0], "v", [2.0, 2.0 + 0.25 * (4.0 - 2.0)], "euler", 1e-7),
    "threshold": (neuron("n", "threshold", 1), [1.0, 1.001, -2], "out", [0, 1, 0], "euler", 0),
    "start at rest": (neuron("n", "lif", 1, v_leak=-0.5), [0, 0], "v", [-0.5, -0.5], "euler", 0),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(name: str) -> None:
    node, x, variable, want, scheme, tolerance = BY_HAND[name]
    result = run(row(node), {"input": np.asarray(x, float).reshape(1, -1, 1)}, record=["n"], scheme=scheme)
    np.testing.assert_allclose(result.recorded["n"][variable][0, :, 0], want, rtol=tolerance)


def test_delays() -> None:
    delayed = run(row(neuron("d", "delay", 2, delay=[0.0, 2.4e-3])), {"input": np.arange(8.0).reshape(1, 4, 2)})
    np.testing.assert_array_equal(delayed.outputs["output"][0], [[0, 0], [2, 0], [4, 1], [6, 3]])


def snntorch(x, weight, beta, threshold, alpha=None):
    """snnTorch's Leaky and Synaptic with reset to zero: v = beta v + I, spike, v = 0 (nir.md, section 4)."""
    v, c, out = np.zeros(weight.shape[0]), np.zeros(weight.shape[0]), []
    for spike in x:
        c = weight @ spike + (0 if alpha is None else alpha * c)
        v = beta * v + c
        fired = v > threshold
        out.append(fired)
        v = np.where(fired, 0, v)
    return np.array(out, float)


def norse(x, weight, share, v_leak, threshold):
    """Norse's LIF box: v += dt / tau ((v_leak - v) + I), R ignored."""
    v, out = np.full(weight.shape[0], v_leak), []
    for spike in x:
        v = v + share * ((v_leak - v) + weight @ spike)
        fired = v > threshold
        out.append(fired)
        v = np.where(fired, 0, v)
    return np.array(out, float)


def test_formulas_of_snntorch_and_norse() -> None:
    weight = rng.normal(size=(6, 5))
    x = {"input": (rng.random((1, 200, 5)) < 0.3).astype(float)}
    lif = neuron("n", "lif", 6, tau=0.02, r=20.0, v_threshold=1.3)  # R = tau / dt: unit gain
    got = run(row(affine("w", weight), lif), x).outputs["output"][0]
    want = snntorch(x["input"][0], weight, 0.95, 1.3)
    assert want.sum() > 20
    np.testing.assert_array_equal(got, want)
    cuba = neuron("n", "cubalif", 6, tau_syn=5e-3, w_in=5.0, tau_mem=0.02, r=20.0, v_threshold=2.0)
    got = run(row(affine("w", weight), cuba), x).outputs["output"][0]
    np.testing.assert_array_equal(got, snntorch(x["input"][0], weight, 0.95, 2.0, 0.8))
    leak = neuron("n", "lif", 6, tau=0.02, v_leak=0.2, v_threshold=0.3)
    got = run(row(affine("w", 20 * weight), leak), x).outputs["output"][0]
    np.testing.assert_array_equal(got, norse(x["input"][0], 20 * weight, 0.05, 0.2, 0.3))


def test_recurrent_edges_are_one_step_late_and_bring_their_bias_at_once() -> None:
    made = between([neuron("n", "i", 1), affine("w", [[2.0]], 0.5)], "input n w ~n output")
    got = run(made, {"input": np.array([[[1.0], [0.0], [0.0]]])}).outputs["output"][0, :, 0]
    v1 = 1 + 0.5
    v2 = v1 + 2 * v1 + 0.5
    np.testing.assert_allclose(got, [v1, v2, v2 + 2 * v2 + 0.5])


def test_linear_nodes_are_torchs() -> None:
    torch = pytest.importorskip("torch")
    x = rng.normal(size=(2, 3, 4 * 9 * 7))
    weight, bias = rng.normal(size=(6, 2, 3, 2)), rng.normal(size=6)
    conv = window("c", "conv2d", (4, 9, 7), weight, bias, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)
    pool = window("p", "sum_pool2d", conv.shape, kernel_size=(2, 3), stride=(2, 1), padding=(1, 1))
    mean = window("a", "avg_pool2d", pool.shape, kernel_size=2, stride=1)
    line = affine("w", rng.normal(size=(3, int(np.prod(mean.shape)))), rng.normal(size=3))
    scale = neuron("s", "scale", 3, scale=rng.normal(size=3))
    got = run(row(conv, pool, mean, flatten("f", mean.shape), line, scale), {"input": x}).outputs["output"]
    t = torch.nn.functional
    y = t.conv2d(
        torch.tensor(x.reshape(6, 4, 9, 7)), torch.tensor(weight), torch.tensor(bias), (2, 1), (1, 2), (1, 2), 2
    )
    y = t.avg_pool2d(y, (2, 3), (2, 1), (1, 1), divisor_override=1)
    y = t.avg_pool2d(y, 2, 1).flatten(1)
    y = (
        t.linear(y, torch.tensor(line.params["weight"]), torch.tensor(line.params["bias"])).numpy()
        * scale.params["scale"]
    )
    np.testing.assert_allclose(got.reshape(6, 3), y, rtol=1e-12, atol=1e-12)
    one = window("c", "conv1d", (3, 11), rng.normal(size=(4, 3, 3)), 0.5, stride=2, padding=((1, 2),))
    got = run(row(one), {"input": x[:, :, :33]}).outputs["output"]
    padded = t.pad(torch.tensor(x[:, :, :33].reshape(6, 3, 11)), (1, 2))
    y = t.conv1d(padded, torch.tensor(one.params["weight"]), torch.tensor(one.params["bias"]), 2)
    np.testing.assert_allclose(got.reshape(6, -1), y.numpy().reshape(6, -1), rtol=1e-12, atol=1e-12)


def test_samples_are_independent_and_counted() -> None:
    made = row(affine("w", rng.normal(0.3, 1, size=(4, 3))), neuron("n", "lif", 4, r=20.0))
    x = spikes(made, samples=3)
    whole = run(made, x, record=["n"])
    for sample in range(3):
        alone = run(made, {"input": x["input"][sample]})
        np.testing.assert_array_equal(whole.outputs["output"][sample], alone.outputs["output"][0])
    np.testing.assert_array_equal(whole.counts["n"], whole.outputs["output"].sum(axis=(0, 1)))
    assert whole.counts["n"].sum() > 0
    assert (whole.peaks["n"]["v"] >= np.abs(whole.recorded["n"]["v"]).max(axis=(0, 1))).all()
    assert run(made, x, 0).outputs["output"].shape == (3, 0, 4)


GOOD = np.zeros((1, 5, 3))


@pytest.mark.parametrize(
    "inputs",
    [{}, {"input": GOOD[:, :, :2]}, {"input": GOOD, "other": GOOD}, {"input": np.array("a")}, {"input": GOOD[0, 0]}],
)
def test_inputs_that_do_not_fit(inputs) -> None:
    refused(UserError, "ND1260", run, row(neuron("n", "i", 3)), inputs)


def test_time_steps_that_are_not_there() -> None:
    refused(UserError, "ND1260", run, row(neuron("n", "i", 3)), {"input": np.zeros((1, 5, 3))}, 6)
    refused(UserError, "ND1260", run, row(neuron("n", "i", 3)), {"input": np.zeros((1, 5, 3))}, scheme="rk4")
    assert DT == 1e-3
