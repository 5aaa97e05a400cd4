"""The targets of an axon for the loops over events: a part of an array, or decoded from `neurodeploy.ir.packed`.

The synapses of an axon that fires now and then are in no cache, and axons do not follow one another in memory, so
that the processor cannot guess what comes next; the list of events says it, and it is loaded ahead: first and last cache
lines too, since an axon seldom begins with one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.machine.jit import jit
from simulators.fast.kernels.bits import load64, ones, prefetch, zeros_below

#: Events to look ahead; elements of a cache line at 1 and 2 bytes each (of wider ones, every second line is enough of a
#: hint). Constants, because a division by an array's itemsize would cost more than the loads.
AHEAD, BYTES, PAIRS = 4, 64, 32
#: Widest lower bits of which 64 hold four, wherever in a byte the first begins.
FOUR_TO_A_LOAD = 14


class Targets(NamedTuple):
    """Synapses of axon j: ``indptr[j]:indptr[j + 1]``.

    target : of all synapses; where they are packed empty, of the type to decode into. low, high, bits, stretch : the
    code, empty otherwise. widest : most synapses of an axon.
    """

    indptr: NDArray[np.integer]
    target: NDArray[np.integer]
    low: NDArray[np.uint8]
    high: NDArray[np.uint8]
    bits: int
    stretch: int
    widest: int


@jit
def add_events(
    begin: int, end: int, index: Any, value: Any, slot: Any, t: Any, weight: Any, rows: int, out: Any,
) -> None:  # fmt: skip
    """``out[slot[j] * rows + target] += value * weight`` over the synapses of the axons j of the events begin..end.

    value : of each event, empty where all are one; slot : of each axon, empty where all are 0.

    All events in one function, prefetches included: a call for each would cost more than its memory does, in arguments and
    in the counting of references.

    Packed targets: the equation of `neurodeploy.ir.packed` on a window of 57 bits of `high`, which eight bytes hold wherever
    it begins. Where it has eight ones, as it mostly has, they are taken in one go without a branch that the processor
    could guess wrongly, with the lower bits four to a load. `upper` is the place of the window in the axon's stretch less
    the ones before it. Unsigned throughout: numba asks of a signed index whether it counts from the end.
    """
    indptr, target, low, high, bits, stretch, _ = t
    packed = high.shape[0] > 0
    one, three, four, seven, eight = np.uint64(1), np.uint64(3), np.uint64(4), np.uint64(7), np.uint64(8)
    window, shift = np.uint64(57), np.uint64(bits)
    mask, within = (one << shift) - one, (one << window) - one
    for e in range(begin, end):
        if e + 2 * AHEAD < end:
            prefetch(indptr, index[e + 2 * AHEAD])
        if e + AHEAD < end:
            j = np.int64(index[e + AHEAD])
            first, after = np.int64(indptr[j]), np.int64(indptr[j + 1])
            for n in range(first, after - 1, BYTES):
                prefetch(weight, n)
            prefetch(weight, after - 1)
            if packed:
                for n in range(first * bits >> 3, after * bits >> 3, BYTES):
                    prefetch(low, n)
                prefetch(low, after * bits >> 3)
                for n in range((first + j * stretch) >> 3, (after + (j + 1) * stretch) >> 3, BYTES):
                    prefetch(high, n)
                prefetch(high, (after + (j + 1) * stretch) >> 3)
            else:
                for n in range(first, after - 1, PAIRS):
                    prefetch(target, n)
                prefetch(target, after - 1)
        j = np.int64(index[e])
        x = value[e] if value.shape[0] > 0 else np.int32(1)
        base = np.uint64(rows) * np.uint64(slot[j]) if slot.shape[0] > 0 else np.uint64(0)
        k, stop = np.uint64(indptr[j]), np.uint64(indptr[j + 1])
        if not packed:
            while k < stop:
                out[base + np.uint64(target[k])] += x * weight[k]
                k += one
        place, at, upper = k + np.uint64(j * stretch), k * shift, np.uint64(0)
        while k < stop:
            word = load64(high, place >> three) >> (place & seven) & within
            if k + eight <= stop and ones(word) >= eight and bits <= FOUR_TO_A_LOAD:
                last = np.uint64(0)
                for _ in range(2):
                    lower = load64(low, at >> three) >> (at & seven)
                    for _ in range(4):
                        last = zeros_below(word)
                        out[base + ((upper + last) << shift | lower & mask)] += x * weight[k]
                        word &= word - one
                        lower >>= shift
                        upper -= one
                        k += one
                    at += four * shift
                place += last + one
                upper += last + one
            else:
                while word != 0 and k < stop:
                    lower = load64(low, at >> three) >> (at & seven) & mask
                    out[base + ((upper + zeros_below(word)) << shift | lower)] += x * weight[k]
                    word &= word - one
                    at += shift
                    upper -= one
                    k += one
                place += window
                upper += window


@jit
def decode(j: int, t: Any, out: Any) -> None:
    """The targets of axon j to the beginning of `out`, which has room for them: as in `add_events`, one by one."""
    indptr, target, low, high, bits, stretch, _ = t
    if high.shape[0] == 0:
        first = np.int64(indptr[j])
        for n in range(np.int64(indptr[j + 1]) - first):
            out[n] = target[first + n]
    else:
        one, three, seven = np.uint64(1), np.uint64(3), np.uint64(7)
        window, shift = np.uint64(57), np.uint64(bits)
        mask, within = (one << shift) - one, (one << window) - one
        place, at = np.uint64(indptr[j]) + np.uint64(j * stretch), np.uint64(indptr[j]) * shift
        k, stop, upper = np.uint64(0), np.uint64(indptr[j + 1]) - np.uint64(indptr[j]), np.uint64(0)
        while k < stop:
            word = load64(high, place >> three) >> (place & seven) & within
            while word != 0 and k < stop:
                out[k] = (upper + zeros_below(word)) << shift | load64(low, at >> three) >> (at & seven) & mask
                word &= word - one
                at += shift
                upper -= one
                k += one
            place += window
            upper += window
