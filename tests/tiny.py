"""Tiny converted models for tests of files and of the command line: made once a session, copied by whoever damages them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import models

Run = Callable[..., "Answer"]
Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


class Answer(NamedTuple):
    """What a call of the command line left behind."""

    status: object
    out: str
    err: str


def call(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Answer:
    """`neurodeploy ARGUMENTS` in this process."""
    from neurodeploy.cli import main

    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(arguments)
    said = capsys.readouterr()
    return Answer(left.value.code, said.out, said.err)


def refused(
    arguments: list[str], code: str, status: int, says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A call ends with that error, for people in one line and with ``--json``, and changes nothing in the folder."""
    before = snapshot(folder)
    plain = call(arguments, capsys)
    assert (plain.status, plain.err.split()[:2]) == (status, ["error", code]), plain.err
    assert says in plain.err
    assert plain.err.count("\n") == 1 and "Traceback" not in plain.err
    assert plain.out == ""
    machine = call([*arguments, "--json"], capsys)
    error = json.loads(machine.out)["error"]
    assert (machine.status, error["code"]) == (status, code)
    assert error["subject"] and error["problem"]
    assert len(error["fix"]) > 8, "the message must say what to do"
    assert snapshot(folder) == before


def snapshot(folder: Path) -> dict[str, str]:
    """Everything below a folder: digests of files, targets of links, kinds of the rest."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[str(path)] = f"link to {path.readlink()}"
        elif stat.S_ISREG(mode):
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[str(path)] = oct(stat.S_IFMT(mode))
    return found


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers without a tokenizer: a token is a byte."""
    folder = tmp_path_factory.mktemp("models") / "llama"
    return models.save("llama", folder, tie_word_embeddings=False, eos_token_id=None, bos_token_id=None)


@pytest.fixture(scope="session")
def experts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama 4 with experts, whose vocabulary is ASCII."""
    return models.save("llama4", tmp_path_factory.mktemp("models") / "experts", vocab_size=128, eos_token_id=None)


def _converted(model: Path, system: str | None) -> Path:
    from neurodeploy import pipeline

    out = model.parent / f"{model.name}.nd"
    pipeline.convert(model, out, preset="quick", calibration_tokens=96)
    if system:
        pipeline.map(out, system)
    return out


@pytest.fixture(scope="session")
def llama_bundle(llama: Path) -> Path:
    """The Llama, converted and mapped to one chip. Copy it before you change it."""
    return _converted(llama, "oheo-gulch")


@pytest.fixture(scope="session")
def experts_bundle(experts: Path) -> Path:
    """The model with experts, converted and not mapped. Copy it before you change it."""
    return _converted(experts, None)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wide terminal, so that no message is broken into lines; no debugging from outside."""
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.delenv("NEURODEPLOY_DEBUG", raising=False)


#: The beginning of a program that sends itself the signal sys.argv[1], which whoever started the tests may have ignored.
HEEDING = """
import signal, sys
if sys.argv[1] != str(int(signal.SIGKILL)):
    interrupt = sys.argv[1] == str(int(signal.SIGINT))
    signal.signal(int(sys.argv[1]), signal.default_int_handler if interrupt else signal.SIG_DFL)
"""


def tarball(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def python(*arguments: str) -> list[str]:
    """The command of a subprocess that runs the command line from this checkout."""
    import sys

    return [sys.executable, "-m", "neurodeploy", *arguments]


def environment() -> dict[str, str]:
    root = Path(__file__).parent.parent
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
