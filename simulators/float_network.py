"""Runs a `FloatNetwork` in float64: the reference for what rounding to the chip's integers changes.

The equations are those of `neurodeploy.ir.float_network`. With ``scheme="exponential"`` every ``dt / tau`` there is
``1 - exp(-dt / tau)``, which is exact for a constant input; integrators without a leak are the same in both.

Before the first step every source was silent for ever: a recurrent edge and a delay begin with what linear nodes make
of silence (their biases). A delay of `tau` seconds is ``round(tau / dt)`` steps, half to even.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.float_linear import apply, resting
from neurodeploy.ir.float_network import FloatEdge, FloatNetwork, FloatNode, FloatResult, Floats

SCHEMES = ("euler", "exponential")
Variables = dict[str, Floats]


def run(
    network: FloatNetwork,
    inputs: Mapping[str, NDArray[Any]],
    steps: int | None = None,
    *,
    record: Collection[str] = (),
    scheme: str = "euler",
) -> FloatResult:
    """Advance from rest by `steps` (default: as many as the inputs have).

    inputs : every input node -> (steps, size) or (samples, steps, size) numbers, in NIR's order of neurons.
    record : nodes whose output and states are kept. Raises ND1260 where inputs do not fit.
    """
    feed = {name: _samples(network, name, inputs) for name in network.inputs}
    unknown = sorted(set(inputs) - set(feed) | set(record) - set(network.nodes))
    if unknown or scheme not in SCHEMES:
        problem = f"is no node of {network.name}" if unknown else "is no scheme"
        fix = "use " + ", ".join(feed if unknown else SCHEMES)
        raise UserError("ND1260", unknown[0] if unknown else scheme, problem, fix)
    counts = {value.shape[0] for value in feed.values()} or {1}
    lengths = {value.shape[1] for value in feed.values()} or {0}
    steps = min(lengths) if steps is None else steps
    if len(counts) > 1 or not 0 <= steps <= min(lengths, default=steps):
        problem = f"inputs have {sorted(counts)} samples and {sorted(lengths)} steps, {steps} steps are asked for"
        raise UserError("ND1260", network.name, problem, "give all inputs the same samples and enough steps")
    return _Run(network, counts.pop(), scheme).all(feed, steps, record)


def _samples(network: FloatNetwork, name: str, inputs: Mapping[str, NDArray[Any]]) -> Floats:
    """One input as (samples, steps, *shape)."""
    if name not in inputs:
        raise UserError("ND1260", name, "has no input", "give it an array (samples, steps, size)")
    array, node = np.asarray(inputs[name]), network.nodes[name]
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[2] != node.size or array.dtype.kind not in "biuf":
        problem = f"has an input of shape {array.shape} and type {array.dtype}"
        raise UserError("ND1260", name, problem, f"give numbers (samples, steps, {node.size})")
    return array.astype(np.float64).reshape(*array.shape[:2], *node.shape)


@dataclass
class _Run:
    """The states of a network while it runs. `now` and `before` are the outputs of this step and of the last one."""

    network: FloatNetwork
    samples: int
    scheme: str
    state: dict[str, Variables] = field(default_factory=dict)

    def __post_init__(self) -> None:
        network = self.network
        self.into: dict[str, list[FloatEdge]] = {name: [] for name in network.nodes}
        for edge in network.edges:
            self.into[edge.target].append(edge)
        self.before = resting(network)
        self.steps = {n: STEPS[node.kind](self, node) for n, node in network.nodes.items() if node.kind in STEPS}
        for name, node in network.nodes.items():
            if node.kind == "delay":
                self.steps[name] = _delay(self, node, self._sum(name, self.before, self.before))

    def all(self, feed: Mapping[str, Floats], steps: int, record: Collection[str]) -> FloatResult:
        network, order = self.network, self.network.order()
        result = FloatResult(network.dt, steps, {}, {}, {}, {})
        kept: dict[str, dict[str, list[Floats]]] = {name: {} for name in (*network.outputs, *record)}
        counts = {n: np.zeros(node.shape, np.int64) for n, node in network.nodes.items() if node.spikes}
        for t in range(steps):
            now: dict[str, Floats] = {}
            for name in order:
                node = network.nodes[name]
                if node.kind == "input":
                    now[name] = feed[name][:, t]
                    continue
                total = self._sum(name, now, self.before)
                if name in self.steps:
                    now[name] = self.steps[name](total)
                else:
                    now[name] = apply(node, total) if node.role == "linear" else total
                if node.role == "neuron":
                    _raise_peak(result.peaks.setdefault(name, {}), "in", total)
                    _raise_peak(result.peaks[name], "v", self.state[name].get("peak", total))
                    if "c" in self.state[name]:
                        _raise_peak(result.peaks[name], "c", self.state[name]["c"])
                if node.spikes:
                    counts[name] += np.count_nonzero(now[name], axis=0)
            self.before = now
            for name, variables in kept.items():
                values: Variables = {"out": now[name]}
                values.update({key: value for key, value in self.state.get(name, {}).items() if key in ("v", "c")})
                for key, value in values.items():
                    variables.setdefault(key, []).append(np.broadcast_to(value, (self.samples, *value.shape[1:])))
        flat = {name: {key: self._joined(name, v, steps) for key, v in found.items()} for name, found in kept.items()}
        for name in network.outputs:
            result.outputs[name] = flat[name].get("out", self._joined(name, [], steps))
        result.recorded = {name: flat[name] for name in record}
        result.counts = {name: value.reshape(-1) for name, value in counts.items()}
        return result

    def _joined(self, name: str, values: list[Floats], steps: int) -> Floats:
        shape = (self.samples, steps, self.network.nodes[name].size)
        return np.stack(values, axis=1).reshape(shape) if values else np.zeros(shape)

    def _sum(self, name: str, now: Mapping[str, Floats], before: Mapping[str, Floats]) -> Floats:
        total = np.zeros((self.samples, *self.network.nodes[name].in_shape))
        for source, _, recurrent in self.into[name]:
            total = total + (before if recurrent else now)[source]
        return total

    def rate(self, tau: Floats) -> Floats:
        """The part of a state that is lost in one step: ``dt / tau`` in the scheme."""
        share: Floats = self.network.dt / tau
        return share if self.scheme == "euler" else -np.expm1(-share)


def _raise_peak(peaks: dict[str, Floats], key: str, value: Floats) -> None:
    largest = np.abs(value).max(axis=0).reshape(-1)
    peaks[key] = np.maximum(peaks[key], largest) if key in peaks else largest


def _delay(run: _Run, node: FloatNode, silent: Floats) -> Callable[[Floats], Floats]:
    lag = np.rint(node.params["delay"] / run.network.dt).astype(np.int64).reshape(-1)
    depth = int(lag.max()) + 1
    line = np.repeat(silent.reshape(run.samples, 1, -1), depth, axis=1)
    columns = np.arange(node.size)
    at = 0

    def step(x: Floats) -> Floats:
        nonlocal at
        line[:, at % depth] = x.reshape(run.samples, -1)
        sent = line[:, (at - lag) % depth, columns]
        at += 1
        return sent.reshape(x.shape)

    return step


def _membrane(run: _Run, node: FloatNode, start: Floats) -> Callable[[Floats], Floats]:
    """Keep v, compare, reset: takes the new v, returns what is sent."""
    p = node.params
    state = run.state[node.name] = {"v": np.repeat(start[None], run.samples, axis=0)}

    def send(v: Floats) -> Floats:
        state["peak"] = v
        if not node.spikes:
            state["v"] = v
            return v
        fired = v > p["v_threshold"]
        after = v - p["v_threshold"] if node.reset == "subtract" else np.broadcast_to(p["v_reset"], v.shape)
        state["v"] = np.where(fired, after, v)
        return fired.astype(np.float64)

    return send


def _integrate(run: _Run, node: FloatNode) -> Callable[[Floats], Floats]:
    gain = node.params["r"] * (1.0 if node.gain == "per-step" else run.network.dt)
    send = _membrane(run, node, node.params.get("v_reset", np.zeros(node.shape)))
    return lambda x: send(run.state[node.name]["v"] + gain * x)


def _leak(run: _Run, node: FloatNode) -> Callable[[Floats], Floats]:
    p, rate = node.params, run.rate(node.params["tau"])
    send = _membrane(run, node, p["v_leak"])

    def step(x: Floats) -> Floats:
        v = run.state[node.name]["v"]
        return send(v + rate * (p["v_leak"] - v + p["r"] * x))

    return step


def _cuba(run: _Run, node: FloatNode) -> Callable[[Floats], Floats]:
    p = node.params
    fast, slow = run.rate(p["tau_syn"]), run.rate(p["tau_mem"])
    send = _membrane(run, node, p["v_leak"])
    state = run.state[node.name]
    state["c"] = np.zeros((run.samples, *node.shape))

    def step(x: Floats) -> Floats:
        state["c"] = state["c"] + fast * (p["w_in"] * x - state["c"])
        return send(state["v"] + slow * (p["v_leak"] - state["v"] + p["r"] * state["c"]))

    return step


def _threshold(run: _Run, node: FloatNode) -> Callable[[Floats], Floats]:
    run.state[node.name] = {}
    return lambda x: (x > node.params["threshold"]).astype(np.float64)


#: How each kind of neuron advances.
STEPS: Mapping[str, Callable[[_Run, FloatNode], Callable[[Floats], Floats]]] = {
    "i": _integrate,
    "if": _integrate,
    "li": _leak,
    "lif": _leak,
    "cubali": _cuba,
    "cubalif": _cuba,
    "threshold": _threshold,
}
