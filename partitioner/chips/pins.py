"""Pins to chips: which tiles the user has put on which chip, and the chips that a mapping takes with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodeploy.errors import DoesNotFit, UserError, some
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from partitioner.cut.stamp import Tile
from partitioner.options import Options


def pinned_chips(tiles: Sequence[Tile], options: Options, available: int) -> Ints:
    """(tiles,): the chip that the island or the group of each is pinned to, -1 where it is free.

    Raises
    ------
    UserError ND2021 : a pin names a chip that may not be used, or nothing that is placed.
    """
    wanted = {name: pin.chip for name, pin in options.pins.items() if pin.chip is not None}
    pinned = np.full(len(tiles), -1, np.int64)
    used = set()
    for index, tile in enumerate(tiles) if wanted else ():
        for name in (tile.group, tile.island):
            if name in wanted:
                used.add(name)
                pinned[index] = wanted[name]
    for name, chip in wanted.items():
        if not 0 <= chip < available:
            problem = f"is pinned to chip {chip}, chips 0 to {available - 1} may be used"
            raise UserError("ND2021", name, problem, "pin it to one of these, or allow more chips")
        if name not in used:
            problem = "is pinned to a chip, but nothing of that name is placed on cores"
            raise UserError("ND2021", name, problem, "name an island, a population or a group of the mapping")
    return pinned


def chips_needed(pinned: Ints, chip: ChipSpec, options: Options) -> int:
    """Chips: those that are named by pins, and what the rest of the cores takes beyond their room.

    pinned : (cores,) the chip of each core, or -1.

    Raises
    ------
    DoesNotFit ND2020 : more cores are pinned to a chip than it has.
    """
    chips, held = np.unique(pinned[pinned >= 0], return_counts=True)
    if len(held) and held.max() > chip.cores:
        number = int(chips[held.argmax()])
        names = sorted(name for name, pin in options.pins.items() if pin.chip == number)
        raise DoesNotFit(
            "ND2020",
            ", ".join(names),
            f"need {some(held.max(), 'core')} of chip {number}, {chip.name} has {chip.cores}",
            "pin a part of it to another chip, or leave it to the mapper",
        )
    return len(chips) + max(0, -(-(len(pinned) - len(chips) * chip.cores) // chip.cores))
