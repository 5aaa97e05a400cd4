"""Neurons of SpikingJelly: fires at v >= v_threshold, reset to v_reset, or by subtraction where v_reset is None.

(spikingjelly 2.0.0, ``activation_based/neuron/lif.py``, ``plif.py``, ``integrate_and_fire.py``, ``lif_variants.py``.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neurodeploy.frontends.modules import torch_layers
from neurodeploy.frontends.modules.pieces import (
    Maker,
    NirPiece,
    TracedLayer,
    array,
    looped,
    one,
    refused,
    time_constant,
)
from neurodeploy.frontends.nir.schema import NodeFields

START = "the membrane starts at 0, which it leaks to, and not at v_reset"


def _fires(layer: TracedLayer, kind: str, fields: NodeFields) -> NirPiece:
    held = layer.module
    value = 0.0 if held.v_reset is None else held.v_reset
    more: NodeFields = {"v_threshold": layer.values(held.v_threshold), "v_reset": layer.values(value)}
    return one(layer, {"type": kind, **fields, **more}, "subtract" if held.v_reset is None else "value")


def _leaky(layer: TracedLayer, tau: object) -> NirPiece:
    """It leaks towards v_reset; tau counts steps, and an input is divided by it unless decay_input is False."""
    held, steps = layer.module, layer.values(tau)
    rest = layer.values(0.0 if held.v_reset is None else held.v_reset)
    gain = layer.values(1.0) if held.decay_input else steps
    return _fires(layer, "LIF", {"tau": steps * layer.dt, "r": gain, "v_leak": rest})


def _parametric(layer: TracedLayer) -> NirPiece:
    weight = array(layer.module.w)
    return _leaky(layer, 1 + np.exp(-weight))


def _integrator(layer: TracedLayer) -> NirPiece:
    return _fires(layer, "IF", {"r": layer.values(1.0 / layer.dt)})


def _current(layer: TracedLayer) -> NirPiece:
    held = layer.module
    tau_syn, tau_mem = (time_constant(layer, layer.values(decay)) for decay in (held.c_decay, held.v_decay))
    fields: NodeFields = {
        "tau_syn": tau_syn, "tau_mem": tau_mem, "r": tau_mem / layer.dt, "w_in": tau_syn / layer.dt,
        "v_leak": layer.values(0.0),
    }  # fmt: skip
    piece = _fires(layer, "CubaLIF", fields)
    return replace(piece, gaps=(START,)) if held.v_reset else piece


def _container(layer: TracedLayer) -> NirPiece:
    """`LinearRecurrentContainer`: one matrix for the input and, to its right, for the spikes of the step before."""
    inner: Any = layer.module.sub_module
    make = NEURONS.get(type(inner).__name__)
    if make is None:
        raise refused(layer, f"holds a {type(inner).__name__}", f"put one of {', '.join(NEURONS)} into it")
    linear, size = layer.module.rc, layer.entering[-1]
    weight = array(linear.weight)
    piece = make(TracedLayer(inner, layer.name, layer.leaving, layer.leaving, layer.dt))
    piece = looped(piece, f"{layer.name}_w_rec", torch_layers.matrix(weight[:, size:]))
    into = f"{layer.name}_w_in"
    nodes = {into: torch_layers.matrix(weight[:, :size], linear.bias), **piece.nodes}
    return replace(piece, nodes=nodes, enter=into, edges=((into, piece.enter), *piece.edges))


NEURONS: Mapping[str, Maker] = {
    "IFNode": _integrator,
    "LIFNode": lambda layer: _leaky(layer, layer.module.tau),
    "ParametricLIFNode": _parametric,
    "CUBALIFNode": _current,
}
_LAYERS = ("Linear", "Conv1d", "Conv2d", "AvgPool2d", "Flatten", "BatchNorm1d", "BatchNorm2d", "Dropout", "Dropout2d")
CELLS: Mapping[str, Maker] = {
    **NEURONS, "LinearRecurrentContainer": _container, **{name: torch_layers.LAYERS[name] for name in _LAYERS}
}  # fmt: skip
