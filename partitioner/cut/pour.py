"""Cut what is left of islands so that it fills cores: short last bands and reducers, one after the other.

A last band may take any part of a core, and bands of more than half a core do not pack. But rows can be cut anywhere, at
the price of one more list header for each column. So what is left is poured in the order of the islands: whole into the
first of a few open cores that has room; else as much as goes into the one that takes most, and the rest likewise; else
into a new core. Whoever packs the pieces in this order by first fit finds these cores again, and may find better ones.
"""

from __future__ import annotations

from collections.abc import Callable

from neurodeploy.flow.words import Range
from partitioner.cost.budget import Demand, Limits, fits, most_rows

#: Cores that are open at a time: neighbours among the islands share cores, not the ends of the model.
OPEN = 12


class Pour:
    """The cores that are open while islands are cut."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._free: list[Limits] = []

    def cut(self, rows: Range, demand: Callable[[int], Demand], least: int) -> list[Range]:
        """Where to cut these rows. `demand` of a number of rows, which grows with them; pieces have at least `least` rows
        where they are cut off to fill a core. One core must hold any `least` of them."""
        found = []
        start, stop = rows
        while start < stop:
            taken = self._fill(stop - start, demand, least)
            found.append((start, start + taken))
            start += taken
        return found

    def _fill(self, rows: int, demand: Callable[[int], Demand], least: int) -> int:
        best, most = -1, 0
        whole, more = demand(rows), demand(min(least, rows))
        for index, free in enumerate(self._free):
            if not fits(more, free):  # no better than what was found, and most cores are nearly full
                continue
            if fits(whole, free):
                best, most = index, rows
                break
            fit = most_rows(demand, rows, free)
            if rows - fit >= least:
                best, most = index, fit
                more = demand(most + 1)
        if best < 0:
            most = most_rows(demand, rows, self._limits)
            self._free.append(self._limits)
            if len(self._free) > OPEN:
                self._free.pop(0)
        used = demand(most)
        free = self._free[best]
        self._free[best] = tuple(None if have is None else have - need for have, need in zip(free, used, strict=True))
        return most
