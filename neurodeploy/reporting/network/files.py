"""The files of a spiking network's report: HTML, JSON, and tables of cores, populations and projections as CSV."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from neurodeploy.reporting.check import match
from neurodeploy.reporting.files import cores_csv, to_json, write_all
from neurodeploy.reporting.html import Html
from neurodeploy.reporting.network import sections
from neurodeploy.reporting.network.schema import NetworkReport
from neurodeploy.reporting.page import document
from neurodeploy.reporting.schema import ReportData
from neurodeploy.reporting.sections.chips import chips
from neurodeploy.reporting.sections.notes import provenance_of
from neurodeploy.reporting.sections.quality import quality_of
from neurodeploy.storage.tables import csv_text

BESIDE = {
    ".json": "everything on this page, as data",
    "_populations.csv": "counts of every population",
    "_projections.csv": "counts of every projection",
    "_cores.csv": "every core with the fill of each resource",
}


def _map(data: NetworkReport) -> Html | None:
    return chips(cast(ReportData, {"map": data["map"]}))


def _quality(data: NetworkReport) -> Html | None:
    return None if data["map"] is None else quality_of(data["map"])


#: anchor, title, maker
_PARTS: tuple[tuple[str, str, Callable[[NetworkReport], Html | None]], ...] = (
    ("raster", "Activity in time", sections.rasters),
    ("states", "States", sections.states),
    ("counts", "Counts", sections.counts),
    ("comparison", "Float against integers", sections.comparison),
    ("map", "Chip map", _map),
    ("quality", "Mapping quality", _quality),
    ("energy", "Energy", sections.energy),
    ("conversion", "Conversion", sections.conversion),
    ("neurobench", "NeuroBench metrics", sections.neurobench),
)


def network_page(data: NetworkReport, beside: dict[str, str]) -> str:
    """The whole page as text; equal data give equal bytes."""
    made = [(anchor, title, part(data)) for anchor, title, part in _PARTS]
    contents = [(anchor, title) for anchor, title, body in made if body is not None]
    bodies = [body for _, _, body in made] + [provenance_of(data["provenance"], beside)]
    return document(
        f"{data['network']['name']}, spiking network",
        sections.hero(data),
        [*contents, ("provenance", "Provenance")],
        bodies,
    )


def render_network(data: Mapping[str, Any], out_html: str | os.PathLike[str]) -> list[Path]:
    """Write OUT.html and the files of `BESIDE`; all or none. ND5004 where that fails, ND9050 for data of another form."""
    match(data, NetworkReport, "report")
    checked = cast(NetworkReport, data)
    target = Path(out_html)
    base = target.with_suffix("") if target.suffix.lower() in (".html", ".htm") else target
    beside = {suffix: base.with_name(base.name + suffix) for suffix in BESIDE}
    texts = {
        target: network_page(checked, {path.name: BESIDE[suffix] for suffix, path in beside.items()}),
        beside[".json"]: to_json(data),
        beside["_populations.csv"]: _rows_csv("population", data["populations"]),
        beside["_projections.csv"]: _rows_csv("projection", data["projections"]),
        beside["_cores.csv"]: cores_csv(checked["map"]),
    }
    write_all(texts, target)
    return list(texts)


def _rows_csv(head: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    columns = list(next(iter(rows.values()), {}))
    return csv_text([head, *columns], ([name, *(row[c] for c in columns)] for name, row in rows.items()))
