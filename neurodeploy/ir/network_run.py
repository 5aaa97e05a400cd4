"""What a run of a `Network` takes and leaves behind: exact integers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network


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


@dataclass(slots=True, eq=False)
class NetworkState:
    """Everything that a network carries from step to step, in one canonical form whoever ran it.

    step : steps done. neurons : population -> variable -> (samples, size) int64.
    pending : projection with latency -> (samples, depth, rows) int32, into an exact port int64; slot 0 arrives in step
        ``step + 1``.
    """

    step: int
    neurons: dict[str, dict[str, NDArray[np.int64]]]
    pending: dict[str, NDArray[np.signedinteger]]

    @property
    def samples(self) -> int:
        for neurons in self.neurons.values():
            for array in neurons.values():
                return int(array.shape[0])
        return next((int(array.shape[0]) for array in self.pending.values()), 0)


@dataclass(slots=True, eq=False)
class NetworkActivity:
    """Counts over all samples and steps, enough for any mapping: events on an axon are the messages of its source neuron.

    steps, samples : of the run (`steps` of each sample).
    fired : population (inputs too) -> output port -> (size,) int64, how often the payload was not zero.
    saturated : population -> values of its state that were clipped; ``population.port`` -> payloads that were.
    wrapped : population or projection -> values that did not fit and wrapped (Lava's arithmetic), sums of synapses included.
    """

    steps: int
    samples: int
    fired: dict[str, dict[str, NDArray[np.int64]]]
    saturated: dict[str, int]
    wrapped: dict[str, int]

    @classmethod
    def zero(cls) -> NetworkActivity:
        return cls(0, 0, {}, {}, {})

    def add(self, other: NetworkActivity) -> None:
        """Join the counts of a later stretch of the same samples."""
        self.steps, self.samples = self.steps + other.steps, other.samples
        for name, ports in other.fired.items():
            mine = self.fired.setdefault(name, {})
            for port, counts in ports.items():
                mine[port] = mine[port] + counts if port in mine else counts.copy()
        for own, new in ((self.saturated, other.saturated), (self.wrapped, other.wrapped)):
            for name, count in new.items():
                own[name] = own.get(name, 0) + count


@dataclass(slots=True, eq=False)
class NetworkResult:
    """`outputs`: population -> (samples, steps, size) int32 payloads of its first port. `probes`: `Probe.name` ->
    int64 likewise."""

    outputs: dict[str, NDArray[np.int32]]
    probes: dict[str, Ints]
    activity: NetworkActivity
    state: NetworkState


class Runner(Protocol):
    """Runs a network: the same bits, counts and states whoever implements it."""

    name: str

    def run(
        self,
        network: Network,
        inputs: Mapping[str, Ints],
        steps: int,
        *,
        state: NetworkState | None = None,
        probes: Sequence[Probe] = (),
    ) -> NetworkResult:
        """Advance by `steps`.

        inputs : every population of model "input" -> (samples, steps, size) integers (bool too) within int32.
        state : continues an earlier run (it is not changed); None starts at step 0 with initial states.
        """
        ...
