"""Populations and projections on disk: their structure in program.json, their arrays in HDF5, read by mapping the file.

    program.json   network: {name, dt, outputs, populations: [..], projections: [..], provenance}
    network.h5     pI.params.NAME, pI.initial.NAME of population I; jI.weight, .indptr, .target, .delay of projection J,
                   packed targets as .low and .high. Dense weights are stored by axon, (columns, rows), so that one axon's
                   targets lie together.

An array is written in JSON as ``{"array": [type, shape], "in": FILE, "as": NAME}``, a linear layer's in the files of
`linear_files`, of a model without weights ``{"array": [type, shape], "all": VALUE}``: every element is that. A plain integer
stands for all neurons.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle.hdf5 import Lying, map_stored, new_hdf5, stored
from neurodeploy.errors import BundleError
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.payloads import Unit
from neurodeploy.ir.population import Population, Section
from neurodeploy.ir.typed import MOST, Row, array, as_integer, dyadic, flag, get, integer, items, table, text, texts
from neurodeploy.neurons.registry import check_network, payload_bits
from neurodeploy.synapses import KINDS

ARRAYS = "network.h5"
#: Arrays that a projection may have beside those of its synapses.
OPTIONAL = ("delay", "axon_exp", "block_sums")
#: Where the float network stands in the bundle, as plain NIR.
SOURCE_NIR = "source.nir"
#: Element types that an array of a network may have.
TYPES = {str(np.dtype(t)): np.dtype(t) for t in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64)}
#: Units of a population's neurons differ by at most 2 to this.
EXPONENT_MAX = 60

#: What stands in JSON for the array of that key.
Place = Callable[[str, NDArray[Any]], dict[str, Any]]


#: Rows of populations and projections that have them already: these objects, not others of the same name.
Known = Mapping[Population | Projection, Row]


class Collected:
    """`Place` for arrays that belong into `file`, collected by their names there."""

    def __init__(self, found: dict[str, NDArray[Any]] | None = None, file: str = ARRAYS) -> None:
        self.found, self.file = {} if found is None else found, file

    def under(self, prefix: str) -> Place:
        def place(key: str, array: NDArray[Any]) -> dict[str, Any]:
            if array.size > 1 and not any(array.strides):  # a view of one element
                return {"array": [str(array.dtype), list(array.shape)], "all": int(array.flat[0])}
            self.found[f"{prefix}.{key}"] = array
            return {"array": [str(array.dtype), list(array.shape)], "in": self.file, "as": f"{prefix}.{key}"}

        return place


def network_to_json(network: Network, known: Known = MappingProxyType({})) -> tuple[Row, dict[str, NDArray[Any]]]:
    """The structure, and the arrays that belong into `ARRAYS`. `known` are rows of populations and projections whose arrays
    lie elsewhere."""
    arrays = Collected()
    populations = [
        known.get(population) or population_row(population, arrays.under(f"p{i}"))
        for i, (name, population) in enumerate(network.populations.items())
    ]
    projections = [known.get(p) or projection_row(p, arrays.under(f"j{j}")) for j, p in enumerate(network.projections)]
    structure = {
        "name": network.name,
        "dt": None if network.dt is None else [network.dt.mantissa, network.dt.exponent],
        "outputs": list(network.outputs),
        "populations": populations,
        "projections": projections,
        "provenance": dict(network.provenance),
    }
    return structure, arrays.found


def _placed(place: Place, key: str, value: Any) -> Any:
    """An integer stands in JSON itself."""
    return int(value) if isinstance(value, int | np.integer) else place(key, np.asarray(value))


def population_row(population: Population, place: Place) -> Row:
    """What most populations have not is not in the file."""
    row: dict[str, Any] = {"name": population.name, "shape": list(population.shape), "model": population.model}
    for kind, values in (("params", population.params), ("initial", population.initial)):
        row[kind] = {name: _placed(place, f"{kind}.{name}", value) for name, value in values.items()}
    if population.sections:
        row["sections"] = [[s.path, s.start, s.stop, s.role, s.heads] for s in population.sections]
    numbers = {"layer": population.layer, "expert": population.expert}
    return row | {key: number for key, number in numbers.items() if number is not None}


def projection_row(p: Projection, place: Place) -> Row:
    """What most projections have not is not in the file."""
    row: dict[str, Any] = {
        "name": p.name, "source": p.source, "target": p.target, "source_port": p.source_port, "target_port": p.target_port,
        "graded": p.graded, "weight_exp": p.weight_exp, "weight_bits": p.weight_bits, "sign_mode": p.sign_mode,
    }  # fmt: skip
    if p.instant:
        row["instant"] = True
    for key in OPTIONAL:
        if (array := getattr(p, key)) is not None:
            row[key] = place(key, array)
    fields = {
        key: place(key, value) if isinstance(value, np.ndarray) else value for key, value in p.synapse.record().items()
    }
    return {**row, "synapse": {"kind": p.synapse.kind, **fields}}


def units_to_json(units: Mapping[str, Unit], arrays: dict[str, NDArray[Any]]) -> Row:
    """What payloads stand for, by population; exponents are added to `arrays`."""
    place, rows = Collected(arrays).under("units"), dict[str, Any]()
    for number, (name, unit) in enumerate(units.items()):
        rows[name] = {"scale": [unit.scale.mantissa, unit.scale.exponent]}
        if unit.exponent is not None:
            rows[name]["exponent"] = place(str(number), unit.exponent.astype(np.uint8))
    return rows


def units_of(rows: Row, network: Network, arrays: Arrays) -> dict[str, Unit]:
    """What payloads stand for, from a row of program.json. `ValueError` for what cannot be."""
    found = dict[str, Unit]()
    for name in rows:
        row, population = table(rows, name), network.populations.get(name)
        exponent = arrays.read(table(row, "exponent"), "exponent") if "exponent" in row else None
        if population is None or (exponent is not None and exponent.shape != (population.size,)):
            raise ValueError(f"units of {name!r:.40} are those of no population")
        if exponent is not None and (exponent.min() < 0 or exponent.max() > EXPONENT_MAX):
            raise ValueError(f"units of {name!r:.40} differ by more than 2**{EXPONENT_MAX}")
        found[name] = Unit(dyadic(row, "scale", 1 << 24), payload_bits(population), exponent)
    return found


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    with new_hdf5(path) as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=np.ascontiguousarray(array))


class Arrays:
    """Arrays of a bundle by file and name. `members` are the files that its manifest holds."""

    def __init__(self, folder: Path, members: Container[str]) -> None:
        self.folder, self.members = folder, members
        self._places: dict[str, Mapping[str, Lying]] = {}

    def read(self, entry: Row, key: str) -> NDArray[Any]:
        """What a row stands for, mapped, or read where it is small. `ValueError` for what is no array, ND5003 for a file
        that is no member, ND5006 for a damaged one."""
        kind, shape = items(entry, "array")
        sides = tuple(as_integer(side, key, 0) for side in shape)
        if kind not in TYPES:
            raise ValueError(f"{key} is an array of {kind!r:.20}")
        if 0 in sides:  # nothing to map, and no file has a place for it
            return np.zeros(sides, TYPES[kind])
        if "all" in entry:
            info = np.iinfo(TYPES[kind])
            return np.broadcast_to(TYPES[kind].type(integer(entry, "all", int(info.min), int(info.max))), sides)
        file, name = text(entry, "in"), text(entry, "as")
        if file not in self.members:
            raise BundleError("ND5003", self.folder / file, "is missing from the manifest", "convert the model again")
        if file not in self._places:
            self._places[file] = stored(self.folder / file)
        return map_stored(self.folder / file, name, self._places[file].get(name), TYPES[kind], sides)

    def value(self, entry: Any, key: str) -> Any:
        """An array, or the integer that stands in JSON itself."""
        return self.read(entry, key) if isinstance(entry, dict) else as_integer(entry, key, -(1 << 62), 1 << 62)

    def within(self, row: Row) -> Row:
        """The row with its arrays in the places of what stands for them."""
        return {key: self.read(entry, key) if isinstance(entry, dict) else entry for key, entry in row.items()}


def network_from_json(row: Row, arrays: Arrays) -> Network:
    """The network of a program.json row.

    Raises `ValueError`, `InternalError` or `UserError` for what is no network, `BundleError` for damaged arrays.
    """
    populations: dict[str, Population] = {}
    for entry in items(row, "populations"):
        found = population_of(entry, arrays)
        if found.size > MOST:
            raise ValueError(f"population {found.name!r:.40} has {found.size} neurons, at most {MOST} are possible")
        populations[found.name] = found
    projections = tuple(projection_of(entry, arrays) for entry in items(row, "projections"))
    dt = None if get(row, "dt") is None else dyadic(row, "dt", 1 << 53)
    network = Network(
        text(row, "name"), populations, projections, texts(row, "outputs"), dt, table(row, "provenance"),
    )  # fmt: skip
    check_network(network)
    return network


def population_of(entry: Row, arrays: Arrays) -> Population:
    """The population of a row."""
    shape = tuple(as_integer(side, "shape", 1) for side in items(entry, "shape"))
    params, initial = (
        {name: arrays.value(v, f"{kind}.{name}") for name, v in table(entry, kind).items()}
        for kind in ("params", "initial")
    )
    sections = tuple(_section(row) for row in (items(entry, "sections") if "sections" in entry else ()))
    layer, expert = (integer(entry, key) if key in entry else None for key in ("layer", "expert"))
    return Population(text(entry, "name"), shape, text(entry, "model"), params, initial, sections, layer, expert)


def _section(values: Any) -> Section:
    row = dict(zip(("path", "start", "stop", "role", "heads"), values, strict=True))
    start = integer(row, "start")
    stop = integer(row, "stop", start + 1)
    return Section(text(row, "path"), start, stop, text(row, "role"), integer(row, "heads", 0, stop - start))


def projection_of(entry: Row, arrays: Arrays) -> Projection:
    """The projection of a row."""
    keys = ("name", "source", "target", "source_port", "target_port")
    name, source, target, source_port, target_port = (text(entry, key) for key in keys)
    synapse = arrays.within(table(entry, "synapse"))
    own = arrays.within({key: entry[key] for key in OPTIONAL if key in entry})
    kind = text(synapse, "kind")
    if kind not in KINDS:
        raise ValueError(f"unknown kind of synapses {kind!r:.40}")
    return Projection(
        name, source, target, KINDS[kind].from_record(synapse), source_port, target_port, flag(entry, "graded"),
        weight_exp=integer(entry, "weight_exp", -31, 31), weight_bits=integer(entry, "weight_bits", 1, 32),
        sign_mode=text(entry, "sign_mode"), instant="instant" in entry and flag(entry, "instant"),
        **{key: array(own, key) for key in own},
    )  # fmt: skip
