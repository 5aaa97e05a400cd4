"""Calling the command line: help, versions, plain output whatever a stranger's file or model holds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import neurodeploy
from tests.bundle.changes import rewrite
from tests.tiny import Capture, call, environment

VERBS = (
    "convert", "map", "run", "generate", "eval", "energy", "explain", "report", "export", "verify", "doctor", "demo"
)  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_help(verb: str, capsys: Capture) -> None:
    found = call([verb, "-h" if verb == "map" else "--help"], capsys)
    assert (found.status, found.err) == (0, "")
    assert f"neurodeploy {verb} [OPTIONS]" in found.out and "--json" in found.out


def test_help_lists_every_verb(capsys: Capture) -> None:
    found = call(["--help"], capsys)
    assert found.status == 0
    assert all(verb in found.out for verb in VERBS)
    assert "docs/errors.md" in found.out


@pytest.mark.parametrize("arguments", [[], ["--threads", "2"]])
def test_no_verb_shows_the_help(arguments: list[str], capsys: Capture) -> None:
    found = call(arguments, capsys)
    assert (found.status, found.err) == (2, "")
    assert all(verb in found.out for verb in VERBS)


def test_version(capsys: Capture) -> None:
    assert call(["--version"], capsys) == (0, f"{neurodeploy.__version__}\n", "")


def test_help_loads_no_heavy_library() -> None:
    script = (
        "import sys\nfrom neurodeploy.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('torch', 'numba', 'h5py', 'nir', 'tokenizers', 'gguf') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_names_cannot_drive_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    """Escape sequences, line ends and bytes that are no UTF-8 in a path: one plain line."""
    found = call(["convert", "a\x1b[2Jb\nc\udcff", "--out", str(tmp_path / "x.nd")], capsys)
    assert found.status == 2
    assert found.err.startswith("error ND1001 a")
    assert found.err.count("\n") == 1
    assert "\x1b" not in found.err


def test_generated_text_cannot_drive_the_terminal(llama_bundle: Path, capsys: Capture) -> None:
    """A model of random bytes: its text goes out as JSON exactly, to a terminal without control characters."""
    options = ["generate", str(llama_bundle), "--prompt", "abc", "--tokens", "120", "--temperature", "3"]
    exact = json.loads(call([*options, "--json"], capsys).out)["text"]
    assert any(ord(c) < 32 and c not in "\n\t" for c in exact)
    shown = call(options, capsys).out
    assert shown.startswith("abc")
    assert all(c.isprintable() or c in "\n\t" for c in shown)


def test_an_error_is_not_glued_to_the_prompt(llama_bundle: Path, capsys: Capture) -> None:
    found = call(["generate", str(llama_bundle), "--prompt", "abc", "--tokens", "100000"], capsys)
    assert (found.status, found.out) == (2, "")


def test_sampling_takes_any_temperature(llama_bundle: Path, capsys: Capture) -> None:
    """A temperature too small to divide by is as good as 0; a huge one is a fair die."""
    options = ["generate", str(llama_bundle), "--prompt", "abc", "--tokens", "6", "--json"]
    greedy = json.loads(call(options, capsys).out)["tokens"]
    assert json.loads(call([*options, "--temperature", "1e-320"], capsys).out)["tokens"] == greedy
    assert len(json.loads(call([*options, "--temperature", "1e300", "--top-k", "9999"], capsys).out)["tokens"]) == 6


def test_default_energy_and_report_of_a_model_with_few_positions(
    llama_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    """128 prompt tokens and 16 new ones exceed 100 positions: the defaults give way, and say how many were read."""
    bundle = tmp_path / "short.nd"
    shutil.copytree(llama_bundle, bundle)
    rewrite(bundle, lambda program: program["info"].update(max_positions=100))
    assert call(["map", str(bundle), "--system", "oheo-gulch"], capsys).status == 0
    found = json.loads(call(["energy", str(bundle), "--json"], capsys).out)
    assert found["prefill_tokens"] == 100 - 16 - 1
    assert call(["report", str(bundle), "--out", str(tmp_path / "r.html")], capsys).status == 0
    refused = call(["energy", str(bundle), "--prompt-tokens", "90"], capsys)
    assert (refused.status, refused.err.split()[1]) == (2, "ND3006")
    assert "shorten the prompt to at most 84 tokens, or ask for at most 10 new ones" in refused.err
    for followed in (["--prompt-tokens", "84"], ["--prompt-tokens", "90", "--tokens", "10"]):
        assert call(["energy", str(bundle), *followed], capsys).status == 0
