"""Parts: each exactly once, errors not lost, alive after a fork, and code that loads where nothing can be written."""

from __future__ import annotations

import os
import threading
import time

import numba
import pytest
import torch

from neurodeploy.machine import threads
from neurodeploy.machine.jit import jit


@pytest.fixture
def three_threads(monkeypatch):
    monkeypatch.setattr(threads, "GRAIN", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_every_part_once(three_threads):
    done: list[tuple[int, int, str]] = []
    threads.split(lambda part, parts, tag: done.append((part, parts, tag)), 100, "x")
    assert sorted(done) == [(part, 12, "x") for part in range(12)]


def test_small_work_stays_here():
    seen = []
    threads.split(lambda part, parts: seen.append((part, parts, threading.get_ident())), threads.GRAIN - 1)
    assert seen == [(0, 1, threading.get_ident())]


def test_several_threads_take_part(three_threads):
    who = set()

    def slow(part: int, parts: int) -> None:
        who.add(threading.get_ident())
        time.sleep(0.02)

    threads.split(slow, 100)
    assert len(who) > 1


def test_an_error_of_a_helper_arrives(three_threads):
    main = threading.get_ident()

    def fail(part: int, parts: int) -> None:
        time.sleep(0.01)
        if threading.get_ident() != main:
            raise ValueError("in a helper")

    with pytest.raises(ValueError, match="in a helper"):
        threads.split(fail, 100)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork(three_threads):
    threads.split(lambda part, parts: None, 100)
    child = os.fork()
    if child == 0:
        done: list[int] = []
        threads.split(lambda part, parts: done.append(part), 100)
        os._exit(0 if len(done) == 12 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_kernels_compile_where_no_folder_can_be_written(monkeypatch):
    from numba.core import caching

    monkeypatch.setattr(caching.FunctionCache._impl_class, "_locator_classes", [])

    def double(x):
        return 2 * x

    with pytest.raises(RuntimeError, match="no locator"):
        numba.njit(cache=True)(double)
    assert jit(double)(21) == 42
