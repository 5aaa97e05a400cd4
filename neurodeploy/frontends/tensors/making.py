"""What both frontends make nodes with: names, constants, index maps, and the usual operations on shapes.

A network is read for one sample. An operand is a `Ref`, a value that depends on the input, or an array, a constant of
the network.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.tensors.sizes import LARGEST, spread, unfolded, windows
from neurodeploy.ir.tensors import Node, Shape


class Ref(NamedTuple):
    """A value: its name, and its full shape in the source, of one sample. Its node has the shape without the first axis
    where that is 1, the axis of samples as a rule."""

    name: str
    full: Shape

    @property
    def lead(self) -> int:
        return int(len(self.full) > 1 and self.full[0] == 1)

    @property
    def shape(self) -> Shape:
        return self.full[self.lead :]

    def axis(self, n: int) -> int:
        """An axis of the full shape as one of the node's."""
        return int(n) % len(self.full) - self.lead


Operand = Ref | NDArray[Any]


def in_a_line(error: Exception) -> str:
    """What a library said, for a message of ours."""
    return " ".join(str(error).split())[:120]


@dataclass(slots=True, eq=False)
class NodeMaker:
    """Nodes as they are made. `what`, `where`: the operation that is read now, and its place."""

    nodes: list[Node] = field(default_factory=list)
    where: str = ""
    what: str = ""
    #: Values that are whole numbers.
    integers: set[str] = field(default_factory=set)
    _names: set[str] = field(default_factory=set)

    def fail(self, problem: str, remedy: str) -> ModelError:
        """ND1310: what cannot be read, with its place."""
        return ModelError("ND1310", f"{self.what}{f' ({self.where})' if self.where else ''}", problem, remedy)

    def read(self, call: Callable[..., Any], *given: Any) -> Any:
        """A row of a frontend's table; what a stranger's arguments and shapes make of it is ND1310."""
        try:
            return call(self, *given)
        except ModelError:
            raise
        except Exception as error:
            raise self.fail(
                f"cannot be: {type(error).__name__}: {in_a_line(error)}",
                "check its arguments and shapes, and export the model again",
            ) from error

    def name(self, wanted: str) -> str:
        base = re.sub(r"[^A-Za-z0-9_.]", "_", wanted).strip(".") or "value"
        name, count = base, 1
        while name in self._names:
            count += 1
            name = f"{base}_{count}"
        self._names.add(name)
        return name

    def room(self, full: Sequence[int]) -> None:
        """ND1310 for a value without numbers, or with more than `sizes.LARGEST`."""
        if min(full, default=1) < 1 or math.prod(full) > LARGEST:
            problem = f"makes a value of the shape {tuple(int(n) for n in full)}"
            raise self.fail(problem, f"a sample's values have 1 to {LARGEST} numbers")

    def node(
        self, wanted: str, form: str, inputs: Sequence[Ref], full: Shape, settings: dict[str, Any] | None = None,
        **arrays: Any,
    ) -> Ref:  # fmt: skip
        self.room(full)
        kept = {role: np.require(array, requirements=["C", "W"]) for role, array in arrays.items() if array is not None}
        made, names = Ref(self.name(wanted), tuple(int(n) for n in full)), tuple(x.name for x in inputs)
        self.nodes.append(Node(made.name, form, names, made.shape, settings or {}, kept, self.where))
        return made

    def moved(self, wanted: str, x: Ref, how: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> Ref:
        """What numpy does to an array of places of the full shape is done to the value: a `take`, or the value itself where
        nothing moves."""
        places = how(np.arange(math.prod(x.full), dtype=np.int64).reshape(x.full))
        self.room(places.shape)
        made = Ref(x.name, places.shape)
        if made.shape == x.shape and np.array_equal(places.reshape(-1), np.arange(places.size)):
            return made
        return self.node(wanted, "take", [x], places.shape, index=places.reshape(-1).astype(np.int64))

    def map(self, x: Ref, sides: int) -> Ref:
        """A value as a map of one sample, (channels, *sides)."""
        if x.lead and len(x.shape) == sides + 1:
            return x
        problem = f"wants a map of one sample and {sides} sides, the value has the shape {x.full}"
        raise self.fail(problem, "keep the batch axis first, and each sample by itself")

    def binary(self, wanted: str, a: Operand, b: Operand, by: str) -> Ref:
        """``a + b``, ``a - b``, ``a * b`` or ``a / b``, at most one of them a constant."""
        if isinstance(a, Ref) and isinstance(b, Ref):
            full = tuple(np.broadcast_shapes(a.full, b.full))
            a, b = (self.moved(f"{wanted}.wide", x, lambda p: np.broadcast_to(p, full)) for x in (a, b))
            if by in ("add", "sub"):
                return self.node(wanted, "add", [a, b], full, {} if by == "add" else {"sign": -1})
            return self.node(wanted, "mul" if by == "mul" else "divide", [a, b], full)
        first = not isinstance(a, Ref)
        x, constant = (b, a) if first else (a, b)
        assert isinstance(x, Ref) and not isinstance(constant, Ref)
        c = np.asarray(constant, np.float64)
        if by == "div" and not first and not c.all():
            raise self.fail("divides by 0", "divide by numbers")
        full = tuple(np.broadcast_shapes(x.full, c.shape))
        x = self.moved(f"{wanted}.wide", x, lambda p: np.broadcast_to(p, full))
        if by == "div" and first:
            x, by = self.node(f"{wanted}.inverse", "plain", [x], full, {"by": "reciprocal"}), "mul"
        one, none = np.ones(()), np.zeros(())
        scale, shift = {
            "add": (one, c), "sub": (-one, c) if first else (one, -c), "mul": (c, none),
            "div": (one / c if by == "div" else one, none),
        }[by]  # fmt: skip
        return self.affine(wanted, x, scale, shift)

    def affine(self, wanted: str, x: Ref, scale: NDArray[Any], shift: NDArray[Any]) -> Ref:
        """Constants that broadcast against the full shape."""
        arrays = [np.asarray(array, np.float32) for array in (scale, shift)]
        arrays = [array[0] if x.lead and array.ndim == len(x.full) else array for array in arrays]
        return self.node(wanted, "affine", [x], x.full, scale=arrays[0], shift=arrays[1])

    def norm(
        self, wanted: str, x: Ref, mean: NDArray[Any], var: NDArray[Any], weight: NDArray[Any] | None,
        bias: NDArray[Any] | None, eps: float,
    ) -> Ref:  # fmt: skip
        """Batch norm with stored statistics: ``(x - mean) / sqrt(var + eps) * weight + bias`` by axis 1."""
        mean, var = np.asarray(mean, np.float64), np.asarray(var, np.float64)
        scale = (1.0 if weight is None else np.asarray(weight, np.float64)) / np.sqrt(var + eps)
        shift = (0.0 if bias is None else np.asarray(bias, np.float64)) - mean * scale
        side = (-1, *[1] * (len(x.full) - 2))
        return self.affine(wanted, x, scale.reshape(side), shift.reshape(side))

    def rectify(self, wanted: str, x: Ref, slope: Any = None, **ends: float | None) -> Ref:
        """slope : a number, or (channels,) by axis 1."""
        kept: dict[str, Any] = {name: float(value) for name, value in ends.items() if value is not None}
        array = None
        if slope is not None:
            numbers = np.asarray(slope, np.float32).reshape(-1)
            if numbers.size == 1:
                kept["slope"] = float(numbers[0])
            elif x.lead and x.shape[0] == numbers.size:
                array = numbers
            else:
                raise self.fail(f"has {numbers.size} slopes for the shape {x.full}", "give one, or one a channel")
        return self.node(wanted, "rectify", [x], x.full, kept, slope=array)

    def curve(self, wanted: str, x: Ref, act: str) -> Ref:
        return self.node(wanted, "curve", [x], x.full, {"act": act})

    def cast(self, wanted: str, x: Ref, dtype: str) -> Ref:
        """To whole numbers: what is behind the point goes."""
        if dtype == "bool":
            raise self.fail("makes truths of numbers", "compute with numbers")
        same = "int" not in dtype or x.name in self.integers
        return x if same else self.node(wanted, "plain", [x], x.full, {"by": "trunc"})

    def reduced(self, wanted: str, x: Ref, by: str, axes: Sequence[int], keep: bool) -> Ref:
        """ "mean", "sum", "amax" or "argmax" over axes of the full shape. A mean over the sides of a map is average
        pooling."""
        whole = not len(axes)
        axes = tuple(range(x.lead, len(x.full))) if whole else tuple(sorted(axis % len(x.full) for axis in axes))
        kept = tuple(1 if n in axes else size for n, size in enumerate(x.full))
        out = kept if keep else tuple(size for n, size in enumerate(x.full) if n not in axes)
        if by == "argmax" and whole:  # the place in the value as one row
            x, axes = self.moved(f"{wanted}.row", x, lambda p: p.reshape(1, -1)), (1,)
        if by == "mean" and x.lead and len(x.shape) in (2, 3) and axes == tuple(range(2, len(x.full))):
            given = {"kernel": x.shape[1:], "stride": x.shape[1:], "padding": (0,) * len(x.shape[1:])}
            pooled = self.node(wanted, "avg_pool", [x], kept, given)
            return self.moved(f"{wanted}.flat", pooled, lambda a: a.reshape(out))
        own = tuple(n for n in map(x.axis, axes) if n >= 0)
        if not own and by != "argmax":  # over the one sample
            return self.moved(wanted, x, lambda p: p.reshape(out or (1,)))
        if len(own) != 1 and by == "argmax":
            raise self.fail(f"looks for the largest along the axes {axes}", "choose one axis of a sample")
        form = "sum" if by in ("sum", "mean") else "reduce"
        return self.node(wanted, form, [x], out or (1,), {"by": by, "axes": own})

    def pooled(
        self, wanted: str, form: str, x: Ref, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int],
        dilation: Sequence[int] = (1,), *, ceil: bool = False, padded: bool = True,
    ) -> Ref:  # fmt: skip
        """Average or maximum pooling of a map. padded : whether zeros around it count in an average."""
        sides = len(x.full) - 2
        x = self.map(x, sides)
        kernel, padding, dilation = (spread(each, sides) for each in (kernel, padding, dilation))
        stride = spread(stride, sides) if stride else kernel
        out = windows(x.shape[1:], kernel, stride, padding, dilation)
        larger = [n + s - 1 for n, s in zip(x.shape[1:], stride, strict=True)]
        if ceil and out != windows(larger, kernel, stride, padding, dilation):
            raise self.fail(
                "pools with ceil_mode over sides that do not divide", "pad the map, or let ceil_mode be False"
            )
        given: dict[str, Any] = {"kernel": kernel, "stride": stride, "padding": padding}
        given |= {"dilation": dilation} if form == "max_pool" else {"padded": padded}
        return self.node(wanted, form, [x], (1, x.shape[0], *out), given)

    def conv(
        self, wanted: str, x: Ref, weight: NDArray[Any], bias: NDArray[Any] | None, *, stride: Sequence[int] = (1,),
        padding: Sequence[int] = (0,), dilation: Sequence[int] = (1,), groups: int = 1, transposed: bool = False,
        output_padding: Sequence[int] = (0,),
    ) -> Ref:  # fmt: skip
        sides = weight.ndim - 2
        x = self.map(x, sides)
        if sides > 2:
            raise self.fail("has three sides", "the chip's convolutions have one or two")
        if weight.shape[0 if transposed else 1] * (1 if transposed else groups) != x.shape[0]:
            raise self.fail(
                f"has weights {weight.shape} in {groups} groups for {x.shape[0]} channels", "check its weights"
            )
        stride, padding, dilation, more = (spread(n, sides) for n in (stride, padding, dilation, output_padding))
        given = x.shape[1:], weight.shape[2:], stride, padding, dilation
        out = unfolded(*given, more) if transposed else windows(*given)
        channels = weight.shape[1] * groups if transposed else weight.shape[0]
        kept: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": int(groups)}
        if transposed:
            kept |= {"transposed": True, "output_padding": more}
        arrays = {
            "weight": np.asarray(weight, np.float32),
            "bias": None if bias is None else np.asarray(bias, np.float32),
        }
        return self.node(wanted, "conv", [x], (1, channels, *out), kept, **arrays)

    def linear(self, wanted: str, x: Ref, weight: NDArray[Any], bias: NDArray[Any] | None = None) -> Ref:
        """weight (out, in)."""
        if weight.ndim != 2 or weight.shape[1] != x.full[-1]:
            raise self.fail(f"multiplies {x.full} with weights {weight.shape}", "check its weights")
        arrays = {
            "weight": np.asarray(weight, np.float32),
            "bias": None if bias is None else np.asarray(bias, np.float32),
        }
        return self.node(wanted, "linear", [x], (*x.full[:-1], len(weight)), None, **arrays)

    def product(self, wanted: str, a: Operand, b: Operand) -> Ref:
        """A matrix product: with a constant matrix `linear`, of two values `matmul`."""
        if isinstance(a, Ref) and not isinstance(b, Ref) and b.ndim == 2:
            return self.linear(wanted, a, b.T)
        if isinstance(a, Ref) and isinstance(b, Ref):
            full = (*np.broadcast_shapes(a.full[:-2], b.full[:-2]), a.full[-2], b.full[-1])
            if len(a.shape) == len(b.shape):
                return self.node(wanted, "matmul", [a, b], full)
        if isinstance(b, Ref) and not isinstance(a, Ref) and a.ndim == 2 and len(b.full) >= 2:
            turned = self.moved(f"{wanted}.turned", b, lambda p: p.swapaxes(-1, -2))
            return self.moved(f"{wanted}.back", self.linear(wanted, turned, a), lambda p: p.swapaxes(-1, -2))
        raise self.fail("multiplies arrays of several axes", "write it as a matrix product")

    def constant(self, wanted: str, x: Ref, array: NDArray[Any]) -> Ref:
        """A constant where a value is wanted: ``0 * x + array``."""
        c = np.asarray(array, np.float64)
        x = self.moved(f"{wanted}.place", x, lambda p: np.broadcast_to(p.reshape(-1)[:1], c.shape))
        return self.affine(wanted, x, np.zeros(()), c)

    def split(self, wanted: str, x: Ref, lengths: Sequence[int], axis: int) -> list[Ref]:
        """Parts of these lengths along an axis of the full shape."""
        axis, start, found = axis % len(x.full), 0, []
        for n, length in enumerate(lengths):
            window = (slice(None),) * axis + (slice(start, start + length),)
            found.append(self.moved(f"{wanted}.{n}", x, lambda places, w=window: places[w]))  # type: ignore[misc]
            start += length
        return found

    def joined(self, wanted: str, parts: Sequence[Operand], axis: int) -> Ref:
        """Values one after another along an axis of the full shape."""
        first = next(part for part in parts if isinstance(part, Ref))
        values = [p if isinstance(p, Ref) else self.constant(f"{wanted}.constant", first, p) for p in parts]
        full, axis = list(values[0].full), axis % len(values[0].full)
        full[axis] = sum(part.full[axis] for part in values)
        if len({part.lead for part in values}) > 1 or values[0].axis(axis) < 0:
            flat = [self.moved(f"{wanted}.part", part, lambda p: p.reshape(1, *p.shape)) for part in values]
            made = self.node(wanted, "concat", flat, (1, *full), {"axis": axis})
            return self.moved(f"{wanted}.out", made, lambda p: p.reshape(full))
        return self.node(wanted, "concat", values, tuple(full), {"axis": values[0].axis(axis)})
