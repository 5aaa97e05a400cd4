"""The other verbs on spiking networks, as Python calls and through the command line: numbers, files, options."""

from __future__ import annotations

import json
import shutil
from math import ceil, log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.bundle.files import digest, manifest_digest
from neurodeploy.frontends.nir.reader import read
from simulators import float_network
from targets.systems import get_system
from tests.pipeline.networks import DT, HIDDEN, SAMPLES, STEPS, Files, copied
from tests.tiny import Cli, Patch, unchanged


def test_python_has_the_verbs() -> None:
    """One function a verb, whatever the bundle holds."""
    for name in ("convert", "map", "run", "generate", "eval", "energy", "explain", "report", "verify", "export", "fit"):
        assert callable(getattr(nd, name)) and name in nd.__all__
    assert not [name for name in nd.__all__ if "network" in name]
    with pytest.raises(TypeError, match="unexpected keyword argument 'presett'"):
        nd.convert("x.nir", "x.nd", presett="quick")


# --- convert


@pytest.mark.parametrize("kind", ["plain", "graded", "net"])
def test_same_file_same_bytes_wherever_it_lies(kind: str, files: Files, tmp_path: Path) -> None:
    source: Path = getattr(files, kind)
    elsewhere = tmp_path / "a" / "b" / source.name
    elsewhere.parent.mkdir(parents=True)
    shutil.copy(source, elsewhere)
    options: dict[str, Any] = {} if kind == "net" else {"dt": DT}
    if kind == "graded":
        shutil.copy(files.real, elsewhere.parent)
        options["calibration"] = elsewhere.parent / files.real.name
    pipeline.convert(elsewhere, tmp_path / "x.nd", **options)
    bundle = getattr(files, f"{kind}_nd")
    for file in sorted(path for path in (tmp_path / "x.nd").rglob("*") if path.is_file()):
        assert file.read_bytes() == (bundle / file.relative_to(tmp_path / "x.nd")).read_bytes(), file.name
        assert str(tmp_path).encode() not in file.read_bytes()


def test_convert_says_what_the_network_takes(files: Files, tmp_path: Path, cli: Cli) -> None:
    found = cli.json("convert", files.image, "--dt", "1e-3", "--out", tmp_path / "x.nd")
    assert found["inputs"] == {"input": [1, 5, 4]}
    assert (found["neurons"], found["synapses"], found["dt_s"]) == (12, 12 * 9, DT)
    assert all(row["absolute"] == 0 for row in found["worst_errors"])


#: option: source, arguments. Each must change what is written: an option that does nothing is a bug.
EFFECTIVE: dict[str, tuple[str, list[str]]] = {
    "dt": ("plain", ["--dt", "2e-3", "--gain", "physical"]),
    "source": ("plain", ["--source", "spikingjelly"]),
    "reset": ("plain", ["--reset", "subtract"]),
    "reset with a source": ("plain", ["--source", "snntorch", "--reset", "subtract-next"]),
    "v reset": ("plain", ["--source", "norse", "--v-reset", "-0.5"]),
    "unit gain": ("plain", ["--source", "sinabs", "--unit-gain", "--dt", "2e-3"]),
    "scheme": ("plain", ["--scheme", "exponential"]),
    "weight bits": ("plain", ["--weight-bits", "4"]),
    "calibration": ("plain", ["--calibration", "SPIKES"]),
    "gain": ("image", ["--gain", "per-step"]),
    "num layers": ("net", ["--num-layers", "2"]),
    "skip layers": ("net", ["--skip-layers", "1"]),
    "input message bits": ("net", ["--input-message-bits", "8"]),
    "input shape": ("net", ["--input-shape", "4,2,1"]),
    "reset interval": ("net", ["--reset-interval", "16"]),
    "reset offset": ("net", ["--reset-interval", "16", "--reset-offset", "3"]),
    "time step of integers": ("net", ["--dt", "1e-3"]),
}


@pytest.mark.parametrize("name", EFFECTIVE)
def test_every_option_has_an_effect(name: str, files: Files, tmp_path: Path, cli: Cli) -> None:
    kind, options = EFFECTIVE[name]
    options = [str(files.spikes) if option == "SPIKES" else option for option in options]
    if kind != "net" and "--dt" not in options:
        options += ["--dt", "1e-3"]
    found = cli("convert", getattr(files, kind), "--out", tmp_path / "x.nd", *options)
    assert found.status == 0, found.err
    bundles = getattr(files, f"{kind}_nd"), tmp_path / "x.nd"
    one, other = ([digest(bundle / member) for member in ("program.json", "network.h5")] for bundle in bundles)
    assert one != other
    assert cli("verify", tmp_path / "x.nd").status == 0


def test_spike_exponent_of_sigma_delta(tmp_path: Path) -> None:
    """An option that only networks of sigma-delta neurons have a use for."""
    from neurodeploy.frontends.lavadl.writer import write_net
    from neurodeploy.ir.network import Network, Population, Projection
    from neurodeploy.synapses import Dense

    populations = {
        "input": Population("input", (2,), "input"),
        "layer1": Population(
            "layer1", (2,), "sigma_delta",
            {"vth": 4, "cum_error": 0, "spike_exp": 6, "state_exp": 6, "bias": 0, "act_mode": 1},
        ),
    }  # fmt: skip
    weight = np.asfortranarray(np.array([[2, 4], [6, 8]], np.int8))
    one = Projection("input->layer1", "input", "layer1", Dense(weight), graded=True)
    write_net(Network("sd", populations, (one,), ("layer1",)), tmp_path / "sd.net")
    found = {}
    for exponent in (6, 3):
        out = tmp_path / f"{exponent}.nd"
        pipeline.convert(tmp_path / "sd.net", out, spike_exp=exponent, input_message_bits=16)
        found[exponent] = open_bundle(out).program.network.populations["layer1"].params["spike_exp"]
    assert found == {6: 6, 3: 3}


def test_rules_of_the_published_bridge(tmp_path: Path, cli: Cli) -> None:
    import nir

    one = np.ones(1)
    lif = nir.LIF(tau=0.0025 * one, r=one, v_leak=0 * one, v_threshold=0.1 * one, v_reset=0 * one)
    nir.write(tmp_path / "b.nir", nir.NIRGraph.from_list(nir.Affine(one[None], 0 * one), lif))
    base = ["convert", tmp_path / "b.nir", "--dt", "1e-4"]
    assert cli(*base, "--out", tmp_path / "own.nd").status == 0
    assert cli(*base, "--out", tmp_path / "x.nd", "--compat", "lava").status == 0
    network = open_bundle(tmp_path / "x.nd").program.network
    (neuron,) = (p for p in network.populations.values() if p.model == "lif")
    # int(dt / tau * 4095) and int(0.1 * 131071) >> 9, as in the published script
    assert (neuron.params["dv"], neuron.params["du"], neuron.params["vth"]) == (163, 4095, 25)
    assert digest(tmp_path / "own.nd" / "program.json") != digest(tmp_path / "x.nd" / "program.json")


def test_what_nir_cannot_hold_is_a_warning_not_an_end(tmp_path: Path, cli: Cli) -> None:
    """nir 1.0.8 misreads kernels that are not square; they are quantised all the same, and the bundle says so."""
    import nir

    weight = np.arange(1, 9).reshape(1, 1, 2, 4).astype(float)
    nodes = {
        "input": nir.Input(np.array([1, 5, 5])),
        "conv": nir.Conv2d((5, 5), weight, 2, 0, 1, 1, np.zeros(1)),
        "fire": nir.IF(np.full((1, 2, 1), 1 / DT), np.full((1, 2, 1), 5.0), np.zeros((1, 2, 1))),
        "output": nir.Output(np.array([1, 2, 1])),
    }
    edges = list(zip(nodes, list(nodes)[1:], strict=False))
    nir.write(tmp_path / "k.nir", nir.NIRGraph(nodes, edges, type_check=False))
    bundle = tmp_path / "k.nd"
    found = cli.json("convert", tmp_path / "k.nir", "--dt", "1e-3", "--out", bundle)
    checked = cli.json("verify", bundle)
    pure = json.loads((bundle / "conversion.json").read_text())["pure_nir"]
    assert checked["source_read_by_nir"] == pure
    assert pure or any("source.nir" in line for line in found["warnings"])
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((9, 1, 5, 5)) < 0.5)
    row = cli.json("eval", bundle, "--input", tmp_path / "x.npy")["comparison"][0]
    assert (row["differing"], row["chip_spikes"] > 0) == (0, True)
    exported = cli.json("export", bundle, "--out", tmp_path / "e.nir")
    assert bool(exported["notes"]) == (not pure)


# --- eval


def test_eval_counts_both_sides(files: Files, cli: Cli) -> None:
    found = cli.json("eval", files.plain_nd, "--input", files.spikes)
    (row,) = found["comparison"]
    wanted = float_network.run(read(files.plain, DT), {"input": np.load(files.spikes)}).outputs["output"]
    assert row["float_spikes"] == wanted.sum() > 0
    assert (row["latency"], row["compared"], row["early"]) == (2, wanted.size, 0)
    assert 0 <= row["differing"] <= row["float_spikes"] + row["chip_spikes"]
    assert row["differing"] >= abs(row["float_spikes"] - row["chip_spikes"])
    assert (row["float_correct"], row["chip_correct"]) == (None, None)


def test_eval_of_an_exact_network(files: Files, tmp_path: Path, cli: Cli) -> None:
    """Nothing was rounded, so nothing differs, and both are right where either is. Labels are in the order of the source."""
    pixels = np.load(files.pixels).reshape(SAMPLES, STEPS, 20)
    sums = float_network.run(read(files.image, DT), {"input": pixels}).outputs["output"].sum(axis=1)
    labels = sums.argmax(axis=1)
    assert (np.sort(sums, axis=1)[:, -1] > np.sort(sums, axis=1)[:, -2]).any()
    labels[0] = (labels[0] + 1) % 12
    np.save(tmp_path / "labels.npy", labels)
    arguments = ["eval", files.image_nd, "--input", files.pixels, "--labels", tmp_path / "labels.npy"]
    (row,) = cli.json(*arguments)["comparison"]
    assert (row["differing"], row["first_difference"], row["early"]) == (0, None, 0)
    assert (row["same_decision"], row["float_correct"], row["chip_correct"]) == (SAMPLES, SAMPLES - 1, SAMPLES - 1)
    shown = cli(*arguments).out
    assert "same most active neuron in 3 of 3 samples" in shown and "right class float 66.7 %, chip 66.7 %" in shown


def test_eval_of_values(files: Files, cli: Cli) -> None:
    found = cli.json("eval", files.graded_nd, "--input", files.real)
    (row,) = found["comparison"]
    assert row["graded"] and 0 < row["worst"] < 1
    assert any("rounded to multiples" in note for note in found["notes"])
    assert "of the largest value" in cli("eval", files.graded_nd, "--input", files.real).out


def test_inputs_of_whole_numbers_are_not_rounded(files: Files, tmp_path: Path) -> None:
    """A calibration of whole numbers gives a unit that leaves them whole."""
    values = np.random.default_rng(1).integers(-9, 200, (2, 20, 8))
    np.save(tmp_path / "x.npy", values)
    pipeline.convert(files.plain, tmp_path / "x.nd", dt=DT, calibration=tmp_path / "x.npy")
    assert pipeline.eval(tmp_path / "x.nd", input=tmp_path / "x.npy")["notes"] == []
    np.save(tmp_path / "y.npy", values * 400)
    assert any("larger than any" in n for n in pipeline.run(tmp_path / "x.nd", input=tmp_path / "y.npy")["notes"])


def test_sizes_that_no_synapse_reads_are_told(files: Files, tmp_path: Path) -> None:
    """A .net whose synapses take spikes: Lava counts any payload as one, and so do we, and say so."""
    spikes = np.load(files.spikes).astype(int)
    np.save(tmp_path / "x.npy", spikes * 7)
    found = pipeline.run(files.net_nd, input=tmp_path / "x.npy", out=tmp_path / "a.npz")
    assert found["notes"] == [
        f"input: {spikes.sum()} values other than 0 and 1 count as 1, its synapses do not read sizes"
    ]
    pipeline.run(files.net_nd, input=files.spikes, out=tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


# --- map, explain, energy, verify


def test_map_and_energy(files: Files, tmp_path: Path, cli: Cli) -> None:
    bundle = copied(files.plain_nd, tmp_path)
    found = cli.json("map", bundle, "--system", "kapoho-point", "--max-rows", "2")
    assert found["fits"] and found["cores_used"] >= 5
    rows = cli.json("explain", bundle)
    assert [(row["path"], row["device"]) for row in rows] == [
        ("populations.input", "host"), ("populations.hidden", "chip"), ("populations.last", "chip")
    ]  # fmt: skip
    priced = cli.json("energy", bundle, "--input", files.spikes)
    for unit in ("step", "sample"):
        bands = [band for band in priced[unit]["joules_per_token"].values() if band]
        assert bands and all(0 < band["low"] <= band["nominal"] <= band["high"] for band in bands)
    step, sample = (priced[unit]["joules_per_token"]["chip"]["nominal"] for unit in ("step", "sample"))
    assert sample == pytest.approx(step * STEPS)
    assert priced["system"] == "kapoho-point"
    assert "modelled, not measured" in cli("energy", bundle, "--input", files.spikes).out


def test_energy_of_input_that_streams_in_and_of_what_would_help(files: Files, tmp_path: Path, cli: Cli) -> None:
    """An exchange a step, one a sample, none; and the account with changes, each alone and together."""
    bundle = copied(files.plain_nd, tmp_path)
    cli.json("map", bundle, "--system", "kapoho-point", "--max-rows", "2")
    priced = {
        border: cli.json("energy", bundle, "--input", files.spikes, "--border", border)["sample"]
        for border in ("calls", "sample", "none")
    }
    once = get_system("kapoho-point").chip.costs["t_host_link_s"].nominal
    waits = {border: each["seconds_split"]["host link latency"] for border, each in priced.items()}
    assert waits == {"calls": pytest.approx(STEPS * once), "sample": pytest.approx(once), "none": 0}
    assert priced["none"]["seconds_split"]["host link bytes"] == 0 < priced["calls"]["seconds_split"]["host link bytes"]
    plain = cli.json("energy", bundle, "--input", files.spikes)["sample"]
    assert plain["seconds_per_token"] == priced["sample"]["seconds_per_token"]
    asked = cli.json("energy", bundle, "--input", files.spikes, "--what-if", "crossings=0,p_static_w=0")["sample"][
        "what_if"
    ]
    link = next(row for row in asked["each"] if row["change"] == "crossings=0")
    now = plain["seconds_per_token"]["nominal"]
    assert link["seconds_per_token"]["nominal"] == pytest.approx(now - once)
    assert link["saved"]["seconds"] == pytest.approx(once / now)
    assert asked["asked"]["joules_per_token"]["board"]["nominal"] < link["joules_per_token"]["board"]["nominal"]
    said = cli("energy", bundle, "--input", files.spikes, "--what-if", "gate", "-v").out
    assert "gate (asked)" in said and "What if" in said
    for option, value, says in (("--border", "never", "border"), ("--what-if", "gate=1", "what-if gate=1")):
        cli.refuses(["energy", str(bundle), "--input", str(files.spikes), option, value], "ND3104", 2, says, bundle)


def test_energy_says_whether_the_chip_pays(files: Files, tmp_path: Path, cli: Cli) -> None:
    """All on the host and the quantised twin, one by one and four at once; the terminal and the page say it."""
    bundle = copied(files.plain_nd, tmp_path)
    cli.json("map", bundle, "--system", "kapoho-point")
    told = cli.json("energy", bundle, "--input", files.spikes, "--batch", "4")["sample"]["without_chip"]
    assert told["boundary"] == "wall"
    assert [(row["way"], row["batch"], row["activation_bits"]) for row in told["ways"]] == [
        *(("host alone", batch, None) for batch in (1, 4)),
        *(("quantised twin", batch, ceil(log2(STEPS + 1))) for batch in (1, 4)),
    ]
    for row in told["ways"]:
        assert (row["would_pay"] is None) is (row["verdict"] == "pays")
    said = cli("energy", bundle, "--input", files.spikes, "-v").out
    assert "beside host alone (cpu-generic, batch 32)" in " ".join(said.split())
    page = tmp_path / "page.html"
    cli.json("report", bundle, "--input", files.spikes, "--out", page)
    assert "Does the chip pay?" in page.read_text(encoding="utf-8")


def test_verify_says_what_it_checked(files: Files, cli: Cli) -> None:
    found = cli.json("verify", files.plain_nd)
    assert found["golden_vectors"] == {"reference": 1, "fast": 1, "partitioned": 1} and found["golden_steps"] == 16
    assert (found["mapped"], found["violations"], found["source_read_by_nir"]) == (True, [], True)
    assert cli.json("verify", files.net_nd)["source_read_by_nir"] is None
    for bundle, says in ((files.plain_nd, "is read by nir"), (files.net_nd, "the source holds integers")):
        assert says in cli("verify", bundle).out


def _signed(bundle: Path, member: str) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    file = bundle / member
    manifest["members"][member] = {"size": file.stat().st_size, "sha256": digest(file)}
    manifest["sha256"] = manifest_digest(manifest)
    (bundle / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("member", "code"),
    [("vectors/golden.h5", "ND5009"), ("vectors/golden.h5 shape", "ND5006"), ("source.nir", "ND5008")],
)
def test_verify_finds_what_no_digest_finds(member: str, code: str, files: Files, tmp_path: Path, cli: Cli) -> None:
    import h5py

    bundle = copied(files.plain_nd, tmp_path)
    member, _, what = member.partition(" ")
    if member == "source.nir":
        (bundle / member).write_bytes(b"not NIR")
    else:
        with h5py.File(bundle / member, "r+") as file:
            (segment,) = file.values()
            if what:
                values = segment["outputs/last"][()]
                del segment["outputs/last"]
                segment["outputs/last"] = values[:, :-1]
            else:
                segment["outputs/last"][0, 5, 1] += 1
    _signed(bundle, member)
    found = cli("verify", bundle)
    assert (found.status, found.code) == (2, code), found.err


# --- report


def test_report_holds_what_the_verbs_say(files: Files, tmp_path: Path, cli: Cli) -> None:
    page = tmp_path / "new" / "r.html"
    fed = [files.plain_nd, "--input", files.spikes]
    arguments = ["report", *fed, "--probe", "hidden.v", "--probe", "hidden.s", "--out"]
    paths = cli.json(*arguments, page)
    assert sorted(Path(path).name for path in paths) == sorted(path.name for path in page.parent.iterdir())
    data = json.loads(page.with_suffix(".json").read_text())
    run = cli.json("run", *fed)
    assert data["populations"] == run["populations"] and data["projections"] == run["projections"]
    assert data["comparison"] == cli.json("eval", *fed)["comparison"]
    priced = cli.json("energy", *fed)
    assert data["energy"]["sample"]["joules_per_token"] == priced["sample"]["joules_per_token"]
    assert (data["run"]["steps"], data["run"]["samples"], data["map"]["system"]) == (STEPS, SAMPLES, "oheo-gulch")
    again = tmp_path / "more.html"
    cli.json(*arguments, again)
    assert again.read_text().replace("more.", "r.").replace("more_", "r_") == page.read_text()


def test_rasters_and_states_are_those_of_the_first_sample(files: Files, tmp_path: Path) -> None:
    given: dict[str, Any] = {"input": files.spikes, "probes": ["hidden.v", "hidden.s"]}
    data = pipeline.report(files.plain_nd, tmp_path / "r.html", **given)["data"]
    pipeline.run(files.plain_nd, out=tmp_path / "o.npz", **given)
    with np.load(tmp_path / "o.npz") as found:
        fired, voltage = found["probe.hidden.s"][0], found["probe.hidden.v"][0]
    (raster,) = (r for r in data["rasters"] if r["population"] == "hidden")
    assert raster["neurons"] == list(range(HIDDEN)) and raster["dropped"] == 0
    marks = set(zip(raster["steps"], raster["rows"], strict=True))
    assert marks == {(step + 1, row) for step, row in np.argwhere(fired).tolist()}
    drawn = {(t["variable"], t["neuron"]): t["values"] for t in data["traces"]}
    assert set(drawn) == {("s", 0), ("s", 1), ("s", 2), ("v", 0), ("v", 2), ("v", 4)}
    for (variable, neuron), values in drawn.items():
        assert values == {"v": voltage, "s": fired}[variable][:, neuron].tolist()


def test_report_of_a_network_that_is_not_mapped(files: Files, tmp_path: Path) -> None:
    data = pipeline.report(files.net_nd, tmp_path / "r.html", input=files.spikes)["data"]
    assert (data["map"], data["energy"], data["comparison"]) == (None, None, None)
    assert "a sample at the chip boundary" not in (tmp_path / "r.html").read_text()


def test_long_runs_show_their_beginning(files: Files, tmp_path: Path, monkeypatch: Patch) -> None:
    from neurodeploy.pipeline import pictures

    monkeypatch.setattr(pictures, "SHOWN_STEPS", 12)
    monkeypatch.setattr(pictures, "RASTER_MARKS", 5)
    data = pipeline.report(files.plain_nd, tmp_path / "r.html", input=files.spikes)["data"]
    assert {r["length"] for r in data["rasters"]} == {12}
    assert data["run"]["steps"] == STEPS and max(len(r["steps"]) for r in data["rasters"]) == 5
    text = (tmp_path / "r.html").read_text()
    assert "in steps 1 to 12" in text and "more marks are not drawn" in text


# --- export


def test_export_of_the_float_network(files: Files, tmp_path: Path, cli: Cli) -> None:
    import nir

    found = cli.json("export", files.plain_nd, "--out", tmp_path / "x.nir")
    assert (tmp_path / "x.nir").read_bytes() == (files.plain_nd / "source.nir").read_bytes()
    assert found["notes"] == [] and found["bytes"] == (tmp_path / "x.nir").stat().st_size
    assert set(nir.read(tmp_path / "x.nir").nodes) == {"input", "up", "hidden", "down", "last", "output"}


def test_export_of_integers_and_back(files: Files, tmp_path: Path, cli: Cli) -> None:
    """To .net and to NIR, and converted again: the same integers, and for NIR spikes that are later by a step a layer."""
    cli.json("export", files.net_nd, "--out", tmp_path / "x.net")
    pipeline.convert(tmp_path / "x.net", tmp_path / "x.nd")
    assert digest(tmp_path / "x.nd" / "network.h5") == digest(files.net_nd / "network.h5")
    found = cli.json("export", files.net_nd, "--out", tmp_path / "y.nir", "--dt", "1e-3")
    assert any("takes a step for each synapse" in note for note in found["notes"])
    pipeline.convert(tmp_path / "y.nir", tmp_path / "y.nd", dt=DT)
    before = pipeline.run(files.net_nd, input=files.spikes)["populations"]
    after = pipeline.run(tmp_path / "y.nd", input=files.spikes)["populations"]
    assert before["layer1"]["messages"] > 0
    for name in ("input", "layer1", "layer2"):
        assert after[name]["messages"] == pytest.approx(before[name]["messages"], rel=0.05), name


def test_reading_leaves_no_trace(files: Files, tmp_path: Path, cli: Cli) -> None:
    """Verbs that fail write nothing beside the bundle either."""
    bundle = copied(files.net_nd, tmp_path)
    with unchanged(tmp_path):
        for verb in ("energy", "eval"):
            assert cli(verb, bundle, "--input", files.spikes).status == 2
