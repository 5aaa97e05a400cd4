"""The two files of a linear layer: plain NIR for everybody, and what NIR has no field for beside it.

The NIR file means ``y = scale * (W x)`` in real numbers: W int8, ``scale_i`` the value of one weight unit in row i. The
dtype survives `nir.read` exactly. Datasets are contiguous and uncompressed, so that weights are read by mapping the file.
Of weights that are not stored as they count (`synapses.grouped`) W is what counts, int16 or int32, and the stored integers
and their constants lie beside it.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle.hdf5 import new_hdf5, stored
from neurodeploy.bundle.nir_graph import scales_of, synapses_of
from neurodeploy.bundle.populations import OPTIONAL, population_row, projection_row
from neurodeploy.errors import InternalError
from neurodeploy.frontends.nir.schema import NodeFields, lay_out
from neurodeploy.ir.network import Projection
from neurodeploy.ir.population import Population
from neurodeploy.ir.synapse import Synapse
from neurodeploy.ir.typed import Row
from neurodeploy.synapses.linear import LinearLayer

#: Before the names of what is stored of synapses, and of the input population.
OWN, OF_INPUT = "synapse.", "input."
#: Where weights and scales lie in the NIR file.
WEIGHT, SCALE = "node/nodes/synapses/weight", "node/nodes/scale/scale"


def row_scales(layer: LinearLayer) -> NDArray[np.float32]:
    """(rows,) value of one weight unit."""
    return scales_of(layer.neurons, layer.decode.scale.value, layer.encode.scale.value)


def nodes_of(p: Projection, neurons: Population, unit: float, scales: NDArray[np.float32]) -> dict[str, NodeFields]:
    """The nodes of ``islands/NAME.nir``, each of which leads to the next; `unit` of what a payload counts for."""
    return {
        "input": {"type": "Input", "shape": np.array([p.synapse.columns])},
        "synapses": synapses_of(p, neurons, unit),
        "scale": {"type": "Scale", "scale": scales},
        "output": {"type": "Output", "shape": np.array([neurons.size])},
    }


def write_nir(path: Path, layer: LinearLayer, note: str) -> None:
    """Write ``islands/NAME.nir``; `note` is provenance in the graph's metadata, never needed to run it."""
    nodes = nodes_of(layer.synapses, layer.neurons, layer.encode.scale.value, row_scales(layer))
    with new_hdf5(path) as file:
        lay_out(file, nodes, list(pairwise(nodes)), {"neurodeploy": note})


def write_image(path: Path, layer: LinearLayer) -> None:
    """Write ``islands/NAME.q.h5``: what NIR has no field for, by its name in the layer."""
    synapse = layer.synapses.synapse
    own = {} if _plain(synapse) else {f"{OWN}{name}": value for name, value in synapse.record().items()}
    values = {
        "axon_exp": layer.synapses.axon_exp, "block_sums": layer.synapses.block_sums, **layer.neurons.params, **own,
        **{f"{OF_INPUT}{name}": value for name, value in layer.source.params.items()},
    }  # fmt: skip
    with new_hdf5(path) as file:
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                file.create_dataset(name, data=value)


def settle(folder: Path, layer: LinearLayer, scales: NDArray[np.float32]) -> None:
    """Bring both files up to date with neurons that have changed since: rows with other multipliers. Weights stay where they
    are, and maps of either file stay sound."""
    nir, image = (folder / name for name in file_names(layer.name))
    aside = image.with_suffix(".tmp")
    write_image(aside, layer)
    aside.replace(image)
    lying = stored(nir)[SCALE]
    if lying.offset is None or (lying.dtype, lying.shape) != (scales.dtype, scales.shape):
        raise InternalError("ND9009", layer.name, "its scales do not lie where they were written")
    with nir.open("r+b") as file:
        file.seek(lying.offset)
        file.write(scales.tobytes())


def file_names(name: str) -> tuple[str, str]:
    """The names of a layer's two files."""
    return f"{name}.nir", f"{name}.q.h5"


def rows_of(folder: str, layer: LinearLayer) -> tuple[list[Row], Row]:
    """The rows of its two populations and of its projection, with arrays in the two files."""
    nir, image = (f"{folder}/{file}" for file in file_names(layer.name))
    synapse, plain = layer.synapses.synapse, _plain(layer.synapses.synapse)

    def place(key: str, array: NDArray[Any]) -> dict[str, Any]:
        kind = {"array": [str(array.dtype), list(array.shape)]}
        if key == "weight" and plain:
            return {**kind, "in": nir, "as": WEIGHT}
        beside = key.startswith("params.") or key in OPTIONAL
        return {**kind, "in": image, "as": key.removeprefix("params.") if beside else f"{OWN}{key}"}

    def of_input(key: str, array: NDArray[Any]) -> dict[str, Any]:
        return {**place(key, array), "as": OF_INPUT + key.removeprefix("params.")}

    populations = [population_row(layer.source, of_input), population_row(layer.neurons, place)]
    row = projection_row(layer.synapses, place)
    if plain:
        row = {**row, "synapse": {"kind": synapse.kind, "weight": place("weight", synapse.weight), "by_row": True}}
    return populations, row


def _plain(synapse: Synapse) -> bool:
    """Whether the stored weights are those that count."""
    return not synapse.extra_bits
