"""Arrays whose first axis is time, as most frameworks have them: told, asked about, and read alike by every verb."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.errors import UserError
from tests.interchange.cells import FIXTURES
from tests.pipeline.networks import DT, OUTPUTS, SAMPLES, STEPS, Files
from tests.refusals import refused
from tests.tiny import Cli


@pytest.fixture
def turned(files: Files, tmp_path: Path) -> Path:
    """The spikes of all cases as (steps, samples, neurons)."""
    path = tmp_path / "turned.npy"
    np.save(path, np.load(files.spikes).swapaxes(0, 1))
    return path


def plain(found: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on the machine or names the file."""
    return {key: value for key, value in found.items() if key not in ("seconds", "steps_per_s", "input")}


def test_every_verb_reads_the_same_from_both_orders(files: Files, turned: Path, tmp_path: Path) -> None:
    layout: dict[str, Any] = {"layout": "time-first"}
    bundle = files.plain_nd
    for verb in (pipeline.run, pipeline.eval, pipeline.energy):
        assert plain(verb(bundle, input=turned, **layout)) == plain(verb(bundle, input=files.spikes))
    for name, given, more in (("a", turned, layout), ("b", files.spikes, {})):
        pipeline.report(bundle, tmp_path / f"{name}.html", input=given, **more)
        pipeline.convert(files.plain, tmp_path / f"{name}.nd", dt=DT, calibration=given, **more)
    data = [json.loads((tmp_path / f"{name}.json").read_text()) for name in "ab"]
    for one in data:
        del one["run"]["input"]
    assert data[0] == data[1]
    assert (tmp_path / "a.nd" / "network.h5").read_bytes() == (tmp_path / "b.nd" / "network.h5").read_bytes()


def test_samples_of_one_step_are_a_question_right_after_the_answer(
    files: Files, turned: Path, tmp_path: Path, cli: Cli
) -> None:
    """(steps, 1, neurons): one sample, time first, which would be as many samples of one step."""
    np.save(tmp_path / "one.npy", np.load(turned)[:, :1])
    given = [files.plain_nd, "--input", tmp_path / "one.npy"]
    for verb in ("run", "eval", "energy"):
        (question, *_) = cli.json(verb, *given)["open_questions"]
        assert f"{STEPS} samples of one step each" in question and "--layout time-first" in question
        for layout in ("time-first", "sample-first"):
            told = cli.json(verb, *given, "--layout", layout)
            assert not any("one step" in line for line in told["open_questions"])
    for said in (cli("run", *given), cli("run", *given, "-v")):
        assert said.out.splitlines()[1].startswith("open question: input: ")
    told = pipeline.run(files.plain_nd, input=tmp_path / "one.npy", layout="time-first")
    assert (told["samples"], told["steps"]) == (1, STEPS)
    assert "one step" in " ".join(pipeline.report(
        files.plain_nd, tmp_path / "r.html", input=tmp_path / "one.npy"
    )["data"]["run"]["notes"])  # fmt: skip


@pytest.mark.parametrize("shape", ["one sample", "no sample axis", "samples of steps"])
def test_what_can_only_mean_one_thing_is_not_asked(shape: str, files: Files, tmp_path: Path) -> None:
    values = np.load(files.spikes)
    values = {"one sample": values[:1, :1], "no sample axis": values[0], "samples of steps": values}[shape]
    np.save(tmp_path / "x.npy", values)
    assert pipeline.run(files.plain_nd, input=tmp_path / "x.npy")["open_questions"] == []


def test_a_reference_for_integers_without_a_float_network(files: Files, turned: Path, tmp_path: Path) -> None:
    """A lava-dl .net has nothing to compare with but what somebody else computed."""
    pipeline.run(files.net_nd, input=files.spikes, out=tmp_path / "o.npz")
    wanted = np.load(tmp_path / "o.npz")["out.layer2"].astype(np.uint8)
    wanted[0, 3, 1] ^= 1
    np.save(tmp_path / "r.npy", wanted.swapaxes(0, 1))
    found = pipeline.eval(files.net_nd, input=turned, layout="time-first", reference=tmp_path / "r.npy")
    (row,) = found["reference"]
    assert (row["differing"], row["compared"], row["first_difference"]) == (1, SAMPLES * STEPS * OUTPUTS, 4)
    assert found["comparison"] == [] and row["float_differing"] is None


def test_layouts_that_say_nothing(files: Files, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "x.h5").write_bytes(b"")
    for given, layout in ((files.spikes, "time"), (tmp_path / "x.h5", "time-first")):
        refused(UserError, "ND1272", pipeline.run, files.plain_nd, input=given, layout=layout)
    for verb, source, *options in (("convert", files.plain, "--dt", "1e-3"), ("export", files.plain_nd)):
        found = cli(verb, source, *options, "--layout", "time-first", "--out", tmp_path / "x.nir")
        assert found.status == 2 and found.err.startswith("error ND3261 --layout")


def test_membranes_are_a_reference_of_an_output_without_spikes(tmp_path: Path, cli: Cli) -> None:
    """Norse's own readout: the float network is it but for float32, the chip but for its integers."""
    recorded = dict(np.load(FIXTURES / "norse" / "li.npz"))
    np.save(tmp_path / "in.npy", recorded["input"])
    pipeline.convert(FIXTURES / "norse" / "li.nir", tmp_path / "li.nd", source="norse", calibration=tmp_path / "in.npy")
    for name, factor in (("right", 1.0), ("wrong", 1.1)):
        np.save(tmp_path / f"{name}.npy", factor * recorded["v.3"])
        given = {"input": tmp_path / "in.npy", "reference": tmp_path / f"{name}.npy"}
        found = pipeline.eval(tmp_path / "li.nd", **given)
        (row,) = found["reference"]
        assert (row["worst"] < 0.01) == (row["float_worst"] < 1e-5) == (name == "right")
        assert any("before any rounding" in line for line in found["open_questions"]) == (name == "wrong")
    arguments = ["--input", str(tmp_path / "in.npy"), "--reference", str(tmp_path / "right.npy")]
    assert "output against the reference: values" in cli("eval", tmp_path / "li.nd", *arguments).out
