"""How much work a piece of code does, in a unit that a slow or busy machine has too.

No test looks at a clock alone: processors differ and others use them. The unit is the processor time of a fixed loop in
the same process, measured once, and again where the work seems to have taken too long.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache


def _unit() -> float:
    """Processor seconds of a fixed loop: some 10 ms."""
    begun, total = time.process_time(), 0
    for number in range(200_000):
        total += number & 7
    assert total == 700_000
    return time.process_time() - begun


@lru_cache(maxsize=1)
def _first_unit() -> float:
    return max(_unit() for _ in range(3))


@contextmanager
def at_most(units: float) -> Iterator[None]:
    """Fails where the block takes more than `units` times the loop above."""
    unit, begun = _first_unit(), time.process_time()
    yield
    used = time.process_time() - begun
    if used >= units * unit:
        unit = max(unit, *(_unit() for _ in range(5)))
    assert used < units * unit, f"{used / unit:.0f} units, at most {units} were expected"
