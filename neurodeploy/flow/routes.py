"""Where cores and chips stand, and the hops between them: X-Y routes on the mesh of a chip and on the grid of chips.

The router of core k is ``k // cores_per_router``, at column ``router % columns`` and row ``router // columns``; chip c
stands at column ``c % columns`` and row ``c // columns`` of the grid. No source says where a chip's port is; it is taken
to be at router (0, 0), a corner, from where routes are longest. A message to another chip goes to the port, over the
grid, and from the port there to its core. The host is at the port of chip 0.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.fixedpoint import Ints

#: The number of the host among cores or shards.
HOST = -1
#: The chip whose port the host is connected to.
HOST_CHIP = 0


def routers(chip: ChipSpec, core: Ints) -> Ints:
    """(n, 2): column and row of the router that each core hangs on."""
    router = core // chip.cores_per_router
    return np.stack((router % chip.mesh[0], router // chip.mesh[0]), axis=-1)


def nodes(system: SystemSpec, chip: Ints) -> Ints:
    """(n, 2): column and row of each chip on the grid."""
    return np.stack((chip % system.grid[0], chip // system.grid[0]), axis=-1)


class Routes:
    """Hops between numbered cores: number i is core ``core[i]`` of chip ``chip[i]``, `HOST` the port of the host's chip."""

    def __init__(self, system: SystemSpec, chip: Ints, core: Ints) -> None:
        self.system = system
        self.chip: Ints = np.append(chip, HOST_CHIP).astype(np.int64)  # the last entry is where HOST looks
        self.core: Ints = np.append(core, 0).astype(np.int64)
        self._router = routers(system.chip, self.core)

    def mesh(self, source: Ints, target: Ints) -> Ints:
        """(n, 2): hops east-west and north-south; straight across one mesh, or over the ports of two."""
        a, b = self._router[source], self._router[target]
        same = self.chip[source] == self.chip[target]
        return np.where(same[:, None], np.abs(a - b), a + b)

    def grid(self, source: Ints, target: Ints) -> Ints:
        """(n,): chip-to-chip links on the way."""
        return self.links(self.chip[source], self.chip[target])

    def links(self, source: Ints, target: Ints) -> Ints:
        """(n,): chip-to-chip links between chips."""
        return np.asarray(np.abs(nodes(self.system, source) - nodes(self.system, target)).sum(axis=1))
