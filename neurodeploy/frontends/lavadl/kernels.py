"""The layers of a `.net` file with kernels: convolutions, pooling and their transposes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.frontends.lavadl.fields import VALUES_LIMIT, Fields
from neurodeploy.frontends.lavadl.flow import Flow
from neurodeploy.frontends.lavadl.layers import Builder, Layer, bias_params, ports
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses import build
from neurodeploy.synapses.window import Window

Pair = tuple[int, int]


def _kernel(fields: Fields, name: str) -> Ints:
    """A kernel of four axes, the last two (height, width); slayer may leave an axis of 1 for time at the end."""
    weight = fields.ints(name)
    if weight.ndim == 5 and weight.shape[4] == 1:
        weight = weight[..., 0]
    if weight.ndim != 4 or not weight.size:
        raise fields.wrong(f"has {name} of shape {weight.shape}, a kernel of four axes is needed")
    fields.same("kernelSize", weight.shape[2:])
    return weight


def _geometry(fields: Fields) -> dict[str, Pair]:
    return {
        "stride": fields.pair("stride", 1),
        "padding": fields.pair("padding", 0),
        "dilation": fields.pair("dilation", 1),
    }


def _sides(image: tuple[int, ...], kernel: Ints, g: Mapping[str, Pair], transposed: bool) -> Pair:
    """Output pixels of a convolution, not yet known to be positive."""
    taps, shape = kernel[:1, 0].transpose(0, 2, 1), (image[0], image[1], 1)
    return Window(taps, shape, g["stride"], g["padding"], g["dilation"], 1, transposed).output_shape[:2]


def conv(b: Builder, layer: Layer) -> Flow:
    """Convolution and its transpose, with the weights as they are (netx does not optimise their bits).

    An axonal delay, which netx ignores in a convolution, lies on what leaves the layer, as in slayer.
    """
    fields, own = layer.fields, b.populate(layer, bias_params(layer))
    transposed = layer.kind == "convT"
    flow = b.admit(b.flow)
    image, g = flow.image(fields), _geometry(fields)
    groups = fields.integer("groups", 1, image[2])
    for port, name in ports(layer).items():
        kernel = _kernel(fields, name)
        per_group, rest = (
            (kernel.shape[1], kernel.shape[0]) if transposed else (kernel.shape[0], kernel.shape[1] * groups)
        )
        outputs = per_group * groups if transposed else per_group
        if rest != image[2] or outputs % groups or image[2] % groups or (groups > 1 and len(flow.wires) > 1):
            raise fields.wrong(f"has a kernel of shape {kernel.shape} in {groups} groups for {image[2]} channels")
        fields.same("inChannels", image[2])
        fields.same("outChannels", outputs)
        made = (*_sides(image, kernel, g, transposed), outputs)
        if made != own.shape:
            raise fields.wrong(f"has the shape {own.shape[::-1]}, its kernel makes {made[::-1]}")
        start = 0
        for wire in flow.wires:
            part = slice(start, start + wire.shape[2])
            start += wire.shape[2]
            if transposed:
                mine = build.from_torch_transposed_kernel(kernel[part], groups)
            else:
                mine = build.from_torch_kernel(kernel[:, part] if len(flow.wires) > 1 else kernel)
            shape = (image[0], image[1], wire.shape[2])
            b.connect(wire, layer, build.conv(mine, shape, **g, groups=groups, transposed=transposed), port)
    return Flow((own,))


def pool(b: Builder, layer: Layer) -> Flow:
    """Sum over windows, channel by channel, and its transpose; every weight of the kernel is used.

    slayer lays the channels above one another and convolves that picture, so windows that overlap or are padded
    vertically would mix channels there: ND1286. Before pooling it adds ``size % kernel`` rows and columns of zeros.
    """
    fields, own = layer.fields, b.populate(layer, bias_params(layer))
    spread = layer.kind == "unpool"
    flow = b.admit(b.flow)
    image, g = flow.image(fields), _geometry(fields)
    for port, name in ports(layer).items():
        kernel = _kernel(fields, name)
        if kernel.shape[:2] != (1, 1):
            raise fields.wrong(f"pools with a kernel of shape {kernel.shape}, (1, 1, height, width) is needed")
        size = (kernel.shape[3], kernel.shape[2])
        span = g["dilation"][1] * (size[1] - 1) + 1
        filled = image if spread else (*(n + n % k for n, k in zip(image, size, strict=False)), image[2])
        apart = span == g["stride"][1] if spread else span <= g["stride"][1] and filled[1] % g["stride"][1] == 0
        if not apart or g["padding"][1]:
            raise fields.wrong(
                "pools over windows that mix channels in slayer", "pool over windows that do not overlap"
            )
        sides = _sides(filled, kernel, g, spread)
        if (*sides, image[2]) != own.shape:
            raise fields.wrong(f"has the shape {own.shape[::-1]}, its kernel makes {(image[2], *sides[::-1])}")
        for wire in flow.wires:
            channels, shape = wire.shape[2], (image[0], image[1], wire.shape[2])
            mine = np.repeat(build.from_torch_kernel(kernel), channels, axis=0)
            if spread or _sides(image, kernel, g, spread) == sides:
                synapse: Synapse = build.conv(mine, shape, **g, groups=channels, transposed=spread)
            else:
                if kernel.size * sides[0] * sides[1] * channels > VALUES_LIMIT:
                    raise fields.wrong(
                        f"pools with {kernel.size * sides[0] * sides[1] * channels} synapses", "use smaller windows"
                    )
                synapse = _ragged_pool(mine[0, :, :, 0], shape, sides, g)
            b.connect(wire, layer, synapse, port)
    return Flow((own,))


def _ragged_pool(kernel: Ints, shape: tuple[int, int, int], sides: Pair, g: Mapping[str, Pair]) -> Synapse:
    """Pooling whose last windows reach beyond the input: its synapses one by one."""
    width, height, channels = shape
    x, y, i, j = np.indices((*sides, *kernel.shape))
    from_x = x * g["stride"][0] - g["padding"][0] + i * g["dilation"][0]
    from_y = y * g["stride"][1] - g["padding"][1] + j * g["dilation"][1]
    inside = (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height)
    row, column = (x * sides[1] + y)[inside], (from_x * height + from_y)[inside]
    each = np.arange(channels)
    rows, columns = (row[:, None] * channels + each).reshape(-1), (column[:, None] * channels + each).reshape(-1)
    weight = np.repeat(kernel[i, j][inside], channels)
    return build.sparse_from_coo(sides[0] * sides[1] * channels, width * height * channels, rows, columns, weight)
