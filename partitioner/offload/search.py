"""Which units leave, and what stays mapped: sizes from a mapping on enough chips, the exact choice, then the mapper.

Sizes are estimates, since small tiles share cores and cores are never quite full: the capacity is lowered until what stays
is mapped for certain, and at the end units are tried again that the estimate may have sent away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
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
from partitioner.offload.choice import choose
from partitioner.offload.price import Prices, core_parts, price_view, standing_watts
from partitioner.options import Options, Pin
from partitioner.pins import pins_of

#: Cores are counted in parts of one ``1 / scale``; fewer parts where a table of all fillings would have more entries.
PARTS, FILLINGS = 64, 1 << 22
#: How often the capacity is lowered, and how many units are tried again at the end.
TRIES, RETURNS = 24, 8
#: Joules and seconds are whole numbers of this size where they decide.
PICO = 1e-12

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
    def pins(self) -> dict[str, Pin]:
        """By island."""
        return pins_of(self.program, self.options.pins)


@dataclass(slots=True)
class Resident:
    """All islands that can be on a chip, mapped to as many chips as that takes; the errors of the others."""

    mapping: Mapping
    impossible: dict[str, DoesNotFit] = field(default_factory=dict)


class Unit(NamedTuple):
    """Islands that leave together; of each its name, its size in parts of a core, what it costs that it leaves (`_gain`)."""

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


def settled(task: Task, pinned: Table[str, Reason], resident: Resident, staying: set[str]) -> tuple[Mapping, Gone]:
    """Choose what leaves beside what is `pinned` to the host, map what stays, until it fits; `staying` never leaves."""
    forced = dict(pinned)
    for name, error in resident.impossible.items():
        if name in staying:
            raise error
        forced.setdefault(name, Reason("exceeds-a-core", error.problem, error.fix))
    cores = task.available * task.system.chip.cores
    scale = PARTS
    while scale > 1 and cores * scale > FILLINGS:
        scale //= 2
    whole = _units(task, resident, scale)
    units = {name: unit.without(forced) for name, unit in whole.items() if not set(unit.islands) <= set(forced)}
    free = {name: unit for name, unit in units.items() if not staying & set(unit.islands)}
    # cores are never filled to the last byte: as full as when all islands were resident
    filled = sum(unit.size for unit in whole.values())
    capacity = cores * filled // max(1, resident.mapping.cores_used)
    capacity -= sum(unit.size for unit in units.values()) - sum(unit.size for unit in free.values())
    reason = _reason(task, resident)

    def leaving(names: Sequence[str]) -> Gone:
        found = dict(forced)
        for name in names:
            unit = free[name]
            found |= dict.fromkeys(unit.islands, reason(name, unit.size / scale))
        return found

    names: list[str] = []
    for _ in range(TRIES):
        if capacity < 0:
            break
        order = list(free)
        out = choose([free[name].size for name in order], [free[name].price for name in order], capacity)
        names = [order[index] for index in out]
        probe = _enough(task, leaving(names))
        if probe.chips_used <= task.available:
            names = _returned(task, names, free, leaving, probe, cores, scale)
            try:
                return map_rest(task, leaving(names), task.options), leaving(names)
            except DoesNotFit as error:
                if error.code != "ND2001":
                    raise
        capacity -= scale * max(1, probe.cores_used - cores)
    everything = leaving(list(free))
    try:
        return map_rest(task, everything, task.options), everything
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
            solved[key] = size, _gain(price, watts, task.options.objective)
        size, gain = solved[key]
        found[view.group] = Unit((*found.get(view.group, Unit(())).parts, (name, size, gain)))
    return found


def _gain(entry: Prices, watts: float, objective: str) -> int:
    """What it costs to leave, as a whole number: joules, or with these objectives seconds or border bytes."""
    if objective == "latency":
        return round((entry.host.seconds - entry.chip.seconds) / PICO)
    if objective == "traffic":
        return round((entry.host.bytes - entry.chip.bytes) * 1000)
    return round((entry.host.whole(watts) - entry.chip.whole(watts)) / PICO)


def _reason(task: Task, resident: Resident) -> Callable[[str, float], Reason]:
    """Why a unit is on the host: what it needs, what there is, what would keep it."""
    needed, cores = resident.mapping.chips_used, resident.mapping.cores_used
    offered = task.available * task.system.chip.cores
    fix = f"--chips {needed} keeps every island on the chips"
    if needed > task.system.chips:
        larger = [s for s in task.alternatives if s.chip.name == task.system.chip.name and s.chips >= needed]
        fix = f"a system with {some(needed, 'chip')} keeps every island on them, or narrower weights take fewer"
        if larger:
            best = min(larger, key=lambda s: s.chips)
            fix = f"{best.name} ({some(best.chips, 'chip')}) keeps every island on its chips, or narrower weights take fewer"

    def reason(name: str, size: float) -> Reason:
        there = "the chip has" if task.available == 1 else f"{task.available} chips have"
        return Reason(
            "not-resident", f"{name} needs {size:.1f} cores; all islands need {cores}, {there} {offered}", fix
        )

    return reason


def _returned(
    task: Task, names: list[str], free: Table[str, Unit], leaving: Callable[[Sequence[str]], Gone], probe: Mapping,
    cores: int, scale: int,
) -> list[str]:  # fmt: skip
    """Take units back that fit after all, dearest on the host first: the estimate counts small tiles too high or low."""
    tried: set[tuple[int, int]] = set()
    for name in sorted(names, key=lambda n: (-free[n].price, n)):
        size, price = free[name].size, free[name].price
        room = (cores - probe.cores_used + 1) * scale
        if len(tried) >= RETURNS or (size, price) in tried or size > room:
            continue
        tried.add((size, price))
        fewer = [other for other in names if other != name]
        again = _enough(task, leaving(fewer))
        if again.chips_used <= task.available:
            names, probe = fewer, again
    return names
