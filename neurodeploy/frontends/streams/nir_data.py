"""NIRData (`nir.write_data`, NIR 1.0.8): recordings by node and observable, as a time grid, events or valued events.

Read through the guard for untrusted HDF5 rather than `nir.read_data`, which allocates whatever a file declares. Layout::

    nodes/NAME                 __type__ NIRNodeData     observables/OBSERVABLE  __type__ TimeGriddedData: data; attribute dt
    nodes/NAME                 __type__ NIRGraphData    nodes/.. of a subgraph: named "NAME.INNER" here
                                                        __type__ EventData: idx, time; attributes n_neurons, t_max
                                                        __type__ ValuedEventData: also value
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.frontends.hdf5_guard import Dataset, Group, read_array, read_tree
from neurodeploy.frontends.hdf5_worker import Wanted
from neurodeploy.frontends.streams.arrays import check_size

_FIX = "write it with nir.write_data"
#: A step boundary is taken as reached this part of a step early: times are often k * dt in floating point.
SLACK = 1e-6
#: Elements that events are spread over: two gigabytes, which a small file could ask for.
MOST_GRID = 1 << 28
#: Subgraphs within subgraphs.
DEPTH = 8


def read_nir_data(
    path: Path, label: str, names: tuple[str, ...], dt: float | None, notes: list[str]
) -> dict[str, NDArray[Any]]:
    """The observable of each input node: "input" or "spikes" where it has several, else its only one."""
    root = read_tree(path, wanted=Wanted(frozenset({"nodes"})))
    if "nodes" not in root:
        raise UserError("ND3251", path, "is neither a NumPy file nor NIRData", "give .npy, .npz or NIRData")
    found: dict[str, NDArray[Any]] = {}
    for name, node in _nodes(path, root.group("nodes"), ""):
        if name in names:
            found[name] = _observable(path, name, node, dt, notes)
        else:
            notes.append(f"node {name} of {path.name} is no input of {label} and was not read")
    return found


def _nodes(path: Path, group: Group, prefix: str, depth: int = 0) -> Iterator[tuple[str, Group]]:
    for name in group:
        node, full = group.group(name), prefix + name
        kind = _kind(path, node, full)
        if kind == "NIRNodeData":
            yield full, node
        elif kind == "NIRGraphData" and depth < DEPTH and "nodes" in node:
            yield from _nodes(path, node.group("nodes"), f"{full}.", depth + 1)
        else:
            raise UserError("ND3251", f"{path}: {full}", f"is {kind!r:.40}, not a node or a graph", _FIX)


def _kind(path: Path, group: Group, name: str) -> str:
    value = group.attrs.get("__type__")
    if not isinstance(value, str):
        raise UserError("ND3251", f"{path}: {name}", "has no type", _FIX)
    return value


def _observable(path: Path, name: str, node: Group, dt: float | None, notes: list[str]) -> NDArray[Any]:
    where = f"{path}: {name}"
    table = node.group("observables")
    names = list(table)
    chosen = next((n for n in ("input", "spikes") if n in names), names[0] if len(names) == 1 else None)
    if chosen is None:
        problem = f"has the observables {names!s:.200}"
        raise UserError("ND3252", where, problem, 'name the one to feed "input" or "spikes"')
    group = table.group(chosen)
    kind = _kind(path, group, name)
    if kind == "TimeGriddedData":
        recorded = _number(where, group, "dt")
        if dt is not None and not math.isclose(recorded, dt, rel_tol=1e-6):
            notes.append(f"{where}: recorded with dt {recorded:g} s and run with {dt:g} s, step by step")
        return read_array(_bounded(path, name, group, "data"))
    if kind in ("EventData", "ValuedEventData"):
        return _events(where, group, kind == "ValuedEventData", dt, path, name, notes)
    raise UserError("ND3251", where, f"has an observable of type {kind!r:.40}", _FIX)


def _bounded(path: Path, name: str, group: Group, key: str) -> Dataset:
    data = group.dataset(key)
    check_size(path, name, data.shape)
    return data


def _number(where: str, group: Group, key: str) -> float:
    value = group.attrs.get(key)
    if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise UserError("ND3251", where, f"has {key} {value!r:.40}, a positive number is needed", _FIX)
    return float(value)


def _events(
    where: str, group: Group, valued: bool, dt: float | None, path: Path, name: str, notes: list[str]
) -> NDArray[Any]:
    if dt is None:
        raise UserError(
            "ND3255", where, "holds events in seconds, and the network has no time step", "convert it with --dt"
        )
    length, number = _number(where, group, "t_max"), _number(where, group, "n_neurons")
    if number != int(number):
        raise UserError("ND3251", where, f"has {number} neurons", _FIX)
    neurons, ratio = int(number), length / dt
    index = read_array(_bounded(path, name, group, "idx"), kinds="iu")
    time = read_array(_bounded(path, name, group, "time"), kinds="f")
    value = read_array(_bounded(path, name, group, "value")) if valued else np.ones(index.shape, np.int64)
    if not (index.shape == time.shape == value.shape and index.ndim == 2):
        problem = f"idx, time and value have shapes {index.shape}, {time.shape}, {value.shape}"
        raise UserError("ND3251", where, problem, _FIX)
    steps = math.ceil(min(ratio, 2.0 * MOST_GRID) - SLACK)
    check_size(path, name, (max(1, index.shape[0]), steps, neurons), MOST_GRID)
    real = index != -1
    if not np.isfinite(value[real]).all():
        raise UserError("ND3253", where, "has values that are not finite", "repair the recording")
    with np.errstate(invalid="ignore", over="ignore"):
        at = np.floor(np.where(real, time, 0.0) / dt + SLACK)
        bad = real & ~((index >= 0) & (index < neurons) & np.isfinite(time) & (at >= 0) & (at < steps))
    if bad.any():
        problem = f"{int(bad.sum())} of {int(real.sum())} events are of no neuron or outside of {length:g} s"
        raise UserError("ND3255", where, problem, "repair the recording")
    grid = np.zeros((index.shape[0], steps, neurons), np.float64 if value.dtype.kind == "f" else np.int64)
    sample = np.broadcast_to(np.arange(index.shape[0])[:, None], index.shape)
    np.add.at(grid, (sample[real], at[real].astype(np.int64), index[real].astype(np.int64)), value[real])
    if not valued:
        lost = int((grid - np.minimum(grid, 1)).sum())
        if lost:
            notes.append(f"{name}: {lost} events share a neuron and a step of {dt:g} s with another and are one spike")
        grid = np.minimum(grid, 1)
    return grid
