# mypy: disable-error-code="misc, import-not-found, import-untyped"
"""Builds the processes of one Lava run from its description, links them, runs them, writes what was recorded."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from scipy.sparse import csr_matrix

from .processes import OwnProcess, model_of

Description = dict[str, Any]


class Scene:
    """One Lava run: `processes`, `links` and `records` of a description (`simulators.lava.scene.Scene.job`)."""

    def __init__(self, description: Description, arrays: Any, path: Path) -> None:
        self.steps = int(description["steps"])
        self.arrays = arrays
        self.processes: dict[str, Any] = {}
        self.names: dict[int, str] = {}
        for entry in description["processes"]:
            self._add(entry)
        recorded = description["records"]
        reads = {record["key"]: self._variable(record) for record in recorded if record["kind"] == "variable"}
        ports = {record["key"]: tuple(record["shape"]) for record in recorded if record["kind"] == "port"}
        last = [record["key"] for record in recorded if record["kind"] == "variable" and record["last"]]
        self.recorder = OwnProcess(
            kind="recorder",
            inputs=ports,
            outputs={},
            variables={},
            reads=reads,
            last=last,
            steps=self.steps,
            path=str(path),
        )
        self.names[self.recorder.id] = "the recorder"
        for name, variable in reads.items():
            getattr(self.recorder, name).connect_var(variable)
        for source, source_port, target, target_port in description["links"]:
            self._link(source, source_port, getattr(self.processes[target], target_port))
        for record in recorded:
            for source, source_port in record.get("from", ()):
                self._link(source, source_port, getattr(self.recorder, record["key"]))

    def run(self) -> dict[str, float]:
        """From the first step to the last on the simulator, then stop all processes; returns the seconds of each part."""
        chosen = Loihi2SimCfg(select_tag="fixed_pt")
        self.choose(chosen, lambda name: chosen)
        return self.execute(chosen, None)

    def choose(self, run_cfg: Any, chooser: Callable[[str], Any]) -> None:
        """Let `chooser`, the configuration for a process by its id, take the model of each; `run_cfg` is told which."""
        found: dict[Any, Any] = {}
        models = {self.recorder: model_of(self.recorder)}
        for name, process in self.processes.items():
            if isinstance(process, OwnProcess):
                models[process] = model_of(process)
                continue
            chosen = chooser(name)
            kind = (type(process), chosen)
            if kind not in found:  # Lava looks for models in files again for every process: once a class will do
                found[kind] = chosen.select(process, ProcGroupDiGraphs._find_proc_models(process))
            models[process] = found[kind]
        self.models = {name: models[process].__name__ for name, process in self.processes.items()}
        self.classes = {name: models[process] for name, process in self.processes.items()}
        run_cfg.exception_proc_model_map = models

    def execute(self, run_cfg: Any, executable: Any) -> dict[str, float]:
        """Run what was chosen, compiled already or not; returns the seconds of each part."""
        begun = time.monotonic()
        self.recorder.create_runtime(run_cfg=run_cfg, executable=executable)
        started = time.monotonic()
        self.recorder.run(condition=RunSteps(num_steps=self.steps), run_cfg=run_cfg)
        stepped = time.monotonic()
        self.recorder.stop()
        return {"start": started - begun, "steps": stepped - started, "stop": time.monotonic() - stepped}

    def _add(self, entry: Description) -> None:
        arguments = {key: self._value(value) for key, value in entry["arguments"].items()}
        if entry["process"] == "own":
            process = OwnProcess(**arguments)
        else:
            module, name = entry["process"].split(":")
            process = getattr(importlib.import_module(module), name)(**arguments)
        for name, value in entry.get("variables", {}).items():
            getattr(process, name).init = self._value(value)
        for variable in process.vars:
            # Lava declares one value for all neurons; its arithmetic takes one for each just as well.
            if isinstance(variable.init, np.ndarray) and variable.shape == (1,) and variable.init.size > 1:
                variable.shape = variable.init.shape
        process.name = entry["id"]
        self.processes[entry["id"]] = process
        self.names[process.id] = entry["id"]

    def _variable(self, record: Description) -> Any:
        return getattr(self.processes[record["process"]], record["variable"])

    def _link(self, source: str, source_port: str, target: Any) -> None:
        port = getattr(self.processes[source], source_port)
        if port.shape != target.shape:
            port = port.reshape(new_shape=target.shape)
        port.connect(target)

    def _value(self, value: Any) -> Any:
        """JSON with three kinds of references in it: an array, a sparse matrix, a member of an enumeration of Lava."""
        if isinstance(value, list):
            return tuple(self._value(item) for item in value)
        if not isinstance(value, dict):
            return value
        if "$array" in value:
            return self.arrays[value["$array"]]
        if "$csr" in value:
            key = value["$csr"]
            parts = (self.arrays[f"{key}.data"], self.arrays[f"{key}.indices"], self.arrays[f"{key}.indptr"])
            return csr_matrix(parts, shape=tuple(value["shape"]))
        if "$member" in value:
            module, kind, name = value["$member"].split(":")
            return getattr(importlib.import_module(module), kind)[name]
        return {key: self._value(item) for key, item in value.items()}
