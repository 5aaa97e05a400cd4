"""The real-number step is the integer step without its rounding: close where it rounds, equal where it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.neurons.registry import MODELS
from tests.neurons.stepping import Cells, population

SIZE = 16
Spans = dict[str, tuple[int, int]]
LEAKY = {"du": (-1, 4095), "dv": (0, 4096), "bias_mant": (-4096, 4095), "bias_exp": (-4, 4)}
SIGMA_DELTA = {"vth": (0, 30), "spike_exp": (0, 4), "state_exp": (0, 4)}
RF = {
    "sin_decay": (-4096, 4096), "cos_decay": (-4096, 4096), "vth": (-9, 300), "state_exp": (0, 6), "decay_bits": (12, 12),
}  # fmt: skip
REQUANTISED = {"multiplier": (2**14, 2**15 - 1), "shift": (15, 17), "offset": (-99, 99)}
ROOTS = ("rsqrt", "graded_root")
#: Spans of parameters and states that neither wrap nor clip, and the bound of a step's rounding in units of the result:
#: one for each shift that rounds (a bias floored or a second product adds one), times the gain behind it.
TABLE: dict[str, tuple[Spans, float]] = {
    "lif": ({**LEAKY, "vth": (-50, 2000)}, 3),
    "lif_reset": ({**LEAKY, "vth": (-50, 2000), "reset_interval": (1, 3), "reset_offset": (0, 5)}, 3),
    "lif_refractory": ({**LEAKY, "vth": (-50, 2000), "refractory_period": (0, 3)}, 3),
    "lif_subtract": ({**LEAKY, "vth": (0, 2000)}, 3),
    "ternary_lif": ({**LEAKY, "vth_hi": (10, 2000), "vth_lo": (-2000, 0)}, 3),
    "atrlif": (
        {f"delta_{name}": (0, 4096) for name in ("i", "v", "theta", "r")}
        | {"theta_0": (0, 500), "theta_step": (0, 90), "bias_mant": (-4096, 4095), "bias_exp": (-4, 4)},
        3,
    ),
    "cuba": ({**LEAKY, "du": (0, 4096), "vth": (0, 5000)}, 3),
    "li": (LEAKY, 3),
    "threshold": ({"vth": (-99, 99)}, 0),
    "rf": (RF, 2),
    "rf_iz": (RF, 2),
    "rf_zero": ({"lst": (-(2**15), 2**15), "lct": (-(2**15), 2**15), "uth": (-9, 99)}, 2),
    "sigma": ({}, 0),
    "delta": ({**SIGMA_DELTA, "cum_error": (0, 1)}, 1),
    "sigma_delta": ({**SIGMA_DELTA, "cum_error": (0, 1), "bias": (-99, 99), "act_mode": (0, 1)}, 1),
    "sigma_delta_corrected": ({**SIGMA_DELTA, "bias": (-99, 99), "act_mode": (0, 1)}, 16),
    "graded_affine": ({"multiplier": (2**14, 2**15 - 1), "shift": (15, 17), "acc_shift": (0, 3), "bias": (-99, 99)}, 1),
    "graded_sum": ({"a_exp": (0, 6), "b_exp": (0, 6), "shift": (0, 4)}, 0.5),
    "graded_square": ({"shift": (0, 9)}, 0.5),
    "graded_root": ({"bias": (0, 99)}, 2**30 * 4e-5),
    "graded_product": ({**REQUANTISED, "pre_shift": (0, 4)}, 1.5),
    "graded_curve": ({**REQUANTISED, "width": (3, 7)}, 2),
    "graded_gate": ({**REQUANTISED, "width": (3, 7), "pre_shift": (9, 12)}, 2),
    "graded_rotation": (
        {**REQUANTISED, "pre_shift": (4, 8), "a_exp": (0, 3), "b_exp": (0, 3), "c_bias": (0, 99)}, 1.5,
    ),
    "graded_attention": (
        {**REQUANTISED, "pre_shift": (16, 16), "shift": (29, 31), "heads": (4, 4), "kv_heads": (2, 2), "head_dim": (4, 4),
         "slots": (1, 9), "score_shift": (0, 20)} | {f"{port}_multiplier": (2**14, 2**15 - 1) for port in "qkv"}
        | {f"{port}_shift": (14, 16) for port in "qkv"},
        2,
    ),
    "graded_choice": ({"keep": (1, 3), "of": (4, 4), "place": (0, 3)}, 0),
    "graded_winner": ({**REQUANTISED, "width": (3, 7), "winners": (1, 99)}, 2),
    "graded_largest": ({"part": (0, 99), "inputs": (1, 4)}, 0),
    "graded_but": ({"own": (0, 500)}, 0),
    "graded_max": ({"inputs": (1, 4)}, 0),
    "graded_rectified": (
        {"multiplier": (2**14, 2**15 - 1), "falling": (0, 2**13), "shift": (15, 17), "acc_shift": (0, 3), "bias": (-99, 99),
         "low": (-500, 0), "high": (0, 900)},
        1,
    ),
    "graded_sigma_delta": (
        {"multiplier": (2**14, 2**15 - 1), "falling": (0, 2**13), "shift": (15, 17), "acc_shift": (0, 3), "bias": (-99, 99),
         "low": (-500, 0), "high": (0, 900), "sums": (0, 1), "changes": (0, 1), "vth": (0, 99)},
        1,
    ),
    "graded_max_delta": ({"inputs": (1, 4), "vth": (0, 99)}, 0),
    "graded_rate": ({"vth": (64, 999), "bias": (-99, 99), "signed": (0, 1), "sums": (0, 1)}, 0),
    "graded_vec": ({"vth": (0, 99)}, 0),
    "graded_relu": ({"vth": (-99, 99)}, 0),
    "product": ({"vth": (0, 99), "exp": (0, 9)}, 1),
    "norm_vec": ({"vth": (0, 99)}, 0),
    "norm": ({"vth": (0, 99), "exp": (8, 12), "square_exp": (0, 9)}, 0.5),
    "rsqrt": ({"exp": (8, 18), "bias": (0, 99)}, 0.5),
    "spiker": ({"rate": (0, 4), "payload": (-(2**31), 2**31 - 1)}, 0),
    "s4d": (
        {f"{m}_{part}": (-(2**14), 2**14) for m in "abc" for part in ("re", "im")}
        | {"b_exp": (14, 14), "c_exp": (15, 15)},
        4,
    ),
}  # fmt: skip


def test_every_model_has_bounds() -> None:
    """Lava's inverse root is an approximation, not a rounding: test_models.py measures it."""
    assert set(TABLE) == set(MODELS) - {"inv_sqrt"}


def drawn(name: str, rng: np.random.Generator) -> dict[str, Any]:
    params = MODELS[name].params
    tables = {key: rng.integers(-500, 500, (1, 9)) for key, param in params.items() if param.table}
    return tables | {
        key: rng.integers(low, high + 1, SIZE) if params[key].per_neuron else int(rng.integers(low, high + 1))
        for key, (low, high) in TABLE[name][0].items()
    }


@pytest.mark.parametrize("name", TABLE)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_one_step_is_close(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bound, model, params = TABLE[name][1], MODELS[name], drawn(name, rng)
    small = {"counter": 5, "r": 3} if name != "atrlif" else {}
    initial = {
        key: rng.integers(0 if key in small else -8192, small.get(key, 8192), SIZE)
        for key, variable in model.state.items()
        if variable.settable and not variable.memory
    }
    if "error" in initial and not params["cum_error"]:
        initial["error"] *= 0
    cells = Cells(population(name, SIZE, initial, **params))
    inputs = {port: rng.integers(0 if name in ROOTS else -500, 500, SIZE) for port in model.ports}
    stepped, floats = cells.step(**inputs), cells.float_step(**inputs)
    assert stepped.wrapped == 0
    if name not in ROOTS:
        assert stepped.saturated == 0
    agree = np.ones((1, SIZE), bool)
    for port in model.outputs:  # a value at a threshold may fall on either side: such neurons are left out
        agree &= (stepped.outputs[port] != 0) == (floats[port] != 0)
    assert agree.mean() > 0.4
    # Signed or graded outputs may round to another sign than the real number's: only equal signs reset alike.
    same_sign = np.sign(stepped.outputs["s"]) == np.sign(floats["s"])
    for key, value in cells.state.items():
        gap = np.abs(value - cells.float_state[key])
        gap = gap if key in model.memories else gap[agree & same_sign]
        assert (gap <= bound).all(), (key, gap.max())
    for port in model.outputs:
        gap = np.abs(stepped.outputs[port] - floats[port])[agree]
        assert (gap <= max(bound, 1 if params.get("state_exp") else 0)).all(), (port, gap.max())


def complex_state(p: Any, before: Any, x: Any) -> tuple[Any, Any]:
    a, b, c = ((p[f"{m}_re"] + 1j * p[f"{m}_im"]) / 2.0**bits for m, bits in (("a", 15), ("b", 14), ("c", 15)))
    z = a * (before["re"] + 1j * before["im"]) + b * x["a"]
    return {"re": z.real, "im": z.imag}, {"s": 2 * (c * z).real}


def leaks(p: Any, before: Any, x: Any) -> tuple[Any, Any]:
    u = before["u"] * (4095 - p["du"]) / 4096 + 64 * x["a"]
    return u, before["v"] * (4096 - p["dv"]) / 4096 + u + p["bias_mant"] * 2.0 ** p["bias_exp"]


def leaking(p: Any, before: Any, x: Any) -> tuple[Any, Any]:
    u, v = leaks(p, before, x)
    return {"u": u, "v": v}, {"s": v}


def subtracting(p: Any, before: Any, x: Any) -> tuple[Any, Any]:
    u, v = leaks(p, before, x)
    return {"u": u, "v": v - 64 * p["vth"] * (v > 64 * p["vth"])}, {"s": v > 64 * p["vth"]}


def normed(p: Any, before: Any, x: Any) -> tuple[Any, Any]:
    sent = before["v2"] * x["a2"] / 2.0 ** p["exp"]
    state = {"v1": x["a1"], "v2": before["v1"]}
    return state, {"s": sent * (abs(sent) > p["vth"]), "s2": x["a1"] ** 2 / 2.0 ** p["square_exp"]}


def affine(p: Any, before: Any, x: Any) -> tuple[Any, Any]:
    return {}, {"s": (x["a"] + p["bias"]) * p["multiplier"] * 2.0 ** -(p["shift"] + p["acc_shift"])}


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("s4d", complex_state),
        ("li", leaking),
        ("lif_subtract", subtracting),
        ("norm", normed),
        ("graded_affine", affine),
    ],
)
def test_models_of_our_own_are_their_formula(name: str, formula: Any) -> None:
    """Lava has recorded nothing of these: their real numbers are told once more, in other words."""
    rng = np.random.default_rng(7)
    model, params = MODELS[name], drawn(name, rng)
    cells = Cells(population(name, SIZE, {key: rng.integers(-8192, 8192, SIZE) for key in model.state}, **params))
    for _ in range(5):
        inputs = {port: rng.integers(-500, 500, SIZE) for port in model.ports}
        state, sent = formula(cells.float_params, dict(cells.float_state), inputs)
        floats = cells.float_step(**inputs)
        for wanted, found in ((sent, floats), (state, cells.float_state)):
            for key, value in wanted.items():
                np.testing.assert_allclose(found[key][0], np.ravel(value), rtol=1e-12, atol=1e-9, err_msg=key)


WHOLE = {
    "lif": {"du": 4095, "dv": 0, "vth": 300, "bias_mant": 5, "bias_exp": 2},
    "lif_reset": {"du": -1, "dv": 4096, "vth": 150, "reset_interval": 4, "reset_offset": 1},
    "lif_refractory": {"du": 4095, "dv": 0, "vth": 300, "refractory_period": 2},
    "lif_subtract": {"du": 4095, "dv": 0, "vth": 300},
    "ternary_lif": {"du": 4095, "dv": 0, "vth_hi": 300, "vth_lo": -300},
    "atrlif": {"delta_i": 4095, "delta_v": 0, "delta_theta": 4096, "delta_r": 0, "theta_0": 9, "theta_step": 2},
    "cuba": {"du": 4096, "dv": 0, "vth": 300},
    "li": {"du": 4095, "dv": 0},
    "threshold": {"vth": 3},
    "rf": {"sin_decay": 1, "cos_decay": 0, "vth": 20, "decay_bits": 0, "state_exp": 2},
    "rf_iz": {"sin_decay": -1, "cos_decay": 0, "vth": 20, "decay_bits": 0, "state_exp": 2},
    "rf_zero": {"lst": 2**15, "lct": 0, "uth": 3},
    "sigma": {},
    "delta": {"vth": 20, "spike_exp": 3, "state_exp": 0, "cum_error": 1},
    "sigma_delta": {"vth": 20, "bias": 3, "act_mode": 1},
    "sigma_delta_corrected": {"vth": 20, "bias": 3, "act_mode": 1},
    "graded_affine": {"multiplier": 3, "shift": 0, "bias": 7},
    "graded_vec": {"vth": 3},
    "graded_relu": {"vth": 3},
    "product": {"vth": 3},
    "norm_vec": {"vth": 3},
    "norm": {"vth": 3},
    "spiker": {"rate": 3, "payload": -5},
    "s4d": {"a_re": -(2**15), "b_re": 3, "b_im": -2, "c_re": 1, "c_im": 1},
}


@pytest.mark.parametrize("name", WHOLE)
def test_equal_where_nothing_rounds(name: str) -> None:
    """Decays of nothing or all and no fractions: 40 steps of both are the same numbers, state and payloads."""
    rng = np.random.default_rng(3)
    cells = Cells(population(name, SIZE, **WHOLE[name]), samples=2)
    fired = 0
    for _ in range(40):
        inputs = {port: rng.integers(-60, 90, (2, SIZE)) for port in MODELS[name].ports}
        stepped, floats = cells.step(**inputs), cells.float_step(**inputs)
        assert (stepped.wrapped, stepped.saturated) == (0, 0)
        for port in MODELS[name].outputs:
            np.testing.assert_array_equal(stepped.outputs[port], floats[port])
            fired += np.count_nonzero(floats[port])
        for key, value in cells.state.items():
            np.testing.assert_array_equal(value, cells.float_state[key], err_msg=key)
    assert fired > 0
