"""Every model of Lava's against what Lava's own class computed (scripts/record_lava_neurons.py), bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.ir.population import Population
from neurodeploy.neurons.registry import MODELS
from tests.neurons.stepping import Cells, population

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = sorted(path.stem for path in FIXTURES.glob("*.npz"))
CASES = [
    (name, k) for name in RECORDED for k in range(len(json.loads(str(np.load(FIXTURES / f"{name}.npz")["cases"]))))
]


def recording(name: str, k: int) -> tuple[Population, dict[str, Any], dict[tuple[str, str], Any]]:
    """The population of a case, its inputs by port, and what Lava computed."""
    with np.load(FIXTURES / f"{name}.npz") as recorded:
        case = json.loads(str(recorded["cases"]))[k]
        initial, params = (
            {key: np.array(value) if isinstance(value, list) else value for key, value in case[part].items()}
            for part in ("initial", "params")
        )
        rows = {port: recorded[f"in/{port}"].astype(np.int64) for port in MODELS[name].ports}
        wanted = {
            (kind, key): recorded[f"{k}/{kind}/{key}"]
            for kind, keys in (("out", MODELS[name].outputs), ("state", MODELS[name].state))
            for key in keys
            if f"{k}/{kind}/{key}" in recorded
        }
    return population(name, wanted["out", "s"].shape[1], initial, **params), rows, wanted


@pytest.mark.parametrize(("name", "k"), CASES, ids=[f"{name}-{k}" for name, k in CASES])
def test_same_bits(name: str, k: int) -> None:
    given, rows, wanted = recording(name, k)
    cells = Cells(given, samples=2)
    for t in range(len(wanted["out", "s"])):
        stepped = cells.step(**{port: np.stack([row[t], np.zeros(given.size, np.int64)]) for port, row in rows.items()})
        got = {"out": stepped.outputs, "state": cells.state}
        for (kind, key), expected in wanted.items():
            np.testing.assert_array_equal(got[kind][key][0], expected[t], err_msg=f"{kind} {key} after {t} steps")


def test_every_model_of_lava_is_recorded() -> None:
    """All models that name a ProcessModel of Lava have a recording; the refractory LIF has one of Lava's float class,
    cuba one of slayer."""
    of_lava = {name for name, model in MODELS.items() if model.lava}
    assert set(RECORDED) == of_lava | {"lif_refractory", "cuba"}


def test_recordings_hold_the_ends() -> None:
    """Inputs reach both ends of int32, and the models that can wrap or clip did: else equality would prove little."""
    wrapped, clipped = set(), set()
    for name, k in CASES:
        given, rows, _ = recording(name, k)
        if not rows:
            continue
        if name not in ("lif_refractory", "inv_sqrt", "cuba"):
            assert all(row.max() > 2**31 - 2**24 and row.min() < -(2**31) + 2**24 for row in rows.values())
        cells = Cells(given)
        for t in range(len(next(iter(rows.values())))):
            stepped = cells.step(**{port: row[t] for port, row in rows.items()})
            wrapped |= {name} if stepped.wrapped else set()
            clipped |= {name} if stepped.saturated else set()
    assert wrapped == set(RECORDED) - {"lif_refractory", "spiker", "cuba"}
    assert clipped == {"lif", "lif_reset", "ternary_lif", "atrlif", "rf", "rf_iz"}
