"""Neurons of sinabs: ``v = a v + gain x`` with ``a = exp(-1 / tau)``, fires at v >= threshold, time constants in steps.

Its attributes say what its exporter leaves out: `reset_fn`, `norm_input` (a gain of 1 - a, or of 1), `tau_syn`. What the
chip has not are several spikes in a step (`MultiSpike`, its default) and a floor of the membrane (`min_v_mem`).

(sinabs 3.1.3, ``layers/lif.py``, ``iaf.py``, ``exp_leak.py``, ``layers/functional/lif.py``, ``activation``.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neurodeploy.frontends.modules import torch_layers
from neurodeploy.frontends.modules.pieces import Maker, NirPiece, TracedLayer, array, looped, one, refused
from neurodeploy.frontends.nir.schema import NodeFields
from neurodeploy.ir.float_network import NO_LEAK, Floats

SEVERAL = "several spikes in a step are sent as one (spike_fn=MultiSpike; SingleSpike sends one)"
EARLY = "the bias of rec_connect comes from the first step on, and not from the second"
FLOOR = "the floor of the membrane is lost (min_v_mem)"
#: Neurons, and what takes samples and steps in one axis in their place, as convolutions want them.
TWINS = {"IAF": "IAFSqueeze", "LIF": "LIFSqueeze", "ExpLeak": "ExpLeakSqueeze"}


def _gaps(layer: TracedLayer) -> tuple[str, ...]:
    held = layer.module
    spike = getattr(held.spike_fn, "__name__", type(held.spike_fn).__name__)
    several = held.spike_fn is not None and spike != "SingleSpike" and _most(held.spike_fn) != 1
    return (*((SEVERAL,) if several else ()), *((FLOOR,) if held.min_v_mem is not None else ()))


def _most(spike_fn: Any) -> int | None:
    return getattr(spike_fn, "max_num_spikes_per_bin", None)


def _reset(layer: TracedLayer) -> str:
    held = layer.module
    how: Any = held.reset_fn
    name = type(how).__name__
    if name == "MembraneReset":
        if float(how.reset_value) != 0:
            problem = "adds its reset_value to every membrane in every step, spike or none, which no node of NIR does"
            raise refused(layer, problem, "use MembraneReset() and a bias")
        return "value"
    if name == "MembraneSubtract":
        if how.subtract_value is not None and bool((array(how.subtract_value) != array(held.spike_threshold)).any()):
            raise refused(layer, "takes another value than its threshold off", "leave subtract_value out")
        return "subtract"
    raise refused(layer, f"is reset by {name}, which no node of NIR does", "use MembraneReset or MembraneSubtract")


def _decays(layer: TracedLayer) -> tuple[Floats | None, Floats | None]:
    """tau of the membrane (None: no leak) and of the synapse (None: no current), in steps."""
    mem, syn = layer.module.tau_mem_calculated, layer.module.tau_syn_calculated
    tau = None if mem is None else layer.values(mem)
    return None if tau is None or bool(np.isinf(tau).all()) else tau, None if syn is None else layer.values(syn)


def _fields(layer: TracedLayer, fires: bool) -> NodeFields:
    held = layer.module
    tau, syn = _decays(layer)
    unit = tau is None or not held.norm_input
    if tau is None and syn is None:
        return {"type": "IF" if fires else "I", "r": layer.values(1.0 / layer.dt)}
    if tau is None:  # beside a synapse there is always a leak
        tau = layer.values(1 / NO_LEAK)
    # The reader takes a gain of 1 - a from r = 1: the exact solution of a step.
    gain = 1 / -np.expm1(-1 / tau) if unit else layer.values(1.0)
    common: NodeFields = {"r": gain, "v_leak": layer.values(0.0)}
    if syn is None:
        return {"type": "LIF" if fires else "LI", "tau": tau * layer.dt, **common}
    keep = np.exp(-1 / syn)  # i = keep (i + x)
    current: NodeFields = {"tau_syn": syn * layer.dt, "tau_mem": tau * layer.dt, "w_in": keep / -np.expm1(-1 / syn)}
    return {"type": "CubaLIF" if fires else "CubaLI", **current, **common}


def _spiking(layer: TracedLayer) -> NirPiece:
    more: NodeFields = {
        "v_threshold": layer.values(layer.module.spike_threshold), "v_reset": layer.values(0.0)
    }  # fmt: skip
    return one(layer, {**_fields(layer, fires=True), **more}, _reset(layer), _gaps(layer))


def _readout(layer: TracedLayer) -> NirPiece:
    return one(layer, _fields(layer, fires=False), gaps=_gaps(layer))


def _recurrent(layer: TracedLayer) -> NirPiece:
    back: Any = layer.module.rec_connect
    if type(back).__name__ != "Linear" or len(layer.leaving) != 1:
        raise refused(layer, f"is fed back by a {type(back).__name__}", "use a torch.nn.Linear as rec_connect")
    piece = looped(_spiking(layer), f"{layer.name}_w_rec", torch_layers.matrix(back.weight, back.bias))
    early = back.bias is not None and bool(array(back.bias).any())
    return replace(piece, gaps=(*piece.gaps, EARLY)) if early else piece


def _sum_pool(layer: TracedLayer) -> NirPiece:
    held = layer.module
    if held.ceil_mode or held.norm_type != 1:
        raise refused(layer, "is no plain sum", "use SumPool2d(kernel_size)")
    return torch_layers.pooling(layer, "SumPool2d", held.stride)


CELLS: Mapping[str, Maker] = {
    **dict.fromkeys(("IAF", "IAFSqueeze", "LIF", "LIFSqueeze"), _spiking),
    **dict.fromkeys(("ExpLeak", "ExpLeakSqueeze"), _readout),
    **dict.fromkeys(("IAFRecurrent", "LIFRecurrent"), _recurrent),
    "SumPool2d": _sum_pool,
}
