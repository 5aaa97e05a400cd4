"""Measured speeds on disk, ``products.json`` in the cache folder: by processor and what was measured; names and numbers."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from neurodeploy.machine import instructions
from neurodeploy.storage.cache import cache_folder
from neurodeploy.storage.temporary import written_aside

Speeds = dict[str, dict[str, float]]

#: Processors of which the file keeps times, and bytes of a file that is one of ours.
KEPT, LARGEST = 32, 1 << 20
#: A clock that did not move has measured this.
SMALLEST = 1e-6
_LIMITS = [name for limit in instructions.LIMITS.values() for name in limit.libraries]


def processor() -> str:
    """The processor, the instructions that we and the libraries may use, and the versions that multiply."""
    from importlib import metadata

    from numba.core.registry import cpu_target

    triple, name, features = (str(part) for part in cpu_target.target_context.codegen().magic_tuple())
    on = [feature for feature in features.split(",") if feature.startswith("+")]
    libraries = [f"{name} {metadata.version(name)}" for name in ("numpy", "numba", "torch") if name in sys.modules]
    limits = [f"{name}={os.environ[name]}" for name in sorted(set(_LIMITS)) if name in os.environ]
    return "; ".join([_model(), triple, name, ",".join(on), *libraries, *limits])


def _model() -> str:
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()


def speeds(key: str) -> Speeds:
    """What is kept of this processor; empty where nothing is, or nothing that `keep` would have written."""
    return _read().get(key, {})


def measured(kind: str, names: Iterable[str], measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """The kept numbers of those names on this processor; if one is missing, all are measured and kept."""
    key, wanted = processor(), tuple(names)
    known = speeds(key)
    if all(name in known.get(kind, {}) for name in wanted):
        return {name: known[kind][name] for name in wanted}
    found = {name: max(value, SMALLEST) for name, value in measure().items()}
    keep(key, known | {kind: found})
    return found


def thread_ns(call: Callable[[], None]) -> float:
    """Nanoseconds of this thread's processor time, or of the clock where the system counts threads too coarsely."""
    fine = time.get_clock_info("thread_time").resolution <= 1e-6
    clock = time.thread_time_ns if fine else time.perf_counter_ns
    began = clock()
    call()
    return float(clock() - began)


def keep(key: str, found: Speeds) -> None:
    """Keep the speeds of this processor and of those kept last; a folder that cannot be written is left alone."""
    others = {name: value for name, value in _read().items() if name != key}
    text = json.dumps(dict(list(others.items())[-KEPT + 1 :]) | {key: found}, indent=1)
    with suppress(OSError, RuntimeError), written_aside(_file(), parents=True) as aside:
        aside.write_text(text, encoding="utf-8")


def _file() -> Path:
    return cache_folder() / "products.json"


def _read() -> dict[str, Speeds]:
    with suppress(OSError, ValueError, RecursionError, RuntimeError):  # RuntimeError: no home folder
        path = _file()
        if path.is_file() and path.stat().st_size <= LARGEST:
            found = json.loads(path.read_text(encoding="utf-8"))
            return {key: value for key, value in found.items() if _sound(value)} if isinstance(found, dict) else {}
    return {}


def _sound(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(times, dict) and all(isinstance(ns, float) and 0 < ns < math.inf for ns in times.values())
        for times in value.values()
    )
