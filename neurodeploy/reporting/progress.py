"""Progress of long work on stderr: a bar with the time left on a terminal, a line every ten seconds elsewhere.

Work reports through a plain call ``progress(stage, done, total)``: a stage may be reported as often as one likes,
`total` may be 0 where it is not known, and stages may follow or interleave.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from neurodeploy.storage.tables import clean

#: Seconds between two lines where there is no terminal.
INTERVAL_S = 10.0


class Progress(Protocol):
    """What long work calls: `done` of `total` steps of `stage` are behind it."""

    def __call__(self, stage: str, done: int, total: int) -> None: ...


def somebody_watches() -> bool:
    """Whether stderr is a terminal, or this is a notebook: then long work shows its progress unless told otherwise."""
    notebook = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return (sys.stderr is not None and sys.stderr.isatty()) or type(notebook).__name__ == "ZMQInteractiveShell"


@contextmanager
def reporter(
    quiet: bool = False, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Progress]:
    """A `Progress` for the time of a ``with``; `quiet` says nothing at all (``--json``)."""
    stream = sys.stderr if stream is None else stream
    if quiet:
        yield _silent
    elif stream.isatty():
        with _bars(stream) as show:
            yield show
    else:
        yield Lines(stream, clock)


def _silent(stage: str, done: int, total: int) -> None:
    return None


@contextmanager
def _bars(stream: TextIO) -> Iterator[Progress]:
    """One rich bar per stage. It is gone when the work is done: the result is what stays on the screen."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    tasks = {}
    with Bars(*columns, console=Console(file=stream), transient=True) as bars:

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(clean(stage), total=total or None)
            bars.update(tasks[stage], completed=done, total=total or None)

        yield show


class Lines:
    """``quantize 12/30 (40 %), 25 s left``: a line in `INTERVAL_S` at most, and one when a stage ends that had any.

    The time left follows from the pace after the first step, which may have had kernels to compile.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._last = clock()
        self._began: dict[str, list[tuple[float, int]]] = {}
        self._spoken: set[str] = set()

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = self._clock()
        began, first = self._pace_from(stage, now, done)
        ended = total > 0 and done >= total
        if now - self._last < INTERVAL_S and not (ended and stage in self._spoken):
            return
        self._last = now
        share = f"/{total} ({100 * done // total} %)" if total > 0 else ""
        try:
            self._stream.write(f"{clean(stage)} {done}{share}{self._left(now - began, done - first, total - done)}\n")
            self._stream.flush()
        except BrokenPipeError:  # whoever read us has left
            raise
        except OSError:  # a full disk, a closed file: no reason to end the work
            pass
        if ended:
            self._spoken.discard(stage)
        else:
            self._spoken.add(stage)

    def _pace_from(self, stage: str, now: float, done: int) -> tuple[float, int]:
        """Since when, and from which step on, the pace of a stage is measured at this report."""
        known = self._began.setdefault(stage, [(now, done)])
        if len(known) == 1 and done > known[0][1]:
            known.append((now, done))
            return known[0]  # one step is all there is to go by
        return known[-1]

    @staticmethod
    def _left(passed: float, steps: int, missing: int) -> str:
        """The time left at the pace so far; nothing before the first step and after the last."""
        if steps <= 0 or missing <= 0:
            return ""
        seconds = round(passed / steps * missing)
        return f", {seconds // 60} min {seconds % 60} s left" if seconds >= 60 else f", {seconds} s left"
