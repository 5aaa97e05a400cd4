"""Put tiles on cores and chips: layers over chips in order, cores filled in order, small tiles share a core.

A tile goes to the first core of its chip that still has room, else to a new core, else to the next chip. A group that
must stay together (an expert, an attention layer) starts on a new chip where the rest of the present one is too short
for it; tiles of other groups that follow fill that rest. Keeping groups together never takes more chips than ignoring
them: where the cores left empty would cost a chip, groups are torn once no core is left to waste.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neurodeploy.errors import InternalError

from .split import Limits, Tile
from .usage import Demand

#: Stands for a limit that is not known.
_OPEN = 2**62

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Tiles in order; `kept` says that they should share a chip."""

    name: str
    tiles: tuple[Tile, ...]
    kept: bool


@dataclass(frozen=True, slots=True)
class Placement:
    """(chip, core) for every tile in the order of the groups, the chips and the cores that took."""

    places: tuple[Place, ...]
    chips: int
    cores: int


def place(groups: Sequence[Group], limits: Limits, cores_per_chip: int, chips: int) -> Placement:
    """Place all tiles on as many chips as it takes; where that is more than `chips`, groups are not looked at."""
    torn = _walk(groups, limits, cores_per_chip, slack=0)
    if torn.chips > chips or not any(group.kept for group in groups):
        return torn
    for slack in (_OPEN, torn.chips * cores_per_chip - torn.cores):
        kept = _walk(groups, limits, cores_per_chip, slack)
        if kept.chips <= torn.chips:
            return kept
    return torn


def _walk(groups: Sequence[Group], limits: Limits, cores_per_chip: int, slack: int) -> Placement:
    """Fill chip after chip; kept groups may leave at most `slack` cores empty in all to start on a new chip."""
    chips = [_Chip(limits, cores_per_chip)]
    rest: int | None = None  # the chip before, if a kept group left cores empty there
    places: list[Place] = []
    for group in groups:
        left = cores_per_chip - len(chips[-1].free)
        if group.kept and left < cores_per_chip and left <= slack and not chips[-1].copy().holds(group):
            fresh = _Chip(limits, cores_per_chip)
            if fresh.copy().holds(group):
                slack, rest = slack - left, len(chips) - 1
                chips.append(fresh)
        for tile in group.tiles:
            core = chips[rest].put(tile.demand) if rest is not None and not group.kept else None
            if rest is not None and core is not None:
                places.append((rest, core))
                continue
            core = chips[-1].put(tile.demand)
            if core is None:
                chips.append(_Chip(limits, cores_per_chip))
                core = chips[-1].put(tile.demand)
                if core is None:
                    raise InternalError("ND9006", tile.island, f"rows {tile.rows} columns {tile.cols} exceed a core")
            places.append((len(chips) - 1, core))
    cores = sum(len(chip.free) for chip in chips)
    return Placement(tuple(places), len(chips) if places else 0, cores)


class _Chip:
    """The cores of one chip while it is filled, by what each has left.

    A core never regains room, so a core that refused a demand once refuses it for good: `tried` remembers, for each
    distinct demand, how many cores have refused it. That makes first fit linear in tiles.
    """

    def __init__(self, limits: Limits, size: int) -> None:
        self.limits = tuple(_OPEN if limit is None else limit for limit in limits)
        self.size = size
        self.free: list[list[int]] = []
        self.tried: dict[Demand, int] = {}

    def copy(self) -> _Chip:
        twin = _Chip(self.limits, self.size)
        twin.free, twin.tried = [list(row) for row in self.free], dict(self.tried)
        return twin

    def holds(self, group: Group) -> bool:
        """Put the whole group here; False where a tile found no room."""
        return all(self.put(tile.demand) is not None for tile in group.tiles)

    def put(self, demand: Demand) -> int | None:
        """The core that took the demand, None where the chip is full."""
        a, b, c, d, e = demand
        for core in range(self.tried.get(demand, 0), len(self.free)):
            free = self.free[core]
            if a <= free[0] and b <= free[1] and c <= free[2] and d <= free[3] and e <= free[4]:
                break
        else:
            core = len(self.free)
            if core == self.size or any(n > h for n, h in zip(demand, self.limits, strict=True)):
                return None
            free = list(self.limits)
            self.free.append(free)
        self.tried[demand] = core
        for index, need in enumerate(demand):
            free[index] -= need
        return core
