"""Which layer feeds which: a module is traced by torch.fx down to the layers that become nodes of NIR."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends.modules.frameworks import FRAMEWORKS, maker_of
from neurodeploy.frontends.modules.pieces import NirPiece, Shape, TracedLayer, refused
from neurodeploy.frontends.modules.torch_layers import LAYERS, flatten
from neurodeploy.frontends.nir.schema import KIND_OF, NodeFields
from neurodeploy.ir.float_network import KINDS

INPUT, OUTPUT = "input", "output"
FIX = "build it of layers and additions alone, one step (or one sequence) a call, such as torch.nn.Sequential"


@dataclass(slots=True, eq=False)
class ModuleGraph:
    """A graph of NIR as it grows. layers : name of a layer with neurons -> its node that spikes, or its readout. resets :
    name of a node -> its kind of reset. gaps : what is lost, in words, with the layer."""

    nodes: dict[str, NodeFields] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    layers: dict[str, str] = field(default_factory=dict)
    resets: dict[str, str] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)

    def add(self, piece: NirPiece, layer: TracedLayer, sources: tuple[str, ...]) -> tuple[str, ...]:
        """The names that carry on behind a layer."""
        if not piece.nodes:
            return sources
        if clash := [name for name in piece.nodes if name in self.nodes]:
            raise refused(layer, f"is used twice, or another layer is named {clash[0]}", "make a layer for each place")
        self.nodes.update(piece.nodes)
        self.edges += [*((source, piece.enter) for source in sources), *piece.edges]
        if any(KINDS[KIND_OF[str(fields["type"])]].role == "neuron" for fields in piece.nodes.values()):
            self.layers[layer.name] = piece.leave
        if piece.reset:
            self.resets[layer.name] = piece.reset
        self.gaps += [f"{layer.name}: {gap}" for gap in piece.gaps]
        return (piece.leave,)


class _Follower:
    """Walks the operations of a trace; a value is the nodes whose outputs add up to it."""

    def __init__(self, module: Any, name: str, shapes: Mapping[str, tuple[Shape, Shape]], entering: Shape, dt: float):
        self.module, self.name, self.shapes, self.dt = module, name, shapes, dt
        self.made = ModuleGraph({INPUT: {"type": "Input", "shape": np.array(entering)}})
        self.sizes: dict[str, Shape] = {INPUT: entering}

    def refuse(self, what: str) -> ModelError:
        return ModelError("ND1276", type(self.module).__name__, what, FIX)

    def layer(self, part: Any, target: str, sources: tuple[str, ...]) -> tuple[str, ...]:
        """Behind the layer that is called `target` in the module."""
        name = target.replace(".", "_") or type(part).__name__.lower()
        name += "_" if name in (INPUT, OUTPUT) else ""
        if not sources:
            raise self.refuse(f"{name} is fed by something that is not its input")
        entering, leaving = self.shapes.get(target, ((), ()))
        found = TracedLayer(part, name, entering, leaving, self.dt)
        make = maker_of(part, self.name)
        if make is None:
            known = ", ".join(dict.fromkeys([*FRAMEWORKS[self.name].cells, *LAYERS]))
            raise refused(found, "is a layer that no node of NIR stands for", f"use {known}")
        return self.placed(make(found), found, sources)

    def placed(self, piece: NirPiece, layer: TracedLayer, sources: tuple[str, ...]) -> tuple[str, ...]:
        behind = self.made.add(piece, layer, sources)
        self.sizes.update(dict.fromkeys(behind, layer.leaving) if piece.nodes else {})
        return behind

    def flattened(self, sources: tuple[str, ...], name: str, start: int, end: int) -> tuple[str, ...]:
        """Behind torch.flatten, whose first axis is that of the samples."""
        entering = self.sizes[sources[0]]
        if start != 1 or end not in (-1, len(entering)):
            raise self.refuse("flattens other axes than those behind the samples")
        layer = TracedLayer(self.module, name, entering, (int(np.prod(entering)),), self.dt)
        return self.placed(flatten(layer), layer, sources)

    def function(self, node: Any, values: Mapping[Any, tuple[str, ...]]) -> tuple[str, ...]:
        """Behind an operation that is no layer."""
        called = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
        given = [values[arg] for arg in node.args if arg in values]
        if called in ("add", "add_", "iadd", "__add__") and len(given) == len(node.args) == 2 and not node.kwargs:
            joined = (*given[0], *given[1])
            if len(set(joined)) == len(joined):
                return joined
        if called == "flatten" and given and given[0]:
            options = {
                "start_dim": 0,
                "end_dim": -1,
                **dict(zip(("start_dim", "end_dim"), node.args[1:], strict=False)),
            }
            options |= node.kwargs
            return self.flattened(given[0], node.name, options["start_dim"], options["end_dim"])
        if node.target is operator.getitem:  # spikes, then states
            return given[0] if node.args[1] == 0 else ()
        if called == "_assert_is_none":
            return ()
        raise self.refuse(f"calls {called}, which is no layer")


def follow(
    module: Any, name: str, shapes: Mapping[str, tuple[Shape, Shape]], entering: Shape, dt: float
) -> ModuleGraph:
    """The graph of a module of framework `name`.

    shapes : of `running.shapes_of`. entering : shape of one sample in one step. dt : seconds of a step. Raises ND1275 for
    layers that no node stands for, ND1276 for a forward pass that cannot be followed.
    """
    follower = _Follower(module, name, shapes, entering, dt)
    if maker_of(module, name):
        behind = follower.layer(module, "", (INPUT,))
    else:
        behind = _walk(follower, _trace(follower, name))
    made = follower.made
    if not behind or behind == (INPUT,):
        raise follower.refuse("gives nothing that its input reaches")
    made.nodes[OUTPUT] = {"type": "Output", "shape": np.array(follower.sizes[behind[0]])}
    made.edges += [(source, OUTPUT) for source in behind]
    return made


def _trace(follower: _Follower, name: str) -> Any:
    from torch import fx
    from torch.nn import Sequential

    class Tracer(fx.Tracer):
        def is_leaf_module(self, m: Any, module_qualified_name: str) -> bool:
            own = type(m).__module__.partition(".")[0] == name and not isinstance(m, Sequential)
            return bool(maker_of(m, name)) or own or super().is_leaf_module(m, module_qualified_name)

    parameters = list(inspect.signature(follower.module.forward).parameters.values())
    absent = {one.name: None for one in parameters[1:] if one.default is None}
    try:
        return Tracer().trace(follower.module, concrete_args=absent or None)
    except Exception as error:  # whatever a forward pass does with a stand-in for its input
        text = " ".join(str(error).split())
        raise follower.refuse(f"cannot be followed: {type(error).__name__}: {text:.200}") from None


def _walk(follower: _Follower, graph: Any) -> tuple[str, ...]:
    values: dict[Any, tuple[str, ...]] = {}
    for node in graph.nodes:
        if node.op == "placeholder":
            values[node] = () if values else (INPUT,)
        elif node.op == "call_module":
            part = follower.module.get_submodule(node.target)
            values[node] = follower.layer(part, node.target, values.get(node.args[0], ()) if node.args else ())
        elif node.op in ("call_function", "call_method"):
            values[node] = follower.function(node, values)
        elif node.op == "output":
            given = node.args[0]
            while isinstance(given, tuple | list) and given:
                given = given[0]
            return values.get(given, ())
        else:
            values[node] = ()
    return ()
