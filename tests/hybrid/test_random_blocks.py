"""Random models whose operations are on the chip: every runner gives the same bits, and they are near the float model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neurodeploy.conversion.quantize import quantize
from neurodeploy.errors import ModelError
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, Runner
from neurodeploy.ops.host.executor import Executor
from neurodeploy.ops.host.kvcache import State
from simulators.fast.runner import FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.hybrid.random_blocks import Case, random_block
from tests.networks.cuts import random_mapping
from tests.networks.equality import same_result


def run(case: Case, program: Program, runner: Runner, parts: int = 1) -> tuple[torch.Tensor, ActivityCounts]:
    hybrid, state = Hybrid(program, case.graph.weights, runner), State()
    given = [part for part in np.array_split(case.tokens, parts) if part.size]
    return torch.cat([hybrid.forward(part, state) for part in given]), hybrid.take_counts()


def check(seed: int) -> None:
    """Bits and counts of every runner. A model whose values grow beyond what can be converted is refused, and no more."""
    case = random_block(seed)
    try:
        program = quantize(case.graph, case.calibration, case.preset)
    except ModelError as error:
        assert error.code == "ND1103"
        return
    chip = get_system("oheo-gulch").chip
    wanted, counts = run(case, program, ReferenceRunner())
    for runner, parts in (
        (FastRunner(), 1), (FastRunner(), case.tokens.size), (ReferenceRunner(), 2),
        (PartitionedRunner(random_mapping(program.network, seed), chip), 1),
    ):  # fmt: skip
        found, other = run(case, program, runner, parts)
        assert torch.equal(wanted, found), runner.name
        assert counts.saturations == other.saturations
        for name, activity in counts.segments.items():
            same_result(activity, other.segments[name])


@pytest.mark.parametrize("seed", range(24))
def test_every_runner_gives_the_bits_of_the_reference(seed: int) -> None:
    check(seed)


def test_what_is_drawn() -> None:
    """Every model that lowering makes, and hardly an operation that stays on the host."""
    models, left = set[str](), 0
    for seed in range(12):
        case = random_block(seed)
        program = quantize(case.graph, case.calibration, case.preset)
        models |= {population.model for population in program.network.populations.values()}
        left += len(program.operations) - 1
    graded = {f"graded_{name}" for name in ("affine", "sum", "square", "root", "product", "curve", "gate")}
    assert graded <= models and left <= 6


@pytest.mark.parametrize("seed", range(10))
def test_near_the_float_model(seed: int) -> None:
    """On the text of the calibration, where no range is exceeded: as near as with operations on the host, or nearly."""
    case = random_block(seed)
    graph = case.graph
    sizes = {name: population.size for name, population in graph.populations.items()}
    executor = Executor(graph.ops, graph.weights, sizes, keep_weights=True, input=graph.input, output=graph.output)
    wanted = executor.forward(case.calibration, State()).double()

    def error(on_chip: str) -> float:
        program = quantize(graph, case.calibration, replace(case.preset, on_chip=on_chip))
        found = Hybrid(program, graph.weights, FastRunner()).forward(case.calibration).double()
        return float((found - wanted).pow(2).mean().sqrt() / wanted.pow(2).mean().sqrt())

    assert error("block") < 2.5 * error("projections") + 0.02
