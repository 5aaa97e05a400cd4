"""Pages as a browser reads them: their figures, plain on what was not run; the files beside them."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from neurodeploy.reporting.files import TABLES
from neurodeploy.reporting.page import page
from neurodeploy.reporting.render import render
from neurodeploy.reporting.sections.rasters import RESOLUTION, TRACE, raster, trace
from tests.reporting.reader import Reader
from tests.reporting.spiking import bare, full

#: The files beside a page.
BESIDE = (".json", *TABLES)


def read(path: Path) -> Reader:
    return Reader(path.read_text(encoding="utf-8"))


def read_data(data: Any) -> Reader:
    return Reader(page(data, {"x.json": "everything"}))


def test_the_policy_allows_our_script_and_no_other(pages: dict[str, Path]) -> None:
    found = read(pages["smollm"])
    policy = next(
        value for tag, name, value in found.attributes if tag == "meta" and name == "content" and "src" in value
    )
    digest = base64.b64encode(hashlib.sha256(found.blocks["script"].encode()).digest()).decode()
    assert "default-src 'none'" in policy and f"script-src 'sha256-{digest}'" in policy


#: Case -> words that its page has, words that it has not.
WORDS: dict[str, tuple[list[str], list[str]]] = {
    "smollm": ([
        "SmolLM2-135M-Instruct fits on 9 of 32 chips", "7.69 mJ", "6.8 – 9.6 mJ", "323 tokens/s", "+0.18 %", "211 of 424",
        "94.6 %", "981 kB", "1 080 cores", "705 µJ", "28.6 mJ", "41.0 mJ", "layers.*.self_attn.attention",
    ], ["layers.7.self_attn.attention", "Not run", "xperts"]),
    "tiny_moe": ([
        "not known", "Not run. Joules with their bands", "31 of 32 experts were given tokens",
    ], []),
    "unfit": ([
        "does not fit: 9 chips are needed, kapoho-point has 8", "20 exceeded budgets", "over the limit",
    ], []),
    "a spiking network": ([
        "digits", "fits on one chip", "2 cores", "needs 22.0 µJ per sample at the chip boundary (modelled)",
        "differs from float in 0.21 % of the bins of output", "40 neurons in 2 populations", "1 600 synapses",
        "time step 1.00 ms", "790 messages in 20 steps of 3 samples", "3 samples of 20 steps",
        "5 more marks are not drawn", "3 of 400", "4 values were clipped and 1 234 567 wrapped",
        "28.0 k synaptic operations", "-10 to 10", "2 of 3", "0.4 %", "in: silent from step 18 on", "unit gain",
        "bound by host link latency", "program.json",
    ], []),
    "a spiking network that does not fit": (["does not fit"], []),
}  # fmt: skip


@pytest.mark.parametrize("case", WORDS)
def test_words(case: str, pages: dict[str, Path]) -> None:
    if case in pages:
        words = read(pages[case]).words
    else:
        data = full()
        data["map"]["fits"] = "not" not in case
        words = read_data(data).words
    there, absent = WORDS[case]
    assert [word for word in there if word not in words] == [] == [word for word in absent if word in words]
    assert case != "smollm" or words.count("limit not public") == 2


def test_sections_that_were_not_run_name_their_command(pages: dict[str, Path]) -> None:
    found = read(pages["bare"])
    for rest in ("map smollm2.nd", "energy smollm2.nd", "report smollm2.nd --out report.html --text FILE"):
        assert f"neurodeploy {rest}" in found.words
    assert "neurodeploy run smollm2.nd --text FILE" in found.words
    ids = {value for _, name, value in found.attributes if name == "id"}
    assert {"conversion", "not-run", "provenance"} <= ids
    assert not ids & {"map", "energy", "operations", "traffic", "counts", "experts", "cores"}
    assert found.tags["rect"] == 0


def test_an_absent_section_is_a_null_section(synthetic: ModuleType) -> None:
    bare = synthetic.bare()
    absent = {key: value for key, value in bare.items() if value is not None}
    assert page(bare, {}) == page(absent, {})


def test_commands_and_bundles_are_quoted_and_may_be_given(synthetic: ModuleType) -> None:
    data = synthetic.bare()
    data["provenance"]["bundle"] = "my model.nd"
    data["commands"] = {"energy": "make energy"}
    words = Reader(page(data, {})).words
    assert "neurodeploy map 'my model.nd'" in words and "make energy" in words
    assert "neurodeploy energy" not in words


@pytest.mark.parametrize("case", ["hala", "many"])
def test_large_maps_stay_small(pages: dict[str, Path], case: str) -> None:
    assert pages[case].stat().st_size < 2_000_000


def test_numbers_that_are_not_finite_do_not_break_the_page(smollm: dict[str, Any]) -> None:
    smollm["accuracy"]["chip"] |= {"perplexity": float("inf"), "bits_per_byte": float("nan")}
    assert "not finite" in Reader(page(smollm, {})).words


def test_zeros_everywhere_do_not_break_the_page(smollm: dict[str, Any]) -> None:
    def zero(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: zero(item) for key, item in value.items()}
        if isinstance(value, list):
            return [zero(item) for item in value]
        return value * 0 if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    data = {key: zero(value) if key not in ("model", "map") else value for key, value in smollm.items()}
    data["experts"] = {"0": [0, 0]}
    found = Reader(page(data, {}))
    assert not re.search(r"\bnan\b", found.words) and found.tags["section"] == 9
    for _, name, value in found.attributes:
        assert not re.search(r"\b(nan|inf)\b", value), (name, value)


def test_absent_sections_are_absent() -> None:
    found = read_data(bare())
    ids = {value for _, name, value in found.attributes if name == "id"}
    assert {"counts", "conversion", "provenance"} <= ids
    assert not ids & {"raster", "states", "map", "energy", "comparison", "neurobench"}
    assert "time step not stated" in found.words and "The source holds integers" in found.words
    assert "chip boundary" not in found.words


def test_a_raster_draws_each_message_once() -> None:
    drawing = raster(full()["rasters"][0])
    marks = re.findall(r"M(\S+) (\S+?)h", str(drawing))
    assert [(float(x), float(y)) for x, y in marks] == [(0, 0), (0, 16), (6, 8), (19, 16)]
    assert 'viewBox="0 0 20 24"' in str(drawing)


def test_long_rasters_are_drawn_in_bins() -> None:
    data = full()["rasters"][0] | {"length": 12_000, "steps": [1, 2, 12_000], "rows": [0, 0, 0], "neurons": [0]}
    marks = re.findall(r"M(\S+) ", str(raster(data)))
    assert marks == ["0", str(RESOLUTION - 1)]


def test_long_traces_keep_their_extremes() -> None:
    values = [0] * 100_000
    values[54_321], values[70_000] = 9, -3
    drawing = str(trace(full()["traces"][0] | {"values": values, "thresholds": []}))
    points = re.search(r'points="([^"]*)"', drawing)
    assert points is not None
    pairs = [point.split(",") for point in points.group(1).split()]
    heights = {float(y) for _, y in pairs}
    assert min(heights) == 0 and max(heights) == TRACE and len(pairs) <= 2 * RESOLUTION
    assert {x: float(y) for x, y in pairs}["54321"] == 0


def test_a_state_has_axes_and_its_threshold() -> None:
    """Values -10 to 10 and a threshold of 12, drawn over the height of -10 to 12; 1 in the source is 8."""
    drawing = Reader(page(full(), {}))
    assert "out.v neuron 7: -10 to 10, threshold 12 (1.50 in the source); 1 in the source is 8" in drawing.words
    assert "dashed: the threshold" in drawing.words and "20 (20.0 ms)" in drawing.words
    text = str(trace(full()["traces"][0])).partition('class="below"')[0]
    assert re.findall(r'y1="(\S+)" y2="\S+" class="passed"', text) == ["0"]
    marks = dict(re.findall(r'y="(\S+)" text-anchor="end">(\S+?)<', text))
    assert {height: float(name) for height, name in marks.items()} == {
        f"{TRACE - (value + 10) / 22 * TRACE + 4:.6g}": value for value in (-10, 0, 10)
    }


def test_equal_values_are_a_flat_line() -> None:
    assert "nan" not in str(trace(full()["traces"][0] | {"values": [7] * 9}))
    assert "nan" not in str(trace(full()["traces"][0] | {"values": []}))


def test_files_beside_the_page(tmp_path: Path) -> None:
    paths = render(full(), tmp_path / "a" / "r.html")
    assert [path.name for path in paths] == ["r.html", *(f"r{suffix}" for suffix in BESIDE)]
    assert json.loads((tmp_path / "a" / "r.json").read_text()) == full()
    for suffix, rows in (("_populations", 2), ("_projections", 1), ("_cores", 2)):
        table = list(csv.reader(io.StringIO((tmp_path / "a" / f"r{suffix}.csv").read_text())))
        assert len(table) == 1 + rows and len({len(row) for row in table}) == 1
    page = Reader((tmp_path / "a" / "r.html").read_text())
    assert {f"./r{suffix}" for suffix in BESIDE} <= {value for _, name, value in page.attributes if name == "href"}


def test_no_projection_at_all(tmp_path: Path) -> None:
    data = full() | {"projections": {}}
    render(data, tmp_path / "r.html")
    assert (tmp_path / "r_projections.csv").read_text().startswith("projection")
