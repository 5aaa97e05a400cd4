"""Memory that walks share: what one leaves the next one overwrites, so a model needs that of its largest segment."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.products.pairs import LINE, room


class Slot(NamedTuple):
    """Room for (steps, width) of a type, so many bytes from the beginning."""

    at: int
    width: int
    kind: Any


class Slots:
    """Where arrays lie that are not all there at the same time: the first gap that is wide enough."""

    def __init__(self, steps: int) -> None:
        self.steps, self.size = steps, 0
        self._taken: list[tuple[int, int]] = []

    def slot(self, width: int, kind: Any) -> Slot:
        size = -(-self.steps * width * np.dtype(kind).itemsize // LINE) * LINE
        at = 0
        for begin, end in self._taken:
            if begin - at >= size:
                break
            at = end
        self._taken = sorted([*self._taken, (at, at + size)])
        self.size = max(self.size, at + size)
        return Slot(at, width, kind)

    def free(self, slot: Slot) -> None:
        self._taken = [one for one in self._taken if one[0] != slot.at]


class Arena:
    """The memory of all walks of a runner, and the lock of who is walking."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._memory = np.empty(0, np.uint8)

    def of(self, layout: Slots) -> NDArray[np.uint8]:
        """Enough for this layout. What was given out before stays valid."""
        if self._memory.size < layout.size:
            self._memory = room(layout.size)
        return self._memory


def array_of(memory: NDArray[np.uint8], slot: Slot, steps: int) -> NDArray[Any]:
    """(1, steps, width) of the slot's type."""
    size = steps * slot.width * np.dtype(slot.kind).itemsize
    found: NDArray[Any] = memory[slot.at : slot.at + size].view(slot.kind).reshape(1, steps, slot.width)
    return found
