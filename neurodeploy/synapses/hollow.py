"""Islands and programs without weights: all that a mapper and a price need of a model whose files nobody has read.

The arrays of a hollow island are views of one element that take no memory. Partial sums are bounded by the largest
weight everywhere (``block_abs_sum = columns of the block * (2**(weight_bits - 1) - 1)``, no wide axons): a program from
real weights has smaller ones, so that a plan for a hollow program never promises too much. Never run one.

A hollow program that was read from a configuration holds equal layers and experts once (`Program.copies`), and in
`Program.conversion`, under "hollow", the `Facts` that no population and no operation tells.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np

from neurodeploy.ir.copies import ALONE, class_name
from neurodeploy.ir.fixedpoint import Dyadic, Ints, signed_max
from neurodeploy.ir.network import BLOCK, Network
from neurodeploy.ir.population import INPUT, Population, Section
from neurodeploy.ir.program import Program
from neurodeploy.synapses.linear import LinearLayer, linear_layer

#: Of a border whose scale nobody knows.
ONE = Dyadic(1, 0)


def bounds(columns: int, bits: int) -> Ints:
    return np.asarray(np.minimum(BLOCK, columns - np.arange(0, columns, BLOCK)) * max(1, signed_max(bits)), np.int64)


def hollow_layer(
    name: str, rows: int, value: str, columns: int, sections: Sequence[Section], *, values: tuple[str, ...],
    layer: int | None = None, expert: int | None = None,
) -> LinearLayer:  # fmt: skip
    """A linear layer of these sizes that reads `value` and makes `values`, one for each of its sections."""
    return linear_layer(
        name, np.broadcast_to(np.zeros((), np.int8), (rows, columns)),
        {"multiplier": np.broadcast_to(np.ones((), np.int16), (rows,)), "shift": 0, "acc_shift": 0}, scales=(ONE, ONE),
        values=(value, values), block_sums=bounds(columns, 8), sections=sections, layer=layer, expert=expert,
    )  # fmt: skip


def at_width(program: Program, bits: int) -> Program:
    """A hollow program with weights of `bits` bits in its linear layers."""
    linear = {population.name for population in layers_of(program)}
    projections = tuple(
        replace(p, weight_bits=bits, block_sums=bounds(p.synapse.columns, bits)) if p.target in linear else p
        for p in program.network.projections
    )
    return replace(program, network=replace(program.network, projections=projections))


@dataclass(frozen=True, slots=True)
class Facts:
    """What a reader tells of a model beside its islands and operations.

    small : parameters that are no matrix: norms, biases and the like. positions : rows of a learnt table of positions.
    width : columns of the embedding table. activity : assumed fraction of non-zero activations, with its source.
    notes : what a reader of figures must know; left_out : parts of the model that no text passes through.
    """

    small: int
    positions: int
    width: int
    activity: float
    activity_source: str
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def facts_of(program: Program) -> Facts:
    """Of a hollow program that was read from a configuration."""
    told = dict(cast(Mapping[str, Any], program.conversion["hollow"]))
    return Facts(**{**told, "notes": tuple(told["notes"]), "left_out": tuple(told["left_out"])})


def with_facts(program: Program, facts: Facts) -> Program:
    return replace(program, conversion={**program.conversion, "hollow": facts.to_json()})


def noted(program: Program, *notes: str) -> Program:
    """With these notes before its own."""
    facts = facts_of(program)
    return with_facts(program, replace(facts, notes=(*notes, *facts.notes)))


class Weights(NamedTuple):
    """Weights of all linear layers but the head (`body`), those of them that a token meets, of the embedding table, of the
    head; `small` as in `Facts`, and every parameter of the text model, the head once where it is the embedding again."""

    body: int
    active: int
    embedding: int
    head: int
    small: int
    total: int


def weights_of(program: Program) -> Weights:
    facts, info = facts_of(program), program.info
    body = active = head = 0
    for population in layers_of(program):
        size, copies = population.size * columns_of(program, population), program.copies.get(population.name, ALONE)
        if population.layer is None:
            head += size
        else:
            body, active = body + copies.count * size, active + copies.met * size
    table = info.vocab_size * facts.width
    total = body + table + facts.positions * info.hidden_size + facts.small
    return Weights(body, active, table, head, facts.small, total + (0 if info.tied_embeddings else head))


def layers_of(program: Program) -> list[Population]:
    """The linear layers, in order: what conversion puts on the chip beside them is no projection of the model."""
    network = program.network
    weighed = {p.target for p in network.projections if p.synapse.uniform and not p.synapse.wire}
    return [p for name, p in network.populations.items() if p.model != INPUT and p.sections and name in weighed]


def feeds(network: Network, name: str, linear: Collection[str]) -> bool:
    """Whether it is the input of one of these layers, or comes from the host: then what it sends are events at an assumed
    activity."""
    return network.populations[name].model == INPUT or any(p.target in linear for p in network.out_of(name))


def without_head(program: Program) -> Program:
    """The program up to the last layer."""
    network = program.network
    heads = {population.name for population in layers_of(program) if population.layer is None}
    gone = heads | {p.source for p in network.projections if p.target in heads}
    kept = replace(
        network,
        populations={name: population for name, population in network.populations.items() if name not in gone},
        projections=tuple(p for p in network.projections if p.target not in gone),
        outputs=tuple(name for name in network.outputs if name not in gone),
    )
    return replace(program, network=kept, host=tuple(step for step in program.host if step.path not in gone), output="")


def columns_of(program: Program, population: Population) -> int:
    return sum(p.synapse.columns for p in program.network.into(population.name))


def shown(population: Population) -> str:
    """The name of a class of populations."""
    return class_name([part.path for part in population.sections])
