"""Random programs on the processes of a real Lava: the same bits as the reference, probes, states and counts included."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.lava.support import compare_all, needs_lava, program
from tests.networks.random_networks import lava_models

#: Seeds of `random_network(seed, lava=True)`. The first of them are run whenever Lava is there.
SEEDS = range(240)
QUICK = range(12)
#: Of those seeds, at least so many have nothing but Lava's own processes.
ALL_LAVA = 200
#: Seeds of `random_network(seed)`: models, weights and convolutions that Lava does not have, too.
OWN_SEEDS = range(60)
OWN_QUICK = (1, 2, 6, 21, 24)

pytestmark = needs_lava


def _placements(results: list) -> Counter[str]:  # type: ignore[type-arg]
    return Counter(text for result in results for text in result.placement.values())


def _all_lava(results: list) -> int:  # type: ignore[type-arg]
    """How many have nothing but Lava's own processes."""
    return sum(all(text.startswith("lava") for text in result.placement.values()) for result in results)


def test_some_programs() -> None:
    results = compare_all([program(seed) for seed in QUICK])
    models = _placements(results)
    assert _all_lava(results) >= 9
    for name in ("PyLifModelBitAcc", "PySigmaDeltaModelFixed", "PyDenseModelBitAcc", "PyDelayDenseModelBitAcc"):
        assert models[f"lava: {name}"], f"no program of the subset uses {name}"


def test_some_programs_with_our_own_processes() -> None:
    results = compare_all([program(seed, lava=False) for seed in OWN_QUICK])
    assert any(text.startswith("ours") for text in _placements(results))


@pytest.mark.lava
def test_all_programs() -> None:
    results = compare_all([program(seed) for seed in SEEDS], timeout=3000.0)
    assert not any(result.doubts for result in results)
    assert _all_lava(results) >= ALL_LAVA
    used = {text.removeprefix("lava: ") for text in _placements(results)}
    wanted = {
        "PyDenseModelBitAcc", "PyDelayDenseModelBitAcc", "PySparseModelBitAcc", "PyDelaySparseModelBitAcc",
        "PyConvModelFixed", "PySendModelFixed",
    }  # fmt: skip
    assert wanted <= used
    names = {population.model for seed in SEEDS for population in program(seed).network.populations.values()}
    assert set(lava_models()) <= names, "the seeds do not cover every model that Lava has"


@pytest.mark.lava
def test_all_programs_with_our_own_processes() -> None:
    results = compare_all([program(seed, lava=False) for seed in OWN_SEEDS], timeout=3000.0)
    # Programs with sums so large that Lava itself has no defined result are not compared: they must stay few.
    assert sum(bool(result.doubts) for result in results) <= len(OWN_SEEDS) // 8
