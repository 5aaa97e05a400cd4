"""NIR files for tests: written by nir itself, or by hand where nir would refuse."""

from __future__ import annotations

from collections.abc import Mapping
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
    return nir.NIRGraph(ports, edges(ways), type_check=check)


def edges(ways: str) -> list[tuple[str, str]]:
    return [edge for way in ways.split(",") for edge in pairwise(way.split())]


def save(folder: Path, graph: nir.NIRNode, name: str = "net.nir") -> Path:
    path = folder / name
    nir.write(path, graph)
    return path


def by_hand(path: Path, nodes: Mapping[str, Fields], ways: str = "", version: str | None = "1.0.8") -> Path:
    """A file that says exactly this, in a row where no ways are given. A node with "nodes" and "ways" is a subgraph."""
    with h5py.File(path, "w") as file:
        if version is not None:
            file["version"] = version
        _graph(file.create_group("node"), nodes, ways or " ".join(nodes))
    return path


def _graph(group: h5py.Group, nodes: Mapping[str, Fields], ways: str) -> None:
    group["type"] = "NIRGraph"
    pairs = np.array(edges(ways), dtype=object).reshape(-1, 2)
    group.create_dataset("edges", data=pairs, dtype=h5py.string_dtype())
    folder = group.create_group("nodes")
    for name, fields in nodes.items():
        node = folder.create_group(name)
        if "nodes" in fields:
            _graph(node, fields["nodes"], fields["ways"])
            continue
        for key, value in fields.items():
            node[key] = h5py.Empty("f8") if value is None else value


def through(first: list[int] | None, last: list[int] | None, **nodes: Fields) -> dict[str, Fields]:
    """Nodes by hand between an Input "in" and an Output "out" of these shapes."""
    return {"in": {"type": "Input", "shape": first}, **nodes, "out": {"type": "Output", "shape": last}}
