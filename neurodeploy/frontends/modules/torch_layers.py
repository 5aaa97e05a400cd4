"""Layers of torch itself, which all frameworks use between their neurons, as nodes of NIR."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from neurodeploy.frontends.modules.pieces import Maker, NirPiece, Shape, TracedLayer, array, one, refused
from neurodeploy.frontends.nir.schema import NodeFields


def linear(layer: TracedLayer) -> NirPiece:
    return one(layer, matrix(layer.module.weight, layer.module.bias))


def matrix(weight: object, bias: object = None) -> NodeFields:
    """The fields of a matrix, with a bias or without."""
    if bias is None:
        return {"type": "Linear", "weight": array(weight)}
    return {"type": "Affine", "weight": array(weight), "bias": array(bias)}


def convolution(layer: TracedLayer) -> NirPiece:
    return one(layer, window(layer))


def window(layer: TracedLayer) -> NodeFields:
    """The fields of a convolution in one or two dimensions."""
    held, spatial = layer.module, layer.entering[1:]
    if held.padding_mode != "zeros":
        raise refused(layer, f"pads with {held.padding_mode}, and NIR with zeros alone", "use padding_mode='zeros'")
    flat = len(spatial) == 1
    weight = array(held.weight)
    bias = np.zeros(len(weight)) if held.bias is None else array(held.bias)
    fields: NodeFields = {
        "type": f"Conv{len(spatial)}d", "weight": weight, "bias": bias, "groups": int(held.groups),
        "input_shape": spatial[0] if flat else np.array(spatial),
    }  # fmt: skip
    for key in ("stride", "padding", "dilation"):
        given = getattr(held, key)
        fields[key] = given if isinstance(given, str) else int(given[0]) if flat else sides(given)
    return fields


def average(layer: TracedLayer) -> NirPiece:
    held = layer.module
    if held.ceil_mode or held.divisor_override is not None or (not held.count_include_pad and np.any(held.padding)):
        fix = "leave ceil_mode, divisor_override and count_include_pad as they are by default"
        raise refused(layer, "averages in a way that NIR does not have", fix)
    return pooling(layer, "AvgPool2d", held.stride, held.padding)


def pooling(layer: TracedLayer, kind: str, stride: object, padding: object = 0) -> NirPiece:
    kernel = sides(layer.module.kernel_size)
    step = kernel if stride is None else sides(stride)
    return one(layer, {"type": kind, "kernel_size": kernel, "stride": step, "padding": sides(padding)})


def sides(given: object) -> NDArray[np.int64]:
    """One integer, or one for each of two axes, as two."""
    return np.array(np.broadcast_to(np.asarray(given, np.int64), (2,)))


def flatten(layer: TracedLayer) -> NirPiece:
    """By its shapes alone: they say which axes were joined, however many axes of samples and steps came before."""
    before, after = layer.entering, layer.leaving
    if before == after:
        return passed_on(layer)
    joined = joined_axes(before, after)
    if joined is None:
        raise refused(layer, f"makes {after} of {before}, and NIR joins neighbouring axes", "use torch.nn.Flatten()")
    start, end = joined
    return one(layer, {"type": "Flatten", "input_type": np.array(before), "start_dim": start, "end_dim": end})


def joined_axes(before: Shape, after: Shape) -> tuple[int, int] | None:
    """The first and the last of the axes of `before` that are one in `after`; None where there are none."""
    for start in range(len(before)):
        for end in range(start, len(before)):
            if (*before[:start], math.prod(before[start : end + 1]), *before[end + 1 :]) == after:
                return start, end
    return None


def normalised(layer: TracedLayer) -> NirPiece:
    """A batch normalisation as it is when the network is run: a gain and a bias for each channel."""
    held = layer.module
    if held.running_var is None:
        raise refused(layer, "has no running statistics", "make it with track_running_stats=True")
    gain = 1 / np.sqrt(array(held.running_var) + held.eps)
    bias = -gain * array(held.running_mean)
    if held.affine:
        scale = array(held.weight)
        gain, bias = gain * scale, bias * scale + array(held.bias)
    spatial = layer.entering[1:]
    if not spatial:
        return one(layer, matrix(np.diag(gain), bias))
    weight = gain.reshape(-1, 1, *(1 for _ in spatial))
    shape = spatial[0] if len(spatial) == 1 else np.array(spatial)
    fields: NodeFields = {"type": f"Conv{len(spatial)}d", "weight": weight, "bias": bias, "groups": len(gain)}
    return one(layer, {**fields, "input_shape": shape})


def passed_on(layer: TracedLayer) -> NirPiece:
    """A layer that does nothing when it is run rather than trained."""
    return NirPiece({}, "", "")


LAYERS: Mapping[str, Maker] = {
    "Linear": linear, "Conv1d": convolution, "Conv2d": convolution, "AvgPool2d": average, "Flatten": flatten,
    "BatchNorm1d": normalised, "BatchNorm2d": normalised,
    "Identity": passed_on, "Dropout": passed_on, "Dropout1d": passed_on, "Dropout2d": passed_on,
}  # fmt: skip
