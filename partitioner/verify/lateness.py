"""How many payloads a neuron keeps in a pipeline, for `verify.recount`: by the rule of `neurodeploy.flow.waits`, counted
another way.

There populations are taken in the order of the schedule; here all that must not be too early is pushed back until nothing
moves, host values and populations alike, without a segment.
"""

from __future__ import annotations

from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode

#: Steps over the host and back.
OVER = 2


def lateness(program: Program) -> dict[str, int]:
    """Payloads that wait in each population; none where streams feed the program."""
    populations, projections = program.network.populations, program.network.projections
    if program.streamed:
        return dict.fromkeys(populations, 0)
    edges = [(p.source, p.target, int(populations[p.source].model != INPUT)) for p in projections if not p.latency]
    if not any(own for _, _, own in edges):
        return dict.fromkeys(populations, 0)
    later = list(edges)
    for step in program.host:
        if isinstance(step, Encode):
            later.append((f"value {step.value}", step.population, 0))
        elif isinstance(step, Decode):
            later += [(step.population, f"value {value}", OVER) for value in step.values]
        else:
            later += [(f"value {a}", f"value {b}", 0) for a in step.inputs for b in step.outputs]
    when = dict.fromkeys([*populations, *(end for edge in later for end in edge[:2])], 0)
    moved = True
    while moved:
        moved = False
        for early, late, steps in later:
            if when[late] < when[early] + steps:
                when[late], moved = when[early] + steps, True
    found = dict.fromkeys(populations, 0)
    for source, target, own in edges:
        found[source] = max(found[source], when[target] - when[source] - own)
    return {name: steps if populations[name].model != INPUT else 0 for name, steps in found.items()}
