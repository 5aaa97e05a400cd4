"""Is a program that was read from a file one that can run? Kernels trust their operands, so this must not.

Three things are followed through the steps: the size of each value, its type and shape against the tensors in
host.safetensors, and its rows (all tokens, or those that one expert was given). What does not agree is a `ValueError`
that names the step.
"""

from __future__ import annotations

from collections.abc import Sequence

from neurodeploy.ir.graph import HostOp, ModelInfo, WeightStore
from neurodeploy.ir.program import IslandCall, Program
from neurodeploy.ops import lookup
from neurodeploy.ops.host.operation import IDS, TOKENS, Rows, same_rows


def check_program(program: Program, weights: WeightStore) -> None:
    """`program` must have passed `Program.check`; `weights` are the tensors of its host operations."""
    sizes = program.sizes
    if sizes.get(program.output) != program.info.vocab_size:
        raise ValueError(f"{program.output} has {sizes.get(program.output)} neurons, not one per token")
    rows: dict[str, str] = {program.input: IDS}
    if len({step.path for step in program.steps}) != len(program.steps):
        raise ValueError("two steps have the same path")
    for step in program.steps:

        def need(condition: bool, problem: str, path: str = step.path) -> None:
            if not condition:
                raise ValueError(f"{path}: {problem}")

        need(bool(step.outputs) and not any(name in rows for name in step.outputs), "its outputs are not new values")
        need(all(name in sizes for name in (*step.inputs, *step.outputs)), "a value has no size")
        inputs, outputs = [sizes[name] for name in step.inputs], [sizes[name] for name in step.outputs]
        kinds = [rows[name] for name in step.inputs]
        if isinstance(step, IslandCall):
            island = program.islands[step.island]
            fits = inputs == [island.columns] and outputs == [part.rows for part in island.slices]
            rule: Rows = same_rows
        else:
            operation = lookup(step)
            _check_tensors(step, outputs, program.info, weights)
            fits, rule = operation.fits(step.attrs, inputs, outputs), operation.rows
        need(fits, f"inputs of {inputs} and outputs of {outputs} neurons do not fit together")
        expected, given = rule(step.path, kinds, len(outputs))
        need(kinds == expected, f"its inputs have the rows of {kinds}, {expected} are needed")
        rows.update(zip(step.outputs, given, strict=True))
    last = program.steps[-1]
    if last.outputs != (program.output,) or len(last.inputs) != 1 or rows[program.output] != TOKENS:
        raise ValueError(f"{last.path}: the last step must make {program.output} of one value")


def _check_tensors(op: HostOp, outputs: Sequence[int], info: ModelInfo, weights: WeightStore) -> None:
    operation = lookup(op)
    if set(op.weights) != set(operation.tensors) and (not operation.bare or op.weights):
        raise ValueError(f"{op.path}: its tensors are {sorted(op.weights)}")
    numbers = {**op.attrs, "vocab_size": info.vocab_size, "max_positions": info.max_positions, "size": outputs[0]}
    for role, name in op.weights.items():
        wanted = tuple(numbers[number] for number in operation.tensors[role])
        shape = weights.shape(name) if name in weights.names() else None
        if shape != wanted:
            raise ValueError(f"{op.path}: tensor {name!r:.80} has the shape {shape}, not {wanted}")
