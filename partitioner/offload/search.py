"""Which units leave, and what stays mapped: sizes from a mapping on enough chips, the exact choice, then the mapper.

Sizes are estimates, since small tiles share cores and cores are never quite full: the capacity is lowered until what stays
is mapped for certain, and at the end units are tried again that the estimate may have sent away.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from neurodeploy.errors import DoesNotFit, some
from neurodeploy.flow.support import lacking, needs_of
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping, Reason
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from partitioner.bound.cores import lower_bound
from partitioner.cost.budget import core_limits
from partitioner.cost.population import views_of
from partitioner.mapper import map_model
from partitioner.offload.choice import choose, parts_of_core
from partitioner.offload.price import core_parts, price_view, standing_watts
from partitioner.options import Options, Pin
from partitioner.pins import pins_of

#: A table of all fillings has at most so many entries.
FILLINGS = 1 << 22
#: How often the capacity is lowered, and how many units are tried again at the end.
TRIES, RETURNS = 24, 8
#: Of an island that is left out of a mapping nobody keeps.
UNSAID = Reason("exceeds-a-core", "", "")
#: Islands that are on the host, with the reason.
Gone = dict[str, Reason]


@dataclass(frozen=True, slots=True)
class Task:
    program: Program
    system: SystemSpec
    options: Options
    host: HostSpec
    available: int
    alternatives: Sequence[SystemSpec]
    work: Path | None = None
    rates: RunActivity | None = None

    @property
    def cores(self) -> int:
        """Of the chips that may be used."""
        return self.available * self.system.chip.cores

    @property
    def pins(self) -> dict[str, Pin]:
        """By island."""
        return pins_of(self.program, self.options.pins)


@dataclass(slots=True)
class Resident:
    """All islands that can be on a chip, mapped to as many chips as that takes; the errors of the others."""

    mapping: Mapping
    impossible: dict[str, DoesNotFit] = field(default_factory=dict)


class Unit(NamedTuple):
    """Islands that leave together; of each its name, its size in parts of a core, what it costs that it leaves."""

    parts: tuple[tuple[str, int, int], ...]

    @property
    def islands(self) -> tuple[str, ...]:
        return tuple(name for name, _, _ in self.parts)

    @property
    def size(self) -> int:
        return max(1, sum(size for _, size, _ in self.parts))

    @property
    def price(self) -> int:
        return sum(price for _, _, price in self.parts)

    def without(self, names: Collection[str]) -> Unit:
        return Unit(tuple(part for part in self.parts if part[0] not in names))


def map_rest(task: Task, gone: Table[str, Reason], options: Options, system: SystemSpec | None = None) -> Mapping:
    """Map the program with these islands on the host."""
    pins = {name: replace(pin, device=None) for name, pin in task.pins.items()}
    pins |= dict.fromkeys(gone, Pin(device="host"))
    return map_model(
        task.program, system or task.system, replace(options, pins=pins), alternatives=task.alternatives,
        rates=task.rates, work=task.work if system is None else None,
    )  # fmt: skip


def _enough(task: Task, gone: Table[str, Reason]) -> Mapping:
    """Mapped to as many chips as it takes, without a search for good places."""
    options = replace(task.options, chips=None, place=False, spread=False)
    least, _ = lower_bound(
        views_of(task.program, task.system.chip, task.options.weight_bits).values(), task.system.chip
    )
    chips = max(task.system.chips, 2 * -(-least // task.system.chip.cores) + 2)
    while True:
        try:
            return map_rest(task, gone, options, replace(task.system, chips=chips, grid=(chips, 1)))
        except DoesNotFit as error:
            if error.code != "ND2001":
                raise
            chips *= 2


def resident_of(task: Task) -> Resident:
    """Everything on as many chips as it takes, whatever is pinned to the host."""
    needs = needs_of(task.program.network, task.options.weight_bits)
    impossible = {
        lack.need.at: DoesNotFit("ND2090", lack.need.of, lack.problem, "leave it to the host")
        for lack in lacking(task.system.chip, needs)
    }
    while True:
        try:
            return Resident(_enough(task, dict.fromkeys(impossible, UNSAID)), impossible)
        except DoesNotFit as error:
            pin = task.pins.get(error.subject, Pin())
            if (
                error.code != "ND2002"
                or error.subject not in task.program.network.populations
                or pin.rows
                or pin.blocks
            ):
                raise
            impossible[error.subject] = error


@dataclass(frozen=True, slots=True)
class _Leaving:
    """What leaves beside what is `forced` to the host: of the `free` units, sized in parts of a core ``1 / scale``."""

    task: Task
    resident: Resident
    forced: Gone
    free: dict[str, Unit]
    scale: int

    def gone(self, names: Sequence[str]) -> Gone:
        """Islands on the host if these units leave; with what each needs, what there is, what would keep it."""
        task, mapping = self.task, self.resident.mapping
        there = "the chip has" if task.available == 1 else f"{task.available} chips have"
        need = f"cores; all islands need {mapping.cores_used}, {there} {task.cores}"
        fix, found = _remedy(task, mapping.chips_used), dict(self.forced)
        for name in names:
            unit = self.free[name]
            text = f"{name} needs {unit.size / self.scale:.1f} {need}"
            found |= dict.fromkeys(unit.islands, Reason("not-resident", text, fix))
        return found

    def mapped(self, names: Sequence[str]) -> tuple[Mapping, Gone]:
        gone = self.gone(names)
        return map_rest(self.task, gone, self.task.options), gone

    def returned(self, names: list[str], probe: Mapping) -> list[str]:
        """Take units back that fit after all, dearest on the host first: the estimate counts small tiles too high or low."""
        tried: set[tuple[int, int]] = set()
        for name in sorted(names, key=lambda n: (-self.free[n].price, n)):
            unit = self.free[name]
            room = (self.task.cores - probe.cores_used + 1) * self.scale
            if len(tried) >= RETURNS or (unit.size, unit.price) in tried or unit.size > room:
                continue
            tried.add((unit.size, unit.price))
            fewer = [other for other in names if other != name]
            again = _enough(self.task, self.gone(fewer))
            if again.chips_used <= self.task.available:
                names, probe = fewer, again
        return names


def settled(task: Task, pinned: Table[str, Reason], resident: Resident, staying: set[str]) -> tuple[Mapping, Gone]:
    """Choose what leaves beside what is `pinned` to the host, map what stays, until it fits; `staying` never leaves."""
    forced = dict(pinned)
    for name, error in resident.impossible.items():
        if name in staying:
            raise error
        forced.setdefault(name, Reason("exceeds-a-core", error.problem, error.fix))
    scale = parts_of_core(task.cores, FILLINGS)
    whole = _units(task, resident, scale)
    units = {name: unit.without(forced) for name, unit in whole.items() if not set(unit.islands) <= set(forced)}
    free = {name: unit for name, unit in units.items() if not staying & set(unit.islands)}
    # cores are never filled to the last byte: as full as when all islands were resident
    filled = sum(unit.size for unit in whole.values())
    capacity = task.cores * filled // max(1, resident.mapping.cores_used)
    capacity -= sum(unit.size for unit in units.values()) - sum(unit.size for unit in free.values())
    leaving, order = _Leaving(task, resident, forced, free, scale), list(free)
    sizes, prices = [unit.size for unit in free.values()], [unit.price for unit in free.values()]
    for _ in range(TRIES):
        if capacity < 0:
            break
        names = [order[index] for index in choose(sizes, prices, capacity)]
        probe = _enough(task, leaving.gone(names))
        if probe.chips_used <= task.available:
            try:
                return leaving.mapped(leaving.returned(names, probe))
            except DoesNotFit as error:
                if error.code != "ND2001":
                    raise
        capacity -= scale * max(1, probe.cores_used - task.cores)
    try:
        return leaving.mapped(order)
    except DoesNotFit as error:
        if error.code != "ND2001" or not staying:
            raise
        raise DoesNotFit(
            "ND2068", ", ".join(sorted(staying)[:3]), f"pinned to the chips, {error.problem}",
            "put one of them on the host in the plan, or allow more chips",
        ) from None  # fmt: skip


def _units(task: Task, resident: Resident, scale: int) -> dict[str, Unit]:
    """What may leave, by name and in the order of the calls.

    Islands of the same shape, share and pin count the same, as the first of them lies: the mapper cuts them differently
    to fill its cores, which is no reason to prefer one.
    """
    watts = standing_watts(task.system, task.available, task.host)
    limits = core_limits(task.system.chip, task.options.max_rows, task.options.caps)
    placed, pins = resident.mapping.by_island(), task.pins
    solved: dict[tuple[object, ...], tuple[int, int]] = {}
    found: dict[str, Unit] = {}
    for name, view in views_of(task.program, task.system.chip, task.options.weight_bits).items():
        if name in resident.impossible:
            continue
        own: object = (view.row_bits, view.outputs) if view.uniform and not view.outgoing else name
        key = (view.rows, view.columns, own, view.share, pins.get(name))
        if key not in solved:
            price = price_view(task.program.network, view, placed[name], task.system, task.host, task.available)
            size = core_parts(view, placed[name], limits, scale)
            solved[key] = size, price.gain(watts, task.options.objective)
        size, gain = solved[key]
        found[view.group] = Unit((*found.get(view.group, Unit(())).parts, (name, size, gain)))
    return found


def _remedy(task: Task, needed: int) -> str:
    """What would keep every island on the chips, of which that takes `needed`."""
    if needed <= task.system.chips:
        return f"--chips {needed} keeps every island on the chips"
    larger = [s for s in task.alternatives if s.chip.name == task.system.chip.name and s.chips >= needed]
    if not larger:
        return f"a system with {some(needed, 'chip')} keeps every island on them, or narrower weights take fewer"
    best = min(larger, key=lambda s: s.chips)
    return f"{best.name} ({some(best.chips, 'chip')}) keeps every island on its chips, or narrower weights take fewer"
