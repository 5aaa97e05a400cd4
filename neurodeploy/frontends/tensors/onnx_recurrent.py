"""Recurrent operators of ONNX: gates i, o, f, c of an LSTM and z, r, h of a GRU, in torch's order for `recurrent`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurodeploy.frontends.tensors import recurrent
from neurodeploy.frontends.tensors.making import NodeMaker, Operand, Ref
from neurodeploy.frontends.tensors.onnx_calls import Attrs, Call, Given, constant, value

#: By operator: torch's gates as places of ONNX's, the step, values of the state.
KINDS = {
    "LSTM": ((0, 2, 3, 1), recurrent.lstm, 2),
    "GRU": ((1, 0, 2), recurrent.gru, 1),
    "RNN": ((0,), recurrent.rnn("tanh"), 1),
}
ACTIVATIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


def _in_order(array: NDArray[np.generic], gates: Sequence[int]) -> NDArray[np.generic]:
    each = np.split(array, len(gates))
    return np.concatenate([each[n] for n in gates])


def _refuse(m: NodeMaker, op: str, x: Given, a: Attrs) -> None:
    named = [str(word) for word in a.get("activations", ACTIVATIONS[op])]
    if op == "RNN" and set(named) == {"Relu"}:
        return
    if list(named) not in (ACTIVATIONS[op], ACTIVATIONS[op] * 2):
        raise m.fail(f"has the activations {named}", "use the operator's own")
    if "clip" in a or a.get("layout") or a.get("input_forget"):
        raise m.fail("has a clip, another layout or joined gates", "leave them out")
    if op == "GRU" and not a.get("linear_before_reset"):
        raise m.fail("resets before its matrix", "export it with linear_before_reset = 1, as torch does")
    if op == "LSTM" and len(x) > 7 and x[7] is not None and np.asarray(x[7]).any():
        raise m.fail("has peepholes", "leave them out")


def _state(m: NodeMaker, name: str, x: Given, n: int, way: int) -> Ref | None:
    given: Operand | None = x[n] if len(x) > n else None
    if isinstance(given, Ref):
        return m.moved(name, given, lambda p: p[way])
    if given is not None and np.asarray(given[way]).any():
        raise m.fail("starts from a constant that is not 0", "make the state an input")
    return None


def recurrence(op: str) -> Call:
    gates, step, count = KINDS[op]

    def call(m: NodeMaker, name: str, x: Given, a: Attrs) -> list[Ref]:
        _refuse(m, op, x, a)
        own = recurrent.rnn("relu") if "Relu" in map(str, a.get("activations", ())) else step
        given, weight, back = value(m, x[0]), constant(m, x[1], "weights"), constant(m, x[2], "weights")
        assert weight is not None and back is not None
        bias = constant(m, x[3] if len(x) > 3 else None, "biases")
        if len(x) > 4 and x[4] is not None and np.any(np.asarray(x[4]) != given.full[0]):
            raise m.fail("ends sequences early", "give sequences of full length")
        way = str(a.get("direction", "forward"))
        xs = [m.moved(f"{name}.x{t}", given, lambda p, t=t: p[t]) for t in range(given.full[0])]  # type: ignore[misc]
        outs, ends = [], []
        for n in range(len(weight)):
            both = (None, None) if bias is None else np.split(bias[n], 2)
            halves = (None if b is None else _in_order(b, gates) for b in both)
            cell = recurrent.Cell(_in_order(weight[n], gates), _in_order(back[n], gates), *halves)
            state = tuple(_state(m, f"{name}.start", x, 5 + k, n) for k in range(count))
            made, end = recurrent.layer(
                m, f"{name}.{n}", cell, xs, (state[0], state[1] if count > 1 else None), own,
                backwards=way == "reverse" or n == 1,
            )  # fmt: skip
            outs.append([m.moved(f"{name}.row", y, lambda p: p.reshape(1, 1, *p.shape)) for y in made])
            ends.append(end)
        rows = [m.joined(f"{name}.ways", pair, 1) if len(pair) > 1 else pair[0] for pair in zip(*outs, strict=True)]
        found = [m.joined(f"{name}.all", rows, 0) if len(rows) > 1 else rows[0]]
        for k in range(count):
            lasts = [m.moved(f"{name}.last", end[k], lambda p: p.reshape(1, *p.shape)) for end in ends]  # type: ignore[arg-type]
            found.append(m.joined(f"{name}.state", lasts, 0) if len(lasts) > 1 else lasts[0])
        return found

    return call
