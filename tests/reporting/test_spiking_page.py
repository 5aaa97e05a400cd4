"""The page of a spiking network as a browser reads it: its figures, and the files beside it."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

from neurodeploy.errors import BundleError
from neurodeploy.reporting.files import TABLES
from neurodeploy.reporting.page import page
from neurodeploy.reporting.render import render
from tests.refusals import refused
from tests.reporting.reader import Reader
from tests.reporting.spiking import bare, full, silent

#: The files beside a page.
BESIDE = (".json", *TABLES)


def read(data: Any) -> Reader:
    return Reader(page(data, {"x.json": "everything"}))


def test_figures() -> None:
    words = read(full()).words
    for figure in (
        "digits", "fits on one chip", "2 cores", "needs 22.0 µJ per sample at the chip boundary (modelled)",
        "differs from float in 0.21 % of the bins of output", "40 neurons in 2 populations", "1 600 synapses",
        "time step 1.00 ms", "790 messages in 20 steps of 3 samples", "3 samples of 20 steps",
        "5 more marks are not drawn", "3 of 400",
        "4 values were clipped and 1 234 567 wrapped", "28.0 k synaptic operations", "-10 to 10",
        "2 of 3", "0.4 %", "in: silent from step 18 on", "unit gain", "bound by host link latency", "program.json",
    ):  # fmt: skip
        assert figure in words, figure


def test_absent_sections_are_absent() -> None:
    found = read(bare())
    ids = {value for _, name, value in found.attributes if name == "id"}
    assert {"counts", "conversion", "provenance"} <= ids
    assert not ids & {"raster", "states", "map", "energy", "comparison", "neurobench"}
    assert "time step not stated" in found.words and "The source holds integers" in found.words
    assert "chip boundary" not in found.words


def test_what_does_not_fit_is_said() -> None:
    data = full()
    data["map"]["fits"] = False
    assert "does not fit" in read(data).words


def test_a_raster_draws_each_message_once() -> None:
    from neurodeploy.reporting.sections.rasters import raster

    drawing = raster(full()["rasters"][0])
    marks = re.findall(r"M(\S+) (\S+?)h", str(drawing))
    assert [(float(x), float(y)) for x, y in marks] == [(0, 0), (0, 16), (6, 8), (19, 16)]
    assert 'viewBox="0 0 20 24"' in str(drawing)


def test_long_rasters_are_drawn_in_bins() -> None:
    from neurodeploy.reporting.sections.rasters import RESOLUTION, raster

    data = full()["rasters"][0] | {"length": 12_000, "steps": [1, 2, 12_000], "rows": [0, 0, 0], "neurons": [0]}
    marks = re.findall(r"M(\S+) ", str(raster(data)))
    assert marks == ["0", str(RESOLUTION - 1)]


def test_long_traces_keep_their_extremes() -> None:
    from neurodeploy.reporting.sections.rasters import RESOLUTION, TRACE, trace

    values = [0] * 100_000
    values[54_321], values[70_000] = 9, -3
    drawing = str(trace(full()["traces"][0] | {"values": values}))
    points = re.search(r'points="([^"]*)"', drawing)
    assert points is not None
    pairs = [point.split(",") for point in points.group(1).split()]
    heights = {float(y) for _, y in pairs}
    assert min(heights) == 0 and max(heights) == TRACE and len(pairs) <= 2 * RESOLUTION
    assert {x: float(y) for x, y in pairs}["54321"] == 0


def test_equal_values_are_a_flat_line() -> None:
    from neurodeploy.reporting.sections.rasters import trace

    assert "nan" not in str(trace(full()["traces"][0] | {"values": [7] * 9}))
    assert "nan" not in str(trace(full()["traces"][0] | {"values": []}))


# --- files


def test_files_beside_the_page(tmp_path: Path) -> None:
    paths = render(full(), tmp_path / "a" / "r.html")
    assert [path.name for path in paths] == ["r.html", *(f"r{suffix}" for suffix in BESIDE)]
    assert json.loads((tmp_path / "a" / "r.json").read_text()) == full()
    for suffix, rows in (("_populations", 2), ("_projections", 1), ("_cores", 2)):
        table = list(csv.reader(io.StringIO((tmp_path / "a" / f"r{suffix}.csv").read_text())))
        assert len(table) == 1 + rows and len({len(row) for row in table}) == 1
    page = Reader((tmp_path / "a" / "r.html").read_text())
    assert {f"./r{suffix}" for suffix in BESIDE} <= {value for _, name, value in page.attributes if name == "href"}


def test_names_cannot_become_formulas(tmp_path: Path) -> None:
    """A spreadsheet runs what begins with =, +, - or @."""
    data = full()
    data["populations"] = {"=cmd()": data["populations"]["out"]}
    render(data, tmp_path / "r.html")
    assert "\n=cmd" not in (tmp_path / "r_populations.csv").read_text()


def test_no_projection_at_all(tmp_path: Path) -> None:
    data = full() | {"projections": {}}
    render(data, tmp_path / "r.html")
    assert (tmp_path / "r_projections.csv").read_text().startswith("projection")


def test_all_files_or_none(tmp_path: Path) -> None:
    """One name is taken by a folder: the others stay as they were."""
    (tmp_path / "r.html").write_text("older")
    (tmp_path / "r_cores.csv").mkdir()
    refused(BundleError, "ND5004", render, full(), tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "r_cores.csv"]


def test_silence_is_no_error() -> None:
    words = read(silent()).words
    assert not re.search(r"\bnan\b|\binf\b", words)
