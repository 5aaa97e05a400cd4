"""Convolutions of the fast runner: kernels packed for events, patches for products."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.network import Projection
from neurodeploy.machine.threads import split
from neurodeploy.synapses import Conv
from simulators.fast.costs import slowdown
from simulators.fast.kernels import conv, products
from simulators.fast.products import exact_product, own_is_faster, passes, possible
from simulators.fast.traffic import Traffic
from simulators.fast.wiring import DIGIT_NS, Multiplied
from simulators.products.pairs import padded

#: Nanoseconds that an event costs for each stretch of weights that it adds, and for each of the weights; to clear a sum.
STRETCH_NS, WEIGHT_NS, CLEAR_NS = 12.0, 0.17, 0.3
#: Nanoseconds of one element of a patch, of placing a sum, and how much slower products with few columns are.
PATCH_NS, SUM_NS, NARROW_PRODUCT = 1.5, 1.5, 2.0


class Packed(NamedTuple):
    """Arguments of `kernels.conv.runs`."""

    kernel: NDArray[np.signedinteger]
    sides: tuple[int, int]
    lines: NDArray[np.int64]
    stretches: NDArray[np.int64]


def reached(c: Conv, axis: int) -> list[list[tuple[int, int]]]:
    """For each input pixel along an axis its (output pixel, tap), ascending."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(c.input_shape[axis])]
    target, source, tap = (part.tolist() for part in c.pairs(axis, 0, c.output_shape[axis]))
    for pixel, place, k in sorted(zip(source, target, tap, strict=True)):
        found[pixel].append((place, k))
    return found


def pack(c: Conv) -> Packed | None:
    """The kernel so that all weights from an event to the neighbouring pixels of a line lie side by side.

    The taps of an input pixel y on neighbouring outputs are those of one remainder modulo the stride, a *phase*: of a
    plain convolution in descending order, of a transposed one all in ascending order. None for groups and for
    dilation along y.
    """
    if c.groups != 1 or c.dilation[1] != 1:
        return None
    out, kx, ky, channels = c.weight.shape
    stride = 1 if c.transposed else c.stride[1]
    phases = [list(range(ky))] if c.transposed else [list(range(ky))[::-1]]
    if stride > 1:
        phases = [[tap for tap in range(ky)[::-1] if tap % stride == phase] for phase in range(stride)]
    # A transposed convolution with a stride reaches neighbouring pixels too: its taps are one apart in the output.
    kernel = np.zeros((len(phases), kx, channels, max(len(taps) for taps in phases), out), c.weight.dtype)
    for phase, taps in enumerate(phases):
        for i, tap in enumerate(taps):
            kernel[phase, :, :, i] = c.weight[:, :, tap].transpose(1, 2, 0)
    lines = np.full((c.input_shape[0], kx, 2), -1, np.int64)
    for x, pairs in enumerate(reached(c, 0)):
        for i, (place, tap) in enumerate(pairs):
            lines[x, i] = tap, place
    stretches = np.zeros((c.input_shape[1], 4), np.int64)
    for y, pairs in enumerate(reached(c, 1)):
        if pairs:
            phase = next(i for i, taps in enumerate(phases) if pairs[0][1] in taps)
            stretches[y] = phase, phases[phase].index(pairs[0][1]), len(pairs), pairs[0][0]
    return Packed(kernel, (c.input_shape[1], c.output_shape[1]), lines, stretches)


class ConvWiring(Multiplied):
    """The kernel by input channel for events, by group for products: two or three copies of it, none by pixel."""

    delayed = conv.delayed

    def __init__(self, projection: Projection) -> None:
        super().__init__(projection)
        c = projection.synapse
        assert isinstance(c, Conv)
        self.synapse = c
        out, kx, ky, wide = c.weight.shape
        grouped = c.weight.reshape(c.groups, out // c.groups, kx, ky, wide)
        self.taps = (kx, ky)
        self.shape = (
            c.input_shape[1], c.input_shape[2], *c.output_shape, c.groups, *c.stride, *c.padding, *c.dilation
        )  # fmt: skip
        # (groups, sums of a product, terms of a sum): views of the kernel unless it is transposed
        order = (0, 2, 3, 1, 4) if c.transposed else (0, 1, 2, 3, 4)
        depth = wide if c.transposed else kx * ky * wide
        #: The kernel (taps x, taps y, channels) of one input and one output channel a group.
        alone = c.groups > 1 and wide == 1 and out == c.groups and not c.transposed
        self.single = np.ascontiguousarray(c.weight[..., 0].transpose(1, 2, 0), np.int64) if alone else None
        self.matrices = np.ascontiguousarray(grouped.transpose(order)).reshape(c.groups, -1, depth)

    @cached_property
    def kernel(self) -> NDArray[np.signedinteger]:
        """By input channel, made when events are asked for."""
        c = self.synapse
        out, kx, ky, wide = c.weight.shape
        grouped = c.weight.reshape(c.groups, out // c.groups, kx, ky, wide)
        return np.ascontiguousarray(grouped.transpose(2, 3, 0, 4, 1)).reshape(kx, ky, c.groups * wide, -1)

    @cached_property
    def packed(self) -> Packed | None:
        return pack(self.synapse)

    def fuses(self, pixels: int, bits: int) -> bool:
        """Whether the project's own product of so many pixels is faster than those of libraries, whose windows and sums go
        through memory."""
        width, depth = self.matrices[0].shape
        return own_is_faster(pixels, bits, PATCH_NS / width + SUM_NS / depth)

    def clear(self, traffic: Traffic, pending: NDArray[np.int32]) -> None:
        work = traffic.events * self.kernel.shape[0] * self.kernel.shape[1] * self.kernel.shape[3]
        kernel, laid = (conv.messages, self.laid) if self.packed is None else (conv.runs, self.packed)
        split(kernel, work, *traffic.listed, traffic.values(self.graded), *laid, self.exponent, pending)

    @property
    def laid(self) -> tuple[Any, ...]:
        return self.kernel, self.shape, self.synapse.transposed

    def has_product(self, bound: int) -> bool:
        return possible(self.matrices[0], bound)

    def sums(self, frames: NDArray[Any], bound: int) -> NDArray[Any]:
        n, c = len(frames), self.synapse
        images = frames.reshape(n, *c.input_shape)
        if c.transposed:
            return self._transposed(images, bound).reshape(n, -1)
        if self.single is not None:
            out = np.empty((n, *c.output_shape), np.int64)
            split(products.by_channel, out.size * self.matrices.shape[2], images, self.single, self.shape, out)
            return out.reshape(n, -1)
        found = []
        rows = n * c.output_shape[0] * c.output_shape[1]
        for group, matrix in enumerate(self.matrices):
            shape = rows, matrix.shape[1]
            patches = padded(shape) if frames.dtype == np.int16 else np.empty(shape, frames.dtype)
            split(products.patches, rows * shape[1], images, group, self.shape, self.taps, patches)
            found.append(exact_product(patches, matrix, bound))
        return (found[0] if c.groups == 1 else np.concatenate(found, axis=1)).reshape(n, -1)

    def _transposed(self, images: NDArray[Any], bound: int) -> NDArray[np.int64]:
        c = self.synapse
        out = np.zeros((len(images), *c.output_shape), np.int64)
        wide = c.weight.shape[3]
        for group, matrix in enumerate(self.matrices):
            pixels = np.ascontiguousarray(images[..., group * wide : (group + 1) * wide]).reshape(-1, wide)
            found = exact_product(pixels, matrix, bound)
            spread = found.reshape(*images.shape[:3], *self.taps, c.weight.shape[0] // c.groups)
            products.unpatch(spread, group, self.shape, self.taps, out)
        return out

    def synaptic_events(self, traffic: Traffic) -> float:
        stride_x, stride_y = (1, 1) if self.synapse.transposed else self.synapse.stride
        return float(traffic.events * self.taps[0] / stride_x * self.taps[1] / stride_y * self.kernel.shape[3])

    def cost(self, traffic: Traffic, bound: int, wide: bool) -> tuple[float, float]:
        c = self.synapse
        stride_x, stride_y = (1, 1) if c.transposed else c.stride
        taps_x, taps_y = self.taps[0] / stride_x, self.taps[1] / stride_y
        stretches = taps_x * (1 if self.packed is not None and not wide else taps_y)
        slow = 4 if wide or self.projection.depth > 1 else 1
        stretches_ns = traffic.events * stretches * STRETCH_NS
        events = slow * (stretches_ns + self.synaptic_events(traffic) * WEIGHT_NS) * slowdown(True)
        pixels = c.input_shape if c.transposed else c.output_shape
        groups, width, depth = self.matrices.shape
        top = traffic.limits(self.graded)[1]
        digits, multiply_ns = passes(top, self.matrices[0], bound, traffic.frames * pixels[0] * pixels[1])
        multiply = NARROW_PRODUCT * multiply_ns * digits
        element = PATCH_NS + (digits * DIGIT_NS if digits > 1 else 0.0) + width * multiply
        product = pixels[0] * pixels[1] * groups * depth * element + c.rows * SUM_NS * slow * digits
        return events + traffic.frames * c.rows * CLEAR_NS, traffic.frames * product
