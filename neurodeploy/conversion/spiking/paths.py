"""The ways from one population to the next: chains of linear nodes and delays, each of which becomes one projection."""

from __future__ import annotations

from dataclasses import dataclass

from neurodeploy.errors import UserError
from neurodeploy.ir.float_network import FloatNetwork, FloatNode

MAX_PATHS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """From `source` through `nodes` (linear and delay) to `target`; `recurrent` edges on it take one step each."""

    source: FloatNode
    nodes: tuple[FloatNode, ...]
    target: FloatNode
    recurrent: int


def paths_into(network: FloatNetwork, target: FloatNode) -> list[Path]:
    """All paths from inputs and neurons to a neuron or output, in the order of edges. Raises ND1241, ND1244."""
    found: list[Path] = []
    stack: list[tuple[str, tuple[FloatNode, ...], int]] = [(target.name, (), 0)]
    while stack:
        name, nodes, recurrent = stack.pop()
        steps = []
        for edge in network.into(name):
            source, lag = network.nodes[edge.source], recurrent + edge.recurrent
            if source.role in ("input", "neuron"):
                found.append(Path(source, nodes, target, lag))
            elif source in nodes:
                problem = "lies on a loop of delays and linear nodes without a neuron"
                raise UserError("ND1241", source.name, problem, "put a neuron into the loop")
            else:
                steps.append((source.name, (source, *nodes), lag))
        stack += reversed(steps)
        if len(found) + len(stack) > MAX_PATHS:
            problem = f"is reached on more than {MAX_PATHS} ways through linear nodes"
            raise UserError("ND1244", target.name, problem, "merge parallel linear nodes")
    return found
