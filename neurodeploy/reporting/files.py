"""What stands in the files beside a report, and how all of them are written."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path
from typing import Any

from neurodeploy.errors import BundleError
from neurodeploy.reporting.derive import phases
from neurodeploy.reporting.units import Data
from neurodeploy.storage.tables import csv_text
from neurodeploy.storage.temporary import written_aside

_BANDS = ("low", "nominal", "high")
_ENTRY = ("device", "component", "event", "boundary", "count", "basis", "source")
_bands, _entry = itemgetter(*_BANDS), itemgetter(*_ENTRY)


def write_all(texts: Mapping[Path, str], named: Path | None = None) -> None:
    """All files or none, as far as a file system allows: write each aside, then rename one after the other.

    `named` is the file that the user named. The names of the others follow from it, so that an older file there is replaced
    only where it begins as ours do. ND5004 names the file that is in the way, or that the system refuses.
    """
    path = Path()
    try:
        for path, content in texts.items():
            if path != named and not _may_replace(path, content):
                fix = "choose another --out, or move that file away yourself"
                raise BundleError("ND5004", path, "exists and was not written by a verb like this one", fix)
        with ExitStack() as stack:
            for path, content in texts.items():
                aside = stack.enter_context(written_aside(path, parents=True))
                aside.write_text(content, encoding="utf-8", newline="")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BundleError(
            "ND5004",
            path,
            f"cannot be written: {reason}",
            "name a folder that exists, has room and that you may write to",
        ) from error


def _may_replace(path: Path, content: str) -> bool:
    if not path.is_file():
        return True  # nothing there, or nothing that is ever replaced
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        before = file.read(4096)
    return not before or _beginning(before) == _beginning(content)


def _beginning(text: str) -> str:
    """What tells our files from others: a key at the very begin of the second line of JSON, the first two columns of a
    table, the first line of YAML that is no comment."""
    if text.startswith("{"):
        return text[:3]
    line = next((line for line in text.splitlines() if not line.startswith("#")), "")
    return ",".join(line.split(",")[:2])


def to_json(data: Mapping[str, Any]) -> str:
    """The data as strict JSON, a section per line; a number that is not finite becomes null, for JSON has none."""
    lines = [f"{json.dumps(key)}: {json.dumps(_finite(value), allow_nan=False)}" for key, value in data.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value


def ops_csv(data: Data) -> str:
    columns = ("path", "op", "device", "rule", "reason", "remedy", "bytes_per_token")
    return csv_text(columns, ([op[column] for column in columns] for op in data.get("explain") or []))


def energy_csv(data: Data) -> str:
    head = ["phase", *_ENTRY, *(f"unit_cost_{b}" for b in _BANDS), "unit", *(f"joules_{b}" for b in _BANDS)]
    rows = []
    for name, phase in phases(data.get("energy")).items():
        for entry in phase["entries"] if phase else ():
            cost, joules = entry["unit_cost"], entry["joules"]
            rows.append([name, *_entry(entry), *_bands(cost), cost["unit"], *_bands(joules)])
    return csv_text(head, rows)


def cores_csv(data: Data) -> str:
    head = ["chip", "core", "label", "layer", "used_fraction"]
    if data.get("map") is None:
        return csv_text(head, [])
    cores = data["map"]["cores"]
    columns = [*(cores[name] for name in head), *cores["resource_fractions"].values()]
    return csv_text([*head, *(f"{name}_fraction" for name in cores["resource_fractions"])], zip(*columns, strict=True))


def rows_csv(head: str, rows: Mapping[str, Data]) -> str:
    """A table of rows by name, under `head`."""
    columns = list(next(iter(rows.values()), {}))
    return csv_text([head, *columns], ([name, *(row[c] for c in columns)] for name, row in rows.items()))


#: Ends of the names of the tables beside a page: what each holds, and its maker.
TABLES: dict[str, tuple[str, Callable[[Data], str]]] = {
    "_ops.csv": ("every operation with device and reason", ops_csv),
    "_energy.csv": ("every entry of the energy ledger", energy_csv),
    "_populations.csv": (
        "counts of every population",
        lambda data: rows_csv("population", data.get("populations") or {}),
    ),
    "_projections.csv": (
        "counts of every projection",
        lambda data: rows_csv("projection", data.get("projections") or {}),
    ),
    "_cores.csv": ("every core with the fill of each resource", cores_csv),
}
