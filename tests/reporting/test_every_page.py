"""Pages of every kind of report: well formed, loading nothing, escaping everything, equal where the data are equal."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from neurodeploy.reporting.page import page
from tests.reporting import spiking as networks
from tests.reporting import synthetic
from tests.reporting.reader import Reader

CASES = {
    **{f"model {name}": make for name, make in synthetic.CASES.items()},
    **{f"network {name}": make for name, make in networks.CASES.items()},
}
#: All but the largest maps, which take long, and the empty report, which names nothing.
TO_POISON = [name for name in CASES if name not in ("model hala", "model many", "model nothing")]


def markup(case: str, change: Any = lambda data: data) -> str:
    return page(change(CASES[case]()), {"<b>&.json": "everything"})


@pytest.mark.parametrize("case", CASES)
def test_pages_are_well_formed_and_their_anchors_exist(case: str) -> None:
    found = Reader(markup(case))
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {value[1:] for tag, name, value in found.attributes if (tag, name) == ("a", "href") and value[0] == "#"}
    assert targets and targets <= set(ids)
    assert found.tags["h1"] == 1 and not re.search(r"\bnan\b|\binf\b", found.words)


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_requested(case: str) -> None:
    found = Reader(markup(case))
    for tag, name, value in found.attributes:
        assert not re.search(r"https?:|//", value), (tag, name, value)
        assert not name.startswith("on") and name not in ("src", "srcset", "style", "action", "background")
        if name == "href":
            assert value.startswith(("#", "./")) or value == "data:,"
    assert not re.search(r"url\(|@import|https?:", found.blocks["style"])
    script = found.blocks["script"].replace("http://www.w3.org/2000/svg", "")  # the name of SVG, never fetched
    assert not re.search(r"https?:|fetch|XMLHttpRequest|import\(|innerHTML|eval\(", script)


@pytest.mark.parametrize("case", CASES)
def test_equal_data_give_equal_pages(case: str) -> None:
    assert markup(case) == markup(case, copy.deepcopy)


HOSTILE = "<script>alert(1)</script>\"'&]]>--><img src=x onerror=1>\u0000\u2028=cmd()\ud800"
#: Values from a fixed list.
FIXED = {"boundary", "basis"}
#: Tables whose rows have names of strangers.
FREE = {
    "utilisation", "resource_fractions", "by_layer", "by_component", "experts", "hashes", "populations", "projections",
    "neurobench",
}  # fmt: skip


def poison(value: Any, key: str = "") -> Any:
    """The same data with every free string hostile, names of resources, hashes, layers and populations too."""
    if isinstance(value, str):
        return value if key in FIXED else f"{HOSTILE}{value}"
    if isinstance(value, list):
        return [poison(item, key) for item in value]
    if isinstance(value, dict):
        named = {name: key in FREE and not (key == "by_layer" and name.isdigit()) for name in value}
        return {f"{HOSTILE}{name}" if named[name] else name: poison(item, name) for name, item in value.items()}
    return value


@pytest.mark.parametrize("case", TO_POISON)
def test_hostile_names_stay_text(case: str) -> None:
    text = markup(case, poison)
    found, clean = Reader(text), Reader(markup(case))
    assert found.tags.keys() == clean.tags.keys()
    assert found.tags["script"] == clean.tags["script"] and found.tags["img"] == 0
    assert {(tag, name) for tag, name, _ in found.attributes} == {(tag, name) for tag, name, _ in clean.attributes}
    assert "<script>alert(1)</script>" in found.words
    assert "\u0000" not in text
    text.encode("utf-8")
    assert "alert" not in found.blocks["script"]
    if "cores" in found.blocks:
        assert "<" not in found.blocks["cores"] and "alert(1)" in json.loads(found.blocks["cores"])["names"][0]
