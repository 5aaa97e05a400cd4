"""The two files of an island: plain NIR for everybody, and the exact integers beside it.

The NIR file means ``y = scale * (W x)`` in real numbers: W int8, ``scale_i`` the value of one weight unit in row i. The
dtype survives `nir.read` exactly. `nir.write` copies a graph several times, so the file is written with h5py in the same
layout (tests compare the two). Datasets are contiguous and uncompressed, so that weights are read by mapping the file.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle.hdf5 import new_hdf5
from neurodeploy.bundle.typed import Row, as_integer, as_text, index, integer, items, text
from neurodeploy.errors import BundleError
from neurodeploy.ir.fixedpoint import BIAS_MAX, SCALE_MAX, SCALE_MIN, STATE_BITS, Dyadic
from neurodeploy.ir.network import BLOCK
from neurodeploy.ir.program import GradedNeurons, Island, Slice, Synapses

#: The NIR release whose layout is written.
NIR_VERSION = "1.0.8"
#: Arrays of the integer image: name -> (attribute path, dtype).
IMAGE = {"axon_shift": np.uint8, "block_abs_sum": np.int64, "multiplier": np.int16, "shift": np.uint8, "bias": np.int64}


def row_scales(island: Island) -> NDArray[np.float32]:
    """(rows,) value of one weight unit: ``multiplier 2**-shift 2**-acc_shift output_scale / input_scale``."""
    unit = island.output_scale.value / (island.input_scale.value * 2.0**island.neurons.acc_shift)
    exact = np.ldexp(island.neurons.multiplier.astype(np.float64), -island.neurons.shift.astype(np.int64)) * unit
    return exact.astype(np.float32)


def write_nir(path: Path, island: Island, note: str) -> None:
    """Write ``islands/NAME.nir``; `note` is provenance in the graph's metadata, never needed to run it."""
    import h5py

    kind, bias = "Linear", island.neurons.bias
    arrays: dict[str, NDArray[Any]] = {"weight": np.asarray(island.synapses.weight)}
    if bias is not None:
        kind, arrays["bias"] = "Affine", (bias * island.input_scale.value).astype(np.float32)
    nodes: dict[str, tuple[str, dict[str, NDArray[Any]]]] = {
        "input": ("Input", {"shape": np.array([island.columns])}),
        "synapses": (kind, arrays),
        "scale": ("Scale", {"scale": row_scales(island)}),
        "output": ("Output", {"shape": np.array([island.rows])}),
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


def write_image(path: Path, island: Island) -> None:
    """Write ``islands/NAME.q.h5``: what NIR has no field for."""
    values = {
        "axon_shift": island.synapses.axon_shift,
        "block_abs_sum": island.synapses.block_abs_sum,
        "multiplier": island.neurons.multiplier,
        "shift": island.neurons.shift,
        "bias": island.neurons.bias,
    }
    with new_hdf5(path) as file:
        for name, value in values.items():
            if value is not None:
                file.create_dataset(name, data=value)


def describe(island: Island) -> dict[str, Any]:
    """The island's row in program.json: everything but the arrays."""
    return {
        "name": island.name,
        "rows": island.rows,
        "columns": island.columns,
        "payload_bits": island.payload_bits,
        "weight_bits": island.synapses.weight_bits,
        "input_scale": [island.input_scale.mantissa, island.input_scale.exponent],
        "output_scale": [island.output_scale.mantissa, island.output_scale.exponent],
        "acc_shift": island.neurons.acc_shift,
        "state_bits": island.neurons.state_bits,
        "out_bits": island.neurons.out_bits,
        "layer": island.layer,
        "expert": island.expert,
        "slices": [[s.path, s.output, s.start, s.stop, s.role, s.heads] for s in island.slices],
    }


def damaged(path: Path, problem: str) -> BundleError:
    return BundleError("ND5006", path, problem, "convert the model again")


def _check(dataset: Any, path: Path, name: str, dtype: Any, shape: tuple[int, ...]) -> int:
    """Type, shape and place of a dataset before anything is allocated; returns where it begins in the file."""
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != dtype or dataset.shape != shape:
        raise damaged(path, f"{name} is not {np.dtype(dtype)} of shape {shape}")
    offset = dataset.id.get_offset()
    if offset is None or offset + math.prod(shape) * np.dtype(dtype).itemsize > path.stat().st_size:
        raise damaged(path, f"{name} does not lie in the file in one piece")
    return int(offset)


def map_dataset(path: Path, name: str, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """A dataset as a memory map, after its type, shape and place in the file have been checked.

    Copy-on-write: torch takes only writable arrays without a warning, and nothing could reach the file anyway.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            offset = _check(file[name], path, name, dtype, shape)
    except (OSError, KeyError, TypeError, RuntimeError) as error:
        raise damaged(path, f"cannot be read: {error!s:.200}") from None
    return np.memmap(path, dtype, "c", offset, shape)


def _read_image(path: Path, rows: int, columns: int) -> dict[str, NDArray[Any]]:
    """The small arrays of ``islands/NAME.q.h5``, read-only; only the bias may be missing."""
    import h5py

    sizes = {"axon_shift": columns, "block_abs_sum": -(-columns // BLOCK)}
    found = {}
    try:
        with h5py.File(path, "r") as file:
            for name, dtype in IMAGE.items():
                if name != "bias" or name in file:
                    _check(file[name], path, name, dtype, (sizes.get(name, rows),))
                    found[name] = np.asarray(file[name][()])
    except (OSError, KeyError, TypeError, RuntimeError) as error:
        raise damaged(path, f"cannot be read: {error!s:.200}") from None
    if int(found["block_abs_sum"].min()) < 0 or int(found["block_abs_sum"].max()) > BLOCK << 15:
        raise damaged(path, "block_abs_sum is not what 8-bit weights can give")
    if "bias" in found and not -BIAS_MAX <= int(found["bias"].min()) <= int(found["bias"].max()) <= BIAS_MAX:
        raise damaged(path, f"a bias exceeds {BIAS_MAX}")
    for array in found.values():
        array.setflags(write=False)
    return found


def _scale(row: Row, key: str) -> Dyadic:
    mantissa, exponent = items(row, key)
    scale = Dyadic(as_integer(mantissa, key, 1, 1 << 24), as_integer(exponent, key, -1000, 1000))
    if not SCALE_MIN <= scale.value <= SCALE_MAX:
        raise ValueError(f"{key} is {scale.value}, a value from {SCALE_MIN:.3g} to {SCALE_MAX:.3g} is needed")
    return scale


def _slices(row: Row, rows: int) -> tuple[Slice, ...]:
    """The projections of an island: they follow one another and cover all rows."""
    found, at = [], 0
    for path, output, start, stop, role, heads in items(row, "slices"):
        begin = as_integer(start, "start of a slice", at, at)
        at = as_integer(stop, "end of a slice", begin + 1, rows)
        strings = [as_text(value, "a slice") for value in (path, output, role)]
        found.append(Slice(strings[0], strings[1], begin, at, strings[2], as_integer(heads, "heads", 0, at - begin)))
    as_integer(at, "end of the last slice", rows, rows)
    return tuple(found)


def file_names(name: str) -> tuple[str, str]:
    """The names of an island's two files."""
    return f"{name}.nir", f"{name}.q.h5"


def read_island(folder: Path, row: Row) -> Island:
    """The island described by a row of program.json, its weights mapped, its small arrays read.

    Raises ND5006, and `ValueError` or `InternalError` for a row that describes no island.
    """
    name, rows, columns = text(row, "name"), integer(row, "rows", 1), integer(row, "columns", 1)
    nir_path, image_path = (folder / file for file in file_names(name))
    weight = map_dataset(nir_path, "node/nodes/synapses/weight", np.int8, (rows, columns))
    small = _read_image(image_path, rows, columns)
    island = Island(
        name, rows, columns, _slices(row, rows), integer(row, "payload_bits"),
        _scale(row, "input_scale"), _scale(row, "output_scale"),
        Synapses(weight, small["axon_shift"], small["block_abs_sum"], integer(row, "weight_bits")),
        GradedNeurons(
            small["multiplier"], small["shift"], integer(row, "acc_shift"), small.get("bias"),
            integer(row, "state_bits", 8, STATE_BITS), integer(row, "out_bits", 8, STATE_BITS),
        ),
        index(row, "layer"), index(row, "expert"),
    )  # fmt: skip
    island.check()
    return island
