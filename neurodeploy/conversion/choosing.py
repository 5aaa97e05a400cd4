"""The head chooses on the chip: instead of the logits of a vocabulary, the ids of the largest few leave it.

A tree of winners (`neurons/graded_largest.py`) finds the largest logit: of four neighbours first, then of four winners, so
that each core compares what lies on it and only winners travel on. It takes as many steps as the logarithm of the vocabulary
to the base of 4, and a third as many neurons as there are logits; of equal logits the lowest id wins, as of `argmax`. For
several ids the winner's logit is taken out (`neurons/graded_but.py`) and the tree stands once more behind what is left.

The logits themselves are the same integers as before, and nothing of them is lost on the way; only where fewer than the ids
that are asked for lie above the least payload of all could an id be told twice. `read_out` is the program of all logits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import Dyadic, Ints
from neurodeploy.ir.network import Projection
from neurodeploy.ir.payloads import Unit
from neurodeploy.ir.population import Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode
from neurodeploy.ir.synapse import Synapse
from neurodeploy.neurons.graded_largest import PLACES, VALUES
from neurodeploy.neurons.registry import payload_bits
from neurodeploy.synapses import Dense
from neurodeploy.synapses.build import sparse_from_coo

#: Puts a population into the program, with what leads into it.
Add = Callable[[Population, Sequence[Projection]], Population]
#: Ids are themselves.
ONE = Dyadic(1, 0)


class _Items(NamedTuple):
    """What is compared, in order: neuron `neuron[n]` of the population `owner[n]` of `populations`."""

    populations: Sequence[Population]
    owner: Ints
    neuron: Ints


def choose(program: Program, count: int) -> Program:
    """The program whose host gets the ids of the `count` largest logits of a token, and of more than one their logits.

    ND1112 where the host makes the logits, or there are not more of them than that.
    """
    head, step = _head(program)
    if head is None or step is None:
        problem = "makes its logits on the host, so that none can be chosen on the chip"
        raise UserError("ND1112", program.info.name, problem, "leave --head-top out")
    if count >= head.size:
        problem = f"has {head.size} logits a token, so that choosing {count} of them is nothing"
        raise UserError("ND1112", program.info.name, problem, f"choose 1 to {head.size - 1}")
    populations, projections = dict(program.network.populations), list(program.network.projections)

    def add(population: Population, into: Sequence[Projection]) -> Population:
        populations[population.name] = population
        projections.extend(into)
        return population

    values, roots = head, list[Population]()
    for number in range(count):
        if number:
            own = np.arange(head.size)
            left = Population(f"{head.name}.but.{number}", (head.size,), "graded_but", {"own": own})
            taken = _wire(roots[-1], "id", left, "b", Dense(np.ones((head.size, 1), np.int8)))
            values = add(left, [*_from(_Items([values], 0 * own, own), "s", left, "a"), taken])
        level, items = 0, _Items([values], np.zeros(head.size, np.int64), np.arange(head.size))
        while items.neuron.size > 1:
            name = f"{head.name}.top.{number}.{level}"
            items = _next(items, name, len(VALUES) ** level, values, add)
            level += 1
        roots.append(items.populations[0])
    last = program.host.index(step)
    host = [s for s in program.host if s is not step]
    ids, output = f"{program.output}.ids", program.output
    if count == 1:
        host[last:last] = [Decode(roots[0].name, ONE, (ids,))]
        sizes, output = {ids: 1}, ids
    else:
        places = np.arange(count)
        told = _Items(roots, places, np.zeros(count, np.int64))
        made = []
        for port, what in (("id", "ids"), ("s", "logits")):
            gathered = Population(f"{head.name}.{what}", (count,), "graded_sum", {})
            made.append(add(gathered, _from(told, port, gathered, "a")))
        host[last:last] = [Decode(made[0].name, ONE, (ids,)), Decode(made[1].name, step.scale, (output,))]
        sizes = {ids: count, output: count}
    kept = {name: size for name, size in program.sizes.items() if name != program.output}
    outputs = tuple(s.population for s in host if isinstance(s, Decode))
    network = replace(
        program.network, populations=populations, projections=tuple(projections), outputs=outputs
    )  # fmt: skip
    units = {**program.units, head.name: Unit(step.scale, payload_bits(head))}
    return replace(
        program, network=network, host=tuple(host), sizes=kept | sizes, output=output, ids=ids, units=units
    )  # fmt: skip


def _next(items: _Items, name: str, part: int, leaves: Population, add: Add) -> _Items:
    """The winners of neighbours; the last node may have fewer of them."""
    size, wide = items.neuron.size, len(VALUES)
    nodes = -(-size // wide)
    last = np.minimum(size - wide * np.arange(nodes), wide)
    inputs = {} if (last == wide).all() else {"inputs": last}
    node = Population(name, (nodes,), "graded_largest", {"part": part, **inputs})
    into = []
    for start, (value, place) in enumerate(zip(VALUES, PLACES, strict=True)):
        side = _Items(items.populations, items.owner[start::wide], items.neuron[start::wide])
        into += _from(side, "s", node, value) + _from(side, "id", node, place, without=leaves)
    add(node, into)
    return _Items([node], np.zeros(nodes, np.int64), np.arange(nodes))


def _from(
    items: _Items, port: str, target: Population, into: str, without: Population | None = None
) -> list[Projection]:
    """Each item to the neuron of its place, by the population that sends it; `without`: what has no such port."""
    found = []
    for number, source in enumerate(items.populations):
        rows = np.flatnonzero(items.owner == number)
        if not rows.size or source is without:
            continue
        columns = items.neuron[rows]
        synapse = sparse_from_coo(target.size, source.size, rows, columns, np.ones(rows.size, np.int8))
        found.append(_wire(source, port, target, into, synapse))
    return found


def _wire(source: Population, port: str, target: Population, into: str, synapse: Synapse) -> Projection:
    name = f"{source.name}.{port}->{target.name}.{into}"
    return Projection(
        name, source.name, target.name, synapse, source_port=port, target_port=into, graded=True, instant=True
    )


def _head(program: Program) -> tuple[Population | None, Decode | None]:
    """The population that sends the logits and their decoder; None where the host makes them."""
    for step in program.host:
        if isinstance(step, Decode) and step.values == (program.output,):
            return program.network.populations[step.population], step
    return None, None


def read_out(program: Program) -> Program:
    """The program whose logits leave the chip, with the same bits: of one that chooses, what it was made of."""
    if not program.ids:
        return program
    network, output = program.network, program.ids.removesuffix(".ids")
    gone = program.behind_head
    head = next(p.source for p in network.projections if p.target in gone and p.source not in gone)
    host = [s for s in program.host if not (isinstance(s, Decode) and s.population in gone)]
    first = next(i for i, s in enumerate(program.host) if isinstance(s, Decode) and s.population in gone)
    host.insert(first, Decode(head, program.units[head].scale, (output,)))
    sizes = {name: size for name, size in program.sizes.items() if name not in (program.ids, program.output)}
    kept = replace(
        network,
        populations={name: p for name, p in network.populations.items() if name not in gone},
        projections=tuple(p for p in network.projections if p.target not in gone),
        outputs=tuple(s.population for s in host if isinstance(s, Decode)),
    )
    return replace(
        program, network=kept, host=tuple(host), output=output, ids="",
        sizes={**sizes, output: network.populations[head].size},
        units={name: unit for name, unit in program.units.items() if name != head},
    )  # fmt: skip
