"""Spiking networks of the golden cases: what ships as a file, and random ones.

- ``random/N``: `random_network(N)` with its own inputs and steps, on `shrunken(N)`, mapped with `random_options(N)`.
- ``slayer/NAME``: the `.net` in `tests/frontends/lavadl/fixtures`, fed with slayer's own input.
- ``FRAMEWORK/CASE``: the NIR files in `tests/interchange/fixtures`, read as their framework meant them, quantised without
  calibration, 2 samples of 24 steps in which three of ten inputs spike (seed: the length of the name).
- ``digits/examples``, ``digits/snntorch``: the two trained networks, on three of their digits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurodeploy.conversion.spiking.quantize import quantize
from neurodeploy.errors import DoesNotFit, NeurodeployError
from neurodeploy.frontends import hdf5_guard
from neurodeploy.frontends.lavadl import read_net
from neurodeploy.frontends.nir.conventions import as_meant_by
from neurodeploy.frontends.nir.reader import read
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.float_network import chip_order
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from partitioner.mapper import map_model
from partitioner.options import Options
from targets.systems import get_system
from tests.frontends.lavadl.test_slayer import FIXTURES as SLAYER
from tests.frontends.lavadl.test_slayer import OPTIONS as SLAYER_OPTIONS
from tests.interchange.cells import FIXTURES, FRAMEWORKS, TOLD, index
from tests.networks.random_networks import random_network
from tests.partitioner.make import shrunken
from tests.partitioner.test_property import random_options

ROOT = Path(__file__).resolve().parents[2]
#: Of these seeds, 40 fit their cores.
RANDOM = 62


class Net(NamedTuple):
    """A network, what it is fed with, and what it is mapped to."""

    network: Network
    inputs: dict[str, np.ndarray[Any, Any]]
    steps: int
    system: SystemSpec
    options: Options


def _random(seed: int) -> Net:
    network, inputs, steps = random_network(seed)
    return Net(network, inputs, steps, shrunken(seed), random_options(seed))


def _shipped(network: Network, inputs: dict[str, np.ndarray[Any, Any]], steps: int) -> Net:
    """Cut after a third of the rows of its largest population."""
    most = max(p.size for p in network.populations.values())
    return Net(network, inputs, steps, get_system("oheo-gulch"), Options(max_rows=-(-most // 3)))


def _slayer(name: str) -> Net:
    stored = np.load(SLAYER / f"slayer_{name}.npz")
    x = stored["x"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.net"
        path.write_bytes(stored["net"].tobytes())
        network = read_net(path, input_shape=x.shape[:-1][::-1], **SLAYER_OPTIONS[name])
    order = x.transpose(3, 2, 1, 0) if len(network.populations["input"].shape) == 3 else np.moveaxis(x, -1, 0)
    return _shipped(network, {"input": order.reshape(1, x.shape[-1], -1).astype(np.int64)}, x.shape[-1])


def _written(framework: str, case: str, path: Path, dt_s: float) -> Net:
    meant = as_meant_by(read(path, dt_s), framework, **TOLD.get((framework, case), {}))
    network, _ = quantize(meant)
    rng = np.random.default_rng(len(case))
    inputs = {name: rng.random((2, 24, network.populations[name].size)) < 0.3 for name in network.inputs}
    return _shipped(network, inputs, 24)


def _digits(folder: Path, file: str, framework: str) -> Net:
    if framework:  # steps first, its own time step
        made = as_meant_by(read(folder / file, 1e-4), framework)
        spikes = np.load(folder / "input.npz")["input"][:, :3].swapaxes(0, 1)
    else:
        made = read(folder / file, 1e-3)
        spikes = np.load(folder / "input.npz")["input"][:3].reshape(3, 32, -1)
    (name,) = made.inputs
    inputs = {name: spikes[..., chip_order(made.nodes[name].shape)].astype(np.int64)}
    return _shipped(quantize(made)[0], inputs, spikes.shape[1])


def _nets() -> dict[str, Callable[[], Net]]:
    made: dict[str, Callable[[], Net]] = {f"random/{seed}": partial(_random, seed) for seed in range(RANDOM)}
    made |= {f"slayer/{name}": partial(_slayer, name) for name in SLAYER_OPTIONS}
    for framework in FRAMEWORKS:
        for entry in index(framework)["cases"]:
            if "file" in entry:
                path = FIXTURES / framework / entry["file"]
                made[f"{framework}/{entry['case']}"] = partial(_written, framework, entry["case"], path, entry["dt_s"])
    made["digits/examples"] = partial(_digits, ROOT / "examples" / "digits", "digits.nir", "")
    made["digits/snntorch"] = partial(_digits, ROOT / "tests" / "interchange" / "digits", "snntorch.nir", "snntorch")
    return made


NETS = _nets()


@lru_cache(maxsize=4)
def net(name: str) -> Net | str:
    """The network of that name, or the code of the error with which its file is refused."""
    isolate, hdf5_guard.ISOLATE = hdf5_guard.ISOLATE, False  # our own files: no process for each
    try:
        return NETS[name]()
    except NeurodeployError as error:
        return error.code
    finally:
        hdf5_guard.ISOLATE = isolate


@lru_cache(maxsize=4)
def mapped(name: str) -> Mapping | None:
    """Its mapping; None where it does not fit."""
    found = net(name)
    assert not isinstance(found, str)
    try:
        return map_model(Program.of(found.network), found.system, found.options)
    except DoesNotFit:
        return None
