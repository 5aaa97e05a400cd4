"""A made-up "Loihi 3": half as many neurons on a core as Loihi 2 and half its memory, and no program for `li`."""

from __future__ import annotations

from dataclasses import replace

from neurodeploy.ir.chip import Basis, Limit, SystemSpec
from targets.loihi2 import LOIHI2

MADE_UP = "made up for a test"

LOIHI3 = replace(
    LOIHI2,
    name="loihi3",
    cores=64,
    budget=replace(
        LOIHI2.budget,
        neurons=Limit(4, Basis.GUESSED, MADE_UP),
        synapse_bytes=Limit(64 * 1024, Basis.GUESSED, MADE_UP),
    ),
    formats={**LOIHI2.formats, "delay_steps": 3},
    supports=replace(LOIHI2.supports, without={"li": f"{MADE_UP}: its programs send no voltage"}),
    source=MADE_UP,
)

SYSTEMS = (SystemSpec("made-up-board", LOIHI3, 4, (2, 2), MADE_UP),)
