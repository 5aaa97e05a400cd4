"""Orders of populations with space: blocks of channels, and within them blocks of pixels, one after another.

Rows of a population (x, y, channel) are pixels with all their channels. Where the kernel of a convolution exceeds a core
such a core takes some channels of one pixel, and the kernel is stored again for every pixel. With the channels in blocks of
c a core keeps the kernel of one block and takes many pixels; and with pixels in blocks of w x h a core
has fewer pixels around its own than a band over the whole height has::

    row of neuron (x, y, o):  first o // c, then x // w, then y // h, then x, y, o within the block

(x, y, channel) tiles of a core are those of Rueckauer et al., "NxTF: an API and compiler for deep spiking neural networks on
Intel Loihi", 2021. Blocks are chosen population by population: c by the fewest cores if senders and receivers stay as they
are, w and h by the fewest input pixels. The whole plan is then cut and compared.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping as Table
from dataclasses import dataclass, replace

import numpy as np

from neurodeploy.ir.arrange import fixed_populations, inverse
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.synapses import Conv
from partitioner.cost.lists import Format, format_of
from partitioner.cost.population import View, segments
from partitioner.cut.rows import Cutter
from partitioner.cut.rules import Rule
from partitioner.job import Job
from partitioner.order.plan import Plan
from partitioner.order.sparse import Order

#: Populations of so many tiles and more get blocks of pixels.
TILES = 4


@dataclass(frozen=True, slots=True, eq=False)
class SpaceBlocks:
    """A population with space: its first convolution, shape, tiles in a plan; channels of a block, rows of a tile then."""

    conv: Conv
    shape: tuple[int, int, int]
    tiles: int
    channels: int
    rows: int


def channel_blocks(job: Job, plan: Plan) -> dict[str, SpaceBlocks]:
    """Blocks of channels, of all channels where the kernel ends no tile, of every population that they may help."""
    fixed, found = fixed_populations(job.network), {}
    for name, cut in plan.cuts.items():
        convs = [p.synapse for p in job.network.into(name) if isinstance(p.synapse, Conv)]
        tiles = sum(len(rows) for rows in cut.blocks.values())
        if name in fixed or not convs or len(cut.blocks) > 1 or tiles < 2:
            continue
        shape = convs[0].output_shape
        if any(conv.output_shape != shape for conv in convs):
            continue
        block, rows = shape[2], int(np.median(np.diff(next(iter(cut.blocks.values())))))
        if cut.stopped["synapse_bytes"] and shape[2] > 1:
            block, rows = _channels(job, name, shape, tiles, rows)
        found[name] = SpaceBlocks(convs[0], shape, tiles, block, rows)
    return found


def conv_orders(blocks: Table[str, SpaceBlocks], *, pixels: bool) -> dict[str, Order]:
    """Orders in these blocks of channels; with `pixels` also in blocks of pixels."""
    found = {}
    for name, own in blocks.items():
        width, height = own.shape[:2]
        if pixels and own.tiles >= TILES:
            width, height = _pixels(own.conv, own.shape, max(1, own.rows // own.channels))
        if (width, height, own.channels) != own.shape:
            found[name] = block_order(own.shape, width, height, own.channels)
    return found


def block_order(shape: tuple[int, int, int], width: int, height: int, channels: int) -> Order:
    """The order of the module docstring, with stops after every block of pixels. The row of a neuron is the sum of what lies
    before its block and of its place within."""
    (x, a, of_x), (y, b, of_y), (o, c, of_o) = (
        _sides(size, block) for size, block in zip(shape, (width, height, channels), strict=True)
    )
    x, a, of_x, y, b, of_y = (
        x[:, None, None],
        a[:, None, None],
        of_x[:, None, None],
        y[:, None],
        b[:, None],
        of_y[:, None],
    )
    begin = shape[0] * shape[1] * o + shape[1] * x * of_o + y * of_x * of_o
    order = inverse((begin + (a * of_y + b) * of_o + c).reshape(-1))
    return Order(
        order,
        np.sort(begin[::width, ::height, ::channels], axis=None)[1:],
        f"blocks of {width} x {height} x {channels}",
    )


def _sides(size: int, block: int) -> tuple[Ints, Ints, Ints]:
    """(size,) of each place along a side: where its block begins, its place in the block, the size of the block."""
    place = np.arange(size, dtype=np.int64)
    begin = place // block * block
    return begin, place - begin, np.minimum(block, size - begin)


def _channels(job: Job, name: str, shape: tuple[int, int, int], tiles: int, rows: int) -> tuple[int, int]:
    """(channels a block, rows of a tile): the block that needs fewest tiles; of equals the widest."""
    form, rule = format_of(job.system.chip, job.options.weight_bits), job.rules[name]
    best = (tiles, 0, shape[2], rows)
    pixels = shape[0] * shape[1]
    for block in _widths(job.network, name, form, rule, shape[2]):
        cutter = Cutter(_laid(job.views[name], block_order(shape, shape[0], shape[1], block).order), rule)
        begin = (pixels // 3) * block  # not at the edge, where a pixel has fewer neighbours
        length = min(cutter.longest(begin, min(cutter.size, begin + pixels * block)), pixels * block)
        if length:
            needed = -(-shape[2] // block) * -(-pixels * block // length)
            best = min(best, (needed, -block, block, length))
    return best[2], best[3]


def _laid(view: View, order: Ints) -> View:
    """The population in this order, so far as `Cutter.longest` looks."""
    parts = [part.projection for part in view.segments]
    return replace(view, segments=segments(replace(p, synapse=p.synapse.arranged(order, None)[0]) for p in parts))


def _widths(network: Network, name: str, form: Format, rule: Rule, channels: int) -> list[int]:
    """Widths of blocks of channels that are worth a look: the most whose kernels fit a core, rounded down to powers of two
    and to equal blocks, and smaller powers of two, for which more pixels fit."""
    limit = rule.limits[1]
    convs = [(p.synapse, form.lists(p)) for p in network.into(name) if isinstance(p.synapse, Conv)]

    def kernels(width: int) -> int:
        return sum(conv.kernel_bytes((0, width), (0, conv.columns), lists) for conv, lists in convs)

    most = channels - 1
    if limit is not None:
        most = bisect_right(range(1, channels), False, key=lambda width: kernels(width) > limit)
    if not most:
        return []
    even = -(-channels // -(-channels // most))
    found = {most, even}
    for power in (2, 4, 8, 16, 32, 64):
        found |= {most // power * power, (even + power - 1) // power * power}
    found |= {1 << k for k in range(most.bit_length())}
    return sorted((width for width in found if 0 < width <= most), reverse=True)


def _pixels(conv: Conv, shape: tuple[int, int, int], room: int) -> tuple[int, int]:
    """Width and height of blocks of at most `room` pixels, as few as possible, then with the fewest input pixels."""

    def reach(size: int, axis: int) -> int:
        span = conv.dilation[axis] * (conv.weight.shape[1 + axis] - 1) + 1
        stride = conv.stride[axis]
        found = (size + span - 2) // stride + 1 if conv.transposed else (size - 1) * stride + span
        return int(min(found, conv.input_shape[axis]))

    found = []
    for lines in range(1, shape[1] + 1):
        height = -(-shape[1] // lines)
        width = min(shape[0], room // height)
        if width:
            count = -(-shape[0] // width)
            width = -(-shape[0] // count)
            blocks = count * -(-shape[1] // height)
            found.append((blocks, blocks * reach(width, 0) * reach(height, 1), -height, width))
    if not found:
        return shape[0], shape[1]
    _, _, height, width = min(found)
    return width, -height
