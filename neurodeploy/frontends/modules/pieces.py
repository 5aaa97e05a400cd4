"""What a layer of a module becomes: nodes of NIR, how they are joined, the kind of reset, and what no node can say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir.schema import NodeFields
from neurodeploy.ir.float_network import NO_LEAK, Floats

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TracedLayer:
    """A layer as it is used. entering, leaving : shapes of one sample in one step. dt : seconds of a step in the file."""

    module: Any
    name: str
    entering: Shape
    leaving: Shape
    dt: float

    def values(self, given: object) -> Floats:
        """A parameter as one number a neuron, (leaving,) float64."""
        return values(given, self.leaving)


@dataclass(frozen=True, slots=True)
class NirPiece:
    """nodes : name -> fields. enter, leave : the nodes that take the input and give the output; "" where the layer hands on
    what it gets. reset : of `frontends.nir.conventions.RESETS`, None without one. gaps : what neither the nodes nor the
    options of the reader can say, in words."""

    nodes: Mapping[str, NodeFields]
    enter: str
    leave: str
    edges: tuple[tuple[str, str], ...] = ()
    reset: str | None = None
    gaps: tuple[str, ...] = ()


Maker = Callable[[TracedLayer], NirPiece]


def refused(layer: TracedLayer, problem: str, fix: str) -> ModelError:
    """ND1275: a layer, or a setting of one, that no node of NIR stands for."""
    return ModelError("ND1275", f"{layer.name} ({type(layer.module).__name__})", problem, fix)


def array(given: object) -> Floats:
    """A tensor, an array or a number as float64."""
    held: Any = given
    made: Floats = np.asarray(held.detach().cpu().numpy() if hasattr(held, "detach") else held, np.float64)
    return made


def values(given: object, shape: Shape) -> Floats:
    """`given` repeated to `shape` as torch does it."""
    return np.array(np.broadcast_to(array(given), shape))


def one(layer: TracedLayer, fields: NodeFields, reset: str | None = None, gaps: tuple[str, ...] = ()) -> NirPiece:
    """A layer that is one node of its name."""
    return NirPiece({layer.name: fields}, layer.name, layer.name, reset=reset, gaps=gaps)


def looped(piece: NirPiece, loop: str, fields: NodeFields) -> NirPiece:
    """`piece` with a synapse `loop` from its output back to its input, one step later."""
    edges = (*piece.edges, (piece.leave, loop), (loop, piece.enter))
    return replace(piece, nodes={**piece.nodes, loop: fields}, edges=edges)


def leaky(layer: TracedLayer, keep: Floats, threshold: object, gain: object = 1.0, rest: object = 0.0) -> NodeFields:
    """A LIF, or an IF where nothing leaks: ``v = keep v + (1 - keep) rest + gain x``. keep : what a step leaves of v."""
    common: NodeFields = {"v_threshold": layer.values(threshold), "v_reset": layer.values(0.0)}
    if bool((keep == 1).all()):
        return {"type": "IF", "r": layer.values(gain) / layer.dt, **common}
    tau = time_constant(layer, keep)
    return {
        "type": "LIF",
        "tau": tau,
        "r": layer.values(gain) * (tau / layer.dt),
        "v_leak": layer.values(rest),
        **common,
    }


def time_constant(layer: TracedLayer, keep: Floats) -> Floats:
    """Seconds after which forward Euler in steps of dt leaves `keep` of a state."""
    return np.asarray(layer.dt / np.maximum(1 - keep, NO_LEAK))
