"""The ways from one population to the next, chains of linear nodes and delays, and the projections that they become before
rounding: one for each way, with its delays and the steps it should take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.spiking.operators import Matrix, Operator, Tick, compose, matrix
from neurodeploy.errors import UserError
from neurodeploy.ir.float_linear import resting
from neurodeploy.ir.float_network import FloatNetwork, FloatNode, Floats

MAX_VARIANTS, MAX_PATHS = 256, 1024


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


def arriving(network: FloatNetwork) -> Iterator[tuple[FloatNode, list[Path], Floats]]:
    """Neurons and outputs in order, with the ways into each and what reaches it while all are silent, (size,)."""
    rest = resting(network)
    for node in (network.nodes[name] for name in network.order()):
        if node.role in ("neuron", "output"):
            silent = sum((rest[edge.source] for edge in network.into(node.name)), np.zeros((1, *node.in_shape)))
            yield node, paths_into(network, node), silent.reshape(-1)


def later(paths: Sequence[Path], latency: Mapping[str, int]) -> int:
    """Synapses on the longest way to the target of these paths."""
    return 1 + max((latency[path.source.name] for path in paths if not path.recurrent), default=-1)


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """operator : from source to target in real numbers, gains of the target included. lag : steps of delay of all of it, in
    the float network; `extra` steps more bring it in line with other paths. delay_error : s, what rounding changed."""

    name: str
    source: str
    target: str
    operator: Operator
    lag: int
    extra: int
    delay_error: float


def links(
    paths: Sequence[Path],
    gain: Floats,
    dt: float,
    latency: Mapping[str, int],
    taken: set[str],
    tick: Tick | None = None,
) -> list[Link]:
    """The projections into one population; `taken` are names in use, `tick` is told of long work. Raises ND1244."""
    found: list[Link] = []
    for path in paths:
        waits = [node for node in path.nodes if node.kind == "delay"]
        error = max((float(np.abs(_steps(n, dt) * dt - n.params["delay"]).max()) for n in waits), default=0.0)
        extra = latency[path.target.name] - latency[path.source.name] - 1 + path.recurrent
        for operator, lag in _operators(path, gain, dt, tick):
            name = base = f"{path.source.name}->{path.target.name}"
            number = 1
            while name in taken:
                number += 1
                name = f"{base}#{number}"
            taken.add(name)
            found.append(Link(name, path.source.name, path.target.name, operator, lag, extra, error))
    return found


def _steps(node: FloatNode, dt: float) -> NDArray[np.int64]:
    steps: NDArray[np.int64] = np.rint(node.params["delay"] / dt).astype(np.int64)
    return steps


def _operators(path: Path, gain: Floats, dt: float, tick: Tick | None) -> list[tuple[Operator, int]]:
    """The chain as linear maps with one delay each; different delays within it are joined where no synapse is in two."""
    nodes: list[FloatNode] = []
    constant = 0
    varied: list[tuple[int, NDArray[np.int64]]] = []
    for node in path.nodes:
        if node.kind != "delay":
            nodes.append(node)
            continue
        steps = _steps(node, dt)
        if int(steps.min()) == int(steps.max()):
            constant += int(steps.flat[0])
        else:
            varied.append((len(nodes), steps))
            nodes.append(node)
    if not varied:
        return [(_scaled(path, nodes, gain, tick), constant)]
    choices = [np.unique(steps) for _, steps in varied]
    if np.prod([len(values) for values in choices]) > MAX_VARIANTS:
        problem = f"has more than {MAX_VARIANTS} combinations of different delays on the way to it"
        raise UserError("ND1244", path.target.name, problem, "use fewer different delays")
    parts: list[tuple[Matrix, int]] = []
    for values in product(*choices):
        masked = list(nodes)
        for (place, steps), value in zip(varied, values, strict=True):
            node = nodes[place]
            mask = {"scale": (steps == value).astype(np.float64)}
            masked[place] = FloatNode(node.name, "scale", node.shape, node.shape, mask)
        part = matrix(masked, path.source.size, path.source.shape, path.target.size, tick).scaled(gain)
        if part.values.size:
            parts.append((part, constant + int(sum(values))))
    return _merged(parts)


def _merged(parts: list[tuple[Matrix, int]]) -> list[tuple[Operator, int]]:
    """One matrix with a delay for each synapse, if no synapse has two."""
    if not parts:
        return []
    row, column, values = (
        np.concatenate([getattr(part, key) for part, _ in parts]) for key in ("row", "column", "values")
    )
    first = parts[0][0]
    place = row * first.columns + column
    if np.unique(place).size != place.size:
        return [(part, lag) for part, lag in parts]
    lag = np.concatenate([np.full(part.values.size, steps, np.int64) for part, steps in parts])
    least = int(lag.min())
    return [(replace(first, row=row, column=column, values=values, lag=lag - least), least)]


def _scaled(path: Path, nodes: Sequence[FloatNode], gain: Floats, tick: Tick | None) -> Operator:
    """The chain times the gain of each target."""
    scaled = compose(nodes, path.source.shape, path.target.shape, tick).scaled(gain)
    if scaled is not None:
        return scaled
    return matrix(nodes, path.source.size, path.source.shape, path.target.size, tick).scaled(gain)
