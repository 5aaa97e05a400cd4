"""Two runs beside each other: every column of a row by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurodeploy.conversion.spiking.compare import compare_spikes
from neurodeploy.conversion.spiking.report import OutputReport, QuantizationReport
from neurodeploy.errors import UserError
from neurodeploy.ir.float_network import FloatResult
from neurodeploy.ir.run import RunActivity, RunResult, RunState
from tests.refusals import refused


def pair(wanted, got, latency=1, order=(0, 1), **output):
    real = FloatResult(1e-3, len(wanted), {"out": np.array([wanted], float)}, {}, {}, {})
    payload = np.array([got], np.int32)
    chip = RunResult({"n": payload}, {}, RunActivity.zero(), RunState(len(got), {}, {}))
    report = OutputReport("out", "n", latency, np.array(order), **output)
    return real, chip, QuantizationReport("net", {}, {"out": report}, (), ())


def test_aligned_by_the_latency() -> None:
    wanted = [[0, 1], [1, 0], [0, 0], [1, 1]]
    (line,) = compare_spikes(*pair(wanted, [[0, 0], [0, 1], [1, 0], [0, 0], [1, 1]]))
    assert (line.differing, line.bins, line.steps, line.early, line.first) == (0, 8, 4, 0, None)
    assert line.float_count == line.integer_count == 4 and line.rate_error == 0


def test_differences_are_located() -> None:
    wanted = [[0, 1], [1, 0], [0, 0], [1, 1]]
    (line,) = compare_spikes(*pair(wanted, [[1, 0], [0, 1], [1, 0], [1, 0], [1, 0]]))
    assert (line.differing, line.early, line.first) == (2, 1, (0, 3, 0))
    assert line.rate_error == 0.25 and line.worst == 1.0
    json.dumps(line.to_json("float"))


def test_the_order_of_neurons() -> None:
    (line,) = compare_spikes(*pair([[1, 0], [0, 1]], [[0, 0], [0, 1], [1, 0]], order=(1, 0)))
    assert line.differing == 0
    (line,) = compare_spikes(*pair([[1, 0], [0, 1]], [[0, 0], [1, 1], [1, 0]], order=(1, 0)))
    assert line.first == (0, 1, 1), "the neuron is named in the order of the float network"


def test_a_short_run_and_graded_payloads() -> None:
    (line,) = compare_spikes(*pair([[1, 2], [3, 4]], [[0, 0], [4, 8]], unit=0.25, graded=True))
    assert (line.steps, line.differing, line.graded) == (1, 0, True)
    (line,) = compare_spikes(*pair([[1, 2], [3, 4]], [[0, 0], [4, 8], [12, 14]], unit=0.25, graded=True), latency=1)
    assert line.differing == 1 and line.worst == pytest.approx(0.125)


def test_runs_of_different_networks() -> None:
    real, chip, report = pair([[0, 1]], [[0, 0], [0, 1]])
    chip.outputs = {"n": np.zeros((2, 2, 2), np.int32)}
    refused(UserError, "ND1240 out: ", compare_spikes, real, chip, report)
