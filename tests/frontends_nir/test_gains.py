"""The two conventions of R, decided and told."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest

from neurodeploy.frontends.nir.reader import read
from simulators.network_float import run
from tests.frontends_nir.files import chain, lif, ones, save


def integrate(path: Path, dt: float, gain: str) -> tuple[str, float, str]:
    """The gain of a node, what one unit of input adds, and what is told."""
    network = read(path, dt, gain=gain)
    v = run(network, {"input": np.ones((1, 1, 1))}).outputs["output"][0, 0, 0]
    return network.nodes["i"].gain, float(v), " ".join(" ".join(note) for note in network.notes)


@pytest.mark.parametrize(
    ("r", "dt", "gain", "chosen", "added"),
    [
        (1.0, 1e-3, "auto", "per-step", 1.0),  # sinabs
        (1.0, 1.0, "auto", "physical", 1.0),
        (1000.0, 1e-3, "auto", "physical", 1.0),  # spikingjelly: r = 1 / dt
        (2.0, 1e-3, "auto", "physical", 2e-3),
        (1.0, 1e-3, "physical", "physical", 1e-3),
        (2.0, 1e-3, "per-step", "per-step", 2.0),
    ],
)
def test_integrators(tmp_path: Path, r: float, dt: float, gain: str, chosen: str, added: float) -> None:
    got, v, told = integrate(save(tmp_path, chain(nir.I(ones(r, 1)))), dt, gain)
    assert (
        (got, v) == (chosen, pytest.approx(added)) and f"gain {chosen}" in told and f"adds {added:.6g} a step" in told
    )


def test_leaky_neurons_are_physical_and_the_time_step_meant_is_told(tmp_path: Path) -> None:
    path = save(tmp_path, chain(lif(2, tau=0.0025, r=25.0)))
    told = [" ".join(note) for note in read(path, 1e-4).notes]
    assert any("dt = 0.0001 s unit gain at the time step given" in line for line in told)
    told = [" ".join(note) for note in read(path, 1e-3).notes]
    assert any("for dt = 0.0001 s" in line and "the gain is 10 at dt = 0.001 s" in line for line in told)
    assert read(save(tmp_path, chain(lif(2))), 1e-3).notes == ()  # R = 1 says nothing
