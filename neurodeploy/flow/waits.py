"""How many payloads a neuron keeps for readers that are not ready: what waits on the chip while a prompt is pipelined.

In a pipeline every population works in every step, each on another token, so a payload that is read later than in the next
step waits in a ring of its neuron::

    at(population)  = 1 + the largest at(source) of the projections within the step into it, at least that of what is encoded
    at(encoded)     = `PASSAGE` + the largest at(population) that its host value was made from; 0 of the ids of tokens
    waits(source)   = the largest at(reader) - at(source) - 1

A residual stream waits so for the norm, the projections and the host's attention beside it. A token after the other needs no
more. Where columns are split, partial sums take a step of their own, which is not counted here: a mapping may split them or
not. What the host encodes waits on the host.
"""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Segment
from neurodeploy.neurons.registry import payload_bits

#: Steps from a payload that leaves for the host to one that comes back: it goes in one, and is there behind the next.
PASSAGE = 2


def waits(program: Program) -> dict[str, int]:
    """Payloads that wait in each population, where any do; none where streams feed the program."""
    network = program.network
    chained = any(not p.latency and network.populations[p.source].model != INPUT for p in network.projections)
    return _waits(program) if chained and not program.streamed else {}


def _waits(program: Program) -> dict[str, int]:
    network, values = program.network, dict[str, int]()
    at: dict[str, int] = {}
    for item in program.schedule:
        if isinstance(item, HostOp):
            most = max((values.get(name, 0) for name in item.inputs), default=0)
            values |= dict.fromkeys(item.outputs, most)
            continue
        at |= _within(item, values, at)
        for decode in item.decodes:
            values |= dict.fromkeys(decode.values, at[decode.population] + PASSAGE)
    found = {}
    for name, population in network.populations.items():
        if population.model != INPUT:
            late = max((at[p.target] - at[name] - 1 for p in network.out_of(name) if not p.latency), default=0)
            if late > 0:
                found[name] = late
    return found


def _within(segment: Segment, values: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """Of the populations of a segment that is fed with these values and populations."""
    network = segment.network
    encoded = {encode.population: values.get(encode.value, 0) for encode in segment.encodes}
    at: dict[str, int] = {}
    for name in network.order():
        if name in segment.reads:
            at[name] = before[name]
        else:
            into = (at[p.source] + (p.source not in encoded) for p in network.into(name) if not p.latency)
            at[name] = max(into, default=encoded.get(name, 0))
    return {name: step for name, step in at.items() if name not in segment.reads}


def waiting_bytes(population: Population, waiting: Mapping[str, int]) -> int:
    """Bytes of a neuron that its waiting payloads take."""
    count = waiting.get(population.name, 0)
    return count * -(-payload_bits(population) // 8) if count else 0
