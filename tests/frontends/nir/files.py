"""NIR files for tests: written by nir itself, or by hand where nir would refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

DT = 1e-3
#: A node by hand: type and fields (text, numbers, None for Python's None).
Fields = Mapping[str, Any]


def ones(value: float, *shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A vector parameter."""
    return np.full(shape, float(value))


def lif(*shape: int, tau: float = 0.02, r: float = 1.0, v_leak: float = 0.0, thr: float = 1.0) -> nir.LIF:
    return nir.LIF(*(ones(value, *shape) for value in (tau, r, v_leak, thr, 0.0)))


def cubalif(*shape: int, thr: float = 1.0) -> nir.CubaLIF:
    return nir.CubaLIF(*(ones(value, *shape) for value in (0.004, 0.02, 1.0, 0.0, thr, 0.0)), w_in=ones(1.5, *shape))


def chain(*nodes: nir.NIRNode) -> nir.NIRGraph:
    return nir.NIRGraph.from_list(*nodes)


def between(first: Any, last: Any, ways: str, check: bool = True, **nodes: nir.NIRNode) -> nir.NIRGraph:
    """`nodes` between "input" and "output" of these shapes; ways through them as "input a b output, b a"."""
    ports = {"input": nir.Input(np.atleast_1d(first)), **nodes, "output": nir.Output(np.atleast_1d(last))}
    return nir.NIRGraph(ports, [edge for way in ways.split(",") for edge in pairwise(way.split())], type_check=check)


def save(folder: Path, graph: nir.NIRNode, name: str = "net.nir") -> Path:
    path = folder / name
    nir.write(path, graph)
    return path


def by_hand(
    path: Path,
    nodes: Mapping[str, Fields],
    edges: Sequence[tuple[str, str]],
    version: str | None = "1.0.8",
) -> Path:
    """A file that says exactly this. A node with "nodes" and "edges" is a subgraph."""
    with h5py.File(path, "w") as file:
        if version is not None:
            file["version"] = version
        _graph(file.create_group("node"), nodes, edges)
    return path


def _graph(group: h5py.Group, nodes: Mapping[str, Fields], edges: Sequence[tuple[str, str]]) -> None:
    group["type"] = "NIRGraph"
    group.create_dataset("edges", data=np.array(edges, dtype=object).reshape(-1, 2), dtype=h5py.string_dtype())
    folder = group.create_group("nodes")
    for name, fields in nodes.items():
        node = folder.create_group(name)
        if "nodes" in fields:
            _graph(node, fields["nodes"], fields["edges"])
            continue
        for key, value in fields.items():
            if value is None:
                node[key] = h5py.Empty("f8")
            else:
                node[key] = value


def feed(
    inner: Mapping[str, Fields], size: int, *edges: tuple[str, str]
) -> tuple[dict[str, Fields], list[tuple[str, str]]]:
    """Nodes between an Input and an Output of `size` values, with edges from "in" and to "out"."""
    ports = {"in": {"type": "Input", "shape": [size]}, "out": {"type": "Output", "shape": [size]}}
    return {**ports, **inner}, list(edges)
