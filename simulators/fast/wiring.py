"""The synapses of a projection in the layout that the kernels read, made once for each network.

Three ways to add up a block of steps, all exact:

- `clear`: events, where neither a delay nor a wrap is possible: straight into what is pending;
- `checked`: events, with delays or where a sum might wrap: sums of each delay slot, then shift, wrap and count;
- `product`: a matrix product over all payloads, zeros included.

Memory beyond the network's own: none for a Fortran-ordered `Dense`, one copy of any other and of a kernel, index
pointers of a `Sparse` as uint32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.network import Projection
from neurodeploy.ir.packed import NARROW_ROWS, PackedTargets
from neurodeploy.machine.threads import most_parts, split
from neurodeploy.synapses import Dense, Sparse
from simulators.fast.costs import slowdown
from simulators.fast.kernels import dense, products, sparse
from simulators.fast.kernels.targets import Targets
from simulators.fast.products import DIGITS_NS, exact_product, passes, possible
from simulators.fast.traffic import Traffic

#: Rows of a matrix that are updated at a time: their sums stay in the second-level cache, and the weights of an axon are
#: read in stretches long enough for the processor to fetch them ahead (measured: 256 rows at a time are four times slower).
TILE_ROWS = 1 << 15
#: int16 holds the sum of so many int8 weights: 255 * 128 < 2**15.
INT16_EVENTS = 255
#: Nanoseconds of one synaptic event: spikes, graded, checked, times the `slowdown` of this processor. Those of a product are
#: measured (`simulators.fast.products`).
SPIKE_NS, GRADED_NS, CHECKED_NS = 0.017, 0.05, 0.15
#: A product, and the choice, pay from this many frames and synaptic events on; nanoseconds to place one sum, and to take one
#: digit of a graded payload.
PRODUCT_FRAMES, PRODUCT_EVENTS, PLACE_NS, DIGIT_NS = 8, 1 << 20, 0.5, DIGITS_NS / 2
#: What stands for the values of events of which each is one.
ALL_ONE = np.empty(0, np.int32)


class Wiring(ABC):
    """Synapses of one projection. `delayed` is the kernel of `checked`."""

    delayed: ClassVar[Any]

    def __init__(self, projection: Projection) -> None:
        self.projection = projection
        self.exponent, self.bits = projection.weight_exp, projection.wrap_bits
        weight: NDArray[Any] = projection.synapse.weight
        self.weight_max = max(-int(weight.min(initial=0)), int(weight.max(initial=0)))
        self.by_synapse = projection.delay_by == "synapse"

    @cached_property
    def largest(self) -> int:
        """No sum of graded payloads exceeds this times the largest of them."""
        return self.projection.synapse.largest_sum(True, 1)

    @cached_property
    def slot(self) -> NDArray[np.uint8]:
        """Delays; made when they are asked for, since most projections have none and ask for none."""
        delay = self.projection.delay
        return np.zeros(self.projection.synapse.columns, np.uint8) if delay is None else delay

    @abstractmethod
    def clear(self, traffic: Traffic, pending: NDArray[np.int32]) -> None:
        """No delay and no wrap: writes the row after each frame."""

    def checked(self, traffic: Traffic, acc: NDArray[Any], used: NDArray[np.bool_], pending: NDArray[np.int32]) -> int:
        """Adds to `pending`; returns how many values wrapped."""
        given = (*traffic.listed, traffic.values(self.graded), *self.laid, self.slot, acc, used)
        return int(self.delayed(*given, self.exponent, self.bits, pending))

    @property
    @abstractmethod
    def laid(self) -> tuple[Any, ...]:
        """The synapses as `delayed` takes them."""

    @property
    def graded(self) -> bool:
        return self.projection.graded


class Multiplied(Wiring):
    """Synapses that have a matrix product too."""

    @abstractmethod
    def has_product(self, bound: int) -> bool:
        """Whether `sums` is exact while magnitudes of terms add up to at most `bound`."""

    @abstractmethod
    def sums(self, frames: NDArray[Any], bound: int) -> NDArray[Any]:
        """Exact sums (frames, rows) of payloads (frames, columns) by a product, delays left aside."""

    @abstractmethod
    def synaptic_events(self, traffic: Traffic) -> float:
        """Synapses that the listed events drive."""

    @abstractmethod
    def cost(self, traffic: Traffic, bound: int, wide: bool) -> tuple[float, float]:
        """Estimated nanoseconds of events and of a product."""

    def product(self, traffic: Traffic, bound: int, clear: bool, pending: NDArray[np.int32]) -> int:
        """Adds to `pending` by products; returns how many values wrapped."""
        matrix = traffic.matrix(self.graded)
        start, stop, depth = traffic.start, traffic.stop, self.projection.depth
        if depth == 1 and not clear:
            pending[:, start + 1 : stop + 1] = 0
        chunk = self.chunk_frames()
        lost = 0
        for first in range(0, len(matrix), chunk):
            frames = matrix[first : first + chunk]
            if clear:
                products.place(self.sums(frames, bound), first, self.exponent, start, stop, pending)
                continue
            for k in reversed(range(depth)):  # earlier steps first, as the counts of wraps want it
                chosen = frames if depth == 1 else np.where(self.slot == k, frames, 0).astype(frames.dtype)
                if chosen.any():
                    sums = self.sums(chosen, bound)
                    lost += products.place_checked(sums, first, k, self.exponent, self.bits, start, stop, pending)
        return lost

    def _events_ns(self, traffic: Traffic, wide: bool) -> float:
        if wide or self.projection.depth > 1:
            return CHECKED_NS * slowdown(True)
        graded = self.graded and not traffic.spikes
        return GRADED_NS * slowdown(True) if graded else SPIKE_NS * slowdown(False)

    def chunk_frames(self) -> int:
        """Frames of one product: their sums are 16 MB."""
        return max(1, (1 << 22) // max(1, self.projection.synapse.rows))


class DenseWiring(Multiplied):
    """Weights by axon, (columns, rows), for events; as they are, (rows, columns), for products."""

    delayed = dense.delayed

    def __init__(self, projection: Projection) -> None:
        super().__init__(projection)
        synapse = projection.synapse
        assert isinstance(synapse, Dense)
        backwards = min(synapse.weight.strides) < 0  # torch takes no such view
        self._by_row = np.ascontiguousarray(synapse.weight) if backwards else synapse.weight
        self.tile = min(projection.synapse.rows, TILE_ROWS)
        narrow = synapse.weight.dtype == np.int8
        self.chunk = INT16_EVENTS if narrow else 1 << 30
        self.narrow = np.int16 if narrow else np.int32

    @cached_property
    def weight(self) -> NDArray[Any]:
        """By axon; made for the first event, of a matrix that is only multiplied never."""
        return np.ascontiguousarray(self.projection.synapse.weight.T)

    def clear(self, traffic: Traffic, pending: NDArray[np.int32]) -> None:
        work, last = traffic.events * self.weight.shape[1], (self.tile, self.exponent, pending)
        if self.graded and not traffic.spikes:
            split(dense.messages, work, *traffic.listed, traffic.values(True), self.weight, *last)
        else:
            narrow = np.empty((most_parts(), self.tile), self.narrow)
            split(dense.spikes, work // 3, *traffic.listed, self.weight, narrow, self.chunk, *last)

    @property
    def laid(self) -> tuple[Any, ...]:
        return (self.weight,)

    def has_product(self, bound: int) -> bool:
        return not self.by_synapse and possible(self._by_row, bound)

    def sums(self, frames: NDArray[Any], bound: int) -> NDArray[Any]:
        return exact_product(frames, self._by_row, bound)

    def synaptic_events(self, traffic: Traffic) -> float:
        return float(traffic.events * self.projection.synapse.rows)

    def cost(self, traffic: Traffic, bound: int, wide: bool) -> tuple[float, float]:
        rows, columns = self._by_row.shape
        events = self.synaptic_events(traffic) * self._events_ns(traffic, wide)
        depth = len(np.unique(self.slot)) if self.projection.depth > 1 else 1
        top = traffic.limits(self.graded)[1]
        digits, multiply_ns = passes(top, self._by_row, bound, min(traffic.frames, self.chunk_frames()))
        each = columns * digits * multiply_ns + PLACE_NS * (4 if wide else 1) * digits
        split_ns = columns * digits * DIGIT_NS if digits > 1 else 0.0
        return events, traffic.frames * depth * (rows * each + split_ns)

    @cached_property
    def slot(self) -> NDArray[np.uint8]:
        """By axon too."""
        return np.ascontiguousarray(super().slot.T) if self.by_synapse else super().slot


class SparseWiring(Wiring):
    """Synapses as they are stored."""

    delayed = sparse.delayed

    def __init__(self, projection: Projection) -> None:
        super().__init__(projection)
        synapse = projection.synapse
        assert isinstance(synapse, Sparse)
        small = synapse.indptr.dtype != np.uint32 and int(synapse.indptr[-1]) < 2**32
        indptr = synapse.indptr.astype(np.uint32) if small else synapse.indptr
        self.weight = np.ascontiguousarray(synapse.weight)
        none, kept, widest = np.zeros(0, np.uint8), synapse.target, synapse.widest()
        if isinstance(kept, PackedTargets):
            empty = np.zeros(0, np.uint16 if kept.rows <= NARROW_ROWS else np.int32)
            code = (np.ascontiguousarray(kept.low), np.ascontiguousarray(kept.high), kept.bits, kept.stretch)
            self.targets = Targets(indptr, empty, *code, widest)
        else:
            self.targets = Targets(indptr, np.ascontiguousarray(kept), none, none, 0, 0, widest)

    def clear(self, traffic: Traffic, pending: NDArray[np.int32]) -> None:
        work = int(traffic.events * (self.weight.size / max(1, self.projection.synapse.columns)))
        value = traffic.values(True) if self.graded and not traffic.spikes else ALL_ONE
        split(sparse.messages, work, *traffic.listed, value, self.targets, self.weight, self.exponent, pending)

    @property
    def laid(self) -> tuple[Any, ...]:
        return self.targets, self.weight, self.by_synapse
