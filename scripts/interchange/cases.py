"""What the four recording scripts share: a case is a small network, its framework's own export call, and its own run.

A script runs inside the framework's environment, so nothing here needs more than numpy and nir. For every case it
writes one entry of ``index.json`` and, if the framework's exporter does its work, ``<case>.nir`` and ``<case>.npz``:

* ``input`` (steps, size) uint8, the spikes that were fed;
* ``spikes.<layer>`` (steps, size) int8 and ``v.<layer>`` (steps, the first 8 neurons) float32: what the framework itself
  computed in each neuron layer. `v` is the membrane after the reset of its step, as the framework hands it out.

What an exporter refuses is recorded too, with its exact message: that is the cell of the table.

Each network is also given to `neurodeploy.convert` as a module. What that makes of it is recorded under ``direct``: the
NIR file (``<case>.direct.nir``), the options that its attributes gave, and the check that `convert` made by itself.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from neurodeploy import convert
from neurodeploy.errors import NeurodeployError
from neurodeploy.frontends.modules.export import export_module
from neurodeploy.frontends.modules.frameworks import FRAMEWORKS
from neurodeploy.frontends.streams.reading import TIME_FIRST

STEPS = 100
#: What stands for the message of an exporter that was not asked.
NOT_ASKED = "not asked: another way of writing a network above"
#: Membranes kept of each layer.
TRACED = 8
INPUT_RATE = 0.3


def spikes_in(seed: int, size: int, steps: int = STEPS) -> NDArray[np.uint8]:
    """Bernoulli spikes, (steps, size)."""
    return (np.random.default_rng(seed).random((steps, size)) < INPUT_RATE).astype(np.uint8)


def weights(seed: int, *shape: int, mean: float = 0.0, spread: float = 1.0) -> NDArray[np.float32]:
    """Normal weights: a membrane stands exactly on its threshold only in the cases that are about that."""
    return np.random.default_rng(seed).normal(mean, spread, shape).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """One network.

    name : file name. network : in the framework's words. dt : seconds that one step stands for, as exported.
    reset, threshold : the rule that the framework runs. build : () -> the network. run : (network, input (steps, size)) ->
    {layer: {"spikes" or "v": (steps, size)}}. export : (network, path) -> nothing, in the framework's own call; None: it is
    not asked. call : that call as text.
    """

    name: str
    network: str
    dt: float
    reset: str
    threshold: str
    build: Callable[[], object]
    run: Callable[[object, NDArray[np.uint8]], Mapping[str, Mapping[str, object]]]
    export: Callable[[object, Path], None] | None
    call: str
    inputs: NDArray[np.uint8]
    note: str = ""


def neuron_nodes(path: Path) -> list[str]:
    """Names of the neurons in a file, in the order of the layers (which every framework puts into the names as a number)."""
    with h5py.File(path) as file:
        nodes = {name: node["type"][()].decode() for name, node in file["node/nodes"].items()}
    kinds = {"I", "IF", "LI", "LIF", "CubaLI", "CubaLIF"}
    return sorted(
        (name for name, kind in nodes.items() if kind in kinds), key=lambda name: int(re.findall(r"\d+", name)[0])
    )


def one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:400]


def plain(values: object) -> NDArray[np.float32]:
    """(steps, size) float32 of whatever a framework hands out step by step."""
    rows = [np.asarray(row.detach().numpy() if hasattr(row, "detach") else row) for row in values]  # type: ignore[attr-defined]
    return np.stack([row.reshape(-1) for row in rows]).astype(np.float32)


def record_case(case: Case, framework: str, folder: Path) -> dict[str, object]:
    """Run and export one case, and give it to `convert` as a module; returns its entry."""
    entry: dict[str, object] = {
        "case": case.name, "network": case.network, "dt_s": case.dt, "reset": case.reset, "threshold": case.threshold,
        "export_call": case.call, "steps": int(case.inputs.shape[0]), "note": case.note,
    }  # fmt: skip
    path = folder / f"{case.name}.nir"
    entry |= _exported(case, path)
    direct = _given_directly(case, framework, folder)
    entry["direct"] = direct
    if "file" not in entry and "file" not in direct:
        return entry
    arrays: dict[str, NDArray[np.generic]] = {"input": case.inputs}
    recorded = case.run(case.build(), case.inputs)
    if "file" in entry:
        entry["nodes"] = dict(zip(recorded, neuron_nodes(path), strict=True))
    for layer, traces in recorded.items():
        for what, values in traces.items():
            trace = plain(values)
            arrays[f"{what}.{layer}"] = trace.astype(np.int8) if what == "spikes" else trace[:, :TRACED]
    entry["spikes"] = {layer: int(arrays[f"spikes.{layer}"].sum()) for layer in recorded if f"spikes.{layer}" in arrays}
    np.savez_compressed(folder / f"{case.name}.npz", **arrays)  # type: ignore[arg-type]
    return entry


def _exported(case: Case, path: Path) -> dict[str, object]:
    """What the framework's own exporter made of a case."""
    if case.export is None:
        return {"export_error": NOT_ASKED}
    try:
        case.export(case.build(), path)
    except Exception as error:  # whatever a framework raises is what we came to record
        path.unlink(missing_ok=True)  # half a file
        return {"export_error": one_line(error)}
    try:
        nir.read(path)
    except Exception as error:  # nir's own reader does not take it back; ours shall try
        return {"file": path.name, "nir_read_error": one_line(error)}
    return {"file": path.name}


def _given_directly(case: Case, framework: str, folder: Path) -> dict[str, object]:
    """What `convert` made of the module; its code and message where it refuses it."""
    net: Any = case.build()
    steps = len(case.inputs)
    shape = tuple(getattr(net, "input_shape", case.inputs.shape[1:]))
    rows = case.inputs.astype(np.float32)
    example = (
        rows.reshape(steps, 1, *shape) if FRAMEWORKS[framework].layout == TIME_FIRST else rows.reshape(1, steps, *shape)
    )
    told = {"dt": case.dt} if framework == "spikingjelly" else {}
    path = folder / f"{case.name}.direct.nir"
    try:
        exported = export_module(net, framework, example, path, **told)
        with tempfile.TemporaryDirectory() as out:
            found = convert(net, Path(out) / "case.nd", example_inputs=example, **told)
    except NeurodeployError as error:
        path.unlink(missing_ok=True)
        return {"error": f"{error.code} {error.subject}: {error.problem}"[:300]}
    return {
        "file": path.name, "options": dict(exported.options), "layers": dict(exported.layers), "gaps": list(exported.gaps),
        "open_questions": found["open_questions"],
        "check": {key: value for key, value in found["check"].items() if key != "told"},
    }  # fmt: skip


def main(framework: str, cases: list[Case], packages: tuple[str, ...]) -> None:
    """Record all cases of a framework into ``<out>/<framework>``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    folder = parser.parse_args().out / framework
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.nir"), *folder.glob("*.npz")):
        old.unlink()
    entries = [record_case(case, framework, folder) for case in cases]
    index = {
        "framework": framework,
        "versions": {"python": sys.version.split()[0], **{name: version(name) for name in packages}},
        "recorded": "input: spikes fed; spikes.<layer>, v.<layer>: the framework's own spikes and membrane after the reset "
        "of each step, batch of one, float32, one thread",
        "cases": entries,
    }
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")
    for entry in entries:
        print(
            framework,
            entry["case"],
            entry.get("spikes", ""),
            entry.get("export_error", "exported"),
            entry.get("nir_read_error", ""),
        )
