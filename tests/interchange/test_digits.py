"""A trained network of snnTorch, as its exporter wrote it, through the command line: against the spikes of snnTorch itself.

Recorded by `scripts/interchange/digits_snntorch.py`: 64-64-10, 144 of 150 digits right in snnTorch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy import pipeline
from tests.tiny import Answer, call

FOLDER = Path(__file__).resolve().parent / "digits"
NIR = FOLDER / "snntorch.nir"
LIKE_TORCH = ["--input", str(FOLDER / "input.npz"), "--layout", "time-first"]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    pipeline.convert(NIR, folder / "meant.nd", source="snntorch")
    pipeline.convert(NIR, folder / "word.nd", dt=1e-4)
    return folder


def evaluated(bundle: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    found = call(["eval", str(bundle), *LIKE_TORCH, *more, "--json"], capsys)
    assert found.status == 0, found.err
    return json.loads(found.out)


def recorded() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Labels, and snnTorch's output spikes (steps, samples, 10)."""
    return np.load(FOLDER / "labels.npy"), np.load(FOLDER / "spikes.npz")["output"]


def test_the_step_of_our_own_examples_is_refused_with_the_command_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.nd"
    found = call(["convert", str(NIR), "--dt", "1e-3", "--out", str(out)], capsys)
    assert found.status == 2 and found.err.startswith("error ND1214 ") and "written by snntorch" in found.err
    command = found.err.split("type: ")[1].split(";")[0].split()
    assert command == ["neurodeploy", "convert", str(NIR), "--source", "snntorch", "--out", str(out)]
    assert call(command[1:], capsys).status == 0 and out.is_dir()


def test_the_source_alone_gives_snntorchs_own_spikes(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(
        bundles / "meant.nd", capsys, "--labels", str(FOLDER / "labels.npy"), "--reference", str(FOLDER / "spikes.npz")
    )
    (row,) = found["reference"]
    labels, spikes = recorded()
    assert row["reference_spikes"] == spikes.sum() and row["compared"] == spikes.size
    assert row["reference_correct"] == (spikes.sum(axis=0).argmax(axis=1) == labels).sum() == 144
    assert row["float_differing"] == 0  # every spike of snnTorch, before rounding
    assert row["differing"] < 0.018 * row["compared"] and abs(row["chip_correct"] - 144) <= 2


def test_the_chip_is_compared_with_the_arrays_themselves(bundles: Path, tmp_path: Path) -> None:
    """The count of `eval` against one made here from what `run` writes."""
    bundle = bundles / "meant.nd"
    given: dict[str, Any] = {"layout": "time-first"}
    found = pipeline.eval(bundle, input=FOLDER / "input.npz", reference=FOLDER / "spikes.npz", **given)
    (row,) = found["reference"]
    padded = np.concatenate([np.load(FOLDER / "input.npz")["input"], np.zeros((row["latency"], 150, 64), np.uint8)])
    np.save(tmp_path / "long.npy", padded)
    pipeline.run(bundle, input=tmp_path / "long.npy", out=tmp_path / "o.npz", **given)
    name = next(key for key in np.load(tmp_path / "o.npz") if key.startswith("out."))
    chip = np.load(tmp_path / "o.npz")[name][:, row["latency"] :]
    assert row["differing"] == np.count_nonzero(chip != recorded()[1].swapaxes(0, 1)) > 0


def test_at_its_word_the_file_is_another_network_and_says_so_first(
    bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(bundles / "word.nd", capsys, "--reference", str(FOLDER / "spikes.npz"))
    (row,), (alone,) = found["reference"], found["comparison"]
    assert alone["differing"] < 0.01 * alone["compared"]  # both sides share the wrong reading
    assert row["differing"] > 0.03 * row["compared"] and row["float_differing"] > 0.03 * row["compared"]
    assert "before any rounding" in found["open_questions"][0]
    assert any("--source snntorch" in line for line in found["open_questions"])


@pytest.mark.parametrize("reference", [True, False])
def test_the_first_line_says_what_the_chip_was_compared_with(
    reference: bool, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--reference", str(FOLDER / "spikes.npz")] if reference else []
    found = call(["eval", str(bundles / "meant.nd"), *LIKE_TORCH, *more], capsys)
    first = found.out.splitlines()[0]
    assert ("spikes.npz: what the framework itself computed" in first) == reference
    assert ("both sides share one reading of the file" in first) != reference
    assert ("(0 % before rounding)" in first.replace("\u202f", " ").replace("\u00a0", " ")) == reference


def test_open_questions_are_the_first_of_an_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["convert", str(NIR), "--source", "snntorch", "--out", str(tmp_path / "x.nd")]
    shown, found = call(arguments, capsys), call([*arguments, "--json"], capsys)
    assert shown.out.startswith("open question: ") and "--reset value" in shown.out.splitlines()[0]
    data = json.loads(found.out)
    assert next(iter(data)) == "open_questions" and len(data["open_questions"]) == 1
    answered = call([*arguments, "--reset", "subtract-next", "--json"], capsys)
    assert json.loads(answered.out)["open_questions"] == []


def test_a_file_at_its_word_names_the_command_that_means_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.nd"
    data = json.loads(call(["convert", str(NIR), "--dt", "1e-4", "--out", str(out), "--json"], capsys).out)
    assert data["command_as_meant"] == f"neurodeploy convert {NIR} --source snntorch --out {out}"


def refused(bundles: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Answer:
    found = call(["eval", str(bundles / "meant.nd"), "--input", str(FOLDER / "input.npz"), *more], capsys)
    assert found.status == 2
    return found


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
    change: Any, told: str, bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = change(recorded()[1])
    arrays = made if isinstance(made, dict) else {"output": made}
    np.savez(tmp_path / "r.npz", **arrays)
    found = refused(bundles, capsys, "--layout", "time-first", "--reference", str(tmp_path / "r.npz"))
    assert found.err.startswith("error ND1273 ") and told in found.err


def test_several_spikes_in_a_step_are_counts_that_no_chip_sends(bundles: Path, tmp_path: Path) -> None:
    """sinabs sends them by default: such a reference is compared, and said to be one."""
    given: dict[str, Any] = {"layout": "time-first"}
    plain = pipeline.eval(bundles / "meant.nd", input=FOLDER / "input.npz", reference=FOLDER / "spikes.npz", **given)
    spikes = recorded()[1].astype(np.int64)
    spikes[spikes > 0] += np.arange(np.count_nonzero(spikes)) % 2  # every second one is two
    np.savez(tmp_path / "r.npz", output=spikes)
    found = pipeline.eval(bundles / "meant.nd", input=FOLDER / "input.npz", reference=tmp_path / "r.npz", **given)
    several = int((spikes > 1).sum())
    assert any(f"{several} bins of the reference hold several spikes" in line for line in found["open_questions"])
    assert found["reference"][0]["differing"] > plain["reference"][0]["differing"] + 0.9 * several


def test_labels_of_another_order_name_the_layout(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = refused(bundles, capsys, "--labels", str(FOLDER / "labels.npy"))
    assert found.err.startswith("error ND3269 ") and "--layout time-first" in found.err
