"""Random programs with host operations: two or three random networks (`tests.networks.random_networks`), of which some
populations are decoded, computed with on the host, and encoded into new inputs of a later network; others are read there
without a border.

`random_program(seed)` gives the same program, streams and number of steps for a seed. With ``lava=True`` the networks, and
what leads into them, are such that Lava computes every segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Dyadic, Ints
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.mapping import Assignment, Mapping, Reason
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population, Section
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode, HostStep, segments_of
from neurodeploy.neurons import registry
from neurodeploy.synapses import Dense
from tests.networks.cuts import random_mapping
from tests.networks.random_networks import random_network

INFO = ModelInfo("random", "random", 0, 0, 0, 0, "random")


class NoWeights:
    """The operations that are drawn have no tensors."""

    def names(self) -> tuple[str, ...]:
        return ()


class Case(NamedTuple):
    program: Program
    inputs: dict[str, Any]
    steps: int


def random_program(seed: int, lava: bool = False) -> Case:
    return _Maker(seed, lava).make()


class _Maker:
    def __init__(self, seed: int, lava: bool) -> None:
        self.seed, self.lava, self.rng = seed, lava, np.random.default_rng([seed, 11, int(lava)])
        self.populations: dict[str, Population] = {}
        self.projections: list[Projection] = []
        self.host: list[HostStep] = []
        self.sizes: dict[str, int] = {}
        #: Host values by the population that they are decoded from.
        self.decoded: dict[str, tuple[str, ...]] = {}

    def between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def chosen(self, names: Sequence[str]) -> str:
        return names[self.between(0, len(names) - 1)]

    def make(self) -> Case:
        inputs: dict[str, Any] = {}
        outputs: list[str] = []
        for stage in range(self.between(2, 3)):
            network, given, length = random_network(3 * self.seed + stage, lava=self.lava, instant=not self.lava)
            before = [name for name, p in self.populations.items() if p.model != INPUT]
            self.add(network, f"s{stage}.")
            if not stage:
                steps, samples = length, len(next(iter(given.values())))
            for name, array in given.items():
                inputs[f"s{stage}.{name}"] = np.resize(array, (samples, steps, array.shape[2]))
            outputs += [f"s{stage}.{name}" for name in network.outputs]
            own = [f"s{stage}.{name}" for name, p in network.populations.items() if p.model not in (INPUT, "inv_sqrt")]
            own = [name for name in own if registry.input_ports(self.populations[name])]
            if stage and own:
                for number in range(self.between(1, 2)):
                    self.bridge(f"s{stage}.encoded{number}", before, own)
                if self.rng.random() < 0.5:
                    self.join(self.chosen(before), self.chosen(own), f"s{stage}.read")
        network = Network(f"random{self.seed}", self.populations, tuple(self.projections), tuple(outputs))
        for segment in segments_of(network, self.host):  # of what waits only the first port is there
            for p in segment.network.projections:
                if p.source in segment.reads and p.source_port != registry.output_ports(self.populations[p.source])[0]:
                    self.projections.remove(p)
        network = replace(network, projections=tuple(self.projections))
        program = Program(INFO, network, tuple(self.host), self.sizes)
        program.check()
        return Case(program, inputs, steps)

    def add(self, network: Network, prefix: str) -> None:
        for name, population in network.populations.items():
            self.populations[prefix + name] = replace(population, name=prefix + name)
        for p in network.projections:
            ends = {"source": prefix + p.source, "target": prefix + p.target}
            self.projections.append(replace(p, name=prefix + p.name, **ends))

    def bridge(self, name: str, before: Sequence[str], own: Sequence[str]) -> None:
        """A population on the host and back: operations between a decoder and an encoder, and synapses behind it."""
        source = self.chosen(before)
        if source not in self.decoded:
            self.decode(source)
        value = self.chosen(self.decoded[source])
        for number in range(self.between(0, 2)):
            value = self.operation(value, f"{name}.op{number}")
        bits = self.between(3, 7) if self.lava else self.between(3, 18)
        self.populations[name] = Population(name, (self.sizes[value],), INPUT, {"bits": bits})
        self.host.append(Encode(value, name, Dyadic(self.between(1, 7), self.between(-8, 2))))
        for number in range(self.between(1, 2)):
            self.join(name, self.chosen(own), f"{name}.p{number}")

    def decode(self, name: str) -> None:
        population, size = self.populations[name], self.populations[name].size
        cut = self.between(1, size - 1) if size > 1 and self.rng.random() < 0.4 else size
        ranges = [(0, cut), (cut, size)] if cut < size else [(0, size)]
        values = tuple(f"{name}.value{start}" for start, _ in ranges)
        self.sizes |= {value: stop - start for value, (start, stop) in zip(values, ranges, strict=True)}
        if len(ranges) > 1:
            self.populations[name] = replace(population, sections=tuple(Section(name, *each) for each in ranges))
        self.decoded[name] = values
        self.host.append(Decode(name, Dyadic(self.between(1, 9), self.between(-12, 0)), values))

    def operation(self, value: str, name: str) -> str:
        """Of one value, or of two that are as large."""
        size = self.sizes[value]
        same = [other for other, length in self.sizes.items() if length == size]
        drawn: list[tuple[str, tuple[str, ...], dict[str, Any]]] = [
            ("activation", (value,), {"act": self.chosen(["silu", "gelu_tanh"])}),
            ("rmsnorm", (value,), {"eps": 1e-3, "group": size}),
            ("add", (value, self.chosen(same)), {}),
        ]
        op, given, attrs = drawn[self.between(0, len(drawn) - 1)]
        self.host.append(HostOp(name, op, given, (name,), attrs))
        self.sizes[name] = size
        return name

    def join(self, source: str, target: str, name: str) -> None:
        """Synapses of 8 bits, within the step where they may be; none where an exact port could not hold the sums."""
        a, b = self.populations[source], self.populations[target]
        weight = self.rng.integers(-60, 61, (b.size, a.size)).astype(np.int8)
        if self.lava:  # which keeps no odd weight of either sign
            weight *= 2
        ports = self.chosen(registry.output_ports(a)), self.chosen(registry.input_ports(b))
        p = Projection(
            name, source, target, Dense(weight), *ports, graded=self.rng.random() < 0.7,
            instant=not self.lava and bool(self.rng.random() < 0.5),
        )  # fmt: skip
        grown = Network("tried", self.populations, (*self.projections, p), (target,))
        try:
            registry.check_network(grown)
        except InternalError as error:
            assert error.code == "ND9040"
        else:
            self.projections.append(p)


def left_to_host(program: Program, seed: int) -> frozenset[str]:
    """About a fifth of the populations."""
    rng = np.random.default_rng([seed, 12])
    own = [name for name, p in program.network.populations.items() if p.model != INPUT]
    return frozenset(name for name in own if rng.random() < 0.2)


def cut_of(program: Program, on_host: frozenset[str], seed: int) -> Mapping:
    """Random shards of what is on the chip."""
    whole = random_mapping(program.network, seed)
    here = Reason("drawn", "drawn", "none")
    assignments = tuple(Assignment(name, "population", "host", here, 0) for name in sorted(on_host))
    shards = tuple(shard for shard in whole.shards if shard.island not in on_host)
    return replace(whole, shards=shards, assignments=assignments)


__all__ = ["Case", "Ints", "NoWeights", "cut_of", "left_to_host", "random_program"]
