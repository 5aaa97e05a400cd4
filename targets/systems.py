"""Boards as values: how many chips of which kind. Arrangements that are not public are marked as assumed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace

from neurodeploy.errors import UserError
from neurodeploy.ir.chip import Basis, Quantity, SystemSpec

from .loihi1 import LOIHI1
from .loihi2 import LOIHI2

#: One chip carries the whole board alone: x86 cores and FPGA are not shared as they are on the larger systems.
_SINGLE = replace(
    LOIHI2,
    costs={
        **LOIHI2.costs,
        "p_infra_w": Quantity(
            0.75,
            1.5,
            1.56,
            "W",
            Basis.DERIVED,
            "Oheo Gulch: 1.56 W static of x86 beside 0.25 W of cores (Nesbit et al. 2026)",
        ),
    },
)

_ALL = (
    SystemSpec("oheo-gulch", _SINGLE, 1, (1, 1), "Intel: one Loihi 2 chip with an Arria 10 FPGA, Ethernet"),
    SystemSpec("kapoho-point", LOIHI2, 8, (4, 2), "Intel: 8 chips, stackable; the arrangement is assumed"),
    SystemSpec("alia-point", LOIHI2, 32, (8, 4), "32 chips, 24 of them used in arXiv 2503.18002; arrangement assumed"),
    SystemSpec("hala-point", LOIHI2, 1152, (36, 32), "Intel newsroom 2024: 1152 chips, 2600 W; arrangement assumed"),
    SystemSpec(
        "loihi1-nahuku", LOIHI1, 32, (8, 4), "Nahuku board of 32 Loihi 1 chips (Frady 2020); arrangement assumed"
    ),
)

SYSTEMS: Mapping[str, SystemSpec] = {system.name: system for system in _ALL}

#: Other names that people use for the same board.
ALIASES: Mapping[str, str] = {"one-chip": "oheo-gulch", "loihi2": "oheo-gulch"}


def get_system(name: str) -> SystemSpec:
    """The system of that name; case, spaces and underscores do not matter.

    Raises
    ------
    UserError ND4001 : unknown name; lists the known ones.
    """
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    key = ALIASES.get(key, key)
    if key in SYSTEMS:
        return SYSTEMS[key]
    known = ", ".join([*SYSTEMS, *ALIASES])
    near = difflib.get_close_matches(key, [*SYSTEMS, *ALIASES], n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UserError("ND4001", name, "is not a system that we know", f"{hint}systems: {known}")
