"""Numbers for readers: values worked out by hand, and what must hold for any value."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.reporting import units
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
