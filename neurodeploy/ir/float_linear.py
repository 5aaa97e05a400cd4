"""What the linear nodes of a `FloatNetwork` compute, in float64, and the shapes that they give (as in torch)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from neurodeploy.ir.float_network import FloatNetwork, FloatNode, Floats, Option, size_of

Pairs = tuple[tuple[int, int], ...]


def sides(options: Mapping[str, Option], key: str) -> tuple[int, ...]:
    """An option with one integer a spatial axis."""
    return cast("tuple[int, ...]", options[key])


def padding(options: Mapping[str, Option]) -> Pairs:
    """(before, after) of each spatial axis."""
    return cast(Pairs, options["padding"])


def integer(options: Mapping[str, Option], key: str) -> int:
    """An option that is one integer."""
    return cast(int, options[key])


def output_shape(
    kind: str, tensors: Mapping[str, Floats], options: Mapping[str, Option], in_shape: tuple[int, ...]
) -> tuple[int, ...]:
    """Shape of a linear node's output. `ValueError` says what does not fit."""
    if kind == "scale":
        return in_shape
    if kind == "flatten":
        start, end = integer(options, "start_dim"), integer(options, "end_dim")
        if not 0 <= start <= end < len(in_shape):
            raise ValueError(f"flattens axes {start}..{end} of an input of shape {in_shape}")
        return (*in_shape[:start], math.prod(in_shape[start : end + 1]), *in_shape[end + 1 :])
    if kind in ("linear", "affine"):
        rows, columns = tensors["weight"].shape
        if in_shape != (columns,):
            raise ValueError(f"takes {columns} features, its input has the shape {in_shape}")
        return (rows,)
    window: tuple[int, ...]
    if kind in ("conv1d", "conv2d"):
        weight, groups = tensors["weight"], integer(options, "groups")
        channels, window, dilation = weight.shape[0], weight.shape[2:], sides(options, "dilation")
        if len(in_shape) != 1 + len(window) or in_shape[0] != weight.shape[1] * groups:
            raise ValueError(
                f"takes {weight.shape[1] * groups} channels and {len(window)} axes, its input has the shape {in_shape}"
            )
        if channels % groups:
            raise ValueError(f"splits {channels} channels into {groups} groups")
    else:
        window = sides(options, "kernel_size")
        dilation = (1,) * len(window)
        if len(in_shape) != 1 + len(window):
            raise ValueError(f"pools over {len(window)} axes, its input has the shape {in_shape}")
        channels = in_shape[0]
    found = [channels]
    for n, k, s, d, (before, after) in zip(
        in_shape[1:], window, sides(options, "stride"), dilation, padding(options), strict=True
    ):
        found.append((n + before + after - d * (k - 1) - 1) // s + 1)
    if min(found) < 1:
        raise ValueError(f"has a window larger than its input of shape {in_shape}")
    return tuple(found)


def apply(node: FloatNode, x: Floats, bias: bool = True) -> Floats:
    """(batch, *in_shape) to (batch, *shape); without its bias where `bias` is false."""
    if node.kind == "scale":
        return x * node.params["scale"]
    if node.kind == "flatten":
        return x.reshape(x.shape[0], *node.shape)
    if node.kind in ("linear", "affine"):
        y: Floats = x @ node.params["weight"].T
        return y + node.params["bias"] if bias and node.kind == "affine" else y
    if node.kind in ("conv1d", "conv2d"):
        y = _convolve(node, x)
        extra = (1,) * (y.ndim - 2)
        return y + node.params["bias"].reshape((-1, *extra)) if bias else y
    kernel = sides(node.options, "kernel_size")
    windows = _windows(node, x, kernel, (1,) * len(kernel))
    pooled: Floats = windows.sum(axis=tuple(range(x.ndim, windows.ndim)))
    return pooled / size_of(kernel) if node.kind == "avg_pool2d" else pooled


def _windows(node: FloatNode, x: Floats, window: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    """(batch, channels, *out, *window): the values under the window at every place; padding is zero."""
    x = np.pad(x, [(0, 0), (0, 0), *padding(node.options)])
    axes = tuple(range(2, x.ndim))
    reach = tuple(d * (k - 1) + 1 for k, d in zip(window, dilation, strict=True))
    seen = sliding_window_view(x, reach, axis=axes)
    steps = [slice(None, None, s) for s in sides(node.options, "stride")]
    skips = [slice(None, None, d) for d in dilation]
    places: tuple[slice, ...] = (slice(None), slice(None), *steps, *skips)
    return seen[places]


def _convolve(node: FloatNode, x: Floats) -> Floats:
    """Cross-correlation in groups, without bias."""
    weight, groups = node.params["weight"], integer(node.options, "groups")
    windows = _windows(node, x, weight.shape[2:], sides(node.options, "dilation"))
    spatial = weight.ndim - 2
    taken = (1, *range(2 + spatial, 2 + 2 * spatial))
    inputs, outputs = weight.shape[1], weight.shape[0] // groups
    parts = [
        np.tensordot(
            windows[:, g * inputs : (g + 1) * inputs],
            weight[g * outputs : (g + 1) * outputs],
            (taken, tuple(range(1, 2 + spatial))),
        )
        for g in range(groups)
    ]
    return np.moveaxis(np.concatenate(parts, axis=-1), -1, 1)


def resting(network: FloatNetwork) -> dict[str, Floats]:
    """What every node has sent for ever while all inputs and neurons were silent: (1, *shape)."""
    found: dict[str, Floats] = {}
    zero = {name: np.zeros((1, *node.shape)) for name, node in network.nodes.items()}
    sources: dict[str, list[str]] = {name: [] for name in network.nodes}
    for edge in network.edges:
        sources[edge.target].append(edge.source)
    carriers = {name for name, node in network.nodes.items() if node.role in ("linear", "delay")}
    stack = list(network.nodes)
    opened: set[str] = set()
    while stack:
        name = stack[-1]
        if name in found or name not in carriers:
            found.setdefault(name, zero[name])
            stack.pop()
            continue
        waiting = [s for s in sources[name] if s not in found and s not in opened and s in carriers]
        if waiting and name not in opened:
            opened.add(name)  # a loop through a delay alone begins with zero
            stack.extend(waiting)
            continue
        node = network.nodes[name]
        total = np.zeros((1, *node.in_shape))
        for source in sources[name]:
            total = total + found.get(source, zero[source])
        found[name] = apply(node, total) if node.role == "linear" else total
        stack.pop()
    return found
