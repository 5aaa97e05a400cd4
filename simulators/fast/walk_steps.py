"""What is done for one population of a walk (`simulators.fast.walk`): its kernel, a lane, a convolution with its neurons, or
sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Projection
from neurodeploy.ir.population import Population
from simulators.fast.kernels import feeds
from simulators.fast.links import exact_sums
from simulators.fast.registers import Prepared, prepared
from simulators.fast.windows import Windows

#: Does its part for the first n tokens of a block.
Step = Callable[[int], None]


class KernelStep:
    """The neurons of a population; their parameters are laid out when they first run."""

    def __init__(self, population: Population, given: tuple[Any, ...], left: tuple[NDArray[Any], Ints, Ints]) -> None:
        self._population, self._given, self._left = population, given, left

    @cached_property
    def _prepared(self) -> Prepared:
        return prepared(self._population)

    def __call__(self, n: int) -> None:
        run, *own = self._prepared
        run(0, n, *self._given, *own, *self._left)


def either(one: Windows, given: tuple[Any, ...], steps: Sequence[Step]) -> Step:
    """A convolution and its neurons in one pass, or step by step where a product of a library is faster."""

    def step(n: int) -> None:
        if one.fast(n):
            one.run(n, *given)
            return
        for other in steps:
            other(n)

    return step


def lane_step(
    lane: Any, source: NDArray[Any], narrow: NDArray[Any], out: NDArray[Any], fired: Ints, lost: Ints
) -> Step:
    narrow, flat, bounds = narrow[0], out.reshape(-1), np.array([0, lane.rows])
    messages = slice(lane.columns, lane.columns + lane.rows)

    def step(n: int) -> None:
        feeds.narrowed(n, source, narrow)
        found = lane.run(narrow[:n], flat[: n * lane.rows], bounds, 1.0)
        np.add(fired, found[messages], out=fired)
        lost[1:] += found[-3:-1]

    return step


def sums_into(n: int, p: Projection, wiring: Any, payload: NDArray[Any], fresh: bool, to: NDArray[np.int64]) -> None:
    """Exact sums of a projection, from an array of payloads."""
    found = exact_sums(p, wiring(p), payload[:n])[:, 0]
    if fresh:
        to[:] = found
    else:
        to += found
