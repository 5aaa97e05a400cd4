"""Calling the command line: help, versions, plain output whatever a stranger's file or model holds."""

from __future__ import annotations

from pathlib import Path

import pytest

import neurodeploy
from tests.bundle.changes import rewrite
from tests.pipeline.networks import copied
from tests.tiny import Cli

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
