"""Programs of host operations, stretches within a step and populations in time: every runner gives the same bits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.run import Runner, RunResult
from simulators.fast.runner import FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.hybrid.random_programs import Case, NoWeights, cut_of, left_to_host, random_program
from tests.networks.equality import joined, same_result
from tests.networks.random_networks import all_probes


def run(case: Case, runner: Runner, parts: int = 1, on_host: frozenset[str] = frozenset()) -> RunResult:
    """The whole stream, or part after part, each from the state that the one before has left."""
    hybrid = Hybrid(case.program, NoWeights(), runner, on_host=on_host, host_runner=FastRunner())
    network, found = case.program.network, None
    edges = np.linspace(0, case.steps, parts + 1).astype(int)
    for first, last in pairwise(edges):
        given = {name: array[:, first:last] for name, array in case.inputs.items()}
        state = found.state if found else None
        new = hybrid.run(network, given, int(last - first), state=state, probes=all_probes(network))
        found = joined(found, new) if found else new
    assert found is not None
    return found


def check(seed: int) -> None:
    case = random_program(seed)
    wanted, on_host = run(case, ReferenceRunner()), left_to_host(case.program, seed)
    chip = get_system("oheo-gulch").chip
    same_result(wanted, run(case, FastRunner()))
    same_result(wanted, run(case, FastRunner(), min(3, case.steps), on_host))
    cores = PartitionedRunner(cut_of(case.program, on_host, seed), chip)
    same_result(wanted, run(case, cores, 1, on_host))


#: Of the first ports of what has waited that are not called "s" (`graded_largest`).
OTHER_PORTS = (7139, 7152)


@pytest.mark.parametrize("seed", [*range(40), *OTHER_PORTS])
def test_every_runner_gives_the_bits_of_the_reference(seed: int) -> None:
    check(seed)
