"""What arrives at one input port: pending sums of projections and payloads of direct connections, added and wrapped
to 32 bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurodeploy.neurons.model import EXACT_END
from simulators.fast.links import INT32_END, ExactLink, PlainLink
from simulators.fast.traffic import Traffic


class Port:
    """`arrived` (samples, steps or more, size) int32: the `pending` of a projection with latency, to which the others are
    added, since nobody else reads what has arrived; an array of its own where there is none."""

    lost = 0

    def __init__(self, links: Sequence[PlainLink], direct: Sequence[Traffic], shape: tuple[int, int, int]) -> None:
        self.links, self.direct = sorted(links, key=lambda link: -link.projection.latency), direct
        self._shared = bool(links) and self.links[0].projection.latency == 1
        self._alone = self._shared and len(self.links) == 1 and not direct
        self.arrived: NDArray[np.int32] = self.links[0].pending if self._shared else np.zeros(shape, np.int32)

    @property
    def largest(self) -> int:
        """Bound of the magnitudes: 2**31 if nothing better is proven."""
        total = sum(link.largest for link in self.links) + sum(1 if t.spikes else INT32_END for t in self.direct)
        return min(total, INT32_END)

    def gather(self, start: int, stop: int) -> None:
        """Add up what arrives in these steps."""
        if self._alone:
            return
        steps = slice(start, stop)
        added = [link.arriving(start, stop) for link in self.links[self._shared :]]
        added += [t.payload[:, steps] for t in self.direct]
        out = self.arrived[:, steps]
        if not self._shared:
            out[...] = 0
        if self.largest < INT32_END:
            for term in added:
                out += term
            return
        exact = out.astype(np.int64)
        for term in added:
            exact += term
        out[...] = ((exact + 2**31) & (2**32 - 1)) - 2**31
        self.lost += int(np.count_nonzero(out != exact))


class ExactPort:
    """As `Port` without any wrap: `arrived` int64."""

    lost, largest = 0, EXACT_END

    def __init__(self, links: Sequence[ExactLink], direct: Sequence[Traffic], shape: tuple[int, int, int]) -> None:
        self.links, self.direct = links, direct
        self.arrived = np.zeros(shape, np.int64)

    def gather(self, start: int, stop: int) -> None:
        """Add up what arrives in these steps."""
        self.arrived[:, start:stop] = 0
        for link in self.links:
            self.arrived[:, start:stop] += link.arriving(start, stop)
        for traffic in self.direct:
            self.arrived[:, start:stop] += traffic.payload[:, start:stop]
