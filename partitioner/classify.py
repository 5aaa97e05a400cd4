"""Which device runs each step of a program, why, and what crosses the host border because of it.

Bytes a token. A chip step is charged with all that crosses for it: one message for each column, which is the most that
its events can be, and one for each row; an expert's only for the tokens that are routed to it, on average the fraction
top_k / E. *The sum over the chip steps is the traffic of the border.* A host operation shows the part of these same
bytes for which it stands at the other end: it made the value that an island encodes, or it is the first operation of
the host to read a value that an island returned. Each byte is shown by one host operation at most, so neither
column counts a byte twice; they are two views of the same bytes and must not be added.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.devices import POPULATION, host_islands
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.mapping import Assignment, Reason
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Island, IslandCall, Program, Step
from neurodeploy.ops import experts_of, lookup

CHIP_REASON = Reason("static-projection", "static weights and one sum a neuron: synapses and neurons of one island", "")

#: Of a population on the chip, and of one that is fed from outside.
NEURONS = Reason("neurons", "its neurons and the synapses into them live on cores", "")
OUTSIDE = Reason("outside", "its payloads come from outside and enter over the host border", "")
#: An island that the user put on the host.
PINNED = Reason("pinned-to-host", "the plan puts it on the host", "set its device to chip in the plan")


def group_of(island: Island) -> str:
    """What the mapper keeps on one chip where it can: an expert, the projections of an attention layer, an island."""
    if island.expert is not None:
        return f"layers.{island.layer}.experts.{island.expert}"
    if island.layer is not None and {part.role for part in island.slices} & {"q", "k", "v", "o"}:
        return f"layers.{island.layer}.attention"
    return island.name


def activity_of(program: Program) -> dict[str, Fraction]:
    """Expected fraction of tokens that each island sees: top_k / E for an expert, otherwise 1.

    An expert in a layer whose host operations say neither counts as seeing every token.
    """
    experts, top_k = experts_of(program.steps)
    found = {}
    for name, island in program.islands.items():
        known = island.expert is not None and experts.get(island.layer) and top_k.get(island.layer)
        fraction = Fraction(top_k[island.layer], experts[island.layer]) if known else Fraction(1)
        found[name] = min(fraction, Fraction(1))
    return found


def crossings(program: Program, assignments: Sequence[Assignment]) -> float:
    """Crossings of the host border a token: two, in and out, for each call of an island on the chips, which is one exchange;
    an expert's for the tokens that it sees. What a run counts is the same number where every token has its `top_k`."""
    hosted, shares = host_islands(program, assignments), activity_of(program)
    calls = (step.island for step in program.steps if isinstance(step, IslandCall))
    return float(2 * sum(shares[name] for name in calls if name not in hosted))


def assign_populations(
    network: Network, chip: ChipSpec, on_host: Collection[str] = frozenset()
) -> tuple[Assignment, ...]:
    """Every population and its device; bytes a time step over the host border where every neuron sends. What the chip
    has a note for is said."""
    found, message_bytes, away = [], chip.formats["message_bytes"], {*network.inputs, *on_host}
    for name, population in network.populations.items():
        outside, readers = population.model == INPUT, {p.target for p in network.out_of(name)}
        crosses = readers - away if name in away else readers & away or name in network.outputs
        device, reason = ("host", OUTSIDE if outside else PINNED) if name in away else ("chip", NEURONS)
        ability = None if name in away else chip.supports.neuron(population.model)
        if ability is not None and ability.note:
            reason = replace(reason, text=f"{reason.text}; {ability.note}")
        amount = population.size * message_bytes if crosses or (outside and not on_host) else 0
        found.append(Assignment(f"{POPULATION}{name}", population.model, device, reason, amount))
    return tuple(found)


def left_out(mapping: Placement, network: Network, on_host: Collection[str], chip: ChipSpec) -> Placement:
    """A mapping of the `ir.devices.chip_part` of a network as one of the whole."""
    note = f"{len(on_host)} of {len(network.populations)} populations run on the host: they have no cores"
    devices = assign_populations(network, chip, on_host)
    return replace(mapping, assignments=devices, notes=(note, *mapping.notes))


def assign(program: Program, message_bytes: int, on_host: Mapping[str, Reason] | None = None) -> tuple[Assignment, ...]:
    """One `Assignment` for every step, in order. Fractions of a byte are rounded up.

    on_host : islands that the host computes, with the reason; nothing of them crosses the border.
    """
    on_host = on_host or {}
    activity = activity_of(program)
    hosts = [step for step in program.steps if isinstance(step, HostOp)]
    maker = {name: step.path for step in hosts for name in step.outputs}
    reader = {name: step.path for step in reversed(hosts) for name in step.inputs}
    crossing: dict[str, Fraction] = {}

    def charge(path: str | None, amount: Fraction) -> None:
        if path is not None:
            crossing[path] = crossing.get(path, Fraction(0)) + amount

    for step in program.steps:
        if isinstance(step, IslandCall) and step.island not in on_host:
            island, share = program.islands[step.island], activity[step.island] * message_bytes
            charge(step.path, share * (island.columns + island.rows))
            charge(maker.get(step.input), share * island.columns)
            for name, part in zip(step.outputs, island.slices, strict=True):
                charge(reader.get(name), share * part.rows)
    return tuple(_assignment(step, math.ceil(crossing.get(step.path, 0)), on_host) for step in program.steps)


def _assignment(step: Step, amount: int, on_host: Mapping[str, Reason]) -> Assignment:
    if isinstance(step, IslandCall) and step.island in on_host:
        return Assignment(step.path, "island", "host", on_host[step.island], 0)
    if isinstance(step, IslandCall):
        return Assignment(step.path, "island", "chip", CHIP_REASON, amount)
    return Assignment(step.path, step.op, "host", lookup(step).reason_of(step), amount)
