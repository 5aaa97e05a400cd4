"""Run a kernel in parts on a small pool of threads. Parts split rows and heads: the bits do not depend on them.

Threads take parts from a common counter, so that one which the system has put aside (a busy machine, torch's own
threads that spin after a product) delays the call by one part at most, and a helper that has not begun when the parts
are gone is not waited for. Numba's own pools are not used: one of them is not safe with a second caller, and the other
brings a second OpenMP runtime that spins beside torch's.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

#: Least work of a call (multiply-adds, or weighted elements) that is worth waking a second thread: 0.1 ms.
GRAIN = 2_000_000
#: Parts for each thread: enough to even out the shares, few enough that handing them out costs nothing.
PARTS = 4

Key = TypeVar("Key")
_pool: ThreadPoolExecutor | None = None
_pool_size = 0


def _forget() -> None:
    """A forked child has none of its parent's threads."""
    global _pool, _pool_size
    _pool, _pool_size = None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def thread_count() -> int:
    """Threads of a call: torch's number where torch is loaded, else what it would take (OMP_NUM_THREADS, or all cores).

    A spiking network runs without torch, and loading it costs more than a small network.
    """
    if "torch" in sys.modules:
        return max(1, int(sys.modules["torch"].get_num_threads()))
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parts_of(work: int) -> int:
    """How many parts a call with so much work has: the length of counters that a kernel keeps by part."""
    if work < GRAIN:
        return 1
    helpers = min(thread_count() - 1, work // GRAIN)
    return PARTS * (helpers + 1) if helpers > 0 else 1


def most_parts() -> int:
    """How many parts a call has at most."""
    return PARTS * thread_count()


def split(kernel: Callable[..., Any], work: int, *args: Any) -> None:
    """Call ``kernel(part, parts, *args)`` once for every part, on at most `thread_count()` threads.

    The kernel must release the GIL. `work` below `GRAIN` stays on the caller's thread, as one part.
    """
    global _pool, _pool_size
    parts = parts_of(work)
    if parts == 1:
        kernel(0, 1, *args)
        return
    helpers = parts // PARTS - 1
    if _pool is None or _pool_size < helpers:
        _pool, _pool_size = ThreadPoolExecutor(helpers, thread_name_prefix="neurodeploy"), helpers
    counter = itertools.count()

    def take() -> None:
        while (part := next(counter)) < parts:
            kernel(part, parts, *args)

    others = [_pool.submit(take) for _ in range(helpers)]
    take()
    for other in others:
        if not other.cancel():
            other.result()


def each_once(work: Callable[[Key], None], keys: Iterable[Key]) -> None:
    """Call ``work(key)`` once for every key, on at most `thread_count()` threads; the order is nobody's business.

    It pays where most of the time is spent without the GIL. What the first one raises is raised when all have ended.
    """
    every = list(keys)
    threads = min(thread_count(), len(every))
    if threads < 2:
        for key in every:
            work(key)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="neurodeploy") as pool:
        for done in [pool.submit(work, key) for key in every]:
            done.result()
