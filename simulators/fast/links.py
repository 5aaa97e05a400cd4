"""A projection during a run: what is pending, how large that can be, and the choice between events and a product.

The bound: no sum of a frame exceeds the smaller of (its payloads' magnitudes summed) * (largest weight) and (largest
payload) * (largest sum of a neuron's weights). While every bound of the run, shifted and added up over the delay
slots, stays within the width, nothing can wrap and nothing needs to be looked at; otherwise sums are taken in int64
and every wrap is counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.network import Projection
from simulators.fast.traffic import Traffic
from simulators.fast.wiring import PRODUCT_EVENTS, PRODUCT_FRAMES, Multiplied, Wiring
from simulators.reference import Machine, contribution, raised, reference_sums, shift, wrap

INT32_END, INT64_END = 2**31, 2**63
MACHINE = Machine()
#: Synapses up to which the second bound is worth a pass over the weights.
SCANNED = 1 << 24


class Waiting:
    """`pending` (samples, steps + depth, rows): position t is what arrives in step t of the block; of an instant projection
    position t + 1."""

    def __init__(self, projection: Projection, pending: NDArray[Any], steps: int) -> None:
        samples, self.depth, rows = (int(n) for n in pending.shape)
        self.projection = projection
        self.pending = np.zeros((samples, steps + self.depth, rows), pending.dtype)
        self.pending[:, : self.depth] = pending
        self.lost = 0

    def arriving(self, start: int, stop: int) -> NDArray[Any]:
        """What arrives in these steps, (samples, steps, rows)."""
        first = 1 - self.projection.latency
        arriving: NDArray[Any] = self.pending[:, start + first : stop + first]
        return arriving

    def advance(self, steps: int) -> None:
        """Begin the next block: what is pending after so many steps comes first."""
        self.pending[:, : self.depth] = self.pending[:, steps : steps + self.depth]
        if self.depth > 1:
            self.pending[:, self.depth :] = 0

    def left(self) -> NDArray[Any]:
        """What is pending, (samples, depth, rows)."""
        left: NDArray[Any] = self.pending[:, : self.depth].copy()
        return left


class PlainLink(Waiting):
    """Into a port that wraps, int32: as the reference adds. For kinds of synapses without kernels, and for payloads and sums
    beyond what kernels take."""

    @property
    def largest(self) -> int:
        """No pending value of the run so far exceeds this; 2**31 if nothing better is proven."""
        return INT32_END

    def deliver(self, traffic: Traffic) -> None:
        """Add the listed payloads of the source to what is pending."""
        payload = traffic.block().astype(np.int64)
        for i in range(traffic.stop - traffic.start):
            at = traffic.start + i + 1
            added, lost = contribution(self.projection, False, payload[:, i], MACHINE)
            before = self.pending[:, at : at + self.depth] if self.depth > 1 else 0
            pending, lost_pending = wrap(before + added, 32)
            self.pending[:, at : at + self.depth] = pending
            self.lost += lost + lost_pending


class Link(PlainLink):
    """By kernels.

    projection : `wiring` may be that of a plainer one: without exponents of axons, whose payloads are raised here.
    """

    def __init__(
        self, projection: Projection, wiring: Wiring, pending: NDArray[np.int32], steps: int, path: str
    ) -> None:
        super().__init__(projection, pending, steps)
        self.wiring, self.path = wiring, path
        columns = projection.synapse.columns
        self._raised = None if projection.axon_exp is None else Traffic(len(pending), steps, columns, False, 0)
        self._start = max(int(pending.max(initial=0)), -int(pending.min(initial=0)))
        self._peak = 0
        self._row_sum: int | None = None
        self._acc: dict[type, NDArray[np.int32] | NDArray[np.int64]] = {}

    @property
    def largest(self) -> int:
        return min(self._start + self.depth * self._peak, INT32_END)

    def deliver(self, traffic: Traffic) -> None:
        source = traffic
        if self._raised is not None:
            if not self._raised.lift(traffic, raised(self.projection, traffic.block())):
                self._peak = self._limit()
                super().deliver(traffic)
                return
            traffic = self._raised
        if not traffic.events:
            if self.depth == 1:
                self.pending[:, traffic.start + 1 : traffic.stop + 1] = 0
            return
        bound = self._bound(traffic)
        clear = self._clear(bound)
        if bound >= INT64_END:
            super().deliver(source)
        elif (wiring := self._product(traffic, bound, clear)) is not None:
            self.lost += wiring.product(traffic, bound, clear and self.depth == 1, self.pending)
        elif clear and self.depth == 1:
            self.wiring.clear(traffic, self.pending)
        else:
            if self.depth == 1:
                self.pending[:, traffic.start + 1 : traffic.stop + 1] = 0
            acc, used = self._sums(np.int32 if bound < INT32_END else np.int64)
            self.lost += self.wiring.checked(traffic, acc, used, self.pending)

    def _bound(self, traffic: Traffic) -> int:
        total, top = traffic.limits(self.wiring.graded)
        bound = total * self.wiring.weight_max
        if self._shifted(bound) < self._limit():
            return bound
        if self._row_sum is None:
            projection = self.wiring.projection
            small = projection.synapse.weight.size <= SCANNED
            self._row_sum = projection.largest_sum(1) if small else INT64_END
        return min(bound, top * self._row_sum)

    def _shifted(self, bound: int) -> int:
        return bound << max(self.wiring.exponent, 0)

    def _limit(self) -> int:
        return 1 << (self.wiring.bits - 1)

    def _clear(self, bound: int) -> bool:
        """Whether nothing can wrap: neither a sum, nor the shifted one, nor what is pending."""
        shifted = self._shifted(bound)
        self._peak = max(self._peak, min(shifted, self._limit()))
        fits = bound < INT32_END and shifted < self._limit()
        return fits and (self.depth == 1 or self.largest < INT32_END)

    def _product(self, traffic: Traffic, bound: int, clear: bool) -> Multiplied | None:
        """The wiring if a product is to be taken."""
        wiring = self.wiring
        if self.path == "events" or not isinstance(wiring, Multiplied) or not wiring.has_product(bound):
            return None
        if self.path == "gemm":
            return wiring
        if traffic.frames < PRODUCT_FRAMES or wiring.synaptic_events(traffic) < PRODUCT_EVENTS:
            return None
        events, product = wiring.cost(traffic, bound, not clear)
        return wiring if product < events else None

    def _sums(self, kind: type) -> tuple[NDArray[np.int32] | NDArray[np.int64], NDArray[np.bool_]]:
        if kind not in self._acc:
            self._acc[kind] = np.zeros((self.depth, self.pending.shape[2]), kind)
        return self._acc[kind], np.zeros(self.depth, np.bool_)


class ExactLink(Waiting):
    """Into an exact port: int64."""

    def __init__(self, projection: Projection, wiring: Wiring | None, pending: NDArray[np.int64], steps: int) -> None:
        super().__init__(projection, pending, steps)
        self.wiring = wiring

    def deliver(self, traffic: Traffic) -> None:
        """Add the sums of all payloads of the listed steps."""
        sums = exact_sums(self.projection, self.wiring, traffic.block().reshape(traffic.frames, -1))
        sums = sums.reshape(len(self.pending), -1, *sums.shape[1:])
        for k in range(self.depth):
            due = self.pending[:, traffic.start + 1 + k : traffic.stop + 1 + k]
            due[...] = sums[:, :, k] + (due if self.depth > 1 else 0)


def exact_sums(p: Projection, wiring: Wiring | None, payload: NDArray[Any]) -> NDArray[Any]:
    """What payloads (frames, columns) bring to an exact port: (frames, delay slots, rows), int64, or int32 where that holds
    them."""
    x = raised(p, payload)
    top = max(int(x.max(initial=0)), -int(x.min(initial=0)))
    bound = top * (p.synapse.largest_sum(True, 1) if wiring is None else wiring.largest)
    if p.depth > 1 or not isinstance(wiring, Multiplied) or not wiring.has_product(bound):
        return shift(reference_sums(p, x), p.weight_exp)
    kinds = ((128, np.int8), (1 << 15, np.int16), (INT32_END, np.int32), (INT64_END, np.int64))
    narrow = x.astype(next(kind for end, kind in kinds if top < end))
    chunk = wiring.chunk_frames()
    parts = [wiring.sums(narrow[at : at + chunk], bound) for at in range(0, len(x), chunk)]
    sums = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return shift(sums.astype(np.int64, copy=False), p.weight_exp)[:, None] if p.weight_exp else sums[:, None]
