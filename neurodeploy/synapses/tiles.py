"""What the shards of a population see of each axon: which axons reach a range of rows, with how many synapses.

A shard holds rows ``r0:r1`` of a synapse matrix. Of axon j it stores ``fan = |{i in r0:r1 : synapse (i, j) exists}|``
synapses. `touches` gives all (axon, tile, fan) with fan > 0, in pieces of bounded size and without building a matrix:
what the mapper charges as table entries and the energy account as messages and synaptic operations. An axon of a `Direct`
connection reaches its neuron's tile and has no synapse there: fan 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.arrange import ArrangedConv
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
    for piece in synapse.pieces(first, last, PIECE):
        tile = tile_of[piece.target]
        axon = np.repeat(np.arange(piece.first, piece.stop, dtype=np.int64), synapse.lengths(piece.first, piece.stop))
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
    place = synapse.column_place if isinstance(synapse, ArrangedConv) else None
    for index, (start, stop) in enumerate(rows):
        pixels, fan = conv_fan(synapse, int(start), int(stop))
        axon = (pixels[:, None] * channels + np.arange(channels, dtype=np.int64)).reshape(-1)
        if place is not None:
            axon = place[axon]
        count = np.repeat(fan, each, axis=1).reshape(-1)
        kept = (count > 0) & (axon >= first) & (axon < last)
        yield Touch(axon[kept], np.full(int(kept.sum()), index, np.int64), count[kept])


def conv_fan(synapse: Conv, start: int, stop: int) -> tuple[Ints, Ints]:
    """The input pixels that reach the rows ``start:stop``, ascending, and (pixels, groups) synapses of each axon.

    All channels of a group have equally many synapses from a pixel: every kernel position holds all of them.
    """
    pixel, counts = output_pixels(synapse, start, stop)
    reached = list(_reached(synapse, pixel))
    seen = np.zeros(synapse.input_shape[0] * synapse.input_shape[1], np.bool_)
    for places, _ in reached:
        seen[places] = True
    found = np.flatnonzero(seen)
    index = np.cumsum(seen) - 1
    fan = np.zeros((len(found), synapse.groups), np.int64)
    for places, valid in reached:
        fan[index[places]] += counts[valid]  # one kernel position meets an input pixel once at most
    return found, fan


def touched_units(synapse: Conv, start: int, stop: int) -> NDArray[np.bool_] | None:
    """Which units of all columns (`units`, without delays) reach the rows ``start:stop``; None where it takes `touches` to
    say: channels in groups whose pixels are torn."""
    runs = synapse.runs if isinstance(synapse, ArrangedConv) else None
    if runs is not None and synapse.groups > 1:
        return None
    seen = np.zeros(synapse.input_shape[0] * synapse.input_shape[1], np.bool_)
    for places, _ in _reached(synapse, _pixels(synapse, start, stop)):
        seen[places] = True
    return seen[synapse.pixel_of_run] if isinstance(synapse, ArrangedConv) and runs is not None else seen


def _pixels(synapse: Conv, start: int, stop: int) -> Ints:
    """The output pixels of the rows ``start:stop``, ascending."""
    width, height, out = synapse.output_shape
    if not isinstance(synapse, ArrangedConv) or synapse.row_order is None:
        return np.arange(start // out, -(-stop // out), dtype=np.int64)
    here = np.zeros(width * height, np.bool_)
    here[synapse.row_order[start:stop] // out] = True
    return np.flatnonzero(here)


def _reached(synapse: Conv, pixel: Ints) -> Iterator[tuple[Ints, NDArray[np.bool_]]]:
    """For each kernel position the input pixels of these output pixels, and which of them have one."""
    x, y = np.divmod(pixel, synapse.output_shape[1])
    lines = [_input(synapse, 1, y, j) for j in range(synapse.weight.shape[2])]
    for i in range(synapse.weight.shape[1]):
        a, valid_a = _input(synapse, 0, x, i)
        for b, valid_b in lines:
            valid = valid_a & valid_b
            yield (a * synapse.input_shape[1] + b)[valid], valid


def output_pixels(synapse: Conv, start: int, stop: int) -> tuple[Ints, Ints]:
    """The output pixels of the rows ``start:stop``, ascending, and (pixels, groups) how many of their channels are among
    these rows."""
    out, groups = synapse.output_shape[2], synapse.groups
    pixel = _pixels(synapse, start, stop)
    if isinstance(synapse, ArrangedConv) and synapse.row_order is not None:
        neurons = synapse.row_order[start:stop]
        key = np.searchsorted(pixel, neurons // out) * groups + neurons % out // (out // groups)
        return pixel, np.bincount(key, minlength=len(pixel) * groups).reshape(-1, groups).astype(np.int64)
    return pixel, _present(start // out, -(-stop // out), start, stop, out, groups)


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


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Neighbouring columns that share one entry of the axon tables: `size` each, or those from ``starts[k]`` on."""

    count: int
    size: int
    starts: Ints | None = None

    def of(self, columns: Ints) -> Ints:
        """The unit of each column."""
        return columns // self.size if self.starts is None else np.searchsorted(self.starts, columns, side="right") - 1

    def span(self, first: int, last: int) -> tuple[int, int]:
        """The first unit that has a column in ``first:last`` (not empty), and the one after the last."""
        if self.starts is None:
            return first // self.size, -(-last // self.size)
        low, high = np.searchsorted(self.starts, (first, last - 1), side="right").tolist()
        return low - 1, high

    def sums(self, values: Ints) -> Ints:
        """Values of the columns added up by unit."""
        if self.starts is None:
            return np.asarray(values.reshape(-1, self.size).sum(axis=1))
        return np.asarray(np.add.reduceat(values, self.starts))


def units(synapse: Synapse, delayed: bool) -> Units:
    """Which columns of a projection share an entry.

    The channels of an input pixel of a convolution share one, and the channel travels in the message (population
    spikes, Davies et al. 2018). The table that lava-dl prints for PilotNet on Loihi 2 (`pilotnet_snn/benchmark.ipynb`)
    counts so: 253, 113, 112 and 29 entries a core are the pixels of a core times its destination cores. Delays belong
    to an entry, so axons with delays have one each. Where the source is arranged so that the channels of a pixel lie apart,
    those that stay together share one.
    """
    columns = synapse.columns
    if not isinstance(synapse, Conv) or delayed:
        return Units(columns, 1)
    if isinstance(synapse, ArrangedConv) and synapse.runs is not None:
        return Units(len(synapse.runs), 1, synapse.runs)
    return Units(columns // synapse.input_shape[2], synapse.input_shape[2])
