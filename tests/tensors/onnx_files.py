"""Small ONNX files, made with the onnx library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

Arrays = Mapping[str, NDArray[Any]]


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> NodeProto:
    """Names are separated by spaces; "-" is an input that is left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    made: NodeProto = helper.make_node(op, names, outputs.split(), **attributes)
    return made


def model(
    nodes: Sequence[NodeProto], inputs: Mapping[str, Sequence[int]], outputs: str, arrays: Arrays | None = None,
    opset: int = 17, dtype: int = TensorProto.FLOAT,
) -> ModelProto:  # fmt: skip
    given = [helper.make_tensor_value_info(name, dtype, shape) for name, shape in inputs.items()]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()]
    held = [numpy_helper.from_array(array, name) for name, array in (arrays or {}).items()]
    graph: GraphProto = helper.make_graph(list(nodes), "net", given, made, held)
    opsets = [helper.make_opsetid("", opset)]
    found: ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return found


def written(path: Path, made: ModelProto) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


def perceptron() -> ModelProto:
    """(3,) -> (2,): Gemm, Relu, Gemm."""
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(4, 3)), "b": rng.normal(size=4), "v": rng.normal(size=(4, 2))}
    nodes = [node("Gemm", "x w b", "h", transB=1), node("Relu", "h", "r"), node("MatMul", "r v", "y")]
    return model(nodes, {"x": (1, 3)}, "y", {k: v.astype(np.float32) for k, v in arrays.items()})


def convolutions() -> ModelProto:
    """(2, 6, 6) -> (2, 9): convolutions, batch norm, pools, a reshape and a concatenation, every kind of attribute."""
    rng = np.random.default_rng(1)
    arrays: dict[str, NDArray[Any]] = {
        "w": rng.normal(size=(3, 2, 3, 3)), "b": rng.normal(size=3), "s": np.ones(3), "m": rng.normal(size=3),
        "v": rng.random(3) + 0.5, "k": rng.normal(size=(1, 3, 1, 1)),
    }  # fmt: skip
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()} | {
        "shape": np.array([1, 1, 9], np.int64)
    }
    nodes = [
        node("Conv", "x w b", "c", pads=[1, 1, 1, 1], strides=[1, 1]),
        node("BatchNormalization", "c s b m v", "n", epsilon=1e-4), node("LeakyRelu", "n", "l", alpha=0.1),
        node("MaxPool", "l", "p", kernel_shape=[2, 2], strides=[2, 2]), node("Conv", "p k", "d", auto_pad="SAME_UPPER"),
        node("AveragePool", "p", "a", kernel_shape=[1, 1]), node("ReduceMean", "a", "e", axes=[1], keepdims=1),
        node("Reshape", "d shape", "f"), node("Reshape", "e shape", "g"), node("Concat", "f g", "h", axis=1),
        node("Softmax", "h", "y", axis=-1),
    ]  # fmt: skip
    return model(nodes, {"x": (1, 2, 6, 6)}, "y", arrays)


def sequence() -> ModelProto:
    """(4, 6) -> (4, 6): attention of one head with constants computed in the file, a norm and a residual."""
    rng = np.random.default_rng(2)
    arrays: dict[str, NDArray[Any]] = {name: rng.normal(size=(6, 6)).astype(np.float32) for name in "qkv"}
    arrays |= {"one": np.ones(6, np.float32), "zero": np.zeros(6, np.float32), "six": np.array(6.0, np.float32)}
    nodes = [
        node("LayerNormalization", "x one zero", "n", axis=-1), *(node("MatMul", f"n {w}", f"n{w}") for w in "qkv"),
        node("Transpose", "nk", "t", perm=[0, 2, 1]), node("MatMul", "nq t", "s"), node("Sqrt", "six", "root"),
        node("Div", "s root", "d"), node("Softmax", "d", "p", axis=2), node("MatMul", "p nv", "o"),
        node("Add", "o x", "r"), node("Gelu", "r", "y", approximate="tanh"),
    ]  # fmt: skip
    return model(nodes, {"x": (1, 4, 6)}, "y", arrays, opset=20)
