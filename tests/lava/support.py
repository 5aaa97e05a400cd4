"""What the tests with a real Lava share: the installation or the reason to skip, and the comparison with the reference."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from simulators.lava import LavaResult, LavaRunner, Program, find_lava
from simulators.reference import ReferenceRunner
from tests.networks.equality import differences
from tests.networks.random_networks import all_probes, random_network

needs_lava = pytest.mark.skipif(
    find_lava() is None, reason="no Lava: `make lava` installs it, NEURODEPLOY_LAVA_PYTHON names another interpreter"
)


def program(seed: int, lava: bool = True) -> Program:
    """The random program of a seed, with everything probed."""
    network, inputs, steps = random_network(seed, lava=lava)
    return Program(network, inputs, steps, None, tuple(all_probes(network)))


def compare_all(programs: Sequence[Program], timeout: float = 600.0) -> list[LavaResult]:
    """Run all on Lava, side by side, and each on the reference; fails with the names of what differs."""
    results = LavaRunner(timeout=timeout).run_many(programs)
    wrong = {}
    for one, found in zip(programs, results, strict=True):
        expected = ReferenceRunner().run(one.network, one.inputs, one.steps, state=one.state, probes=one.probes)
        different = differences(found, expected)
        if different and not found.doubts:
            wrong[one.network.name] = different
    assert wrong == {}
    return results
