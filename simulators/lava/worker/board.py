# mypy: disable-error-code="misc, import-not-found, import-untyped"
"""The same scene on a Loihi 2 board: what calls Intel's extension of Lava, which is closed, by its public names.

Public are the configuration (`Loihi2HwCfg`), how a board is named (`lava.utils.loihi`), the base of the profiler
(`lava.utils.profiler`) and that a compiler takes a "partitioning" by names of processes. What stands behind them is in
lava-loihi: models for neuro-cores, the compiler, adapters, the counters. Fields are read by the names that Lava's own
tutorials use; one that is not there is reported as missing.
"""

from __future__ import annotations

import functools
import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.run_configs import Loihi2HwCfg, Loihi2SimCfg

from . import shim
from .scene import Description, Scene

#: Fields of `Profiler`: seconds of every step, watts, joules or microjoules (published programs print both).
PROFILER = (
    "execution_time", "spiking_time", "management_time", "learning_time", "host_time", "power", "static_power",
    "dynamic_power", "vdd_power", "vddm_power", "vddio_power", "energy", "static_energy", "dynamic_energy",
)  # fmt: skip
#: Fields of `Loihi2Activity` and `Loihi2Memory`, one value a core.
ACTIVITY = ("core_idx", "syn_ops", "dendrite_updates", "axon_out", "spikes_in")
MEMORY = ("core_idx", "total_mpds")


@functools.cache
def use_board() -> str:
    """Name the board by the environment variables of Lava itself: NXSDKHOST for one on the network, else SLURM with
    PARTITION and BOARD; LOIHI_GEN for the chip. Returns what was named."""
    loihi: Any = importlib.import_module("lava.utils.loihi")
    shim.whole_lines()
    named = os.environ.get
    generation = loihi.ChipGeneration[named("LOIHI_GEN", "N3B3")]
    if address := named("NXSDKHOST"):
        loihi.use_ethernet_host(address, named("HOST_BINARY", "nxcore/bin/nx_driver_server"), generation)
        return f"{address}, {generation.value}"
    loihi.use_slurm_host(named("PARTITION"), named("BOARD"), generation)
    return f"SLURM, partition {named('PARTITION', 'any')}, board {named('BOARD', 'any')}, {generation.value}"


class Probes:
    """What is measured of a run."""

    def __init__(self, config: Any, steps: int) -> None:
        profiler: Any = importlib.import_module("lava.utils.profiler")
        counters: Any = importlib.import_module("lava.utils.loihi2_profiler")
        self.profiler = profiler.Profiler.init(config)
        self.profiler.execution_time_probe(num_steps=steps)
        self.profiler.energy_probe(num_steps=steps)
        self.activity, self.memory = counters.Loihi2Activity(), counters.Loihi2Memory()
        config.callback_fxs += [self.activity, self.memory]

    def read(self) -> dict[str, Any]:
        """Everything by Lava's own names, and what was not to be had."""
        told: dict[str, Any] = {"measured_by": f"{type(self.profiler).__module__}.{type(self.profiler).__qualname__}"}
        missing: list[str] = []
        for part, source, names in (
            ("profiler", self.profiler, PROFILER), ("activity", self.activity, ACTIVITY),
            ("memory", self.memory, MEMORY),
        ):  # fmt: skip
            told[part] = {}
            for name in names:
                try:
                    values = np.asarray(getattr(source, name), np.float64)
                except Exception as error:  # closed code: whatever it raises, the field is not there
                    missing.append(f"{name} of {type(source).__name__}: {type(error).__name__}")
                    continue
                if values.size and np.isfinite(values).all():
                    told[part][name] = values.tolist()
                else:
                    missing.append(f"{name} of {type(source).__name__}: no finite number")
        return {**told, "missing": missing}


def run_on_board(
    scene: Scene, description: Description, arrays: Any, path: Path, names: dict[int, str]
) -> tuple[Scene, dict[str, float], dict[str, Any]]:
    """Compile, with our partitioning or without where the compiler refuses it, run, and read what was measured."""
    board = description["board"]
    host, refused = use_board(), ""
    try:
        config, probes, executable = _compiled(scene, board, {"partitioning": board["partitioning"]}, names)
    except NoCoreModelError:
        raise
    except Exception as error:  # of the closed compiler: nothing has run yet
        if not board["partitioning"]:
            raise
        refused = f"{type(error).__name__}: {error}"
        scene = Scene(description, arrays, path)
        config, probes, executable = _compiled(scene, board, {}, names)
    seconds = scene.execute(config, executable)
    return scene, seconds, {"board": {"host": host, "refused": refused, **probes.read()}}


class NoCoreModelError(Exception):
    """Lava would compute a part of the network on the host."""


def _compiled(
    scene: Scene, board: Description, compile_config: dict[str, Any], names: dict[int, str]
) -> tuple[Any, Probes, Any]:
    """Models for neuro-cores where populations and synapses are, of the simulator for what feeds them; then the compiler."""
    nc: Any = importlib.import_module("lava.magma.core.model.nc.model")
    names.clear()
    names.update(scene.names)
    config, simulated = Loihi2HwCfg(), Loihi2SimCfg(select_tag="fixed_pt")
    scene.choose(config, lambda name: simulated if name in board["feeding"] else config)
    for process, owner in board["on_cores"].items():
        model = scene.classes[process]
        if not issubclass(model, nc.AbstractNcProcessModel):
            raise NoCoreModelError(f"{owner} would run as {model.__name__} on the host: no model for neuro-cores")
    probes = Probes(config, scene.steps)
    return config, probes, scene.recorder.compile(config, compile_config)
