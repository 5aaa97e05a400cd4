"""Comparison of results and states: every bit, every type and shape, every count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from neurodeploy.ir.network import Network
from neurodeploy.ir.raster import Raster
from neurodeploy.ir.run import RunActivity, Runner, RunResult, RunState


def differences(found: Any, expected: Any, where: str = "") -> list[str]:
    """Names of everything that is not the same in two results, states, tables, arrays or counts."""
    if is_dataclass(expected):  # what the host keeps is no array
        names = [field.name for field in fields(expected) if field.name != "host"]
        found, expected = ({name: getattr(whole, name) for name in names} for whole in (found, expected))
    if isinstance(expected, Raster):
        tables = ({f"{name}.{port}": bits for name, port, bits in raster} for raster in (found or Raster({}), expected))
        found, expected = tables
    if isinstance(expected, dict):
        wrong = [] if found.keys() == expected.keys() else [f"{where} {sorted(found)} is not {sorted(expected)}"]
        inner = (differences(found[key], expected[key], f"{where} {key}") for key in found.keys() & expected.keys())
        return [*wrong, *(line for lines in inner for line in lines)]
    if not isinstance(expected, np.ndarray):
        return [] if found == expected else [f"{where} {found} is not {expected}"]
    if (found.dtype, found.shape) != (expected.dtype, expected.shape):
        return [f"{where} {found.dtype}{found.shape} is not {expected.dtype}{expected.shape}"]
    return [f"{where} differs first at {place}" for place in np.argwhere(found != expected)[:1]]


def same_result(found: Any, expected: Any, where: str = "") -> None:
    assert differences(found, expected, where) == []


def joined(first: RunResult, second: RunResult) -> RunResult:
    """Two stretches of the same samples as one run."""
    activity = RunActivity.zero()
    activity.add(first.activity)
    activity.add(second.activity)
    outputs, probes = (
        {name: np.concatenate([a, getattr(second, kind)[name]], axis=1) for name, a in getattr(first, kind).items()}
        for kind in ("outputs", "probes")
    )
    return RunResult(outputs, probes, activity, second.state)


def in_two(
    runner: Runner, network: Network, inputs: Mapping[str, Any], steps: int, cut: int, probes: Any = ()
) -> RunResult:
    """The same run in two stretches, joined; the state between them is left as it was."""
    first = runner.run(network, {k: v[:, :cut] for k, v in inputs.items()}, cut, probes=probes)
    step, neurons, pending = first.state.step, *(copied(part) for part in (first.state.neurons, first.state.pending))
    rest = {k: v[:, cut:] for k, v in inputs.items()}
    second = runner.run(network, rest, steps - cut, state=first.state, probes=probes)
    same_result(first.state, RunState(step, neurons, pending), "the state given")
    return joined(first, second)


def copied(table: Any) -> Any:
    return table.copy() if isinstance(table, np.ndarray) else {name: copied(part) for name, part in table.items()}
