"""The thresholds that a model names: a state at one sends nothing, a state beyond it does."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.neurons.registry import MODELS, get_model

NAMED = [name for name in MODELS if get_model(name).thresholds]


def test_the_leaky_models_name_theirs() -> None:
    assert {"lif", "lif_reset", "lif_refractory", "lif_subtract", "cuba", "ternary_lif"} == set(NAMED)


@pytest.mark.parametrize("name", NAMED)
def test_what_a_model_names_is_where_it_sends(name: str) -> None:
    """Without decay a step from rest brings the state to the input: below, at and beyond the threshold."""
    model = get_model(name)
    given = {"du": -1, "dv": 0, "vth": 300, "vth_hi": 300, "vth_lo": -300, "refractory_period": 1, "reset_interval": 9}
    params = {
        key: np.array([[given.get(key, param.default or 0)]], np.int64) for key, param in model.params.items()
    }  # fmt: skip
    for row in model.thresholds:
        end = int(params[row.param].item()) << row.shift
        sign = 1 if end > 0 else -1
        sent = {}
        for over in (-1, 0, 1):
            state = {key: np.zeros((1, 1), np.int64) for key in model.state}
            state[row.state] = np.array([[end + over * sign]], np.int64)
            sent[over] = model.step(params, state, {"a": np.zeros((1, 1), np.int64)}, 1).outputs["s"].item()
        assert sent == {-1: 0, 0: 0, 1: sign}
