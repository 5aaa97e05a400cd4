"""A population that a bias drives and that cannot start in phase: the answer begins with the bins that it costs."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest

from tests.pipeline.networks import DT
from tests.tiny import Cli


def held_down(bias: float) -> nir.NIRGraph:
    """Three layers, the last held down by its bias until its inputs win: it would have to start from far above."""

    def lif(size: int) -> nir.LIF:
        full = [np.full(size, value) for value in (2 * DT, 2.0, 0.0, 1.0, 0.0)]
        return nir.LIF(*full)

    nodes = {
        "input": nir.Input(np.array([2])),
        "a": nir.Affine(np.eye(2), np.full(2, 0.7)), "one": lif(2),
        "b": nir.Affine(np.eye(2), np.full(2, 0.8)), "two": lif(2),
        "c": nir.Affine(4 * np.eye(2), np.full(2, bias)), "three": lif(2),
        "output": nir.Output(np.array([2])),
    }  # fmt: skip
    return nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False)))


@pytest.mark.parametrize(("bias", "late"), [(-0.1, False), (-2.5, True)])
def test_bins_of_silence_come_first(bias: float, late: bool, tmp_path: Path, cli: Cli) -> None:
    nir.write(tmp_path / "x.nir", held_down(bias))
    given = ["convert", tmp_path / "x.nir", "--dt", DT, "--reset", "value", "--out", tmp_path / "x.nd"]
    found = cli.json(*given)
    assert any("cannot start 3 steps before" in line for line in found["losses"]) == late
    assert bool(found["losses"]) == late
    if late:
        assert "bins differ from the float network in 100 steps of silence, as three starts" in found["losses"][0]
        assert "lost: output: " in cli(*given).out


def test_the_first_line_of_eval_has_bins_and_rates(tmp_path: Path, cli: Cli) -> None:
    """Equal rates say nothing of a phase."""
    nir.write(tmp_path / "x.nir", held_down(-0.1))
    cli("convert", tmp_path / "x.nir", "--dt", DT, "--out", tmp_path / "x.nd")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((2, 30, 2)) < 0.4)
    given = ["eval", tmp_path / "x.nd", "--input", tmp_path / "x.npy"]
    (row,) = cli.json(*given)["comparison"]
    first = cli(*given).out.splitlines()[0].replace("\u202f", " ").replace("\u00a0", " ")
    share = float(first.split(" steps, ")[1].split(" %")[0])
    assert share == pytest.approx(100 * row["differing"] / row["compared"], abs=0.01)
    assert f"rates by at most {row['rate_error']:.3g} a step" in first
