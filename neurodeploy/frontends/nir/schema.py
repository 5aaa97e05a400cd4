"""The 19 node types of NIR 1.0.8 and their fields (nir 1.0.8, `nir/ir/*.py`), with the defaults of older versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.float_network import KINDS

#: The release whose vocabulary this is, and which is written into files.
NIR_VERSION = "1.0.8"
GRAPH = "NIRGraph"


class Field(NamedTuple):
    """form: "values" (one a neuron, or one for all), "tensor", "sides" (an integer, or one a spatial axis), "integer" or
    "shape". default: the value where a file has none; None with `required` False means that it is inferred."""

    form: str
    required: bool = True
    default: float | None = None


_VALUE, _TENSOR, _SHAPE = Field("values"), Field("tensor"), Field("shape", False)
_RESET, _W_IN = Field("values", False, 0), Field("values", False, 1)
_CONV = {
    "input_shape": _SHAPE,
    "weight": _TENSOR,
    "bias": Field("tensor", False, 0),
    "stride": Field("sides", False, 1),
    "padding": Field("sides", False, 0),
    "dilation": Field("sides", False, 1),
    "groups": Field("integer", False, 1),
}
_POOL = {"kernel_size": Field("sides"), "stride": Field("sides", False), "padding": Field("sides", False, 0)}
_CUBA = {"tau_syn": _VALUE, "tau_mem": _VALUE, "r": _VALUE, "v_leak": _VALUE, "w_in": _W_IN}

#: NIR type -> fields. `v_reset` came with 1.0.6, `input_shape` of convolutions with 0.2.
FIELDS: Mapping[str, Mapping[str, Field]] = {
    "Input": {"shape": _SHAPE},
    "Output": {"shape": _SHAPE},
    "Affine": {"weight": _TENSOR, "bias": Field("tensor", False, 0)},
    "Linear": {"weight": _TENSOR},
    "Scale": {"scale": _VALUE},
    "Conv1d": _CONV,
    "Conv2d": _CONV,
    "SumPool2d": _POOL,
    "AvgPool2d": _POOL,
    "Flatten": {
        "input_type": _SHAPE,
        "start_dim": Field("integer", False, 1),
        "end_dim": Field("integer", False, -1),
    },
    "Delay": {"delay": _VALUE},
    "Threshold": {"threshold": _VALUE},
    "I": {"r": _VALUE},
    "IF": {"r": _VALUE, "v_threshold": _VALUE, "v_reset": _RESET},
    "LI": {"tau": _VALUE, "r": _VALUE, "v_leak": _VALUE},
    "LIF": {"tau": _VALUE, "r": _VALUE, "v_leak": _VALUE, "v_threshold": _VALUE, "v_reset": _RESET},
    "CubaLI": _CUBA,
    "CubaLIF": {**_CUBA, "v_threshold": _VALUE, "v_reset": _RESET},
}
#: NIR type -> kind of node.
KIND_OF = {kind.nir: name for name, kind in KINDS.items()}
#: Fields that must be above zero, and those that must not be below it.
POSITIVE = frozenset({"tau", "tau_syn", "tau_mem"})
NOT_NEGATIVE = frozenset({"delay"})

#: Bounds of what a file may declare; Loihi 2 has about a million neurons a chip.
MAX_NODES, MAX_EDGES, MAX_SIZE = 20_000, 200_000, 1 << 24
#: Stored parameters of a file, and values of all nodes together: 1 GiB of float64; Loihi 2 has 120 million synapses a chip.
MAX_VALUES, MAX_TOTAL = 1 << 27, 1 << 26
MAX_SIDE, MAX_OPTION, MAX_DELAY_STEPS = 1 << 24, 1 << 16, 1 << 16
MAX_RANK = 8

#: The fields of a node by name, its type among them.
NodeFields = dict[str, NDArray[Any] | int | str]


def lay_out(
    file: Any, nodes: Mapping[str, NodeFields], edges: Sequence[tuple[str, str]], metadata: Mapping[str, str]
) -> None:
    """Fill a new HDF5 file with a graph in the layout of `nir.write` (tests compare the two), which copies it several
    times."""
    import h5py

    file["version"] = NIR_VERSION
    graph = file.create_group("node")
    graph["type"] = GRAPH
    pairs = np.array(edges, dtype=object).reshape(-1, 2)
    graph.create_dataset("edges", data=pairs, dtype=h5py.string_dtype())
    notes, folder = graph.create_group("metadata"), graph.create_group("nodes")
    for name, text in metadata.items():
        notes[name] = text
    for name, fields in nodes.items():
        node = folder.create_group(name)
        for key, value in fields.items():
            node[key] = value
