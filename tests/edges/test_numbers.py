"""Wrong numbers that came with status 0, as a user met them: by the command line, or functions as old as it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from neurodeploy.accounting.account import account
from neurodeploy.accounting.program import loads
from neurodeploy.ir.run import ActivityCounts
from simulators.reference import ReferenceRunner
from targets.hosts import get_host
from tests.hybrid.test_partial_sums import COLUMNS, ROWS, SYSTEM, TOKENS, mapping, program
from tests.pipeline.networks import DT, STEPS, Files, copied
from tests.tiny import call

Capture = pytest.CaptureFixture[str]
DIGITS = Path(__file__).resolve().parent.parent / "interchange" / "digits"
HOST_LINK_S = 230e-6


def answer(arguments: list[str], capsys: Capture, status: int = 0) -> Any:
    found = call([*arguments, "--json"], capsys)
    assert found.status == status, found.err
    return json.loads(found.out)


def chain(folder: Path, **nodes: Any) -> str:
    """A NIR file of nodes in a row between an input and an output."""
    sizes = [np.array([next(iter(nodes.values())).weight.shape[1]]), np.array(list(nodes.values())[-1].v_leak.shape)]
    every = {"input": nir.Input(sizes[0]), **nodes, "output": nir.Output(sizes[1])}
    nir.write(folder / "x.nir", nir.NIRGraph(every, list(zip(every, list(every)[1:], strict=False))))
    return str(folder / "x.nir")


def neurons(kind: Any, size: int, **values: float) -> Any:
    given = {"r": 2.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0, **values}
    return kind(**{name: np.full(size, value) for name, value in given.items()})


def lif(size: int, **values: float) -> nir.LIF:
    return neurons(nir.LIF, size, **{"tau": 2 * DT, **values})


def cuba(size: int) -> nir.CubaLIF:
    return neurons(nir.CubaLIF, size, tau_syn=2 * DT, tau_mem=2 * DT, w_in=2.0)


def test_the_source_alone_gives_the_spikes_of_the_framework(tmp_path: Path, capsys: Capture) -> None:
    """snnTorch's own digits network: every bin but those that rounding moves, once the latency is taken off; and `eval`
    compares with what the framework computed."""
    wanted = np.load(DIGITS / "spikes.npz")["output"].swapaxes(0, 1).astype(int)
    steps = np.load(DIGITS / "input.npz")["input"].swapaxes(0, 1)
    np.save(tmp_path / "in.npy", np.pad(steps, [(0, 0), (0, 6), (0, 0)]))
    bundle, out = str(tmp_path / "x.nd"), tmp_path / "o.npz"
    answer(["convert", str(DIGITS / "snntorch.nir"), "--source", "snntorch", "--out", bundle], capsys)
    answer(["run", bundle, "--input", str(tmp_path / "in.npy"), "--out", str(out)], capsys)
    got = next(array for name, array in np.load(out).items() if name.startswith("out."))
    differing = min(np.count_nonzero(got[:, late : late + wanted.shape[1]] != wanted) for late in range(6))
    assert differing < 0.02 * wanted.size
    given = ["eval", bundle, "--input", str(DIGITS / "input.npz"), "--layout", "time-first"]
    (row,) = answer([*given, "--reference", str(DIGITS / "spikes.npz")], capsys)["reference"]
    assert row["float_differing"] == 0 and 0 < row["differing"] < 0.02 * row["compared"]


@pytest.mark.parametrize("wide", [0, 3])
def test_a_partial_sum_of_two_messages_is_charged_twice(wide: int) -> None:
    item = program(wide)
    payload = np.random.default_rng(1).integers(-9, 10, (TOKENS, COLUMNS)).astype(np.int16)
    found = ReferenceRunner().run(item.segments[0].network, {"a.input": payload[:, None]}, 1)
    counts = ActivityCounts({"a": found.activity}, TOKENS, 0, 0, {})
    ledger = account(loads(item, counts, mapping(), SYSTEM), SYSTEM, get_host("cpu-generic"), "generate")
    (added,) = [entry for entry in ledger.entries if entry.event == "partial sum added by a reducer"]
    assert added.count == ROWS * (6 if wide else 5)


def test_a_spiking_network_says_its_hops(files: Files, tmp_path: Path, capsys: Capture) -> None:
    """On two chips of one neuron a core each."""
    bundle = str(copied(files.plain_nd, tmp_path))
    found = answer(["map", bundle, "--system", "kapoho-point", "--max-rows", "1", "--pin", "last=chip:1"], capsys)
    traffic = found["traffic_per_token"]
    assert traffic["spike_hops"]["messages"] > 0 and traffic["interchip_hops"]["messages"] > 0


def test_one_number_of_crossings_and_the_host_link_once_an_exchange(
    experts_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    bundle = tmp_path / "x.nd"
    shutil.copytree(experts_bundle, bundle)
    mapped = answer(["map", str(bundle), "--system", "kapoho-point"], capsys)["metrics"]["fallback"]["crossings"]
    found = answer(["energy", str(bundle), "--prompt-tokens", "8", "--tokens", "4"], capsys)["generate"]
    (told,) = re.findall(r"([\d.]+) (?:crossings|exchanges)", found["bound_by"])
    assert float(told) == mapped
    assert found["seconds_split"]["host link latency"] == pytest.approx(mapped / 2 * HOST_LINK_S)


def test_a_sample_is_one_exchange(files: Files, capsys: Capture) -> None:
    found = answer(["energy", str(files.plain_nd), "--input", str(files.spikes)], capsys)
    assert found["sample"]["seconds_split"]["host link latency"] == pytest.approx(HOST_LINK_S)


def test_what_fits_partly_is_not_said_to_fit(llama_bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    shutil.copytree(llama_bundle, tmp_path / "x.nd")
    given = ["map", str(tmp_path / "x.nd"), "--chips", "1", "--max-rows", "4", "--no-place"]
    found = call(given, capsys)
    assert found.status == 3 and "fits partly" in found.out.splitlines()[0]
    data = answer(given, capsys, status=3)
    assert (data["fits"], data["verdict"]) == (False, "partly")


def test_fit_says_what_is_there_what_was_asked_for_and_both_ratios(capsys: Capture) -> None:
    """One convention of chips, with the head; a plan that costs 1.4 times the energy is neither faster nor slower."""
    given = ["fit", "gemma3-1b", "--system", "hala-point", "--chips", "8", "--bits", "8"]
    said = answer(given, capsys, status=3)["answer"]
    assert "needs 66 chips (46 without the head)" in said
    assert "at most 8 of its 1152 were asked for" in said and "it has 8" not in said
    assert re.search(r"1\.4 times the energy and 0\.97 times the time of the host alone", said)
    assert "faster" not in said and "slower" not in said


def test_no_modelled_joule_is_called_measured(llama_bundle: Path, capsys: Capture) -> None:
    said = call(["energy", str(llama_bundle), "--prompt-tokens", "8", "--tokens", "4"], capsys).out
    assert "no joule is measured" in said


def test_a_time_step_that_leaves_no_synapse_is_refused(tmp_path: Path, capsys: Capture) -> None:
    source = chain(tmp_path, w=nir.Linear(np.array([[1.0, -0.5], [0.3, 0.7]])), n=lif(2, tau=0.02, r=20.0))
    given = ["convert", source, "--dt", "1e-320", "--gain", "physical", "--out", str(tmp_path / "x.nd")]
    assert call(given, capsys).status == 2 and not (tmp_path / "x.nd").exists()


def test_rows_that_are_lost_come_first(tmp_path: Path, capsys: Capture) -> None:
    """Nothing but one weight survives rounding: the errors of a row are relative to what is in the row."""
    weight = np.random.default_rng(5).normal(size=(4, 3))
    weight[0, 0] = 3e38
    source = chain(tmp_path, w=nir.Linear(weight), n=lif(4))
    found = call(["convert", source, "--dt", str(DT), "--out", str(tmp_path / "x.nd")], capsys)
    assert found.status == 0 and "lost: input->n: loses all of the weights of 3 of 4 rows" in found.out
    assert found.out.index("lost: input->n") < found.out.index("x (NIR) -> ")


def test_populations_that_biases_drive_start_in_phase(tmp_path: Path, capsys: Capture) -> None:
    """Neurons of the Braille networks' kind fire on their own: every bin is that of the float network."""
    draw = np.random.default_rng(11)
    up = nir.Affine(draw.integers(-16, 17, (20, 6)) / 64.0, draw.integers(30, 70, 20) / 64.0)
    down = nir.Affine(draw.integers(-16, 17, (7, 20)) / 64.0, draw.integers(40, 70, 7) / 64.0)
    source, bundle = chain(tmp_path, up=up, hidden=cuba(20), down=down, last=cuba(7)), str(tmp_path / "x.nd")
    answer(["convert", source, "--dt", str(DT), "--reset", "value", "--out", bundle], capsys)
    np.save(tmp_path / "in.npy", draw.random((3, 200, 6)) < 0.1)
    (row,) = answer(["eval", bundle, "--input", str(tmp_path / "in.npy")], capsys)["comparison"]
    assert row["float_spikes"] > 0.2 * row["compared"]
    assert row["differing"] == 0


def test_time_first_arrays_are_asked_about(files: Files, tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "in.npy", np.load(files.spikes)[:1].swapaxes(0, 1))  # (steps, 1, neurons)
    given = ["run", str(files.plain_nd), "--input", str(tmp_path / "in.npy")]
    assert f"{STEPS} samples of one step each" in call(given, capsys).out.splitlines()[0]
    told = answer([*given, "--layout", "time-first"], capsys)
    assert (told["samples"], told["steps"]) == (1, STEPS)
