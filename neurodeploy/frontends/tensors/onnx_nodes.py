"""What an ONNX file calls, as nodes: one row of `TABLE` for each operator (opset 13 to 26), by its name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.frontends.tensors import onnx_calls as read
from neurodeploy.frontends.tensors import onnx_shapes as shapes
from neurodeploy.frontends.tensors.onnx_calls import Call, constant, value
from neurodeploy.frontends.tensors.onnx_recurrent import KINDS, recurrence

TABLE: Mapping[str, Call] = {
    "Conv": read.conv, "ConvTranspose": read.conv_transpose, "Gemm": read.gemm, "MatMul": read.matmul,
    "Add": read.arithmetic("add"), "Sub": read.arithmetic("sub"), "Mul": read.arithmetic("mul"),
    "Div": read.arithmetic("div"),
    "Neg": lambda m, name, x, a: m.binary(name, value(m, x[0]), np.asarray(-1.0), "mul"), "Pow": read.power,
    **{op: read.plain(by) for op, by in (
        ("Exp", "exp"), ("Log", "log"), ("Reciprocal", "reciprocal"), ("Sin", "sin"),
        ("Cos", "cos"), ("Floor", "floor"), ("Ceil", "ceil"), ("Round", "round"), ("Sign", "sign"),
    )},
    "Sqrt": lambda m, name, x, a: m.node(name, "sqrt", [value(m, x[0])], value(m, x[0]).full),
    "Abs": lambda m, name, x, a: m.rectify(name, value(m, x[0]), slope=-1.0),
    "BatchNormalization": read.norm, "InstanceNormalization": read.group_norm(1),
    "GroupNormalization": read.group_norm(None),
    "LayerNormalization": read.layer_norm,
    "Relu": lambda m, name, x, a: m.rectify(name, value(m, x[0]), low=0.0),
    "LeakyRelu": lambda m, name, x, a: m.rectify(name, value(m, x[0]), slope=a.get("alpha", 0.01)),
    "PRelu": lambda m, name, x, a: m.rectify(name, value(m, x[0]), slope=constant(m, x[1], "slopes")),
    "Clip": read.clip, "Sigmoid": read.curve("sigmoid"), "Tanh": read.curve("tanh"),
    "Softplus": read.curve("softplus"), "Softsign": read.curve("softsign"),
    "Mish": read.curve("mish"), "HardSwish": read.hard_swish, "HardSigmoid": read.hard_sigmoid, "Elu": read.elu,
    "Gelu": read.gelu, "Erf": read.curve("erf"),
    "MaxPool": read.pool("max_pool"), "AveragePool": read.pool("avg_pool"),
    "GlobalAveragePool": read.over_map("mean"), "GlobalMaxPool": read.over_map("max"),
    "ReduceMean": read.reduced("mean"), "ReduceSum": read.reduced("sum"), "ReduceMax": read.reduced("amax"),
    "ArgMax": read.argmax,
    "Softmax": read.softmax(False), "LogSoftmax": read.softmax(True),
    "Reshape": shapes.reshape, "Flatten": shapes.flatten, "Transpose": shapes.transpose, "Squeeze": shapes.squeeze,
    "Unsqueeze": shapes.unsqueeze, "Slice": shapes.sliced,
    "Gather": shapes.gather, "Split": shapes.parts, "Concat": shapes.concat, "Expand": shapes.expand,
    "Tile": shapes.tile, "Pad": shapes.pad, "Resize": shapes.resize, "DepthToSpace": shapes.depth_to_space,
    **{op: recurrence(op) for op in KINDS},
    "Identity": read.same, "Dropout": read.same, "Cast": read.cast,
}  # fmt: skip
