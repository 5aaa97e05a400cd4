"""A program without weights with its blocks on the chip, and one with blocks as if the host had them: for plans and prices.

`lower_hollow` runs the pass of `conversion.lowering` itself, so that a plan has the populations that conversion would make.
What nobody knows without weights stands for what is usual: units that are no powers of two, ranges of one, gains of one. A
parameter that may differ from neuron to neuron counts as one that does. Equal layers stay one (`Program.copies`), and so do
the experts of a layer: what gathers their values reads the first, and for each other an input that nobody feeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.choosing import read_out
from neurodeploy.conversion.lowering import lower
from neurodeploy.ir.fixedpoint import Dyadic, Ints
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode, HostStep
from neurodeploy.neurons.registry import get_model, payload_bits
from neurodeploy.ops import OPERATIONS, lookup
from neurodeploy.ops.host.lowering import Measured, Remembered

#: Units of payloads of 16 bits, and of outputs of 24, whose largest value is about one.
CODE, OUT = Dyadic(3, -16), Dyadic(3, -24)


class Ones:
    """Stands for the tensors of operations: all of them ones."""

    def __init__(self, program: Program) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}
        for op in program.operations:
            known = {**asdict(program.info), "size": program.sizes[op.outputs[0]], **op.attrs}
            for role, name in op.weights.items():
                sides = OPERATIONS[op.op].tensors[role]
                self.shapes[name] = tuple(int(str(known.get(part, 0))) for part in sides)

    def names(self) -> tuple[str, ...]:
        return tuple(self.shapes)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.shapes[name]

    def get(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        first, *others = self.shapes[name]
        return np.ones((len(range(first)[start:stop]), *others), np.float32)

    def release(self) -> None:
        """Nothing is held."""

    def files(self) -> tuple[str, ...]:
        return ()


def lower_hollow(program: Program, kept: Remembered | None = None) -> Program:
    """Every operation that has a lowering on the chip; those that go with attention where `kept` says what is remembered."""
    host = tuple(
        replace(step, scale=CODE) if isinstance(step, Encode) else replace(step, scale=OUT) if isinstance(step, Decode)
        else step
        for step in program.host
    )  # fmt: skip
    measured = {op.path: _one(op, program) for op in program.operations if _may_be(op, program, kept is not None)}
    made = lower(replace(program, host=host), Ones(program), measured, kept or Remembered(0, 0))
    if "lowered" not in made.conversion:
        return made
    populations = {
        name: p if p is program.network.populations.get(name) else replace(p, params=_hollow(p))
        for name, p in made.network.populations.items()
    }
    network = replace(made.network, populations=populations)
    copies = {**program.copies, **_copies(program, made)}
    return _gathering(replace(made, network=network, copies=copies), program)


def _may_be(op: HostOp, program: Program, attends: bool) -> bool:
    """Whether conversion could lower it: an operation of these sizes. What a plan draws once for all experts has the sizes
    of one."""
    own = lookup(op)
    if own.lowering is None or (own.attends and not attends):
        return False
    once = program.copies and own.experts(op)
    ends = ([program.sizes[name] for name in names] for names in (op.inputs, op.outputs))
    return bool(once) or own.fits(op.attrs, *ends)


def _gathering(made: Program, program: Program) -> Program:
    """With an input for each expert that a plan does not draw, wherever values of all experts are gathered."""
    populations, projections = dict(made.network.populations), list(made.network.projections)
    copies = dict(made.copies)
    lowered = {str(row["path"]) for row in cast(Sequence[Mapping[str, Any]], made.conversion["lowered"])}
    gathered = {
        name for op in program.operations if op.path in lowered for name in lookup(op).experts(op) if name in op.inputs
    }
    makers = {step.population for step in program.host if isinstance(step, Decode) and gathered & set(step.values)}
    for p in made.network.projections:
        stands = copies.get(p.source)
        if p.source not in makers or stands is None or populations[p.target].expert is not None:
            continue
        first = populations[p.source]
        for expert in range(1, stands.experts):
            other = Population(f"{p.source}.{expert}", first.shape, INPUT, {"bits": payload_bits(first)})
            populations[other.name], copies[other.name] = other, stands
            projections.append(replace(p, name=f"{p.name}.{expert}", source=other.name))
    network = replace(made.network, populations=populations, projections=tuple(projections))
    return replace(made, network=network, copies=copies)


def _one(op: HostOp, program: Program) -> Measured:
    """Ranges of one."""
    first = program.sizes[op.inputs[0]]
    inputs, outputs = ([np.ones(program.sizes[name]) for name in names] for names in (op.inputs, op.outputs))
    return Measured(inputs, outputs, float(str(op.attrs.get("group", first))))


def _hollow(population: Population) -> dict[str, int | Ints]:
    """Its parameters; those by neuron as one element that stands for values that differ."""
    tables = (
        {name for name, param in get_model(population.model).params.items() if param.table}
        if (population.model != INPUT)
        else set()
    )
    return {
        name: np.broadcast_to(np.asarray(value).reshape(-1)[0], value.shape)
        if name not in tables and isinstance(value, np.ndarray) and value.size > 1
        else value
        for name, value in population.params.items()
    }


def _copies(program: Program, made: Program) -> dict[str, Any]:
    """What new populations stand for: as many as the operation that has become them, or that made what they encode."""
    told = cast(Sequence[Mapping[str, Any]], made.conversion["lowered"])
    owners = {name: str(row["path"]) for row in told for name in row["populations"]}
    makers = {name: op.path for op in program.operations for name in op.outputs}
    owners |= {step.population: makers.get(step.value, "") for step in made.host if isinstance(step, Encode)}
    found = {name: program.copies[owner] for name, owner in owners.items() if owner in program.copies}
    return {name: copies for name, copies in found.items() if name not in program.copies}


def lowered_operations(program: Program) -> list[HostOp]:
    """What conversion has put on the chip, as the host would have it, without tensors."""
    found = []
    for row in cast(Sequence[Mapping[str, Any]], program.conversion.get("lowered", ())):
        ends = tuple(row["inputs"]), tuple(row["outputs"])
        attrs = {key: tuple(value) if isinstance(value, list) else value for key, value in row["attrs"].items()}
        found.append(HostOp(row["path"], row["op"], *ends, attrs, {}, row["layer"]))
    return found


def raised(program: Program) -> Program:
    """A program whose blocks are on the chip as if the host had them: for plans, never to be run.

    Linear layers keep their weights; their neurons send what the chip's readers want, and not what the host would read.
    """
    program = read_out(program)
    if "lowered" not in program.conversion:
        return program
    network, ops = program.network, {op.path: op for op in (*program.operations, *lowered_operations(program))}
    host = list[HostStep]()
    populations = dict[str, Population]()
    for kind, name, *values in cast(Sequence[Sequence[str]], program.conversion["host"]):
        if kind == "op":
            host.append(ops[name])
            continue
        population = network.populations[name]
        if kind == "encode":
            host.append(Encode(values[0], name, CODE))
            bits = {"bits": payload_bits(population)}
            populations[name] = (
                population if population.model == INPUT else replace(population, model=INPUT, params=bits, layer=None)
            )
        else:
            host.append(Decode(name, OUT, tuple(values)))
            populations[name] = population
    layers = {name for name, p in populations.items() if p.model != INPUT}
    projections = tuple(p for p in network.projections if p.target in layers and p.source in populations)
    outputs = tuple(step.population for step in host if isinstance(step, Decode))
    conversion = {key: value for key, value in program.conversion.items() if key not in ("lowered", "host")}
    return replace(
        program, network=replace(network, populations=populations, projections=projections, outputs=outputs),
        host=tuple(host), units={}, conversion=conversion,
        copies={name: copies for name, copies in program.copies.items() if name in populations or name in ops},
    )  # fmt: skip
