"""Null models are honest placements: every core at a place of its own, the same for the same seed."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neurodeploy.flow.nets import Nets
from neurodeploy.ir.fixedpoint import Ints
from partitioner.judge.figures import Places
from partitioner.judge.nulls import curve_sites, metis_sites, null_models, random_sites
from partitioner.place.curves import hilbert, strips
from tests.nets import make_nets

from .test_link_loads import small

SYSTEM = small(4, 4, 2, (2, 2))


def chain(cores: int, order: Ints) -> Nets:
    """Core order[i] sends 8 messages to core order[i + 1]."""
    return make_nets(cores, order[:-1], order[1:], np.arange(cores - 1), np.full(cores - 1, 8))


@pytest.mark.parametrize("cores", [1, 5, 32, 33, 77, 128])
def test_every_model_gives_each_core_a_place_of_its_own(cores: int) -> None:
    nets = chain(cores, np.random.default_rng(0).permutation(cores))
    makers: list[Callable[[], tuple[Ints, Ints] | None]] = [
        lambda: random_sites(cores, SYSTEM, 3),
        lambda: curve_sites(cores, SYSTEM, None),
        lambda: curve_sites(cores, SYSTEM, hilbert),
        lambda: curve_sites(cores, SYSTEM, lambda sites: strips(sites, 1, upright=False, zigzag=False)),
        lambda: metis_sites(nets, cores, SYSTEM),
    ]
    for make in makers:
        found = make()
        if found is None:
            pytest.skip("pymetis is not installed")
        chip, core = found
        assert len(np.unique(chip * SYSTEM.chip.cores + core)) == cores == len(chip)
        assert chip.min() >= 0 and chip.max() < SYSTEM.chips and core.max() < SYSTEM.chip.cores
        assert len(np.unique(chip)) == -(-cores // SYSTEM.chip.cores)
        again = make()
        assert again is not None and np.array_equal(chip, again[0]) and np.array_equal(core, again[1])


def test_curves_follow_neighbours() -> None:
    """Along Hilbert and snake a step goes to the same router or the next one."""
    system = small(4, 4, 2, (1, 1))
    for curve in (hilbert, lambda sites: strips(sites, 1, upright=False, zigzag=False)):
        router = curve_sites(32, system, curve)[1] // 2
        x, y = router % 4, router // 4
        assert set((np.abs(np.diff(x)) + np.abs(np.diff(y))).tolist()) == {0, 1}


def test_a_chain_in_order_is_best_along_a_curve_and_ratios_are_of_ours() -> None:
    cores = 32
    nets = chain(cores, np.arange(cores))
    system = small(4, 4, 2, (1, 1))
    chip, core = curve_sites(cores, system, lambda sites: strips(sites, 1, upright=False, zigzag=False))
    found = null_models(nets, Places(chip, core, np.arange(cores)), system, seed=7)
    rows = {row["name"]: row for row in found["models"]}
    assert found["best"] in ("snake", "hilbert") and rows["snake"]["transport"] == found["ours"]
    assert rows["snake"]["hops"] == 15 * 8 and rows["random"]["runs"] == 5
    assert rows["random"]["ratio"] < 0.5 and rows["random"]["least"] <= rows["random"]["transport"]
    assert found == null_models(nets, Places(chip, core, np.arange(cores)), system, seed=7)
    assert found["unit"] == "J" and not [note for note in found["notes"] if "pymetis" not in note]


def test_metis_untangles_a_hidden_chain() -> None:
    pytest.importorskip("pymetis")
    cores = 64
    nets = chain(cores, np.random.default_rng(1).permutation(cores))
    found = null_models(nets, Places(*random_sites(cores, SYSTEM, 0), np.arange(cores)), SYSTEM)
    rows = {row["name"]: row for row in found["models"]}
    assert rows["metis-rb"]["transport"] < 0.5 * rows["sequential"]["transport"]
    assert rows["metis-rb"]["interchip_packets"] <= 8 * 6


def test_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    nets = chain(8, np.arange(8))
    places = Places(*curve_sites(8, SYSTEM, None), np.arange(8))
    monkeypatch.setattr("partitioner.judge.nulls.MOST_METIS", 4)
    assert any("METIS-RB left out: 8 cores" in note for note in null_models(nets, places, SYSTEM)["notes"])
    monkeypatch.setattr("partitioner.judge.nulls.MOST_METIS", 2048)
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "pymetis":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    found = null_models(nets, places, SYSTEM)
    assert "METIS-RB left out: pymetis is not installed" in found["notes"] and len(found["models"]) == 4
    monkeypatch.undo()
    monkeypatch.setattr("partitioner.judge.nulls.MOST_PAIRS", 6)
    found = null_models(nets, places, SYSTEM)
    assert found["models"] == [] and found["ratio_to_best"] is None and "left out" in found["notes"][0]


def test_without_prices_hops_are_compared() -> None:
    unpriced = replace(SYSTEM, chip=replace(SYSTEM.chip, costs={}))
    places = Places(*curve_sites(8, SYSTEM, None), np.arange(8))
    found = null_models(chain(8, np.arange(8)), places, unpriced)
    assert found["unit"] == "weighted hops" and found["ours"] == 3 * 8
