"""`read_module`: any `torch.nn.Module` as a `TensorGraph`, by `torch.export`.

The module is exported in evaluation mode for one sample; its mode and state stay as they were. Calls of operators outside of
`aten.TABLE` are decomposed to core ATen first; what then is left and unknown is ND1310, which names operator and line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.tensors.aten import TABLE
from neurodeploy.frontends.tensors.making import NodeMaker, Ref
from neurodeploy.ir.tensors import TensorGraph

#: What torch asserts of its own tensors; nothing is computed.
PROMISES = ("_assert_tensor_metadata",)


def plain_name(target: Any) -> str:
    """ "aten.add.Tensor" -> "add"."""
    return str(target).removeprefix("aten.").split(".")[0]


def exported(module: torch.nn.Module, example: Sequence[torch.Tensor]) -> Any:
    """The program of one sample. ND1311 where torch cannot export it."""
    training = {name: part.training for name, part in module.named_modules()}
    module.eval()
    try:
        program = torch.export.export(module, tuple(x[:1] for x in example))
        table = torch.export.default_decompositions()
        for operator in list(table):
            if plain_name(operator) in TABLE:
                del table[operator]
        return program.run_decompositions(table)
    except Exception as error:  # whatever torch meets in a stranger's code
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        problem = f"cannot be exported by torch.export: {lines[0] if lines else type(error).__name__!s:.200}"
        fix = "make its control flow independent of values (torch.export explains how), or export it to ONNX yourself"
        raise ModelError("ND1311", type(module).__name__, problem, fix) from error
    finally:
        for name, part in module.named_modules():
            part.training = training[name]


def line_of(node: Any) -> str:
    """The last line of the user's own code behind a node: "file.py:12"."""
    found = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    own = [(file, line) for file, line in found if "/torch/" not in file] or found
    return f"{own[-1][0].rsplit('/', 1)[-1]}:{own[-1][1]}" if own else ""


def read_module(module: torch.nn.Module, example: Sequence[torch.Tensor], name: str = "") -> TensorGraph:
    """The graph of a module; `example` : its inputs, the first axis the samples.

    Raises ModelError ND1310 for an operator that is not known, ND1311 for a module that torch cannot export.
    """
    name = name or type(module).__name__
    for x in example:
        if not isinstance(x, torch.Tensor) or not x.ndim or not len(x):
            problem = f"has an input {type(x).__name__} without an axis of samples"
            raise ModelError("ND1311", name, problem, "give tensors (samples, ...), one for each input of forward")
    program = exported(module, example)
    state: dict[str, Any] = {**program.state_dict, **program.constants}
    making = NodeMaker()
    env: dict[str, Any] = {}
    inputs: dict[str, tuple[int, ...]] = {}
    outputs: list[str] = []
    signature = program.graph_signature
    mutated = [
        spec.target for spec in signature.output_specs if spec.kind.name in ("BUFFER_MUTATION", "USER_INPUT_MUTATION")
    ]
    if mutated:
        raise ModelError("ND1311", name, f"changes its own state ({mutated[0]})", "return the state as an output")
    held = {
        **signature.inputs_to_parameters, **signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants
    }  # fmt: skip
    for node in program.graph.nodes:
        making.where = line_of(node)
        if node.op == "placeholder":
            if node.name in held:
                env[node.name] = state[held[node.name]].detach()
            else:
                value = node.meta["val"]
                ref = Ref(making.name(node.name), tuple(int(n) for n in value.shape))
                inputs[ref.name] = ref.full[1:] or (1,)
                making.integers |= set() if value.dtype.is_floating_point else {ref.name}
                env[node.name] = ref
        elif node.op == "call_function" and plain_name(node.target) not in PROMISES:
            env[node.name] = _called(making, node, env)
        elif node.op == "output":
            outputs = [_output(making, found, name) for found in _flat(node.args[0]) if found is not None]
    refs = {key: env_value for key, env_value in env.items() if isinstance(env_value, Ref)}
    names = [refs[key].name if isinstance(env.get(key), Ref) else "" for key in outputs]
    if not names or not all(names):
        raise ModelError(
            "ND1311", name, "has an output that does not depend on its input", "return values of the input"
        )
    source = f"torch.export {torch.__version__}"
    integers = [name for name in inputs if name in making.integers]
    return TensorGraph(name, inputs, tuple(making.nodes), tuple(names), source, integers=tuple(integers))


def _flat(value: Any) -> list[Any]:
    several = isinstance(value, list | tuple) and not isinstance(value, Ref)
    return [leaf for part in value for leaf in _flat(part)] if several else [value]


def _output(making: NodeMaker, node: Any, name: str) -> str:
    if not hasattr(node, "name"):
        raise ModelError("ND1311", name, f"returns {node!r:.60}, no tensor", "return tensors alone")
    return str(node.name)


def _called(making: NodeMaker, node: Any, env: Mapping[str, Any]) -> Any:
    def given(value: Any) -> Any:
        if isinstance(value, torch.fx.Node):
            return env[value.name]
        if isinstance(value, list | tuple):
            return [given(part) for part in value]
        return value

    name, target = node.name, str(node.target)
    if "getitem" in target and not target.startswith("aten"):
        return given(node.args[0])[node.args[1]]
    args = [given(value) for value in node.args]
    extra = {key: given(value) for key, value in node.kwargs.items()}
    making.what = target
    if not any(isinstance(leaf, Ref) for leaf in _flat([args, list(extra.values())])):
        found: Any = node.target(*args, **extra)  # constants alone
        return found
    operator = plain_name(node.target)
    if operator.startswith("_assert"):  # what torch has checked for this shape
        return None
    if operator not in TABLE:
        raise making.fail(
            "is no operation that can be converted", f"known are {len(TABLE)} operators; see docs/modules.md"
        )
    return making.read(TABLE[operator], name, _positional(node, [_constant(a) for a in args], extra))


def _positional(node: Any, args: list[Any], extra: Mapping[str, Any]) -> list[Any]:
    """Arguments by name in their places; of an operator's own schema."""
    schema = node.target._schema.arguments
    full = list(args)
    for n, argument in enumerate(schema):
        if n >= len(full):
            default = argument.default_value if argument.has_default_value() else None
            full.append(_constant(extra[argument.name]) if argument.name in extra else default)
    return full


def _constant(value: Any) -> Any:
    """Tensors of the network as arrays."""
    if isinstance(value, torch.Tensor):
        array: NDArray[Any] = (
            value.detach().cpu().float().numpy() if value.is_floating_point() else value.detach().cpu().numpy()
        )
        return array
    if isinstance(value, list):
        return [_constant(part) for part in value]
    return np.asarray(value) if isinstance(value, np.generic) else value
