"""Chains of linear nodes: one convolution where there is one, the same map in every case."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy import pipeline
from neurodeploy.conversion.spiking import operators
from neurodeploy.conversion.spiking.operators import Convolution, Matrix, compose, matrix
from neurodeploy.errors import UserError
from neurodeploy.ir.float_linear import apply
from neurodeploy.ir.float_network import FloatNode, size_of
from tests.conversion.nets import affine, flatten, neuron, window
from tests.refusals import refused

rng = np.random.default_rng(8)


def conv(in_shape, out, kernel=3, groups=1, **options) -> FloatNode:
    weight = rng.normal(size=(out, in_shape[0] // groups, kernel, kernel))
    return window("c", "conv2d", in_shape, weight, groups=groups, **options)


def pool(in_shape, kernel=2, stride=None, kind="sum_pool2d", padding=0) -> FloatNode:
    return window("p", kind, in_shape, kernel_size=kernel, stride=stride or kernel, padding=padding)


def scale(shape, per_channel=True) -> FloatNode:
    values = rng.normal(size=(shape[0], 1, 1)) if per_channel else rng.normal(size=shape)
    return neuron("s", "scale", shape, scale=np.broadcast_to(values, shape))


def as_matrix(operator: Convolution | Matrix) -> np.ndarray:
    if isinstance(operator, Matrix):
        full = np.zeros((operator.rows, operator.columns))
        full[operator.row, operator.column] = operator.values
        return full
    pads = tuple((p, p) for p in operator.padding)
    node = window(
        "x", "conv2d", operator.in_shape, operator.kernel, stride=operator.stride, padding=pads,
        dilation=operator.dilation, groups=operator.groups,
    )  # fmt: skip
    eye = np.eye(size_of(operator.in_shape)).reshape(-1, *operator.in_shape)
    return apply(node, eye).reshape(len(eye), -1).T


def check(*nodes: FloatNode) -> str:
    """The kind of the composed map, after a comparison with the nodes one by one."""
    x = rng.normal(size=(3, *nodes[0].in_shape))
    y = x
    for node in nodes:
        y = apply(node, y, bias=False)
    operator = compose(nodes, nodes[0].in_shape, nodes[-1].shape)
    full = as_matrix(operator)
    np.testing.assert_allclose(x.reshape(3, -1) @ full.T, y.reshape(3, -1), rtol=1e-11, atol=1e-11)
    positive, negative = operator.row_sums()
    exact = np.maximum(full, 0).sum(axis=1)
    assert (positive >= exact - 1e-9).all() and (negative <= np.minimum(full, 0).sum(axis=1) + 1e-9).all()
    if isinstance(operator, Matrix):
        np.testing.assert_allclose(positive, exact)
    return type(operator).__name__


IMAGE = (2, 10, 10)


def test_what_is_one_convolution() -> None:
    first = conv(IMAGE, 4, padding=1)
    assert check(first) == "Convolution"
    assert check(first, pool(first.shape)) == "Convolution"
    assert check(first, pool(first.shape), scale((4, 5, 5))) == "Convolution"
    assert check(pool(IMAGE, kind="avg_pool2d"), conv((2, 5, 5), 3, padding=1)) == "Convolution"
    assert check(first, conv(first.shape, 3, dilation=2, stride=2)) == "Convolution"
    groups = conv((4, 9, 9), 8, groups=2, dilation=2, stride=2, padding=1)
    assert check(groups, pool(groups.shape, 2, 1)) == "Convolution"
    assert check(pool((4, 9, 9), 3, 2), conv((4, 4, 4), 4, groups=2)) == "Convolution"
    line = window("c", "conv1d", (3, 11), rng.normal(size=(4, 3, 3)), stride=2, padding=1)
    operator = compose([line], line.in_shape, line.shape)
    assert isinstance(operator, Convolution) and operator.in_shape == (3, 1, 11)


def test_what_is_not() -> None:
    first = conv(IMAGE, 4, padding=1)
    padded = conv(first.shape, 3, padding=1)
    assert check(first, padded) == "Matrix", "the second pads where the first has values"
    overlapping = pool(IMAGE, 3, 2)
    assert check(overlapping, conv(overlapping.shape, 3, padding=1)) == "Matrix"
    dropped = pool((2, 11, 11), 2)
    assert check(dropped, conv(dropped.shape, 3, padding=1)) == "Matrix", "a row of pixels is behind the last window"
    assert check(first, scale(first.shape, per_channel=False)) == "Matrix"
    assert check(first, flatten("f", first.shape)) == "Matrix"
    assert check(conv(IMAGE, 4, padding=((1, 2), (0, 1)))) == "Matrix"
    assert check(pool(IMAGE), flatten("f", (2, 5, 5)), affine("w", rng.normal(size=(3, 50)))) == "Matrix"


def test_the_identity_and_one_matrix() -> None:
    operator = compose([], (2, 3), (2, 3))
    np.testing.assert_array_equal(as_matrix(operator), np.eye(6))
    weight = np.array([[0.0, 2.0], [3.0, 0.0]])
    single = compose([affine("w", weight, 1.0)], (2,), (2,))
    assert isinstance(single, Matrix) and single.values.size == 2
    np.testing.assert_array_equal(as_matrix(single), weight)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["conv", "pool", "mean", "scale"]), min_size=1, max_size=3), st.integers(0, 2**16))
def test_random_chains(kinds: list[str], seed: int) -> None:
    own, shape, nodes = np.random.default_rng(seed), (2, 12, 11), []
    for kind in kinds:
        kernel, stride, padding = own.integers(1, 4 if kind == "conv" else 3), own.integers(1, 3), own.integers(0, 2)
        if kind == "scale":
            node = scale(shape)
        elif kind == "conv":
            node = conv(shape, 3, int(kernel), stride=int(stride), padding=int(padding))
        else:
            name = "sum_pool2d" if kind == "pool" else "avg_pool2d"
            node = pool(shape, int(kernel), int(stride), name, int(padding) if kernel > 1 else 0)
        nodes.append(node)
        shape = node.shape
        if min(shape[1:]) < 3:
            break
    check(*nodes)


def test_chains_beyond_reason_are_refused() -> None:
    big = (64, 512, 512)
    huge = [FloatNode("s", "scale", big, big, {"scale": np.broadcast_to(np.ones(()), big)}), flatten("f", big)]
    refused(UserError, "ND1244 f: ", matrix, huge, size_of(big), big, size_of(big))


@pytest.mark.parametrize("first", [[], [flatten("f", (2, 2, 2))], [neuron("s", "scale", 8)]])
def test_the_first_matrix_is_taken_as_it_is(first: list[FloatNode]) -> None:
    """Its columns are the answers to unit inputs, to the last bit, whatever follows."""
    own = np.random.default_rng(3)
    nodes = [*first, affine("w", own.normal(size=(6, 8)), 1.0), affine("v", own.normal(size=(5, 6)), 1.0)]
    shape = nodes[0].in_shape
    x = np.eye(8).reshape(8, *shape)
    for node in nodes:
        x = apply(node, x, bias=False)
    np.testing.assert_array_equal(as_matrix(compose(nodes, shape, (5,))), x.T)


def test_nothing_is_multiplied_where_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three matrices of zeros, 4096 x 4096 each and 179 kB of a file, took a minute."""
    monkeypatch.setattr(operators, "apply", lambda *_, **__: pytest.fail("a product with zeros"))
    zeros = [affine(name, np.zeros((300, 300)), 1.0) for name in "abc"]
    told: list[tuple[int, int]] = []
    found = compose(zeros, (300,), (300,), lambda done, total: told.append((done, total)))
    assert isinstance(found, Matrix) and found.values.size == 0 and found.rows == found.columns == 300
    assert told[-1] == (300, 300)


def test_long_work_is_told_as_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By columns: a minute of products without a word looks like a program that stands."""
    monkeypatch.setattr(operators, "BATCH", 1000)
    weight = np.random.default_rng(0).normal(size=(3, 90, 90))
    row = [*(nir.Linear(w) for w in weight), nir.IF(*(np.full(90, value) for value in (1.0, 1.0, 0.0)))]
    nir.write(tmp_path / "x.nir", nir.NIRGraph.from_list(*row))
    told: list[tuple[str, int, int]] = []
    options = {"dt": 1e-3, "gain": "per-step", "progress": lambda *row: told.append(row)}
    pipeline.convert(tmp_path / "x.nir", tmp_path / "x.nd", **options)
    done = [row[1] for row in told if row[0] == "join linear nodes"]
    assert len(done) > 1 and done == sorted(done) and done[-1] == 90
