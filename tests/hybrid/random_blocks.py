"""Random models whose operations conversion puts on the chip: linear layers with norms, gates, curves and sums between them.

`random_block(seed)` gives the same graph, weights and tokens for a seed. Values are of any size, some channels a thousand
times the others; calibration sees a part of the tokens, so that some that follow are clipped.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.presets import Preset, get_preset
from neurodeploy.ir.graph import Graph, HostOp, ModelInfo, Population, Projection

VOCABULARY = 24


class Tensors:
    """Weights in memory."""

    def __init__(self) -> None:
        self.held: dict[str, NDArray[np.float32]] = {}

    def names(self) -> tuple[str, ...]:
        return tuple(self.held)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.held[name].shape

    def get(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        return self.held[name][start:stop]

    def files(self) -> tuple[str, ...]:
        return ()

    def release(self) -> None:
        """Nothing is held that would be read again."""


class Case(NamedTuple):
    graph: Graph
    calibration: NDArray[np.int64]
    tokens: NDArray[np.int64]
    preset: Preset


def random_block(seed: int) -> Case:
    return _Maker(seed).make()


class _Maker:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 21])
        self.weights, self.sizes = Tensors(), {"tokens": 1}
        self.ops: list[HostOp | Projection] = []

    def between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def chosen(self, values: Any) -> Any:
        return values[self.between(0, len(values) - 1)]

    def tensor(self, name: str, *shape: int) -> str:
        """Of any size, with outliers."""
        drawn = self.rng.standard_normal(shape) * 2.0 ** self.between(-4, 3)
        drawn[..., 0] *= self.chosen([1, 1, 30, 1000])
        self.weights.held[name] = drawn.astype(np.float32)
        return name

    def host(self, op: str, *inputs: str, size: int, weights: dict[str, str] | None = None, **attrs: Any) -> str:
        name = f"{op}{len(self.ops)}"
        self.ops.append(HostOp(name, op, inputs, (name,), attrs, weights or {}, 0))
        self.sizes[name] = size
        return name

    def linear(self, value: str, rows: int) -> str:
        name, columns = f"linear{len(self.ops)}", self.sizes[value]
        bias = self.tensor(f"{name}.bias", rows) if self.rng.random() < 0.3 else None
        weight = self.tensor(f"{name}.weight", rows, columns)
        self.weights.held[weight] /= np.sqrt(columns)
        self.ops.append(Projection(name, value, name, columns, rows, weight, bias, layer=0))
        self.sizes[name] = rows
        return name

    def make(self) -> Case:
        width = 4 * self.between(1, 6)
        table = self.tensor("table", VOCABULARY, width)
        stream = self.host("embedding", "tokens", size=width, weights={"weight": table}, scale=1.0)
        for _ in range(self.between(1, 4)):
            stream = self.step(stream, width)
        stream = self.norm(stream) if self.rng.random() < 0.7 else stream
        head = self.linear(stream, VOCABULARY)
        info = ModelInfo("random", "random", VOCABULARY, width, 1, 256, "random")
        populations = {name: Population(name, size) for name, size in self.sizes.items()}
        graph = Graph(info, populations, tuple(self.ops), self.weights, "tokens", head)
        graph.check()
        tokens = self.rng.integers(0, VOCABULARY, 64)
        few = self.rng.integers(0, self.between(3, VOCABULARY), 40)
        preset = get_preset("quick", on_chip="block", payload_bits=self.chosen([8, 12, 16]), calibration_tokens=40)
        return Case(graph, few, tokens[: self.between(3, 12)], preset)

    def step(self, stream: str, width: int) -> str:
        """One of: a residual branch, a norm or a curve in line, the sum of two layers."""
        kind = self.between(0, 3)
        if kind == 0:
            return self.norm(stream)
        if kind == 1:
            return self.host("activation", self.linear(stream, width), size=width, act=self.act())
        given = self.norm(stream) if self.rng.random() < 0.8 else stream
        if kind == 2:
            inner = self.branch(given)
            return self.host("add", stream, self.linear(inner, width), size=width)
        return self.host("add", self.linear(given, width), self.linear(stream, width), size=width)

    def branch(self, given: str) -> str:
        inner = self.between(2, 30)
        gate = self.linear(given, inner)
        if self.rng.random() < 0.6:
            return self.host("glu", gate, self.linear(given, inner), size=inner, act=self.act())
        return self.host("activation", gate, size=inner, act=self.act())

    def act(self) -> str:
        return str(self.chosen(["silu", "gelu_tanh"]))

    def norm(self, value: str) -> str:
        size = self.sizes[value]
        group = self.chosen([size, size, size // 2])
        eps = float(self.chosen([1e-6, 1e-3, 1.0]))
        if self.rng.random() < 0.3:
            return self.host("rmsnorm", value, size=size, eps=eps, group=group)
        gain = {"weight": self.tensor(f"gain{len(self.ops)}", group)}
        return self.host("rmsnorm", value, size=size, weights=gain, eps=eps, group=group)
