"""The runner of a board against a stand-in of Intel's closed extension: everything up to the closed call.

The numbers of the stand-in's profiler are written in ``stand_in_of_loihi/lava/utils/loihi2_profiler.py`` and repeated here.
"""

from __future__ import annotations

import json
import os
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from neurodeploy.errors import TargetUnavailable, UserError
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.run import Probe
from neurodeploy.reporting.terminal_run import print_run
from neurodeploy.synapses import Conv, Direct
from simulators.lava import board, find_lava
from simulators.lava.board import LAG, Loihi2Runner, late
from simulators.reference import ReferenceRunner
from tests.lava.board import program, stand_in
from tests.lava.test_on_lava import small, spikes
from tests.pipeline.networks import Files, copied
from tests.refusals import refused
from tests.tiny import Cli

__all__ = ["stand_in"]
pytestmark = pytest.mark.skipif(
    find_lava() is None, reason="no Lava: `make lava` installs it, NEURODEPLOY_LAVA_PYTHON names another interpreter"
)
#: Of the stand-in: steps that its adapters are late; of a step; watts; counts of a core.
LATE, STEP_S = 3, 2e-6
WATTS = {"power": 0.68, "static_power": 0.23, "vdd_power": 0.25, "vddm_power": 0.42}
COUNTS = {"syn_ops": 1000, "dendrite_updates": 200, "axon_out": 30, "spikes_in": 40}


@pytest.fixture
def mapped(files: Files, tmp_path: Path) -> Path:
    return copied(files.plain_nd, tmp_path)


def without_board(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NXSDKHOST", "PARTITION", "BOARD"):
        monkeypatch.delenv(name, raising=False)


def test_without_the_extension_it_says_what_is_missing_and_who_gives_it(
    files: Files, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_board(monkeypatch)
    call = ["run", str(files.plain_nd), "--input", str(files.spikes), "--runner", "loihi2", "--measured"]
    call += [str(tmp_path / "m.json"), "--out", str(tmp_path / "o.npz")]
    says = "missing here: lava-loihi (lava.magma.core.model.nc.model: models for neuro-cores, "
    cli.refuses(call, "ND4002", 4, says, tmp_path)
    said = cli(*call).err
    for word in ("lava.utils.loihi2_profiler_api", "a board (no SLURM partition", "INRC", "inrc_interest@intel.com"):
        assert word in said
    assert not list(tmp_path.iterdir())
    assert "ND4002" in cli.json("doctor")["boards"]["loihi2"]


@pytest.mark.usefixtures("stand_in")
def test_the_extension_without_a_board_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board.shutil, "which", lambda name: None)
    error = refused(TargetUnavailable, "ND4002", board.require_board)
    assert error.problem == "missing here: a board (no SLURM partition, for there is no `sinfo` here, and no NXSDKHOST)"
    monkeypatch.setenv("NXSDKHOST", "10.0.0.1")
    assert board.require_board().version == "0.10.0"


@pytest.mark.usefixtures("stand_in")
def test_what_the_board_sends_and_measures_is_told_and_calibrates(
    mapped: Path, files: Files, tmp_path: Path, cli: Cli
) -> None:
    """Outputs are our bits; figures have Lava's names and the ledger's places; `calibrate` reads the file."""
    out, measured = tmp_path / "o.npz", tmp_path / "m.json"
    fed = [mapped, "--input", files.spikes]
    ours = cli.json("run", *fed, "--out", tmp_path / "ours.npz", "--runner", "reference")
    found = cli.json("run", *fed, "--runner", "loihi2", "--out", out, "--measured", measured)
    with np.load(out) as board_sent, np.load(tmp_path / "ours.npz") as sent:
        assert sent["out.last"].any()
        np.testing.assert_array_equal(board_sent["out.last"], sent["out.last"])
    assert found["outputs"] == ours["outputs"] and found["populations"] == ours["populations"]
    told = found["board"]
    assert told["measured_by"].endswith("StandInOfLoihi2HWProfiler")
    assert told["outputs"] == {"lag": LATE, "differing": 0, "bins": 3 * 40 * 3} and told["steps_run"] == 40 + LAG
    figures = {(row["quantity"], row["boundary"], row["part"]): row["nominal"] for row in told["figures"]}
    seconds, rails = 40 * STEP_S, WATTS["vdd_power"] + WATTS["vddm_power"]
    wanted = {
        ("seconds", None, "total"): seconds, ("watts", "rails", "total"): rails, ("watts", "chip", "total"): WATTS["power"],
        ("watts", "chip", "static"): WATTS["static_power"], ("joules", "rails", "total"): rails * seconds,
        ("joules", "chip", "total"): WATTS["power"] * seconds,
    }  # fmt: skip
    assert figures == pytest.approx(wanted)
    assert {row["basis"] for row in told["figures"]} == {"measured"}
    assert told["seconds_split"]["spiking_time"]["nominal"] == pytest.approx(0.6 * seconds)
    cores, priced = told["placement"]["cores"], cli.json("energy", *fed)["sample"]
    assert cores == priced["cores_used"] and told["placement"]["taken"]
    events = {row["field"]: row["nominal"] for row in told["entries"]}
    assert events == {name: count * cores for name, count in COUNTS.items()}
    known = {(entry["component"], entry["event"]) for entry in priced["entries"]}
    assert {(row["component"], row["event"]) for row in told["entries"]} <= known
    assert any(name.startswith("host_time of ") for name in told["missing"])
    file = json.loads(measured.read_text())
    assert file["rows"][0]["execution_time"] == pytest.approx(STEP_S) and len(file["samples"]) == 3
    fitted = cli.json("calibrate", measured, "--out", tmp_path / "b.json")
    rows = {(row["quantity"], row["boundary"], row["part"]): row["measured"] for row in fitted["rows"]}
    assert rows == pytest.approx({key: value for key, value in wanted.items() if key[0] != "joules"})
    assert any(row["name"] == "p_static_w" and row["shrunk"] < 1 for row in fitted["coefficients"])
    seen = StringIO()
    print_run(found, Console(file=seen, width=400))
    shown = seen.getvalue()
    for word in (
        "StandInOfLoihi2HWProfiler",
        "compile_config['partitioning']",
        "the simulation's bits",
        "dendrite_updates",
    ):
        assert word in shown


@pytest.mark.usefixtures("stand_in")
def test_a_compiler_that_takes_no_partitioning(
    mapped: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "one.npy", np.ones((1, 6, 8), bool))
    monkeypatch.setenv("STAND_IN_OF_LOIHI", "refuses")
    found = cli.json("run", mapped, "--input", tmp_path / "one.npy", "--runner", "loihi2")["board"]
    assert not found["placement"]["taken"] and "placed alone (KeyError" in found["placement"]["says"]
    assert found["outputs"]["differing"] == 0


@pytest.mark.usefixtures("stand_in")
def test_convolutions_with_exponents_and_delays_have_our_bits() -> None:
    kernel = Conv(np.arange(-4, 5, dtype=np.int8).reshape(1, 3, 3, 1) * 2, (5, 4, 1))
    image = Population("image", (5, 4, 1), INPUT)
    seen = Population("seen", kernel.output_shape, "lif", {"du": 4095, "dv": 300, "vth": 9})
    look = Projection("look", "image", "seen", kernel, weight_exp=1)
    network = Network("eye", {"image": image, "seen": seen}, (look,), ("seen", "image"))
    given = {"image": (np.random.default_rng(6).random((1, 15, 20)) < 0.4).astype(np.int64)}
    for each, inputs in ((network, given), (small(), spikes(1, 15))):
        found = Loihi2Runner(ReferenceRunner()).run(each, inputs, 15)
        expected = ReferenceRunner().run(each, inputs, 15)
        assert expected.outputs[each.outputs[0]].any()
        np.testing.assert_array_equal(found.outputs[each.outputs[0]], expected.outputs[each.outputs[0]])
        assert found.samples[0]["host"] == "SLURM, partition stand_in, board any, N3B3"


def test_what_no_board_can_run_is_refused() -> None:
    """Before the extension is asked for: no stand-in is here."""
    run = Loihi2Runner(ReferenceRunner()).run
    network, inputs = small("li", du=400, dv=300), spikes(1, 3)
    refused(UserError, "ND4106 hidden: is no process of Lava's: Lava has no fixed-point model", run, network, inputs, 3)
    begun = ReferenceRunner().run(small(), inputs, 3).state
    for more in ({"state": begun}, {"probes": [Probe("hidden", "v")]}):
        refused(UserError, "ND4107 small", lambda more=more: run(small(), inputs, 3, **more))
    twice = [*small().projections, *(Projection(name, "in", "more", Direct(3)) for name in ("one", "two"))]
    more = Population("more", (3,), "lif", {"du": 4095, "dv": 0, "vth": 3})
    network = Network("twice", {**small().populations, "more": more}, tuple(twice), ("hidden",))
    refused(UserError, "ND4106 two: .*joins two ports only once", run, network, inputs, 3)


@pytest.mark.usefixtures("stand_in")
def test_a_process_that_the_extension_would_run_on_the_host_is_an_error() -> None:
    """The stand-in has no model of sigma-delta neurons for neuro-cores."""
    network = small("sigma_delta", vth=3)
    says = "ND4103 .*hidden would run as PySigmaDeltaModelFloat on the host"
    refused(TargetUnavailable, says, Loihi2Runner(ReferenceRunner()).run, network, spikes(1, 2), 2)


def test_the_lag_is_where_fewest_bins_differ() -> None:
    rng = np.random.default_rng(0)
    sent = (rng.random((2, 30, 4)) < 0.3).astype(np.int32)
    whole = np.zeros((2, 30 + LAG, 4), np.int32)
    whole[:, 5:35] = sent
    assert late({"o": whole}, {"o": sent}, 30) == (5, 0)
    whole[0, 7, 1] ^= 1
    assert late({"o": whole}, {"o": sent}, 30) == (5, 1)


def test_options_without_effect(files: Files, tmp_path: Path, cli: Cli) -> None:
    fed = ["run", str(files.plain_nd), "--input", str(files.spikes)]
    cli.refuses([*fed, "--measured", str(tmp_path / "m")], "ND3261", 2, "runner fast", tmp_path)
    cli.refuses([*fed, "--checkpoint", str(tmp_path / "c"), "--runner", "loihi2"], "ND3261", 2, "a board", tmp_path)


def test_an_interpreter_that_does_not_answer_lacks_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: Any = find_lava()
    mute = program(tmp_path / "mute", "#!/bin/sh\nexit 3\n")
    monkeypatch.setattr(
        board, "find_lava", lambda: type(found)(mute, *(getattr(found, n) for n in found.__slots__[1:]))
    )
    assert all(name in board.missing()[1][0] for name in board.CLOSED)
    monkeypatch.setattr(board, "find_lava", lambda: None)
    assert board.missing()[1][0] == "lava-nc (`make lava`)"
    assert os.environ.get("NXSDKHOST") is None
