"""`LavaRunner`: a network on the processes of a real Lava, and many networks side by side in few Lava runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.network import Network
from neurodeploy.ir.run import Given, Probe, Probes, RunResult, RunState
from neurodeploy.neurons.registry import output_ports
from simulators.checks import Task, prepare
from simulators.lava.connections import check_foreign
from simulators.lava.counts import activity
from simulators.lava.discovery import LavaInstallation, require_lava
from simulators.lava.scene import Kept, Program, Scene, pending_of
from simulators.lava.subprocess_run import run_worker
from simulators.reference import no_activity

#: Lava processes of one run, beyond which another run is made. Bounds memory and open files; the time of many programs
#: hardly depends on it (20 random programs: 21 to 24 s with 16, 48 and 100 on two busy cores).
PROCESSES = 48
SECONDS = 600.0


@dataclass(slots=True, eq=False)
class LavaResult(RunResult):
    """`placement`: population or projection -> "lava: ..." with the ProcessModel, or "ours: ..." with the reason.

    `doubts`: where Lava's own arithmetic left 32 bits in a way that is not two's complement, so that its bits define
    nothing; empty almost always. `repairs`: what the worker changed in Lava to import and run it. `seconds`: of the Lava
    runs that this network took part in, networks beside it included: "start" its processes, "steps", "stop" them.
    """

    placement: dict[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class LavaRunner:
    """Lava's fixed-point simulation (``Loihi2SimCfg(select_tag="fixed_pt")``) in a subprocess.

    timeout : for one call, seconds. processes : of one Lava run. installation : None searches (`find_lava`).
    counts : False records no more than outputs, probes and final states and leaves the activity at zero: for timing, since
        every recorded port costs Lava a channel and a message a step.

    Raises ND4100 without Lava, ND4102 at the time-out, ND4103 on an exception in Lava, ND4104 for weights whose format
    Lava would change, and ND3200..ND3210 for inputs, probes and states as every runner does.
    """

    timeout: float = SECONDS
    processes: int = PROCESSES
    installation: LavaInstallation | None = None
    counts: bool = True
    name: str = "lava"

    def run(
        self, network: Network, inputs: Given, steps: int, *, state: RunState | None = None, probes: Probes = (),
        raster: bool = True,
    ) -> LavaResult:  # fmt: skip
        """`Runner.run`; the result also says what ran on Lava's own models."""
        found = self.run_many([Program(network, inputs, steps, state, tuple(probes))])[0]
        found.activity.raster = found.activity.raster if raster else None
        return found

    def run_many(self, programs: Sequence[Program]) -> list[LavaResult]:
        """Every program, side by side in as few Lava runs as `processes` allows; results in order."""
        tasks = [prepare(p.network, p.inputs, p.steps, p.state, p.probes) for p in programs]
        for program in programs:
            check_foreign(program.network)
        ready = [
            Program(p.network, task.inputs, p.steps, task.state, p.probes)
            for p, task in zip(programs, tasks, strict=True)
        ]
        scenes = list(self._scenes(ready))
        collected = [_Collected(program, task, self.counts) for program, task in zip(ready, tasks, strict=True)]
        if scenes:
            arrays: dict[str, NDArray[Any]] = {}
            for scene in scenes:
                arrays |= scene.arrays
            lava = self.installation or require_lava()
            finished = run_worker(lava, [scene.job() for scene in scenes], arrays, self.timeout)
            for scene, recorded, told in zip(scenes, finished.recorded, finished.report["runs"], strict=True):
                for key, kept in scene.kept.items():
                    collected[kept.program].take(kept, recorded[key])
                for number, placement in scene.placement.items():
                    collected[number].placement = placement
                    collected[number].add_seconds(told["seconds"])
            for one in collected:
                one.repairs = tuple(finished.report["repairs"])
        return [one.result() for one in collected]

    def _scenes(self, programs: Sequence[Program]) -> Iterator[Scene]:
        """Samples of equally long programs together, up to the limit of processes."""
        units = [
            (program.steps, number, sample)
            for number, program in enumerate(programs)
            for sample in range(program.samples)
            if program.steps
        ]
        scene: Scene | None = None
        made = 0
        for steps, number, sample in sorted(units):
            network = programs[number].network
            coming = len(network.populations) + sum(not p.synapse.wire for p in network.projections)
            if scene is not None and (scene.steps != steps or len(scene.processes) + coming > self.processes):
                yield scene
                scene = None
            if scene is None:
                scene, made = Scene(steps, prefix=f"s{made}.", counts=self.counts), made + 1
            scene.add(programs[number], number, sample)
        if scene is not None:
            yield scene


class _Collected:
    """What was recorded of one program, sample by sample."""

    def __init__(self, program: Program, task: Task, counts: bool) -> None:
        self.program, self.task, self.counts = program, task, counts
        self.placement: dict[str, str] = {}
        self.repairs: tuple[str, ...] = ()
        self.seconds: dict[str, float] = {}
        self.sent: dict[str, dict[str, NDArray[np.int64]]] = {}
        self.sums: dict[str, dict[str, NDArray[np.int64]]] = {}
        self.states: dict[str, dict[str, NDArray[np.int64]]] = {}
        network = program.network
        self.end = RunState(
            task.state.step + program.steps,
            {name: {v: a.copy() for v, a in values.items()} for name, values in task.state.neurons.items()},
            {name: array.copy() for name, array in task.state.pending.items()},
        )
        self.projections = {p.name: p for p in network.projections}

    def take(self, kept: Kept, recorded: NDArray[np.int64]) -> None:
        if kept.kind == "pending":
            p = self.projections[kept.owner]
            self.end.pending[kept.owner][kept.sample] = pending_of(p, kept.name, recorded[0])
            return
        if kept.kind in ("state", "probe"):
            self.end.neurons[kept.owner][kept.name][kept.sample] = recorded[-1]
        if kept.kind != "state":
            into = {"output": self.sent, "sum": self.sums, "probe": self.states}[kept.kind]
            size = self.program.network.populations[kept.owner].size
            shape = (self.task.samples, self.program.steps, size)
            by_name = into.setdefault(kept.owner, {})
            by_name.setdefault(kept.name, np.zeros(shape, np.int64))[kept.sample] = recorded

    def add_seconds(self, seconds: Mapping[str, float]) -> None:
        for part, value in seconds.items():
            self.seconds[part] = self.seconds.get(part, 0.0) + value

    def result(self) -> LavaResult:
        program, network, samples = self.program, self.program.network, self.task.samples
        doubts: list[tuple[str, str]] = []
        if program.steps and self.counts:
            counted, doubts = activity(network, self.task.state, self.sent, self.sums, program.steps)
            doubts = [(who, what) for who, what in doubts if self.placement[who].startswith("lava")]
        else:
            counted = no_activity(network, samples, 0)
        outputs = {}
        for name in network.outputs:
            population = network.populations[name]
            nothing = np.zeros((samples, program.steps, population.size), np.int64)
            port = output_ports(population)[0]
            outputs[name] = self.sent.get(name, {}).get(port, nothing).astype(np.int32)
        probes = {probe.name: self._probe(probe) for probe in program.probes}
        return LavaResult(
            outputs,
            probes,
            counted,
            self.end,
            placement=self.placement,
            doubts=tuple(f"{who}: {what}" for who, what in doubts),
            repairs=self.repairs,
            seconds=self.seconds,
        )

    def _probe(self, probe: Probe) -> NDArray[np.int64]:
        """A state variable goes before a port of the same name, as in the reference."""
        size = self.program.network.populations[probe.population].size
        found = np.zeros((self.task.samples, self.program.steps, size), np.int64)
        for recorded in (self.states, self.sent, self.sums):
            values = recorded.get(probe.population, {}).get(probe.variable)
            if values is not None:
                found = values.astype(np.int32).astype(np.int64) if recorded is self.sums else values
                break
        return probe.of(found)
