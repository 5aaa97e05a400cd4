"""Neurons of Norse: parameters in a tuple `p`, inverse time constants, fires at v > v_th, a reset that is a function.

(norse 1.1.0, ``functional/lif_box.py``, ``lif.py``, ``iaf.py``, ``leaky_integrator.py``, ``leaky_integrator_box.py``.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from neurodeploy.frontends.modules import torch_layers
from neurodeploy.frontends.modules.pieces import Maker, NirPiece, TracedLayer, looped, one, refused
from neurodeploy.frontends.nir.schema import NodeFields

#: Its functions of resetting, by name, as kinds of reset.
RESETS = {"reset_value": "value", "reset_subtract": "subtract"}
#: Those that take a whole sequence; others take one step and a state.
SEQUENCES = ("LIF", "LI", "IAF", "LIFRecurrent", "Lift")


def _reset(layer: TracedLayer) -> str:
    method = getattr(layer.module.p, "reset_method", None)
    name = "reset_value" if method is None else getattr(method, "__name__", str(method))
    if name not in RESETS:
        raise refused(layer, f"is reset by {name}, which no node of NIR does", f"use one of {', '.join(RESETS)}")
    return RESETS[name]


def _membrane(layer: TracedLayer) -> NodeFields:
    """Forward Euler with r = 1: ``v += dt / tau (v_leak - v + x)``."""
    p = layer.module.p
    return {"tau": 1 / layer.values(p.tau_mem_inv), "r": layer.values(1.0), "v_leak": layer.values(p.v_leak)}


def _current(layer: TracedLayer) -> NodeFields:
    """With a current to which a spike adds its whole weight."""
    p = layer.module.p
    tau_syn = 1 / layer.values(p.tau_syn_inv)
    made: NodeFields = {
        "tau_syn": tau_syn, "tau_mem": 1 / layer.values(p.tau_mem_inv), "r": layer.values(1.0),
        "v_leak": layer.values(p.v_leak), "w_in": tau_syn / layer.dt,
    }  # fmt: skip
    return made


def _fires(layer: TracedLayer, kind: str, fields: NodeFields) -> NirPiece:
    p = layer.module.p
    more: NodeFields = {"v_threshold": layer.values(p.v_th), "v_reset": layer.values(p.v_reset)}
    return one(layer, {"type": kind, **fields, **more}, _reset(layer))


def _recurrent(layer: TracedLayer) -> NirPiece:
    """Its own matrices of input and recurrence around a neuron with a current."""
    held: Any = layer.module
    piece = looped(_fires(layer, "CubaLIF", _current(layer)), f"{layer.name}_w_rec", _weights(held.recurrent_weights))
    into = f"{layer.name}_w_in"
    nodes = {into: _weights(held.input_weights), **piece.nodes}
    return replace(piece, nodes=nodes, enter=into, edges=((into, piece.enter), *piece.edges))


def _weights(given: object) -> NodeFields:
    return torch_layers.matrix(given)


def _lifted(layer: TracedLayer) -> NirPiece:
    """A layer of torch that is applied to every step."""
    inner: Any = layer.module.lifted_module
    make = torch_layers.LAYERS.get(type(inner).__name__)
    if make is None:
        raise refused(layer, f"lifts a {type(inner).__name__}", f"lift one of {', '.join(torch_layers.LAYERS)}")
    return make(TracedLayer(inner, layer.name, layer.entering, layer.leaving, layer.dt))


def _with_current(layer: TracedLayer) -> NirPiece:
    return _fires(layer, "CubaLIF", _current(layer))


def _without_leak(layer: TracedLayer) -> NirPiece:
    return _fires(layer, "IF", {"r": layer.values(1.0 / layer.dt)})


def _readout(layer: TracedLayer) -> NirPiece:
    return one(layer, {"type": "CubaLI", **_current(layer)})


CELLS: Mapping[str, Maker] = {
    "LIFBoxCell": lambda layer: _fires(layer, "LIF", _membrane(layer)),
    "LIBoxCell": lambda layer: one(layer, {"type": "LI", **_membrane(layer)}),
    "LIFCell": _with_current, "LIF": _with_current,
    "LICell": _readout, "LI": _readout,
    "IAFCell": _without_leak, "IAF": _without_leak,
    "LIFRecurrentCell": _recurrent, "LIFRecurrent": _recurrent,
    "Lift": _lifted,
}  # fmt: skip
