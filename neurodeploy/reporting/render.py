"""A report as files: HTML, JSON and tables as CSV, all written aside and renamed together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from neurodeploy.reporting.check import check
from neurodeploy.reporting.files import cores_csv, energy_csv, ops_csv, rows_csv, to_json, write_all
from neurodeploy.reporting.page import page
from neurodeploy.reporting.schema import ReportData
from neurodeploy.reporting.schema_run import RunReport


class Form(NamedTuple):
    """A kind of report: the form of its data, and for the end of a table's name what it holds and its maker."""

    schema: type
    tables: dict[str, tuple[str, Callable[[Any], str]]]


_CORES = {"_cores.csv": ("every core with the fill of each resource", lambda data: cores_csv(data.get("map")))}
#: By the kind of bundle.
FORMS = {
    "model": Form(ReportData, {
        "_ops.csv": ("every operation with device and reason", ops_csv),
        "_energy.csv": ("every entry of the energy ledger", energy_csv),
        **_CORES,
    }),
    "network": Form(RunReport, {
        "_populations.csv": ("counts of every population", lambda data: rows_csv("population", data["populations"])),
        "_projections.csv": ("counts of every projection", lambda data: rows_csv("projection", data["projections"])),
        **_CORES,
    }),
}  # fmt: skip


def render(data: Mapping[str, Any], out_html: str | os.PathLike[str], kind: str = "model") -> list[Path]:
    """Write OUT.html, OUT.json and the tables of the kind, OUT_NAME.csv; returns their paths in this order.

    `data` follows `schema.ReportData` or `schema_run.RunReport`; sections that were not run give tables with a head
    only. Every file is written under another name first and then renamed, so that a reader never sees half of one.
    Raises `BundleError` ND5004 where a file cannot be written, `InternalError` ND9050 where the data break the schema.
    """
    form = FORMS[kind]
    check(data, form.schema)
    target = Path(out_html)
    base = target.with_suffix("") if target.suffix.lower() in (".html", ".htm") else target
    holds = {".json": "everything on this page, as data"} | {end: what for end, (what, _) in form.tables.items()}
    beside = {end: base.with_name(base.name + end) for end in holds}
    texts = {
        target: page(data, {path.name: holds[end] for end, path in beside.items()}),
        beside[".json"]: to_json(data),
    }
    texts |= {beside[end]: make(data) for end, (_, make) in form.tables.items()}
    write_all(texts, target)
    return list(texts)
