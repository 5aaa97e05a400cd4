"""Neurons of snnTorch: ``mem = beta mem + x``, fires at mem > threshold; kind and delay of the reset are attributes.

(snntorch 1.0.0, ``_neurons/leaky.py``, ``synaptic.py``, ``rleaky.py``, ``rsynaptic.py``.)
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
    leaky,
    looped,
    one,
    refused,
    time_constant,
)
from neurodeploy.frontends.nir.schema import NodeFields
from neurodeploy.ir.float_network import Floats

#: The values of its buffer `reset_mechanism_val`.
SUBTRACT, ZERO, NONE = 0, 1, 2
LOST = (
    "a neuron of RSynaptic that is reset to zero one step later loses its input in that step, which no node of NIR does"
)


def _reset(layer: TracedLayer) -> str | None:
    held = layer.module
    if bool((array(held.graded_spikes_factor) != 1).any()):
        raise refused(
            layer, "sends spikes of a size of its own (graded_spikes_factor)", "put the factor into the weights"
        )
    if held.inhibition or held.state_quant:
        raise refused(layer, "has inhibition or state_quant, which no node of NIR has", "make it without them")
    if not held.init_hidden:
        raise refused(
            layer, "keeps no state of its own, so nobody can feed it step by step", "make it with init_hidden=True"
        )
    how = int(held.reset_mechanism_val)
    if how == SUBTRACT:
        return "subtract-next" if held.reset_delay else "subtract"
    return "value" if how == ZERO else None


def _kept(layer: TracedLayer, given: object) -> Floats:
    """A decay, clipped as its forward pass does."""
    return np.clip(layer.values(given), 0.0, 1.0)


def _membrane(layer: TracedLayer) -> NirPiece:
    held, reset = layer.module, _reset(layer)
    fields = leaky(layer, _kept(layer, held.beta), held.threshold)
    return one(layer, fields, reset) if reset else _without_reset(layer, fields)


def _without_reset(layer: TracedLayer, fields: NodeFields) -> NirPiece:
    """The same membrane, and a threshold behind it."""
    threshold = fields["v_threshold"]
    kind = {"LIF": "LI", "CubaLIF": "CubaLI", "IF": "I"}[str(fields["type"])]
    kept: NodeFields = {key: value for key, value in fields.items() if key not in ("v_threshold", "v_reset")}
    fires = f"{layer.name}_fires"
    nodes: dict[str, NodeFields] = {
        layer.name: {**kept, "type": kind}, fires: {"type": "Threshold", "threshold": threshold}
    }  # fmt: skip
    return NirPiece(nodes, layer.name, fires, ((layer.name, fires),))


def _synaptic(layer: TracedLayer) -> NirPiece:
    held, reset = layer.module, _reset(layer)
    tau_syn, tau_mem = (time_constant(layer, _kept(layer, given)) for given in (held.alpha, held.beta))
    fields: NodeFields = {
        "type": "CubaLIF", "tau_syn": tau_syn, "tau_mem": tau_mem, "r": tau_mem / layer.dt, "w_in": tau_syn / layer.dt,
        "v_leak": layer.values(0.0), "v_threshold": layer.values(held.threshold), "v_reset": layer.values(0.0),
    }  # fmt: skip
    return one(layer, fields, reset) if reset else _without_reset(layer, fields)


def _recurrent(piece: NirPiece, layer: TracedLayer) -> NirPiece:
    """Spikes of the step before, by a matrix, a convolution or one weight a neuron."""
    back: Any = layer.module.recurrent
    fields: NodeFields
    if not layer.module.all_to_all:
        fields = {"type": "Scale", "scale": layer.values(back.V)}
    elif array(back.weight).ndim == 2:
        fields = torch_layers.matrix(back.weight, back.bias)
    else:
        fields = torch_layers.window(TracedLayer(back, layer.name, layer.leaving, layer.leaving, layer.dt))
    return looped(piece, f"{layer.name}_w_rec", fields)


def _recurrent_synaptic(layer: TracedLayer) -> NirPiece:
    piece = _recurrent(_synaptic(layer), layer)
    late = piece.reset == "value" and bool(layer.module.reset_delay)
    return replace(piece, gaps=(LOST,)) if late else piece


CELLS: Mapping[str, Maker] = {
    "Leaky": _membrane,
    "Synaptic": _synaptic,
    "RLeaky": lambda layer: _recurrent(_membrane(layer), layer),
    "RSynaptic": _recurrent_synaptic,
}
