"""Cells that no spreadsheet runs: of a report and of a plan, which is read back."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import nir
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy import pipeline
from neurodeploy.storage.tables import cell, clean, csv_text, marked

#: By the lists of OWASP, and by what spreadsheets make of wide and small forms and of characters that are not seen.
FORMULAS = [
    "=1+1", "+1+1", "-2+3", "@SUM(1+1)", "\t=1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(1)", "\ufe661", "\ufe62",
    "\ufe63", "\ufe6b", "\u22121", " =1", "\u00a0=1", "\u200b=1", "\ufeff=1", "\n=1", "=cmd|' .exe'!A0",
]  # fmt: skip
PLAIN = ["lif", "1-2", "a=b", "'quoted'", "layers.0.attention", "0-2 5", "", "\u00fc", "(=1)"]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_marked_as_text(text: str) -> None:
    row = next(csv.reader(io.StringIO(csv_text([text], []))))
    assert row[0].startswith("'") and marked(row[0]) == clean(text)


@pytest.mark.parametrize("value", [*PLAIN, 3, -4, -0.5, None])
def test_all_else_stays_as_it_is(value: object) -> None:
    assert cell(value) == value


@given(st.text(alphabet="'=+-@ab \uff1d\u200b"))
def test_every_text_comes_back(text: str) -> None:
    assert marked(cell(text)) == clean(text)


@pytest.mark.parametrize("name", ["=cmd|' .exe'!A0", "\uff1d1+1", "'=1", "-2+3", "@SUM(1+1)"])
def test_a_plan_with_such_a_name_is_written_marked_and_read_back(name: str, tmp_path: Path) -> None:
    """Names of NIR nodes are a stranger's; a plan is made to be opened in a spreadsheet."""
    nodes = {
        "in": nir.Input(np.array([3])),
        "w": nir.Affine(np.ones((4, 3)), np.zeros(4)),
        name: nir.IF(np.ones(4), np.ones(4), np.zeros(4)),
        "out": nir.Output(np.array([4])),
    }
    nir.write(tmp_path / "x.nir", nir.NIRGraph(nodes, [("in", "w"), ("w", name), (name, "out")]))
    bundle, plan = tmp_path / "x.nd", tmp_path / "plan.csv"
    pipeline.convert(tmp_path / "x.nir", bundle, dt=1e-3, gain="per-step")
    pipeline.map(bundle, "oheo-gulch", write_plan=plan)
    names = [row[0] for row in csv.reader(plan.read_text(encoding="utf-8").splitlines())]
    assert f"'{name}" in names and name not in names
    text = plan.read_text(encoding="utf-8").splitlines()
    text = [line.replace(",chip,,,", ",chip,2,,") if name in line else line for line in text]
    plan.write_text("\n".join(text), encoding="utf-8")
    found = pipeline.map(bundle, "oheo-gulch", plan=plan, write_plan=tmp_path / "again.csv")
    assert found["shards"] == 2, "two neurons of four a core were asked for"
