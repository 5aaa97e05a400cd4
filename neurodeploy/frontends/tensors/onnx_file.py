"""`read_onnx`: an ONNX file as a `TensorGraph`, for one sample; `run_onnx`: what the file itself computes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.tensors.making import NodeMaker, Ref, in_a_line
from neurodeploy.frontends.tensors.onnx_constants import folded
from neurodeploy.frontends.tensors.onnx_guard import OnnxFile, damaged, open_onnx
from neurodeploy.frontends.tensors.onnx_nodes import TABLE
from neurodeploy.ir.tensors import TensorGraph

#: Older operators mean other things.
OLDEST = 13
DOMAINS = ("", "ai.onnx")
#: Of an operator of the table, but for those of any number.
MOST_INPUTS = 5


def read_onnx(path: Path, samples: Sequence[NDArray[Any]]) -> TensorGraph:
    """samples : of each input in the order of the file, (samples, ...) in place of the file's first axis; or, of an
    input whose first axis is no batch, such as a state, (samples, *its whole shape); or one number for all. Raises
    ND1310, ND1313, ND1314."""
    opened = open_onnx(path)
    told = opened.told
    if int(told["opset"]) < OLDEST:
        raise damaged(path, f"is of opset {told['opset']}, {OLDEST} is the oldest that is read")
    if len(told["inputs"]) != len(samples):
        names = ", ".join(row["name"] for row in told["inputs"])
        raise ModelError("ND1313", path, f"has {len(told['inputs'])} inputs ({names})", f"{len(samples)} were given")
    making = NodeMaker()
    env: dict[str, Any] = {name: opened.tensor(number) for name, number in told["held"].items()}
    inputs: dict[str, tuple[int, ...]] = {}
    for row, given in zip(told["inputs"], samples, strict=True):
        known = row["shape"]
        if not known and not given.ndim:
            env[row["name"]] = given
            continue
        whole = given.ndim == len(known) + 1
        full = given.shape[1:] if whole else (1, *given.shape[1:])
        if len(known) != len(full) or any(
            isinstance(k, int) and k != n for k, n in zip(known[not whole :], full[not whole :], strict=True)
        ):
            problem = f"its input {row['name']} has the shape {tuple(known)}, the samples {tuple(given.shape)}"
            raise ModelError("ND1313", path, problem, "give samples (samples, ...) of that shape")
        ref = Ref(making.name(row["name"]), full)
        inputs[ref.name] = ref.shape if whole else full[1:] or (1,)
        making.integers |= {ref.name} if row["dtype"] in "iu" else set()
        env[row["name"]] = ref
    for number, node in enumerate(told["nodes"]):
        making.read(partial(_node, opened), node, number, env)
    outputs = [env.get(name) for name in told["outputs"]]
    if not outputs or not all(isinstance(x, Ref) for x in outputs):
        raise damaged(path, "has an output that does not depend on its input")
    integers = tuple(name for name in inputs if name in making.integers)
    refs = tuple(x.name for x in outputs if isinstance(x, Ref))
    return TensorGraph(path.stem, inputs, tuple(making.nodes), refs, path.name, integers=integers)


def _node(opened: OnnxFile, making: NodeMaker, node: dict[str, Any], number: int, env: dict[str, Any]) -> None:
    making.what, making.where = node["op"], node["name"] or f"node {number}"
    if node["domain"] not in DOMAINS:
        raise making.fail(f"is of the domain {node['domain']!r:.40}", "operators of ONNX itself can be converted")
    missing = [name for name in node["inputs"] if name and name not in env]
    if missing:
        raise damaged(opened.path, f"uses {missing[0]!r:.60} before it is made ({making.where})")
    given = [env[name] if name else None for name in node["inputs"]]
    if node["op"] == "If":
        _branch(opened, making, node, given[0], number, env)
        return
    attrs = {k: opened.tensor(v["tensor"]) if isinstance(v, dict) else v for k, v in node["attrs"].items()}
    if node["op"] == "Split":
        attrs.setdefault("num_outputs", len(node["outputs"]))
    if node["op"] == "Shape" and isinstance(given[0], Ref):
        full = np.asarray(given[0].full, np.int64)
        found: Any = full[attrs.get("start", 0) : attrs.get("end", len(full))]
    elif not any(isinstance(x, Ref) for x in given):
        found = folded(making, node["op"], given, attrs, len(node["outputs"]), int(opened.told["opset"]))
    elif node["op"] in TABLE:
        left_out = [None] * (MOST_INPUTS - len(given))
        found = TABLE[node["op"]](making, node["outputs"][0], given + left_out, attrs)
    else:
        raise making.fail("is no operator that can be converted", f"known are {len(TABLE)}; see docs/modules.md")
    results = found if isinstance(found, list) else [found]
    for name, result in zip(node["outputs"], results, strict=False):
        env[name] = result


def _branch(
    opened: OnnxFile, making: NodeMaker, node: dict[str, Any], condition: Any, number: int, env: dict[str, Any]
) -> None:
    """An If whose condition does not depend on the input: the branch that is taken."""
    if condition is None or isinstance(condition, Ref):
        raise making.fail("is control flow that depends on the input", "make its condition a constant")
    graph = node["attrs"]["then_branch" if bool(np.asarray(condition).reshape(())) else "else_branch"]["graph"]
    inner = {**env, **{name: opened.tensor(tensor) for name, tensor in graph["held"].items()}}
    for each in graph["nodes"]:
        _node(opened, making, each, number, inner)
    for name, made in zip(node["outputs"], graph["outputs"], strict=True):
        if made not in inner:
            raise damaged(opened.path, f"has a branch whose result {made!r:.60} is never made ({making.where})")
        env[name] = inner[made]


def run_onnx(path: Path, samples: Sequence[NDArray[Any]]) -> tuple[list[NDArray[Any]], str]:
    """The outputs (samples, numbers) of the file itself, one sample at a time, and by whom: onnxruntime where it is
    installed, else the reference evaluator of the onnx library."""
    try:
        return _run(path, samples)
    except Exception as error:  # whatever a library says of a stranger's file
        raise damaged(path, f"cannot be run: {in_a_line(error)}") from error


def _run(path: Path, samples: Sequence[NDArray[Any]]) -> tuple[list[NDArray[Any]], str]:
    try:
        import onnxruntime  # type: ignore[import-untyped, unused-ignore]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        inputs, who = session.get_inputs(), f"onnxruntime {onnxruntime.__version__}"
        kinds = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(double)": np.float64}
        types = [kinds.get(x.type, np.float32) for x in inputs]
        names, ranks = [x.name for x in inputs], [len(x.shape) for x in inputs]
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(str(path))
        names, types = list(session.input_names), [x.dtype.type for x in samples]
        ranks = [len(x.type.tensor_type.shape.dim) for x in session.proto_.graph.input][: len(names)]
        who = "onnx.reference"
    rows = []

    def one(x: NDArray[Any], n: int, rank: int) -> NDArray[Any]:
        """A sample as the file takes it."""
        return x if not x.ndim else x[n] if x.ndim > rank else x[n : n + 1]

    for n in range(max(len(x) for x in samples if x.ndim)):
        given = {
            name: one(x, n, rank).astype(kind) for name, x, rank, kind in zip(names, samples, ranks, types, strict=True)
        }
        rows.append([np.asarray(out).reshape(1, -1) for out in session.run(None, given)])
    return [np.concatenate(column) for column in zip(*rows, strict=True)], who
