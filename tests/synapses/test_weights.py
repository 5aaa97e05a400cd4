"""Effective weights against what Lava itself made (record_lava_weights.py), and the edges of the rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.errors import InternalError
from neurodeploy.synapses.weights import infer_sign_mode, lava_weights, smallest_type
from tests.refusals import refused

FIXTURE = json.loads((Path(__file__).parent / "fixtures" / "lava_weights.json").read_text(encoding="utf-8"))


def test_equal_to_lava() -> None:
    rows = FIXTURE["weights"]
    assert len(rows) == 8 * 8 * 4
    for row in rows:
        got, mode = lava_weights(np.array(row["weight"]), row["bits"], row["mode"])
        assert mode == row["used"]
        assert got.tolist() == row["effective"], (row["bits"], row["mode"])


def test_the_rule_in_numbers() -> None:
    """Mixed weights are even and rounded down; excitatory ones keep every bit."""
    mixed, mode = lava_weights(np.array([[3, -3], [300, -300]]))
    assert (mixed.tolist(), mode, mixed.dtype) == ([[2, -4], [254, -256]], "mixed", np.dtype(np.int16))
    assert lava_weights(np.array([37, 300]), 4)[0].tolist() == [32, 240]
    assert lava_weights(np.array([-37, -299]), 4)[0].tolist() == [-32, -240]
    assert lava_weights(np.array([5, -5]), 8, "excitatory")[0].tolist() == [5, 0]
    assert lava_weights(np.array([5, -5]), 8, "inhibitory")[0].tolist() == [0, -5]


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("mode", [None, "mixed", "excitatory", "inhibitory"])
def test_once_is_enough(bits: int, mode: str | None) -> None:
    """What Lava made of weights it keeps: frontends may give a network weights that were already cut."""
    weight = np.random.default_rng(bits).integers(-400, 400, (6, 7))
    once, used = lava_weights(weight, bits, mode)
    np.testing.assert_array_equal(lava_weights(once, bits, used)[0], once)


def test_sign_modes_as_lava_infers_them() -> None:
    assert [infer_sign_mode(np.array(w)) for w in ([0, 1], [-1, 0], [-1, 1], [0, 0])] == [
        "excitatory", "inhibitory", "mixed", "excitatory",
    ]  # fmt: skip
    assert infer_sign_mode(np.zeros((3, 0), int)) == "excitatory"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-128, 127], np.int8),
        ([128], np.int16),
        ([-129], np.int16),
        ([32768], np.int32),
        ([-(2**31)], np.int32),
        ([], np.int8),
    ],
)
def test_narrowest_type(values: list[int], expected: Any) -> None:
    assert smallest_type(np.array(values, np.int64)) == np.dtype(expected)


@pytest.mark.parametrize(
    ("weight", "bits", "mode"),
    [(np.ones(2), 8, None), (np.ones(2, int), 0, None), (np.ones(2, int), 9, None), (np.ones(2, int), 8, "positive")],
)
def test_refused(weight: Any, bits: int, mode: str | None) -> None:
    refused(InternalError, "ND9013", lava_weights, weight, bits, mode)
    refused(InternalError, "ND9013", smallest_type, np.array([2**31]))
