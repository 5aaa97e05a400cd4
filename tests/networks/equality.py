"""Comparison of results and states: every bit, every count."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.ir.run import RunActivity, RunResult, RunState


def same_arrays(one: dict[str, Any], other: dict[str, Any], where: str) -> None:
    assert one.keys() == other.keys(), where
    for name, array in one.items():
        assert array.dtype == other[name].dtype, f"{where} {name}"
        np.testing.assert_array_equal(array, other[name], err_msg=f"{where} {name}")


def same_state(one: RunState, other: RunState) -> None:
    assert one.step == other.step
    assert one.neurons.keys() == other.neurons.keys()
    for name, values in one.neurons.items():
        same_arrays(values, other.neurons[name], f"state of {name}")
    same_arrays(one.pending, other.pending, "pending")


def same_activity(one: RunActivity, other: RunActivity) -> None:
    assert (one.steps, one.samples) == (other.steps, other.samples)
    assert one.fired.keys() == other.fired.keys()
    for name, ports in one.fired.items():
        same_arrays(ports, other.fired[name], f"fired of {name}")
    assert one.wrapped == other.wrapped
    assert one.saturated == other.saturated


def same_result(one: RunResult, other: RunResult) -> None:
    same_arrays(one.outputs, other.outputs, "outputs")
    same_arrays(one.probes, other.probes, "probes")
    same_activity(one.activity, other.activity)
    same_state(one.state, other.state)


def joined(first: RunResult, second: RunResult) -> RunResult:
    """Two stretches of the same samples as one run."""
    activity = RunActivity.zero()
    activity.add(first.activity)
    activity.add(second.activity)
    return RunResult(
        {name: np.concatenate([a, second.outputs[name]], axis=1) for name, a in first.outputs.items()},
        {name: np.concatenate([a, second.probes[name]], axis=1) for name, a in first.probes.items()},
        activity,
        second.state,
    )
