"""Every model of Lava's against what Lava's own class computed (scripts/record_lava_neurons.py), bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.ir.population import Population
from neurodeploy.neurons.registry import MODELS, initial_state, prepared_params

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = sorted(path.stem for path in FIXTURES.glob("*.npz"))
CASES = [
    (name, k) for name in RECORDED for k in range(len(json.loads(str(np.load(FIXTURES / f"{name}.npz")["cases"]))))
]


def as_population(name: str, case: dict[str, dict[str, object]], size: int) -> Population:
    values = {
        part: {key: np.array(value) if isinstance(value, list) else value for key, value in case[part].items()}
        for part in ("params", "initial")
    }
    return Population("recorded", (size,), name, values["params"], values["initial"])  # type: ignore[arg-type]


def recording(name: str, k: int) -> tuple[dict[str, Any], dict[str, Any], dict[tuple[str, str], Any]]:
    """A case, its inputs by port, and what Lava computed."""
    with np.load(FIXTURES / f"{name}.npz") as recorded:
        case = json.loads(str(recorded["cases"]))[k]
        rows = {port: recorded[f"in/{port}"].astype(np.int64) for port in MODELS[name].ports}
        wanted = {
            (kind, key): recorded[f"{k}/{kind}/{key}"]
            for kind, keys in (("out", MODELS[name].outputs), ("state", MODELS[name].state))
            for key in keys
            if f"{k}/{kind}/{key}" in recorded
        }
    return case, rows, wanted


@pytest.mark.parametrize(("name", "k"), CASES, ids=[f"{name}-{k}" for name, k in CASES])
def test_same_bits(name: str, k: int) -> None:
    case, rows, wanted = recording(name, k)
    steps, size = wanted["out", "s"].shape
    population = as_population(name, case, size)
    params, state = prepared_params(population), initial_state(population, 2)
    for t in range(1, steps + 1):
        inputs = {port: np.stack([rows[port][t - 1], np.zeros(size, np.int64)]) for port in rows}
        stepped = MODELS[name].step(params, state, inputs, t)
        got = {"out": stepped.outputs, "state": state}
        for (kind, key), expected in wanted.items():
            np.testing.assert_array_equal(got[kind][key][0], expected[t - 1], err_msg=f"{kind} {key} in step {t}")


def test_every_model_of_lava_is_recorded() -> None:
    """All models that name a ProcessModel of Lava have a recording; the refractory LIF has one of Lava's float class,
    cuba one of slayer."""
    of_lava = {name for name, model in MODELS.items() if model.lava}
    assert set(RECORDED) == of_lava | {"lif_refractory", "cuba"}


def test_recordings_hold_the_ends() -> None:
    """Inputs reach both ends of int32, and the models that can wrap or clip did: else equality would prove little."""
    wrapped, clipped = set(), set()
    for name, k in CASES:
        case, rows, _ = recording(name, k)
        if not rows:
            continue
        steps, size = next(iter(rows.values())).shape
        if name not in ("lif_refractory", "inv_sqrt", "cuba"):
            assert all(row.max() > 2**31 - 2**24 and row.min() < -(2**31) + 2**24 for row in rows.values())
        population = as_population(name, case, size)
        params, state = prepared_params(population), initial_state(population, 1)
        for t in range(1, steps + 1):
            stepped = MODELS[name].step(params, state, {port: rows[port][t - 1 : t] for port in rows}, t)
            wrapped |= {name} if stepped.wrapped else set()
            clipped |= {name} if stepped.saturated else set()
    assert wrapped == set(RECORDED) - {"lif_refractory", "spiker", "cuba"}
    assert clipped == {"lif", "lif_reset", "ternary_lif", "atrlif", "rf", "rf_iz"}
