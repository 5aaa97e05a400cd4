"""nengo-loihi (its own environment: nengo 3.2.0, numpy below 2): its splitter and its allocators on a network.

    python rival_nengo.py NETWORK.npz

The file: `names`, `sizes`; `projections` as rows (source, target, kind), and for each ``weight_<k>`` (kind "dense":
(targets, sources); "conv": (out, x, y, in), with ``shape_<k>`` = (x, y, in), stride 1, no padding; "sparse": rows,
columns, values). ``rate_<name>``: mean messages a step of every neuron. Inputs are ensembles off the chip. One line of
JSON: for each allocator the blocks as (population, neurons as runs (first, stop), chip, core); cores in the order in
which it made them, for nengo-loihi knows no place on the mesh.
"""

from __future__ import annotations

import json
import re
import sys
import time
from importlib.metadata import version

import nengo
import nengo_loihi
import numpy as np
import scipy.sparse
from nengo.exceptions import BuildError
from nengo_loihi.builder import Model
from nengo_loihi.builder import network as builder
from nengo_loihi.builder import split_blocks as splitting
from nengo_loihi.builder.validate import validate_block
from nengo_loihi.hardware import allocators

CHIPS = 32
#: Weights are integers up to 127; nengo's thresholds are one. Sizes alone matter here.
SCALE = 1e-3
#: Cuts by hand before a network counts as refused.
TRIES = 25


def build(file: dict[str, np.ndarray], pieces: dict[str, int]) -> tuple[nengo.Network, dict[str, nengo.Ensemble]]:
    """`pieces`: ensembles that the user cuts by hand (`block_shape`), and into how many."""
    made = {}
    with nengo.Network(seed=1) as net:
        nengo_loihi.add_params(net)
        for name, size in zip(file["names"].tolist(), file["sizes"].tolist(), strict=True):
            outside = name.startswith("in")
            neurons = nengo.SpikingRectifiedLinear() if outside else nengo_loihi.LoihiLIF()
            # Convolutions want one gain for all neurons.
            made[name] = nengo.Ensemble(
                size, 1, neuron_type=neurons, label=name, gain=np.ones(size), bias=np.zeros(size)
            )
            net.config[made[name]].on_chip = not outside
            if name in pieces:
                shape = nengo_loihi.BlockShape((-(-size // pieces[name]),), (size,))
                net.config[made[name]].block_shape = shape
        for k, (source, target, kind) in enumerate(file["projections"].tolist()):
            weight = file[f"weight_{k}"]
            if kind == "conv":
                shape = tuple(int(n) for n in file[f"shape_{k}"])
                transform = nengo.Convolution(
                    weight.shape[0], shape, kernel_size=weight.shape[1:3], strides=(1, 1), padding="valid",
                    init=SCALE * weight.transpose(1, 2, 3, 0),
                )  # fmt: skip
            elif kind == "sparse":
                rows, columns, values = weight
                size = (made[target].n_neurons, made[source].n_neurons)
                matrix = scipy.sparse.coo_matrix((SCALE * values, (rows, columns)), size)
                transform = nengo.Sparse(size, init=matrix)
            else:
                transform = nengo.Dense(weight.shape, init=SCALE * weight)
            nengo.Connection(made[source].neurons, made[target].neurons, transform=transform, synapse=0.005)
    return net, made


def runs(neurons: list[int]) -> list[list[int]]:
    """Ascending neurons as [first, stop) runs."""
    array = np.sort(np.array(neurons))
    starts = np.flatnonzero(np.diff(array, prepend=-2) != 1)
    stops = np.append(starts[1:], len(array))
    return [[int(array[a]), int(array[b - 1]) + 1] for a, b in zip(starts, stops, strict=True)]


def built(file: dict[str, np.ndarray], pieces: dict[str, int]) -> tuple[Model, dict, dict]:
    """The model with its blocks split, the ensembles, and the population and neurons of each block."""
    net, made = build(file, pieces)
    model, kept, split = Model(), {}, splitting.split_model

    def remember(of: Model) -> dict:
        names = {id(parts["out"]): name for name, ens in made.items() if (parts := of.objs.get(ens)) and "out" in parts}
        found = split(of)
        for old, new in found.items():
            for block, neurons in new.items():
                kept[block] = (names.get(id(old)), list(neurons))
        return found

    builder.split_model = remember  # its map from old blocks to new ones is not kept otherwise
    try:
        model.build(net)
    finally:
        builder.split_model = split
    for block in model.blocks:
        validate_block(block)
    return model, made, kept


def accepted(file: dict[str, np.ndarray]) -> tuple[Model, dict, dict, dict[str, int]]:
    """Its own split where its own checks accept that; else, as its documentation advises, a shape by hand for the
    ensemble that it refuses, cut finer until it is accepted."""
    pieces: dict[str, int] = {}
    sizes = dict(zip(file["names"].tolist(), file["sizes"].tolist(), strict=True))
    for _ in range(TRIES):
        try:
            return (*built(file, pieces), pieces)
        except BuildError as error:
            name = re.search(r"<Ensemble '(\w+)'>(?:\[(\d+):(\d+))?", str(error))
            if name is None:
                raise
            rows = int(name[3]) - int(name[2]) if name[2] else sizes[name[1]]
            now = pieces.get(name[1], -(-sizes[name[1]] // max(1, rows)))
            over = re.search(r"\((\d+)\) exceeded max \((\d+)\)", str(error))
            finer = -(-now * int(over[1]) // int(over[2])) if over else now
            pieces[name[1]] = min(max(now + 1, finer), sizes[name[1]])
            refused = str(error)
    raise BuildError(f"refused after {TRIES} cuts by hand: {refused}")


def main() -> None:
    with np.load(sys.argv[1]) as archive:
        file = dict(archive)
    began = time.process_time()
    model, made, kept, pieces = accepted(file)
    seconds = time.process_time() - began
    rates = {ens: file[f"rate_{name}"] for name, ens in made.items() if not name.startswith("in")}
    count = -(-len(model.blocks) // 128)
    result = {"version": version("nengo-loihi"), "by_hand": pieces, "seconds_cpu": seconds, "allocators": {}}
    tried = {
        "Greedy": lambda: allocators.Greedy()(model, CHIPS),
        "RoundRobin": lambda: allocators.RoundRobin()(model, max(2, count)),
        "GreedyInterchip": lambda: allocators.GreedyInterchip(ensemble_rates=rates)(model, CHIPS),
        "PartitionInterchip": lambda: allocators.PartitionInterchip(ensemble_rates=rates, rate_scale=1000)(
            model, max(2, count)
        ),
    }
    for name, allocate in tried.items():
        try:
            board = allocate()
        except Exception as error:
            result["allocators"][name] = {"reason": f"{type(error).__name__}: {str(error)[:160]}"}
            continue
        blocks = []
        for chip, on in enumerate(board.chips):
            for core, of in enumerate(on.cores):
                for block in of.blocks:
                    population, neurons = kept[block]
                    blocks.append([population, runs(neurons), chip, core])
        result["allocators"][name] = {"blocks": blocks}
    print("\n" + json.dumps(result))


if __name__ == "__main__":
    main()
