"""Modules of one operation or few, in shapes and settings that are drawn: `CASES`, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as fn

aten = torch.ops.aten


class Draw:
    """What hypothesis draws, and tensors of a drawn seed."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        torch.manual_seed(self.int(0, 999))

    def int(self, low: int, high: int) -> int:
        return self.data.draw(st.integers(low, high))

    def of(self, *options: Any) -> Any:
        return self.data.draw(st.sampled_from(options))

    def shape(self) -> tuple[int, ...]:
        """Of a sample: a vector, a sequence, a map."""
        return tuple(self.data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))

    def map(self, channels: int = 0, sides: int = 2, least: int = 5) -> tuple[int, ...]:
        return (channels or self.int(1, 3), *(self.int(least, least + 3) for _ in range(sides)))


class Of(nn.Module):
    """A module of a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *x: torch.Tensor) -> Any:
        return self.function(*x)


class Drawn(NamedTuple):
    """A module, the shapes of its inputs for one sample, what samples are multiplied with, and a number of ids for inputs
    that are whole numbers."""

    module: nn.Module
    shapes: Sequence[tuple[int, ...]]
    scale: float = 1.0
    ids: int = 0
    above: float | None = None


class Case(NamedTuple):
    """The rows of `aten.TABLE` that such modules call, and how one is drawn."""

    rows: tuple[str, ...]
    make: Callable[[Draw], Drawn]
    onnx: bool = True


CASES: dict[str, Case] = {}


def case(rows: str, onnx: bool = True) -> Callable[[Callable[[Draw], Drawn]], Callable[[Draw], Drawn]]:
    def kept(make: Callable[[Draw], Drawn]) -> Callable[[Draw], Drawn]:
        CASES[make.__name__] = Case(tuple(rows.split()), make, onnx)
        return make

    return kept


def _conv(d: Draw, sides: int) -> Drawn:
    groups, kernel = d.of(1, 1, 2), d.int(1, 3)
    channels = groups * d.int(1, 2)
    same = d.of(False, False, True) and kernel % 2
    module = (nn.Conv1d, nn.Conv2d)[sides - 1](
        channels, groups * d.int(1, 2), kernel, stride=1 if same else d.int(1, 3), groups=groups, dilation=d.int(1, 2),
        padding="same" if same else d.int(0, 2), bias=d.of(True, False),
    )  # fmt: skip
    return Drawn(module, [d.map(channels, sides)])


@case("conv1d")
def conv1d(d: Draw) -> Drawn:
    return _conv(d, 1)


@case("conv2d")
def conv2d(d: Draw) -> Drawn:
    return _conv(d, 2)


@case("conv2d")
def conv_uneven(d: Draw) -> Drawn:
    """Sides with settings of their own."""
    module = nn.Conv2d(2, 3, (d.int(1, 3), d.int(1, 4)), (d.int(1, 2), d.int(1, 3)), (d.int(0, 2), d.int(0, 1)))
    return Drawn(module, [d.map(2)])


def _transposed(d: Draw, sides: int) -> Drawn:
    groups, stride = d.of(1, 2), d.int(1, 3)
    channels, dilation = groups * d.int(1, 2), d.int(1, 2)
    kernel = d.int(2, 3)
    module = (nn.ConvTranspose1d, nn.ConvTranspose2d)[sides - 1](
        channels, groups * d.int(1, 2), kernel, stride, d.int(0, 1), d.int(0, stride - 1), groups, dilation=dilation
    )
    return Drawn(module, [d.map(channels, sides, 3)])


@case("conv_transpose1d")
def conv_transpose1d(d: Draw) -> Drawn:
    return _transposed(d, 1)


@case("conv_transpose2d")
def conv_transpose2d(d: Draw) -> Drawn:
    return _transposed(d, 2)


@case("conv2d _native_batch_norm_legit_no_training relu")
def conv_norm_relu(d: Draw) -> Drawn:
    norm = nn.BatchNorm2d(3, affine=d.of(True, False))
    norm.running_mean, norm.running_var = torch.randn(3), torch.rand(3) + 0.2
    return Drawn(nn.Sequential(nn.Conv2d(2, 3, d.int(1, 3)), norm, nn.ReLU()), [d.map(2)])


@case("conv_transpose2d _native_batch_norm_legit_no_training")
def transposed_norm(d: Draw) -> Drawn:
    groups = d.of(1, 2)
    norm = nn.BatchNorm2d(4)
    norm.running_mean, norm.running_var = torch.randn(4), torch.rand(4) + 0.2
    return Drawn(nn.Sequential(nn.ConvTranspose2d(2, 4, 3, d.int(1, 2), groups=groups), norm), [d.map(2, 2, 3)])


@case("_native_batch_norm_legit_no_training linear")
def vector_norm(d: Draw) -> Drawn:
    norm = nn.BatchNorm1d(5)
    norm.running_mean, norm.running_var = torch.randn(5), torch.rand(5) + 0.2
    first = nn.Linear(3, 5)
    return (
        Drawn(nn.Sequential(first, norm), [(3,)])
        if d.of(True, False)
        else Drawn(nn.Sequential(norm, nn.Linear(5, 2)), [(5,)])
    )


@case("linear")
def linear(d: Draw) -> Drawn:
    inner = d.int(1, 6)
    return Drawn(nn.Linear(inner, d.int(1, 5), bias=d.of(True, False)), [(*d.shape()[: d.int(0, 2)], inner)])


@case("linear")
def linear_of_a_map(d: Draw) -> Drawn:
    """A matrix that reads a convolution's map, which lies in another order."""
    c, h, w = d.map(2, 2, 3)
    return Drawn(nn.Sequential(nn.Conv2d(c, 2, 1), nn.Flatten(), nn.Linear(2 * h * w, d.int(1, 4))), [(c, h, w)])


@case("addmm mm t", onnx=False)
def matrices(d: Draw) -> Drawn:
    inner, bias = d.int(3, 5), torch.randn(3)
    weight, right = torch.randn(inner, 3), torch.randn(inner, 3)
    return Drawn(Of(lambda x: aten.mm(x, right) + aten.addmm(bias, x, weight) + aten.t(aten.t(x[:, :3]))), [(inner,)])


@case("matmul bmm transpose")
def products(d: Draw) -> Drawn:
    rows, inner, columns = d.int(1, 3), d.int(1, 4), d.int(1, 3)
    call = d.of(torch.matmul, torch.bmm)
    return Drawn(Of(lambda a, b: call(a, b.transpose(1, 2))), [(rows, inner), (columns, inner)])


@case("matmul")
def constant_products(d: Draw) -> Drawn:
    right, left = torch.randn(4, 3), torch.randn(2, 3)
    if d.of(True, False):
        return Drawn(Of(lambda x: x @ right), [(d.int(1, 3), 4)])
    return Drawn(Of(lambda x: torch.matmul(left, x)), [(3, d.int(1, 4))])


@case("add mul sub rsub div neg")
def constants(d: Draw) -> Drawn:
    shape = d.shape()
    c, k = torch.rand(shape) + 0.5, torch.randn(shape[-1:])
    which = d.of(
        lambda x: (x + c) * k, lambda x: (x - k) / c, lambda x: torch.rsub(x, 0.5) * 3, lambda x: -x / 4 + 1.5,
        lambda x: c - x, lambda x: x.sub(k, alpha=2.0),
    )  # fmt: skip
    return Drawn(Of(lambda x: which(x) + torch.rsub(x, 0.5) * 0.5 - x / 2 - (-x)), [shape], d.of(0.5, 3.0))


@case("rsub", onnx=False)
def rsub_alpha(d: Draw) -> Drawn:
    alpha = d.of(0.5, 2)
    return Drawn(Of(lambda x: torch.rsub(x, torch.ones(x.shape[1:]), alpha=alpha)), [d.shape()])


@case("add sub mul")
def residual(d: Draw) -> Drawn:
    """Two branches whose ranges differ."""
    factor, other = d.of(0.05, 1.0, 20.0), d.of(1.0, 8.0)
    branches = nn.Sequential(nn.Linear(6, 6), nn.ReLU()), nn.Linear(6, 6)

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = branches

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x - self.a(x) * factor + self.b(x) * other

    return Drawn(Residual(), [(6,)])


@case("mul div square pow")
def values(d: Draw) -> Drawn:
    """Products and a quotient of two values, and squares."""
    shape = d.shape()
    return Drawn(Of(lambda a, b: (a * b, a / (2 + aten.square(b)), a**2 * b, a * a - b)), [shape, shape], 2.0)


@case("mul")
def wide_values(d: Draw) -> Drawn:
    """A factor of its own for each channel."""
    c, h, w = d.map()
    return Drawn(Of(lambda x, y: x * y), [(c, h, w), (c, 1, 1)], 2.0)


def several(
    name: str, rows: str, *functions: Callable[[torch.Tensor], torch.Tensor], above: float | None = None
) -> None:
    """Functions of one value of any shape."""

    def make(d: Draw) -> Drawn:
        return Drawn(Of(lambda x: tuple(call(x) for call in functions)), [d.shape()], d.of(1.0, 4.0), above=above)

    CASES[name] = Case(tuple(rows.split()), make)


several(
    "lines", "relu relu6 hardtanh clamp clamp_min clamp_max leaky_relu", fn.relu, fn.relu6,
    lambda x: fn.hardtanh(x, -0.5, 2),
    lambda x: x.clamp(-1.5, 2.0), lambda x: x.clamp(0.25, 2.0), lambda x: aten.clamp_min(x, -0.3),
    lambda x: x.clamp(max=-0.5), lambda x: aten.clamp_max(x, 0.7),
    lambda x: fn.leaky_relu(x, 0.2), lambda x: fn.leaky_relu(x, -1.2),
)  # fmt: skip
several(
    "curves", "sigmoid tanh silu gelu mish hardswish hardsigmoid softplus elu erf", torch.sigmoid, torch.tanh, fn.silu,
    fn.gelu, lambda x: fn.gelu(x, approximate="tanh"), fn.mish, fn.hardswish, fn.hardsigmoid, fn.softplus,
    fn.elu, torch.erf, fn.softsign,
)  # fmt: skip
several(
    "plain", "exp abs sin cos floor ceil round sign", torch.exp, torch.abs, torch.sin, torch.cos, torch.floor, torch.ceil,
    torch.round, torch.sign,
)  # fmt: skip
several(
    "above_zero", "log sqrt rsqrt reciprocal pow", torch.log, torch.sqrt, torch.rsqrt, torch.reciprocal, lambda x: x**1.5,
    above=0.25,
)  # fmt: skip


@case("sigmoid tanh silu gelu mish hardswish softplus elu erf")
def far_curves(d: Draw) -> Drawn:
    """Values far beyond a table's middle."""
    curves = (torch.sigmoid, torch.tanh, fn.silu, fn.gelu, fn.mish, fn.hardswish, fn.softplus, fn.elu, torch.erf)
    return Drawn(Of(lambda x: tuple(call(x) for call in curves)), [(6,)], d.of(20.0, 200.0))


@case("prelu")
def prelu(d: Draw) -> Drawn:
    channels = d.of(1, 3)
    module = nn.PReLU(channels)
    module.weight.data.uniform_(-0.5, 1.5)
    if d.of(True, False):
        return Drawn(nn.Sequential(nn.Conv2d(2, 3, 1), module), [d.map(2)])
    return Drawn(module, [d.map(3)])


@case("leaky_relu conv1d hardtanh")
def bent(d: Draw) -> Drawn:
    """Activations in the neuron of a convolution, with slopes of any sign."""
    act = d.of(nn.LeakyReLU(0.1), nn.LeakyReLU(-0.3), nn.LeakyReLU(1.7), nn.ReLU6(), nn.Hardtanh(-0.25, 0.75))
    return Drawn(
        nn.Sequential(nn.Conv1d(2, 2, 3), act, nn.Hardtanh(0, 6), nn.LeakyReLU(0.1), nn.Hardtanh()), [d.map(2, 1)]
    )


def _pool(d: Draw, sides: int) -> tuple[dict[str, Any], tuple[int, ...]]:
    kernel = d.of(1, 2, 2, 3, 4, 5, 8)
    size = d.map(0, sides, max(4, kernel))
    return {"kernel_size": kernel, "stride": d.of(None, 1, 2, 3), "padding": d.int(0, kernel // 2)}, size


@case("max_pool1d")
def max_pool1d(d: Draw) -> Drawn:
    given, size = _pool(d, 1)
    return Drawn(nn.MaxPool1d(**given), [size])


@case("max_pool2d")
def max_pool2d(d: Draw) -> Drawn:
    given, size = _pool(d, 2)
    return Drawn(nn.MaxPool2d(**given), [size])


@case("max_pool2d relu conv2d")
def max_pool_spread(d: Draw) -> Drawn:
    """Windows with holes, uneven ones, and ones behind a convolution."""
    pool = d.of(
        nn.MaxPool2d(3, 2, 1, 2),
        nn.MaxPool2d((2, 3), (1, 2), (1, 0)),
        nn.MaxPool2d((1, 5), 2),
        nn.MaxPool2d(2, 1, 0, 3),
    )
    return Drawn(nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), pool), [d.map(2)])


@case("avg_pool1d")
def avg_pool1d(d: Draw) -> Drawn:
    given, size = _pool(d, 1)
    return Drawn(nn.AvgPool1d(**given, count_include_pad=d.of(True, False)), [size])


@case("avg_pool2d")
def avg_pool2d(d: Draw) -> Drawn:
    given, size = _pool(d, 2)
    return Drawn(nn.AvgPool2d(**given, count_include_pad=d.of(True, False)), [size])


@case("adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d")
def adaptive(d: Draw) -> Drawn:
    n = d.of(1, 2, 3)

    def call(x: torch.Tensor, y: torch.Tensor) -> Any:
        two, one = (fn.adaptive_avg_pool2d(x, (n, 1)), fn.adaptive_max_pool2d(x, n)), fn.adaptive_avg_pool1d(y, n)
        return *two, one, fn.adaptive_max_pool1d(y, n)

    return Drawn(Of(call), [(2, 6, 6), (2, 6)])


@case("cat")
def cat(d: Draw) -> Drawn:
    axis, inner = d.of(1, 2, 3, -1), [2, 3, 4]
    shapes = [tuple(n + d.int(0, 2) * (k + 1 == axis % 4) for k, n in enumerate(inner)) for _ in range(3)]
    factor = d.of(0.1, 1.0, 30.0)
    return Drawn(Of(lambda x, y, z: torch.cat([x, y * factor, z.relu()], axis)), shapes)


@case("cat")
def cat_rows(d: Draw) -> Drawn:
    """Along the axis of samples, of one sample each."""
    return Drawn(Of(lambda x, y: torch.cat([x, y], 0).sum(0, keepdim=True)), [(3,), (3,)])


@case("stack unsqueeze squeeze select")
def stack(d: Draw) -> Drawn:
    axis = d.of(1, 2, -1)
    return Drawn(
        Of(lambda x, y: (torch.stack([x, y], axis), x.unsqueeze(axis).squeeze(axis), x[:, 1] + y[:, 0])),
        [(2, 3), (2, 3)],
    )


@case("slice select split split_with_sizes view")
def parts(d: Draw) -> Drawn:
    start, step = d.int(0, 2), d.int(1, 3)

    def call(x: torch.Tensor) -> Any:
        a, b = x.split([2, 4], 2)
        first, *_ = aten.split(x, 2, 1)
        c, e = x.chunk(2, -1)
        return x[:, :, start::step], x[:, 1, ..., -1], a.flatten(1), b - 1, x.view(1, 18, 4), first * 2, c + e

    return Drawn(Of(call), [(3, 6, 4)])


@case("permute transpose view flip expand repeat index_select relu")
def moves(d: Draw) -> Drawn:
    order = d.of((0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2))
    index = torch.tensor([2, 0, 0])

    def call(x: torch.Tensor) -> Any:
        y = x.permute(order)
        return (
            y.reshape(1, -1), x.relu().view(1, 3, 8), x.flip(2, 3), x[:, :1].expand(-1, 5, -1, -1) + 1,
            x.repeat(1, 2, 1, 1), x.index_select(1, index), x.transpose(1, -1).contiguous().view(1, -1), y.relu(),
        )  # fmt: skip

    return Drawn(Of(call), [(3, 2, 4)])


@case("conv2d pixel_shuffle upsample_nearest2d upsample_nearest1d")
def upsampled(d: Draw) -> Drawn:
    factor = d.of(2, 3)

    def call(x: torch.Tensor, y: torch.Tensor) -> Any:
        z = fn.conv2d(x, torch.ones(4, 4, 1, 1) - 2 * torch.eye(4)[..., None, None])
        return (
            fn.pixel_shuffle(z, 2),
            fn.interpolate(z, scale_factor=factor),
            fn.interpolate(y, scale_factor=float(factor)),
        )

    return Drawn(Of(call), [(4, 2, 3), (2, 3)])


@case("upsample_nearest2d", onnx=False)
def upsampled_to_a_size(d: Draw) -> Drawn:
    size = d.int(2, 9), d.int(2, 9)
    return Drawn(Of(lambda x: fn.interpolate(x, size=size)), [(2, 3, 4)])


@case("pad")
def pad(d: Draw) -> Drawn:
    mode, widths = d.of("constant", "reflect", "replicate", "circular"), [d.int(0, 2) for _ in range(4)]
    return Drawn(Of(lambda x: fn.pad(x, widths, mode=mode)), [(2, 3, 4)])


@case("constant_pad_nd slice", onnx=False)
def padded_axes(d: Draw) -> Drawn:
    """Any axes, and windows that are cut off."""
    widths = [d.int(0, 2) for _ in range(d.of(2, 4, 6, 8))]
    return Drawn(Of(lambda x: aten.constant_pad_nd(x, widths)[:1, :, 1:].relu() + 1), [(2, 3, 4)])


@case("mean sum amax argmax")
def reductions(d: Draw) -> Drawn:
    axes, keep = d.of((1,), (2,), (3,), (2, 3), (1, 2), (1, 2, 3), (-1,)), d.of(True, False)

    def call(x: torch.Tensor) -> Any:
        found = x.mean(axes, keepdim=keep), x.sum(axes, keepdim=keep), x.amax(axes, keepdim=keep)
        return *found, x.argmax(axes[0], keepdim=keep).float()

    return Drawn(Of(call), [(2, 3, 4)])


@case("mean sum argmax", onnx=False)
def whole_reductions(d: Draw) -> Drawn:
    """Over everything, and over the one sample."""
    return Drawn(Of(lambda x: (x.mean().reshape(1, 1), x.sum(0), x.argmax().reshape(1, 1).float())), [d.shape()])


@case("layer_norm")
def layer_norm(d: Draw) -> Drawn:
    shape, axes = (2, 3, 4), d.int(1, 3)
    module = nn.LayerNorm(shape[-axes:], elementwise_affine=d.of(True, False))
    return Drawn(module, [shape], d.of(0.1, 3.0))


@case("group_norm")
def group_norm(d: Draw) -> Drawn:
    groups = d.of(1, 2, 4)
    return Drawn(
        nn.GroupNorm(groups, 4, affine=d.of(True, False)),
        [d.of((4, 3, 2), (4, 5), (4,))] if groups < 4 else [(4, 3, 2)],
    )


@case("rms_norm", onnx=False)
def rms_norm(d: Draw) -> Drawn:
    return Drawn(nn.RMSNorm(4, eps=d.of(None, 1e-3)), [(3, 4)])


@case("_unsafe_view _softmax _log_softmax _prelu_kernel", onnx=False)
def raw(d: Draw) -> Drawn:
    axis = d.of(1, 2, -1)

    def call(x: torch.Tensor) -> Any:
        bent = aten._prelu_kernel(x, torch.tensor([0.5]))
        return (
            aten._softmax(x, axis, False),
            aten._log_softmax(x, axis, False),
            aten._unsafe_view(x.relu(), [1, 2, 4]),
            bent,
        )

    return Drawn(Of(call), [(2, 4)], 2.0)


@case("softmax log_softmax")
def softmax(d: Draw) -> Drawn:
    axis = d.of(1, -1)
    return Drawn(Of(lambda x: (fn.softmax(x, axis), fn.log_softmax(x, axis))), [(2, 4)], 2.0)


@case("scaled_dot_product_attention linear")
def attention(d: Draw) -> Drawn:
    causal, mask = d.of(True, False), d.of(None, torch.tensor([[True, False, True]]), torch.randn(3, 3))

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(4, 4) for _ in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = (each(x).view(1, 3, 2, 2).transpose(1, 2) for each in (self.q, self.k, self.v))
            found = fn.scaled_dot_product_attention(q, k, v, None if causal else mask, is_causal=causal)
            return found.transpose(1, 2).reshape(1, 3, 4)

    return Drawn(Attention(), [(3, 4)])


class Recurrent(nn.Module):
    """A sequence; its outputs and last states. The samples come first or second."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> Any:
        out, last = self.layer(x if self.layer.batch_first else x.transpose(0, 1))
        out = out if self.layer.batch_first else out.transpose(0, 1)
        return out, *(state.transpose(0, 1) for state in (last if isinstance(last, tuple) else (last,)))


def _recurrent(d: Draw, kind: type[nn.RNNBase], **more: Any) -> Drawn:
    inputs, layers, both = d.int(1, 4), d.int(1, 2), d.of(True, False)
    layer = kind(
        inputs, d.int(1, 4), layers, bidirectional=both, batch_first=d.of(True, False), bias=d.of(True, False), **more
    )
    return Drawn(Recurrent(layer), [(d.int(1, 4), inputs)])


@case("lstm")
def lstm(d: Draw) -> Drawn:
    return _recurrent(d, nn.LSTM)


@case("gru")
def gru(d: Draw) -> Drawn:
    return _recurrent(d, nn.GRU)


@case("rnn_tanh")
def rnn_tanh(d: Draw) -> Drawn:
    return _recurrent(d, nn.RNN)


@case("rnn_relu")
def rnn_relu(d: Draw) -> Drawn:
    return _recurrent(d, nn.RNN, nonlinearity="relu")


@case("embedding")
def embedding(d: Draw) -> Drawn:
    return Drawn(nn.Sequential(nn.Embedding(7, 3), nn.Linear(3, 2)), [(d.int(1, 4),)], ids=7)


@case("clone detach type_as _to_copy alias", onnx=False)
def nothing(d: Draw) -> Drawn:
    """What changes no number."""

    def call(x: torch.Tensor) -> torch.Tensor:
        x = aten.alias(aten.lift_fresh_copy(aten._to_copy(x.clone().contiguous(), dtype=torch.float32))).detach()
        x = fn.dropout(x, 0.5, False).type_as(x).to(torch.float32)
        return aten.feature_dropout(x, 0.5, False) + 1

    return Drawn(Of(call), [d.shape()])


@case("_to_copy")
def whole_numbers(d: Draw) -> Drawn:
    """A number becomes an integer towards 0."""
    return Drawn(Of(lambda x: x.to(torch.int64).float() + x.int()), [d.shape()], 5.0)
