"""`FloatNetwork`: a spiking network in real numbers and SI units, with an explicit time step.

The vocabulary is that of NIR 1.0.8 (neuroir.org, `nir/ir/*.py`), flat: no subgraphs. Shapes are NIR's: (channel,
height, width), (channel, length) or (features,). An edge is an identity; several edges into one node add up. In step t,
t = 1, 2, .., every node takes its sum of inputs and gives an output; a `recurrent` edge carries the output of step
t - 1, every other edge that of step t (so feed-forward layers have no latency, as in the frameworks that train such
networks).

Neurons, forward Euler (I: sum of inputs, dt: time step; `simulators.float_network` has the exponential scheme too)::

    i           v += g I                                       g = R dt, or R where the gain is "per-step"
    if          the same                                       z = [v > v_threshold], strictly
    li, lif     v += dt / tau (v_leak - v + R I)               z likewise
    cubali(f)   c += dt / tau_syn (w_in I - c)                 then v += dt / tau_mem (v_leak - v + R c) with the new c
    threshold   z = [I > threshold]

A spike resets in the same step: "value": v = v_reset, "subtract": v -= v_threshold. v starts at v_leak (li, lif,
cubali, cubalif), at v_reset (if) or at 0 (i), c at 0. li, i and cubali send v, spiking neurons send z.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.network import need

Floats = NDArray[np.float64]

RESETS = ("value", "subtract")
GAINS = ("physical", "per-step")
#: Whoever has to write a leak and has none writes this share of the membrane in a step, for which there is no integer.
NO_LEAK = 2.0**-40


@dataclass(frozen=True, slots=True)
class Kind:
    """A node type: `params` have one value a neuron, `tensors` are weights, `options` are integers or pairs of them.

    role : "input", "output", "neuron", "delay" or "linear".
    """

    role: str
    nir: str
    params: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    spikes: bool = False


_POOL = ("kernel_size", "stride", "padding")
_CONV = ("stride", "padding", "dilation", "groups")
#: Every kind of node and its type in NIR.
KINDS: Mapping[str, Kind] = {
    "input": Kind("input", "Input"),
    "output": Kind("output", "Output"),
    "i": Kind("neuron", "I", ("r",)),
    "if": Kind("neuron", "IF", ("r", "v_threshold", "v_reset"), spikes=True),
    "li": Kind("neuron", "LI", ("tau", "r", "v_leak")),
    "lif": Kind("neuron", "LIF", ("tau", "r", "v_leak", "v_threshold", "v_reset"), spikes=True),
    "cubali": Kind("neuron", "CubaLI", ("tau_syn", "tau_mem", "r", "v_leak", "w_in")),
    "cubalif": Kind(
        "neuron", "CubaLIF", ("tau_syn", "tau_mem", "r", "v_leak", "w_in", "v_threshold", "v_reset"), spikes=True
    ),
    "threshold": Kind("neuron", "Threshold", ("threshold",), spikes=True),
    "delay": Kind("delay", "Delay", ("delay",)),
    "scale": Kind("linear", "Scale", ("scale",)),
    "linear": Kind("linear", "Linear", tensors=("weight",)),
    "affine": Kind("linear", "Affine", tensors=("weight", "bias")),
    "conv1d": Kind("linear", "Conv1d", tensors=("weight", "bias"), options=_CONV),
    "conv2d": Kind("linear", "Conv2d", tensors=("weight", "bias"), options=_CONV),
    "sum_pool2d": Kind("linear", "SumPool2d", options=_POOL),
    "avg_pool2d": Kind("linear", "AvgPool2d", options=_POOL),
    "flatten": Kind("linear", "Flatten", options=("start_dim", "end_dim")),
}

#: An integer, one for each spatial axis, or (before, after) for each of them: padding is always the last.
Option = int | tuple[int, ...] | tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class FloatNode:
    """One node; a population where its role is "neuron".

    in_shape, shape : of its input and of its output, without batch and time.
    params : by name, float64: of shape `shape` for `Kind.params`, tensors in torch's layout.
    options : of convolutions, pools and flatten: stride, dilation and kernel_size as (height, width) or (length,),
        padding as ((before, after), ..), groups, start_dim and end_dim as integers that count from the first axis.
    reset : "value" or "subtract". gain : "physical" or "per-step", for `if` and `i` alone.
    """

    name: str
    kind: str
    in_shape: tuple[int, ...]
    shape: tuple[int, ...]
    params: Mapping[str, Floats] = field(default_factory=dict)
    options: Mapping[str, Option] = field(default_factory=dict)
    reset: str = "value"
    gain: str = "physical"

    @property
    def role(self) -> str:
        return KINDS[self.kind].role

    @property
    def spikes(self) -> bool:
        return KINDS[self.kind].spikes

    @property
    def size(self) -> int:
        return size_of(self.shape)


class FloatEdge(NamedTuple):
    """From the output of a node to the input of another; `recurrent`: what was sent in the step before."""

    source: str
    target: str
    recurrent: bool = False


class Note(NamedTuple):
    """Something about the source that was repaired or decided: where, what was found, what was done."""

    where: str
    found: str
    done: str


class Question(Note):
    """What a source leaves open, to be answered by the user: `done` is how it was taken and what says otherwise."""

    __slots__ = ()


class Loss(Note):
    """What integers cannot hold of a source at all, and what would help."""

    __slots__ = ()


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """Nodes and edges, and the time step `dt` in s. `notes`: repairs, decisions, questions; `provenance` is for people."""

    name: str
    nodes: Mapping[str, FloatNode]
    edges: tuple[FloatEdge, ...]
    dt: float
    notes: tuple[Note, ...] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(name for name, node in self.nodes.items() if node.kind == "input")

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(name for name, node in self.nodes.items() if node.kind == "output")

    @property
    def neurons(self) -> int:
        return sum(node.size for node in self.nodes.values() if node.role == "neuron")

    def into(self, name: str) -> tuple[FloatEdge, ...]:
        return tuple(edge for edge in self.edges if edge.target == name)

    def order(self) -> tuple[str, ...]:
        """Nodes so that every edge that is not recurrent points forward. ND9012 where they form a cycle."""
        order, stuck = topological(self.nodes, [edge[:2] for edge in self.edges if not edge.recurrent])
        if stuck:
            raise InternalError("ND9012", stuck[0], "edges that are not recurrent form a cycle")
        return order

    def check(self) -> None:
        """Names, kinds, shapes and parameters agree; feed-forward edges form no cycle. Raises ND9012.

        The reader turns what a file does wrong into errors for its user before it builds a network.
        """
        need(bool(self.nodes), self.name, "has no node")
        need(bool(np.isfinite(self.dt)) and self.dt > 0, self.name, f"has a time step of {self.dt} s")
        for name, node in self.nodes.items():
            need(name == node.name and "/" not in name and bool(name), name, "is not a usable name")
            need(node.kind in KINDS, name, f"is of unknown kind {node.kind}")
            kind = KINDS[node.kind]
            empty = not node.shape or not node.in_shape or min(*node.shape, *node.in_shape) < 1
            need(not empty, name, "has an empty shape")
            need(node.reset in RESETS and node.gain in GAINS, name, "has an unknown reset or gain")
            need(set(node.params) == {*kind.params, *kind.tensors}, name, f"has the parameters {sorted(node.params)}")
            need(set(node.options) == set(kind.options), name, f"has the options {sorted(node.options)}")
            need(kind.role == "linear" or node.in_shape == node.shape, name, "changes the shape")
            for key in kind.params:
                need(node.params[key].shape == node.shape, name, f"{key} has the shape {node.params[key].shape}")
        for edge in self.edges:
            need(edge.source in self.nodes and edge.target in self.nodes, str(edge), "joins unknown nodes")
            shapes = self.nodes[edge.source].shape, self.nodes[edge.target].in_shape
            need(shapes[0] == shapes[1], str(edge), f"joins shapes {shapes}")
        need(len({edge[:2] for edge in self.edges}) == len(self.edges), self.name, "has an edge twice")
        self.order()


@dataclass(slots=True, eq=False)
class FloatResult:
    """A run of a `FloatNetwork`.

    outputs : output -> (samples, steps, size) float64, what reaches it in each step.
    recorded : node -> variable ("out", "v", "c") -> the same shape.
    counts : node -> spikes by neuron (size,), all samples.
    peaks : node -> variable -> the largest magnitude by neuron (size,), "v" before a reset, "in" the sum of inputs.
    """

    dt: float
    steps: int
    outputs: dict[str, Floats]
    recorded: dict[str, dict[str, Floats]]
    counts: dict[str, NDArray[np.int64]]
    peaks: dict[str, dict[str, Floats]]


def size_of(shape: Iterable[int]) -> int:
    """Product of the sides, exact however large."""
    return math.prod(map(int, shape))


def topological(names: Iterable[str], edges: Iterable[tuple[str, ...]]) -> tuple[tuple[str, ...], list[str]]:
    """Names so that edges point forward, stable; and those that lie on or behind a cycle."""
    children: dict[str, list[str]] = {name: [] for name in names}
    missing = dict.fromkeys(children, 0)
    for source, target in edges:
        children[source].append(target)
        missing[target] += 1
    ready = [name for name, count in missing.items() if not count]
    order: list[str] = []
    for name in ready:  # grows while it is walked
        order.append(name)
        for child in children[name]:
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    return tuple(order), [name for name in children if missing[name]]


def chip_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(C, H, W) as (x, y, channel), (C, L) as (L, 1, C), all others as they are."""
    if len(shape) == 3:
        return shape[2], shape[1], shape[0]
    return (shape[1], 1, shape[0]) if len(shape) == 2 else shape


def chip_order(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """(size,): for each neuron in the order of `chip_shape` its index in NIR's order.

    ``on_chip = in_nir[..., chip_order(shape)]``
    """
    index = np.arange(size_of(shape), dtype=np.int64)
    return index.reshape(shape).T.reshape(-1) if len(shape) in (2, 3) else index
