"""Builders against torch's convolutions, Lava's, and plain loops; effective weights against what Lava itself made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.errors import InternalError
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses import Conv, build
from neurodeploy.synapses.weights import infer_sign_mode, lava_weights, smallest_type
from tests.refusals import refused
from tests.synapses.convolutions import transposed_conv

FIXTURE = json.loads((Path(__file__).parent / "fixtures" / "lava_weights.json").read_text(encoding="utf-8"))
SEEDS = range(60)


def by_coo(synapse: Synapse, x: Any) -> Any:
    coo = synapse.coo()
    out = np.zeros((x.shape[0], synapse.rows), np.int64)
    for row, column, weight, _ in zip(*coo, strict=True):
        out[:, row] += weight * x[:, column]
    return out


def draw(seed: int, transposed: bool) -> tuple[Any, dict[str, Any], tuple[int, int, int]]:
    """torch's kernel, its arguments in the order (y, x), the input's (x, y, channels)."""
    rng = np.random.default_rng([seed, int(transposed)])
    groups = int(rng.integers(1, 4))
    inputs, outputs = groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    ky, kx = rng.integers(1, 4, 2)
    pairs = {name: tuple(int(v) for v in rng.integers(*span, 2)) for name, span in
             {"stride": (1, 4), "padding": (0, 2), "dilation": (1, 3)}.items()}  # fmt: skip
    if transposed:
        pairs["output_padding"] = tuple(int(rng.integers(0, s)) for s in pairs["stride"])
    shape = (inputs, outputs // groups) if transposed else (outputs, inputs // groups)
    kernel = rng.integers(-9, 10, (*shape, ky, kx))
    sides = rng.integers(5, 9, 2)
    return kernel, {**pairs, "groups": groups}, (int(sides[0]), int(sides[1]), inputs)


def of_torch(kernel: Any, arguments: dict[str, Any], shape: tuple[int, int, int], transposed: bool) -> Conv:
    """The convolution that torch means: pairs of (x, y)."""
    swapped = {name: value[::-1] if isinstance(value, tuple) else value for name, value in arguments.items()}
    if transposed:
        return transposed_conv(build.from_torch_transposed_kernel(kernel, arguments["groups"]), shape, **swapped)
    return build.conv(build.from_torch_kernel(kernel), shape, **swapped)


def in_torch(kernel: Any, arguments: dict[str, Any], x: Any, transposed: bool) -> Any:
    function = torch.nn.functional.conv_transpose2d if transposed else torch.nn.functional.conv2d
    image = torch.from_numpy(x.transpose(0, 3, 2, 1).astype(np.float64))
    out = function(image, torch.from_numpy(kernel.astype(np.float64)), **arguments)
    return out.numpy().transpose(0, 3, 2, 1).astype(np.int64)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_equal_to_torch(seed: int, transposed: bool) -> None:
    kernel, arguments, shape = draw(seed, transposed)
    x = np.random.default_rng(seed).integers(-50, 50, (2, *shape))
    expected = in_torch(kernel, arguments, x, transposed)
    made = of_torch(kernel, arguments, shape, transposed)
    assert made.output_shape == expected.shape[1:]
    np.testing.assert_array_equal(made.sums(x.reshape(2, -1)), expected.reshape(2, -1))
    np.testing.assert_array_equal(by_coo(made, x.reshape(2, -1)), expected.reshape(2, -1))


def test_equal_to_lava() -> None:
    """Lava's kernel is flipped; the fixture holds outputs of its own arithmetic, wrapped to 24 bits."""
    wrapped = 0
    for row in FIXTURE["convolutions"]:
        x = np.array(row["input"])
        pairs = [tuple(row[name]) for name in ("stride", "padding", "dilation")]
        made = build.conv(build.from_lava_kernel(np.array(row["weight"])), x.shape, *pairs, row["groups"])
        assert made.output_shape == np.array(row["output"]).shape
        out = made.sums(x.reshape(1, -1)).reshape(made.output_shape)
        turned = (out + 2**23) % 2**24 - 2**23
        wrapped += int((turned != out).sum())
        np.testing.assert_array_equal(turned, np.array(row["output"]))
        np.testing.assert_array_equal(build.to_lava_kernel(made.weight), np.array(row["weight"]))
    assert wrapped > 0


@pytest.mark.parametrize("rows", [5, 65_536, 65_537])
def test_sparse(rows: int) -> None:
    rng = np.random.default_rng(rows)
    column, row = np.divmod(rng.permutation(20)[:9], 5)
    weight = rng.integers(-300, 300, 9)
    made = build.sparse_from_coo(rows, 4, row, column, weight)
    assert made.target.dtype == (np.uint16 if rows <= 65_536 else np.int32)
    matrix = np.zeros((5, 4), int)
    matrix[row, column] = weight
    coo = made.coo()
    again = np.zeros((5, 4), int)
    again[coo.row, coo.column] = coo.weight
    np.testing.assert_array_equal(again, matrix)
    order = build.synapse_order(row, column)
    np.testing.assert_array_equal(made.weight, weight[order])
    populations = {"a": Population("a", (4,), "input"), "b": Population("b", (rows,), "sigma")}
    Network("n", populations, (Projection("p", "a", "b", made),), ("b",)).check()


def test_dense_is_narrow_and_by_axon() -> None:
    made = build.dense(np.array([[1, -2, 3], [4, 5, -129]]))
    assert made.weight.dtype == np.int16
    assert made.weight.flags.f_contiguous


@pytest.mark.parametrize(
    "make",
    [
        lambda: build.dense(np.ones((2, 2))),
        lambda: build.dense(np.ones(4, int)),
        lambda: build.dense(np.full((1, 1), 2**31)),
        lambda: build.sparse_from_coo(2, 2, np.array([0, 0]), np.array([1, 1]), np.array([1, 2])),
        lambda: build.sparse_from_coo(2, 2, np.array([2]), np.array([0]), np.array([1])),
        lambda: build.sparse_from_coo(2, 2, np.array([0]), np.array([-1]), np.array([1])),
        lambda: build.sparse_from_coo(2, 2, np.array([0, 1]), np.array([0]), np.array([1])),
        lambda: build.conv(np.ones((2, 3, 3, 2), int), (4, 4, 3)),
        lambda: build.conv(np.ones((3, 3, 3, 1), int), (4, 4, 2), groups=2),
        lambda: build.conv(np.ones((1, 3, 3, 1), int), (2, 4, 1)),
        lambda: build.conv(np.ones((1, 1, 1, 1), int), (4, 4, 1), stride=(0, 1)),
        lambda: build.conv(np.ones((1, 1, 1, 1), int), (4, 4, 1), padding=(0, -1)),
        lambda: build.conv(np.ones((1, 1, 1, 1), int), (4, 4, 1), output_padding=(1, 0)),
        lambda: build.conv(np.ones((1, 1, 1), int), (4, 4, 1)),
        lambda: lava_weights(np.ones(2), 8, None),
        lambda: lava_weights(np.ones(2, int), 0, None),
        lambda: lava_weights(np.ones(2, int), 9, None),
        lambda: lava_weights(np.ones(2, int), 8, "positive"),
        lambda: smallest_type(np.array([2**31])),
    ],
)
def test_refused(make: Any) -> None:
    refused(InternalError, "ND9013", make)


def test_weights_equal_to_lava() -> None:
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


def test_narrowest_type() -> None:
    for kind, lists in {np.int8: ([-128, 127], []), np.int16: ([128], [-129]), np.int32: ([32768], [-(2**31)])}.items():
        assert [smallest_type(np.array(values, np.int64)) for values in lists] == [np.dtype(kind)] * 2
