"""A module of ours in a process of its own, with limits of memory, processor time and wall time.

For libraries that crash, hang or take all memory on files of strangers: whatever they do, this process gets an answer::

    with Confined("neurodeploy.frontends.hdf5_worker", [path], Limits(15, 2 << 30, 300.0)) as worker:
        ... read worker.out to its end ...
        worker.ended()      # "was ended by SIGABRT: memory allocation of 5 bytes failed"

Reading never deadlocks: a worker is killed before it is waited for, unless it has closed its output by itself.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

#: What the libraries of a worker read when they are loaded: one thread each, and last words of one line.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "RUST_BACKTRACE": "0"}
#: Bytes of a worker's last words that are looked at.
LAST_WORDS = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` of processor time, bytes of address space, `wall` seconds of one request."""

    seconds: int
    memory: int
    wall: float


@dataclass(frozen=True, slots=True)
class End:
    """How a worker ended: `status` as of `subprocess`, the last line that it wrote to stderr, whether it was overdue."""

    status: int
    said: str
    overdue: bool

    def __str__(self) -> str:
        if self.overdue:
            return "took too long"
        if self.status >= 0:
            how = f"ended with status {self.status}"
        else:
            name = next((known.name for known in signal.Signals if known == -self.status), f"signal {-self.status}")
            how = "took too much processor time" if name == "SIGXCPU" else f"was ended by {name}"
        return f"{how}: {self.said}" if self.said else how


def command(module: str, limits: Limits, arguments: Sequence[str]) -> list[str]:
    """How a worker is started."""
    launcher = Path(__file__).with_name("launch.py")
    return [sys.executable, str(launcher), module, str(limits.seconds), str(limits.memory), *arguments]


class Confined:
    """A worker. `out` is what it writes, `into` what it reads (where `talks`)."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        limits: Limits,
        environment: Mapping[str, str] | None = None,
        talks: bool = False,
    ) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._limits, self._overdue, self._owner = limits, False, os.getpid()
        self.process = subprocess.Popen(
            command(module, limits, arguments),
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._said,
            env={**os.environ, **ENVIRONMENT, **(environment or {})},
        )  # fmt: skip
        self.out: IO[bytes] = self.process.stdout or io.BytesIO()
        self.into: IO[bytes] = self.process.stdin or io.BytesIO()

    @contextmanager
    def request(self) -> Iterator[None]:
        """The worker is killed where this lasts longer than its wall time."""

        def overdue() -> None:
            self._overdue = True
            self.process.kill()

        timer = threading.Timer(self._limits.wall, overdue)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def ended(self, by_itself: bool = True) -> End:
        """How it ended. `by_itself`: its output is at an end, so it is about to; otherwise it is killed first."""
        if not by_itself:
            self.process.kill()
        with self.request():
            status = self.process.wait()
        self._said.seek(0)
        lines = self._said.read(LAST_WORDS).decode("utf-8", "replace").strip().splitlines()
        return End(status, _telling(lines), self._overdue)

    def close(self) -> None:
        """Kill it where it still runs; forget it. A fork of the process that started it leaves it alone."""
        if os.getpid() != self._owner:
            return
        self.process.kill()
        self.process.wait()
        for stream in (self.into, self.out, self._said):
            with suppress(OSError):  # what was still to be written has no reader
                stream.close()

    def __enter__(self) -> Confined:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _telling(lines: Sequence[str]) -> str:
    """The line that says most: the last that is no advice on how to print more."""
    return next((line for line in reversed(lines) if not line.startswith("note:")), "")
