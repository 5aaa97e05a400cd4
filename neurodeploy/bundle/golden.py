"""Golden vectors: what the reference runner made of inputs that anybody can draw again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neurodeploy.bundle.hdf5 import damaged, map_stored, new_hdf5, stored
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunResult
from neurodeploy.ir.segments import Segment
from neurodeploy.neurons.registry import largest_payload

GOLDEN = "vectors/golden.h5"
#: How many segments carry golden vectors: the smallest.
GOLDEN_SEGMENTS = 8
#: Steps of the golden vectors, and the synaptic work (synapses x steps) above which fewer or none are recorded.
GOLDEN_STEPS, GOLDEN_WORK = 16, 10**8
#: Neurons that send in a step where payloads have no value of their own, and the largest payload where their width is not
#: known.
FIRING, LARGEST = 0.1, 128

Run = Callable[[Network, Mapping[str, Ints], int], RunResult]


class Vectors(NamedTuple):
    """Payloads (1, steps, size) of a segment's inputs, and of its outputs."""

    segment: Segment
    steps: int
    inputs: dict[str, Ints]
    outputs: dict[str, Ints]


def golden_steps(network: Network) -> int:
    """`GOLDEN_STEPS`, fewer for a large network, 0 for one whose single step is more than `GOLDEN_WORK`."""
    work = sum(p.synapse.work for p in network.projections)
    return min(GOLDEN_STEPS, GOLDEN_WORK // max(1, work))


def golden_segments(program: Program) -> list[Segment]:
    """The segments that carry golden vectors."""

    def size(segment: Segment) -> tuple[int, str]:
        return sum(p.synapse.work for p in segment.network.projections), segment.name

    return sorted((s for s in program.segments if golden_steps(s.network)), key=size)[:GOLDEN_SEGMENTS]


def golden_inputs(segment: Segment) -> dict[str, Ints]:
    """Random payloads with a seed made of the segment's name: nothing in the first step, as large as they can be in the
    second where they have values, spikes of a tenth of the neurons where they have none."""
    network, found = segment.network, {}
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(segment.name.encode()).digest()[:8], "little"))
    for name in network.inputs:
        population = network.populations[name]
        shape = (1, golden_steps(network), population.size)
        wide = largest_payload(population)
        if not any(p.valued for p in network.out_of(name)):
            drawn = np.ones(shape, np.int64)
        else:
            end = LARGEST if wide >= 2**31 else wide
            drawn = rng.integers(-end, end + 1, shape)
            drawn[:, 1:2] = end
        dense = "bits" in population.params
        payload = drawn if dense else drawn * (rng.random(shape) < FIRING)
        payload[:, :1] = 0
        found[name] = payload.astype(np.int32)
    return found


def write_golden(folder: Path, program: Program, run: Run) -> None:
    """Inputs and outputs of the smallest segments, by the reference runner."""
    with new_hdf5(folder / GOLDEN) as file:
        for segment in golden_segments(program):
            inputs = golden_inputs(segment)
            outputs = run(segment.network, inputs, golden_steps(segment.network)).outputs
            for kind, table in (("inputs", inputs), ("outputs", outputs)):
                for name, array in table.items():
                    file.create_dataset(f"{segment.name}/{kind}/{name}", data=array)


def read_golden(folder: Path, program: Program) -> list[Vectors]:
    """The golden vectors; the file's digest was checked. ND5006 for what is not what its segment takes and gives."""
    path = folder / GOLDEN
    known, found = stored(path), []
    for segment in golden_segments(program):
        network, steps = segment.network, golden_steps(segment.network)
        inputs, outputs = (
            {
                name: map_stored(
                    path, f"{segment.name}/{kind}/{name}", known.get(f"{segment.name}/{kind}/{name}"), np.dtype(np.int32),
                    (1, steps, network.populations[name].size),
                )
                for name in names
            }
            for kind, names in (("inputs", network.inputs), ("outputs", network.outputs))
        )  # fmt: skip
        for name, array in inputs.items():
            if np.abs(array.astype(np.int64)).max(initial=0) > largest_payload(network.populations[name]):
                raise damaged(path, f"a payload of {name} is wider than its population")
        found.append(Vectors(segment, steps, inputs, outputs))
    return found
