"""How operators of ATen are read: functions (maker, name of the value, arguments in order) -> values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.frontends.tensors.making import NodeMaker, Ref
from neurodeploy.frontends.tensors.padding import padded

Given = Sequence[Any]
Places = NDArray[Any]
Call = Callable[[NodeMaker, str, Given], Any]


def arg(args: Given, n: int, default: Any = None) -> Any:
    return args[n] if len(args) > n and args[n] is not None else default


def sides(value: Any) -> list[int]:
    return [int(value)] if isinstance(value, int) else [int(n) for n in value]


def conv(transposed: bool) -> Call:
    def call(m: NodeMaker, name: str, a: Given) -> Ref:
        given: dict[str, Any] = {"stride": sides(arg(a, 3, [1]))}
        padding = arg(a, 4, [0])
        if isinstance(padding, str):
            if padding != "valid" and not all(n % 2 for n in a[1].shape[2:]):
                raise m.fail(f"pads {padding!r} an even kernel", "pad the map yourself, with numbers")
            dilation = sides(arg(a, 5, [1]))
            spread = dilation * (a[1].ndim - 2) if len(dilation) == 1 else dilation
            whole = [d * (k - 1) // 2 for d, k in zip(spread, a[1].shape[2:], strict=True)]
            padding = [0] if padding == "valid" else whole
        given["padding"] = sides(padding)
        if transposed:
            given |= {
                "output_padding": sides(arg(a, 5, [0])),
                "groups": arg(a, 6, 1),
                "dilation": sides(arg(a, 7, [1])),
            }
        else:
            given |= {"dilation": sides(arg(a, 5, [1])), "groups": arg(a, 6, 1)}
        return m.conv(name, a[0], a[1], arg(a, 2), transposed=transposed, **given)

    return call


def linear(m: NodeMaker, name: str, a: Given) -> Ref:
    if isinstance(a[1], Ref):
        raise m.fail("has weights that depend on the input", "write it as a matrix product")
    return m.linear(name, a[0], a[1], arg(a, 2))


def addmm(m: NodeMaker, name: str, a: Given) -> Ref:
    return m.binary(name, m.product(f"{name}.product", a[1], a[2]), a[0], "add")


def arithmetic(by: str, *, turned: bool = False) -> Call:
    def call(m: NodeMaker, name: str, a: Given) -> Ref:
        x, y = a[0], a[1]
        alpha = arg(a, 2)
        if isinstance(alpha, str):
            raise m.fail(f"divides with rounding_mode {alpha!r}", "divide without rounding")
        if alpha not in (None, 1):
            many = x if turned else y
            many = m.binary(f"{name}.scaled", many, np.asarray(alpha), "mul") if isinstance(many, Ref) else many * alpha
            x, y = (many, y) if turned else (x, many)
        x, y = (v if isinstance(v, Ref) else np.asarray(v) for v in (x, y))
        return m.binary(name, y, x, by) if turned else m.binary(name, x, y, by)

    return call


def norm(m: NodeMaker, name: str, a: Given) -> Any:
    made = m.norm(name, a[0], a[3], a[4], arg(a, 1), arg(a, 2), float(a[6]))
    return [made]


def curve(act: str) -> Call:
    return lambda m, name, a: m.curve(name, a[0], act)


def gelu(m: NodeMaker, name: str, a: Given) -> Ref:
    return m.curve(name, a[0], "gelu_tanh" if arg(a, 1, "none") == "tanh" else "gelu")


def curve_of(act: str, **wanted: float) -> Call:
    """A curve whose settings are its defaults."""

    def call(m: NodeMaker, name: str, a: Given) -> Ref:
        for n, (what, value) in enumerate(wanted.items(), 1):
            if float(arg(a, n, value)) != value:
                raise m.fail(f"has {what} = {a[n]}", f"a curve of the table has {what} = {value:g}")
        return m.curve(name, a[0], act)

    return call


def plain(by: str) -> Call:
    return lambda m, name, a: m.node(name, "plain", [a[0]], a[0].full, {"by": by})


def clamp(m: NodeMaker, name: str, a: Given) -> Ref:
    if isinstance(arg(a, 1), Ref) or isinstance(arg(a, 2), Ref):
        raise m.fail("has limits that depend on the input", "give numbers")
    return m.rectify(name, a[0], low=arg(a, 1), high=arg(a, 2))


def moved(how: Callable[[Places, Given], Places]) -> Call:
    return lambda m, name, a: m.moved(name, a[0], lambda places: how(places, a))


def sliced(places: Places, a: Given) -> Places:
    axis = int(arg(a, 1, 0)) % places.ndim
    window = slice(arg(a, 2, 0), min(int(arg(a, 3, 2**62)), 2**62), arg(a, 4, 1))
    return places[(slice(None),) * axis + (window,)]


def squeezed(places: Places, a: Given) -> Places:
    chosen = sides(a[1]) if len(a) > 1 else list(range(places.ndim))
    axes = {n % places.ndim for n in chosen}
    return places.reshape([size for n, size in enumerate(places.shape) if n not in axes or size != 1])


def split(m: NodeMaker, name: str, a: Given) -> list[Ref]:
    axis = int(arg(a, 2, 0))
    size = a[0].full[axis]
    each = a[1]
    lengths = sides(each) if not isinstance(each, int) else [min(each, size - s) for s in range(0, size, each)]
    return m.split(name, a[0], lengths, axis)


def chunk(m: NodeMaker, name: str, a: Given) -> list[Ref]:
    axis = int(arg(a, 2, 0))
    return split(m, name, [a[0], -(-a[0].full[axis] // int(a[1])), axis])


def cat(m: NodeMaker, name: str, a: Given) -> Ref:
    return m.joined(name, a[0], int(arg(a, 1, 0)))


def stack(m: NodeMaker, name: str, a: Given) -> Ref:
    axis = int(arg(a, 1, 0)) % (len(a[0][0].full) + 1)
    parts = [m.moved(f"{name}.part", p, lambda x: np.expand_dims(x, axis)) for p in a[0]]
    return cat(m, name, [parts, axis])


def pad(m: NodeMaker, name: str, a: Given) -> Ref:
    pads, mode, value = sides(a[1]), arg(a, 2, "constant"), arg(a, 3, 0.0)
    x = a[0]
    if not isinstance(mode, str):
        mode, value = "constant", mode  # constant_pad_nd
    widths = [(0, 0)] * len(x.full)
    for n in range(len(pads) // 2):
        widths[len(widths) - 1 - n] = pads[2 * n], pads[2 * n + 1]
    if mode == "constant" and float(value or 0.0):
        raise m.fail(f"pads with {value}", "pad with zeros")
    return padded(m, name, x, widths, mode)


def max_pool(m: NodeMaker, name: str, a: Given) -> Ref:
    return m.pooled(
        name, "max_pool", a[0], sides(a[1]), sides(arg(a, 2, [])), sides(arg(a, 3, [0])), sides(arg(a, 4, [1])),
        ceil=bool(arg(a, 5, False)),
    )  # fmt: skip


def avg_pool(m: NodeMaker, name: str, a: Given) -> Ref:
    if arg(a, 6) is not None:
        raise m.fail("has a divisor of its own", "leave divisor_override out")
    return m.pooled(
        name, "avg_pool", a[0], sides(a[1]), sides(arg(a, 2, [])), sides(arg(a, 3, [0])), ceil=bool(arg(a, 4, False)),
        padded=bool(arg(a, 5, True)),
    )  # fmt: skip


def adaptive(form: str) -> Call:
    def call(m: NodeMaker, name: str, a: Given) -> Any:
        x, out = a[0], sides(a[1])
        inner = x.full[2:]
        out = out * len(inner) if len(out) == 1 else out
        if any(size % n for size, n in zip(inner, out, strict=True)):
            raise m.fail(f"pools {inner} to {tuple(out)}, which does not divide", "choose sizes that divide the map")
        kernel = [size // n for size, n in zip(inner, out, strict=True)]
        made = m.pooled(name, form, x, kernel, kernel, [0])
        return [made] if form == "max_pool" else made

    return call


def reduced(by: str) -> Call:
    def call(m: NodeMaker, name: str, a: Given) -> Ref:
        axes = arg(a, 1, [])
        return m.reduced(name, a[0], by, sides(axes), bool(arg(a, 2, False)))

    return call


def upsample(m: NodeMaker, name: str, a: Given) -> Ref:
    x, out, factors = a[0], arg(a, 1), arg(a, 2)
    inner = x.full[2:]
    out = sides(out) if out is not None else [math.floor(n * f) for n, f in zip(inner, factors, strict=True)]

    def how(places: Places) -> Places:
        for n, (size, wanted) in enumerate(zip(inner, out, strict=True)):
            places = places.take(
                np.floor(np.arange(wanted) * (size / wanted)).astype(int).clip(0, size - 1), axis=2 + n
            )
        return places

    return m.moved(name, x, how)


def same(m: NodeMaker, name: str, a: Given) -> Any:
    return a[0]


def dropout(m: NodeMaker, name: str, a: Given) -> Any:
    if a[2] and float(a[1]):
        raise m.fail("drops numbers at random in evaluation mode too", "pass training=self.training to it")
    return a[0]


def cast(m: NodeMaker, name: str, a: Given) -> Ref:
    dtype = next((str(x).removeprefix("torch.") for x in a[1:] if isinstance(x, torch.dtype)), "float32")
    return m.cast(name, a[0], dtype)


def index_select(places: Places, a: Given) -> Places:
    return places.take(np.asarray(a[2], np.int64), axis=int(a[1]))


def pixel_shuffle(places: Places, a: Given) -> Places:
    n, channels, height, width = places.shape
    factor = int(a[1])
    each = places.reshape(n, channels // factor**2, factor, factor, height, width)
    found: Places = each.transpose(0, 1, 4, 2, 5, 3).reshape(n, channels // factor**2, height * factor, width * factor)
    return found


def power(m: NodeMaker, name: str, a: Given) -> Ref:
    if isinstance(a[1], Ref):
        raise m.fail("has an exponent that depends on the input", "give a number")
    if float(a[1]) == 2.0:
        return m.node(name, "mul", [a[0], a[0]], a[0].full)
    return m.node(name, "power", [a[0]], a[0].full, {"exponent": float(a[1])})
