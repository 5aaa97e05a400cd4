"""A spiking network on disk: its structure in program.json, its arrays in network.h5, each read by mapping the file.

    program.json   contract, info, network: {name, dt, outputs, populations: [..], projections: [..], provenance}
    network.h5     pI.NAME for an array parameter or initial state of population I; jI.weight, .indptr, .target, .delay of
                   projection J, packed targets as .low and .high. Dense weights are stored by axon, (columns, rows), so
                   that one axon's targets lie together.

An array is written in JSON as ``{"array": [type, shape]}``; a plain integer stands for all neurons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle.hdf5 import new_hdf5
from neurodeploy.bundle.island_files import map_dataset
from neurodeploy.bundle.typed import MOST, Row, as_integer, as_text, get, integer, items, table, text, texts
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.neurons.registry import check_network
from neurodeploy.synapses import KINDS

ARRAYS = "network.h5"
#: Where the float network stands in the bundle, as plain NIR.
SOURCE_NIR = "source.nir"
#: Element types that an array of a network may have.
TYPES = {str(np.dtype(t)): np.dtype(t) for t in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64)}


class _Arrays:
    """The arrays of a network by their names in the file, collected while its structure is described."""

    def __init__(self) -> None:
        self.found: dict[str, NDArray[Any]] = {}

    def row(self, name: str, value: Any) -> Any:
        """What stands in JSON for an integer or an array."""
        if isinstance(value, int | np.integer):
            return int(value)
        array = np.asarray(value)
        self.found[name] = array
        return {"array": [str(array.dtype), list(array.shape)]}


def network_to_json(network: Network) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The structure, and the arrays that belong into `ARRAYS`."""
    arrays = _Arrays()
    populations = []
    for i, population in enumerate(network.populations.values()):
        tables = {
            kind: {name: arrays.row(f"p{i}.{kind}.{name}", value) for name, value in values.items()}
            for kind, values in (("params", population.params), ("initial", population.initial))
        }
        populations.append(
            {"name": population.name, "shape": list(population.shape), "model": population.model, **tables}
        )
    projections = [_projection_row(f"j{j}", p, arrays) for j, p in enumerate(network.projections)]
    structure = {
        "name": network.name,
        "dt": None if network.dt is None else [network.dt.mantissa, network.dt.exponent],
        "outputs": list(network.outputs),
        "populations": populations,
        "projections": projections,
        "provenance": dict(network.provenance),
    }
    return structure, arrays.found


def _projection_row(prefix: str, p: Projection, arrays: _Arrays) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": p.name, "source": p.source, "target": p.target, "source_port": p.source_port, "target_port": p.target_port,
        "graded": p.graded, "weight_exp": p.weight_exp, "weight_bits": p.weight_bits, "sign_mode": p.sign_mode,
        "delay": None if p.delay is None else arrays.row(f"{prefix}.delay", p.delay),
    }  # fmt: skip
    # What most projections have not is not in the file.
    if p.instant:
        row["instant"] = True
    if p.axon_exp is not None:
        row["axon_exp"] = arrays.row(f"{prefix}.axon_exp", p.axon_exp)
    fields = {
        key: arrays.row(f"{prefix}.{key}", value) if isinstance(value, np.ndarray) else value
        for key, value in p.synapse.record().items()
    }
    return {**row, "synapse": {"kind": p.synapse.kind, **fields}}


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    with new_hdf5(path) as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=np.ascontiguousarray(array))


def network_from_json(row: Row, path: Path) -> Network:
    """The network of a program.json row with its arrays mapped from `path`.

    Raises `ValueError`, `InternalError` or `UserError` for what is no network, ND5006 for a damaged array file.
    """

    def value(entry: Any, name: str, least: int = -(1 << 62)) -> Any:
        if isinstance(entry, dict):
            kind, shape = items(entry, "array")
            sides = tuple(as_integer(side, name, 0) for side in shape)
            if kind not in TYPES:
                raise ValueError(f"{name} is an array of {kind!r:.20}")
            if 0 in sides:  # nothing to map, and no file has a place for it
                return np.zeros(sides, TYPES[kind])
            return map_dataset(path, name, TYPES[kind], sides)
        return as_integer(entry, name, least, 1 << 62)

    populations: dict[str, Population] = {}
    for i, entry in enumerate(items(row, "populations")):
        shape = tuple(as_integer(side, "shape", 1) for side in items(entry, "shape"))
        params, initial = (
            {name: value(v, f"p{i}.{kind}.{name}") for name, v in table(entry, kind).items()}
            for kind in ("params", "initial")
        )
        found = Population(text(entry, "name"), shape, text(entry, "model"), params, initial)
        if found.size > MOST:
            raise ValueError(f"population {found.name!r:.40} has {found.size} neurons, at most {MOST} are possible")
        populations[found.name] = found
    projections = tuple(_projection(entry, f"j{j}", value) for j, entry in enumerate(items(row, "projections")))
    dt = get(row, "dt")
    network = Network(
        text(row, "name"), populations, projections, texts(row, "outputs"), None if dt is None else _dyadic(dt),
        table(row, "provenance"),
    )  # fmt: skip
    check_network(network)
    return network


def _dyadic(pair: Any) -> Dyadic:
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError(f"dt is {pair!r:.40}, two integers are needed")
    return Dyadic(as_integer(pair[0], "dt", 1, 1 << 53), as_integer(pair[1], "dt", -1000, 1000))


class _Fields:
    """What program.json says of some synapses: `neurodeploy.ir.synapse.Fields`."""

    def __init__(self, row: Row, array: Callable[[Row, str], NDArray[Any]]) -> None:
        self.row, self._array = row, array

    def __contains__(self, key: object) -> bool:
        return key in self.row

    def array(self, key: str) -> NDArray[Any]:
        return self._array(self.row, key)

    def integer(self, key: str, least: int, most: int = MOST) -> int:
        return integer(self.row, key, least, most)

    def integers(self, key: str, count: int) -> tuple[int, ...]:
        values = tuple(as_integer(value, key) for value in items(self.row, key))
        if len(values) != count:
            raise ValueError(f"{key} is {values}, {count} integers are needed")
        return values

    def flag(self, key: str) -> bool:
        value = get(self.row, key)
        if not isinstance(value, bool):
            raise ValueError(f"{key} is {value!r:.40}, true or false is needed")
        return value


def _projection(entry: Row, prefix: str, value: Callable[[Any, str], Any]) -> Projection:
    def array(row: Row, key: str) -> NDArray[Any]:
        found = value(get(row, key), f"{prefix}.{key}")
        if not isinstance(found, np.ndarray):
            raise ValueError(f"{prefix}.{key} is not an array")
        return found

    keys = ("name", "source", "target", "source_port", "target_port")
    name, source, target, source_port, target_port = (as_text(get(entry, key), key) for key in keys)
    synapse, own = _Fields(table(entry, "synapse"), array), _Fields(entry, array)
    kind = text(synapse.row, "kind")
    if kind not in KINDS:
        raise ValueError(f"unknown kind of synapses {kind!r:.40}")
    return Projection(
        name, source, target, KINDS[kind].from_record(synapse), source_port, target_port, own.flag("graded"),
        weight_exp=integer(entry, "weight_exp", -31, 31), weight_bits=integer(entry, "weight_bits", 1, 32),
        sign_mode=text(entry, "sign_mode"), delay=None if get(entry, "delay") is None else array(entry, "delay"),
        instant="instant" in entry and own.flag("instant"),
        axon_exp=array(entry, "axon_exp") if "axon_exp" in entry else None,
    )  # fmt: skip
