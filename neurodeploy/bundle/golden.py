"""Golden vectors: what the reference runner made of inputs that anybody can draw again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle.hdf5 import new_hdf5
from neurodeploy.bundle.island_files import damaged, map_dataset
from neurodeploy.bundle.network_files import TYPES
from neurodeploy.errors import BundleError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Island, Program
from neurodeploy.ir.run import RunResult
from neurodeploy.neurons.registry import largest_payload

GOLDEN = "vectors/golden.h5"
#: Tokens of golden payloads by island, and how many islands carry them.
GOLDEN_TOKENS, GOLDEN_ISLANDS = 4, 8
#: Steps of the golden vectors, and the synaptic work (synapses x steps) above which fewer or none are recorded.
GOLDEN_STEPS, GOLDEN_WORK = 16, 10**8

Run = Callable[[Network, Mapping[str, Ints], int], RunResult]


def golden_names(islands: Mapping[str, Island]) -> list[str]:
    """The islands that carry golden vectors: the smallest."""
    return sorted(islands, key=lambda name: (islands[name].rows * islands[name].columns, name))[:GOLDEN_ISLANDS]


def golden_payload(island: Island) -> NDArray[np.int16]:
    """(GOLDEN_TOKENS, columns) extreme and random payloads, with a seed made of the island's name: reproducible by
    anybody."""
    seed = int.from_bytes(hashlib.sha256(island.name.encode()).digest()[:8], "little")
    limit = island.payload_max
    payload = np.random.default_rng(seed).integers(-limit, limit + 1, (GOLDEN_TOKENS, island.columns))
    payload[0], payload[1] = limit, 0
    return payload.astype(np.int16)


def write_islands(folder: Path, islands: Mapping[str, Island], reference: Callable[[Island, Any], Any]) -> None:
    """Payloads and outputs of the smallest islands."""
    with new_hdf5(folder / GOLDEN) as file:
        for name in golden_names(islands):
            payload = golden_payload(islands[name])
            group = file.create_group(name)
            group["payload"] = payload
            group["output"] = reference(islands[name], payload)


def read_islands(folder: Path, program: Program) -> Iterator[tuple[Island, NDArray[np.int16], NDArray[np.int32]]]:
    """Islands with their golden payloads and outputs; ND5006 for what no island could have been given."""
    import h5py

    path = folder / GOLDEN
    try:
        with h5py.File(path, "r") as file:
            names = list(file)
    except (OSError, RuntimeError) as error:
        raise damaged(path, f"cannot be read: {error!s:.200}") from None
    for name in names:
        island = program.islands.get(name)
        if island is None:
            raise damaged(path, f"the program has no island {name!r:.80}")
        payload = np.array(map_dataset(path, f"{name}/payload", np.int16, (GOLDEN_TOKENS, island.columns)))
        if max(-int(payload.min()), int(payload.max())) > island.payload_max:
            raise damaged(path, f"a payload of {name} exceeds {island.payload_bits} bits")
        yield island, payload, map_dataset(path, f"{name}/output", np.int32, (GOLDEN_TOKENS, island.rows))


def golden_steps(network: Network) -> int:
    """`GOLDEN_STEPS`, fewer for a large network, 0 for one whose single step is more than `GOLDEN_WORK`."""
    work = sum(p.synapse.work for p in network.projections)
    return min(GOLDEN_STEPS, GOLDEN_WORK // max(1, work))


def write_steps(folder: Path, network: Network, run: Run) -> None:
    """Random input with a fixed seed: spikes and payloads, a tenth of them not zero; the outputs of the reference runner."""
    steps = golden_steps(network)
    with new_hdf5(folder / GOLDEN) as file:
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


def read_steps(folder: Path, network: Network) -> tuple[dict[str, dict[str, Ints]], int]:
    """Inputs and outputs of golden.h5; the file's digest was checked, its shapes are checked here."""
    import h5py

    file = folder / GOLDEN
    found: dict[str, dict[str, Ints]] = {"inputs": {}, "outputs": {}}
    try:
        with h5py.File(file, "r") as data:
            steps = int(data.attrs["steps"])
            if not 0 <= steps <= GOLDEN_STEPS:
                raise ValueError(f"steps is {steps}")
            for kind, names in (("inputs", network.inputs), ("outputs", network.outputs)):
                for name in names if steps else ():
                    array = data[kind][name]
                    if array.dtype != TYPES["int32"] or array.shape != (1, steps, network.populations[name].size):
                        raise ValueError(f"{kind}/{name} is {array.dtype} {array.shape}")
                    found[kind][name] = array[()]
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BundleError("ND5006", file, f"cannot be read: {error!s:.200}", "convert the network again") from None
    return found, steps
