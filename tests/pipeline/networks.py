"""Small spiking networks as files, their inputs, and their bundles: made once a session, copied by whoever damages them."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch

from neurodeploy import pipeline
from neurodeploy.frontends.lavadl.writer import write_net
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.synapses import Dense
from tests import models

DT = 1e-3
STEPS, SAMPLES = 40, 3
INPUTS, HIDDEN, OUTPUTS = 8, 6, 3


def _full(value: float, *shape: int) -> np.ndarray[Any, Any]:
    return np.full(shape, value)


def layers(readout: str = "lif") -> nir.NIRGraph:
    """8 inputs, 6 LIF, 3 LIF (or leaky integrators), random weights."""
    rng = np.random.default_rng(7)
    tau = 0.01

    def lif(size: int) -> nir.LIF:
        return nir.LIF(
            tau=_full(tau, size), r=_full(tau / DT, size), v_leak=_full(0, size), v_threshold=_full(1, size),
            v_reset=_full(0, size),
        )  # fmt: skip

    last = lif(OUTPUTS) if readout == "lif" else nir.LI(_full(0.02, OUTPUTS), _full(20, OUTPUTS), _full(0, OUTPUTS))
    nodes = {
        "input": nir.Input(np.array([INPUTS])),
        "up": nir.Affine(rng.normal(0.3, 0.5, (HIDDEN, INPUTS)), rng.normal(0, 0.05, HIDDEN)),
        "hidden": lif(HIDDEN),
        "down": nir.Linear(rng.normal(0.4, 0.6, (OUTPUTS, HIDDEN))),
        "last": last,
        "output": nir.Output(np.array([OUTPUTS])),
    }
    return nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False)))


def image() -> nir.NIRGraph:
    """A convolution of whole weights into integrate-and-fire neurons: exact in integers. Shapes (1, 5, 4), (2, 3, 2)."""
    weight = np.append(np.arange(-8, 8), [1, -3]).reshape(2, 1, 3, 3).astype(float)
    nodes = {
        "input": nir.Input(np.array([1, 5, 4])),
        "conv": nir.Conv2d((5, 4), weight, 1, 0, 1, 1, np.zeros(2)),
        "fire": nir.IF(_full(1 / DT, 2, 3, 2), _full(7, 2, 3, 2), _full(0, 2, 3, 2)),
        "output": nir.Output(np.array([2, 3, 2])),
    }
    return nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False)))


def chain() -> Network:
    """Integers as lava-dl exports them: 8 inputs, 6 and 3 LIF."""
    rng = np.random.default_rng(3)
    params = {"du": 1024, "dv": 256, "vth": 40}
    populations = {
        "input": Population("input", (INPUTS,), "input"),
        "layer1": Population("layer1", (HIDDEN,), "lif", params),
        "layer2": Population("layer2", (OUTPUTS,), "lif", params),
    }

    def weights(rows: int, columns: int) -> Dense:
        return Dense(np.asfortranarray(2 * rng.integers(-40, 60, (rows, columns))).astype(np.int8))

    projections = (
        Projection("input->layer1", "input", "layer1", weights(HIDDEN, INPUTS)),
        Projection("layer1->layer2", "layer1", "layer2", weights(OUTPUTS, HIDDEN)),
    )
    return Network("chain", populations, projections, ("layer2",))


@dataclass(frozen=True)
class Files:
    """Sources, inputs and bundles (`*_nd`; that of `plain` is mapped). Not to be changed."""

    plain: Path
    graded: Path
    image: Path
    net: Path
    spikes: Path
    real: Path
    pixels: Path
    plain_nd: Path
    graded_nd: Path
    image_nd: Path
    net_nd: Path

    def of(self, kind: str) -> tuple[Path, Path]:
        """A bundle and an input for it."""
        return getattr(self, f"{kind}_nd"), {"graded": self.real, "image": self.pixels}.get(kind, self.spikes)


def make_files(folder: Path) -> Files:
    rng = np.random.default_rng(0)
    for name, graph in (("plain", layers()), ("graded", layers("li")), ("image", image())):
        nir.write(folder / f"{name}.nir", graph)
    write_net(chain(), folder / "net.net")
    np.save(folder / "spikes.npy", rng.random((SAMPLES, STEPS, INPUTS)) < 0.3)
    np.save(folder / "real.npy", rng.normal(size=(SAMPLES, STEPS, INPUTS)))
    np.save(folder / "pixels.npy", rng.random((SAMPLES, STEPS, 1, 5, 4)) < 0.5)
    sources = {name: folder / f"{name}.nir" for name in ("plain", "graded", "image")} | {"net": folder / "net.net"}
    inputs = {name: folder / f"{name}.npy" for name in ("spikes", "real", "pixels")}
    bundles = {}
    for name, source in sources.items():
        options: dict[str, Any] = {} if name == "net" else {"dt": DT}
        if name == "graded":
            options["calibration"] = inputs["real"]
        bundles[f"{name}_nd"] = folder / f"{name}.nd"
        pipeline.convert(source, bundles[f"{name}_nd"], **options)
    pipeline.map(bundles["plain_nd"], "oheo-gulch")
    return Files(**sources, **inputs, **bundles)


#: Verbs that write a file HERE, as they are typed (`World.typed`); the file is last.
WRITING = {
    "run --out": "run PLAIN_ND --input SPIKES --out HERE/out",
    "run --checkpoint": "run PLAIN_ND --input SPIKES --checkpoint HERE/out",
    "report": "report PLAIN_ND --input SPIKES --out HERE/out.html",
    "export to NIR": "export PLAIN_ND --out HERE/out.nir",
    "map --write-plan": "map PLAIN_ND --system oheo-gulch --write-plan HERE/out",
}
PROSE = "It was a bright cold day in April, and the clocks were striking thirteen. " * 4
Q_PROJ = "model.layers.0.self_attn.q_proj.weight"


@dataclass
class World:
    """A folder of a case. What all cases share: files, a language model, its bundle, and one that is not mapped."""

    here: Path
    f: Files
    llama: Path
    bundle: Path
    unmapped: Path

    def file(self, name: str, content: bytes | str = PROSE) -> str:
        path = self.here / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def array(self, values: Any, name: str = "x.npy") -> str:
        np.save(self.here / name, np.asarray(values))
        return str(self.here / name)

    def model(self, **config: Any) -> Path:
        """A copy of the model, with other settings."""
        folder = self.here / "model"
        shutil.copytree(self.llama, folder)
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
        return folder

    def weights(self, change: Callable[[Any], torch.Tensor | None], name: str = Q_PROJ) -> Path:
        """A copy of the model in which one tensor is another, new or gone."""
        folder = self.model()
        with models.tensors(folder) as tensors:
            if (made := change(tensors.pop(name, None))) is not None:
                tensors[name] = made
        return folder

    def typed(self, line: str, *more: object) -> list[str]:
        """What is typed: HERE is the folder; MODEL, LM and UNMAPPED are the language model, a copy of its bundle and one
        that is not mapped; OLDER is a bundle and OLDER/NAME a file that must survive; another word in capitals is one of
        `Files`, of a bundle (..._ND) a copy."""
        return [*map(self._place, shlex.split(line)), *map(str, more)]

    def _place(self, word: str) -> str:
        places = {"MODEL": self.llama, "UNMAPPED": self.unmapped}
        if word in places or word in ("LM", "OLDER"):
            return str(places.get(word) or copied(self.bundle, self.here))
        if word.endswith("_ND"):
            return str(copied(getattr(self.f, word.lower()), self.here))
        if word.startswith("OLDER/"):
            return self.file(word.removeprefix("OLDER/"), PROSE)
        if "HERE" in word:
            return word.replace("HERE", str(self.here))
        return str(getattr(self.f, word.lower())) if word.isupper() else word


def copied(bundle: Path, folder: Path) -> Path:
    target = folder / f"older_{bundle.name}"
    if not target.exists():
        shutil.copytree(bundle, target)
    return target


@pytest.fixture
def world(tmp_path: Path, files: Files, llama: Path, llama_bundle: Path, experts_bundle: Path) -> World:
    return World(tmp_path, files, llama, llama_bundle, experts_bundle)
