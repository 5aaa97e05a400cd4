"""Which populations of a program a mapping leaves to the host: they have no shard, the host computes the same integers."""

from __future__ import annotations

from collections.abc import Iterable

from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.mapping import Assignment
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode


def as_program(model: Program | Network) -> Program:
    """A network by itself is a program that streams feed."""
    if isinstance(model, Program):
        return model
    return Program(ModelInfo(model.name, "", 0, 0, len(model.populations), 0, ""), model)


def population_paths(program: Program) -> dict[str, str]:
    """How each population is called in `Mapping.assignments`: by its name where the host decodes it."""
    decoded = {step.population for step in program.host if isinstance(step, Decode)}
    return {name: name if name in decoded else f"populations.{name}" for name in program.network.populations}


def hosted_populations(program: Program, assignments: Iterable[Assignment]) -> frozenset[str]:
    """Populations with neurons that are assigned to the host."""
    on_host = {entry.path for entry in assignments if entry.device == "host"}
    populations = program.network.populations
    return frozenset(
        name for name, path in population_paths(program).items() if path in on_host and populations[name].model != INPUT
    )


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
