"""An exploration that was killed half-way and goes on writes the same bytes as one that was not, whoever does the work."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.explore.runs import FEW, FEW_STAGES, MANY, MANY_STAGES, done, killed, table


def test_killed_and_resumed(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.html", tmp_path / "broken.html"
    said = done(whole, *FEW, "--jobs", "2", "-v")
    assert said.startswith("least joules within 1 % of") and f"{FEW_STAGES} stages computed" in " ".join(said.split())
    left = killed(broken, FEW_STAGES // 2, *FEW, "--jobs", "1")
    assert FEW_STAGES // 2 <= left < FEW_STAGES and not broken.exists()
    said = " ".join(done(broken, *FEW, "--jobs", "1", "-v").split())
    assert f"{FEW_STAGES - left} stages computed, {left} taken" in said
    assert table(whole) == table(broken)


@pytest.mark.real
def test_twenty_four_points_killed_and_on_a_cluster(tmp_path: Path) -> None:
    whole, broken, cluster = (tmp_path / f"{name}.html" for name in ("whole", "broken", "cluster"))
    done(whole, *MANY, "--jobs", "2")
    left = killed(broken, MANY_STAGES // 2, *MANY, "--jobs", "2")
    assert MANY_STAGES // 2 <= left < MANY_STAGES and not broken.exists()
    done(broken, *MANY, "--jobs", "2")
    assert table(whole) == table(broken)
    if importlib.util.find_spec("ray") is None:
        pytest.skip("killed and resumed is the same; Ray is not installed")
    done(cluster, *MANY, "--jobs", "2", "--ray", "local")
    assert table(whole) == table(cluster)
