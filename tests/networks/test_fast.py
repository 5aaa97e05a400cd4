"""Random programs on the fast runner: outputs, probes, states and counts are those of the reference."""

from __future__ import annotations

import pytest

from simulators.fast.runner import PATHS, FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.networks.cuts import random_mapping
from tests.networks.equality import in_two, same_result
from tests.networks.random_networks import all_probes, random_network

#: Seeds of the quick run and of the long one. They differ from those with which the reference is tested.
QUICK = range(10_000, 10_240)
LONG = range(20_000, 22_400)
BATCH = 40


def check(seed: int, paths: tuple[str, ...], instant: bool, cores: bool = False) -> None:
    """The whole run with every probe; in blocks of 3 steps without probes of states, which take single steps."""
    network, inputs, steps = random_network(seed, instant=instant)
    probes = all_probes(network)
    expected = ReferenceRunner().run(network, inputs, steps, probes=probes)
    for path in paths:
        same_result(FastRunner(path).run(network, inputs, steps, probes=probes), expected, f"{seed} {path}")
        found = FastRunner(path, steps=3).run(network, inputs, steps)
        found.probes = expected.probes
        same_result(found, expected, f"{seed} {path} in blocks of 3")
    if cores:
        runner = PartitionedRunner(random_mapping(network, seed), get_system("oheo-gulch").chip)
        same_result(runner.run(network, inputs, steps, probes=probes), expected, f"{seed} on cores")


@pytest.mark.parametrize(
    ("first", "instant"), [(n, False) for n in QUICK[::BATCH]] + [(n, True) for n in QUICK[:120:BATCH]]
)
def test_random_programs(first: int, instant: bool) -> None:
    for seed in range(first, first + BATCH):
        check(seed, (PATHS[seed % len(PATHS)],), instant)


@pytest.mark.real
@pytest.mark.parametrize("instant", [False, True])
@pytest.mark.parametrize("first", LONG[::BATCH])
def test_many_random_programs(first: int, instant: bool) -> None:
    for seed in range(first, first + BATCH):
        check(seed, PATHS, instant, cores=True)


@pytest.mark.parametrize("seed", [*range(10_300, 10_330), 10_400])
def test_a_run_in_two_stretches_is_the_same_run(seed: int) -> None:
    network, inputs, steps = random_network(seed, instant=seed % 2 == 1)
    runner = FastRunner(PATHS[seed % len(PATHS)])
    same_result(in_two(runner, network, inputs, steps, steps // 2), runner.run(network, inputs, steps), str(seed))
