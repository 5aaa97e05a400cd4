"""What a mapping leaves to the host: it has no shard, and the host computes the same integers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.mapping import Assignment
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode

#: What stands before the name of a population in the path of its assignment, where no operation of the host is beside it.
POPULATION = "populations."


def population_paths(program: Program) -> dict[str, str]:
    """How each population is called in `Mapping.assignments`: by its name where the host decodes it."""
    decoded = {step.population for step in program.host if isinstance(step, Decode)}
    return {name: name if name in decoded else f"{POPULATION}{name}" for name in program.network.populations}


def hosted_populations(program: Program, assignments: Iterable[Assignment]) -> frozenset[str]:
    """Populations with neurons that are assigned to the host; of its `chip_part` too."""
    on_host = {entry.path for entry in assignments if entry.device == "host" and entry.op != INPUT}
    return frozenset(name for name, path in population_paths(program).items() if path in on_host)


def steps_of(program: Program) -> list[HostOp | Population]:
    """What is assigned to a device, in order."""
    populations, seen, found = program.network.populations, set[str](), list[HostOp | Population]()
    for step in program.host:
        if isinstance(step, HostOp):
            found.append(step)
            continue
        seen.add(step.population)
        if isinstance(step, Decode):
            found.append(populations[step.population])
    return [*found, *(population for name, population in populations.items() if name not in seen)]


def chip_part(program: Program, on_host: Collection[str]) -> Network:
    """The network of a program as the chip sees it where the host computes some of its populations: these are inputs like
    others, and what the host computes from, or decodes, is an output."""
    network, decoded = program.network, {step.population for step in program.host if isinstance(step, Decode)}
    if not (on_host or decoded):
        return network
    populations = {
        name: replace(p, model=INPUT, params={}, initial={}) if name in on_host else p
        for name, p in network.populations.items()
    }
    read = {p.source for p in network.projections if p.target in on_host} | decoded | set(network.outputs)
    outputs = tuple(name for name in populations if name in read and populations[name].model != INPUT)
    projections = tuple(p for p in network.projections if p.target not in on_host)
    return replace(network, populations=populations, projections=projections, outputs=outputs or network.outputs)


def seen_by_chip(program: Program, assignments: Iterable[Assignment]) -> Program:
    """A program that streams feed with the `chip_part` of its network."""
    if not program.streamed:
        return program
    return replace(program, network=chip_part(program, hosted_populations(program, assignments)))
