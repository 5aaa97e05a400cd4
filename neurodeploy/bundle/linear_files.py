"""The two files of a linear layer: plain NIR for everybody, and what NIR has no field for beside it.

The NIR file means ``y = scale * (W x)`` in real numbers: W int8, ``scale_i`` the value of one weight unit in row i. The
dtype survives `nir.read` exactly. `nir.write` copies a graph several times, so the file is written with h5py in the same
layout (tests compare the two). Datasets are contiguous and uncompressed, so that weights are read by mapping the file.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle.hdf5 import new_hdf5
from neurodeploy.bundle.populations import population_row, projection_row
from neurodeploy.bundle.typed import Row
from neurodeploy.synapses.linear import LinearLayer

#: The NIR release whose layout is written.
NIR_VERSION = "1.0.8"
#: Where the weights lie in the NIR file.
WEIGHT = "node/nodes/synapses/weight"


def row_scales(layer: LinearLayer) -> NDArray[np.float32]:
    """(rows,) value of one weight unit: ``multiplier 2**-shift 2**-acc_shift output_scale / input_scale``."""
    multiplier, shift, acc_shift = (
        np.asarray(layer.neurons.params.get(k, 0)) for k in ("multiplier", "shift", "acc_shift")
    )
    unit = layer.decode.scale.value / (layer.encode.scale.value * 2.0 ** int(acc_shift))
    exact = np.ldexp(multiplier.astype(np.float64), -shift.astype(np.int64)) * unit
    return exact.astype(np.float32)


def write_nir(path: Path, layer: LinearLayer, note: str) -> None:
    """Write ``islands/NAME.nir``; `note` is provenance in the graph's metadata, never needed to run it."""
    import h5py

    kind, bias = "Linear", layer.neurons.params.get("bias")
    arrays: dict[str, NDArray[Any]] = {"weight": np.asarray(layer.synapses.synapse.weight)}
    if bias is not None:
        kind, arrays["bias"] = "Affine", (np.asarray(bias) * layer.encode.scale.value).astype(np.float32)
    nodes: dict[str, tuple[str, dict[str, NDArray[Any]]]] = {
        "input": ("Input", {"shape": np.array([layer.source.size])}),
        "synapses": (kind, arrays),
        "scale": ("Scale", {"scale": row_scales(layer)}),
        "output": ("Output", {"shape": np.array([layer.neurons.size])}),
    }
    chain = list(nodes)
    with new_hdf5(path) as file:
        file["version"] = NIR_VERSION
        node = file.create_group("node")
        node["type"] = "NIRGraph"
        edges = np.array(list(pairwise(chain)), dtype=object)
        node.create_dataset("edges", data=edges, dtype=h5py.string_dtype())
        node.create_group("metadata")["neurodeploy"] = note
        group = node.create_group("nodes")
        for name, (kind_name, values) in nodes.items():
            group.create_group(name)["type"] = kind_name
            for key, value in values.items():
                group[name].create_dataset(key, data=value)


def write_image(path: Path, layer: LinearLayer) -> None:
    """Write ``islands/NAME.q.h5``: what NIR has no field for, by its name in the layer."""
    values = {"axon_exp": layer.synapses.axon_exp, "block_sums": layer.synapses.block_sums, **layer.neurons.params}
    with new_hdf5(path) as file:
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                file.create_dataset(name, data=value)


def file_names(name: str) -> tuple[str, str]:
    """The names of a layer's two files."""
    return f"{name}.nir", f"{name}.q.h5"


def rows_of(folder: str, layer: LinearLayer) -> tuple[list[Row], Row]:
    """The rows of its two populations and of its projection, with arrays in the two files."""
    nir, image = (f"{folder}/{file}" for file in file_names(layer.name))

    def place(key: str, array: NDArray[Any]) -> dict[str, Any]:
        inside = (nir, WEIGHT) if key == "weight" else (image, key.removeprefix("params."))
        return {"array": [str(array.dtype), list(array.shape)], "in": inside[0], "as": inside[1]}

    populations = [population_row(population, place) for population in (layer.source, layer.neurons)]
    row = projection_row(layer.synapses, place)
    weight = place("weight", layer.synapses.synapse.weight)
    return populations, {**row, "synapse": {"kind": layer.synapses.synapse.kind, "weight": weight, "by_row": True}}
