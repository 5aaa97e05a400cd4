"""Tiny converted models for tests of files and of the command line: made once a session, copied by whoever damages them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import models

Patch = pytest.MonkeyPatch


class Answer(NamedTuple):
    """What a call of the command line left behind."""

    status: object
    out: str
    err: str

    @property
    def code(self) -> str:
        """Of the error that the last line tells."""
        error, code, *_ = self.err.splitlines()[-1].split()
        assert error == "error", self.err
        return code


class Cli:
    """`neurodeploy ARGUMENTS` in this process, whatever the arguments are made of."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: object) -> Answer:
        from neurodeploy.cli import main

        self.capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        said = self.capsys.readouterr()
        return Answer(left.value.code, said.out, said.err)

    def json(self, *arguments: object) -> Any:
        """What a call finds that ends well and has nothing to remark."""
        found = self(*arguments, "--json")
        assert (found.status, found.err) == (0, "")
        return json.loads(found.out, parse_constant=_no_json)

    def refuses(self, arguments: list[str], code: str, status: int, says: str, folder: Path) -> None:
        """A call ends with that error, for people in one line and with ``--json``, and changes nothing in the folder."""
        with unchanged(folder):
            plain, machine = self(*arguments), self(*arguments, "--json")
        assert (plain.status, plain.code) == (status, code), plain.err
        assert says in plain.err
        assert plain.err.count("\n") == 1 and "Traceback" not in plain.err
        assert plain.out == ""
        error = json.loads(machine.out)["error"]
        assert (machine.status, error["code"]) == (status, code)
        assert error["subject"] and error["problem"]
        assert len(error["fix"]) > 8, "the message must say what to do"


def _no_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


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


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    """What is below a folder stays as it is."""
    before = snapshot(folder)
    yield
    assert snapshot(folder) == before


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers without a tokenizer: a token is a byte."""
    folder = tmp_path_factory.mktemp("models") / "llama"
    return models.save("llama", folder, tie_word_embeddings=False, eos_token_id=None, bos_token_id=None)


@pytest.fixture(scope="session")
def experts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama 4 with experts, whose vocabulary is ASCII."""
    return models.save("llama4", tmp_path_factory.mktemp("models") / "experts", vocab_size=128, eos_token_id=None)


def _converted(model: Path, system: str | None, **changes: str) -> Path:
    from neurodeploy import pipeline

    out = model.parent / f"{'-'.join([model.name, *changes.values()])}.nd"
    pipeline.convert(model, out, preset="quick", calibration_tokens=96, **changes)
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
    return [sys.executable, "-m", "neurodeploy", *arguments]


def scripted(script: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """A process of its own that runs a script from this checkout."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600, **options)


def environment() -> dict[str, str]:
    root = Path(__file__).parent.parent
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


@pytest.fixture(scope="session")
def block_bundle(llama: Path) -> Path:
    """The Llama with all of its blocks but rotary positions and attention on the chip, not mapped."""
    return _converted(llama, None, on_chip="block")
