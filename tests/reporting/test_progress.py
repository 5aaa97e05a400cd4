"""Progress: silent when asked, a line in ten seconds without a terminal, a bar with one."""

from __future__ import annotations

import io

import pytest

from neurodeploy.reporting import progress as module
from neurodeploy.reporting.progress import reporter


@pytest.fixture(autouse=True)
def _ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_line_every_ten_seconds_with_the_time_left() -> None:
    out, clock = io.StringIO(), Clock()
    with reporter(False, out, clock) as progress:
        for done in range(31):
            progress("quantize", done, 30)
            clock.now += 1
    assert out.getvalue().splitlines() == [
        "quantize 10/30 (33 %), 20 s left",
        "quantize 20/30 (66 %), 10 s left",
        "quantize 30/30 (100 %)",
    ]


def test_short_work_says_nothing_and_long_work_says_when_it_ends() -> None:
    out, clock = io.StringIO(), Clock()
    with reporter(False, out, clock) as progress:
        progress("map", 0, 1)
        clock.now += 2
        progress("map", 1, 1)
        progress("eval", 0, 100)
        clock.now += 12
        progress("eval", 10, 100)
        clock.now += 3
        progress("eval", 100, 100)
        progress("eval", 100, 100)
    assert out.getvalue().splitlines() == ["eval 10/100 (10 %), 1 min 48 s left", "eval 100/100 (100 %)"]


def test_the_pace_is_that_of_this_run_when_work_is_resumed() -> None:
    """Half was done before: what is left takes as long per step as what was seen, not as the whole suggests."""
    out, clock = io.StringIO(), Clock()
    with reporter(False, out, clock) as progress:
        progress("convert", 50, 100)
        clock.now += 20
        progress("convert", 60, 100)
    assert out.getvalue() == "convert 60/100 (60 %), 1 min 20 s left\n"


def test_the_first_step_is_no_measure_of_the_pace() -> None:
    """It may compile kernels: 40 s for one step of ten, then a second each."""
    out, clock = io.StringIO(), Clock()
    with reporter(False, out, clock) as progress:
        progress("run", 0, 10)
        clock.now += 40
        progress("run", 1, 10)
        for done in range(2, 8):
            clock.now += 1
            progress("run", done, 10)
        clock.now += 5
        progress("run", 8, 10)
    assert out.getvalue().splitlines() == [
        "run 1/10 (10 %), 6 min 0 s left",  # nothing better is known yet
        "run 8/10 (80 %), 3 s left",  # 11 s for seven steps
    ]


def test_an_unknown_total_has_neither_share_nor_time_left() -> None:
    out, clock = io.StringIO(), Clock()
    with reporter(False, out, clock) as progress:
        progress("scan\x1b[2J", 0, 0)
        clock.now += 11
        progress("scan\x1b[2J", 7, 0)
    assert out.getvalue() == "scan\ufffd[2J 7\n"


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
