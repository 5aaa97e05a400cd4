"""A segment and its runner: what a `Hybrid` calls for each segment of the schedule."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.raster import Raster
from neurodeploy.ir.run import (
    ActivityCounts,
    PopulationWork,
    Probe,
    RunActivity,
    Runner,
    RunResult,
    RunState,
)  # fmt: skip
from neurodeploy.ir.segments import Encode, Segment
from neurodeploy.neurons import registry
from neurodeploy.ops.host.border import Code, decode, encode
from neurodeploy.ops.host.executor import Values
from neurodeploy.ops.host.kvcache import State
from neurodeploy.ops.host.linear import population_work


class Decoding(Protocol):
    """A segment of one encoder and one decoder, run and decoded in one pass: bit for bit as `Runner.run` and `decode`."""

    def __call__(self, payload: NDArray[np.int16]) -> NDArray[np.float32]:
        """Payloads (ticks, columns) -> the outputs (ticks, neurons) of section after section in one flat array."""
        ...

    def take(self) -> RunActivity:
        """The counts of all calls since the last time."""
        ...


@runtime_checkable
class DecodingRunner(Protocol):
    """A runner that has such a way for some segments, which it makes once; None for the others."""

    def decoding(self, segment: Segment) -> Decoding | None: ...


class Pass:
    """A call on its way through the schedule: what comes in, what has stayed on the chip, what is left behind."""

    def __init__(
        self, streams: Mapping[str, Ints], steps: int, before: RunState | None, states: Sequence[State],
        probes: Sequence[Probe] = (), streamed: bool = False, raster: bool = False,
    ) -> None:  # fmt: skip
        self.streams, self.steps, self.before, self.states, self.probes = streams, steps, before, states, probes
        self.streamed, self.raster = streamed, raster
        self.sent: dict[str, Ints] = {}
        self.probed: dict[str, Ints] = {}
        self.left = RunState(0, {}, {})
        self.activity = RunActivity(steps, len(states), {}, {}, {}, Raster({}) if raster else None)

    def keep(self, found: RunResult, segment: Segment, probed: Mapping[str, Ints], keeps: bool) -> None:
        """What a segment has left, as a part of what the program leaves."""
        self.left.neurons |= found.state.neurons
        if keeps:
            self.left.pending |= found.state.pending
        if self.streamed:
            self.probed |= probed
            fired = {name: ports for name, ports in found.activity.fired.items() if name not in segment.reads}
            raster = found.activity.raster
            if raster is not None and found.activity.steps == self.steps:
                raster = raster.shaped(len(self.states), self.steps, segment.reads)
            else:
                raster = None
            self.activity.add(replace(found.activity, fired=fired, raster=raster))


def payload_name(population: str) -> str:
    """The name in `Values` of payloads that a head is given."""
    return f"{population}.payload"


class Bound:
    """A segment and its runner, all that does not change from call to call, and its counts since they were taken."""

    def __init__(
        self, segment: Segment, runner: Runner, host_runner: Runner, on_host: Collection[str], read: set[str]
    ) -> None:
        self.segment, network = segment, segment.network
        self._own = [p.name for p in network.populations.values() if p.model != INPUT]
        self._left = [name for name in self._own if name in on_host]
        self._host = self._no_work()
        self._off_chip = bool(self._own) and len(self._host) == len(self._own)
        self._runner = host_runner if self._off_chip else runner
        #: Whether anything of it lasts longer than a tick.
        self.keeps = any(p.latency for p in network.projections) or any(
            registry.get_model(network.populations[name].model).state for name in self._own
        )
        self._codes = {step.population: _code(network, step) for step in segment.encodes}
        self._decodes = [
            (d.population, d.scale.value, list(zip(d.values, _ranges(network, d.population), strict=True)))
            for d in segment.decodes
        ]
        self._lane: Decoding | None = None
        self._asked, self._called = self.keeps or not read.isdisjoint(self._own), False
        self._activity = self._none()

    def _none(self) -> RunActivity:
        return RunActivity(0, 1, registry.every_neuron(self.segment.network, 0), {}, {}, None)

    def take(self, counts: ActivityCounts) -> None:
        """Put the counts of what was called there, and begin again."""
        if not self._called:
            return
        if self._lane is not None:
            self._activity.add(self._lane.take())
        counts.host |= self._host
        if self._off_chip:
            counts.host[self._own[0]].activity = self._activity
        else:
            counts.segments[self.segment.name] = self._activity
        self._activity, self._host, self._called = self._none(), self._no_work(), False

    def _no_work(self) -> dict[str, PopulationWork]:
        return {name: PopulationWork(RunActivity.zero(), 0, 0, 0, 0) for name in self._left}

    def run(self, values: Values, now: Pass) -> None:
        """Encode, run, decode: all ticks of the call."""
        self._called = True
        if not self._asked:
            self._asked = True
            if isinstance(self._runner, DecodingRunner):
                self._lane = self._runner.decoding(self.segment)
        given = {step.population: self._encoded(values[step.value], step, now) for step in self.segment.encodes}
        given |= {name: self._waiting(name, values, now) for name in self.segment.reads}
        if self._lane is not None and not now.streamed and len(now.states) == 1:
            ((_, _, parts),) = self._decodes
            (payload,) = (array.reshape(-1, array.shape[-1]).astype(np.int16, copy=False) for array in given.values())
            n = len(payload)
            flat = self._lane(payload)
            for value, (start, stop) in parts:
                values[value] = torch.from_numpy(flat[n * start : n * stop].reshape(n, stop - start))
            self._worked(n)
            return
        self._run(given, values, now)

    @staticmethod
    def _waiting(name: str, values: Values, now: Pass) -> NDArray[Any]:
        """Payloads that have stayed on the chip, of the ticks that are asked for."""
        chosen = values.get(payload_name(name))
        return now.sent[name] if chosen is None else chosen.numpy()

    def _encoded(self, value: torch.Tensor, step: Encode, now: Pass) -> NDArray[Any]:
        payload, clipped = encode(value, self._codes[step.population], self.segment.name)
        if clipped:
            for activity in (self._activity, now.activity):
                activity.add(RunActivity(0, activity.samples, {}, {f"{step.population}.s": clipped}, {}, Raster({})))
        return payload

    def _worked(self, ticks: int) -> None:
        for name, done in self._host.items():
            calls = ticks if self.keeps else int(ticks > 0)
            done.add(
                PopulationWork(
                    RunActivity.zero(), ticks, calls, *population_work(self.segment.network, name, ticks, calls)
                )
            )

    def _run(self, encoded: Mapping[str, Ints], values: Values, now: Pass) -> None:
        """By `Runner.run`: where nothing lasts, every tick of every sample is a sample of one step."""
        network, samples = self.segment.network, len(now.states)
        given = {name: array.reshape(samples, -1, array.shape[-1]) for name, array in encoded.items()}
        given |= {name: np.asarray(now.streams[name]) for name in network.inputs if name in now.streams}
        ticks = {array.shape[1] for array in given.values()} or {now.steps}
        if len(ticks) > 1 or (self.keeps and ticks != {now.steps}):
            problem = (
                f"is fed for {sorted(ticks)} ticks of a call of {now.steps}, and carries something from tick to tick"
            )
            fix = "encode as many rows for each of its inputs as the call has ticks"
            raise UserError("ND3283", self.segment.name, problem, fix)
        count = ticks.pop()
        if not count:  # an expert that nobody chose: no event, no step
            sent = {name: np.zeros((samples, 0, network.populations[name].size), np.int32) for name in network.outputs}
        else:
            own = network.populations.keys() - {*self.segment.reads}
            probes = [probe for probe in now.probes if probe.population in own]
            if self.keeps or not given:
                before = registry.state_at_rest(network, samples) if now.before is None else now.before.of(network)
                found = self._runner.run(network, given, count, state=before, probes=probes, raster=now.raster)
            else:
                flat = {name: array.reshape(samples * count, 1, -1) for name, array in given.items()}
                found = self._runner.run(network, flat, 1, probes=probes, raster=now.raster)
            sent, probed = (
                {name: array.reshape(samples, count, -1) for name, array in table.items()}
                for table in (found.outputs, found.probes)
            )
            found.activity.steps, found.activity.samples = count, samples
            self._activity.add(found.activity)
            now.keep(found, self.segment, probed, self.keeps)
        now.sent |= sent
        for name, scale, parts in self._decodes:
            y = sent[name].reshape(samples * count, sent[name].shape[2])
            for value, (start, stop) in parts:
                values[value] = decode(y, start, stop, scale)
        self._worked(samples * count)


def proven(segment: Segment, network: Network) -> Segment:
    """The segment with what it reads as wide as it is where it is sent: sums at exact ports are proven with that. What has
    waited is an input here, whose port stands for the first of the population that sent it."""
    if not segment.reads:
        return segment
    for p in segment.network.projections:
        first = registry.output_ports(network.populations[p.source])[0]
        if p.source in segment.reads and p.source_port != first:
            problem = f"reads {p.source_port} of {p.source} after it has waited: only {first} does"
            raise UserError("ND3284", p.name, problem, "send it on its first port, by a neuron of its own if need be")
    bits = {name: registry.largest_payload(network.populations[name]).bit_length() + 1 for name in segment.reads}
    wide = {
        name: replace(segment.network.populations[name], params={"bits": min(most, 32)}) for name, most in bits.items()
    }
    network = segment.network
    projections = tuple(
        replace(p, source_port=port) if p.source in wide and p.source_port != port else p
        for p in network.projections
        for port in registry.output_ports(network.populations[p.source])[:1]
    )
    network = replace(network, populations={**network.populations, **wide}, projections=projections)
    return replace(segment, network=network)


def _code(network: Network, e: Encode) -> Code:
    """Of an input: ``1 / step`` is float32 of ``1 / (scale * 2**axon_exp)``."""
    population = network.populations[e.population]
    exponents = [p.axon_exp for p in network.out_of(e.population) if p.axon_exp is not None]
    limit = registry.largest_payload(population)
    if limit >= 2**23 or any(not np.array_equal(exponents[0], other) for other in exponents[1:]):
        problem = "is encoded to more than 24 bits, or its axons have other exponents in other projections"
        fix = "give the input at most 24 bits, and the same exponents in all projections that leave it"
        raise UserError("ND3282", e.population, problem, fix)
    raised = exponents[0] if exponents else np.zeros(population.size, np.uint8)
    inverse = (1.0 / np.ldexp(e.scale.value, raised.astype(np.int64))).astype(np.float32)
    params = registry.prepared_params(population)
    vth = np.broadcast_to(params["vth"].astype(np.float32), inverse.shape)
    return Code(inverse, limit, np.ascontiguousarray(vth), int(params["keep"].item()), int(params["of"].item()))


def _ranges(network: Network, name: str) -> list[tuple[int, int]]:
    """First neuron and last + 1 of every value that is decoded from a population."""
    population = network.populations[name]
    return [(part.start, part.stop) for part in population.sections] or [(0, population.size)]
