"""Is a program that was read from a file one that can run? Kernels trust their operands, so this must not.

Three things are followed through what the host does: the size of each value, its type and shape against the tensors in
host.safetensors, and its rows (all tokens, or those that one expert was given). What does not agree is a `ValueError`
that names the step.
"""

from __future__ import annotations

from collections.abc import Sequence

from neurodeploy.ir.graph import HostOp, ModelInfo, WeightStore
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Segment
from neurodeploy.ops import lookup
from neurodeploy.ops.host.operation import IDS, TOKENS, same_rows

#: The widest payload that the host encodes: float32 has all integers of so many bits.
PAYLOAD_BITS = 24


def check_program(program: Program, weights: WeightStore | None) -> None:
    """`program` must have passed `Program.check`; `weights` are the tensors of its host operations."""
    sizes, info = program.sizes, program.info
    if program.output and not program.ids and sizes.get(program.output) != info.vocab_size:
        raise ValueError(f"{program.output} has {sizes.get(program.output)} neurons, not one per token")
    if program.ids:
        _check_choice(program)
    rows: dict[str, str] = {program.input: IDS}
    if len({item.path for item in program.schedule}) != len(program.schedule):
        raise ValueError("two steps have the same path")
    for item in program.schedule:

        def need(condition: bool, problem: str, path: str = item.path) -> None:
            if not condition:
                raise ValueError(f"{path}: {problem}")

        need(not any(name in rows for name in item.outputs), "its outputs are not new values")
        need(all(name in sizes for name in (*item.inputs, *item.outputs)), "a value has no size")
        inputs, outputs = [sizes[name] for name in item.inputs], [sizes[name] for name in item.outputs]
        kinds = [rows[name] for name in item.inputs]
        if isinstance(item, Segment):
            fits = (inputs, outputs) == _border(item)
            expected, given = same_rows(item.path, kinds or [TOKENS], len(outputs))
        else:
            operation = lookup(item)
            need(bool(outputs), "makes no value")
            _check_tensors(item, outputs, info, weights)
            fits = operation.fits(item.attrs, inputs, outputs)
            expected, given = operation.rows(item.path, kinds, len(outputs))
        need(fits, f"inputs of {inputs} and outputs of {outputs} neurons do not fit together")
        need(not kinds or kinds == expected, f"its inputs have the rows of {kinds}, {expected} are needed")
        rows.update(zip(item.outputs, given, strict=True))
    last = program.schedule[-1]
    read = last.inputs or (last.reads if isinstance(last, Segment) else ())
    made = set(last.outputs) == {program.ids or program.output, program.output}
    alone = made and len(read) == 1 and rows[program.output] == TOKENS
    if program.output and not alone:
        raise ValueError(f"{last.path}: the last step must make {program.output} of one value")


def _check_choice(program: Program) -> None:
    """Ids and logits are as many, behind one linear layer of a row a token whose unit is known."""
    network, behind, sizes = program.network, program.behind_head, program.sizes
    heads = {p.source for name in behind for p in network.into(name) if p.source not in behind}
    known = len(heads) == 1 and heads <= program.units.keys()
    whole = known and network.populations[next(iter(heads))].size == program.info.vocab_size
    count = sizes.get(program.ids, 0)
    if not whole or count != sizes.get(program.output) or not 0 < count < program.info.vocab_size:
        raise ValueError(f"{program.ids} are not the ids of the largest logits of a head")


def _border(segment: Segment) -> tuple[list[int], list[int]]:
    """Neurons behind each value that the host encodes, and behind each that it decodes."""
    populations = segment.network.populations
    inputs = [populations[step.population] for step in segment.encodes]
    for population in inputs:
        bits = population.params.get("bits", 32)
        if not isinstance(bits, int) or bits > PAYLOAD_BITS:
            raise ValueError(f"{population.name}: the host encodes at most {PAYLOAD_BITS} bits")
    outputs = [populations[step.population] for step in segment.decodes]
    rows = [[part.rows for part in population.sections] or [population.size] for population in outputs]
    return [population.size for population in inputs], [size for sizes in rows for size in sizes]


def _check_tensors(op: HostOp, outputs: Sequence[int], info: ModelInfo, weights: WeightStore | None) -> None:
    operation = lookup(op)
    shapes = None if operation.told is None else operation.told(op.attrs)
    if set(op.weights) != set(operation.tensors if shapes is None else shapes) and (not operation.bare or op.weights):
        raise ValueError(f"{op.path}: its tensors are {sorted(op.weights)}")
    numbers = {**op.attrs, "vocab_size": info.vocab_size, "max_positions": info.max_positions, "size": outputs[0]}
    for role, name in op.weights.items():
        wanted = tuple(numbers[number] for number in operation.tensors[role]) if shapes is None else shapes[role]
        shape = weights.shape(name) if weights is not None and name in weights.names() else None
        if shape != wanted:
            raise ValueError(f"{op.path}: tensor {name!r:.80} has the shape {shape}, not {wanted}")
