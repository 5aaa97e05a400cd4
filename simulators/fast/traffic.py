"""What one output port sends during a block of steps: the payloads and, from them, the list of events."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.raster import Bits, packed
from simulators.fast.kernels import events as kernels


class Traffic:
    """Payloads (samples, steps, size), int8 for spikes of 0 and 1, else int32; events of the steps last listed.

    Frame f of a list is (sample, step) in C order, its events are ``index[pointer[f]:pointer[f + 1]]``. `fired`
    counts events by neuron, at most `most`.
    """

    def __init__(self, samples: int, steps: int, size: int, spikes: bool, most: int) -> None:
        self.spikes = spikes
        self.payload: NDArray[Any] = np.zeros((samples, steps, size), np.int8 if spikes else np.int32)
        self.fired: NDArray[Any] = np.zeros(size, np.int32 if most < 2**31 else np.int64)
        self.start, self.stop = 0, 0
        self.events = 0
        self._pointers = np.zeros(samples * steps + 1, np.int64)
        self.pointer = self._pointers
        self.index, self._value = np.empty(0, np.int32), np.empty(0, np.int32)
        self._ones: NDArray[np.int32] | None = None
        self._limits: dict[bool, tuple[int, int]] = {}

    @property
    def frames(self) -> int:
        return int(self.payload.shape[0]) * (self.stop - self.start)

    @property
    def listed(self) -> tuple[int, int, NDArray[np.int64], NDArray[np.int32]]:
        """The steps that are listed, and their events."""
        return self.start, self.stop, self.pointer, self.index

    def block(self) -> NDArray[Any]:
        """Payloads of the steps listed, (samples, steps, size)."""
        return self.payload[:, self.start : self.stop]

    def lift(self, source: Traffic, payload: NDArray[np.int64]) -> bool:
        """Take these payloads for the steps that the source has listed; False where they do not fit 32 bits."""
        if payload.size and (int(payload.max()) >= 2**31 or int(payload.min()) < -(2**31)):
            return False
        self.payload[:, source.start : source.stop] = payload
        self.list(source.start, source.stop, count=False)
        return True

    def list(self, start: int, stop: int, count: bool = True) -> None:
        """List the events of these steps; `count` them unless they have been counted before."""
        self.start, self.stop = start, stop
        self.pointer = self._pointers[: self.frames + 1]
        block = self.block()
        events = int(np.count_nonzero(block.view(np.bool_) if self.spikes else block))
        if events >= self.index.size:
            self.index = np.empty(min(events + events // 4, self.payload.size) + 1, np.int32)
            self._value = np.empty(0 if self.spikes else self.index.size, np.int32)
            self._ones = None
        if self.spikes:
            kernels.list_spikes(self.payload, start, stop, self.pointer, self.index)
        else:
            kernels.list_messages(self.payload, start, stop, self.pointer, self.index, self._value)
        self.events = int(self.pointer[-1])
        self._limits.clear()
        if count and self.events:
            kernels.count(self.index, self.events, self.fired)

    def pack(self, bits: Bits) -> None:
        """Which payloads of the first steps of the block are events, (samples, steps, ..) as in `ir.raster`."""
        payload = self.payload[:, : bits.shape[1]]
        bits[:] = packed(payload.view(np.bool_) if self.spikes else payload)

    def values(self, graded: bool) -> NDArray[np.int32]:
        """Payload of each event; ones where the payload does not count."""
        if graded and not self.spikes:
            return self._value
        if self._ones is None:
            self._ones = np.ones(self.index.size, np.int32)
        return self._ones

    def limits(self, graded: bool) -> tuple[int, int]:
        """(largest sum of magnitudes of a frame, largest magnitude of a payload) of the steps listed."""
        graded = graded and not self.spikes
        if graded not in self._limits:
            if graded:
                total, top = kernels.largest(self.pointer, self._value)
                self._limits[graded] = int(total), int(top)
            else:
                self._limits[graded] = int(kernels.most(self.pointer)), min(self.events, 1)
        return self._limits[graded]

    def matrix(self, graded: bool) -> NDArray[Any]:
        """Payloads of the steps listed as (frames, size), int8 where they fit."""
        block = self.block().reshape(self.frames, -1)
        if self.spikes:
            return block
        if not graded:
            ones: NDArray[np.int8] = (block != 0).astype(np.int8)
            return ones
        return block.astype(np.int8) if self.limits(True)[1] <= 127 else block
