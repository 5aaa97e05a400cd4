"""Describes one Lava run as data: processes, links between their ports, what is to be recorded.

Several networks, and several samples of one, go side by side into the same run; nothing connects them but the process
that feeds all inputs and the one that records. `Scene.job` is what `worker/scene.py` builds from.

Recorded of every network and sample: the payloads of all output ports and the sums at all input ports in every step, the
probed states in every step, all states and all pending sums after the last step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.run import Probe, RunState
from neurodeploy.neurons.model import Arrays
from neurodeploy.neurons.registry import get_model, initial_state, output_ports, prepared_params
from simulators.lava import adapters
from simulators.lava.connections import SparseMatrix, connection
from simulators.lava.models import LAVA

#: A port of a Lava process: (process, port).
End = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """What to run: `inputs` (samples, steps, size); `state` None at the beginning."""

    network: Network
    inputs: Mapping[str, Ints]
    steps: int
    state: RunState | None = None
    probes: Sequence[Probe] = ()

    @property
    def samples(self) -> int:
        for values in self.inputs.values():
            return int(values.shape[0])
        return 1 if self.state is None else self.state.samples or 1


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a recorded array belongs. kind: "output", "sum", "probe", "state", "pending"."""

    program: int
    sample: int
    kind: str
    owner: str
    name: str


@dataclass(slots=True)
class Scene:
    """One Lava run in the making."""

    steps: int
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    processes: list[dict[str, Any]] = field(default_factory=list)
    links: list[tuple[str, str, str, str]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    kept: dict[str, Kept] = field(default_factory=dict)
    placement: dict[int, dict[str, str]] = field(default_factory=dict)
    #: Of the names of arrays: several runs share a file.
    prefix: str = ""
    #: Whether all ports are recorded, or only those that outputs and probes need.
    counts: bool = True
    #: Whether the processes are meant for a chip (`connections.connection`), and whether adapters lead to and from a board,
    #: on which nothing is recorded but outputs.
    chip: bool = False
    board: bool = False
    #: Of a board: population or projection by its process; the processes that feed inputs.
    on_cores: dict[str, str] = field(default_factory=dict)
    feeding: list[str] = field(default_factory=list)

    def add(self, program: Program, number: int, sample: int) -> None:
        """One sample of the program that has this number."""
        self.placement.setdefault(number, {})
        _Sample(self, program, number, sample).add()

    def job(self) -> dict[str, Any]:
        """The description as JSON, arrays by name."""
        told = {"steps": self.steps, "processes": self.processes, "links": self.links, "records": self.records}
        return told | ({"board": {"on_cores": self.on_cores, "feeding": self.feeding}} if self.board else {})

    def value(self, value: Any) -> Any:
        """A value for JSON; arrays and matrices go to `arrays`."""
        if isinstance(value, SparseMatrix):
            key = self._key()
            for part, values in zip(("data", "indices", "indptr"), value[:3], strict=True):
                self.arrays[f"{key}.{part}"] = values
            return {"$csr": key, "shape": value.shape}
        if isinstance(value, np.ndarray):
            key = self._key()
            self.arrays[key] = value
            return {"$array": key}
        if isinstance(value, Mapping):
            return {name: self.value(item) for name, item in value.items()}
        return value

    def process(self, name: str, process: str, arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
        self.processes.append(
            {"id": name, "process": process, "arguments": self.value(arguments), "variables": self.value(variables)}
        )

    def keep(self, kept: Kept, record: dict[str, Any]) -> None:
        key = f"r{len(self.records)}"
        self.records.append({"key": key, **record})
        self.kept[key] = kept

    def _key(self) -> str:
        return f"{self.prefix}a{len(self.arrays)}"


class _Sample:
    """One sample of one program."""

    def __init__(self, scene: Scene, program: Program, number: int, sample: int) -> None:
        self.scene, self.program, self.number, self.sample = scene, program, number, sample
        self.network = program.network
        self.prefix = f"{number}:{self.network.name}[{sample}]/"
        #: Input port -> what is connected to it.
        self.arriving: dict[tuple[str, str], list[End]] = {}
        #: Input and output ports as Lava names them.
        self.entering: dict[tuple[str, str], End] = {}
        self.leaving: dict[tuple[str, str], End] = {}
        self.adapters: set[str] = set()
        self.first = 0 if program.state is None else program.state.step

    def add(self) -> None:
        for population in self.network.populations.values():
            if population.model == INPUT:
                self._input(population)
            else:
                self._population(population)
        for p in self.network.projections:
            self._projection(p)
        for population in self.network.populations.values():
            self._record(population)

    def _input(self, population: Population) -> None:
        name = self.prefix + population.name
        # Lava's ring buffer has time on the last axis.
        data = np.ascontiguousarray(self.program.inputs[population.name][self.sample].astype(np.int32).T)
        self.scene.process(name, "lava.proc.io.source:RingBuffer", {"data": data}, {})
        self.scene.placement[self.number][population.name] = "lava: PySendModelFixed"
        self.leaving[population.name, "s"] = (name, "s_out")
        self.scene.feeding.append(name)

    def _onto_chip(self, p: Projection, source: End) -> End:
        """Of a board: what comes from the host passes an adapter, one for each shape that is asked for."""
        if not self.scene.board or p.source not in self.network.inputs:
            return source
        kind, arguments = adapters.onto_chip(self.network, p)
        name = f"{self.prefix}{p.source}/{kind}"
        if name not in self.adapters:
            self.adapters.add(name)
            self.scene.process(name, f"{adapters.MODULE}:{kind}", arguments, {})
            self.scene.links.append((*source, name, "inp"))
        return (name, "out")

    def _off_chip(self, population: Population, ends: list[End]) -> list[End]:
        """Of a board: an output passes an adapter on its way to the recorder."""
        kind, arguments = adapters.off_chip(population)
        name = f"{self.prefix}{population.name}/{kind}"
        self.scene.process(name, f"{adapters.MODULE}:{kind}", arguments, {})
        self.scene.links += [(*end, name, "inp") for end in ends]
        return [(name, "out")]

    def _state(self, population: Population) -> dict[str, NDArray[np.int64]]:
        if self.program.state is None:
            values = initial_state(population, 1)
            return {name: array[0] for name, array in values.items()}
        return {name: array[self.sample] for name, array in self.program.state.neurons[population.name].items()}

    def _population(self, population: Population) -> None:
        name = self.prefix + population.name
        params, state = prepared_params(population), self._state(population)
        row = LAVA.get(population.model)
        reason = row.refuses(params, state, population.size) if row else "Lava has no fixed-point model of it"
        if row is None or reason:
            self._own_population(name, population, params, state, reason)
            return
        self.scene.placement[self.number][population.name] = f"lava: {row.model}"
        arguments = {"shape": [population.size], **row.arguments(params, self.first)}
        variables = {**row.variables(params, self.first), **state}
        self.scene.process(name, row.process, arguments, variables)
        self.scene.on_cores[name] = population.name
        self._join(population, name, row.ports, row.outputs)

    def _join(self, population: Population, name: str, ports: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        """Of a population's process: Lava's name of each port."""
        self.arriving |= {(population.name, port): [] for port in ports}
        self.entering |= {(population.name, port): (name, lava) for port, lava in ports.items()}
        self.leaving |= {(population.name, port): (name, lava) for port, lava in outputs.items()}

    def _own_population(
        self, name: str, population: Population, params: Arrays, state: Mapping[str, NDArray[np.int64]], reason: str
    ) -> None:
        model, shape = get_model(population.model), [population.size]
        self.scene.placement[self.number][population.name] = f"ours: {reason}"
        sent = {port: f"out_{port}" for port in model.outputs}
        ports = {port: f"in_{port}" for port in model.ports}
        arguments = {
            "kind": "population",
            "inputs": dict.fromkeys(ports.values(), shape),
            "outputs": dict.fromkeys(sent.values(), shape),
            "variables": state,
            "model": population.model,
            "params": params,
            "ports": ports,
            "sent": sent,
            "first": self.first,
            "size": population.size,
        }
        self.scene.process(name, "own", arguments, {})
        self._join(population, name, ports, sent)

    def _projection(self, p: Projection) -> None:
        source = self._onto_chip(p, self.leaving[p.source, p.source_port])
        target = self.entering[p.target, p.target_port]
        if p.synapse.wire:
            self._direct(p, source, target)
            return
        made = connection(p, self.scene.chip)
        self.scene.placement[self.number][p.name] = f"ours: {made.reason}" if made.reason else f"lava: {made.model}"
        name = f"{self.prefix}{p.name}/synapses"
        variables: dict[str, Any] = {}
        if self.program.state is not None:
            variables[made.buffer] = _buffer(p, made.process, self.program.state.pending[p.name][self.sample])
        self.scene.process(name, made.process, made.arguments, variables)
        self.scene.on_cores[name] = p.name
        self.scene.links += [(*source, name, "s_in"), (name, "a_out", *target)]
        self.arriving[p.target, p.target_port].append((name, "a_out"))
        record = {"kind": "variable", "process": name, "variable": made.buffer, "last": True}
        if not self.scene.board:
            self.scene.keep(Kept(self.number, self.sample, "pending", p.name, made.process), record)

    def _direct(self, p: Projection, source: End, target: End) -> None:
        placement = "lava: port to port"
        if source in self.arriving[p.target, p.target_port]:
            placement = "ours: Lava joins two ports only once"
            name, shape = f"{self.prefix}{p.name}/relay", [p.synapse.columns]
            arguments = {"kind": "relay", "inputs": {"s_in": shape}, "outputs": {"s_out": shape}, "variables": {}}
            self.scene.process(name, "own", arguments, {})
            self.scene.links.append((*source, name, "s_in"))
            source = (name, "s_out")
        self.scene.placement[self.number][p.name] = placement
        self.scene.links.append((*source, *target))
        self.arriving[p.target, p.target_port].append(source)

    def _record(self, population: Population) -> None:
        if self.scene.board and population.model == INPUT:
            return
        where = (self.number, self.sample)
        shape = [population.size]
        probed = {probe.variable for probe in self.program.probes if probe.population == population.name}
        shown = population.name in self.network.outputs
        for i, port in enumerate(output_ports(population)):
            ends = [self.leaving[population.name, port]]
            if self.scene.counts or port in probed or (shown and i == 0):
                ends = self._off_chip(population, ends) if self.scene.board else ends
                self._keep_port(Kept(*where, "output", population.name, port), ends, shape)
        if population.model == INPUT or self.scene.board:
            return
        model = get_model(population.model)
        for port in model.ports:
            if self.scene.counts or port in probed:
                ends = self.arriving[population.name, port]
                self._keep_port(Kept(*where, "sum", population.name, port), ends, shape)
        for variable in model.state:
            every = variable in probed
            process = self.prefix + population.name
            record = {"kind": "variable", "process": process, "variable": variable, "last": not every}
            self.scene.keep(Kept(*where, "probe" if every else "state", population.name, variable), record)

    def _keep_port(self, kept: Kept, ends: Iterable[End], shape: list[int]) -> None:
        self.scene.keep(kept, {"kind": "port", "from": list(ends), "shape": shape})


def _buffer(p: Projection, process: str, pending: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pending sums (depth, rows) as the Var of the process has them."""
    values = pending.astype(np.int64)
    if process == "own":
        return values
    return values.T if p.depth > 1 else values.reshape(p.synapse.output_shape)


def pending_of(p: Projection, process: str, recorded: NDArray[np.int64]) -> NDArray[np.int32]:
    """The inverse of `_buffer`: what a Var held after the last step, as (depth, rows)."""
    values = recorded if process == "own" else recorded.reshape(-1, p.depth).T
    return np.ascontiguousarray(values).astype(np.int32)
