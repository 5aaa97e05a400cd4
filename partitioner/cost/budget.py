"""The budgets of a core, what a shard takes of them (a `Demand`), and whether that fits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from collections.abc import Mapping as Table
from types import MappingProxyType

from neurodeploy.ir.chip import ChipSpec

#: The budgets of a core in the order of a `Demand`.
RESOURCES = ("neurons", "synapse_bytes", "in_axons", "out_axons", "state_bytes")

Demand = tuple[int, int, int, int, int]
Limits = tuple[int | None, ...]
NOTHING: Demand = (0, 0, 0, 0, 0)
#: Stands for a limit that is not known.
OPEN = 2**62


def core_limits(
    chip: ChipSpec, max_rows: int | None = None, caps: Table[str, int] = MappingProxyType({})
) -> tuple[int | None, ...]:
    """The limits in the order of `RESOURCES`. `max_rows` lowers the number of neurons a core may take, `caps` a limit to
    that many per cent of it; a cap on a limit that is unknown changes nothing."""
    limits: Table[str, int | None] = {name: limit.value for name, limit in chip.budget.limits().items()}
    values = [None if (v := limits[name]) is None else v * caps.get(name, 100) // 100 for name in RESOURCES]
    if max_rows is not None:
        values[0] = max_rows if values[0] is None else min(values[0], max_rows)
    return tuple(values)


def room_of(limits: Limits) -> list[int]:
    """Of an empty core: the limits, `OPEN` where one is not known."""
    return [OPEN if limit is None else limit for limit in limits]


def add(a: Demand, b: Demand) -> Demand:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4]


def times(demand: Demand, count: int) -> Demand:
    a, b, c, d, e = demand
    return a * count, b * count, c * count, d * count, e * count


def fits(demand: Demand, limits: Limits) -> bool:
    for used, limit in zip(demand, limits, strict=True):  # noqa: SIM110 (asked for all the time: no generator)
        if limit is not None and used > limit:
            return False
    return True


def over(demand: Demand, limits: Limits) -> list[tuple[str, int, int]]:
    """(resource, used, limit) of each budget that the demand exceeds."""
    return [
        (name, used, limit)
        for name, used, limit in zip(RESOURCES, demand, limits, strict=True)
        if limit is not None and used > limit
    ]


def needs(demand: Demand, limits: Limits) -> str:
    """`over` in the words of an error."""
    return " and ".join(f"{used} {name} (a core has {limit})" for name, used, limit in over(demand, limits))


def most_rows(demand: Callable[[int], Demand], most: int, limits: Limits) -> int:
    """The largest n in 0..most whose demand fits; demands grow with n."""
    return bisect_right(range(1, most + 1), False, key=lambda n: not fits(demand(n), limits))
