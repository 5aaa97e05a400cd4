"""Loads of a plan without weights: classes of islands with the place of every copy, and the host's work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.accounting.work import IslandWork

Array = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CopyFlow:
    """Where one copy of an island stands: by chip its number, and at full activity events in, delivered, messages out."""

    chips: Array
    entering: Array
    delivered: Array
    leaving: Array


@dataclass(frozen=True, slots=True, eq=False)
class ClassLoad:
    """One class of islands: the work of one copy (over ``work.tokens`` tokens) and the place of every copy.

    share : fraction of tokens that one copy sees.
    """

    work: IslandWork
    share: float
    flows: Sequence[CopyFlow]

    @property
    def calls(self) -> float:
        """Calls a token of all copies."""
        return self.share * len(self.flows)


@dataclass(frozen=True, slots=True)
class HostLoad:
    """The host's work a token, (flops, bytes) of each phase: its own operations, and islands that it computes."""

    generate: tuple[float, float]
    prefill: tuple[float, float]
    islands_generate: tuple[float, float]
    islands_prefill: tuple[float, float]


def by_chip(loads: Sequence[ClassLoad], activity: float) -> tuple[Array, Floats, Floats, Floats]:
    """Messages a token by chip: numbers, entering, delivered, leaving."""
    flows = [(load.share, flow) for load in loads for flow in load.flows]
    if not flows:
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0)
    chips, at = np.unique(np.concatenate([flow.chips for _, flow in flows]), return_inverse=True)
    sums: list[Floats] = []
    for name, factor in (("entering", activity), ("delivered", activity), ("leaving", 1.0)):
        amounts = np.concatenate([share * factor * getattr(flow, name) for share, flow in flows])
        sums.append(np.bincount(at.reshape(-1), amounts, len(chips)).astype(np.float64))
    return chips, sums[0], sums[1], sums[2]


def border(loads: Iterable[ClassLoad], activity: float) -> float:
    """Messages a token over the host border: one for each event and chip, and every output."""
    return sum(
        load.share * (activity * int(flow.entering.sum()) + int(flow.leaving.sum()))
        for load in loads
        for flow in load.flows
    )
