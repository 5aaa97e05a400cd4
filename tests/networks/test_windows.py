"""A convolution and its neurons in one kernel give what the reference gives, whatever its form, on any number of threads,
and so does the way with a library's product."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.machine import threads
from neurodeploy.synapses import build
from simulators.fast import windows
from simulators.fast.plan import Plan
from simulators.fast.runner import FastRunner
from simulators.fast.windows import Windows
from simulators.reference import ReferenceRunner
from tests.networks.equality import same_result
from tests.networks.test_walk import params_of


def convolution(seed: int, extreme: bool = False) -> tuple[Network, dict[str, Any]]:
    """A convolution of any plain form into neurons whose parameters are by pixel, by channel or alike."""
    rng = np.random.default_rng(seed)
    model = ("graded_affine", "graded_rectified")[seed % 2]
    kernel = rng.integers(1, 4, 2)
    shape = (*(rng.integers(5, 14, 2)), int(rng.choice([1, 3, 16])))
    channels = int(rng.choice([1, 5, 16, 40]))
    weight = rng.integers(-128, 128, (channels, *kernel, shape[2]))
    weight = np.full_like(weight, rng.choice([-128, 127])) if extreme else weight
    stride, padding, dilation = rng.integers(1, 3, 2), rng.integers(0, 3, 2), rng.integers(1, 3, 2)
    pairs = (tuple(int(n) for n in pair) for pair in (stride, padding, dilation))
    synapse = build.conv(weight, tuple(int(n) for n in shape), *pairs)
    params = params_of(seed, model, synapse.rows, extreme)
    if model == "graded_affine":
        params["vth"] = 0
    if seed % 3:
        for name, value in params.items():
            if np.ndim(value):
                params[name] = np.tile(value[:channels], synapse.rows // channels)
    bits = int(rng.choice([4, 8, 16]))
    populations = {
        "in": Population("in", shape, INPUT, {"bits": bits}),
        "out": Population("out", tuple(synapse.output_shape), model, params),
    }
    network = Network("n", populations, (Projection("p", "in", "out", synapse, graded=True, instant=True),), ("out",))
    end = 2 ** (bits - 1) - 1
    payload = rng.integers(-end, end + 1, (2, 3, synapse.columns))
    return network, {"in": rng.choice([-end, end], payload.shape) if extreme else payload}


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_convolutions(monkeypatch: pytest.MonkeyPatch, count: int, fused: bool) -> None:
    before, called = torch.get_num_threads(), list[int]()
    real = Windows.run
    monkeypatch.setattr(threads, "GRAIN", 1)
    monkeypatch.setattr(Windows, "fast", lambda self, tokens: fused)
    monkeypatch.setattr(
        Windows, "run", lambda self, tokens, *given: called.append(tokens) or real(self, tokens, *given)
    )
    torch.set_num_threads(count)
    try:
        for seed in range(24):
            network, inputs = convolution(seed, extreme=seed % 4 == 3)
            expected = ReferenceRunner().run(network, inputs, 3)
            same_result(FastRunner().run(network, inputs, 3), expected, str(seed))
            same_result(FastRunner(steps=2).run(network, inputs, 3), expected, str(seed))
    finally:
        torch.set_num_threads(before)
    assert bool(called) == fused


def test_long_windows_are_summed_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums beyond 32 bits, of windows that are taken in several pieces."""
    weight = np.full((17, 3, 3, 600), -128)
    synapse = build.conv(weight, (9, 9, 600), (1, 1), (1, 1), (1, 1))
    params = {"multiplier": 2**14, "shift": 20, "acc_shift": 9, "falling": 3, "bias": 77}
    populations = {
        "in": Population("in", (9, 9, 600), INPUT, {"bits": 16}),
        "out": Population("out", (9, 9, 17), "graded_rectified", params),
    }
    network = Network("n", populations, (Projection("p", "in", "out", synapse, graded=True, instant=True),), ("out",))
    payload = np.full((1, 2, synapse.columns), 2**15 - 1)
    payload[0, 1] = -payload[0, 1]
    monkeypatch.setattr(Windows, "fast", lambda self, tokens: True)
    same_result(FastRunner().run(network, {"in": payload}, 2), ReferenceRunner().run(network, {"in": payload}, 2))


def made(network: Network) -> Windows | None:
    runner = FastRunner()
    return Windows.of(network, "out", Plan(network, runner._room, runner._arena).wiring)


def test_what_is_taken_so() -> None:
    """Parameters that are alike at all pixels are kept once; thresholds, groups and wide payloads are left to others."""
    weight, shape = np.ones((4, 1, 1, 4), int), (2, 2, 4)

    def of(model: str, bits: int = 16, groups: int = 1, **more: Any) -> Windows | None:
        synapse = build.conv(weight[..., : 4 // groups], shape, (1, 1), (0, 0), (1, 1), groups)
        populations = {
            "in": Population("in", shape, INPUT, {"bits": bits}),
            "out": Population("out", shape, model, {"multiplier": 1, "shift": 0, **more}),
        }
        p = Projection("p", "in", "out", synapse, graded=True, instant=True)
        return made(Network("n", populations, (p,), ("out",)))

    alike, apart = of("graded_rectified"), of("graded_rectified", bias=np.arange(16))
    assert alike is not None and apart is not None
    assert (alike.neurons.shape[1], apart.neurons.shape[1]) == (1, 4)
    assert of("graded_affine") is not None
    assert of("graded_affine", vth=1) is None
    assert of("graded_rectified", groups=2) is None
    assert of("graded_rectified", bits=17) is None
    assert windows.MODELS.keys() == {"graded_affine", "graded_rectified"}
