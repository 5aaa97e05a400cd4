"""What a run takes and leaves behind: exact integers only. Energy and time are made from these later.

No count has a default: what is forgotten must be an error, never a silent 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.raster import Raster, join


@dataclass(frozen=True, slots=True)
class Probe:
    """Record `variable` of `population` after every step: a state variable, an output port ("s") or an input port ("a").

    `neurons` are indices in the population, None all.
    """

    population: str
    variable: str
    neurons: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        return f"{self.population}.{self.variable}"

    def width(self, network: Network) -> int:
        """Values that it records a step."""
        return network.populations[self.population].size if self.neurons is None else len(self.neurons)

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Its neurons out of values (.., size)."""
        return values if self.neurons is None else values[..., list(self.neurons)]


#: What a run is given: every population of model "input" -> (samples, steps, size) integers; what is recorded.
Given = Mapping[str, Ints]
Probes = Sequence[Probe]


@dataclass(slots=True, eq=False)
class RunState:
    """Everything that a network carries from step to step, in one canonical form whoever ran it.

    step : steps done. neurons : population -> variable -> (samples, size) int64, of a memory (`neurons.model.StateVar`)
        (samples, rows written, numbers) int16.
    pending : projection with latency -> (samples, depth, rows) int32, into an exact port int64; slot 0 arrives in step
        ``step + 1``.
    host : of a program with host operations what they keep, such as keys and values, one a sample.
    """

    step: int
    neurons: dict[str, dict[str, NDArray[np.signedinteger]]]
    pending: dict[str, NDArray[np.signedinteger]]
    host: tuple[object, ...] = ()

    def of(self, network: Network) -> RunState:
        """What of it belongs to `network`, a segment of the program: the same arrays."""
        own = {name for name, population in network.populations.items() if population.model != INPUT}
        neurons = {name: values for name, values in self.neurons.items() if name in own}
        return RunState(self.step, neurons, {p.name: self.pending[p.name] for p in network.projections if p.latency})

    @property
    def samples(self) -> int:
        for neurons in self.neurons.values():
            for array in neurons.values():
                return int(array.shape[0])
        return next((int(array.shape[0]) for array in self.pending.values()), 0)


@dataclass(slots=True, eq=False)
class RunActivity:
    """Counts over all samples and steps, enough for any mapping: events on an axon are the messages of its source neuron.

    steps, samples : of the run (`steps` of each sample).
    fired : population (inputs too) -> output port -> (size,) int64, how often the payload was not zero.
    saturated : population -> values of its state that were clipped; ``population.port`` -> payloads that were, of an input
        by the encoder.
    wrapped : population or projection -> values that did not fit and wrapped (Lava's arithmetic), sums of synapses included.
    raster : when `fired` happened; None where it is too large or was not kept.
    """

    steps: int
    samples: int
    fired: dict[str, dict[str, NDArray[np.int64]]]
    saturated: dict[str, int]
    wrapped: dict[str, int]
    raster: Raster | None

    @classmethod
    def zero(cls) -> RunActivity:
        return cls(0, 0, {}, {}, {}, Raster({}))

    @classmethod
    def of_layer(cls, name: str, ticks: int, events: Ints, messages: Ints) -> RunActivity:
        """Of a linear layer (`synapses.linear`): events by axon, messages by neuron; nothing was clipped."""
        return cls(ticks, 1, {f"{name}.input": {"s": events}, name: {"s": messages}}, {}, {}, None)

    @property
    def ticks(self) -> int:
        """Steps of all samples."""
        return self.steps * self.samples

    @property
    def saturations(self) -> int:
        return sum(self.saturated.values())

    def add(self, other: RunActivity) -> None:
        """Join the counts of a later stretch of the same samples."""
        self.steps, self.samples = self.steps + other.steps, other.samples
        self.raster = join(self.raster, other.raster)
        for name, ports in other.fired.items():
            mine = self.fired.setdefault(name, {})
            for port, counts in ports.items():
                mine[port] = mine[port] + counts if port in mine else counts.copy()
        for own, new in ((self.saturated, other.saturated), (self.wrapped, other.wrapped)):
            for name, count in new.items():
                own[name] = own.get(name, 0) + count


@dataclass(slots=True, eq=False)
class RunResult:
    """`outputs`: population -> (samples, steps, size) int32 payloads of its first port. `probes`: `Probe.name` ->
    int64 likewise."""

    outputs: dict[str, NDArray[np.int32]]
    probes: dict[str, Ints]
    activity: RunActivity
    state: RunState


class Runner(Protocol):
    """Runs a network: the same bits, counts and states whoever implements it."""

    name: str

    def run(
        self, network: Network, inputs: Given, steps: int, *, state: RunState | None = None, probes: Probes = (),
        raster: bool = True,
    ) -> RunResult:  # fmt: skip
        """Advance by `steps`.

        inputs : integers (bool too) within int32.
        state : continues an earlier run (it is not changed); None starts at step 0 with initial states.
        raster : whether to keep the events of every step.
        """
        ...


@dataclass(slots=True, eq=False)
class PopulationWork:
    """What the host did for a population that it computed, with the same integers.

    activity : of the segment that begins with it, where the host computed all of that; else of nothing. None of it is an
        event of a chip.
    ticks : steps and tokens. calls : with at least one; each reads all weights once. flops, bytes : of these calls
        (`ops.host.linear.population_work`).
    """

    activity: RunActivity
    ticks: int
    calls: int
    flops: int
    bytes: int

    def add(self, other: PopulationWork) -> None:
        self.activity.add(other.activity)
        self.ticks += other.ticks
        self.calls += other.calls
        self.flops += other.flops
        self.bytes += other.bytes


@dataclass(slots=True, eq=False)
class ActivityCounts:
    """Counts by segment, and the work that the host did between them.

    `segments` ran on the chip, all of them or some populations. `host` : the work of every population that the host
    computed, by name; it is not in `host_flops` and `host_bytes`, which are those of the host's own operations.
    """

    segments: dict[str, RunActivity]
    tokens: int
    host_flops: int
    host_bytes: int
    host: dict[str, PopulationWork]

    @classmethod
    def zero(cls) -> ActivityCounts:
        return cls({}, 0, 0, 0, {})

    def add(self, other: ActivityCounts) -> None:
        for name, activity in other.segments.items():
            self.segments.setdefault(name, RunActivity.zero()).add(activity)
        for name, work in other.host.items():
            self.host.setdefault(name, PopulationWork(RunActivity.zero(), 0, 0, 0, 0)).add(work)
        self.tokens += other.tokens
        self.host_flops += other.host_flops
        self.host_bytes += other.host_bytes

    def everywhere(self) -> dict[str, RunActivity]:
        """The activity of every segment that was called, whichever device computed it."""
        return self.segments | {name: work.activity for name, work in self.host.items() if work.activity.fired}

    @property
    def saturations(self) -> int:
        return sum(activity.saturations for activity in self.everywhere().values())


@dataclass(frozen=True, slots=True)
class ShardCounts:
    """What one core did, derived from `ActivityCounts` and a mapping, or counted directly by a partitioned run."""

    events: int
    synops: int
    neuron_updates: int
    messages_out: int
