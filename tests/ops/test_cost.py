"""Costs against plain counting, and the counter of an executor against the costs."""

from __future__ import annotations

import pytest

from neurodeploy.errors import InternalError
from neurodeploy.ir.graph import HostOp, Projection
from neurodeploy.ops import OPERATIONS, lookup
from neurodeploy.ops.attention import visible_pairs
from neurodeploy.ops.host.kernels import EXP
from neurodeploy.ops.host.linear import projection_work
from neurodeploy.ops.host.operation import Load, Work

SIZES = {"x": 64, "g": 96, "e": 2}


def work(op, tokens, context=0):
    """Of a call in which every token is given to one expert, where there are any."""
    return lookup(op).work(Load(op, SIZES, tokens, context, tokens))


def op(name, outputs=("x",), inputs=("x",), weights=None, **attrs):
    return HostOp(name, name, inputs, outputs, attrs, weights or {})


@pytest.mark.parametrize(("window", "chunk"), [(None, None), (5, None), (None, 4), (3, 8)])
@pytest.mark.parametrize("context", [0, 1, 13])
def test_visible_pairs(window, chunk, context):
    counted = sum(
        1
        for i in range(context, context + 9)
        for j in range(i + 1)
        if (window is None or i - j < window) and (chunk is None or i // chunk == j // chunk)
    )
    assert visible_pairs(9, context, window, chunk) == counted


ATTENTION = {"heads": 4, "kv_heads": 2, "head_dim": 16, "scale": 0.25, "window": None, "chunk": None}
CASES = {
    "embedding": (op("embedding", scale=2.0), Work(3 * 64, 8 * 3 * 64)),
    "position_embedding": (op("position_embedding", weights={"weight": "w"}), Work(3 * 64, 12 * 3 * 64)),
    "rmsnorm": (op("rmsnorm", weights={"weight": "w"}, eps=1e-6, group=16), Work(3 * 64 * 4 + 3 * 12, 8 * 3 * 64 + 64)),
    # mean: 63 + 1; deviations 64; squares 64, their mean 63 + 1; epsilon, root, reciprocal; three passes of one flop each
    "layernorm": (
        op("layernorm", weights={"weight": "w", "bias": "b"}, eps=1e-5, group=64),
        Work(3 * (7 * 64 + 4), 8 * 3 * 64 + 8 * 64),
    ),
    "rope": (op("rope", head_dim=16, inv_freq=(), style="half"), Work(3 * 3 * 64, 8 * 3 * 64 + 4 * 3 * 16)),
    "temperature": (op("temperature", scale=0.1, floor_scale=8.0), Work(3 * 64, 8 * 3 * 64 + 12)),
    # 3 queries after 5 tokens see 6 + 7 + 8 keys of 8 distinct ones.
    "attention": (
        op("attention", inputs=("x", "x", "x"), **ATTENTION),
        Work(21 * 4 * (64 + EXP + 4) + 3 * 64, 8 * 3 * 64 + 8 * 3 * 32 + 8 * 2 * 16 * 8),
    ),
    "glu": (op("glu", ("g",), act="silu"), Work(3 * 96 * (EXP + 4), 12 * 3 * 96)),
    "activation": (op("activation", act="gelu_tanh"), Work(3 * 64 * (EXP + 8), 8 * 3 * 64)),
    "add": (op("add"), Work(3 * 64, 12 * 3 * 64)),
    "estimate": (op("estimate", what="recurrence", flops=7, bytes=11), Work(3 * 7, 3 * 11)),
    "moe_route": (op("moe_route", ("e",), top_k=1), Work(3 * (2 + EXP + 2), 8 * 3 * 2)),
    "moe_dispatch": (op("moe_dispatch", ("x", "x"), ("x", "e")), Work(3 * 64, 8 * 3 * 64 + 4 * 3 * 2)),
    "moe_combine": (op("moe_combine", inputs=("e", "x", "x")), Work(3 * 64, 12 * 3 * 64 + 4 * 3 * 2)),
}


def test_every_operation_has_a_case():
    assert set(CASES) == set(OPERATIONS)


def test_work_of_a_part_that_is_rotated():
    found = work(op("rope", head_dim=16, inv_freq=(1.0,) * 6, style="half", rotated=12, factor=1.2), 3, 5)
    assert found == Work(3 * 3 * 48, 8 * 3 * 64 + 4 * 3 * 12)


@pytest.mark.parametrize("name", CASES)
def test_work(name):
    operation, expected = CASES[name]
    assert work(operation, 3, 5) == expected


def test_projection():
    p = Projection("p", "x", "g", 64, 96, "w", "b")
    assert projection_work(p, 3) == Work(3 * (2 * 64 * 96 + 96), 4 * (64 * 96 + 96 + 3 * (64 + 96)))
    assert projection_work(p, 0) == Work(0, 0)


def test_an_unknown_operation_is_our_bug():
    with pytest.raises(InternalError, match="ND9103"):
        work(op("fft"), 1)
