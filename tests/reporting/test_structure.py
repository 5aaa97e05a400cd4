"""Pages for people who use a keyboard, a screen reader or few pixels: what the markup and the colours alone can tell.

`test_in_browser.py` tries the pages themselves, where there is a browser.
"""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import product

import pytest

from neurodeploy.reporting.html import el
from neurodeploy.reporting.sections.frame import cell, table
from tests.reporting.structure import Structure, faults
from tests.reporting.test_every_page import CASES, markup

STYLE = files("neurodeploy.reporting").joinpath("style.css").read_text(encoding="utf-8")
#: Text and marks of these colours stand on these. WCAG 2.2: 1.4.3 asks 4.5 of text, 1.4.11 asks 3 of marks.
TEXT = [
    *product(("ink", "muted", "accent"), ("bg", "soft")),
    ("warn", "bg"), ("warn", "warn-soft"), ("ink", "warn-soft"), ("bg", "ink"), ("ink", "line"),
]  # fmt: skip
MARKS = [*product(("whisk", "k0", "accent"), ("bg", "soft")), ("u5", "bg"), ("ux", "bg"), ("ux", "warn-soft")]


@pytest.mark.parametrize("case", CASES)
def test_pages_can_be_heard_and_walked(case: str) -> None:
    assert faults(markup(case)) == []


def colours() -> dict[str, dict[str, str]]:
    """Scheme -> name of a colour -> its six digits."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): #([0-9a-f]{6});", block)) for block in blocks)
    return {"light": light, "dark": {**light, **dark}}


def luminance(digits: str) -> float:
    """Relative luminance of sRGB, WCAG 2.2: ``0.2126 R + 0.7152 G + 0.0722 B`` of linear parts."""
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    """``(lighter + 0.05) / (darker + 0.05)``."""
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def test_the_formula_gives_the_known_ratios() -> None:
    assert contrast("000000", "ffffff") == pytest.approx(21)
    assert contrast("777777", "ffffff") == pytest.approx(4.478, abs=1e-3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_stand_out(scheme: str) -> None:
    known = colours()[scheme]
    ratios = {(*pair, least): contrast(known[pair[0]], known[pair[1]]) for least, pairs in ((4.5, TEXT), (3.0, MARKS))
              for pair in pairs}  # fmt: skip
    assert {key: round(ratio, 2) for key, ratio in ratios.items() if ratio < key[-1]} == {}


def test_every_colour_of_text_is_tried() -> None:
    used = set(re.findall(r"[^-]color: var\(--([\w-]+)\)", STYLE))
    assert used <= {front for front, _ in TEXT} | {"free"}


def broken(before: str, after: str, times: int = 1) -> list[str]:
    page = markup("network full")
    assert before in page
    return faults(page.replace(before, after, times))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('lang="en"', ""), ('<a href="#main"', '<a href="#map"'), ("<h2>", "<h4>"), ('scope="row"', ""), ("<caption", "<p"),
        ('role="img"', ""), ('class="scroll"', 'class="x"'), ('aria-label="Device"', ""),
        ("<h2>Energy</h2>", "<h1>Energy</h1>"),
    ],
)  # fmt: skip
def test_what_is_taken_away_is_missed(before: str, after: str) -> None:
    assert broken(before, after)


def test_only_columns_without_content_are_left_out() -> None:
    """A cell that holds nothing but a mark is not empty; the first column, the heads of the rows, always stays."""
    rows = [
        [cell("", class_="path"), cell(""), cell(el("i", class_="key")), cell("", class_="num"), cell(name)]
        for name in ("", "x")
    ]
    made = Structure(table("What", ["A", "B", "C", "D>", "E"], rows))
    assert [head.text for head in made.all("th") if head.inside("thead")] == ["A", "C", "E"]
    assert [[each.tag for each in row.children] for row in made.all("tr")[1:]] == [["th", "td", "td"]] * 2
    heads = [head.text for head in Structure(markup("network full")).all("th")]
    assert "Device" in heads and "Layers" not in heads
