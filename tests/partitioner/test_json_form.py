from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from neurodeploy.errors import BundleError
from neurodeploy.ir.mapping import Mapping
from partitioner.files.json_form import mapping_from_json, mapping_to_json
from partitioner.mapper import map_model
from tests.partitioner import make

FIELDS = (
    "system",
    "chips_available",
    "cores_per_chip",
    "shards",
    "assignments",
    "lower_bound",
    "binding_resource",
    "unknown_limits",
)


@pytest.fixture(scope="module")
def mapping() -> Mapping:
    return map_model(make.llama(2, 256, 64, 512, 300, 32, experts=2), make.system(make.chip(), 4))


def test_what_was_written_is_read_back(mapping: Mapping) -> None:
    again = mapping_from_json(json.loads(json.dumps(mapping_to_json(mapping))))
    for name in FIELDS:
        assert getattr(again, name) == getattr(mapping, name), name
    assert mapping_to_json(again) == mapping_to_json(mapping)


def test_a_mapping_without_shards() -> None:
    program = make.program([make.host("embedding", ("tokens",), ("x",))], "x")
    mapping = map_model(program, make.system(make.chip(), 1))
    assert (mapping.chips_used, mapping.lower_bound) == (0, 0)
    assert mapping_from_json(mapping_to_json(mapping)).assignments == mapping.assignments


def put(*path: str | int, value: object) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return change


def drop(*path: str | int) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        del data[path[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (put("format", value="neurodeploy-mapping/9"), "format"),
        (drop("format"), "format"),
        (drop("system"), "system"),
        (put("system", value=3), "system"),
        (put("chips_available", value=-1), "chips_available"),
        (put("chips_available", value=True), "chips_available"),
        (put("chips_available", value=2**60), "chips_available"),
        (put("cores_per_chip", value=1.5), "cores_per_chip"),
        (put("lower_bound", value="1"), "lower_bound"),
        (put("unknown_limits", value=[1]), "unknown_limits"),
        (put("islands", value={}), "islands"),
        (put("shards", value=[]), "shards"),
        (drop("shards", "row_stop"), "row_stop"),
        (put("shards", "core", value=[0]), "shards"),
        (put("shards", "core", 0, value=120), "shards.core[0]"),
        (put("shards", "chip", 1, value=4), "shards.chip[1]"),
        (put("shards", "chip", 1, value=-1), "shards.chip[1]"),
        (put("shards", "chip", 1, value=None), "shards.chip[1]"),
        (put("shards", "kind", 0, value=2), "shards.kind[0]"),
        (put("shards", "island", 0, value=10**6), "shards.island[0]"),
        (put("shards", "group", 0, value=False), "shards.group[0]"),
        (put("shards", "row_start", 0, value=10**6), "shards[0]"),
        (put("shards", "col_stop", 0, value=2**41), "shards.col_stop[0]"),
        (drop("reasons", 0, "rule"), "rule"),
        (put("reasons", 0, value="x"), "reasons[0]"),
        (put("assignments", 0, "reason", value=99), "assignments[0]"),
        (put("assignments", 0, "device", value="gpu"), "assignments[0]"),
        (put("assignments", 0, "bytes_per_token", value=0.5), "bytes_per_token"),
        (drop("assignments", 0, "path"), "path"),
    ],
)
def test_damage_is_named(mapping: Mapping, change: Callable[[Any], None], where: str) -> None:
    data = copy.deepcopy(mapping_to_json(mapping))
    change(data)
    with pytest.raises(BundleError) as caught:
        mapping_from_json(data)
    assert caught.value.code == "ND5006"
    assert caught.value.subject == where


@pytest.mark.parametrize("data", [None, [], "mapping", 3, {}])
def test_what_is_no_mapping_at_all(data: object) -> None:
    with pytest.raises(BundleError, match="ND5006"):
        mapping_from_json(data)
