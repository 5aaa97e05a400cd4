"""What an account would be if one thing were otherwise, and which change helps most.

A change is applied to what the account is made of, loads, coefficients and powered chips, and the account is made again::

    saved = 1 - E(changed) / E          at the board; of seconds alike

Nothing is scaled afterwards: who halves the events of a run that waits for its host link sees that nothing comes of it. What
a change would cost elsewhere, in accuracy or in silicon, is not part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from neurodeploy.accounting.account import account
from neurodeploy.accounting.costs import with_values
from neurodeploy.accounting.ledger import BOUNDARIES, EnergyLedger
from neurodeploy.accounting.loads import EventCounts, MeanStep, RunLoads
from neurodeploy.accounting.spread import Floats
from neurodeploy.errors import UserError
from neurodeploy.flow.loads import CONV_SYNOPS, EVENTS, SENT, SPIKES, SYNOPS, WORK
from neurodeploy.ir.chip import HostSpec, SystemSpec

#: Where changes are ranked.
RANKED_AT = "board"
#: A change that saves less than this share of both joules and seconds is not told.
NOTHING = 1e-3
#: Counts, and columns of a table of loads, that are as many as events are.
OF_EVENTS = (
    "synops",
    "conv_synops",
    "spikes",
    "messages",
    "hops_ew",
    "hops_ns",
    "interchip",
    "interchip_least",
    "host_messages",
)
EVENT_COLUMNS = (SYNOPS, CONV_SYNOPS, SENT, EVENTS, SPIKES, *range(len(WORK))[-3:])


class Case(NamedTuple):
    """What an account is made of: `account`."""

    loads: RunLoads
    system: SystemSpec
    powered: str


@dataclass(frozen=True, slots=True)
class Change:
    """text : in words, with `{value}`. values : the least and the most of it, none for a change without one. tried : what is
    tried unasked."""

    text: str
    apply: Callable[[Case, float], Case]
    values: tuple[float, float] | None
    tried: float | None = None


class AskedChange(NamedTuple):
    """A change as the user writes it."""

    name: str
    change: Change
    value: float

    @property
    def words(self) -> str:
        return self.name if self.change.values is None else f"{self.name}={self.value:g}"


def _of_steps(case: Case, of: Callable[[MeanStep], MeanStep], **others: Any) -> Case:
    loads = case.loads
    whole = None if loads.whole is None else of(loads.whole)
    return case._replace(loads=replace(loads, steps=tuple(map(of, loads.steps)), whole=whole, **others))


def _counted(loads: RunLoads, of: Callable[[EventCounts], EventCounts]) -> dict[str, Any]:
    return {"parts": tuple(replace(part, counts=of(part.counts)) for part in loads.parts)}


def _events(case: Case, share: float) -> Case:
    """So many times the events, and what is as many; partial sums of columns that are split are all sent as before, and a
    core sends them in the time of the others."""

    def fewer(loads: Floats) -> Floats:
        table: Floats = loads.copy()
        table[..., EVENT_COLUMNS] *= share
        return table

    def step(step: MeanStep) -> MeanStep:
        ways = step.ways
        port, link = ways.port_messages * share, ways.link_messages * share
        ways = replace(ways, port_messages=port, link_messages=link, fed=tuple(part * share for part in ways.fed))
        return replace(step, loads=fewer(step.loads), ways=ways, spread=step.spread.changed(fewer))

    def counts(counts: EventCounts) -> EventCounts:
        return replace(counts, **{name: getattr(counts, name) * share for name in OF_EVENTS})

    return _of_steps(case, step, **_counted(case.loads, counts))


def _cores(case: Case, factor: float) -> Case:
    """Each core's work on so many: chips that are full need others beside them."""
    loads, cores = case.loads, case.system.chip.cores
    used = round(loads.cores_used * factor)
    return _of_steps(
        case,
        lambda step: replace(step, loads=step.loads / factor, spread=step.spread.changed(lambda loads: loads / factor)),
        **_counted(loads, lambda counts: replace(counts, core_steps=counts.core_steps * factor)),
        fullest=loads.fullest / factor,
        cores_used=used,
        chips_used=max(loads.chips_used, -(-used // cores)),
    )


def _crossings(case: Case, number: float) -> Case:
    loads, exchanges = case.loads, number / 2
    return case._replace(
        loads=replace(loads, exchanges=min(loads.exchanges, exchanges), opened=min(loads.opened, exchanges))
    )


def _powered(powered: str) -> Callable[[Case, float], Case]:
    return lambda case, _: case._replace(powered=powered)


def _coefficient(name: str) -> Callable[[Case, float], Case]:
    def apply(case: Case, value: float) -> Case:
        return case._replace(system=replace(case.system, chip=with_values(case.system.chip, {name: value})))

    return apply


#: What can be asked for beside the coefficients of the chip by their names. `tried` unasked are those that a user, or the
#: next board, could bring about.
CHANGES: Mapping[str, Change] = {
    "gate": Change("a chip has static power, and updates idle neurons, only while it works", _powered("gated"), None, 1.0),
    "gate-board": Change(
        "a chip and its share of the board draw power only while it works", _powered("gated-board"), None, 1.0
    ),
    "crossings": Change(
        "crossings of the host border: {value:g} a unit, the bytes as before", _crossings, (0, 1e9), 2.0
    ),
    "link": Change("an exchange with the host takes {value:g} s", _coefficient("t_host_link_s"), (0, 1e3), 1e-6),
    "barrier": Change(
        "the barrier of several chips takes {value:g} s a step", _coefficient("t_barrier_multichip_s"), (0, 1e3), 1e-6
    ),
    "floor": Change("an empty step takes {value:g} s", _coefficient("t_step_floor_s"), (0, 1e3), 2e-7),
    "cores": Change("the work of each core on {value:g} cores", _cores, (1, 1e6), 2.0),
    "events": Change("{value:g} times the events", _events, (0, 1e3), 0.5),
}  # fmt: skip


def read_changes(text: str, system: SystemSpec) -> list[AskedChange]:
    """Changes as ``name`` or ``name=value``, with commas between them; ND3104 where one is not known or not possible."""
    return [_read(part.strip(), system) for part in text.split(",") if part.strip()]


def _read(text: str, system: SystemSpec) -> AskedChange:
    name, equals, given = (part.strip() for part in text.partition("="))
    change = CHANGES.get(name)
    if change is None and name in system.chip.costs:
        unit = system.chip.costs[name].unit
        change = Change(f"{name} is {{value:g}} {unit}", _coefficient(name), (0, 1e30))
    if change is None:
        known = ", ".join(CHANGES)
        raise UserError(
            "ND3104", f"what-if {text}", "is no change that can be made",
            f"choose of {known}, or a coefficient of {system.chip.name} such as p_static_w=0.1",
        )  # fmt: skip
    if change.values is None:
        if equals:
            raise UserError("ND3104", f"what-if {text}", "has a value, and means nothing by it", f"write {name}")
        return AskedChange(name, change, 1.0)
    try:
        value = float(given)
    except ValueError:
        value = float("nan")
    low, high = change.values
    if not low <= value <= high:  # NaN is not
        raise UserError(
            "ND3104",
            f"what-if {text}",
            f"needs a number from {low:g} to {high:g}",
            f"write {name}={change.tried or 1:g}",
        )
    return AskedChange(name, change, value)


def what_if(
    loads: RunLoads, system: SystemSpec, host: HostSpec, ledger: EnergyLedger, asked: Sequence[AskedChange], *,
    powered: str = "used", prompts: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """Beside `ledger`, the account of `loads` as they are: "asked", all these changes together (None without one), and
    "each" alone, and what is tried unasked, those first that save most at `RANKED_AT`. Changes that save nothing are told
    only where they were asked for.
    """
    case = Case(loads, system, powered)

    def row(changes: Sequence[AskedChange]) -> dict[str, Any]:
        other = case
        for one in changes:
            other = one.change.apply(other, one.value)
        made = account(other.loads, other.system, host, ledger.phase, powered=other.powered, prompts=prompts)
        saved = {
            "joules": _saved(made.joules(RANKED_AT).nominal, ledger.joules(RANKED_AT).nominal),
            "seconds": _saved(made.seconds.nominal, ledger.seconds.nominal),
        }
        return {
            "change": ",".join(one.words for one in changes),
            "text": "; ".join(one.change.text.format(value=one.value) for one in changes),
            "asked": all(one in asked for one in changes),
            "joules_per_token": {name: made.joules(name).to_json() for name in BOUNDARIES},
            "seconds_per_token": made.seconds.to_json(),
            "bound_by": made.bound_by,
            "saved": saved,
        }

    unasked = [
        AskedChange(name, change, change.tried)
        for name, change in CHANGES.items()
        if change.tried is not None and name not in {one.name for one in asked}
    ]
    rows = [row([one]) for one in [*asked, *unasked]]
    told = [one for one in rows if one["asked"] or max(one["saved"].values()) >= NOTHING]
    told.sort(key=lambda one: (-one["saved"]["joules"], -one["saved"]["seconds"]))
    return {"ranked_at": RANKED_AT, "asked": row(asked) if asked else None, "each": told}


def _saved(now: float, before: float) -> float:
    return 1.0 - now / before if before else 0.0
