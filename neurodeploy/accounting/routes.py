"""Routes in hops: X-Y order on the mesh of a chip and on the grid of chips.

The router of core k is ``k // cores_per_router``, at column ``router % columns`` and row ``router // columns``. No
source says where a chip's port is; it is taken to be at router (0, 0), a corner, from where routes are longest.
"""

from __future__ import annotations

from collections import Counter

from neurodeploy.ir.chip import ChipSpec, SystemSpec

Link = tuple[int, int]


def router(chip: ChipSpec, core: int) -> tuple[int, int]:
    """(column, row) of the router that `core` hangs on."""
    index = core // chip.cores_per_router
    return index % chip.mesh[0], index // chip.mesh[0]


def hops(chip: ChipSpec, source: int, target: int) -> tuple[int, int]:
    """(east-west, north-south) router-to-router hops from core to core."""
    (x0, y0), (x1, y1) = router(chip, source), router(chip, target)
    return abs(x1 - x0), abs(y1 - y0)


def chip_route(system: SystemSpec, source: int, target: int) -> list[Link]:
    """The directed chip-to-chip links from `source` to `target`, first along the row, then along the column."""
    columns = system.grid[0]
    (x, y), (goal_x, goal_y) = (source % columns, source // columns), (target % columns, target // columns)
    links: list[Link] = []
    while (x, y) != (goal_x, goal_y):
        here = y * columns + x
        if x != goal_x:
            x += 1 if goal_x > x else -1
        else:
            y += 1 if goal_y > y else -1
        links.append((here, y * columns + x))
    return links


class Traffic:
    """Messages of one island over the run: what a core sends or receives, the hops, and the load of every link.

    `origin` is the chip where its input enters the system: 0, where the host is, or the chip of the island before.
    `returns` says whether its output travels back there.
    """

    def __init__(self, system: SystemSpec, origin: int = 0, returns: bool = True) -> None:
        self.system, self.origin, self.returns = system, origin, returns
        self.deliveries = 0
        self.hops_ew = 0
        self.hops_ns = 0
        self.entering = 0
        self.leaving = 0
        self.interchip = 0
        self.core_to_core_interchip = 0
        self.ports: Counter[int] = Counter()
        self.links: Counter[Link] = Counter()

    def _along(self, source: int, target: int, messages: int) -> int:
        route = chip_route(self.system, source, target)
        for link in route:
            self.links[link] += messages
        self.interchip += len(route) * messages
        return len(route) * messages

    def _mesh(self, ew: int, ns: int, messages: int) -> None:
        self.hops_ew += ew * messages
        self.hops_ns += ns * messages

    def to_chip(self, chip: int, messages: int) -> None:
        """From the origin to the port of `chip`: one message per event and destination chip."""
        self.entering += messages
        self._along(self.origin, chip, messages)

    def port_to_core(self, chip: int, core: int, messages: int) -> None:
        """From the port to one core: no multicast, so one message per event and destination core."""
        self.deliveries += messages
        self.ports[chip] += messages
        self._mesh(*router(self.system.chip, core), messages)

    def leave(self, chip: int, core: int, messages: int) -> None:
        """From a core to the port of its chip, and back to the origin where outputs return."""
        self.deliveries += messages
        self.leaving += messages
        self.ports[chip] += messages
        self._mesh(*router(self.system.chip, core), messages)
        if self.returns:
            self._along(chip, self.origin, messages)

    def core_to_core(self, source: tuple[int, int], target: tuple[int, int], messages: int) -> None:
        """A partial sum to its reducer: straight across the mesh, or port to port between chips."""
        self.deliveries += messages
        if source[0] == target[0]:
            self._mesh(*hops(self.system.chip, source[1], target[1]), messages)
            return
        for chip, core in (source, target):
            self.ports[chip] += messages
            self._mesh(*router(self.system.chip, core), messages)
        self.core_to_core_interchip += self._along(source[0], target[0], messages)
