"""Progress: silent when asked, a line in ten seconds without a terminal, a bar with one."""

from __future__ import annotations

import io

import pytest

from neurodeploy.reporting import progress as module
from neurodeploy.reporting.progress import reporter
from tests.tiny import Patch


@pytest.fixture(autouse=True)
def _ten_seconds(monkeypatch: Patch) -> None:
    monkeypatch.setattr(module, "INTERVAL_S", 10.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_quiet_says_nothing() -> None:
    out, clock = io.StringIO(), Clock()
    with reporter(True, out, clock) as progress:
        clock.now += 60
        progress("run", 5, 10)
    assert out.getvalue() == ""


#: What is told, as (work, done, whole, seconds until the next), and the lines that come of it.
TOLD: dict[str, tuple[list[tuple[str, int, int, int]], list[str]]] = {
    "a line every ten seconds with the time left": (
        [("quantize", done, 30, 1) for done in range(31)],
        ["quantize 10/30 (33 %), 20 s left", "quantize 20/30 (66 %), 10 s left", "quantize 30/30 (100 %)"],
    ),
    "short work says nothing, and long work when it ends": (
        [("map", 0, 1, 2), ("map", 1, 1, 0), ("eval", 0, 100, 12), ("eval", 10, 100, 3), *[("eval", 100, 100, 0)] * 2],
        ["eval 10/100 (10 %), 1 min 48 s left", "eval 100/100 (100 %)"],
    ),
    # Half was done before: what is left takes as long per step as what was seen, not as the whole suggests.
    "the pace is that of this run when work is resumed": (
        [("convert", 50, 100, 20), ("convert", 60, 100, 0)],
        ["convert 60/100 (60 %), 1 min 20 s left"],
    ),
    # It may compile kernels: 40 s for one step of ten, then a second each. Nothing better is known yet; then 11 s for seven.
    "the first step is no measure of the pace": (
        [("run", 0, 10, 40), *(("run", done, 10, 1) for done in range(1, 7)), ("run", 7, 10, 5), ("run", 8, 10, 0)],
        ["run 1/10 (10 %), 6 min 0 s left", "run 8/10 (80 %), 3 s left"],
    ),
    "an unknown whole has neither share nor time left": (
        [("scan\x1b[2J", 0, 0, 11), ("scan\x1b[2J", 7, 0, 0)],
        ["scan\ufffd[2J 7"],
    ),
}


@pytest.mark.parametrize("case", TOLD)
def test_lines(case: str) -> None:
    steps, lines = TOLD[case]
    out, clock = io.StringIO(), Clock()
    with reporter(False, out, clock) as progress:
        for work, done, whole, seconds in steps:
            progress(work, done, whole)
            clock.now += seconds
    assert out.getvalue() == "".join(f"{line}\n" for line in lines)


def test_a_terminal_gets_a_bar() -> None:
    out = Terminal()
    with reporter(False, out) as progress:
        progress("quantize [x]", 3, 30)
        progress("unknown", 3, 0)
        progress("quantize [x]", 30, 30)
    assert "quantize [x]" in out.getvalue() and "30/30" in out.getvalue()


def test_an_error_passes_through_the_bar() -> None:
    out = Terminal()
    try:
        with reporter(False, out) as progress:
            progress("run", 1, 2)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert out.getvalue().endswith("\x1b[?25h") or "\x1b[?25h" in out.getvalue()  # the cursor is shown again
