"""The tables in what a verb returned: rows of plain cells, for data frames and CSV files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from neurodeploy.errors import TargetUnavailable, UserError
from neurodeploy.reporting.derive import headline_phase
from neurodeploy.storage.tables import csv_text

#: The table of every single value, and the name of its rows' keys.
VALUES, NAME = "values", "name"
#: What a verb is about; see `main_table` for `energy`.
_MAIN = {
    "run": "populations", "map": "utilisation", "eval": "comparison", "fit": "rows", "explain": "rows",
    "calibrate": "rows", "report": "data.populations", "demo": "compared", "convert": "worst_sites", "diff": "figures",
}  # fmt: skip


def main_table(verb: str, found: Any) -> str:
    """The table that a verb is about, where this result has it; "values" otherwise."""
    name = _MAIN.get(verb, VALUES)
    if verb == "energy":
        name = f"{headline_phase(found)[1]}.entries"
    return name if name in tables(found) else VALUES


def tables(found: Any) -> dict[str, list[dict[str, Any]]]:
    """Every table of a result by its dotted name: lists of mappings, and mappings of mappings with a row for each key.

    "values" comes first: a row for each value that is in no other table.
    """
    made: dict[str, list[dict[str, Any]]] = {}
    single = list(_collect(found if isinstance(found, Mapping) else {"rows": found}, "", made))
    return {VALUES: single, **made}


def _collect(part: Mapping[str, Any], prefix: str, made: dict[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for key, value in part.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            if len(value) > 1 and all(isinstance(row, Mapping) for row in value.values()) and _alike(value.values()):
                made[name] = [{NAME: each, **row} for each, row in value.items()]
            else:
                yield from _collect(value, f"{name}.", made)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            if value and all(isinstance(row, Mapping) for row in value):
                made[name] = [dict(row) for row in value]
            elif not any(isinstance(row, Mapping) for row in value):
                yield {NAME: name, "value": value}
        else:
            yield {NAME: name, "value": value}


def _alike(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether mappings are rows of one table: each with the same keys."""
    return len({frozenset(row) for row in rows}) == 1


def table(found: Any, section: str) -> tuple[list[str], list[list[Any]]]:
    """Heads and rows of one table; a mapping in a cell becomes columns of its own under dotted names."""
    every = tables(found)
    if section not in every:
        raise UserError("ND3300", section, "is no table of this result", f"choose one of {', '.join(every)}")
    rows = [dict(_flat(row)) for row in every[section]]
    heads = list(dict.fromkeys(name for row in rows for name in row))
    return heads, [[row.get(head) for head in heads] for row in rows]


def _flat(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def csv_of(found: Any, section: str) -> str:
    """A table as CSV; what is itself a list stands in its cell as JSON."""
    heads, rows = table(found, section)
    return csv_text(heads, ([json.dumps(cell) if isinstance(cell, list | tuple) else cell for cell in r] for r in rows))


def json_text(found: Any) -> str:
    """All of a result as ``--json`` prints it."""
    return json.dumps(found, indent=1, default=str) + "\n"


def library(name: str, wanted_by: str) -> ModuleType:
    """A library that only some results need; ND4006 where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        fix = f"install it: pip install {name.partition('.')[0]}"
        raise TargetUnavailable("ND4006", wanted_by, f"needs {name}, which is not installed", fix) from None
