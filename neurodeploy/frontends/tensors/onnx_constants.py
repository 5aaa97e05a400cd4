"""Operators of ONNX whose inputs are all constants: shapes that exporters compute, weights that they scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.frontends.tensors.making import NodeMaker, in_a_line
from neurodeploy.frontends.tensors.sizes import LARGEST

#: Those of values that broadcast against one another, those that make no more than they read, and those that make more.
ELEMENTWISE = frozenset((
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Or",
    "Pow", "Sub", "Sum", "Where", "Xor",
))  # fmt: skip
PLAIN = frozenset((
    "Abs", "ArgMax", "ArgMin", "Cast", "Ceil", "Clip", "Concat", "Cos", "CumSum", "Dropout", "Erf", "Exp", "Flatten",
    "Floor", "Identity", "IsInf", "IsNaN", "Log", "Neg", "Not", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin",
    "ReduceProd", "ReduceSum", "Relu", "Reshape", "Round", "Shape", "Sigmoid", "Sign", "Sin", "Size", "Slice", "Split",
    "Sqrt", "Squeeze", "Tanh", "Transpose", "Trilu", "Unsqueeze",
))  # fmt: skip
GROWING = frozenset(("ConstantOfShape", "Expand", "Gather", "MatMul", "Range", "Tile"))


def reckoned(op: str, given: Sequence[NDArray[Any]], axis: int) -> int:
    """How many numbers the operator makes at most, before it does."""
    if op == "ConstantOfShape":
        return math.prod(int(n) for n in given[0].reshape(-1))
    if op == "Expand":
        return math.prod(np.broadcast_shapes(given[0].shape, tuple(int(n) for n in given[1].reshape(-1))))
    if op == "Tile":
        return math.prod(int(n) for n in given[1].reshape(-1)) * given[0].size
    if op == "Range":
        start, limit, step = (float(x.reshape(())) for x in given)
        return math.ceil(abs((limit - start) / step))
    if op == "Gather":
        return int(given[0].size // given[0].shape[axis] * given[1].size)
    if op == "MatMul":
        return int(given[0].size * given[1].shape[-1])
    return math.prod(np.broadcast_shapes(*(x.shape for x in given))) if op in ELEMENTWISE else 0


def folded(
    making: NodeMaker, op: str, given: Sequence[Any], attrs: dict[str, Any], outputs: int, opset: int
) -> list[NDArray[Any]]:
    """An operator of constants alone, by the reference evaluator of the library."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    if op == "Constant":
        value = next(iter(attrs.values()))
        return [np.asarray(value)]
    if op not in ELEMENTWISE | PLAIN | GROWING:
        raise making.fail("of constants is not computed", "fold constants before the export")
    try:
        held = [np.asarray(x) for x in given if x is not None]
        size = max(sum(x.size for x in held), reckoned(op, held, int(attrs.get("axis", 0))))
    except Exception as error:
        raise making.fail(f"of constants cannot be computed: {in_a_line(error)}", "fold constants first") from error
    if size > LARGEST:
        raise making.fail("computes with large constants", "fold them before the export")
    try:
        kept = {k: onnx.numpy_helper.from_array(v) if isinstance(v, np.ndarray) else v for k, v in attrs.items()}
        names = [f"x{n}" if x is not None else "" for n, x in enumerate(given)]
        made = [f"y{n}" for n in range(outputs)]
        node = onnx.helper.make_node(op, names, made, **kept)
        info = [
            onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(np.asarray(x).dtype), np.shape(x))
            for n, x in zip(names, given, strict=True) if n
        ]  # fmt: skip
        graph = onnx.helper.make_graph([node], "one", info, [onnx.ValueInfoProto(name=name) for name in made])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
        found = ReferenceEvaluator(model).run(None, {n: np.asarray(x) for n, x in zip(names, given, strict=True) if n})
    except Exception as error:
        raise making.fail(f"of constants cannot be computed: {in_a_line(error)}", "fold constants first") from error
    return [np.asarray(x) for x in found]
