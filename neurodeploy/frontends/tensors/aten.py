"""What `torch.export` calls, as nodes: one row of `TABLE` for each operator, by its name without overload."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.frontends.tensors import aten_calls as read
from neurodeploy.frontends.tensors import aten_sequences as sequences
from neurodeploy.frontends.tensors import recurrent as recurrences
from neurodeploy.frontends.tensors.aten_calls import Call, arg, sides
from neurodeploy.frontends.tensors.aten_recurrent import recurrent

TABLE: Mapping[str, Call] = {
    "conv1d": read.conv(False), "conv2d": read.conv(False), "conv_transpose1d": read.conv(True),
    "conv_transpose2d": read.conv(True),
    "linear": read.linear, "addmm": read.addmm,
    "mm": lambda m, name, a: m.product(name, a[0], a[1]), "bmm": lambda m, name, a: m.product(name, a[0], a[1]),
    "matmul": lambda m, name, a: m.product(name, a[0], a[1]),
    "add": read.arithmetic("add"), "sub": read.arithmetic("sub"), "rsub": read.arithmetic("sub", turned=True),
    "mul": read.arithmetic("mul"), "div": read.arithmetic("div"),
    "neg": lambda m, name, a: m.binary(name, a[0], np.asarray(-1.0), "mul"),
    "_native_batch_norm_legit_no_training": read.norm,
    "relu": lambda m, name, a: m.rectify(name, a[0], low=0.0),
    "relu6": lambda m, name, a: m.rectify(name, a[0], low=0.0, high=6.0),
    "hardtanh": lambda m, name, a: m.rectify(name, a[0], low=arg(a, 1, -1.0), high=arg(a, 2, 1.0)),
    "clamp": read.clamp, "clamp_min": read.clamp, "clamp_max": lambda m, name, a: m.rectify(name, a[0], high=a[1]),
    "leaky_relu": lambda m, name, a: m.rectify(name, a[0], slope=arg(a, 1, 0.01)),
    "prelu": lambda m, name, a: m.rectify(name, a[0], slope=a[1]),
    "_prelu_kernel": lambda m, name, a: m.rectify(name, a[0], slope=a[1]),
    "sigmoid": read.curve("sigmoid"), "tanh": read.curve("tanh"), "silu": read.curve("silu"), "gelu": read.gelu,
    "mish": read.curve("mish"),
    "hardswish": read.curve("hard_swish"), "hardsigmoid": read.curve("hard_sigmoid"),
    "softplus": read.curve_of("softplus", beta=1.0, threshold=20.0),
    "elu": read.curve_of("elu", alpha=1.0, scale=1.0, input_scale=1.0),
    **{by: read.plain(by) for by in (
        "exp", "log", "rsqrt", "reciprocal", "sin", "cos", "floor", "ceil", "round", "sign",
    )},
    "sqrt": lambda m, name, a: m.node(name, "sqrt", [a[0]], a[0].full),
    "abs": lambda m, name, a: m.rectify(name, a[0], slope=-1.0),
    "erf": read.curve("erf"),
    "pow": read.power, "square": lambda m, name, a: m.node(name, "mul", [a[0], a[0]], a[0].full),
    "view": read.moved(lambda p, a: p.reshape(sides(a[1]))), "reshape": read.moved(lambda p, a: p.reshape(sides(a[1]))),
    "_unsafe_view": read.moved(lambda p, a: p.reshape(sides(a[1]))),
    "permute": read.moved(lambda p, a: p.transpose(sides(a[1]))), "t": read.moved(lambda p, a: p.T),
    "transpose": read.moved(lambda p, a: p.swapaxes(int(a[1]), int(a[2]))),
    "squeeze": read.moved(read.squeezed), "unsqueeze": read.moved(lambda p, a: np.expand_dims(p, int(a[1]))),
    "slice": read.moved(read.sliced), "select": read.moved(lambda p, a: p.take(int(a[2]), axis=int(a[1]))),
    "expand": read.moved(lambda p, a: np.broadcast_to(p, [s if n < 0 else n for n, s in zip(
        sides(a[1]), (1,) * (len(a[1]) - p.ndim) + p.shape, strict=True)])),
    "repeat": read.moved(lambda p, a: np.tile(p, sides(a[1]))),
    "flip": read.moved(lambda p, a: np.flip(p, tuple(sides(a[1])))),
    "index_select": read.moved(read.index_select),
    "pixel_shuffle": read.moved(read.pixel_shuffle),
    "split": read.split, "split_with_sizes": read.split, "chunk": read.chunk, "cat": read.cat, "stack": read.stack,
    "pad": read.pad, "constant_pad_nd": read.pad, "max_pool1d": read.max_pool, "max_pool2d": read.max_pool,
    "avg_pool1d": read.avg_pool, "avg_pool2d": read.avg_pool,
    "adaptive_avg_pool1d": read.adaptive("avg_pool"), "adaptive_avg_pool2d": read.adaptive("avg_pool"),
    "adaptive_max_pool1d": read.adaptive("max_pool"), "adaptive_max_pool2d": read.adaptive("max_pool"),
    "mean": read.reduced("mean"), "sum": read.reduced("sum"), "amax": read.reduced("amax"), "argmax": read.reduced("argmax"),
    "layer_norm": sequences.layer_norm, "rms_norm": sequences.rms_norm, "group_norm": sequences.group_norm,
    "softmax": sequences.softmax(False), "_softmax": sequences.softmax(False),
    "log_softmax": sequences.softmax(True), "_log_softmax": sequences.softmax(True),
    "scaled_dot_product_attention": sequences.attention,
    "lstm": recurrent(recurrences.lstm, cells=True), "gru": recurrent(recurrences.gru),
    "rnn_tanh": recurrent(recurrences.rnn("tanh")), "rnn_relu": recurrent(recurrences.rnn("relu")),
    "embedding": sequences.embedding,
    "upsample_nearest1d": read.upsample, "upsample_nearest2d": read.upsample,
    "dropout": read.dropout, "feature_dropout": read.dropout, "to": read.cast, "_to_copy": read.cast,
    **dict.fromkeys(("clone", "contiguous", "detach", "alias", "lift_fresh_copy", "type_as"), read.same),
}  # fmt: skip
