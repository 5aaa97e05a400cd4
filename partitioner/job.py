"""`Job`: what is mapped and what was asked, checked once: the populations on the chip and the rule for each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from neurodeploy.flow.streams import Sent
from neurodeploy.flow.support import needs_of, refuse
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from neurodeploy.ir.segments import Segment
from partitioner.bound.cores import lower_bound
from partitioner.cost.budget import Limits, core_limits
from partitioner.cost.population import View, views_of
from partitioner.cut.rules import Rule
from partitioner.nets.streams import sent_of
from partitioner.options import Options, Pin
from partitioner.pins import pins_of

#: Part of `Options.time_limit` after which no further order of neurons is tried.
ORDERS_UNTIL = 0.3


@dataclass(frozen=True, eq=False)
class Job:
    """sent, per : as in `nets.streams.streams_of`, in the order of the network. deadline : of `time.monotonic`, after which
    no further order of neurons is tried. least : bytes of state that are set aside for a neuron, whatever its model needs.
    """

    program: Program
    system: SystemSpec
    options: Options
    available: int
    sent: Sent | None = None
    per: int = 1
    deadline: float | None = None
    least: int = 0

    @property
    def name(self) -> str:
        return self.program.info.name

    @property
    def network(self) -> Network:
        return self.program.network

    @cached_property
    def pins(self) -> dict[str, Pin]:
        return pins_of(self.program, self.options.pins)

    @cached_property
    def phases(self) -> dict[str, tuple[int, int]]:
        """When in a tick each population computes: its segment, and its place in the chain of projections within the tick.
        What the same phase has computes at once."""
        found: dict[str, tuple[int, int]] = {}
        for number, segment in enumerate(step for step in self.program.schedule if isinstance(step, Segment)):
            for name in segment.network.order():
                into = (found[p.source][1] for p in segment.network.into(name) if not p.latency and p.source in found)
                if segment.network.populations[name].model != INPUT:
                    found[name] = number, 1 + max(into, default=0)
        return found

    @cached_property
    def views(self) -> dict[str, View]:
        """The populations that get cores, in the order in which they are cut: that of the model, those of one group side by
        side where the first stands."""
        groups: dict[str, list[View]] = {}
        for view in views_of(self.program, self.system.chip, self.options.weight_bits, hosted=self.hosted).values():
            groups.setdefault(view.group, []).append(view.roomy(self.least))
        return {view.name: view for members in groups.values() for view in members}

    @cached_property
    def bound(self) -> tuple[int, str]:
        """The cores that any mapping of these populations takes at least, and the resource that asks for them."""
        return lower_bound(self.views.values(), self.system.chip)

    @property
    def hopeless(self) -> bool:
        """Whether no mapping can fit the chips that may be used."""
        return self.bound[0] > self.available * self.system.chip.cores

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """One for each population that gets cores."""
        given = ((name, view, self.pins.get(name, Pin())) for name, view in self.views.items())
        return {
            name: Rule(self.limits, rows=pin.rows, blocks=pin.blocks, most_blocks=pin.blocks, rate=self._rate(view))
            for name, view, pin in given
        }

    def _rate(self, view: View) -> Fraction:
        """The part of the axons of a population that carries a message in a step."""
        if self.sent is None:
            return Fraction(1)
        into = [part.projection for part in view.segments]
        fired = [self.sent.get(p.source, {}).get(p.source_port) for p in into]
        return Fraction(sum(int(n.sum()) for n in fired if n is not None), self.per * view.columns)

    @property
    def hosted(self) -> tuple[str, ...]:
        """Populations that the host computes."""
        return tuple(name for name, pin in self.pins.items() if pin.device == "host")

    @property
    def limits(self) -> Limits:
        """Of a core: the chip's, lowered by `caps` and `max_rows`."""
        return core_limits(self.system.chip, self.options.max_rows, self.options.caps)


def job_of(
    program: Program,
    system: SystemSpec,
    options: Options,
    rates: RunActivity | None = None,
    alternatives: Sequence[SystemSpec] = (),
) -> Job:
    """`alternatives` : systems that an error may name. Raises what `mapper.map_model` says of options, needs and pins."""
    available = options.check(system)
    sent, per = sent_of(rates)
    deadline = None if options.time_limit is None else time.monotonic() + ORDERS_UNTIL * options.time_limit
    job = Job(program, system, options, available, sent, per, deadline)
    needs = needs_of(program.network, options.weight_bits)
    refuse(system.chip, (need for need in needs if need.at not in job.hosted), alternatives)
    return job
