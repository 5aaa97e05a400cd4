"""Charts: the lengths and places that are drawn, read back from the SVG, are those of the numbers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.reporting import charts
from neurodeploy.reporting.charts import Column, Dot, LogScale, Segment, ticks


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
    drawn = charts.column_chart(columns, "J", "layer", "label")
    tall, short = attributes(drawn, "rect", "k0")
    assert tall["height"] == pytest.approx(2 * short["height"])
    assert tall["y"] + tall["height"] == pytest.approx(short["y"] + short["height"])
    stem = attributes(drawn, "line", "whisk")[0]
    assert stem["y1"] - stem["y2"] == pytest.approx(1.5 * tall["height"])


@pytest.mark.parametrize(("count", "shown"), [(3, 3), (16, 16), (30, 15), (126, 16)])
def test_labels_of_many_columns_are_thinned(count: int, shown: int) -> None:
    drawn = charts.column_chart([Column(f"{i}", 1.0, None, "") for i in range(count)], "J", "layer", "label")
    labels = re.findall(r'text-anchor="middle">(\d+)<', drawn)
    assert len(labels) == shown and labels[0] == "0"


def test_dots_stand_at_their_layer_and_higher_is_better() -> None:
    drawn = charts.dot_chart([Dot(0, 30, "k0", ""), Dot(1, 40, "k1", "")], "layer", "dB", "label")
    low, high = attributes(drawn, "circle", "dot")
    assert (low["cx"], high["cx"]) == (25, 75)
    assert high["cy"] < low["cy"]


def test_equal_dots_do_not_divide_by_zero() -> None:
    drawn = charts.dot_chart([Dot(0, 30, "k0", ""), Dot(1, 30, "k0", "")], "layer", "dB", "label")
    first, second = attributes(drawn, "circle", "dot")
    assert first["cy"] == second["cy"]
