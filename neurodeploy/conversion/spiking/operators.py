"""A chain of linear nodes as one linear map: a convolution where it is one, otherwise a matrix of what is not zero.

Convolutions, pools and channel-wise scales compose into one convolution::

    out[X] = sum_q B[q] mid[X sB + q],  mid[Y] = sum_r A[r] in[Y sA - pA + r]
           = sum_{q, r} B[q] A[r] in[X (sA sB) - pA + (q sA + r)]

exactly, as long as B pads nothing (or A is a pool whose windows tile its input, so that what B pads is padding of A too).
Everything else is read off column by column from the answers to unit inputs. All indices here are in NIR's order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.float_linear import apply, integer, padding, sides
from neurodeploy.ir.float_network import FloatNode, Floats, size_of

#: Synapses of one projection, and values that are computed to find them (about a minute).
MAX_SYNAPSES, MAX_WORK = 1 << 28, 1 << 35
#: Values of one batch of unit inputs.
BATCH = 1 << 22
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """kernel (out, in / groups, kh, kw) without dilation gaps taken out; shapes (C, H, W)."""

    kernel: Floats
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int
    in_shape: tuple[int, int, int]
    shape: tuple[int, int, int]

    #: No synapse has a delay of its own.
    lag: ClassVar[None] = None

    def scaled(self, gain: Floats) -> Convolution | None:
        """Times `gain` (*shape,), where that is one number a channel."""
        flat = gain.reshape(self.shape[0], -1)
        if not bool((flat == flat[:, :1]).all()):
            return None
        return replace(self, kernel=self.kernel * flat[:, 0].reshape(-1, 1, 1, 1))

    def row_sums(self) -> tuple[Floats, Floats]:
        """(size,) sums of the positive and of the negative weights of a target, at most (away from the border)."""
        each = size_of(self.shape[1:])
        positive = np.maximum(self.kernel, 0).sum(axis=(1, 2, 3))
        negative = np.minimum(self.kernel, 0).sum(axis=(1, 2, 3))
        return np.repeat(positive, each), np.repeat(negative, each)

    @property
    def values(self) -> Floats:
        return self.kernel

    @property
    def rows_of_values(self) -> int:
        """Channels: all targets of one share their weights."""
        return int(self.kernel.shape[0])

    @property
    def row_of_values(self) -> NDArray[np.int64]:
        """(weights,) the channel of each."""
        return np.repeat(np.arange(self.kernel.shape[0], dtype=np.int64), self.kernel[0].size)


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Entries of a matrix (rows, columns); `lag` (entries,) are steps of delay, None for none."""

    rows: int
    columns: int
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    values: Floats
    lag: NDArray[np.int64] | None = None

    @property
    def rows_of_values(self) -> int:
        return self.rows

    @property
    def row_of_values(self) -> NDArray[np.int64]:
        return self.row

    def scaled(self, gain: Floats) -> Matrix:
        return replace(self, values=self.values * gain.reshape(-1)[self.row])

    def row_sums(self) -> tuple[Floats, Floats]:
        positive = np.bincount(self.row, np.maximum(self.values, 0), self.rows)
        negative = np.bincount(self.row, np.minimum(self.values, 0), self.rows)
        return positive.astype(np.float64), negative.astype(np.float64)


Operator = Convolution | Matrix


#: Told how many of all columns of a matrix are known.
Tick = Callable[[int, int], None]


def compose(
    nodes: Sequence[FloatNode], in_shape: tuple[int, ...], shape: tuple[int, ...], tick: Tick | None = None
) -> Operator:
    """The linear part of a chain; an empty chain is the identity. Raises ND1244."""
    whole = _convolution(nodes, in_shape, shape)
    return whole if whole is not None else matrix(nodes, size_of(in_shape), in_shape, size_of(shape), tick)


def matrix(
    nodes: Sequence[FloatNode], columns: int, in_shape: tuple[int, ...], rows: int, tick: Tick | None = None
) -> Matrix:
    """The matrix of a chain. Raises ND1244."""
    useful = [node for node in nodes if node.kind != "flatten"]
    if not useful:
        index = np.arange(rows, dtype=np.int64)
        return Matrix(rows, columns, index, index, np.ones(rows))
    if len(useful) == 1 and useful[0].kind in ("linear", "affine"):
        weight = useful[0].params["weight"]
        row, column = np.nonzero(weight)
        return Matrix(rows, columns, row.astype(np.int64), column.astype(np.int64), weight[row, column])
    widest = max(columns, *(node.size for node in nodes))
    if columns * widest > MAX_WORK:
        problem = f"is a chain of linear nodes from {columns} to {rows} values that is no convolution"
        raise UserError("ND1244", nodes[-1].name, problem, "put neurons between the linear nodes, or split the layer")
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], Floats]] = []
    found, step = 0, max(1, BATCH // widest)
    for begin in range(0, columns, step):
        count = min(step, columns - begin)
        x = _answers(nodes, in_shape, begin, count)
        column, row = np.nonzero(x.reshape(count, rows))
        parts.append((row.astype(np.int64), column.astype(np.int64) + begin, x.reshape(count, rows)[column, row]))
        found += row.size
        if tick is not None:
            tick(begin + count, columns)
        if found > MAX_SYNAPSES:
            problem = f"gives more than {MAX_SYNAPSES} synapses when its linear nodes are joined"
            raise UserError(
                "ND1244", nodes[-1].name, problem, "put neurons between the linear nodes, or split the layer"
            )
    row, column, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Matrix(rows, columns, row, column, values)


def _answers(nodes: Sequence[FloatNode], in_shape: tuple[int, ...], begin: int, count: int) -> Floats:
    """(count, *shape) of the last node for unit inputs from number `begin` on; zeros as soon as nothing is left of them."""
    first = next((place for place, node in enumerate(nodes) if node.kind != "flatten"), 0)
    if nodes[first].kind in ("linear", "affine"):  # the answers to unit inputs are its columns, without a product
        x: Floats = np.ascontiguousarray(nodes[first].params["weight"].T[begin : begin + count])
        nodes = nodes[first + 1 :]
    else:
        x = np.zeros((count, size_of(in_shape)))
        x[np.arange(count), begin + np.arange(count)] = 1.0
        x = x.reshape(count, *in_shape)
    for node in nodes:
        if not x.any():
            return np.zeros((count, *nodes[-1].shape))
        x = apply(node, x, bias=False)
    return x


def _convolution(nodes: Sequence[FloatNode], in_shape: tuple[int, ...], shape: tuple[int, ...]) -> Convolution | None:
    """The chain as one convolution, None where it is none (or where it is a plain identity)."""
    whole: Convolution | None = None
    for node in nodes:
        if node.kind == "scale" and whole is not None:
            whole = whole.scaled(node.params["scale"])
        else:
            part = _single(node)
            if part is None:
                return None
            whole = part if whole is None else _join(whole, part)
        if whole is None:
            return None
    if whole is None or _flat(whole.in_shape) != _flat(in_shape) or _flat(whole.shape) != _flat(shape):
        return None
    return whole


def _flat(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(C, 1, L) and (C, L) are the same."""
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape


def _single(node: FloatNode) -> Convolution | None:
    if node.kind not in ("conv1d", "conv2d", "sum_pool2d", "avg_pool2d"):
        return None
    pads = padding(node.options)
    if any(before != after for before, after in pads):
        return None
    stride, before = sides(node.options, "stride"), tuple(pad[0] for pad in pads)
    if node.kind in ("conv1d", "conv2d"):
        kernel, groups = node.params["weight"], integer(node.options, "groups")
        dilation = sides(node.options, "dilation")
    else:
        window = sides(node.options, "kernel_size")
        groups, dilation = node.in_shape[0], (1, 1)
        kernel = np.full((groups, 1, *window), 1.0 if node.kind == "sum_pool2d" else 1.0 / size_of(window))
    if node.kind == "conv1d":
        kernel, stride, before, dilation = kernel[:, :, None], (1, *stride), (0, *before), (1, *dilation)
    shapes = _flat(node.in_shape), _flat(node.shape)
    return Convolution(
        kernel, _pair(stride), _pair(before), _pair(dilation), groups, _three(shapes[0]), _three(shapes[1])
    )


def _pair(values: tuple[int, ...]) -> Pair:
    return values[0], values[1]


def _three(values: tuple[int, ...]) -> tuple[int, int, int]:
    return values[0], values[1], values[2]


def _spread(part: Convolution) -> Floats:
    """(out, in, kh, kw): the kernel with zeros for other groups and between dilated taps."""
    outputs, inputs, kh, kw = part.kernel.shape
    dh, dw = part.dilation
    full = np.zeros((outputs, inputs * part.groups, dh * (kh - 1) + 1, dw * (kw - 1) + 1))
    for group in range(part.groups):
        rows = slice(group * outputs // part.groups, (group + 1) * outputs // part.groups)
        full[rows, group * inputs : (group + 1) * inputs, ::dh, ::dw] = part.kernel[rows]
    return full


def _join(first: Convolution, second: Convolution) -> Convolution | None:
    """`second` after `first` as one convolution, None where that is none."""
    reach = [d * (k - 1) + 1 for k, d in zip(first.kernel.shape[2:], first.dilation, strict=True)]
    tiles = first.padding == (0, 0) and all(
        k <= s and n <= m * s
        for k, s, n, m in zip(reach, first.stride, first.in_shape[1:], first.shape[1:], strict=True)
    )
    if second.padding != (0, 0) and not tiles:
        return None
    a, b = _spread(first), _spread(second)
    (sh, sw), (ah, aw), (bh, bw) = first.stride, a.shape[2:], b.shape[2:]
    kernel = np.zeros((b.shape[0], a.shape[1], sh * (bh - 1) + ah, sw * (bw - 1) + aw))
    for i in range(bh):
        for j in range(bw):
            kernel[:, :, i * sh : i * sh + ah, j * sw : j * sw + aw] += np.tensordot(b[:, :, i, j], a, (1, 0))
    stride = (sh * second.stride[0], sw * second.stride[1])
    pad = (first.padding[0] + sh * second.padding[0], first.padding[1] + sw * second.padding[1])
    groups = _groups(first, second)
    outputs, inputs = kernel.shape[0] // groups, kernel.shape[1] // groups
    blocks = [kernel[g * outputs : (g + 1) * outputs, g * inputs : (g + 1) * inputs] for g in range(groups)]
    joined = Convolution(np.concatenate(blocks), stride, pad, (1, 1), groups, first.in_shape, second.shape)
    given = [
        (n + 2 * p - k) // s + 1 for n, p, k, s in zip(joined.in_shape[1:], pad, kernel.shape[2:], stride, strict=True)
    ]
    return joined if tuple(given) == second.shape[1:] else None


def _groups(first: Convolution, second: Convolution) -> int:
    """Groups that two convolutions in a row leave apart: a channel-wise one keeps those of the other."""
    if first.groups == first.in_shape[0] == first.shape[0]:
        return second.groups
    if second.groups == second.in_shape[0] == second.shape[0]:
        return first.groups
    return first.groups if first.groups == second.groups else 1
