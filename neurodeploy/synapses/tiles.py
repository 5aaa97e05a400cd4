"""What the shards of a population see of each axon: which axons reach a range of rows, with how many synapses.

A shard holds rows ``r0:r1`` of a synapse matrix. Of axon j it stores ``fan = |{i in r0:r1 : synapse (i, j) exists}|``
synapses. `touches` gives all (axon, tile, fan) with fan > 0, in pieces of bounded size and without building a matrix:
what the mapper charges as table entries and the energy account as messages and synaptic operations. An axon of a `Direct`
connection reaches its neuron's tile and has no synapse there: fan 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Conv, Dense, Sparse, Synapse

#: About how many synapses or (axon, tile) pairs are looked at in one piece.
PIECE = 1 << 21


class Touch(NamedTuple):
    """Equal lengths, int64: the column of the synapse matrix, the index of the row range, the stored synapses."""

    axon: Ints
    tile: Ints
    fan: Ints


def touches(synapse: Synapse, rows: Ints, columns: tuple[int, int] | None = None) -> Iterator[Touch]:
    """All axons that reach the row ranges `rows` (n, 2), which ascend and are disjoint; axons outside `columns` are
    left out. All tiles of one axon of a `Dense`, `Sparse` or `Direct` come in the same piece; a convolution comes tile
    by tile."""
    first, last = columns if columns is not None else (0, synapse.columns)
    if not len(rows) or first >= last:
        return
    if isinstance(synapse, Sparse):
        yield from _sparse(synapse, rows, first, last)
    elif isinstance(synapse, Conv):
        yield from _conv(synapse, rows, first, last)
    elif isinstance(synapse, Dense):
        yield from _dense(rows, first, last)
    else:
        yield _direct(rows, first, last)


def _dense(rows: Ints, first: int, last: int) -> Iterator[Touch]:
    count = len(rows)
    width = max(1, PIECE // count)
    for start in range(first, last, width):
        axons = np.arange(start, min(start + width, last), dtype=np.int64)
        tiles = np.tile(np.arange(count, dtype=np.int64), len(axons))
        yield Touch(np.repeat(axons, count), tiles, (rows[:, 1] - rows[:, 0])[tiles])


def _direct(rows: Ints, first: int, last: int) -> Touch:
    axons = np.arange(first, last, dtype=np.int64)
    tiles = np.searchsorted(rows[:, 0], axons, side="right") - 1
    inside = (tiles >= 0) & (axons < rows[tiles.clip(0), 1])
    return Touch(axons[inside], tiles[inside].astype(np.int64), np.zeros(int(inside.sum()), np.int64))


def _sparse(synapse: Sparse, rows: Ints, first: int, last: int) -> Iterator[Touch]:
    """Targets ascend under an axon, so the synapses of one axon into one tile stand together."""
    tile_of = np.full(synapse.rows, -1, np.int32)
    for index, (start, stop) in enumerate(rows):
        tile_of[start:stop] = index
    indptr = synapse.indptr.astype(np.int64)
    while first < last:
        stop = int(np.searchsorted(indptr, indptr[first] + PIECE, side="right")) - 1
        stop = min(max(stop, first + 1), last)
        low, high = int(indptr[first]), int(indptr[stop])
        tile = tile_of[synapse.target[low:high]]
        axon = np.repeat(np.arange(first, stop, dtype=np.int64), np.diff(indptr[first : stop + 1]))
        first = stop
        new = np.empty(len(tile), np.bool_)
        new[:1] = True
        new[1:] = (tile[1:] != tile[:-1]) | (axon[1:] != axon[:-1])
        starts = np.flatnonzero(new)
        fan = np.diff(starts, append=len(tile))
        kept = tile[starts] >= 0
        yield Touch(axon[starts][kept], tile[starts][kept].astype(np.int64), fan[kept].astype(np.int64))


def _conv(synapse: Conv, rows: Ints, first: int, last: int) -> Iterator[Touch]:
    channels = synapse.input_shape[2]
    each = channels // synapse.groups
    for index, (start, stop) in enumerate(rows):
        pixels, fan = conv_fan(synapse, int(start), int(stop))
        axon = (pixels[:, None] * channels + np.arange(channels, dtype=np.int64)).reshape(-1)
        count = np.repeat(fan, each, axis=1).reshape(-1)
        kept = (count > 0) & (axon >= first) & (axon < last)
        yield Touch(axon[kept], np.full(int(kept.sum()), index, np.int64), count[kept])


def conv_fan(synapse: Conv, start: int, stop: int) -> tuple[Ints, Ints]:
    """The input pixels that reach output neurons ``start:stop``, ascending, and (pixels, groups) synapses of each axon.

    All channels of a group have equally many synapses from a pixel: every kernel position holds all of them.
    """
    (_, height, out), groups = synapse.output_shape, synapse.groups
    low, high = start // out, -(-stop // out)
    pixel = np.arange(low, high, dtype=np.int64)
    counts = _present(low, high, start, stop, out, groups)
    found, sums = [], []
    x, y = pixel // height, pixel % height
    for i in range(synapse.weight.shape[1]):
        for j in range(synapse.weight.shape[2]):
            a, valid_a = _input(synapse, 0, x, i)
            b, valid_b = _input(synapse, 1, y, j)
            valid = valid_a & valid_b
            found.append((a * synapse.input_shape[1] + b)[valid])
            sums.append(counts[valid])
    places, index = np.unique(np.concatenate(found), return_inverse=True)
    fan = np.zeros((len(places), groups), np.int64)
    position = 0
    for part in sums:  # one kernel position meets an input pixel once at most
        fan[index.reshape(-1)[position : position + len(part)]] += part
        position += len(part)
    return places, fan


def _present(low: int, high: int, start: int, stop: int, out: int, groups: int) -> Ints:
    """(pixels, groups): output channels of each group that are in the range, pixel by pixel."""
    each = out // groups
    edges = np.arange(groups + 1, dtype=np.int64) * each
    base = np.arange(low, high, dtype=np.int64)[:, None] * out + edges
    return np.diff(base.clip(start, stop), axis=1)


def _input(synapse: Conv, axis: int, position: Ints, kernel: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Input coordinate that kernel index `kernel` brings to output coordinate `position`, and whether there is one."""
    stride, padding, dilation = synapse.stride[axis], synapse.padding[axis], synapse.dilation[axis]
    if synapse.transposed:
        shifted = position + padding - kernel * dilation
        found, valid = shifted // stride, shifted % stride == 0
    else:
        found = position * stride - padding + kernel * dilation
        valid = np.ones(len(position), np.bool_)
    return found, valid & (found >= 0) & (found < synapse.input_shape[axis])


def unit(synapse: Synapse, delayed: bool) -> int:
    """Neighbouring columns that share one entry of the axon tables.

    The channels of an input pixel of a convolution share one, and the channel travels in the message (population
    spikes, Davies et al. 2018). The table that lava-dl prints for PilotNet on Loihi 2 (`pilotnet_snn/benchmark.ipynb`)
    counts so: 253, 113, 112 and 29 entries a core are the pixels of a core times its destination cores. Delays belong
    to an entry, so axons with delays have one each.
    """
    return synapse.input_shape[2] if isinstance(synapse, Conv) and not delayed else 1
