"""How ONNX operators that move numbers are read; see `onnx_calls`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from neurodeploy.frontends.tensors.making import NodeMaker, Ref
from neurodeploy.frontends.tensors.onnx_calls import Attrs, Given, constant, numbers, value
from neurodeploy.frontends.tensors.padding import padded

Pixels = NDArray[np.floating]


def reshape(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    given, wanted = value(m, x[0]), numbers(m, x[1], "shapes")
    full = [given.full[n] if size == 0 and not a.get("allowzero") else size for n, size in enumerate(wanted)]
    return m.moved(name, given, lambda p: p.reshape(full))


def flatten(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    axis = int(a.get("axis", 1))
    return m.moved(name, value(m, x[0]), lambda p: p.reshape(int(np.prod(p.shape[:axis])), -1))


def transpose(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    return m.moved(name, value(m, x[0]), lambda p: p.transpose(a.get("perm")))


def axes_of(m: NodeMaker, x: Given, a: Attrs) -> list[int]:
    return numbers(m, x[1] if len(x) > 1 else None, "axes") or list(a.get("axes", []))


def squeeze(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    axes = axes_of(m, x, a)
    return m.moved(name, value(m, x[0]), lambda p: np.squeeze(p, tuple(axes) if axes else None))


def unsqueeze(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    axes = axes_of(m, x, a)
    return m.moved(name, value(m, x[0]), lambda p: np.expand_dims(p, tuple(axes)))


def sliced(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    given = value(m, x[0])
    starts, ends = numbers(m, x[1], "starts"), numbers(m, x[2], "ends")
    axes = numbers(m, x[3] if len(x) > 3 else None, "axes") or list(range(len(starts)))
    steps = numbers(m, x[4] if len(x) > 4 else None, "steps") or [1] * len(starts)
    key: list[slice] = [slice(None)] * len(given.full)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        last = None if step < 0 and end < -(2**31) else end
        key[axis % len(given.full)] = slice(start, last, step)
    return m.moved(name, given, lambda p: p[tuple(key)])


def gather(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    axis = int(a.get("axis", 0))
    if isinstance(x[1], Ref):
        table = constant(m, x[0], "numbers and a table")
        if axis or table is None or table.ndim != 2:
            raise m.fail("takes places that depend on the input", "only rows of a constant table can be taken so")
        return m.node(name, "embedding", [x[1]], (*x[1].full, table.shape[1]), weight=np.asarray(table, np.float32))
    index = np.asarray(x[1], np.int64)
    return m.moved(name, value(m, x[0]), lambda p: np.take(p, index, axis=axis))


def parts(m: NodeMaker, name: str, x: Given, a: Attrs) -> list[Ref]:
    given, axis = value(m, x[0]), int(a.get("axis", 0))
    lengths = numbers(m, x[1] if len(x) > 1 else None, "lengths")
    if not lengths:
        count, size = int(a["num_outputs"]), given.full[axis]
        each = -(-size // count)
        lengths = [min(each, size - n * each) for n in range(count)]
    return m.split(name, given, lengths, axis)


def concat(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    return m.joined(name, [part for part in x if part is not None], int(a["axis"]))


def expand(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    wanted = numbers(m, x[1], "shapes")
    return m.moved(name, value(m, x[0]), lambda p: np.broadcast_to(p, np.broadcast_shapes(p.shape, tuple(wanted))))


def tile(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    given, repeats = value(m, x[0]), numbers(m, x[1], "repeats")
    m.room([size * n for size, n in zip(given.full, repeats, strict=True)])
    return m.moved(name, given, lambda p: np.tile(p, repeats))


def pad(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    given, pads, mode = value(m, x[0]), numbers(m, x[1], "pads"), str(a.get("mode", "constant"))
    axes = numbers(m, x[3] if len(x) > 3 else None, "axes") or list(range(len(given.full)))
    widths = [(0, 0)] * len(given.full)
    for n, axis in enumerate(axes):
        widths[axis] = pads[n], pads[n + len(axes)]
    fill = constant(m, x[2] if len(x) > 2 else None, "a value")
    if mode == "constant" and fill is not None and np.asarray(fill).any():
        raise m.fail(f"pads with {fill}", "pad with zeros")
    return padded(m, name, given, widths, mode)


def resize(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    given = value(m, x[0])
    if a.get("mode", "nearest") != "nearest":
        raise m.fail(f"resizes by {a.get('mode')}", "resize to the nearest pixel")
    scales = constant(m, x[2] if len(x) > 2 else None, "scales")
    sizes = numbers(m, x[3] if len(x) > 3 else None, "sizes")
    factors = [float(f) for f in np.asarray(scales).reshape(-1)] if scales is not None and np.size(scales) else []
    wanted = sizes or [int(np.floor(n * f)) for n, f in zip(given.full, factors, strict=True)]
    m.room(wanted)
    if any(out % size for size, out in zip(given.full, wanted, strict=True)):
        raise m.fail(f"resizes {given.full} to {tuple(wanted)}", "resize by whole factors")
    how, rounds = (str(a.get(key, default)) for key, default in (
        ("coordinate_transformation_mode", "half_pixel"), ("nearest_mode", "round_prefer_floor"),
    ))  # fmt: skip
    if how not in PLACES or rounds not in ROUNDS:
        raise m.fail(f"resizes by {how} and {rounds}", "use asymmetric and floor")

    def nearest(places: NDArray[np.int64]) -> NDArray[np.int64]:
        for axis, out in enumerate(wanted):
            size = places.shape[axis]
            at = ROUNDS[rounds](PLACES[how](np.arange(out, dtype=np.float64), out // size)).astype(np.int64)
            places = places.take(at.clip(0, size - 1), axis=axis)
        return places

    return m.moved(name, given, nearest)


def _half(n: Pixels, factor: int) -> Pixels:
    return (n + 0.5) / factor - 0.5


def _corner(n: Pixels, factor: int) -> Pixels:
    return n / factor


#: Where pixel n of a map that is so many times larger lies in the map, and which pixel that is.
PLACES = {"asymmetric": _corner, "half_pixel": _half, "pytorch_half_pixel": _half}
ROUNDS: Mapping[str, Callable[[Pixels], Pixels]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}


def depth_to_space(m: NodeMaker, name: str, x: Given, a: Attrs) -> Ref:
    """Channels become blocks of pixels; in the mode "DCR" the block is the first part of a channel's number, in "CRD" the
    last."""
    side, first = int(a["blocksize"]), str(a.get("mode", "DCR")) == "DCR"

    def how(places: NDArray[np.int64]) -> NDArray[np.int64]:
        n, channels, height, width = places.shape
        inner = channels // side**2
        split = (n, side, side, inner, height, width) if first else (n, inner, side, side, height, width)
        order = (0, 3, 4, 1, 5, 2) if first else (0, 1, 4, 2, 5, 3)
        found: NDArray[np.int64] = places.reshape(split).transpose(order).reshape(n, inner, height * side, width * side)
        return found

    return m.moved(name, value(m, x[0]), how)
