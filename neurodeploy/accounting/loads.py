"""`RunLoads`: all that an account asks of a run, or of a plan of which nothing ran.

`program` and `outlines` derive it; `timing` puts its steps into a schedule, `account` prices its counts. A *unit* is what a
ledger is about: a token, or a sample of a program that is fed by streams.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import ceil, floor

import numpy as np

from neurodeploy.accounting.spread import ALIKE, NO_ROWS, Floats, Spread
from neurodeploy.errors import UserError
from neurodeploy.flow.links import between_chips
from neurodeploy.flow.loads import WORK
from neurodeploy.flow.tally import Tally
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints


@dataclass(frozen=True, slots=True)
class EventCounts:
    """What happened in a part of the model; each field is one row of `account.EVENTS`, where its price stands.

    partial_sums : added by reducers. updates : of microcoded neurons. writes : numbers put into memories.
    spikes : of neurons, each once however many cores it reaches. messages : deliveries, but for the partial sums, which are
    `partial_messages`.
    interchip : messages times links between chips, interchip_least : without those of the host.
    host_messages : over the host border. core_steps : steps and cores whose neurons are updated in them.
    """

    synops: float
    conv_synops: float
    partial_sums: float
    fixed_updates: float
    updates: float
    writes: float
    spikes: float
    messages: float
    partial_messages: float
    hops_ew: float
    hops_ns: float
    interchip: float
    interchip_least: float
    host_messages: float
    core_steps: float

    @classmethod
    def of(cls, **counted: float) -> EventCounts:
        """These, and zero of the others."""
        return cls(**{entry.name: counted.pop(entry.name, 0) for entry in fields(cls)}, **counted)

    @classmethod
    def total(cls, parts: Iterable[EventCounts]) -> EventCounts:
        every = list(parts)
        return cls(**{entry.name: sum(getattr(part, entry.name) for part in every) for entry in fields(cls)})

    def times(self, factor: float) -> EventCounts:
        return EventCounts(**{entry.name: getattr(self, entry.name) * factor for entry in fields(self)})


@dataclass(frozen=True, slots=True)
class Busiest:
    """Messages a step through the busiest chip port, and over the busiest directed link between chips. `fed`: what the host
    sends, as `flow.ways_out.WaysOut.fed`."""

    port: int
    port_messages: float
    link: tuple[int, int]
    link_messages: float
    fed: tuple[float, ...]


#: No message of the host; a step without messages.
NOT_FED = (0.0, 0.0, 0.0, 0.0)
SILENT = Busiest(0, 0.0, (0, 0), 0.0, NOT_FED)


def busiest(traffic: Sequence[Tally], system: SystemSpec, per: float, host: bool = True) -> Busiest:
    """Over all these parts together, in one of `per` steps; without `host` its messages load no link."""
    ports = np.sum([part.ports for part in traffic], axis=0)
    ways = [way for part in traffic for pairs in (part.direct, part.hosts)[: 1 + host] for way in pairs.items()]
    table = np.array([(a, b, count) for (a, b), count in ways], np.int64).reshape(-1, 3)
    return loaded(system, np.arange(system.chips), ports, table[:, 0], table[:, 1], table[:, 2], per)


def loaded(
    system: SystemSpec, chips: Ints, ports: Ints | Floats, source: Ints, target: Ints, messages: Ints | Floats,
    per: float,
) -> Busiest:  # fmt: skip
    """From the messages through the ports of `chips`, and those between pairs of chips; of what the host sends, nothing."""
    at = int(ports.argmax())
    _, start, end, most = between_chips(system, source, target, messages).busiest()
    link = (start[1] * system.grid[0] + start[0], end[1] * system.grid[0] + end[0])
    return Busiest(int(chips[at]), ports[at].item() / per, link, most / per, NOT_FED)


@dataclass(frozen=True, slots=True, eq=False)
class MeanStep:
    """One time step, the mean over the run: `cores` (n, 2) int64 chip and core, `loads` (n, 9 or more) what each does.

    times : how many of it a unit takes. spread : how the cores of a step differ from their means.
    """

    name: str
    cores: Ints
    loads: Floats
    ways: Busiest
    times: float
    spread: Spread

    @property
    def chips(self) -> int:
        """How many have work in it."""
        return len(np.unique(self.cores[:, 0]))


def together(name: str, steps: Sequence[MeanStep], ways: Busiest, tick: float = 1.0) -> MeanStep:
    """One step in which all happens at once, as in a full pipeline: a core serves each of its populations. `tick`: the ticks
    of a unit, of which it is one."""
    places, index = np.unique(np.concatenate([step.cores for step in steps]), axis=0, return_inverse=True)

    def added(tables: Iterable[Floats]) -> Floats:
        loads = np.zeros((len(places), len(WORK)))
        np.add.at(loads, index.reshape(-1), np.concatenate([*tables]))
        return loads

    shares = [step.times / tick for step in steps]
    mean = added(step.loads * share for step, share in zip(steps, shares, strict=True))
    if len(steps) == 1 and shares == [1.0]:
        spread = steps[0].spread
    elif all(len(step.spread.least) for step in steps):
        least = added(step.spread.least * floor(share) for step, share in zip(steps, shares, strict=True))
        most = added(step.spread.most * ceil(share) for step, share in zip(steps, shares, strict=True))
        spread = Spread(NO_ROWS, least, most)
    else:
        spread = ALIKE
    return MeanStep(name, places, mean, ways, 1.0, spread)


@dataclass(frozen=True, slots=True, eq=False)
class PartCounts:
    """A population, or what no population of a segment causes alone: `layer` is None, or its place in `by_layer`."""

    name: str
    layer: int | None
    counts: EventCounts


@dataclass(frozen=True, slots=True)
class Roofline:
    """Work of the host in a unit, one roofline: its own operations, or a population that it computes (of a layer). calls :
    operations that a program starts for it. integer : whether its operations are of 8-bit integers alone."""

    flops: float
    bytes: float
    calls: float
    integer: bool
    population: bool
    layer: int | None


@dataclass(frozen=True, slots=True, eq=False)
class RunLoads:
    """A run, ready for a schedule and for prices.

    Attributes
    ----------
    units : tokens or samples that the counts of `parts` are of. tick : ticks of one of them.
    counting : how the busiest core of each step was found: "counted", "upper bound" (between that of the mean step and
        `EnergyLedger.seconds_at_most`) or "assumed", all steps alike.
    steps : time steps of a unit, one after another. whole : the step in which all parts of a tick work at once; None where
        nothing ran on a chip.
    neurons, fullest : neurons that an idle update reaches in every step, in all and on the fullest core.
    exchanges, opened : exchanges with the host of a unit by itself, and of a prompt whose tokens follow one another.
    host, host_of_prompt : the host's work in a unit by itself, and in one of a prompt; nothing: the host is not asked.
    phases : the schedules that have a meaning for this run, as in `account.PHASES`.
    facts : what `notes` says about it. assumed : whether counts come from an assumed activity.
    layers : names of the layers, where they have others than numbers.
    """

    units: int
    tick: float
    counting: str
    parts: tuple[PartCounts, ...]
    steps: tuple[MeanStep, ...]
    whole: MeanStep | None
    neurons: float
    fullest: int
    exchanges: float
    opened: float
    host: tuple[Roofline, ...]
    host_of_prompt: tuple[Roofline, ...]
    chips_used: int
    cores_used: int
    phases: tuple[str, ...]
    facts: Mapping[str, object]
    assumed: bool
    layers: tuple[str, ...]


def check_option(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        problem = f"{value!r} is not an option of the energy account"
        raise UserError("ND3104", name, problem, f"use {' or '.join(filter(None, known))}")
