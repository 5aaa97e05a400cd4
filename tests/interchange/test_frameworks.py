"""Files that four frameworks wrote, against the spikes that they computed; a trained network by the command line."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir.conventions import CONVENTIONS, as_meant_by, read_as
from scripts.interchange import table as document
from tests.interchange import cells
from tests.interchange.cells import FIXTURES, FRAMEWORKS, LIMITS, MEMBRANE, Cell
from tests.refusals import refused
from tests.tiny import Cli

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
    assert shown == document.whole(cells.table(rows().values())).strip(), "run scripts/interchange/table.py"


def test_conventions_are_those_of_the_page() -> None:
    assert set(CONVENTIONS) == set(FRAMEWORKS)


@pytest.mark.parametrize(
    "told",
    [
        {"source": "nest"}, {"source": "snntorch", "reset": "soft"},
        {"reset": "subtract-next"}, {"v_reset": 0.5}, {"unit_gain": True},  # repairs need a source
    ],
)  # fmt: skip
def test_an_unknown_source_or_reset_and_repairs_without_a_source_are_refused(told: dict[str, Any]) -> None:
    error = refused(ModelError, "ND1270", read_as, FIXTURES / "snntorch" / "lif.nir", 1e-4, **told)
    assert "snntorch" in error.fix or "reset" in told


FOLDER = Path(__file__).resolve().parent / "digits"
NIR = FOLDER / "snntorch.nir"
INPUT, LABELS = ["--input", str(FOLDER / "input.npz")], str(FOLDER / "labels.npy")
LIKE_TORCH, REFERENCE = [*INPUT, "--layout", "time-first"], ["--reference", str(FOLDER / "spikes.npz")]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    pipeline.convert(NIR, folder / "meant.nd", source="snntorch")
    pipeline.convert(NIR, folder / "word.nd", dt=1e-4)
    return folder


def compared(bundle: Path, reference: Path) -> Any:
    return pipeline.eval(bundle, input=FOLDER / "input.npz", reference=reference, layout="time-first")


def recorded() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Labels, and snnTorch's output spikes (steps, samples, 10)."""
    return np.load(FOLDER / "labels.npy"), np.load(FOLDER / "spikes.npz")["output"]


def test_the_step_of_our_own_examples_is_refused_with_the_command_to_type(tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "x.nd"
    found = cli("convert", NIR, "--dt", "1e-3", "--out", out)
    assert found.status == 2 and found.err.startswith("error ND1214 ") and "written by snntorch" in found.err
    command = found.err.split("type: ")[1].split(";")[0].split()
    assert command == ["neurodeploy", "convert", str(NIR), "--source", "snntorch", "--out", str(out)]
    assert cli(*command[1:]).status == 0 and out.is_dir()


def test_the_source_alone_gives_snntorchs_own_spikes(bundles: Path, cli: Cli) -> None:
    (row,) = cli.json("eval", bundles / "meant.nd", *LIKE_TORCH, "--labels", LABELS, *REFERENCE)["reference"]
    labels, spikes = recorded()
    assert row["reference_spikes"] == spikes.sum() and row["compared"] == spikes.size
    assert row["reference_correct"] == (spikes.sum(axis=0).argmax(axis=1) == labels).sum() == 144
    assert row["float_differing"] == 0  # every spike of snnTorch, before rounding
    assert row["differing"] < 0.018 * row["compared"] and abs(row["chip_correct"] - 144) <= 2


def test_the_chip_is_compared_with_the_arrays_themselves(bundles: Path, tmp_path: Path) -> None:
    """The count of `eval` against one made here from what `run` writes."""
    bundle = bundles / "meant.nd"
    (row,) = compared(bundle, FOLDER / "spikes.npz")["reference"]
    padded = np.concatenate([np.load(FOLDER / "input.npz")["input"], np.zeros((row["latency"], 150, 64), np.uint8)])
    np.save(tmp_path / "long.npy", padded)
    pipeline.run(bundle, input=tmp_path / "long.npy", out=tmp_path / "o.npz", layout="time-first")
    name = next(key for key in np.load(tmp_path / "o.npz") if key.startswith("out."))
    chip = np.load(tmp_path / "o.npz")[name][:, row["latency"] :]
    assert row["differing"] == np.count_nonzero(chip != recorded()[1].swapaxes(0, 1)) > 0


def test_at_its_word_the_file_is_another_network_and_says_so_first(bundles: Path, cli: Cli) -> None:
    found = cli.json("eval", bundles / "word.nd", *LIKE_TORCH, *REFERENCE)
    (row,), (alone,) = found["reference"], found["comparison"]
    assert alone["differing"] < 0.01 * alone["compared"]  # both sides share the wrong reading
    assert row["differing"] > 0.03 * row["compared"] and row["float_differing"] > 0.03 * row["compared"]
    assert "before any rounding" in found["open_questions"][0]
    assert any("--source snntorch" in line for line in found["open_questions"])


@pytest.mark.parametrize("reference", [True, False])
def test_the_first_line_says_what_the_chip_was_compared_with(reference: bool, bundles: Path, cli: Cli) -> None:
    found = cli("eval", bundles / "meant.nd", *LIKE_TORCH, *(REFERENCE if reference else []))
    first = found.out.splitlines()[0]
    assert ("spikes.npz: what the framework itself computed" in first) == reference
    assert ("both sides share one reading of the file" in first) != reference
    assert ("(0 % before rounding)" in first.replace("\u202f", " ").replace("\u00a0", " ")) == reference


def test_open_questions_stand_right_after_the_answer(tmp_path: Path, cli: Cli) -> None:
    arguments = ["convert", str(NIR), "--source", "snntorch", "--out", str(tmp_path / "x.nd")]
    shown, found = cli(*arguments), cli(*arguments, "--json")
    second = shown.out.splitlines()[1]
    assert second.startswith("open question: ") and "--reset value" in second
    data = json.loads(found.out)
    assert next(iter(data)) == "open_questions" and len(data["open_questions"]) == 1
    answered = cli(*arguments, "--reset", "subtract-next", "--json")
    assert json.loads(answered.out)["open_questions"] == []


def test_a_file_at_its_word_names_the_command_that_means_it(tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "x.nd"
    data = cli.json("convert", NIR, "--dt", "1e-4", "--out", out)
    assert data["command_as_meant"] == f"neurodeploy convert {NIR} --source snntorch --out {out}"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda a: a[:, :, :9], "(25, 150, 9)"),
        (lambda a: a[:, :149], "149 samples of 25 steps, the input 150 of 25"),
        (lambda a: a.swapaxes(0, 1), "25 samples of 150 steps, the input 150 of 25"),
        (lambda a: a * 0.5, "values that are no counts"),
        (lambda a: -a.astype(np.int8), "values that are no counts"),
        (lambda a: a.astype(str), "<U"),
        (lambda a: {"out": a, "other": a}, "['other', 'out']"),
    ],
)
def test_a_reference_that_does_not_fit_is_refused(
    change: Any, told: str, bundles: Path, tmp_path: Path, cli: Cli
) -> None:
    made = change(recorded()[1])
    arrays = made if isinstance(made, dict) else {"output": made}
    np.savez(tmp_path / "r.npz", **arrays)
    arguments = ["eval", str(bundles / "meant.nd"), *LIKE_TORCH, "--reference", str(tmp_path / "r.npz")]
    found = cli(*arguments)
    assert found.status == 2 and found.err.startswith("error ND1273 ") and told in found.err


def test_several_spikes_in_a_step_are_counts_that_no_chip_sends(bundles: Path, tmp_path: Path) -> None:
    """sinabs sends them by default: such a reference is compared, and said to be one."""
    plain = compared(bundles / "meant.nd", FOLDER / "spikes.npz")
    spikes = recorded()[1].astype(np.int64)
    spikes[spikes > 0] += np.arange(np.count_nonzero(spikes)) % 2  # every second one is two
    np.savez(tmp_path / "r.npz", output=spikes)
    found = compared(bundles / "meant.nd", tmp_path / "r.npz")
    several = int((spikes > 1).sum())
    assert any(f"{several} bins of the reference hold several spikes" in line for line in found["open_questions"])
    assert found["reference"][0]["differing"] > plain["reference"][0]["differing"] + 0.9 * several


def test_labels_of_another_order_name_the_layout(bundles: Path, cli: Cli) -> None:
    found = cli("eval", bundles / "meant.nd", *INPUT, "--labels", LABELS)
    assert found.status == 2 and found.err.startswith("error ND3269 ") and "--layout time-first" in found.err
