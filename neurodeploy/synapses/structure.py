"""What a mapper and a runner ask of synapses, for all targets or a range of them: how many, from where, how large a sum.

A stored synapse is an entry of the matrix of a `Dense` (zeros too), an entry of a `Sparse`, a tap of a `Conv`'s kernel
that falls inside the input (weights of zero too). A `Direct` connection stores none and drives none: its
`fan_out` is 0, and yet each of its `axons` brings a message. Nothing here builds a matrix for a
convolution: the neurons ``r0:r1`` are at most five boxes of pixels and channels, and within a box the taps that reach an
input pixel (x, y) are (taps along x) times (taps along y).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.arrange import ArrangedConv
from neurodeploy.ir.network import Conv, Dense, Direct, Projection, Sparse, Synapse

Range = tuple[int, int]
Index = NDArray[np.int64]


class Coo(NamedTuple):
    """Synapses one by one, ordered by axon, then target: int64 arrays of one length.

    `position` says where the weight stands in ``synapse.weight.ravel()``; of a `Direct` connection it is the neuron.
    """

    row: Index
    column: Index
    weight: Index
    position: Index


def synapse_count(synapse: Synapse) -> int:
    """Stored synapses, as if a convolution were written out."""
    return 0 if isinstance(synapse, Direct) else int(fan_out(synapse).sum())


def stored_weights(synapse: Synapse, rows: Range | None = None) -> int:
    """Weights that a core with these rows keeps: of a convolution each used kernel once, however many pixels use it."""
    if isinstance(synapse, Direct):
        return 0
    if not isinstance(synapse, Conv):
        return int(fan_out(synapse, rows).sum())
    first, last = rows or (0, synapse.rows)
    channels = min(int(synapse.weight.shape[0]), max(last - first, 0))
    return channels * int(np.prod(synapse.weight.shape[1:], dtype=np.int64))


def fan_out(synapse: Synapse, rows: Range | None = None) -> Index:
    """Synapses that an event of each axon drives in the neurons ``rows[0]:rows[1]``: (columns,)."""
    first, last = rows or (0, synapse.rows)
    if isinstance(synapse, Dense):
        return np.full(synapse.columns, last - first, np.int64)
    if isinstance(synapse, Direct):
        return np.zeros(synapse.columns, np.int64)
    if isinstance(synapse, Sparse):
        return synapse.lengths() if (first, last) == (0, synapse.rows) else _within_axons(synapse, first, last)
    if isinstance(synapse, ArrangedConv):
        return _arranged_fan_out(synapse, first, last)
    width, height, channels = synapse.input_shape
    counts = np.zeros((width, height, channels), np.int64)
    for (x0, x1), (y0, y1), (o0, o1) in boxes(synapse.output_shape, first, last):
        along_x, along_y = _taps(synapse, 0, x0, x1), _taps(synapse, 1, y0, y1)
        counts += along_x[:, None, None] * along_y[:, None] * _targets_of_channels(synapse, o0, o1)
    return counts.reshape(-1)


def axons(synapse: Synapse, rows: Range | None = None) -> NDArray[np.bool_]:
    """Which axons bring a message to any of these neurons: (columns,)."""
    if isinstance(synapse, Direct):
        first, last = rows or (0, synapse.rows)
        index = np.arange(synapse.columns)
        touched: NDArray[np.bool_] = (first <= index) & (index < last)
        return touched
    return fan_out(synapse, rows) > 0


def largest_sum(projection: Projection, payload_max: int) -> int:
    """A bound that no sum of one delay slot exceeds in magnitude, before the shift and without wrapping.

    ``max_i sum_j |w_ij| * payload_max`` for graded payloads of either sign; for others, which count as 0 or 1, the larger
    of the positive and the negative weights of a neuron alone. A convolution's border sees fewer taps than the bound.
    """
    s = projection.synapse
    if isinstance(s, Direct):
        return payload_max
    if isinstance(s, Sparse):
        positive, negative = np.zeros(s.rows, np.int64), np.zeros(s.rows, np.int64)
        for piece in s.pieces():
            weight = s.weight[piece.start : piece.start + len(piece.target)].astype(np.int64)
            np.add.at(positive, piece.target, np.maximum(weight, 0))
            np.add.at(negative, piece.target, np.minimum(weight, 0))
    else:
        flat = s.weight if s.weight.ndim == 2 else s.weight.reshape(s.weight.shape[0], -1)
        positive = np.maximum(flat, 0).sum(axis=1, dtype=np.int64)
        negative = np.minimum(flat, 0).sum(axis=1, dtype=np.int64)
    if projection.graded:
        return int((positive - negative).max(initial=0)) * payload_max
    return max(int(positive.max(initial=0)), -int(negative.min(initial=0)))


def to_coo(synapse: Synapse, rows: Range | None = None) -> Coo:
    """All stored synapses into these neurons. Of a `Direct` connection the identity, with weights of one."""
    first, last = rows or (0, synapse.rows)
    if isinstance(synapse, Direct):
        neuron = np.arange(first, last, dtype=np.int64)
        return Coo(neuron, neuron, np.ones_like(neuron), neuron)
    if isinstance(synapse, Dense):
        column, row = (a.reshape(-1) for a in np.mgrid[0 : synapse.columns, first:last])
        return _coo(synapse.weight, row, column, row * synapse.columns + column)
    if isinstance(synapse, Sparse):
        column = np.repeat(np.arange(synapse.columns), synapse.lengths())
        row = synapse.targets().astype(np.int64)
        index = np.flatnonzero((first <= row) & (row < last))
        return _coo(synapse.weight, row[index], column[index], index)
    if isinstance(synapse, ArrangedConv):
        return _arranged_coo(synapse, first, last)
    parts = [_box_coo(synapse, *box) for box in boxes(synapse.output_shape, first, last)]
    row, column, index = (np.concatenate([part[i] for part in parts] or [np.zeros(0, np.int64)]) for i in range(3))
    order = np.lexsort((row, column))
    return _coo(synapse.weight, row[order], column[order], index[order])


def plain(conv: ArrangedConv) -> Conv:
    """The convolution in the order of its shapes."""
    return Conv(**{name: getattr(conv, name) for name in Conv.__dataclass_fields__})


def stretches(conv: ArrangedConv, first: int, last: int) -> Iterator[Range]:
    """The neurons at the rows ``first:last`` as ranges of the output shape, as few as follow one another."""
    if conv.row_order is None:
        yield first, last
        return
    neurons = conv.row_order[first:last]
    starts = np.flatnonzero(np.diff(neurons, prepend=-2) != 1)
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(neurons)], strict=True):
        yield int(neurons[start]), int(neurons[stop - 1]) + 1


def _arranged_fan_out(conv: ArrangedConv, first: int, last: int) -> Index:
    base = plain(conv)
    counts = sum((fan_out(base, part) for part in stretches(conv, first, last)), start=np.zeros(conv.columns, np.int64))
    return counts if conv.column_order is None else counts[conv.column_order]


def _arranged_coo(conv: ArrangedConv, first: int, last: int) -> Coo:
    base = plain(conv)
    parts = [to_coo(base, part) for part in stretches(conv, first, last)] if first < last else []
    row, column, weight, position = (np.concatenate([p[i] for p in parts] or [np.zeros(0, np.int64)]) for i in range(4))
    row = row if conv.row_place is None else conv.row_place[row]
    column = column if conv.column_place is None else conv.column_place[column]
    order = np.lexsort((row, column))
    return Coo(row[order], column[order], weight[order], position[order])


def delays(projection: Projection, coo: Coo) -> Index:
    """Delay of each of these synapses: one array for the forms "none", "by axon" and "by synapse"."""
    if projection.delay is None:
        return np.zeros(coo.row.size, np.int64)
    if projection.delay_by == "axon":
        return projection.delay[coo.column].astype(np.int64)
    return projection.delay.reshape(-1)[coo.position].astype(np.int64)


def boxes(shape: tuple[int, int, int], first: int, last: int) -> Iterator[tuple[Range, Range, Range]]:
    """The neurons ``first:last`` of a population (x, y, channel) as at most five boxes."""
    height, channels = shape[1], shape[2]
    line = height * channels
    while first < last:
        x, rest = divmod(first, line)
        y, c = divmod(rest, channels)
        if c or last - first < channels:
            end = min(channels, c + last - first)
            yield (x, x + 1), (y, y + 1), (c, end)
            first += end - c
        elif y or last - first < line:
            end = min(height, y + (last - first) // channels)
            yield (x, x + 1), (y, end), (0, channels)
            first += (end - y) * channels
        else:
            end = x + (last - first) // line
            yield (x, end), (0, height), (0, channels)
            first += (end - x) * line


def _pairs(conv: Conv, axis: int, first: int, last: int) -> tuple[Index, Index, Index]:
    """Along one axis: (output pixel in first:last, input pixel, tap) of every tap that falls inside."""
    size, kernel = conv.input_shape[axis], int(conv.weight.shape[1 + axis])
    stride, padding, dilation = conv.stride[axis], conv.padding[axis], conv.dilation[axis]
    if conv.transposed:
        source, tap = (a.reshape(-1) for a in np.mgrid[0:size, 0:kernel])
        target = source * stride - padding + tap * dilation
    else:
        target, tap = (a.reshape(-1) for a in np.mgrid[first:last, 0:kernel])
        source = target * stride - padding + tap * dilation
    inside = (first <= target) & (target < last) & (source >= 0) & (source < size)
    return target[inside], source[inside], tap[inside]


def _taps(conv: Conv, axis: int, first: int, last: int) -> Index:
    """How many taps lead from each input pixel along one axis into the output pixels first:last."""
    return np.bincount(_pairs(conv, axis, first, last)[1], minlength=conv.input_shape[axis]).astype(np.int64)


def _targets_of_channels(conv: Conv, first: int, last: int) -> Index:
    """How many of the output channels first:last are in the group of each input channel."""
    group = np.arange(first, last) // (conv.weight.shape[0] // conv.groups)
    of_group = np.bincount(group, minlength=conv.groups)
    return np.repeat(of_group, conv.weight.shape[3]).astype(np.int64)


def _box_coo(conv: Conv, xs: Range, ys: Range, channels: Range) -> tuple[Index, Index, Index]:
    """Rows, columns and weight indices of the synapses into one box."""
    out_x, in_x, tap_x = (a[:, None, None, None] for a in _pairs(conv, 0, *xs))
    out_y, in_y, tap_y = (a[:, None, None] for a in _pairs(conv, 1, *ys))
    out_c = np.arange(*channels)[:, None]
    within = np.arange(conv.weight.shape[3])
    in_c = out_c // (conv.weight.shape[0] // conv.groups) * conv.weight.shape[3] + within
    _, out_height, out_channels = conv.output_shape
    _, in_height, in_channels = conv.input_shape
    _, kx, ky, per_group = conv.weight.shape
    row = (out_x * out_height + out_y) * out_channels + out_c
    column = (in_x * in_height + in_y) * in_channels + in_c
    index = ((out_c * kx + tap_x) * ky + tap_y) * per_group + within
    same = np.broadcast_arrays(row, column, index)
    return same[0].reshape(-1), same[1].reshape(-1), same[2].reshape(-1)


def _coo(weight: NDArray[Any], row: Index, column: Index, index: Index) -> Coo:
    return Coo(row, column, weight.reshape(-1)[index].astype(np.int64), index)


def _within_axons(synapse: Sparse, first: int, last: int) -> Index:
    """For each axon how many of its targets are in ``first:last``."""
    found = np.zeros(synapse.columns, np.int64)
    for piece in synapse.pieces():
        inside = np.cumsum((first <= piece.target) & (piece.target < last))
        ends = synapse.indptr[piece.first : piece.stop + 1].astype(np.int64) - piece.start
        found[piece.first : piece.stop] = np.diff(np.concatenate(([0], inside))[ends])
    return found
