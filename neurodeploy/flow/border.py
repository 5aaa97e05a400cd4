"""What crosses the border between host and chips: each event once for every chip that has a core that reads it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from neurodeploy.flow.words import Range
from neurodeploy.ir.fixedpoint import Ints


class Crossing(NamedTuple):
    """One island of one copy: by chip (k,) its number, events that enter it, events delivered to its cores, messages out.

    Chip ``k * chips of the system + c`` is chip c of board k, whose host port is at its chip 0.
    """

    chips: Ints
    entering: Ints
    delivered: Ints
    leaving: Ints


def union(ranges: Iterable[Range]) -> list[Range]:
    """What any of these ranges holds, as ranges apart from one another, ascending."""
    found: list[Range] = []
    for start, stop in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found
