"""What every verb of the command line takes beside its own options, the examples of its help, and completion."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neurodeploy.cli.app import app
from neurodeploy.cli.entry import main
from neurodeploy.cli.examples import EXAMPLES
from tests.pipeline.networks import Files
from tests.tiny import Cli, Patch, environment

COMMON = ("--threads", "--verbose", "--quiet", "--config")
VERBS = tuple(EXAMPLES)


def commands() -> dict[str, Any]:
    """The verbs as the command line knows them."""
    import typer.main

    found: Any = typer.main.get_command(app)
    return dict(found.commands)


def test_every_verb_has_them() -> None:
    assert set(commands()) == set(VERBS)
    for name, command in commands().items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert options >= {*COMMON, "-v", "-q", "--json"}, name


@pytest.mark.parametrize("verb", VERBS)
def test_help_ends_with_two_calls_that_are_right(verb: str, cli: Cli) -> None:
    """Both are of this verb, and the command line takes every word of them."""
    said = cli(verb, "--help").out.rstrip().splitlines()
    assert said[-3].strip() == "Examples:"
    for line in said[-2:]:
        program, name, *rest = shlex.split(line)
        assert (program, name) == ("neurodeploy", verb)
        commands()[name].make_context(name, list(rest))


def test_quiet(files: Files, cli: Cli, tmp_path: Path) -> None:
    """Nothing on either stream, the file as ever; JSON where it is asked for, and errors."""
    call = ("run", files.plain_nd, "--input", files.spikes)
    out = tmp_path / "out.npz"
    assert cli(*call, "--out", out, "--quiet") == (0, "", "") and out.is_file()
    assert json.loads(cli(*call, "-q", "--json").out)["steps"] == cli.json(*call)["steps"]
    assert cli("explain", tmp_path, "-q").code == "ND5001"
    assert cli(*call).out != ""  # the next call is not


def test_quiet_leaves_what_generate_writes(llama_bundle: Path, cli: Cli) -> None:
    call = ("generate", llama_bundle, "--prompt", "abc", "--tokens", "3", "--compare-float")
    loud, quiet = cli(*call).out.splitlines(), cli(*call, "--quiet").out.splitlines()
    assert loud[:-1] == quiet and "float model" in loud[-1]


def test_verbose(files: Files, cli: Cli, tmp_path: Path) -> None:
    """Remarks and the answer on stderr, twice the call too; nothing is left of it for the next call."""
    call = ("convert", files.plain, "--dt", "1e-3", "--json", "--out")
    once = cli(*call, tmp_path / "a.nd", "-v")
    found = json.loads(once.out)
    lines = once.err.splitlines()
    assert [line for line in lines if line.startswith("warning ")] == [
        f"warning convert: {line}" for line in (*found["open_questions"], *found["losses"], *found["warnings"])
    ]
    assert lines[-1].startswith("info convert: ") and not any(line.startswith("debug") for line in lines)
    assert cli(*call, tmp_path / "b.nd", "-vv").err.startswith("debug convert(")
    assert cli(*call, tmp_path / "c.nd").err == ""


@pytest.mark.parametrize(
    ("words", "environ", "wanted"),
    [
        (["doctor", "--threads", "3"], {}, "3"), (["--threads", "2", "doctor"], {"NEURODEPLOY_THREADS": "1"}, "2"),
        (["--threads", "2", "doctor", "--threads", "3"], {}, "3"), (["doctor"], {"NEURODEPLOY_THREADS": "4"}, "4"),
    ],
)  # fmt: skip
def test_threads(words: list[str], environ: dict[str, str], wanted: str, monkeypatch: Patch, capsys: Any) -> None:
    """Before the verb or after it, which goes first; the variable where neither is given."""
    from neurodeploy import pipeline

    seen = []
    monkeypatch.delenv("NEURODEPLOY_THREADS", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def doctor() -> Any:
        seen.append(os.environ["OMP_NUM_THREADS"])
        return pipeline.verbs.Result("doctor", {})

    monkeypatch.setattr(pipeline, "doctor", doctor, raising=False)
    with pytest.raises(SystemExit):
        main([*words, "--json"])
    assert seen == [wanted]


CONFIG = """
[all]
steps = 7
quiet = false

[energy]
input = "SPIKES"
what-if = "gate"
beside = []

[run]
bundle = "BUNDLE"
input = "SPIKES"
"""


@pytest.fixture
def config(files: Files, tmp_path: Path) -> Path:
    path = tmp_path / "neurodeploy.toml"
    path.write_text(CONFIG.replace("SPIKES", files.spikes.as_posix()).replace("BUNDLE", files.plain_nd.as_posix()))
    return path


def test_options_from_a_file(files: Files, config: Path, cli: Cli) -> None:
    """Those of the verb and of all, wherever --config stands; the command line goes first; arguments too."""
    fed = ("--input", files.spikes)
    assert cli.json("run", "--config", config)["steps"] == 7
    assert cli.json("run", files.plain_nd, *fed, "--steps", "5", "--config", config)["steps"] == 5
    by_file = cli.json("energy", files.plain_nd, "--config", config)
    assert by_file == cli.json("energy", files.plain_nd, *fed, "--steps", "7", "--what-if", "gate")
    assert by_file != cli.json("energy", files.plain_nd, *fed)
    assert cli("explain", files.plain_nd, "--config", config).status == 0  # which has no steps


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[enrgy]\n", r"has a table \[enrgy\], which is no verb"), ("tokens = 3\n", "has tokens outside of a table"),
        ("[energy]\ntoken = 3\n", r"has token in \[energy\], which is no option"), ("[energy\n", "is no TOML"),
        ("[all]\nnothere = 3\n", r"has nothere in \[all\]"), ("[energy]\nconfig = 'b.toml'\n", "has config in"),
        ("\x00", "is no TOML"),
    ],
)  # fmt: skip
def test_files_that_are_wrong(text: str, says: str, files: Files, tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    found = cli("energy", files.plain_nd, "--config", path)
    assert (found.status, found.code) == (2, "ND1113") and re.search(says, found.err), found.err
    assert json.loads(cli("energy", files.plain_nd, "--config", path, "--json").out)["error"]["code"] == "ND1113"


def test_a_file_that_is_not_there(files: Files, tmp_path: Path, cli: Cli) -> None:
    assert cli("energy", files.plain_nd, "--config", tmp_path / "nothere.toml").code == "ND1113"
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    assert cli("energy", files.plain_nd, "--config", tmp_path / "bytes.toml").code == "ND1113"


def test_a_value_of_the_wrong_type(files: Files, tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text("[energy]\ntokens = 'many'\n")
    found = cli("energy", files.plain_nd, "--config", path)
    assert (found.status, found.code) == (2, "ND1100") and "'--tokens'" in found.err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("neurodeploy ex", {"explain", "explore", "export"}), ("neurodeploy map --conf", {"--config"}),
        ("neurodeploy map x.nd --system ka", {"kapoho-point"}), ("neurodeploy energy --host j", {"jetson-orin-nano"}),
    ],
)  # fmt: skip
def test_completion(words: str, wanted: set[str]) -> None:
    """As bash asks for it."""
    asked = {"_NEURODEPLOY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-m", "neurodeploy"],
        env={**environment(), **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert set(done.stdout.split()) == wanted, done.stderr
