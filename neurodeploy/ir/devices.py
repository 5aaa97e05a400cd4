"""What a mapping leaves to the host: it has no shard, and the host computes the same integers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from neurodeploy.ir.mapping import Assignment
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import IslandCall, Program

#: What stands before the name of a population in the path of its assignment, where no operation of the host is beside it.
POPULATION = "populations."


def host_islands(program: Program, assignments: Iterable[Assignment]) -> frozenset[str]:
    """Names of the islands whose calls are assigned to the host; empty for a spiking network, which has no calls."""
    on_host = {entry.path for entry in assignments if entry.device == "host" and entry.op == "island"}
    return frozenset(step.island for step in program.steps if isinstance(step, IslandCall) and step.path in on_host)


def host_populations(assignments: Iterable[Assignment]) -> frozenset[str]:
    """Names of the populations that the host computes; inputs, which nobody computes, are none of them."""
    on_host = (entry for entry in assignments if entry.device == "host" and entry.op != INPUT)
    return frozenset(entry.path[len(POPULATION) :] for entry in on_host if entry.path.startswith(POPULATION))


def chip_part(network: Network, on_host: Collection[str]) -> Network:
    """The network as the chip sees it where the host computes some of its populations: these are inputs like others, and
    what the host computes from is an output."""
    if not on_host:
        return network
    populations = {
        name: replace(p, model=INPUT, params={}, initial={}) if name in on_host else p
        for name, p in network.populations.items()
    }
    read = {p.source for p in network.projections if p.target in on_host} | set(network.outputs)
    outputs = tuple(name for name in populations if name in read and populations[name].model != INPUT)
    projections = tuple(p for p in network.projections if p.target not in on_host)
    return replace(network, populations=populations, projections=projections, outputs=outputs or network.outputs)


def seen_by_chip(program: Program, assignments: Iterable[Assignment]) -> Program:
    """The program with the `chip_part` of its network."""
    on_host = host_populations(assignments)
    return replace(program, network=chip_part(program.network, on_host)) if on_host else program
