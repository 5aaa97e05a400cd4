"""Tokenizers that end their process, or never return: loaded and used in one of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from neurodeploy.errors import ModelError
from neurodeploy.frontends import tokenizer_worker
from neurodeploy.frontends.tokenizer import open_tokenizer
from neurodeploy.frontends.tokenizer_choice import read_tokenizer
from neurodeploy.frontends.tokenizer_library import Library
from neurodeploy.storage import confined
from tests.refusals import refused

SETTINGS = {"kind": "BPE", "bos": None, "eos": [], "adds_bos": False}
pytestmark = pytest.mark.usefixtures("isolated")


def sound() -> Tokenizer:
    vocab = {letter: i for i, letter in enumerate("abcdefgh \n\u00fc")}
    inner = Tokenizer(models.BPE({**vocab, "ab": len(vocab)}, [("a", "b")]))
    inner.pre_tokenizer = pre_tokenizers.Split(" ", "isolated")
    return inner


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    table = json.loads(sound().to_str())
    change(table)
    (folder / "tokenizer.json").write_text(json.dumps(table))
    return folder


def replacing(content: str, times: int) -> Callable[[dict[str, Any]], object]:
    step = {"type": "Replace", "pattern": {"String": "a"}, "content": content}
    return lambda table: table.update(normalizer={"type": "Sequence", "normalizers": [step] * times})


#: Each ended the whole program in Rust (SIGABRT), which no `except` sees: at a text, or when a bundle was written.
ABORTS = {
    "an id of 2^31": lambda table: table["model"]["vocab"].update(Z=1 << 31),
    "replacements of replacements": replacing("a" * 1000, 5),
    "two long replacements": replacing("a" * 30_000, 2),
}


@pytest.mark.parametrize("name", ABORTS)
def test_a_tokenizer_that_ends_its_process_is_an_error(tmp_path: Path, name: str) -> None:
    """From a stranger's folder and from a stranger's bundle."""
    folder = changed(tmp_path, ABORTS[name])
    for read in (
        lambda: read_tokenizer(folder, 300),
        lambda: open_tokenizer(folder / "tokenizer.json", 300, SETTINGS),
    ):
        error = refused(ModelError, "ND1009 .*does not survive", use, read, tmp_path / "written.json")
        assert str(folder) in error.subject
        assert "SIGABRT: memory allocation of" in error.problem and error.fix and str(error).isprintable()


def use(read: Callable[[], Any], out: Path) -> None:
    """What a conversion does."""
    tokenizer = read()
    try:
        tokenizer.encode("ab aaaa", bos=False)
    except ModelError as error:
        if error.code != "ND1010":  # a token beyond the model is another answer
            raise
    tokenizer.save(out)


def test_once_it_is_gone_it_stays_gone(tmp_path: Path) -> None:
    tokenizer = open_tokenizer(changed(tmp_path, replacing("a" * 1000, 5)) / "tokenizer.json", 300, SETTINGS)
    assert tokenizer.encode("bcd", bos=False) == [1, 2, 3]
    for _ in range(2):
        with pytest.raises(ModelError, match="does not survive"):
            tokenizer.encode("ab aaaa", bos=False)


def test_it_gives_what_the_library_gives() -> None:
    inner, library = sound(), Library(sound().to_str().encode(), "here")
    for text in ("ab ba\n", "", "h\u00fcb" * 1000):
        ids = inner.encode(text).ids
        assert library.encode(text) == ids and library.decode(ids) == inner.decode(ids)
    assert library.token_to_id("ab") == inner.token_to_id("ab") and library.token_to_id("xyz") is None
    assert library.id_to_token(3) == "d" and library.id_to_token(1 << 20) is None
    assert json.loads(library.to_json()) == json.loads(inner.to_str()) and library.model == "BPE"


def test_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the wall clock where no processor time is used: here a worker that only sleeps."""
    script = "import time; time.sleep(600)"
    monkeypatch.setattr(confined, "command", lambda *_: ["sleep", "600"])
    monkeypatch.setattr("neurodeploy.frontends.tokenizer_library.WALL_SECONDS", 0.3)
    refused(ModelError, "ND1009 .*took too long", Library, script.encode(), "here")


def test_processor_time_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launch = confined.command
    worker = tmp_path / "endless.py"
    worker.write_text("def main(arguments):\n    while True: pass\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(tokenizer_worker, "CPU_SECONDS", 1)
    monkeypatch.setattr(confined, "command", lambda module, *rest: launch("endless", *rest))
    with pytest.raises(ModelError, match="processor time"):
        Library(b"{}", "here")


def test_the_process_ends_with_its_user() -> None:
    library = Library(sound().to_str().encode(), "here")
    process = library._worker.process
    assert process.poll() is None
    del library
    assert process.poll() is not None


def test_an_interrupted_request_leaves_no_answer_for_the_next() -> None:
    library = Library(sound().to_str().encode(), "here")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    out = library._worker.out
    library._worker.out = type("Interrupted", (), {"readline": interrupted, "close": out.close})()
    with pytest.raises(KeyboardInterrupt):
        library.encode("ab")
    with pytest.raises(ModelError, match="SIGKILL"):
        library.encode("cd")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_a_fork_leaves_the_worker_alone() -> None:
    library = Library(sound().to_str().encode(), "here")
    child = os.fork()
    if child == 0:
        library._worker.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert library.encode("abc") == sound().encode("abc").ids
