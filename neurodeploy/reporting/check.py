"""The check at the door: does the data follow `schema`? What does not is our own bug and is named by its place."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from neurodeploy.errors import InternalError
from neurodeploy.reporting.derive import phases
from neurodeploy.reporting.schema import BASES, BOUNDARIES, ReportData

#: Entries of a list that are looked at: columns of a large map are uniform, and only their lengths can disagree.
_SAMPLE = 64


def check(data: Mapping[str, Any], schema: type = ReportData) -> None:
    """Whether the data follow `schema` (`ReportData`, `RunReport`); raises `InternalError` ND9050 naming the place."""
    match(data, schema, "report")
    section = data.get("map")
    if section is not None:
        cores = section["cores"]
        columns = {key: cores[key] for key in ("core", "label", "layer", "used_fraction")} | cores["resource_fractions"]
        for name, column in columns.items():
            if len(column) != len(cores["chip"]):
                _fail(f"report.map.cores.{name}", f"has {len(column)} entries, chip has {len(cores['chip'])}")
    for phase, found in phases(data.get("energy")).items():
        for name in found["joules_per_token"] if found else ():
            _one_of(name, BOUNDARIES, f"report.energy.{phase}.joules_per_token")
        for index, entry in enumerate(found["entries"] if found else ()):
            _one_of(entry["boundary"], BOUNDARIES, f"report.energy.{phase}.entries[{index}].boundary")
            _one_of(entry["basis"], BASES, f"report.energy.{phase}.entries[{index}].basis")


def _fail(path: str, problem: str) -> None:
    raise InternalError("ND9050", path, problem, "the data does not follow neurodeploy/reporting/schema.py")


def _one_of(value: str, allowed: tuple[str, ...], path: str) -> None:
    if value not in allowed:
        _fail(path, f"{value!r} is none of {', '.join(allowed)}")


def match(value: Any, hint: Any, path: str) -> None:
    """Match a value against a type made of TypedDict, list, dict, union and the JSON scalars."""
    origin, args = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        if not isinstance(value, Mapping):
            _fail(path, f"is {type(value).__name__}, not a dictionary")
        hints = get_type_hints(hint)
        for key in hint.__required_keys__:
            if key not in value:
                _fail(f"{path}.{key}", "is missing")
        for key, item in value.items():
            if key in hints:
                match(item, hints[key], f"{path}.{key}")
            elif not hint.__required_keys__:  # where every key is optional, a misspelt one would be lost in silence
                _fail(f"{path}.{key}", "is not a key of the schema")
    elif origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return
        options = [arg for arg in args if arg is not type(None)]
        if len(options) == 1:
            match(value, options[0], path)
        elif not any(_is_scalar(value, option) for option in options):
            _fail(path, f"is {type(value).__name__}")
    elif origin is list:
        if not isinstance(value, list):
            _fail(path, f"is {type(value).__name__}, not a list")
        for index, item in enumerate(value[:_SAMPLE]):
            match(item, args[0], f"{path}[{index}]")
    elif origin is dict:
        if not isinstance(value, Mapping):
            _fail(path, f"is {type(value).__name__}, not a dictionary")
        for key, item in value.items():
            match(item, args[1], f"{path}.{key}")
    elif not _is_scalar(value, hint):
        _fail(path, f"is {type(value).__name__}, not {hint.__name__}")


def _is_scalar(value: Any, hint: type) -> bool:
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)
