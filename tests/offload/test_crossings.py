"""One number of border crossings wherever one is printed, and the host link charged once for both of a call's.

The tiny model with experts has a router that gives each token one of its experts, so that the calls that reach the chips
can be counted at the runner; what the mapper expects and what the ledger counts must be the same.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.network import Network
from neurodeploy.ir.run import RunResult
from neurodeploy.pipeline.session import read_mapping
from neurodeploy.pipeline.texts import left_to_host
from partitioner.classify import crossings
from partitioner.judge.metrics import metrics
from simulators import get_runner
from targets.systems import get_system
from tests.islands import islands_of
from tests.offload.conftest import ROWS, Pair

TOKENS = np.random.default_rng(5).integers(3, 128, 24)


class Counting:
    """A runner that counts the tokens that it is given."""

    name = "counting"

    def __init__(self) -> None:
        self.inner, self.tokens = get_runner("fast"), 0

    def run(self, network: Network, inputs: Any, steps: int, **rest: Any) -> RunResult:
        self.tokens += len(inputs[network.inputs[0]]) * steps
        return self.inner.run(network, inputs, steps, **rest)


def exchanges(path: Path) -> float:
    """Calls of the chips a token, counted where they arrive."""
    bundle, runner = open_bundle(path), Counting()
    model = Hybrid(
        bundle.program, bundle.host_weights, runner, on_host=left_to_host(bundle), host_runner=get_runner("fast")
    )
    model.forward(TOKENS)
    return runner.tokens / len(TOKENS)


def test_every_report_has_the_same_number(pair: Pair, tmp_path: Path) -> None:
    bundle = open_bundle(pair.resident)
    program, (mapping, system) = bundle.program, read_mapping(bundle)
    wanted = 2 * exchanges(pair.resident)
    assert wanted < 2 * len(islands_of(program))  # an expert is not called by every token
    assert crossings(program, mapping.assignments) == wanted
    assert metrics(mapping, program, system, nulls=False)["fallback"]["crossings"] == wanted
    data = pipeline.report(pair.resident, tmp_path / "r.html", prompt_tokens=8, tokens=4)["data"]
    assert data["traffic"]["crossings"] == wanted
    said = pipeline.energy(pair.resident, prompt_tokens=8, tokens=4)["generate"]["bound_by"]
    assert re.findall(r"([\d.]+) crossings", said) == [f"{wanted:g}"]


@pytest.mark.parametrize("which", ["resident", "offloaded"])
def test_the_ledger_waits_once_an_exchange(pair: Pair, which: str) -> None:
    """A generated token waits 230 us for each call of the chips; a prompt waits that once for each island that ran."""
    path: Path = getattr(pair, which)
    found = pipeline.energy(path, prompt_tokens=8, tokens=6)
    latency = get_system("kapoho-point").chip.costs["t_host_link_s"].nominal
    assert latency == 230e-6
    ran = sum(
        1
        for row in found["projections"].values()
        if found["populations"][row["target"]]["steps"] and row["target"] not in found["on_host"]
    )
    assert found["prefill"]["seconds_split"]["host link latency"] == pytest.approx(ran * latency / 8)
    if which == "resident":  # offloaded, the experts that stay are chosen as it happens
        split = found["generate"]["seconds_split"]["host link latency"]
        assert split == pytest.approx(exchanges(path) * latency)


def test_figures_of_an_offload_count_what_stays(pair: Pair, copy: Path) -> None:
    found = pipeline.map(copy, chips=1, max_rows=ROWS, place=False)
    every = found["offload"]["crossings_per_token"]
    assert every["plan"] == found["metrics"]["fallback"]["crossings"]
    assert every["resident"] == 2 * exchanges(pair.resident)
