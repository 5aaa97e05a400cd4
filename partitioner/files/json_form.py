"""A mapping as JSON and back. Shards are columns of integers, names and reasons stand once in tables.

Reading trusts nothing: types, ranges, indexes and lengths are checked before a value is used, and whatever is wrong is
a `BundleError` ND5006 that names the place. A mapping that was read is still to be checked against its program with
`verify`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, NoReturn, TypeVar

import numpy as np

from neurodeploy.errors import BundleError
from neurodeploy.ir.affinity import Affinity
from neurodeploy.ir.chip import Origin
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Assignment, Mapping, Reason, Shard
from partitioner.pins import DEVICES

FORMAT = "neurodeploy-mapping/2"
#: Without orders, objective, seed and notes.
OLDER = "neurodeploy-mapping/1"
KINDS = ("synapses", "reducer")
#: What JSON calls the types that are read.
WORDS: dict[type, str] = {dict: "an object", list: "a list", str: "a string"}
Kind = TypeVar("Kind")
#: No number of a mapping is larger: a bound for whoever multiplies them later.
MOST = 2**40

_COLUMNS = ("island", "kind", "row_start", "row_stop", "col_start", "col_stop", "chip", "core", "group")


def mapping_to_json(mapping: Mapping) -> dict[str, Any]:
    """A dictionary of strings, integers and lists that `mapping_from_json` turns into an equal mapping."""
    islands = _table(shard.island for shard in mapping.shards)
    groups = _table(shard.group for shard in mapping.shards)
    reasons = _table(entry.reason for entry in mapping.assignments)
    rows = [
        (islands[s.island], KINDS.index(s.kind), *s.rows, *s.cols, s.chip, s.core, groups[s.group])
        for s in mapping.shards
    ]
    affinity = mapping.affinity
    told: dict[str, Any] = {}
    if affinity is not None:
        told["affinity"] = {"tokens": affinity.tokens, "pairs": list(affinity.pairs)}
    if mapping.origin is not None:
        told["system_file"] = {**mapping.origin.to_json(), "data": json.loads(mapping.origin.data)}
    return {
        **told,
        "format": FORMAT,
        "system": mapping.system,
        "chips_available": mapping.chips_available,
        "cores_per_chip": mapping.cores_per_chip,
        "lower_bound": mapping.lower_bound,
        "binding_resource": mapping.binding_resource,
        "unknown_limits": list(mapping.unknown_limits),
        "objective": mapping.objective,
        "seed": mapping.seed,
        "notes": list(mapping.notes),
        "orders": {name: order.tolist() for name, order in mapping.orders.items()},
        "islands": list(islands),
        "groups": list(groups),
        "shards": {name: [row[index] for row in rows] for index, name in enumerate(_COLUMNS)},
        "reasons": [asdict(reason) for reason in reasons],
        "assignments": [asdict(entry) | {"reason": reasons[entry.reason]} for entry in mapping.assignments],
    }


def mapping_from_json(data: object) -> Mapping:
    """Read what `mapping_to_json` wrote.

    Raises
    ------
    BundleError ND5006 : a missing key, a wrong type, a number out of range, an index that points nowhere.
    """
    top = _as(dict, data, "mapping")
    form = _text(top, "format")
    if form not in (FORMAT, OLDER):
        _fail("format", f"is {form!r}, this version reads {FORMAT!r}")
    if form == OLDER:
        top = {"objective": "cores", "seed": 0, "notes": [], "orders": {}} | top
    chips, cores = _number(top, "chips_available"), _number(top, "cores_per_chip")
    return Mapping(
        system=_text(top, "system"),
        chips_available=chips,
        cores_per_chip=cores,
        shards=_shards(top, chips, cores),
        assignments=_assignments(top),
        lower_bound=_number(top, "lower_bound"),
        binding_resource=_text(top, "binding_resource"),
        unknown_limits=_texts(top, "unknown_limits"),
        orders=_orders(top),
        objective=_text(top, "objective"),
        seed=_number(top, "seed"),
        notes=_texts(top, "notes"),
        affinity=_affinity(top["affinity"]) if "affinity" in top else None,
        origin=_origin(top["system_file"]) if "system_file" in top else None,
    )


def _origin(data: object) -> Origin:
    found = _as(dict, data, "system_file")
    origin = Origin(_text(found, "file"), json.dumps(_as(dict, found.get("data"), "system_file.data"), sort_keys=True))
    if _text(found, "sha256") != origin.sha256:
        _fail("system_file.sha256", "is not the digest of its data")
    return origin


def _affinity(data: object) -> Affinity:
    found = _as(dict, data, "affinity")
    pairs = found.get("pairs")
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 3 for pair in pairs):
        _fail("affinity.pairs", "is no list of two groups and a count")
    rows = [dict(zip(("from", "to", "tokens"), pair, strict=True)) for pair in pairs]
    counts = tuple((_text(row, "from"), _text(row, "to"), _number(row, "tokens")) for row in rows)
    return Affinity(_number(found, "tokens"), counts)


def _table(values: Iterable[Any]) -> dict[Any, int]:
    """Distinct values in order of first appearance, each with its number."""
    found: dict[Any, int] = {}
    for value in values:
        found.setdefault(value, len(found))
    return found


def _shards(top: dict[str, Any], chips: int, cores: int) -> tuple[Shard, ...]:
    table = _get(dict, top, "shards")
    columns = {name: _list(table, name) for name in _COLUMNS}
    if len({len(column) for column in columns.values()}) != 1:
        _fail("shards", f"columns of different lengths { ({name: len(c) for name, c in columns.items()}) }")
    islands, groups = _texts(top, "islands"), _texts(top, "groups")
    ends = {"island": len(islands), "kind": len(KINDS), "chip": chips, "core": cores, "group": len(groups)}
    for name, column in columns.items():
        end = ends.get(name, MOST)
        for index, value in enumerate(column):
            if type(value) is not int or not 0 <= value < end:
                _fail(f"shards.{name}[{index}]", f"is {value!r}, not an integer from 0 to {end - 1}")
    found = []
    for index, row in enumerate(zip(*columns.values(), strict=True)):
        island, kind, row_start, row_stop, col_start, col_stop, chip, core, group = row
        if row_start >= row_stop or col_start >= col_stop:
            _fail(f"shards[{index}]", f"rows {row_start}:{row_stop} columns {col_start}:{col_stop} are empty")
        rows, cols = (row_start, row_stop), (col_start, col_stop)
        found.append(Shard(islands[island], KINDS[kind], rows, cols, chip, core, groups[group]))
    return tuple(found)


def _orders(top: dict[str, Any]) -> dict[str, Ints]:
    found = {}
    for name, given in _get(dict, top, "orders").items():
        order = _as(list, given, name)
        if any(type(value) is not int for value in order) or sorted(order) != list(range(len(order))):
            _fail(f"orders.{name}", f"is no order of {len(order)} neurons")
        found[name] = np.array(order, np.int64)
    return found


def _assignments(top: dict[str, Any]) -> tuple[Assignment, ...]:
    reasons = []
    for index, entry in enumerate(_list(top, "reasons")):
        item = _as(dict, entry, f"reasons[{index}]")
        reasons.append(Reason(_text(item, "rule"), _text(item, "text"), _text(item, "remedy")))
    found = []
    for index, entry in enumerate(_list(top, "assignments")):
        item = _as(dict, entry, f"assignments[{index}]")
        device, reason = _text(item, "device"), _number(item, "reason")
        if device not in DEVICES or reason >= len(reasons):
            _fail(f"assignments[{index}]", f"device {device!r} or reason {reason} is unknown")
        found.append(
            Assignment(
                _text(item, "path"), _text(item, "op"), device, reasons[reason], _number(item, "bytes_per_token")
            )
        )
    return tuple(found)


def _fail(where: str, problem: str) -> NoReturn:
    raise BundleError("ND5006", where, problem, "the mapping is damaged or not ours: map the program again")


def _as(kind: type[Kind], value: object, where: str) -> Kind:
    if not isinstance(value, kind):
        _fail(where, f"is a {type(value).__name__}, not {WORDS[kind]}")
    return value


def _get(kind: type[Kind], item: dict[str, Any], key: str) -> Kind:
    if key not in item:
        _fail(key, "is missing")
    return _as(kind, item[key], key)


def _text(item: dict[str, Any], key: str) -> str:
    return _get(str, item, key)


def _list(item: dict[str, Any], key: str) -> list[Any]:
    return _get(list, item, key)


def _texts(item: dict[str, Any], key: str) -> tuple[str, ...]:
    return tuple(_as(str, value, key) for value in _list(item, key))


def _number(item: dict[str, Any], key: str) -> int:
    value = _get(object, item, key)
    if type(value) is not int or not 0 <= value <= MOST:
        _fail(key, f"is {value!r}, not an integer from 0 to {MOST}")
    return int(value)
