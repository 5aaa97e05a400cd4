"""Is a program that was read from a file one that can run? Kernels trust their operands, so this must not.

Three things are followed through the steps: the size of each value, its type and shape against the tensors in
host.safetensors, and its rows (all tokens, or those that one expert was given). What does not agree is a `ValueError`
that names the step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from neurodeploy.ir.graph import HOST_OPS, OPTIONAL_ATTRS, HostOp, ModelInfo, WeightStore
from neurodeploy.ir.program import IslandCall, Program

Attrs = Mapping[str, Any]
Sizes = list[int]


def _natural(value: object) -> bool:
    return type(value) is int and value >= 1


def _number(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < 1e30  # type: ignore[arg-type]


def _positive(value: object) -> bool:
    return _number(value) and value > 0  # type: ignore[operator]


def _optional(value: object) -> bool:
    return value is None or _natural(value)


#: What an attribute of a host operation must be, whichever operation carries it.
ATTRS: Mapping[str, Callable[[Any], bool]] = {
    "scale": _number, "eps": _positive, "floor_scale": _positive, "group": _natural, "head_dim": _natural,
    "heads": _natural, "kv_heads": _natural, "top_k": _natural, "window": _optional, "chunk": _optional,
    "inv_freq": lambda value: isinstance(value, tuple) and all(map(_number, value)),
    "style": lambda value: value in ("half", "interleaved"), "factor": _positive, "rotated": _natural,
    "act": lambda value: value in ("silu", "gelu_tanh"),
}  # fmt: skip

#: The sizes of inputs and outputs that fit together: (attributes, inputs, outputs) -> do they.
FITS: Mapping[str, Callable[[Any, Sizes, Sizes], bool]] = {
    "embedding": lambda a, i, o: len(i) == len(o) == 1,
    "position_embedding": lambda a, i, o: len(i) == 1 and i == o,
    "rmsnorm": lambda a, i, o: len(i) == 1 and i == o and i[0] % a["group"] == 0,
    "layernorm": lambda a, i, o: len(i) == 1 and i == o and i[0] % a["group"] == 0,
    "rope": lambda a, i, o: (
        len(i) == 1
        and i == o
        and i[0] % a["head_dim"] == 0
        and 2 * len(a["inv_freq"]) == a.get("rotated", a["head_dim"]) <= a["head_dim"]
    ),
    "temperature": lambda a, i, o: len(i) == 1 and i == o,
    "attention": lambda a, i, o: (
        a["heads"] % a["kv_heads"] == 0
        and i == [n * a["head_dim"] for n in (a["heads"], a["kv_heads"], a["kv_heads"])]
        and o == i[:1]
    ),
    "glu": lambda a, i, o: len(i) == 2 and i == o * 2,
    "activation": lambda a, i, o: len(i) == 1 and i == o,
    "add": lambda a, i, o: len(i) == 2 and i == o * 2,
    "moe_route": lambda a, i, o: len(i) == 1 and i == o and a["top_k"] <= i[0],
    "moe_dispatch": lambda a, i, o: len(i) == 2 and o == [i[0]] * i[1],
    "moe_combine": lambda a, i, o: len(i) > 1 and len(o) == 1 and i[1:] == o * i[0],
}


def check_program(program: Program, weights: WeightStore) -> None:
    """`program` must have passed `Program.check`; `weights` are the tensors of its host operations."""
    sizes, ids, tokens = program.sizes, "token ids", "tokens"
    if sizes.get(program.output) != program.info.vocab_size:
        raise ValueError(f"{program.output} has {sizes.get(program.output)} neurons, not one per token")
    rows: dict[str, str] = {program.input: ids}
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
        else:
            _check_attrs(step)
            _check_weights(step, outputs, program.info, weights)
            fits = FITS[step.op](step.attrs, inputs, outputs)
        need(fits, f"inputs of {inputs} and outputs of {outputs} neurons do not fit together")
        op = step.op if isinstance(step, HostOp) else "island"
        expected, given = _rows(op, step.path, kinds, step.outputs, ids, tokens)
        need(kinds == expected, f"its inputs have the rows of {kinds}, {expected} are needed")
        rows.update(zip(step.outputs, given, strict=True))
    last = program.steps[-1]
    if last.outputs != (program.output,) or len(last.inputs) != 1 or rows[program.output] != tokens:
        raise ValueError(f"{last.path}: the last step must make {program.output} of one value")


def _check_attrs(op: HostOp) -> None:
    optional = (key for key in OPTIONAL_ATTRS.get(op.op, ()) if key in op.attrs)
    for key in (*HOST_OPS[op.op], *optional):
        if not ATTRS[key](op.attrs[key]):
            raise ValueError(f"{op.path}: {key} = {op.attrs[key]!r:.60} is not possible")


def _check_weights(op: HostOp, outputs: Sizes, info: ModelInfo, weights: WeightStore) -> None:
    group = (op.attrs.get("group"),)
    tensors: Mapping[str, dict[str, tuple[Any, ...]]] = {
        "embedding": {"weight": (info.vocab_size, *outputs)},
        "position_embedding": {"weight": (info.max_positions, *outputs)},
        "rmsnorm": {"weight": group},
        "layernorm": {"weight": group, "bias": group},
    }
    wanted = tensors.get(op.op, {})
    # Only the factors of an rmsnorm may be left out.
    if set(op.weights) != set(wanted) and (op.op != "rmsnorm" or op.weights):
        raise ValueError(f"{op.path}: its tensors are {sorted(op.weights)}")
    for role, name in op.weights.items():
        shape = weights.shape(name) if name in weights.names() else None
        if shape != wanted[role]:
            raise ValueError(f"{op.path}: tensor {name!r:.80} has the shape {shape}, not {wanted[role]}")


def _rows(
    op: str, path: str, kinds: list[str], outputs: tuple[str, ...], ids: str, tokens: str
) -> tuple[list[str], list[str]]:
    """The rows that the inputs of an operation must have, and those of its outputs."""
    if op == "embedding":
        return [ids], [tokens]
    if op == "moe_dispatch":
        return [tokens] * 2, [f"{path} expert {expert}" for expert in range(len(outputs))]
    if op == "moe_combine":
        source = kinds[-1].rpartition(" expert ")[0]
        return [tokens, *(f"{source} expert {expert}" for expert in range(len(kinds) - 1))], [tokens]
    if op == "attention" or kinds[:1] == [ids]:
        return [tokens] * len(kinds), [tokens]
    return kinds[:1] * len(kinds), kinds[:1] * len(outputs)
