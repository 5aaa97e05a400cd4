"""The table of Lava's processes against the models of `neurodeploy.neurons`, and a worker that fails, without Lava."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import TargetUnavailable
from neurodeploy.ir.population import Population
from neurodeploy.neurons.registry import MODELS, initial_state, prepared_params
from simulators.lava.discovery import LavaInstallation
from simulators.lava.models import LAVA
from simulators.lava.subprocess_run import run_worker
from tests.networks.random_networks import lava_models


def test_every_model_that_lava_has_runs_there() -> None:
    assert set(LAVA) == set(lava_models())


@pytest.mark.parametrize("name", sorted(LAVA))
def test_rows_agree_with_the_models(name: str) -> None:
    """The same process, model, ports and outputs as the model's own file says."""
    row, model = LAVA[name], MODELS[name]
    folder, process = row.process.split(":")
    assert model.lava is not None
    assert model.lava.startswith(f"{folder.removesuffix('.process')}: {process}, {row.model}")
    assert set(row.ports) == set(model.ports)
    assert set(row.outputs) == set(model.outputs)


@pytest.mark.parametrize(
    ("model", "params", "initial", "size", "reason"),
    [
        ("inv_sqrt", {}, {}, 2, "one neuron"),
        ("inv_sqrt", {}, {}, 1, ""),
        ("lif", {"du": 1, "dv": np.array([1, 2]), "vth": 3}, {"v": 5}, 2, ""),
    ],
)
def test_what_a_row_refuses(model: str, params: dict, initial: dict, size: int, reason: str) -> None:  # type: ignore[type-arg]
    population = Population("p", (size,), model, params, initial)
    state = {name: values[0] for name, values in initial_state(population, 1).items()}
    assert reason in LAVA[model].refuses(prepared_params(population), state, size)
    assert bool(reason) == bool(LAVA[model].refuses(prepared_params(population), state, size))


def test_a_reset_keeps_its_phase() -> None:
    params = prepared_params(
        Population("p", (1,), "lif_reset", {"du": 1, "dv": 2, "vth": 3, "reset_interval": 5, "reset_offset": 1})
    )
    arguments = LAVA["lif_reset"].arguments(params, 8)
    # Step t of the run is step t + 8: both clear the state, or neither.
    for t in range(1, 20):
        assert (t % 5 == arguments["reset_offset"] % 5) == ((t + 8) % 5 == 1)


def test_a_worker_that_ends_without_a_word(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\nraise SystemExit('no such luck')\n", encoding="utf-8")
    python.chmod(0o755)
    lava = LavaInstallation(python, "0.10.0", (3, 10, 0), "1.26.4", "1.15.3")
    with pytest.raises(TargetUnavailable, match="ND4103 lava: the worker ended with status 1: no such luck"):
        run_worker(lava, [], {}, 20.0)
