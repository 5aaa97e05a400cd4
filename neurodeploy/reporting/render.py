"""A report as files: HTML, JSON and tables as CSV, all written aside and renamed together."""

from __future__ import annotations

import os
from pathlib import Path

from neurodeploy.reporting.files import TABLES, to_json, write_all
from neurodeploy.reporting.page import page
from neurodeploy.reporting.units import Data


def render(data: Data, out_html: str | os.PathLike[str]) -> list[Path]:
    """Write OUT.html, OUT.json and OUT_NAME.csv for each of `TABLES`; returns their paths in this order.

    `data` is what the verb `report` returns; sections that were not run give tables with a head only. Every file is written
    under another name first and then renamed, so that a reader never sees half of one. Raises `BundleError` ND5004 where a
    file cannot be written.
    """
    target = Path(out_html)
    base = target.with_suffix("") if target.suffix.lower() in (".html", ".htm") else target
    holds = {".json": "everything on this page, as data"} | {end: what for end, (what, _) in TABLES.items()}
    beside = {end: base.with_name(base.name + end) for end in holds}
    texts = {
        target: page(data, {path.name: holds[end] for end, path in beside.items()}),
        beside[".json"]: to_json(data),
    }
    texts |= {beside[end]: make(data) for end, (_, make) in TABLES.items()}
    write_all(texts, target)
    return list(texts)
