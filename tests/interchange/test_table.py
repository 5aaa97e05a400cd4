"""Files that four frameworks wrote, against the spikes that they computed themselves; and the page that shows the result."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir.conventions import CONVENTIONS, TAKEN, as_meant_by, read_as
from neurodeploy.frontends.nir.reader import read
from scripts.interchange import table as document
from tests.interchange import cells
from tests.interchange.cells import FIXTURES, FRAMEWORKS, LIMITS, MEMBRANE, Cell
from tests.refusals import refused

ROOT = Path(__file__).resolve().parents[2]


@cache
def rows() -> dict[tuple[str, str], Cell]:
    return {(name, cell.case): cell for name in FRAMEWORKS for cell in cells.cells(name)}


CASES = [(name, entry["case"]) for name in FRAMEWORKS for entry in cells.index(name)["cases"]]
WRITTEN = [(name, entry["case"]) for name in FRAMEWORKS for entry in cells.index(name)["cases"] if "file" in entry]


@pytest.mark.parametrize(("framework", "case"), WRITTEN)
def test_as_meant_every_spike_is_the_frameworks_unless_a_reason_is_written_down(framework: str, case: str) -> None:
    meant = rows()[framework, case].meant
    assert meant is not None
    if (framework, case) in LIMITS:
        assert meant.differing, "the reason in LIMITS is out of date"
    elif meant.error:
        assert meant.error.startswith("ND12")
    else:
        assert not meant.differing
        # snnTorch hands out the membrane before a delayed reset
        if "delayed" not in case and "subtract" not in case:
            assert meant.membrane is not None and meant.membrane <= MEMBRANE


@pytest.mark.parametrize(("framework", "case"), WRITTEN)
def test_nothing_is_silently_wrong(framework: str, case: str) -> None:
    """Where a file read with its source gives other spikes than the framework, a code or a note said so beforehand."""
    cell = rows()[framework, case]
    assert cell.read is not None and cell.meant is not None
    if cell.network is None:  # refused with a code
        assert cell.read.error.startswith("ND12")
        return
    plain = as_meant_by(cell.network, framework)  # without what only the user knows
    if cell.told or cell.limit:
        gaps = [note.done for note in plain.notes if "its files do not say" in note.done]
        assert gaps, "the framework differs and the reader said nothing"


@pytest.mark.parametrize(("framework", "case"), [key for key in CASES if key not in WRITTEN])
def test_what_an_exporter_refuses_is_recorded_with_its_message(framework: str, case: str) -> None:
    cell = rows()[framework, case]
    assert cell.read is None and ":" in cell.entry["export_error"]
    assert not (FIXTURES / framework / f"{case}.nir").exists()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_integers_follow_the_framework(framework: str) -> None:
    """Each case of this framework as integers: a share of differing bins well below that of guessing."""
    for cell in (cell for (name, _), cell in rows().items() if name == framework):
        if cell.integers is None or cell.limit:
            continue
        assert not cell.integers.error, f"{cell.case}: {cell.integers.error}"
        recorded = np.load(FIXTURES / framework / f"{cell.case}.npz")
        last = list(cell.entry["nodes"])[-1]
        if f"spikes.{last}" in recorded:
            rate = float(recorded[f"spikes.{last}"].mean())
            guessing = 2 * rate * (1 - rate)  # independent spikes of the same rate
            assert cell.integers.differing is not None and cell.integers.differing < guessing / 2, cell.case


def test_the_page_is_current() -> None:
    text = document.DOCUMENT.read_text()
    shown = text.split(document.START)[1].split(document.END)[0].strip()
    assert shown == cells.table(rows().values()).strip(), "run scripts/interchange/table.py"


def test_conventions_are_those_of_the_page() -> None:
    assert set(CONVENTIONS) == set(FRAMEWORKS)


def test_an_unknown_source_or_reset_is_refused() -> None:
    network = read(FIXTURES / "snntorch" / "lif.nir", 1e-4)
    for options in ({"source": "nest"}, {"source": "snntorch", "reset": "soft"}):
        refused(ModelError, "ND1270", as_meant_by, network, **options)


def test_a_time_constant_shorter_than_the_step_is_refused() -> None:
    error = refused(ModelError, "ND1271", read_as, FIXTURES / "norse" / "lif.nir", 1e-3)
    assert "norse" in error.fix
    assert read_as(FIXTURES / "norse" / "lif.nir", 1e-3, "norse").nodes["1"].params["tau"].min() >= 1e-3


def test_a_file_of_unknown_source_says_how_it_was_taken() -> None:
    network = read_as(FIXTURES / "spikingjelly" / "if_ties.nir", 1e-4)
    assert network.notes[-1].done == TAKEN
    told = read_as(FIXTURES / "snntorch" / "lif_subtract.nir", 1e-4, "snntorch", reset="subtract-next")
    assert told.provenance["reset"] == "subtract-next" and TAKEN not in {note.done for note in told.notes}


def test_another_time_step_than_the_sources_is_noted() -> None:
    network = as_meant_by(read(FIXTURES / "snntorch" / "lif.nir", 1e-3), "snntorch")
    assert any("written for 0.0001 s" in note.done for note in network.notes)


@pytest.mark.parametrize("told", [{"reset": "subtract-next"}, {"v_reset": 0.5}, {"unit_gain": True}])
def test_repairs_need_a_source(told: dict[str, Any]) -> None:
    error = refused(ModelError, "ND1270", read_as, FIXTURES / "snntorch" / "lif.nir", 1e-4, **told)
    assert "snntorch" in error.fix
