"""`Job`: what is mapped and what was asked, checked once: the populations on the chip and the rule for each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from neurodeploy.flow.streams import Sent
from neurodeploy.flow.support import needs_of, refuse
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.devices import as_program
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from partitioner.cost.budget import Limits, core_limits
from partitioner.cost.population import Model, View, views_of
from partitioner.cut.rules import Rule
from partitioner.nets.streams import sent_of
from partitioner.options import Options, Pin
from partitioner.pins import hosted_by, pins_of

#: Part of `Options.time_limit` after which no further order of neurons is tried.
ORDERS_UNTIL = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """views : the populations that get cores, in the order in which they are cut; rules : one for each.

    sent, per : as in `nets.streams.streams_of`, in the order of the network. deadline : of `time.monotonic`, after which no
    further order of neurons is tried.
    """

    program: Program
    system: SystemSpec
    options: Options
    available: int
    views: dict[str, View]
    rules: dict[str, Rule]
    sent: Sent | None = None
    per: int = 1
    deadline: float | None = None

    @property
    def name(self) -> str:
        return self.program.info.name

    @property
    def network(self) -> Network:
        return self.program.network

    @property
    def hosted(self) -> tuple[str, ...]:
        """Populations that the host computes."""
        populations = self.network.populations.values()
        return tuple(p.name for p in populations if p.model != INPUT and p.name not in self.views)

    @property
    def limits(self) -> Limits:
        """Of a core: the chip's, lowered by `caps` and `max_rows`."""
        return core_limits(self.system.chip, self.options.max_rows, self.options.caps)

    def asking(self, options: Options) -> Job:
        """The same with other options."""
        return _job(self.program, self.system, options, self.available, self.sent, self.per, self.deadline)

    def roomy(self) -> Job:
        """The same with the chip's `neuron_state_bytes` set aside for every neuron, whatever its model needs."""
        state = self.system.chip.formats["neuron_state_bytes"]
        return replace(self, views={name: view.roomy(state) for name, view in self.views.items()})

    def unrated(self) -> Job:
        """The same where every neuron sends."""
        return _job(self.program, self.system, self.options, self.available, None, 1, self.deadline)


def job_of(
    model: Model,
    system: SystemSpec,
    options: Options,
    rates: RunActivity | None = None,
    alternatives: Sequence[SystemSpec] = (),
) -> Job:
    """`alternatives` : systems that an error may name.

    Raises
    ------
    DoesNotFit ND2004, ND2090 : the chip lacks what the model needs (`flow.support`).
    UserError ND2003 : an option out of range. ND2063 to ND2066 : a pin that names nothing, is out of range, or contradicts
        another.
    """
    program, available = as_program(model), options.check(system)
    hosted = hosted_by(pins_of(program, options.pins))
    needs = needs_of(program, options.weight_bits)
    refuse(system.chip, (need for need in needs if need.at not in hosted), alternatives)
    sent, per = sent_of(rates)
    deadline = None if options.time_limit is None else time.monotonic() + ORDERS_UNTIL * options.time_limit
    return _job(program, system, options, available, sent, per, deadline)


def _job(
    program: Program,
    system: SystemSpec,
    options: Options,
    available: int,
    sent: Sent | None,
    per: int,
    deadline: float | None,
) -> Job:
    """Views in the order of the model, those of one group side by side where the first stands."""
    pins = pins_of(program, options.pins)
    views = views_of(program, system.chip, options.weight_bits, hosted=hosted_by(pins))
    limits = core_limits(system.chip, options.max_rows, options.caps)
    groups: dict[str, list[View]] = {}
    for view in views.values():
        groups.setdefault(view.group, []).append(view)
    placed = {view.name: view for members in groups.values() for view in members}
    rules = {name: _rule(limits, pins.get(name, Pin()), _rate(view, sent, per)) for name, view in placed.items()}
    return Job(program, system, options, available, placed, rules, sent, per, deadline)


def _rule(limits: Limits, pin: Pin, rate: Fraction) -> Rule:
    return Rule(limits, rows=pin.rows, blocks=pin.blocks, most_blocks=pin.blocks, rate=rate)


def _rate(view: View, sent: Sent | None, per: int) -> Fraction:
    """The part of the axons of a population that carries a message in a step."""
    if sent is None:
        return Fraction(1)
    into = [part.projection for part in view.segments]
    fired = [sent.get(p.source, {}).get(p.source_port) for p in into]
    return Fraction(sum(int(n.sum()) for n in fired if n is not None), per * view.columns)
