"""Labels of samples: one meaning in every kind of file and verb; what is right and what is taken for what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import UserError
from neurodeploy.frontends.streams import Stream
from neurodeploy.pipeline.labels import confusion, read_labels
from tests.pipeline.networks import SAMPLES, Files
from tests.tiny import Cli

STREAM = Stream({}, 7, 3)
TEXTS = {
    "lines": "4\n0\n2\n", "a head": "label\n4\n0\n2", "one line": "4, 0, 2", "semicolons": "4;0;2;\n",
    "windows": "\ufeff4\r\n0\r\n\r\n2\r\n", "two columns of a row": "4 0\n2\n",
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_read_as_arrays_are(name: str, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(TEXTS[name], encoding="utf-8")
    np.save(tmp_path / "l.npy", np.array([4, 0, 2], np.uint8))
    texts, array = (read_labels(tmp_path / file, STREAM, 5) for file in ("l.csv", "l.npy"))
    assert texts.tolist() == array.tolist() == [4, 0, 2] and texts.dtype == array.dtype == np.int64


@pytest.mark.parametrize(
    "text", ["", "a\nb\n4\n0\n2", "a,b\n4,0,2", "4\n0", "4\n0\n2\n1", "4\n0\n1e3", "4\n0\n" + "9" * 30]
)
def test_texts_that_are_no_labels(text: str, tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text(text)
    with pytest.raises(UserError, match="ND3269"):
        read_labels(tmp_path / "l.txt", STREAM, 5)


def test_the_first_axis_may_be_time(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("0\n" * STREAM.steps)
    with pytest.raises(UserError, match="--layout time-first"):
        read_labels(tmp_path / "l.txt", STREAM)


def test_confusion_counts_every_sample_once() -> None:
    rng = np.random.default_rng(1)
    classes, chip, theirs = rng.integers(0, 5, (3, 400))
    found = confusion(classes, {"chip": chip, "float": theirs})
    assert found["chip_correct"] == (classes == chip).sum() and found["float_correct"] == (classes == theirs).sum()
    assert found["same_decision"] == (chip == theirs).sum()
    assert sum(row["samples"] for row in found["classes"]) == 400
    assert sum(row["right"] for row in found["classes"]) == found["chip_correct"]
    shares = [row["right"] / row["samples"] for row in found["classes"]]
    assert shares == sorted(shares)
    for row in found["classes"]:
        others = [other["samples"] for other in row["taken_for"]]
        assert others == sorted(others, reverse=True) and len(others) == 3
        for other in row["taken_for"]:
            assert other["samples"] == ((classes == row["class"]) & (chip == other["class"])).sum()


@pytest.mark.parametrize("kind", ["plain", "graded", "net"])
def test_report_and_eval_agree(kind: str, files: Files, tmp_path: Path) -> None:
    """Also where nothing is known of a float network. A label of what `run` finds most active is right."""
    bundle, input = files.of(kind)
    (tmp_path / "l.txt").write_text("0 1 2")
    found = nd.report(bundle, tmp_path / "r.html", input=input, labels=tmp_path / "l.txt")["data"]["labelled"]
    (row,) = found["outputs"]
    assert (found["file"], found["samples"], row["neurons"]) == ("l.txt", SAMPLES, 3)
    if kind == "net":
        assert row["float_correct"] is None
        (output,) = nd.run(bundle, input=input)["outputs"].values()
        np.save(tmp_path / "all.npy", np.array(output["most_active"]))
        again = nd.report(bundle, tmp_path / "r.html", input=input, labels=tmp_path / "all.npy")["data"]["labelled"]
        assert again["outputs"][0]["chip_correct"] == SAMPLES
        return
    (compared,) = nd.eval(bundle, input=input, labels=tmp_path / "l.txt")["comparison"]
    assert all(row[key] == compared[key] for key in ("chip_correct", "float_correct", "same_decision"))


def test_labels_of_a_torch_module_with_a_host_operation(tmp_path: Path, cli: Cli) -> None:
    """The softmax behind the logits, on the host, changes no class; the logits are those of the module."""
    from torch import from_numpy, manual_seed, nn

    manual_seed(3)
    samples = np.random.default_rng(2).normal(size=(24, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", samples)
    logits = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 4))
    wanted = logits(from_numpy(samples)).detach().numpy()
    sure = np.diff(np.sort(wanted)[:, -2:]).ravel() > 0.02
    assert sure.sum() > 15
    np.save(tmp_path / "l.npy", wanted.argmax(axis=1))
    for name, module in (("bare", logits), ("softmax", nn.Sequential(*logits, nn.Softmax(-1)))):
        nd.convert(module, out=tmp_path / f"{name}.nd", example_inputs=from_numpy(samples))
        out, options = tmp_path / f"{name}.html", ["--input", tmp_path / "x.npy", "--labels", tmp_path / "l.npy"]
        assert cli("report", tmp_path / f"{name}.nd", "--out", out, *options).status == 0
        found = nd.report(tmp_path / f"{name}.nd", out, input=tmp_path / "x.npy", labels=tmp_path / "l.npy")["data"]
        (row,) = found["labelled"]["outputs"]
        assert row["neurons"] == 4 and sure.sum() <= row["chip_correct"] <= 24
        assert f"puts {row['chip_correct']} of 24 samples into the right class" in out.read_text(encoding="utf-8")
        assert found["conversion"]["check"]["largest_relative"] < 0.02


def test_one_number_decides_nothing(tmp_path: Path) -> None:
    from torch import from_numpy, nn

    samples = np.ones((2, 3), np.float32)
    np.save(tmp_path / "x.npy", samples)
    (tmp_path / "l.txt").write_text("0 0")
    nd.convert(nn.Linear(3, 1), out=tmp_path / "one.nd", example_inputs=from_numpy(samples))
    with pytest.raises(UserError, match=r"ND3269 .*two neurons"):
        nd.report(tmp_path / "one.nd", tmp_path / "r.html", input=tmp_path / "x.npy", labels=tmp_path / "l.txt")
