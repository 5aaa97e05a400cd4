"""What a user may ask of the mapper beyond "make it fit": one frozen value for all stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neurodeploy.errors import UserError
from neurodeploy.ir.affinity import Affinity
from neurodeploy.ir.chip import SystemSpec

#: What is made small first. The others still break ties, in this order.
OBJECTIVES = ("cores", "traffic", "latency", "energy")


@dataclass(frozen=True, slots=True)
class Pin:
    """What the user fixes of one island, population or group; None leaves it to the mapper.

    rows : neurons a core. blocks : column blocks (1 forbids cutting columns). chip : all of it on this chip.
    device : "chip" or "host".
    """

    rows: int | None = None
    blocks: int | None = None
    chip: int | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of a mapping. Equal options, seed included, give equal bytes, unless `time_limit` ends a stage early.

    weight_bits : plan as if every weight took this many bits (1 to 8): "what if".
    max_rows : at most this many neurons a core: more cores, shorter steps.
    caps : at most this part of a core's budget, by resource ("synapse_bytes": 0.5), in per cent: {"in_axons": 80}.
    spread : use every core of the chips that are needed, so that the busiest core has less to do.
    chips : use at most this many of the system's chips.
    objective : one of `OBJECTIVES`.
    seed : of every random choice.
    time_limit : seconds for the search; the best mapping so far is kept. None: the search ends by itself.
    place : False leaves cores and chips in the order they were filled (the null model "sequential").
    search : False takes the first plan, neurons in the given order: a little larger, and at once.
    pins : by name of an island, population or group.
    affinity : of the experts on a text: those that follow one another share a chip where that costs none.
    """

    weight_bits: int | None = None
    max_rows: int | None = None
    caps: Mapping[str, int] = field(default_factory=dict)
    spread: bool = False
    chips: int | None = None
    objective: str = "cores"
    seed: int = 0
    time_limit: float | None = None
    place: bool = True
    search: bool = True
    pins: Mapping[str, Pin] = field(default_factory=dict)
    affinity: Affinity | None = None

    def check(self, system: SystemSpec) -> int:
        """The number of chips that may be used. Raises ND2003 where a choice is out of range."""
        for name, value, most in (
            ("weight_bits", self.weight_bits, 8),
            ("max_rows", self.max_rows, None),
            ("chips", self.chips, system.chips),
        ):
            if value is not None and not (value >= 1 and (most is None or value <= most)):
                reach = f"between 1 and {most}" if most else "at least 1"
                raise UserError("ND2003", name, f"is {value}, {system.name} takes a value {reach}", "give such a value")
        if self.objective not in OBJECTIVES:
            raise UserError("ND2003", "objective", f"is {self.objective!r}", f"give one of {', '.join(OBJECTIVES)}")
        if self.time_limit is not None and not self.time_limit > 0:
            raise UserError("ND2003", "time_limit", f"is {self.time_limit}", "give seconds above 0")
        if self.seed < 0:
            raise UserError("ND2003", "seed", f"is {self.seed}", "give a whole number from 0 on")
        known = system.chip.budget.limits()
        for name, percent in self.caps.items():
            if name not in known or not 1 <= percent <= 100:
                problem = f"of {name!r} is {percent}"
                fix = f"cap one of {', '.join(known)} at 1 to 100 per cent"
                raise UserError("ND2003", "caps", problem, fix)
        return system.chips if self.chips is None else self.chips
