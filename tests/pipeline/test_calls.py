"""Calling the command line: help, versions, plain output whatever a stranger's file or model holds; standard streams that
cannot be written; what a verb loads."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neurodeploy
from neurodeploy.bundle import open_bundle
from neurodeploy.pipeline import streams
from simulators.fast.runner import FastRunner
from tests.bundle.changes import rewrite
from tests.pipeline.networks import Files, copied
from tests.tiny import Cli, Patch, environment, python, scripted, unchanged

VERBS = ["convert", "map", "run", "generate", "eval", "energy", "explain", "report", "export", "verify"]
VERBS += ["doctor", "demo"]


@pytest.mark.parametrize("verb", VERBS)
def test_help(verb: str, cli: Cli) -> None:
    found = cli(verb, "-h" if verb == "map" else "--help")
    assert (found.status, found.err) == (0, "")
    assert f"neurodeploy {verb} [OPTIONS]" in found.out and "--json" in found.out


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), ([], 2), (["--threads", "2"], 2)])
def test_the_help_lists_every_verb_and_is_what_no_verb_shows(arguments: list[str], status: int, cli: Cli) -> None:
    found = cli(*arguments)
    assert (found.status, found.err) == (status, "")
    assert all(verb in found.out for verb in VERBS)
    assert "docs/errors.md" in found.out


def test_version(cli: Cli) -> None:
    assert cli("--version") == (0, f"{neurodeploy.__version__}\n", "")


def test_names_cannot_drive_the_terminal(tmp_path: Path, cli: Cli) -> None:
    """Escape sequences, line ends and bytes that are no UTF-8 in a path: one plain line."""
    found = cli("convert", "a\x1b[2Jb\nc\udcff", "--out", tmp_path / "x.nd")
    assert found.status == 2
    assert found.err.startswith("error ND1001 a")
    assert found.err.count("\n") == 1
    assert "\x1b" not in found.err


def test_generated_text_cannot_drive_the_terminal(llama_bundle: Path, cli: Cli) -> None:
    """A model of random bytes: its text goes out as JSON exactly, to a terminal without control characters."""
    options = ["generate", llama_bundle, "--prompt", "abc", "--tokens", "120", "--temperature", "3"]
    exact = cli.json(*options)["text"]
    assert any(ord(c) < 32 and c not in "\n\t" for c in exact)
    shown = cli(*options).out
    assert shown.startswith("abc")
    assert all(c.isprintable() or c in "\n\t" for c in shown)


def test_an_error_is_not_glued_to_the_prompt(llama_bundle: Path, cli: Cli) -> None:
    found = cli("generate", llama_bundle, "--prompt", "abc", "--tokens", "100000")
    assert (found.status, found.out) == (2, "")


def test_sampling_takes_any_temperature(llama_bundle: Path, cli: Cli) -> None:
    """A temperature too small to divide by is as good as 0; a huge one is a fair die."""
    options = ["generate", llama_bundle, "--prompt", "abc", "--tokens", "6"]
    greedy = cli.json(*options)["tokens"]
    assert cli.json(*options, "--temperature", "1e-320")["tokens"] == greedy
    assert len(cli.json(*options, "--temperature", "1e300", "--top-k", "9999")["tokens"]) == 6


def test_default_energy_and_report_of_a_model_with_few_positions(llama_bundle: Path, tmp_path: Path, cli: Cli) -> None:
    """128 prompt tokens and 16 new ones exceed 100 positions: the defaults give way, and say how many were read."""
    bundle = copied(llama_bundle, tmp_path)
    rewrite(bundle, lambda program: program["info"].update(max_positions=100))
    assert cli("map", bundle, "--system", "oheo-gulch").status == 0
    found = cli.json("energy", bundle)
    assert found["prefill_tokens"] == 100 - 16 - 1
    assert cli("report", bundle, "--out", tmp_path / "r.html").status == 0
    refused = cli("energy", bundle, "--prompt-tokens", "90")
    assert (refused.status, refused.code) == (2, "ND3006")
    assert "shorten the prompt to at most 84 tokens, or ask for at most 10 new ones" in refused.err
    for followed in (["--prompt-tokens", "84"], ["--prompt-tokens", "90", "--tokens", "10"]):
        assert cli("energy", bundle, *followed).status == 0


# --- standard streams: full, closed, without a reader; one line with a code, never a traceback

full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
REFUSED = "error ND5004 standard output: cannot be written: "


def shell(arguments: list[object], redirections: str) -> subprocess.CompletedProcess[str]:
    command = f"{shlex.join(python(*map(str, arguments)))} {redirections}"
    return subprocess.run(["sh", "-c", command], env=environment(), capture_output=True, text=True, check=False)


@full
@pytest.mark.parametrize(
    "arguments", [["explain", "BUNDLE", "--json"], ["explain", "BUNDLE"], ["--version"], ["map", "-h"]]
)
@pytest.mark.parametrize(
    ("redirections", "reason"), [("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_output_that_cannot_be_written(
    arguments: list[str], redirections: str, reason: str, llama_bundle: Path
) -> None:
    """Small and large outputs, of our own and of the library of the command line."""
    found = shell([str(llama_bundle) if word == "BUNDLE" else word for word in arguments], redirections)
    assert found.returncode == 2 and found.stderr.startswith(REFUSED + reason)
    assert found.stderr.count("\n") == 1 and found.stdout == ""


@full
@pytest.mark.parametrize("redirections", ["> /dev/full", ">&-", "<&- >&-"])
def test_an_error_is_told_all_the_same(redirections: str) -> None:
    found = shell(["explain", "nothere.nd", "--json"], redirections)
    assert found.returncode == 2 and found.stderr.startswith("error ND5001 nothere.nd")
    assert found.stderr.count("\n") == 1


@full
@pytest.mark.parametrize("redirections", ["2> /dev/full", "2>&-", "<&- 2>&-"])
def test_messages_that_cannot_be_written_change_nothing(redirections: str) -> None:
    assert shell(["--version"], redirections).returncode == 0
    found = shell(["explain", "nothere.nd", "--json"], redirections)
    assert found.returncode == 2 and '"code": "ND5001"' in found.stdout


def test_a_closed_stream_is_no_place_for_a_file(llama_bundle: Path, tmp_path: Path) -> None:
    """A file that is opened when 1 is free gets that number, and whatever is printed to it."""
    with unchanged(llama_bundle):
        found = shell(["report", llama_bundle, "--out", tmp_path / "r.html"], "<&- >&- 2>&-")
    assert found.returncode == 2 and (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!")


@pytest.mark.parametrize("arguments", [["--help"], ["explain", "BUNDLE"], ["explain", "BUNDLE", "--json"]])
def test_a_reader_that_leaves_is_no_error(arguments: list[str], llama_bundle: Path) -> None:
    arguments = [str(llama_bundle) if word == "BUNDLE" else word for word in arguments]
    found = shell(arguments, "; echo $? >&2")  # as it is with a reader
    assert found.stderr == "0\n"
    pipe = f"({shlex.join(python(*arguments))}; echo $? >&2) | true"
    left = subprocess.run(["sh", "-c", pipe], env=environment(), capture_output=True, text=True, check=False)
    assert left.stderr == "0\n"


# --- a small spiking network needs neither torch nor compiled kernels, and the help needs nothing

#: Runs the command line and prints last which of the libraries that take long to load were loaded.
LOADED = """
import json, sys
from neurodeploy.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code, ended.code
heavy = "torch", "numba", "transformers", "rich", "numpy", "h5py", "nir", "tokenizers", "gguf"
print(json.dumps([name for name in heavy if name in sys.modules]))
"""


def loaded(*arguments: object) -> list[str]:
    done = scripted(LOADED, *arguments)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_the_help_loads_nothing() -> None:
    assert loaded("--help") == []


@pytest.mark.parametrize("verb", ["run", "energy", "map", "explain", "fit"])
def test_a_small_network_loads_neither_torch_nor_kernels(verb: str, files: Files, tmp_path: Path) -> None:
    fed = [files.plain_nd, "--input", files.spikes]
    arguments: dict[str, list[object]] = {
        "fit": ["gemma3-1b", "--bits", "8"], "map": [copied(files.plain_nd, tmp_path)], "explain": [files.plain_nd],
    }  # fmt: skip
    found = loaded(verb, *arguments.get(verb, fed))
    assert "torch" not in found and "transformers" not in found
    assert verb not in ("run", "energy") or "numba" not in found


def test_the_reference_runs_what_is_done_before_kernels_are_loaded(files: Files, monkeypatch: Patch) -> None:
    """By the estimate of its time alone, and only where the kernels are not there already; with the same bits."""
    opened = open_bundle(files.plain_nd)
    stream = streams.stream_of(files.spikes, opened, None)
    assert streams.runner_for("fast", opened, stream.steps, stream.samples).name == "fast"  # this file loaded them
    monkeypatch.delitem(sys.modules, "simulators.fast.runner")
    small = streams.runner_for("fast", opened, stream.steps, stream.samples)
    assert small.name == "reference"
    assert streams.runner_for("fast", opened, 1_000_000, stream.samples).name == "fast"
    a, b = (runner.run(opened.program.network, stream.inputs, stream.steps) for runner in (small, FastRunner()))
    assert all(np.array_equal(a.outputs[name], b.outputs[name]) for name in b.outputs) and b.outputs
