"""`Loihi2Runner`: a network on a Loihi 2 board, through Intel's extension of Lava, and what the board measured of it.

The scene is that of `LavaRunner` with adapters at its border (`adapters`), one Lava run a sample; `worker/board.py` is the
side that calls the extension. That is closed, and whoever has none is told what is missing and who gives it. Nothing here
was ever run on silicon: tests run it against a stand-in of the public names.

A board sends its outputs some steps late (adapters take time, and nobody says how much), so each sample runs `LAG` silent
steps longer and outputs are shifted by the lag at which they differ least from a simulation of the same input. That
simulation also gives the counts of neurons and synapses and the state: a board counts by core, and keeps its state.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import TargetUnavailable, UserError
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from neurodeploy.ir.run import Given, Probes, Runner, RunResult, RunState
from simulators.checks import prepare
from simulators.lava.connections import check_foreign
from simulators.lava.discovery import VARIABLE, LavaInstallation, clean_environment, find_lava
from simulators.lava.scene import Program, Scene
from simulators.lava.subprocess_run import run_worker

#: Modules of the extension that a run calls, by what they are for.
CLOSED = {
    "lava.magma.core.model.nc.model": "models for neuro-cores",
    "lava.magma.core.model.c.model": "models for embedded cores",
    "lava.magma.compiler.subcompilers.nc.ncproc_compiler": "the compiler",
    "lava.proc.embedded_io.spike": "adapters between host and chip",
    "lava.utils.loihi2_profiler": "counters",
    "lava.utils.loihi2_profiler_api": "the profiler",
}
#: Asked of an interpreter: which of these modules it does not find. Nothing is imported but packages above them.
PROBE = """
import importlib.util, json, sys
missing = []
for name in json.loads(sys.argv[1]):
    try:
        found = importlib.util.find_spec(name)
    except ImportError:
        found = None
    if found is None:
        missing.append(name)
print(json.dumps(missing))
"""
PROBE_SECONDS = 120.0
#: Who gives the extension (README of Lava; "Join the INRC" on Intel's pages).
ACCESS = (
    "Intel gives lava-loihi and boards to members of its Neuromorphic Research Community (INRC): write to "
    "inrc_interest@intel.com; install it beside lava-nc in the interpreter that "
    f"{VARIABLE} names, and name a board by PARTITION or BOARD (SLURM) or NXSDKHOST; until then take --runner lava"
)
#: Silent steps behind each sample. lava-dl's PilotNet program reads outputs 3 steps after the depth of the network.
LAG = 8
#: Seconds of a call: a queue of a shared board is in it.
SECONDS = 3600.0


@dataclass(slots=True, eq=False)
class BoardResult(RunResult):
    """`samples`: what was measured of each, by Lava's own names (`worker/board.py`). `lag`: steps that outputs came late;
    `differing`: of their `bins`, those that are not the simulation's. `partitioning`: what the compiler was offered."""

    samples: list[dict[str, Any]] = field(default_factory=list)
    steps_run: int = 0
    lag: int = 0
    differing: int = 0
    bins: int = 0
    partitioning: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Loihi2Runner:
    """twin : the runner of the simulation beside it. mapping : offered to the compiler; None: it places alone.

    Raises ND4002 where the extension or a board is missing, before anything runs; ND4106 for what Lava has no process for;
    ND4107 for states and probes; ND4102 to ND4105 as `LavaRunner`.
    """

    twin: Runner
    mapping: Mapping | None = None
    timeout: float = SECONDS
    name: str = "loihi2"

    def run(
        self, network: Network, inputs: Given, steps: int, *, state: RunState | None = None, probes: Probes = (),
        raster: bool = True,
    ) -> BoardResult:  # fmt: skip
        """Every sample by itself, from the initial state."""
        if state is not None or probes:
            what = "goes on from a state" if state is not None else "records states"
            fix = "leave out --resume and --probe, or take --runner lava"
            raise UserError("ND4107", network.name, f"{what}, which only the chip's own memory has on a board", fix)
        task = prepare(network, inputs, steps, state, probes)
        check_foreign(network)
        plan = partitioning(network, self.mapping)
        scenes = list(_scenes(Program(network, task.inputs, steps), plan))
        expected = self.twin.run(network, inputs, steps, raster=raster)
        arrays = {key: array for scene in scenes for key, array in scene.arrays.items()}
        jobs = [scene.job() for scene in scenes]
        for scene, job in zip(scenes, jobs, strict=True):
            job["board"]["partitioning"] = {
                name: plan[owner] for name, owner in scene.on_cores.items() if owner in plan
            }
        finished = run_worker(require_board(), jobs, arrays, self.timeout)
        sent = {name: array for name, array in expected.outputs.items() if name not in network.inputs}
        whole = {name: np.zeros((task.samples, steps + LAG, array.shape[2]), np.int32) for name, array in sent.items()}
        for scene, recorded in zip(scenes, finished.recorded, strict=True):
            for key, kept in scene.kept.items():
                whole[kept.owner][kept.sample] = recorded[key]
        lag, differing = late(whole, sent, steps)
        outputs = expected.outputs | {name: array[:, lag : lag + steps] for name, array in whole.items()}
        return BoardResult(
            outputs, {}, expected.activity, expected.state, samples=[run["board"] for run in finished.report["runs"]],
            steps_run=steps + LAG, lag=lag, differing=differing, bins=sum(array.size for array in sent.values()),
            partitioning=plan,
        )  # fmt: skip


def late(whole: dict[str, Any], expected: dict[str, NDArray[np.int32]], steps: int) -> tuple[int, int]:
    """The lag at which fewest bins differ, the smallest of several, and how many those are."""
    found = [
        sum(int(np.count_nonzero(whole[name][:, lag : lag + steps] != array)) for name, array in expected.items())
        for lag in range(LAG + 1)
    ]
    return min(enumerate(found), key=lambda each: each[1])


def partitioning(network: Network, mapping: Mapping | None) -> dict[str, Any]:
    """By population: which of its neurons lie on which core of which chip, with the neurons' own indices.

    A population whose columns are split has no entry: Lava has no words for partial sums and reducers.
    """
    found: dict[str, Any] = {}
    for name, shards in ({} if mapping is None else mapping.by_island()).items():
        if name in network.populations and all(shard.kind != "reducer" for shard in shards):
            order = (mapping.orders if mapping else {}).get(name, np.arange(network.populations[name].size))
            found[name] = [
                {"chip": shard.chip, "core": shard.core, "neurons": order[slice(*shard.rows)].tolist()}
                for shard in shards
            ]
    return found


def missing() -> tuple[LavaInstallation | None, list[str]]:
    """The interpreter with Lava, and in words what a run on a board lacks."""
    lava, lacks = find_lava(), list[str]()
    if lava is None:
        lacks.append("lava-nc (`make lava`)")
    closed = list(CLOSED) if lava is None else _closed(lava)
    if closed:
        lacks.append(f"lava-loihi ({', '.join(f'{name}: {CLOSED[name]}' for name in closed)})")
    if not os.environ.get("NXSDKHOST") and shutil.which("sinfo") is None:
        lacks.append("a board (no SLURM partition, for there is no `sinfo` here, and no NXSDKHOST)")
    return lava, lacks


def _closed(lava: LavaInstallation) -> list[str]:
    """Modules of `CLOSED` that the interpreter does not find; all where it does not answer."""
    try:
        done = subprocess.run(
            [str(lava.python), "-c", PROBE, json.dumps(list(CLOSED))], capture_output=True, text=True,
            timeout=PROBE_SECONDS, check=True, env=clean_environment(),
        )  # fmt: skip
        return list(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return list(CLOSED)


def require_board() -> LavaInstallation:
    """The interpreter to run in, or ND4002 with all that is missing."""
    lava, lacks = missing()
    if lava is None or lacks:
        raise TargetUnavailable("ND4002", "loihi2", f"missing here: {'; '.join(lacks)}", ACCESS)
    return lava


def _scenes(program: Program, plan: dict[str, Any]) -> Iterator[Scene]:
    """A run a sample, with silence behind it. ND4106 for what Lava has no process for."""
    padded = {name: np.pad(array, ((0, 0), (0, LAG), (0, 0))) for name, array in program.inputs.items()}
    longer = Program(program.network, padded, program.steps + LAG)
    for sample in range(longer.samples):
        scene = Scene(longer.steps, prefix=f"s{sample}.", counts=False, chip=True, board=True)
        scene.add(longer, 0, sample)
        require_lava_alone(scene)
        yield scene


def require_lava_alone(scene: Scene) -> None:
    """ND4106 where a part of the network is a process of ours."""
    ours = {name: text for placed in scene.placement.values() for name, text in placed.items()}
    for name, text in ours.items():
        where, _, reason = text.partition(": ")
        if where == "ours":
            fix = "run it on lava, fast, reference or partitioned, which have it, or take a model and weights of Lava's own"
            raise UserError("ND4106", name, f"is no process of Lava's: {reason}", fix)
