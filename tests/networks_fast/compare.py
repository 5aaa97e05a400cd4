"""Two runners on one network: every bit of outputs, probes, states and counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurodeploy.ir.network import Network
from neurodeploy.ir.run import Runner, RunResult


def assert_same(expected: RunResult, found: RunResult, where: str) -> None:
    """Equal in everything that a run leaves behind, types and shapes too."""

    def same(kind: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> None:
        assert list(a) == list(b) or set(a) == set(b), f"{where}: {kind} {sorted(a)} and {sorted(b)}"
        for name in a:
            x, y = a[name], b[name]
            assert x.dtype == y.dtype and x.shape == y.shape, (
                f"{where}: {kind} {name} {x.dtype}{x.shape} {y.dtype}{y.shape}"
            )
            assert np.array_equal(x, y), f"{where}: {kind} {name} differs first at {np.argwhere(x != y)[0]}"

    same("output", expected.outputs, found.outputs)
    same("probe", expected.probes, found.probes)
    same("pending", expected.state.pending, found.state.pending)
    assert expected.state.step == found.state.step, where
    assert set(expected.state.neurons) == set(found.state.neurons), where
    for name, variables in expected.state.neurons.items():
        same(f"state of {name}", variables, found.state.neurons[name])
    ours, theirs = expected.activity, found.activity
    assert (ours.steps, ours.samples) == (theirs.steps, theirs.samples), where
    assert set(ours.fired) == set(theirs.fired), where
    for name, ports in ours.fired.items():
        same(f"fired of {name}", ports, theirs.fired[name])
    assert ours.wrapped == theirs.wrapped, f"{where}: wrapped {ours.wrapped} and {theirs.wrapped}"
    assert ours.saturated == theirs.saturated, f"{where}: saturated {ours.saturated} and {theirs.saturated}"


def run_in_two(runner: Runner, network: Network, inputs: Mapping[str, Any], steps: int, cut: int) -> RunResult:
    """The same run in two stretches, joined."""
    first = runner.run(network, {k: v[:, :cut] for k, v in inputs.items()}, cut)
    second = runner.run(network, {k: v[:, cut:] for k, v in inputs.items()}, steps - cut, state=first.state)
    outputs = {k: np.concatenate([first.outputs[k], second.outputs[k]], axis=1) for k in first.outputs}
    first.activity.add(second.activity)
    return RunResult(outputs, {}, first.activity, second.state)
