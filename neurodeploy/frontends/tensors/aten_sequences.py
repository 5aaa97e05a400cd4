"""How operators of ATen that sequence models have are read; see `aten_calls`."""

from __future__ import annotations

import numpy as np

from neurodeploy.frontends.tensors.aten_calls import Call, Given, arg, sides
from neurodeploy.frontends.tensors.making import NodeMaker, Operand, Ref


def layer_norm(m: NodeMaker, name: str, a: Given) -> Ref:
    x, axes = a[0], sides(a[1])
    arrays = {"weight": arg(a, 2), "bias": arg(a, 3)}
    return m.node(name, "layer_norm", [x], x.full, {"axes": tuple(axes), "eps": float(arg(a, 4, 1e-5))}, **arrays)


def rms_norm(m: NodeMaker, name: str, a: Given) -> Ref:
    x, axes = a[0], sides(a[1])
    eps = arg(a, 3, float(np.finfo(np.float32).eps))
    return m.node(name, "rms_norm", [x], x.full, {"axes": tuple(axes), "eps": float(eps)}, weight=arg(a, 2))


def group_norm(m: NodeMaker, name: str, a: Given) -> Ref:
    x = m.map(a[0], len(a[0].full) - 2)
    given = {"groups": int(a[1]), "eps": float(arg(a, 4, 1e-5))}
    return m.node(name, "group_norm", [x], x.full, given, weight=arg(a, 2), bias=arg(a, 3))


def softmax(log: bool) -> Call:
    def call(m: NodeMaker, name: str, a: Given) -> Ref:
        x = a[0]
        if x.axis(int(a[1])) < 0:
            raise m.fail("is a softmax over the samples", "take another axis")
        return m.node(name, "log_softmax" if log else "softmax", [x], x.full, {"axis": x.axis(int(a[1]))})

    return call


def attention(m: NodeMaker, name: str, a: Given) -> Ref:
    """``softmax(q k' * scale + mask) v``, with its parts as nodes."""
    q, k, v = a[:3]
    mask: Operand | None = arg(a, 3)
    if mask is not None and not isinstance(mask, Ref) and np.asarray(mask).dtype == np.bool_:
        mask = np.where(mask, 0.0, -1e9)
    if arg(a, 5, False):
        mask = np.triu(np.full((q.full[-2], k.full[-2]), -1e9), 1)
    turned = m.moved(f"{name}.keys", k, lambda p: p.swapaxes(-1, -2))
    factor = q.full[-1] ** -0.5 if arg(a, 6) is None else float(a[6])
    scores = m.binary(f"{name}.scaled", m.product(f"{name}.scores", q, turned), np.asarray(factor), "mul")
    if mask is not None:
        scores = m.binary(f"{name}.masked", scores, mask, "add")
    weights = m.node(f"{name}.weights", "softmax", [scores], scores.full, {"axis": scores.axis(-1)})
    return m.product(name, weights, v)


def embedding(m: NodeMaker, name: str, a: Given) -> Ref:
    return m.node(name, "embedding", [a[1]], (*a[1].full, a[0].shape[1]), weight=np.asarray(a[0], np.float32))
