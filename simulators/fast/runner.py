"""`FastRunner`: the bits, states, probes and counts of `ReferenceRunner`, by compiled events and exact products.

Populations run many steps before the next one does, wherever no cycle forbids it (`simulators.fast.plan`); events or a
product are chosen for each projection and block of steps by what was sent (`simulators.fast.links`); neurons are
compiled (`simulators.fast.neurons`). None of these choices changes a bit or a count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.raster import Raster
from neurodeploy.ir.run import Given, Probe, Probes, RunActivity, RunResult, RunState
from neurodeploy.ir.segments import Segment
from neurodeploy.neurons import registry
from simulators.checks import Task, prepare
from simulators.fast.attention import neurons
from simulators.fast.lane import Decoded, Lane, LaneNeurons, Room
from simulators.fast.links import ExactLink, Link, PlainLink
from simulators.fast.memory import Arena
from simulators.fast.neurons import Neurons
from simulators.fast.plan import Part, Plan
from simulators.fast.ports import ExactPort, Port
from simulators.fast.traffic import Traffic
from simulators.fast.walk import TOKENS, Walker

PATHS = ("auto", "events", "gemm")
#: Values of the widest population and of all populations that a block of steps holds, and steps of a block at most.
WIDEST_VALUES, ALL_VALUES, BLOCK_STEPS = 1 << 20, 1 << 22, 256
#: Values of all populations that a block of a walk holds.
WALKED_VALUES = 1 << 26
#: A network is large, and its buffers are worth saving, from so many neurons times samples on.
LARGE_VALUES = 1 << 15


class FastRunner:
    """`Runner`, and a lane for segments that are one (`decoding`).

    path : "auto" chooses for each projection and block; "events" takes every event by itself; "gemm" takes a product
    wherever one exists (not for `Sparse`, nor for delays of single synapses). steps : of a block, None by size.
    """

    name = "fast"

    def __init__(self, path: str = "auto", steps: int | None = None) -> None:
        if path not in PATHS:
            raise UserError("ND3220", path, "is no path of the fast runner", f"choose one of {', '.join(PATHS)}")
        self.path, self.steps = path, steps
        self._room, self._arena = Room(), Arena()
        self._plans: WeakKeyDictionary[Network, Plan] = WeakKeyDictionary()

    def run(
        self, network: Network, inputs: Given, steps: int, *, state: RunState | None = None, probes: Probes = (),
        raster: bool = True,
    ) -> RunResult:  # fmt: skip
        """Advance by `steps`; see `Runner.run`."""
        task = prepare(network, inputs, steps, state, probes)
        if network not in self._plans:
            self._plans[network] = Plan(network, self._room, self._arena)
        plan = self._plans[network]
        sent = all(probe.variable in registry.output_ports(network.populations[probe.population]) for probe in probes)
        walk = plan.walk if sent and self.path == "auto" else None
        if walk is not None and (task.samples == 1 or not walk.remembers):
            rooms = [(probe, np.empty((task.samples * steps, probe.width(network)), np.int64)) for probe in probes]
            return self._walked(walk, task, steps, raster, rooms)
        block = min(self.steps or self._block(network, plan.parts, task.samples), max(1, steps))
        return _Run(network, plan, task, steps, block, probes, self.path, raster).result()

    def _walked(
        self, walk: Walker, task: Task, steps: int, raster: bool, probes: Sequence[tuple[Probe, Ints]]
    ) -> RunResult:
        """Every step of every sample is a token. probes : each with its room (tokens, width)."""
        flat = {name: array.reshape(-1, array.shape[2]) for name, array in task.inputs.items()}
        block = self.steps or max(1, min(TOKENS, WALKED_VALUES // walk.neurons))
        found, activity = walk(flat, task.samples * steps, task.state, block, raster, probes)
        activity.steps, activity.samples = steps, task.samples
        if activity.raster is not None:
            activity.raster = activity.raster.shaped(task.samples, steps)
        outputs = {name: array.reshape(task.samples, steps, array.shape[1]) for name, array in found.items()}
        recorded = {probe.name: room.reshape(task.samples, steps, room.shape[1]) for probe, room in probes}
        return RunResult(outputs, recorded, activity, RunState(task.state.step + steps, task.state.neurons, {}))

    def decoding(self, segment: Segment) -> Decoded | None:
        """The lane that the segment is, with its decoder; None where it is none."""
        fed = len(segment.encodes) + len(segment.reads)
        if fed != 1 or len(segment.decodes) != 1 or len(segment.network.populations) != 2:
            return None
        (decode,) = segment.decodes
        lane = Lane.of(segment.network, decode.population, self._room)
        return None if lane is None else Decoded(lane, segment.network, decode)

    @staticmethod
    def _block(network: Network, plan: tuple[Part, ...], samples: int) -> int:
        """Steps of a block: enough to use each weight several times, few enough that sums and payloads stay small.

        Most of a large network in one cycle gains nothing from a block longer than the turns that the cycle takes.
        """
        sizes = {name: samples * population.size for name, population in network.populations.items()}
        total = sum(sizes.values())
        turns = [part.block for part in plan if 2 * sum(sizes[name] for name in part.populations) > total]
        most = min(turns, default=BLOCK_STEPS) if total > LARGE_VALUES else BLOCK_STEPS
        return max(1, min(most, BLOCK_STEPS, WIDEST_VALUES // max(sizes.values()), ALL_VALUES // total))


class _Run:
    """Buffers of one run, and the loop over blocks."""

    def __init__(
        self, network: Network, plan: Plan, task: Task, steps: int, block: int, probes: Sequence[Probe], path: str,
        raster: bool,
    ) -> None:  # fmt: skip
        self.network, self.plan, self.samples, self.steps, self.block = network, plan, task.samples, steps, block
        samples, state, self.first = task.samples, task.state, task.state.step + 1
        self.inputs = {name: np.asarray(array) for name, array in task.inputs.items()}
        self.state_probes: dict[str, list[Probe]] = {}
        for probe in probes:
            if probe.variable in state.neurons.get(probe.population, {}):
                self.state_probes.setdefault(probe.population, []).append(probe)
        self.traffic: dict[str, dict[str, Traffic]] = {}
        self.neurons: dict[str, Neurons] = {}
        # Each array of the state goes as soon as the run has its own: of a large network both are not there at once.
        for name, population in network.populations.items():
            if population.model != INPUT:
                self.neurons[name] = neurons(population, state.neurons.pop(name))
        seen = {(probe.population, probe.variable) for probe in probes}
        lanes = {name: lane for name, lane in plan.lanes.items() if (name, "a") not in seen}
        self.links = {
            p.name: self._link(p, state.pending.pop(p.name, None), path)
            for p in network.projections
            if not p.synapse.wire and p.target not in lanes
        }
        for name, population in network.populations.items():
            spikes = self._sends_spikes(name)
            self.traffic[name] = {
                port: Traffic(samples, block, population.size, spikes, samples * steps)
                for port in registry.output_ports(population)
            }
        self.raster = Raster.blank(registry.every_neuron(network, 0), samples, steps) if raster else None
        self.payloads = {name: {port: t.payload for port, t in sent.items()} for name, sent in self.traffic.items()}
        self.ports = {
            name: {port: self._port(name, port) for port in registry.input_ports(population)}
            for name, population in network.populations.items()
        }
        for name, lane in lanes.items():
            p = network.into(name)[0]
            self.neurons[name] = LaneNeurons(network.populations[name], lane, self.traffic[p.source][p.source_port])
        self.outputs = {
            name: np.zeros((samples, steps, network.populations[name].size), np.int32) for name in network.outputs
        }
        self.probes = {probe.name: probe for probe in probes}
        self.recorded = {
            name: np.zeros((samples, steps, p.width(network)), np.int64) for name, p in self.probes.items()
        }

    def result(self) -> RunResult:
        for done in range(0, self.steps, self.block):
            steps = min(self.block, self.steps - done)
            for part in self.plan.parts:
                self._advance(part, done, steps)
            self._record(done, steps)
            self._turn(steps)
        return self._result()

    def _result(self) -> RunResult:
        """What the run leaves: its own buffers go one by one as the results come, large ones first."""
        activity = RunActivity(self.steps, self.samples, {}, *self._counts(), self.raster)
        state = RunState(self.first - 1 + self.steps, {}, {})
        self.ports.clear()
        self.payloads.clear()
        for name in list(self.links):
            link = self.links.pop(name)
            if link.projection.latency:
                state.pending[name] = link.left()
        for name in list(self.traffic):
            activity.fired[name] = {port: t.fired.astype(np.int64) for port, t in self.traffic.pop(name).items()}
        for name in list(self.neurons):
            state.neurons[name] = self.neurons.pop(name).states(last=True)
        return RunResult(self.outputs, self.recorded, activity, state)

    def _advance(self, part: Part, done: int, steps: int) -> None:
        """All steps of the block for one part."""
        many = steps > part.block
        for start in range(0, steps, part.block):
            stop = min(start + part.block, steps)
            for name in part.populations:
                self._send(name, start, stop, done)
                for traffic in self.traffic[name].values():
                    traffic.list(start, stop)
                for p in part.inner:
                    if p.source == name and p.name in self.links:
                        self.links[p.name].deliver(self.traffic[name][p.source_port])
        for name in part.populations:
            leaving = [p for p in part.outer if p.source == name and p.name in self.links]
            if many:
                for port in {p.source_port for p in leaving}:
                    self.traffic[name][port].list(0, steps, count=False)
            for p in leaving:
                self.links[p.name].deliver(self.traffic[name][p.source_port])

    def _send(self, name: str, start: int, stop: int, done: int) -> None:
        """Payloads of one population for steps start..stop of the block."""
        traffic = self.traffic[name]
        if name in self.inputs:
            traffic["s"].payload[:, start:stop] = self.inputs[name][:, done + start : done + stop]
            return
        own, ports, outputs = self.neurons[name], self.ports[name], self.payloads[name]
        for port in ports.values():
            port.gather(start, stop)
        first = self.first + done
        probes = self.state_probes.get(name)
        if not probes:
            own.advance(start, stop, first, ports, outputs)
            return
        for t in range(start, stop):
            own.advance(t, t + 1, first, ports, outputs)
            states = own.states()
            for probe in probes:
                self.recorded[probe.name][:, done + t] = probe.of(states[probe.variable])

    def _record(self, done: int, steps: int) -> None:
        """Outputs, the probes of ports, and which payloads were events."""
        for name, output in self.outputs.items():
            port = registry.output_ports(self.network.populations[name])[0]
            output[:, done : done + steps] = self.traffic[name][port].payload[:, :steps]
        for name, probe in self.probes.items():
            if probe in self.state_probes.get(probe.population, ()):
                continue
            sent = self.traffic[probe.population].get(probe.variable)
            array = sent.payload if sent is not None else self.ports[probe.population][probe.variable].arrived
            self.recorded[name][:, done : done + steps] = probe.of(array[:, :steps])

        for name, port, bits in self.raster or ():
            self.traffic[name][port].pack(bits[:, done : done + steps])

    def _turn(self, steps: int) -> None:
        for link in self.links.values():
            link.advance(steps)

    def _counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """`saturated` and `wrapped` of the activity."""
        wrapped = {name: link.lost for name, link in self.links.items()}
        saturated = {}
        for name, own in self.neurons.items():
            lost, saturated[name], saturated[registry.sent_name(own.population)] = own.counts()
            wrapped[name] = wrapped.get(name, 0) + lost + sum(port.lost for port in self.ports[name].values())
        counts = ({name: count for name, count in found.items() if count} for found in (saturated, wrapped))
        return next(counts), next(counts)

    def _link(self, p: Projection, pending: NDArray[Any] | None, path: str) -> PlainLink | ExactLink:
        if pending is None:
            pending = np.zeros((self.samples, 1, p.synapse.rows), registry.pending_type(self.network, p))
        wiring = self.plan.wiring(p)
        if registry.is_exact(self.network, p):
            return ExactLink(p, wiring, pending, self.block)
        return PlainLink(p, pending, self.block) if wiring is None else Link(p, wiring, pending, self.block, path)

    def _port(self, name: str, port: str) -> Port | ExactPort:
        """Where the sums of an input port come from."""
        into = [p for p in self.network.into(name) if p.target_port == port]
        direct = [self.traffic[p.source][p.source_port] for p in into if p.synapse.wire]
        links: Any = [self.links[p.name] for p in into if p.name in self.links]
        shape = (self.samples, self.block, self.network.populations[name].size)
        exact = registry.get_model(self.network.populations[name].model).ports[port].exact
        return ExactPort(links, direct, shape) if exact else Port(links, direct, shape)

    def _sends_spikes(self, name: str) -> bool:
        """Whether all payloads are 0 or 1."""
        population = self.network.populations[name]
        if population.model != INPUT:
            return not registry.get_model(population.model).graded
        given = self.inputs[name]
        return given.dtype == np.bool_ or (int(given.max(initial=0)) <= 1 and int(given.min(initial=0)) >= 0)
