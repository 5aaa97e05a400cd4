"""What users met that was wrong or refused, by the command line; the parts have tests of their own beside their code."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from neurodeploy.frontends import hdf5_guard
from tests import gguf_files, models
from tests.pipeline.networks import DT, Files, copied, layers
from tests.pipeline.test_families import bytes_as_tokens
from tests.tiny import HEEDING, Cli, environment

HOST_LINK_S = 230e-6


def refused(arguments: list[str], cli: Cli, begins: str, *says: str) -> None:
    found = cli(*arguments)
    assert found.status == 2 and found.err.startswith(f"error {begins}"), found.err
    assert all(part in found.err for part in says) and "at most 0" not in found.err, found.err


@pytest.mark.parametrize(
    "settings",
    [{"attention.sliding_window_pattern": [True, False]}, {"rope.dimension_sections": [8, 8, 0, 0]}],
)
def test_a_list_under_a_gguf_key_is_refused_by_its_name(settings: dict[str, Any], tmp_path: Path, cli: Cli) -> None:
    gguf_files.save(tmp_path / "x.gguf", models.make("llama", vocab_size=261), bytes_as_tokens("llama"), settings)
    given = ["convert", str(tmp_path / "x.gguf"), "--out", str(tmp_path / "x.nd"), "--preset", "quick"]
    refused(given, cli, "ND1012 ", f"llama.{next(iter(settings))}")


def test_one_name_for_fit_and_convert(tmp_path: Path, cli: Cli) -> None:
    assert cli("fit", "Qwen/Qwen3-0.6B", "--system", "hala-point", "--bits", "8").status == 0
    refused(["convert", "Qwen/Qwen3-0.6B", "--out", str(tmp_path / "x.nd")], cli, "", "`hf download Qwen/Qwen3-0.6B")


def test_a_prompt_without_room_for_an_answer(llama_bundle: Path, cli: Cli) -> None:
    given = ["generate", str(llama_bundle), "--prompt", "a" * 6000, "--tokens", "4"]
    refused(given, cli, "ND3006 ", "shorten the prompt to at most 252 tokens")


def test_a_missing_time_step_names_the_whole_command(files: Files, tmp_path: Path, cli: Cli) -> None:
    out = str(tmp_path / "x.nd")
    given = ["convert", str(files.plain), "--out", out]
    refused(given, cli, "ND1212 ", f"neurodeploy convert {files.plain} ", f"--out {out}")


def convert(files: Files, out: Path) -> list[str]:
    return ["convert", str(files.plain), "--dt", str(DT), "--out", str(out)]


def test_text_beside_the_graph_is_not_read(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    """80 MB in 80 kB: its reader stood with a full pipe until its time was over."""
    monkeypatch.setattr(hdf5_guard, "WALL_SECONDS", 30)  # nothing is waited for where this passes
    shutil.copy(files.plain, tmp_path / "x.nir")
    with h5py.File(tmp_path / "x.nir", "a") as file:
        text = np.full(40_000, b"x" * 2000, "S2000")
        file.create_dataset("notes/t", data=text, compression="gzip", chunks=(4000,))
    given = ["convert", str(tmp_path / "x.nir"), "--dt", str(DT), "--out", str(tmp_path / "x.nd")]
    assert cli(*given).status == 0


#: Runs the command line and sends its own process a signal where the golden vectors of a bundle are written.
HIT = (
    HEEDING
    + """
import os, time
from neurodeploy.bundle import golden
from neurodeploy.cli import main
def hit(*_):
    os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(600)
golden.write_golden = hit
main(sys.argv[2:])
"""
)


def hit(number: int, arguments: list[str]) -> int:
    command = [sys.executable, "-c", HIT, str(number), *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True).returncode


def test_a_terminal_that_is_closed_leaves_nothing(files: Files, tmp_path: Path) -> None:
    assert hit(signal.SIGHUP, convert(files, tmp_path / "x.nd")) == 130
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_swept(files: Files, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / f"{'n' * 240}.nd"
    assert hit(signal.SIGKILL, convert(files, out)) == -9
    assert cli(*convert(files, out)).status == 0
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("name", ["=cmd|' .exe'!A0", "\uff1d1+1", "'=1", "-2+3", "@SUM(1+1)"])
def test_no_cell_of_a_plan_or_a_report_is_a_formula(name: str, files: Files, tmp_path: Path, cli: Cli) -> None:
    """Names of NIR nodes are a stranger's, a plan is made to be opened in a spreadsheet: marked, and read back as meant."""
    graph, net, plan = layers(), str(tmp_path / "x.nd"), tmp_path / "plan.csv"
    nodes = {name if key == "hidden" else key: node for key, node in graph.nodes.items()}
    nir.write(tmp_path / "x.nir", nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False))))
    mapped = ["map", net, "--system", "oheo-gulch", "--json"]
    for given in (
        ["convert", str(tmp_path / "x.nir"), "--dt", str(DT), "--out", net],
        [*mapped, "--write-plan", str(plan)],
        ["report", net, "--input", str(files.spikes), "--out", str(tmp_path / "r.html")],
    ):
        assert cli(*given).status == 0
    tables = [plan, *tmp_path.glob("r_*.csv")]
    cells = {cell for path in tables for row in csv.reader(path.read_text("utf-8").splitlines()) for cell in row}
    assert len(tables) > 2 and f"'{name}" in cells and name not in cells
    assert not [cell for cell in cells if cell.startswith(("=", "\uff1d", "@"))]
    text = plan.read_text("utf-8").splitlines()
    plan.write_text(
        "\n".join(line.replace(",chip,,,", ",chip,2,,") if name in line else line for line in text), "utf-8"
    )
    found = cli(*mapped, "--plan", plan, "--write-plan", tmp_path / "again.csv")
    assert (found.status, json.loads(found.out)["shards"]) == (0, 3 + 1), "two neurons a core were asked for"


def test_a_spiking_network_says_its_hops(files: Files, tmp_path: Path, cli: Cli) -> None:
    """On two chips of one neuron a core each."""
    bundle = str(copied(files.plain_nd, tmp_path))
    found = cli.json("map", bundle, "--system", "kapoho-point", "--max-rows", "1", "--pin", "last=chip:1")
    traffic = found["traffic_per_token"]
    assert traffic["spike_hops"]["messages"] > 0 and traffic["interchip_hops"]["messages"] > 0


def test_one_number_of_crossings_and_the_host_link_once_an_exchange(
    experts_bundle: Path, tmp_path: Path, cli: Cli
) -> None:
    bundle = tmp_path / "x.nd"
    shutil.copytree(experts_bundle, bundle)
    mapped = cli.json("map", bundle, "--system", "kapoho-point")["metrics"]["fallback"]["crossings"]
    found = cli.json("energy", bundle, "--prompt-tokens", "8", "--tokens", "4")["generate"]
    (told,) = re.findall(r"([\d.]+) (?:crossings|exchanges)", found["bound_by"])
    assert float(told) == mapped
    assert found["seconds_split"]["host link latency"] == pytest.approx(mapped / 2 * HOST_LINK_S)


def test_fit_says_what_is_there_what_was_asked_for_and_both_ratios(cli: Cli) -> None:
    """One convention of chips, with the head; a plan that costs 1.3 times the energy is neither faster nor slower."""
    found = cli("fit", "gemma3-1b", "--system", "hala-point", "--chips", "8", "--bits", "8", "--json")
    said = json.loads(found.out)["answer"]
    assert found.status == 3, found.err
    assert "needs 66 chips (46 without the head)" in said
    assert "at most 8 of its 1152 were asked for" in said and "it has 8" not in said
    assert re.search(r"1\.3 times the energy and 0\.97 times the time of the host alone", said)
    assert "faster" not in said and "slower" not in said


def test_no_modelled_joule_is_called_measured(llama_bundle: Path, cli: Cli) -> None:
    asked = ("energy", llama_bundle, "--prompt-tokens", "8", "--tokens", "4")
    assert "modelled, not measured: " in cli(*asked).out
    assert "no joule is measured" in cli(*asked, "-v").out
