"""A reset that no node of NIR has, made of nodes that it has: the threshold taken off one step later, as snnTorch does.

Subtracted in the next step, before or after its leak, a spike leaves ``keep v + x - threshold`` (keep: what the leak leaves
of v in one step); subtracted at once, ``keep v + x - keep threshold``. The difference, ``(1 - keep) threshold``, comes off
through a synapse of the neuron on itself.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.ir.float_network import FloatEdge, FloatNode, Floats


def subtract_later(nodes: dict[str, FloatNode], edges: list[FloatEdge], name: str, dt: float) -> None:
    """Take ``(1 - keep) threshold`` off in the step after a spike of `name`, which is reset by subtraction.

    Where the synapse has a current that outlasts its step (share s of it), a second one takes s of it back a step later.
    """
    node = nodes[name]
    lost, gain, lasting = _leak_and_gain(node, dt)
    weight = -lost * node.params["v_threshold"] / gain
    own = _scale(nodes, f"{name}.later", node, weight)
    edges += [FloatEdge(name, own), FloatEdge(own, name, recurrent=True)]
    if lasting.any():
        late = _free(nodes, f"{name}.late")
        steps = np.full(node.shape, dt)
        steps.setflags(write=False)
        nodes[late] = FloatNode(late, "delay", node.shape, node.shape, {"delay": steps})
        back = _scale(nodes, f"{name}.back", node, -lasting * weight)
        edges += [FloatEdge(name, late), FloatEdge(late, back), FloatEdge(back, name, recurrent=True)]


def _free(nodes: dict[str, FloatNode], name: str) -> str:
    while name in nodes:
        name += "_"
    return name


def _scale(nodes: dict[str, FloatNode], wanted: str, node: FloatNode, weight: Floats) -> str:
    name = _free(nodes, wanted)
    weight.setflags(write=False)
    nodes[name] = FloatNode(name, "scale", node.shape, node.shape, {"scale": weight})
    return name


def _leak_and_gain(node: FloatNode, dt: float) -> tuple[Floats, Floats, Floats]:
    """What a membrane loses of itself in a step, what it takes of an input in its step, and the share of the current that is
    left in the next step."""
    p, none = node.params, np.zeros(node.shape)
    if node.kind == "if":
        return none, p["r"] * (1.0 if node.gain == "per-step" else dt), none
    if node.kind == "lif":
        return dt / p["tau"], p["r"] * dt / p["tau"], none
    if node.kind == "cubalif":
        gain = dt / p["tau_syn"] * p["w_in"] * dt / p["tau_mem"] * p["r"]
        return dt / p["tau_mem"], gain, 1 - dt / p["tau_syn"]
    raise ModelError("ND1270", node.name, f"reset 'subtract-next' is not known for {node.kind}", "use reset='subtract'")
