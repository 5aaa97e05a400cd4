"""The front of a table, its answer, and the page that is drawn of it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from neurodeploy.pipeline.explore_table import answer, mark_front
from neurodeploy.reporting.exploration_page import exploration_page
from tests.reporting.reader import Reader

COLUMNS = ("loss", "joules_wall", "chips_used")


def row(number: int, loss: float | None, joules: float | None, chips: int | None, **more: Any) -> dict[str, Any]:
    found = {"point": number, "seed": number, "error": None, "loss": loss, "loss_change": None, "kl_per_token": None}
    for name, value in (("joules_board", joules), ("joules_wall", joules), ("seconds", joules)):
        bounds = (None, None) if value is None else (value / 2, value * 3)
        found |= {name: value, f"{name}_low": bounds[0], f"{name}_high": bounds[1]}
    counts = {"chips_used": chips, "cores_used": chips, "host_islands": 0}
    return {**found, **counts, "bundle": None, "front": False, **more}


def table(rows: list[dict[str, Any]], float_loss: float | None, relative: bool = True) -> dict[str, Any]:
    mark_front(rows, COLUMNS)
    found = {
        "model": "<b>net", "kind": "language model", "data": "text.txt", "loss_is": "bits per byte", "relative": relative,
        "float_loss": float_loss, "unit": "generated token", "over": {"seed": [r["seed"] for r in rows]},
        "chosen": "all points", "host": "cpu-generic", "powered": "used", "rows": rows,
    }  # fmt: skip
    return {"answer": answer(found, rows), **found}


def test_the_front_is_what_nobody_beats() -> None:
    rng = random.Random(3)
    rows = [row(i, rng.randrange(5), rng.randrange(1, 6), rng.randrange(1, 4)) for i in range(60)]
    rows += [row(60, None, 1.0, 1), row(61, 0.0, None, 1), row(62, 0.0, 0.5, 1, error="ND2001 it does not fit")]
    mark_front(rows, COLUMNS)
    known = [each for each in rows if each["point"] < 60]
    for each in known:
        ours = [each[name] for name in COLUMNS]
        beaten = any(
            all(other[name] <= value for name, value in zip(COLUMNS, ours, strict=True))
            and any(other[name] < value for name, value in zip(COLUMNS, ours, strict=True))
            for other in known
        )
        assert each["front"] is not beaten
    assert not any(each["front"] for each in rows if each["point"] >= 60)


@pytest.mark.parametrize(
    ("float_loss", "relative", "begin"),
    [
        (2.0, True, "least joules within 1 % of float: seed=1:"),
        (1.5, True, "least loss: seed=0:"),
        (None, True, "least joules within 1 % of the least loss: seed=1:"),
        (None, False, "least loss: seed=0:"),
    ],
)
def test_the_answer(float_loss: float | None, relative: bool, begin: str) -> None:
    rows = [row(0, 2.0, 9e-3, 1), row(1, 2.019, 5e-3, 1), row(2, 2.5, 1e-3, 1), row(3, 2.5, 2e-3, 2)]
    said = table(rows, float_loss, relative)["answer"]
    assert said.startswith(begin) and said.endswith("3 of 4 points on the front")


def test_nothing_was_priced() -> None:
    rows = [row(0, None, None, None, error="ND2001 demo: does not fit")]
    found = table(rows, None)
    assert found["answer"] == "no point of 1 could be priced: ND2001 demo: does not fit"
    assert "No point could be priced" in exploration_page(found)


def test_the_page_shows_every_point_and_loads_nothing() -> None:
    rows = [
        row(0, 2.0, 9e-3, 1),
        row(1, 2.1, 5e-3, 2),
        row(2, 2.5, 1e-2, 2),
        row(4, 1.9, 1e-2, 1),
        row(3, None, None, None, error="<i>no"),
    ]
    page = exploration_page(table(rows, 2.0))
    found = Reader(page)
    circles = [value for tag, name, value in found.attributes if tag == "circle" and name == "class"]
    assert sorted(circles) == ["dot k0", "dot k0", "dot k1", "dot k1 behind"]
    assert [tag for tag, name, value in found.attributes if tag == "line" and (name, value) == ("class", "front")] == [
        "line"
    ]
    assert "<b>net" not in page and "<i>no" not in page and "&lt;i&gt;no" in page
    assert not [value for _, name, value in found.attributes if name in ("src", "href") and "//" in str(value)]


def test_one_point_alone_is_drawn() -> None:
    assert "circle" in exploration_page(table([row(0, 0.0, 1e-3, 1)], None))
