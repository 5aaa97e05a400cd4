"""Numbers, charts and the chip map: what is drawn, read back from the SVG, is what the numbers say."""

from __future__ import annotations

import math
import re
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.reporting import charts, chipmap, units
from neurodeploy.reporting.charts import Column, Dot, LogScale, Segment, ticks
from neurodeploy.reporting.chipmap import FULLEST, LAYER, build, draw_panel, position, script_data, step_of
from neurodeploy.reporting.units import SPACE, THIN


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (4.614e-3, "J", f"4.61{SPACE}mJ"),
        (0.0, "J", f"0{SPACE}J"),
        (999.6e-6, "J", f"1.00{SPACE}mJ"),
        (999.4e-6, "J", f"999{SPACE}µJ"),
        (1e-9, "s", f"1.00{SPACE}ns"),
        (131_072, "B", f"131{SPACE}kB"),
        (0.25, "B", f"0.250{SPACE}B"),
        (-2.5e-3, "J", f"-2.50{SPACE}mJ"),
        (9_999, "", f"9{THIN}999"),
        (1_250_000, "", f"1.25{SPACE}M"),
        (math.inf, "J", "not finite"),
        (None, "J", units.DASH),
    ],
)
def test_si(value: float | None, unit: str, text: str) -> None:
    assert units.si(value, unit) == text


def test_band_takes_the_prefix_of_its_nominal() -> None:
    band = {"low": 900e-6, "nominal": 4e-3, "high": 21e-3}
    assert units.span(band, "J") == f"0.90{THIN}–{THIN}21{SPACE}mJ"  # type: ignore[arg-type]


def test_percent_and_share() -> None:
    assert units.percent(0.00182, 2, signed=True) == f"+0.18{SPACE}%"
    assert units.percent(-0.5) == f"\u221250{SPACE}%"
    assert units.percent(1.0) == f"100{SPACE}%"
    assert units.share(0.001) == f"<{THIN}1{SPACE}%"
    assert units.share(0.0) == f"0{SPACE}%"


def test_ranges() -> None:
    assert units.ranges([3, 1, 2, 7, 7]) == "1–3, 7"
    assert units.ranges([0, 2, 4, 6, 8]) == "0, 2, 4, 6, …"
    assert units.ranges([]) == ""


@given(st.floats(min_value=1e-15, max_value=1e17), st.integers(1, 5))
def test_digits_are_exact_to_the_digits_asked_for(value: float, significant: int) -> None:
    text = units.digits(value, significant)
    assert "e" not in text
    assert float(text) == pytest.approx(value, rel=0.51 * 10 ** (1 - significant))


@given(st.floats(min_value=1e-15, max_value=1e15))
def test_si_keeps_the_value(value: float) -> None:
    number, _, unit = units.si(value, "J").partition(SPACE)
    factor = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
    assert float(number) * factor.get(unit.removesuffix("J"), 1e15) == pytest.approx(value, rel=6e-3)
    assert 0.99 <= float(number) < 1000


def band(low: float, nominal: float, high: float) -> Any:
    return {"low": low, "nominal": nominal, "high": high}


def attributes(markup: str, tag: str, class_: str) -> list[dict[str, float]]:
    """Numeric attributes (percent as numbers) of the shapes of one class."""
    found = []
    for body in re.findall(rf"<{tag} ([^>]*)/>", markup):
        pairs = dict(re.findall(r'([\w-]+)="([^"]*)"', body))
        if class_ in pairs.get("class", "").split():
            found.append({k: float(v.rstrip("%")) for k, v in pairs.items() if re.fullmatch(r"-?[\d.]+%?", v)})
    return found


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_ticks_are_round_and_reach_the_top(top: float) -> None:
    marks = ticks(top)
    assert marks[0] == 0 and marks[-1] >= top * (1 - 1e-9) and marks[-2] < top
    assert 3 <= len(marks) <= 6


@pytest.mark.parametrize(("top", "marks"), [(10.4, [0, 5, 10, 15]), (4, [0, 1, 2, 3, 4]), (0, [0, 1])])
def test_ticks_by_hand(top: float, marks: list[float]) -> None:
    assert ticks(top) == marks


def test_a_logarithmic_scale_has_whole_decades() -> None:
    scale = LogScale.over([band(2e-5, 1e-4, 3e-3), band(0.0, 1e-3, 5e-3)])
    assert (scale.low, scale.high) == (-5, -2)
    assert scale.at(1e-5) == "0%" and scale.at(1e-2) == "100%" and scale.at(1e-3) == "66.667%"
    assert scale.at(0.0) == "0%"
    assert LogScale.over([]) == LogScale(0, 1)
    assert LogScale.over([band(0, 0, 0)]) == LogScale(0, 1)


def test_a_band_runs_from_low_to_high_with_its_mark_at_the_nominal() -> None:
    drawn = charts.band_plot(band(1e-4, 1e-3, 1e-2), LogScale(-5, -1), "k0", "label")
    assert attributes(drawn, "line", "band")[0] == {"x1": 25, "x2": 75, "y1": 13, "y2": 13}
    assert attributes(drawn, "line", "nominal")[0]["x1"] == 50
    assert "nominal" not in charts.band_plot(None, LogScale(-5, -1), "k0", "not known")
    assert "nominal" not in charts.band_plot(band(0, 0, 0), LogScale(-5, -1), "k0", "nothing")


def test_shares_of_a_whole_fill_the_bar() -> None:
    drawn = charts.composition([Segment(1, "k0", "a"), Segment(3, "k1", "b")], "label")
    assert attributes(drawn, "rect", "k0") == [{"x": 0, "width": 25, "y": 5, "height": 16}]
    assert attributes(drawn, "rect", "k1") == [{"x": 25, "width": 75, "y": 5, "height": 16}]


def test_a_bar_is_as_long_as_its_value_and_its_whisker_as_its_band() -> None:
    drawn = charts.bar_row("x", [Segment(2, "k0", ""), Segment(1, "k1", "")], band(2, 3, 8), [0, 5, 10], "3")
    assert [attributes(drawn, "rect", name)[0]["width"] for name in ("k0", "k1")] == [20, 10]
    assert attributes(drawn, "rect", "k1")[0]["x"] == 20
    assert [(line["x1"], line["x2"]) for line in attributes(drawn, "line", "whisk")] == [(20, 80), (20, 20), (80, 80)]


def test_columns_share_an_axis() -> None:
    columns = [Column("0", 4, band(2, 4, 8), "first"), Column("1", 2, None, "second")]
    drawn = charts.column_chart(columns, "label")
    tall, short = attributes(drawn, "rect", "k0")
    assert tall["height"] == pytest.approx(2 * short["height"])
    assert tall["y"] + tall["height"] == pytest.approx(short["y"] + short["height"])
    stem = attributes(drawn, "line", "whisk")[0]
    assert stem["y1"] - stem["y2"] == pytest.approx(1.5 * tall["height"])


@pytest.mark.parametrize(("count", "shown"), [(3, 3), (16, 16), (30, 15), (126, 16)])
def test_labels_of_many_columns_are_thinned(count: int, shown: int) -> None:
    drawn = charts.column_chart([Column(f"{i}", 1.0, None, "") for i in range(count)], "label")
    labels = re.findall(r'text-anchor="middle">(\d+)<', drawn)
    assert len(labels) == shown and labels[0] == "0"


def test_dots_stand_at_their_layer_and_higher_is_better() -> None:
    drawn = charts.dot_chart([Dot(0, 30, "k0", ""), Dot(1, 40, "k1", "")], "dB", "label")
    low, high = attributes(drawn, "circle", "dot")
    assert (low["cx"], high["cx"]) == (25, 75)
    assert high["cy"] < low["cy"]


def test_equal_dots_do_not_divide_by_zero() -> None:
    drawn = charts.dot_chart([Dot(0, 30, "k0", ""), Dot(1, 30, "k0", "")], "dB", "label")
    first, second = attributes(drawn, "circle", "dot")
    assert first["cy"] == second["cy"]


MESH: Any = {"columns": 8, "rows": 4, "cores_per_router": 4}


def squares(markup: str, class_: str | None = None) -> list[tuple[int, int]]:
    """Corners of the squares of one colour, or of all."""
    paths = re.findall(r'<path class="(\w+)" d="([^"]*)"', markup)
    kept = "".join(d for name, d in paths if class_ in (None, name))
    return [(int(x), int(y)) for x, y in re.findall(r"M(-?\d+) (-?\d+)", kept)]


def test_positions_follow_the_rule_of_the_schema() -> None:
    assert position(MESH, 0) == (0, 0)
    assert position(MESH, 1) == (10, 0)  # the same router, one place to the right
    assert position(MESH, 2) == (0, 10)  # the same router, one row down
    assert position(MESH, 4) == (24, 0)  # the next router
    assert position(MESH, 32) == (0, 24)  # the first router of the second row
    assert len({position(MESH, cell) for cell in range(128)}) == 128


@pytest.mark.parametrize(
    ("mille", "name"), [(0, "u0"), (99, "u0"), (100, "u1"), (999, "u9"), (1000, "u9"), (1001, "ux"), (None, "un")]
)
def test_steps(mille: int | None, name: str) -> None:
    assert step_of(mille) == name


def test_every_core_in_use_and_every_free_one_is_drawn_once(synthetic: ModuleType) -> None:
    section = synthetic.tiny_moe()["map"]
    found = build(section)
    assert len(found.panels) == 1 and not found.by_chip
    drawn = draw_panel(found, found.panels[0], 0)
    assert len(squares(drawn)) == len(set(squares(drawn))) == 120
    assert len(squares(drawn, "uf")) == 120 - 31
    assert {position(section["mesh"], core) for core in section["cores"]["core"]} == set(squares(drawn)) - set(
        squares(drawn, "uf")
    )


def test_what_is_over_its_limit_stands_out(synthetic: ModuleType) -> None:
    found = build(synthetic.unfit()["map"])
    over = [squares(draw_panel(found, panel, i), "ux") for i, panel in enumerate(found.panels)]
    assert [len(cells) for cells in over] == [0] * 8 + [20]


def test_a_fraction_just_above_one_is_over_and_one_just_below_is_not(synthetic: ModuleType) -> None:
    section = synthetic.tiny_moe()["map"]
    section["cores"]["used_fraction"][:3] = [1.00001, 1.0, 0.99999]
    assert [step_of(v) for v in build(section).modes[FULLEST][:3]] == ["ux", "u9", "u9"]


def test_cores_may_come_in_any_order(synthetic: ModuleType) -> None:
    section = synthetic.smollm()["map"]
    before = build(section)
    cores = section["cores"]
    order = list(range(len(cores["chip"])))[::-1]
    turned = {key: [cores[key][i] for i in order] for key in ("chip", "core", "label", "layer", "used_fraction")}
    fractions = {name: [column[i] for i in order] for name, column in cores["resource_fractions"].items()}
    after = build(section | {"cores": turned | {"resource_fractions": fractions}})
    assert script_data(before) == script_data(after)


def test_too_many_cores_are_drawn_chip_by_chip(synthetic: ModuleType) -> None:
    section = synthetic.hala()["map"]
    found = build(section)
    assert found.by_chip and len(found.panels) == 1
    drawn = draw_panel(found, found.panels[0], 0)
    assert len(set(squares(drawn))) == 1152
    assert len(squares(drawn, "uf")) == 1152 - section["chips_used"]
    assert all(len(values) == section["chips_used"] for values in found.modes.values())
    fractions = [
        f for chip, f in zip(section["cores"]["chip"], section["cores"]["used_fraction"], strict=True) if chip == 7
    ]
    assert found.modes[FULLEST][7] == round(1000 * sum(fractions) / len(fractions))


def test_captions_tell_layers_and_what_has_none(synthetic: ModuleType) -> None:
    panels = build(synthetic.smollm()["map"]).panels
    assert panels[0].caption.startswith("120 cores, layers 0–3, ")
    assert panels[7].caption.startswith("120 cores, layers 28–29, lm_head, ")
    assert panels[8].caption.startswith("120 cores, lm_head, ")


def test_no_layer_at_all_gives_no_colouring_by_layer(synthetic: ModuleType) -> None:
    section = synthetic.tiny_moe()["map"]
    section["cores"]["layer"] = [None] * 31
    assert LAYER not in build(section).modes


def test_a_map_without_cores_is_drawn_as_nothing(synthetic: ModuleType) -> None:
    section = synthetic.smollm()["map"]
    empty = {"chip": [], "core": [], "label": [], "layer": [], "used_fraction": [], "resource_fractions": {}}
    found = build(section | {"cores": empty})
    assert found.panels == [] and script_data(found)["names"] == []
    assert len(squares(chipmap.system_strip(section | {"cores": empty}))) == 32
