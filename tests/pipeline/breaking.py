"""How work is broken off: a function that fails once, a full disk, a signal that a process of its own sends itself."""

from __future__ import annotations

import pkgutil
import resource
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from neurodeploy.pipeline import stepping, streams
from simulators import get_runner
from tests.tiny import HEEDING, scripted

#: Of the Llama: every one is digested when it is finished, and again with all members at the end.
ISLANDS = 9
#: Where the conversion of a language model may be hit: function, how often it works before that, finished islands that stay.
MODEL_PLACES = {
    "first island": ("neurodeploy.conversion.quantize._convert_group", 0, 0),
    "fifth island": ("neurodeploy.conversion.quantize._convert_group", 4, 4),
    "weights of an island": ("neurodeploy.bundle.linear_files.write_nir", 2, 2),
    "image of an island": ("neurodeploy.bundle.linear_files.write_image", 3, 3),
    "host weights": ("neurodeploy.bundle.writer.write_host_weights", 0, 9),
    "golden vectors": ("neurodeploy.bundle.golden.write_golden", 0, 9),
    "digest of an island": ("neurodeploy.bundle.writer.digest", 7, 3),
    "digests": ("neurodeploy.bundle.writer.digest", 2 * ISLANDS + 6, 9),
    "last rename": ("neurodeploy.bundle.folders.take_place", 0, 0),
}


def convert(model: Path, out: Path) -> list[str]:
    return ["convert", str(model), "--out", str(out), "--preset", "quick", "--calibration-tokens", "64"]


@contextmanager
def failing(target: str, error: BaseException, after: int = 0) -> Iterator[None]:
    """The function of that name works `after` times and raises `error` then, once."""
    real, calls = pkgutil.resolve_name(target), count()

    def wrapper(*arguments: Any, **options: Any) -> Any:
        if next(calls) == after:
            raise error
        return real(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, wrapper)
        yield


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Every write beyond `size` bytes of a file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def kept_beside(out: Path) -> list[Path]:
    """Folders of finished islands that an interrupted conversion to `out` has left."""
    return sorted(out.parent.glob(f".{out.name}.*.partial"))


#: Runs the command line and, when call number sys.argv[3] of the function sys.argv[2] begins, sends its own process the
#: signal sys.argv[1]: a poll from outside would race with a fast conversion.
STRUCK = """
import os, pkgutil, sys
from neurodeploy.cli import main
holder, _, name = sys.argv[2].rpartition(".")
owner, begun = pkgutil.resolve_name(holder), []
real = getattr(owner, name)
def hit(*arguments, **options):
    begun.append(1)
    if len(begun) == int(sys.argv[3]):
        os.kill(os.getpid(), int(sys.argv[1]))
    return real(*arguments, **options)
setattr(owner, name, hit)
main(sys.argv[4:])
"""
#: The weights of an island are written and what is known of it is not.
AT_THIRD_ISLAND = "neurodeploy.bundle.linear_files.write_image", 3


def struck(
    number: int, place: tuple[str, int], arguments: Sequence[object], first: str = HEEDING, **options: Any
) -> subprocess.CompletedProcess[str]:
    """A process that runs the command line, after the code `first`, and sends itself that signal at that call."""
    return scripted(first + STRUCK, int(number), *place, *arguments, **options)


@contextmanager
def interrupting(at: int, runner: str = "fast") -> Iterator[None]:
    """Ctrl-C in the stretch of a run after `at` steps; stretches are of one step."""
    engine, calls = get_runner(runner), count()
    real = engine.run

    def run(*arguments: Any, **options: Any) -> Any:
        if next(calls) >= at:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stepping, "STRETCH", 1)
        patch.setattr(engine, "run", run)
        patch.setattr(streams, "runner_for", lambda *asked: engine)
        yield
