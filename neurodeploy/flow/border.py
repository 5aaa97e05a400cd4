"""What crosses the border between host and chips: each event once for every chip that has a core that reads it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neurodeploy.ir.fixedpoint import Ints


class BorderLoads(NamedTuple):
    """One island of one copy: by chip (k,) its number, events that enter it, events delivered to its cores, messages out.

    Chip ``k * chips of the system + c`` is chip c of board k, whose host port is at its chip 0.
    """

    chips: Ints
    entering: Ints
    delivered: Ints
    leaving: Ints


class Entries:
    """Which (axon, chip) pairs of a projection have had their message from the host: one a chip, however many of its tiles
    read the axon and in however many streams they come."""

    def __init__(self, chips: int) -> None:
        self.chips = chips
        self.known: dict[str, Ints] = {}

    def fresh(self, projection: str, axon: Ints, chip: Ints) -> Ints:
        """The places in `axon` and `chip` (equal lengths) where a pair stands for the first time; they are known then."""
        before = self.known.get(projection, np.zeros(0, np.int64))
        keys, first = np.unique(axon * self.chips + chip, return_index=True)
        new = ~np.isin(keys, before, assume_unique=True)
        self.known[projection] = np.concatenate((before, keys[new]))
        return np.asarray(first[new])
