"""What arrives at one input port: pending sums of projections and payloads of direct connections, added and wrapped
to 32 bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simulators.fast.links import INT32_END, Link
from simulators.fast.traffic import Traffic


class Port:
    """`arrived` (samples, steps or more, size) int32: the `pending` of the first projection, to which the others are
    added, since nobody else reads what has arrived; an array of its own where there is no projection."""

    def __init__(self, links: Sequence[Link], direct: Sequence[Traffic], shape: tuple[int, int, int]) -> None:
        self.links, self.direct = links, direct
        self.lost = 0
        self.arrived: NDArray[np.int32] = links[0].pending if links else np.zeros(shape, np.int32)

    @property
    def largest(self) -> int:
        """Bound of the magnitudes: 2**31 if nothing better is proven."""
        total = sum(link.largest for link in self.links) + sum(1 if t.spikes else INT32_END for t in self.direct)
        return min(total, INT32_END)

    def gather(self, start: int, stop: int) -> None:
        """Add up what arrives in these steps."""
        steps = slice(start, stop)
        terms = [link.pending[:, steps] for link in self.links] + [t.payload[:, steps] for t in self.direct]
        if len(terms) <= len(self.links[:1]):
            return  # one projection, or nothing
        out = self.arrived[:, steps]
        if not self.links:
            out[...] = 0
        added = terms[len(self.links[:1]) :]
        if self.largest < INT32_END:
            for term in added:
                out += term
            return
        exact = out.astype(np.int64)
        for term in added:
            exact += term
        out[...] = ((exact + 2**31) & (2**32 - 1)) - 2**31
        self.lost += int(np.count_nonzero(out != exact))
