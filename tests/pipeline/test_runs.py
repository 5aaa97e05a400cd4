"""`run` in every way that must give the same bits: runners, stretches, interrupted and resumed, Python and command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.pipeline import stepping, streams
from simulators import float_network
from simulators.reference import ReferenceRunner
from tests.pipeline.breaking import interrupting
from tests.pipeline.networks import DT, SAMPLES, STEPS, Files, copied
from tests.tiny import Cli, Patch, unchanged

Arrays = dict[str, Any]


def load(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def run(files: Files, **options: Any) -> dict[str, Any]:
    """The plain network on its spikes."""
    return pipeline.run(files.plain_nd, **{"input": files.spikes, **options})


def places(path: Path) -> dict[str, Any]:
    """Where a run writes its outputs and its state; `written` reads both."""
    return {"out": path.with_suffix(".npz"), "checkpoint": path.with_suffix(".state")}


def written(path: Path) -> list[bytes]:
    return [place.read_bytes() for place in places(path).values()]


def counts(found: dict[str, Any]) -> list[Any]:
    return [found[key] for key in ("populations", "projections", "outputs", "saturations", "wraps")]


def same(one: Arrays, other: Arrays, start: int = 0) -> None:
    """`one` is `other` from the step `start` on."""
    assert one.keys() == other.keys()
    assert int(one["first_step"]) == start + 1
    for name in one.keys() - {"first_step"}:
        np.testing.assert_array_equal(one[name], other[name][:, start:])


@pytest.mark.parametrize("kind", ["plain", "graded", "image", "net"])
def test_counts_and_outputs_are_those_of_the_reference(kind: str, files: Files, tmp_path: Path) -> None:
    bundle, source = files.of(kind)
    found = pipeline.run(bundle, input=source, out=tmp_path / "o.npz")
    opened = open_bundle(bundle)
    network, stream = opened.program.network, streams.stream_of(source, opened, None)
    wanted = ReferenceRunner().run(network, dict(stream.inputs), STEPS)
    for name, row in found["populations"].items():
        assert row["messages"] == sum(int(counts.sum()) for counts in wanted.activity.fired[name].values())
        assert row["rate"] == row["messages"] / (row["neurons"] * SAMPLES * STEPS)
    for p in network.projections:
        events = wanted.activity.fired[p.source][p.source_port]
        dense = p.synapse.rows * int(events.sum())
        row = found["projections"][p.name]
        assert row["events"] == int(events.sum())
        assert row["synops"] == dense if kind != "image" else 0 < row["synops"] < dense
    (output,) = network.outputs
    assert found["outputs"][output]["messages"] == np.count_nonzero(wanted.outputs[output], axis=(1, 2)).tolist()
    assert sum(found["outputs"][output]["messages"]) > 0
    if kind != "image":
        np.testing.assert_array_equal(load(tmp_path / "o.npz")[f"out.{output}"], wanted.outputs[output])


def test_arrays_are_in_the_order_of_the_source(files: Files, tmp_path: Path) -> None:
    """NIR counts (channel, height, width), the chip (x, y, channel). The network is exact, so the bits must be those of
    the float network, one step later."""
    from neurodeploy.frontends.nir.reader import read

    found = pipeline.run(files.image_nd, input=files.pixels, out=tmp_path / "o.npz", probes=["fire.s"])
    got = load(tmp_path / "o.npz")
    real = read(files.image, DT)
    pixels = np.load(files.pixels).reshape(SAMPLES, STEPS, 20)
    wanted = float_network.run(real, {"input": pixels}).outputs["output"]
    sums = wanted.sum(axis=1)
    assert len({tuple(row) for row in sums.tolist()}) == SAMPLES and (np.ptp(sums, axis=1) > 0).all()
    np.testing.assert_array_equal(got["out.fire"][:, 1:], wanted[:, :-1])
    np.testing.assert_array_equal(got["probe.fire.s"], got["out.fire"])
    assert found["outputs"]["fire"]["latency"] == 1
    assert found["outputs"]["fire"]["most_active"] == wanted[:, :-1].sum(axis=1).argmax(axis=1).tolist()


@pytest.mark.parametrize("runner", ["reference", "fast"])
@pytest.mark.parametrize("stretch", [1, 7])
def test_stretches_do_not_matter(runner: str, stretch: int, files: Files, tmp_path: Path, monkeypatch: Patch) -> None:
    options: dict[str, Any] = {"probes": ["hidden.v", "hidden.a", "last.u"], "runner": runner}
    whole = run(files, **places(tmp_path / "a"), **options)
    monkeypatch.setattr(stepping, "STRETCH", stretch * (8 + 3 + 6 + 6 + 3) * SAMPLES)
    monkeypatch.setattr(stepping, "FIRST_STRETCH", stretch)
    parts = run(files, **places(tmp_path / "b"), **options)
    assert written(tmp_path / "a") == written(tmp_path / "b")
    assert counts(whole) == counts(parts)


@pytest.mark.parametrize("kind", ["plain", "graded", "image", "net"])
def test_every_runner_gives_the_same_files(kind: str, files: Files, tmp_path: Path) -> None:
    """The mapping that "partitioned" executes has no more than two neurons a core."""
    bundle, source = files.of(kind)
    bundle = copied(bundle, tmp_path)
    pipeline.map(bundle, max_rows=2)
    found = {
        runner: pipeline.run(bundle, input=source, runner=runner, **places(tmp_path / runner))
        for runner in ("reference", "fast", "partitioned")
    }
    for runner in ("fast", "partitioned"):
        assert counts(found[runner]) == counts(found["reference"])
        assert written(tmp_path / runner) == written(tmp_path / "reference")
    assert found["partitioned"]["executed"]["cores"] > 2 and "executed" not in found["fast"]
    checked = pipeline.verify(bundle)
    assert checked["executed"] == found["partitioned"]["executed"]
    assert checked["golden_vectors"] == dict.fromkeys(("reference", "fast", "partitioned"), 1)


def test_a_mapping_that_is_not_there_is_not_executed(files: Files, tmp_path: Path, cli: Cli) -> None:
    bundle = copied(files.plain_nd, tmp_path)
    (bundle / "mapping.json").unlink(missing_ok=True)
    for verb in ("run", "eval"):
        said = cli(verb, bundle, "--input", files.spikes, "--runner", "partitioned")
        assert said.status == 2 and "ND2005" in said.err and "neurodeploy map" in said.err
    assert pipeline.verify(bundle)["executed"] is None


@pytest.mark.parametrize(("before", "after"), [("fast", "reference"), ("reference", "fast")])
def test_interrupted_and_resumed(before: str, after: str, files: Files, tmp_path: Path, cli: Cli) -> None:
    base = ["run", files.plain_nd, "--input", files.spikes, "--probe", "hidden.v"]
    whole, part, state = tmp_path / "whole.npz", tmp_path / "part.npz", tmp_path / "state"
    assert cli(*base, "--out", whole, "--checkpoint", tmp_path / "end").status == 0
    with interrupting(17, before):
        found = cli(*base, "--runner", before, "--out", part, "--checkpoint", state)
    assert found.status == 130 and found.out == ""
    assert found.err.startswith("error ND3266 run: was interrupted after step 17 of 40")
    assert f"--resume {state} and the same --out, which holds the outputs from step 1 on" in found.err
    halves, wanted = load(part), load(whole)
    assert set(halves) == set(wanted)
    for name, array in halves.items():  # what is done is not lost, though the state goes on behind it
        np.testing.assert_array_equal(array, wanted[name] if name == "first_step" else wanted[name][:, :17])
    resumed = cli.json(*base, "--runner", after, "--out", part, "--resume", state, "--checkpoint", state)
    assert (resumed["first_step"], resumed["steps"]) == (18, STEPS - 17)
    assert f"{part} holds the steps from 1 on" in resumed["notes"]
    assert part.read_bytes() == whole.read_bytes()
    assert state.read_bytes() == (tmp_path / "end").read_bytes()


def test_interrupted_without_a_checkpoint(files: Files, tmp_path: Path, cli: Cli) -> None:
    with interrupting(5):
        found = cli("run", files.plain_nd, "--input", files.spikes, "--out", tmp_path / "o.npz")
    assert (found.status, found.code) == (130, "ND3008")
    assert list(tmp_path.iterdir()) == []


def test_interrupted_before_the_first_step(files: Files, tmp_path: Path, cli: Cli) -> None:
    """There is nothing to keep, and what an older run kept stays."""
    (tmp_path / "state").write_text("older")
    with unchanged(tmp_path), interrupting(0):
        arguments = ["run", files.plain_nd, "--input", files.spikes, "--checkpoint", tmp_path / "state"]
        assert cli(*arguments, "--json").status == 130


def test_progress_is_told(files: Files, monkeypatch: Patch) -> None:
    monkeypatch.setattr(stepping, "STRETCH", 1)
    told: list[tuple[str, int, int]] = []
    run(files, steps=5, progress=lambda *what: told.append(what))
    assert told == [("run", done, 5) for done in range(6)]


def test_more_and_fewer_steps_than_the_input(files: Files, tmp_path: Path) -> None:
    for steps in (10, STEPS, 60):
        found = run(files, steps=steps, out=tmp_path / f"{steps}.npz")
        assert found["steps"] == steps
        assert bool(found["notes"]) == (steps != STEPS)
    short, whole, longer = (load(tmp_path / f"{steps}.npz")["out.last"] for steps in (10, STEPS, 60))
    np.testing.assert_array_equal(short, whole[:, :10])
    np.testing.assert_array_equal(longer[:, :STEPS], whole)
    assert longer.shape == (SAMPLES, 60, 3)


def test_several_samples_are_independent(files: Files, tmp_path: Path) -> None:
    spikes = np.load(files.spikes)
    run(files, out=tmp_path / "all.npz", probes=["hidden.v"])
    whole = load(tmp_path / "all.npz")
    for i in range(SAMPLES):
        np.save(tmp_path / "one.npy", spikes[i])
        run(files, input=tmp_path / "one.npy", out=tmp_path / "one.npz", probes=["hidden.v"])
        for name, array in load(tmp_path / "one.npz").items():
            if name != "first_step":
                np.testing.assert_array_equal(array[0], whole[name][i])


def test_input_in_every_form_is_the_same_input(files: Files, tmp_path: Path) -> None:
    import nir

    spikes = np.load(files.spikes)
    grid = nir.TimeGriddedData(spikes, DT)
    np.savez_compressed(tmp_path / "a.npz", input=spikes.astype(np.uint8))
    np.savez(tmp_path / "b.npz", x=spikes.astype(np.float32))
    for name, data in (("c.h5", grid), ("d.nir", grid.to_event(400)), ("e.h5", grid.to_event(400, DT / 2))):
        nir.write_data(tmp_path / name, nir.NIRGraphData({"input": nir.NIRNodeData({"spikes": data})}))
    run(files, out=tmp_path / "o.npz")
    wanted = (tmp_path / "o.npz").read_bytes()
    for name in ("a.npz", "b.npz", "c.h5", "d.nir", "e.h5"):
        run(files, input=tmp_path / name, out=tmp_path / "o.npz")
        assert (tmp_path / "o.npz").read_bytes() == wanted, name


def test_stateless_networks_resume(tmp_path: Path) -> None:
    """A state without a single variable: its samples cannot be counted, and it goes on all the same."""
    from neurodeploy.bundle.writer import write_bundle
    from neurodeploy.ir.graph import ModelInfo
    from neurodeploy.ir.network import Network, Population, Projection
    from neurodeploy.ir.program import Program
    from neurodeploy.synapses import Direct

    populations = {
        "input": Population("input", (2,), "input"),
        "out": Population("out", (2,), "threshold", {"vth": 1}),
    }  # fmt: skip
    network = Network("n", populations, (Projection("p", "input", "out", Direct(2)),), ("out",))
    program = Program(ModelInfo("n", "test", 0, 0, 2, 0, "here"), network)
    origin = {"model": "t", "path": "", "files": []}
    write_bundle(tmp_path / "n.nd", program, origin, ReferenceRunner().run)
    np.save(tmp_path / "x.npy", np.arange(48).reshape(4, 6, 2) % 4)
    for given in (
        {"out": tmp_path / "whole.npz"}, {"steps": 2, "checkpoint": tmp_path / "s"},
        {"resume": tmp_path / "s", "out": tmp_path / "rest.npz"},
    ):  # fmt: skip
        pipeline.run(tmp_path / "n.nd", input=tmp_path / "x.npy", **given)
    same(load(tmp_path / "rest.npz"), load(tmp_path / "whole.npz"), 2)


def test_lava_that_is_not_there(files: Files, monkeypatch: Patch, tmp_path: Path, cli: Cli) -> None:
    from simulators.lava import discovery

    monkeypatch.setattr(discovery, "find_lava", lambda: None)
    found = cli("run", files.plain_nd, "--input", files.spikes, "--runner", "lava", "--out", tmp_path / "o")
    assert (found.status, found.code, found.out) == (4, "ND4100", "")
    assert "make lava" in found.err and list(tmp_path.iterdir()) == []


@pytest.mark.lava
def test_lava_gives_the_same_files_and_goes_on_from_any_state(files: Files, tmp_path: Path) -> None:
    options: dict[str, Any] = {"probes": ["hidden.v", "last.u"]}
    run(files, out=tmp_path / "a.npz", checkpoint=tmp_path / "a", **options)
    run(files, steps=9, checkpoint=tmp_path / "half", runner="lava", **options)
    for runner in ("fast", "reference", "lava"):
        found = tmp_path / f"{runner}.npz"
        run(files, runner=runner, resume=tmp_path / "half", checkpoint=tmp_path / "b", out=found, **options)
        same(load(found), load(tmp_path / "a.npz"), 9)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
