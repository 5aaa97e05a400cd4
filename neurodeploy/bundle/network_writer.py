"""The bundle of a spiking network: program, arrays, the float network it came from, golden vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle.files import canonical, readable, writing
from neurodeploy.bundle.folders import folder_aside
from neurodeploy.bundle.hdf5 import new_hdf5
from neurodeploy.bundle.network_files import ARRAYS, network_to_json, write_arrays
from neurodeploy.bundle.writer import seal
from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.ir.network_run import NetworkResult
from neurodeploy.ir.program import Program
from neurodeploy.neurons.registry import largest_payload

#: Steps of the golden vectors, and the synaptic work (synapses x steps) above which fewer or none are recorded.
GOLDEN_STEPS, GOLDEN_WORK = 16, 10**8
#: Where the float network stands in the bundle, as plain NIR.
SOURCE_NIR = "source.nir"

Run = Callable[[Network, Mapping[str, Ints], int], NetworkResult]


def write_network_bundle(
    path: Path, program: Program, source: dict[str, Any], run: Run, save_nir: Callable[[Path], object] | None = None
) -> None:
    """Write the bundle `path` under a temporary name and rename it.

    `run` is the reference runner, for golden vectors; `save_nir` writes the float network as NIR, where there is one, and
    may add to the program's conversion what it has to say about that.
    """
    network = program.network
    if network is None:
        raise InternalError("ND9010", program.info.name, "is no spiking network")
    with folder_aside(path, "vectors") as work, writing(path):
        structure, arrays = network_to_json(network)
        write_arrays(work / ARRAYS, arrays)
        body = {"contract": program.contract, "info": asdict(program.info), "network": structure}
        (work / "program.json").write_bytes(canonical(body))
        if save_nir is not None:
            save_nir(work / SOURCE_NIR)
        (work / "conversion.json").write_bytes(readable(program.conversion))
        _golden(work / "vectors" / "golden.h5", network, run)
        seal(work, program, source)


def golden_steps(network: Network) -> int:
    """`GOLDEN_STEPS`, fewer for a large network, 0 for one whose single step is more than `GOLDEN_WORK`."""
    work = sum(p.synapse.work for p in network.projections)
    return min(GOLDEN_STEPS, GOLDEN_WORK // max(1, work))


def _golden(path: Path, network: Network, run: Run) -> None:
    """Random input with a fixed seed: spikes and payloads, a tenth of them not zero; the outputs of the reference runner."""
    steps = golden_steps(network)
    with new_hdf5(path) as file:
        file.attrs["steps"] = steps
        if not steps:
            return
        rng = np.random.default_rng(0)
        inputs = {}
        for name in network.inputs:
            graded = any(p.valued for p in network.projections if p.source == name)
            population = network.populations[name]
            shape, end = (1, steps, population.size), min(largest_payload(population), 128)
            drawn = rng.integers(-end, min(end + 1, 128), shape) if graded else np.ones(shape, np.int64)
            inputs[name] = (drawn * (rng.random(shape) < 0.1)).astype(np.int32)
        found = run(network, inputs, steps)
        for kind, table in (("inputs", inputs), ("outputs", found.outputs)):
            group = file.create_group(kind)
            for name, array in table.items():
                group.create_dataset(name, data=array)
