"""Reads one untrusted ONNX file with the `onnx` library and writes what it holds to stdout in a plain form:
`onnx_guard` runs it in a process with limits.

Output: a line of ASCII JSON, followed by the bytes of the tensors that lie in the file itself, one after another::

    {"opset": 17, "ir": 8, "inputs": [{"name", "dtype", "shape"}], "outputs": [name],
     "nodes": [{"op", "domain", "name", "inputs", "outputs", "attrs"}],
     "tensors": [{"name", "dtype", "shape", "bytes"} or {.., "file", "offset", "bytes"}]}
     or {"refused": "..."}

An attribute is a number, a text, a list of them, {"tensor": n}, the place of a tensor, or {"graph": {"held", "nodes",
"outputs"}}, a branch of an If. External data stays where it is:
nothing of it is read.
"""

from __future__ import annotations

import json
import sys
from typing import Any

#: No tensor of a file, and no file's tensors together, are larger (protobuf ends at 2 GB).
MAX_BYTES = 1 << 31
MAX_NODES = 200_000
#: Attributes of an If.
BRANCHES = ("then_branch", "else_branch")


class NotRead(Exception):
    """The file is not read."""


def _external(tensor: Any) -> dict[str, Any]:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if "location" not in entries:
        raise NotRead(f"tensor {tensor.name!r:.60} lies in no file")
    return {
        "file": entries["location"],
        "offset": int(entries.get("offset", 0)),
        "bytes": int(entries.get("length", -1)),
    }


class _Tensors:
    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.blobs: list[bytes] = []
        self.total = 0

    def add(self, tensor: Any) -> int:
        import numpy as np
        from onnx import helper, numpy_helper

        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
        row: dict[str, Any] = {"name": tensor.name, "dtype": dtype.str if dtype.kind != "V" else dtype.name}
        row["shape"] = [int(n) for n in tensor.dims]
        count = 1
        for n in row["shape"]:
            if n < 0:
                raise NotRead(f"tensor {tensor.name!r:.60} has a negative side")
            count *= n
        if count * dtype.itemsize > MAX_BYTES and tensor.data_location != tensor.EXTERNAL:
            raise NotRead(f"tensor {tensor.name!r:.60} declares {count * dtype.itemsize} bytes")
        if tensor.data_location == tensor.EXTERNAL:
            row |= _external(tensor)
        else:
            array = numpy_helper.to_array(tensor)
            if array.dtype.kind == "V" or array.dtype.name in ("bfloat16", "float8_e4m3fn"):
                array = array.astype(np.float32)
            if array.dtype.kind not in "biuf":
                raise NotRead(f"tensor {tensor.name!r:.60} has the type {array.dtype}")
            data = np.ascontiguousarray(array).tobytes()
            row |= {"dtype": array.dtype.str, "shape": list(array.shape), "bytes": len(data)}
            self.total += len(data)
            if self.total > MAX_BYTES:
                raise NotRead("has more than 2 GB of tensors in the file")
            self.blobs.append(data)
        self.rows.append(row)
        return len(self.rows) - 1


def _attribute(attribute: Any, tensors: _Tensors) -> Any:
    from onnx import AttributeProto, helper

    if attribute.type == AttributeProto.TENSOR:
        return {"tensor": tensors.add(attribute.t)}
    if attribute.type == AttributeProto.GRAPH and attribute.name in BRANCHES:
        return {"graph": _branch(attribute.g, tensors)}
    if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
        raise NotRead(f"has control flow: attribute {attribute.name!r:.40} is a graph of its own")
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, int | float):
        return value
    try:
        return [v.decode("utf-8", "replace") if isinstance(v, bytes) else v + 0 for v in value]
    except TypeError:
        raise NotRead(f"attribute {attribute.name!r:.40} has a type that is not read") from None


def _branch(graph: Any, tensors: _Tensors) -> dict[str, Any]:
    """Of an If: which is taken is known once its condition is."""
    if graph.input or graph.sparse_initializer:
        raise NotRead("has a branch with inputs of its own")
    return {
        "held": {tensor.name: tensors.add(tensor) for tensor in graph.initializer},
        "nodes": [_node(node, tensors) for node in graph.node], "outputs": [value.name for value in graph.output],
    }  # fmt: skip


def _node(node: Any, tensors: _Tensors) -> dict[str, Any]:
    try:
        attrs = {a.name: _attribute(a, tensors) for a in node.attribute}
    except NotRead as refused:
        raise NotRead(f"node {node.name or node.op_type!r:.60} ({node.op_type}) {refused}") from None
    return {
        "op": node.op_type, "domain": node.domain, "name": node.name, "inputs": list(node.input),
        "outputs": list(node.output), "attrs": attrs,
    }  # fmt: skip


def _input(value: Any) -> dict[str, Any]:
    import numpy as np
    from onnx import helper

    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not kind.elem_type:
        raise NotRead(f"input {value.name!r:.60} is no tensor")
    sides = [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in kind.shape.dim]
    return {
        "name": value.name, "dtype": np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)).kind, "shape": sides
    }  # fmt: skip


def read(path: str) -> tuple[dict[str, Any], list[bytes]]:
    import onnx

    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if len(graph.node) > MAX_NODES:
        raise NotRead(f"has {len(graph.node)} nodes, at most {MAX_NODES} are read")
    tensors = _Tensors()
    held = {tensor.name: tensors.add(tensor) for tensor in graph.initializer}
    if graph.sparse_initializer:
        raise NotRead("has sparse tensors")
    nodes = [_node(node, tensors) for node in graph.node]
    told = {
        "opset": opsets.get("", opsets.get("ai.onnx", 0)), "ir": model.ir_version, "name": graph.name,
        "inputs": [_input(value) for value in graph.input if value.name not in held],
        "outputs": [value.name for value in graph.output], "nodes": nodes, "held": held, "tensors": tensors.rows,
    }  # fmt: skip
    return told, tensors.blobs


def main(arguments: list[str]) -> None:
    """PATH."""
    out = sys.stdout.buffer
    try:
        told, blobs = read(arguments[0])
    except NotRead as refused:
        told, blobs = {"refused": str(refused)}, []
    except Exception as error:  # whatever the library makes of a stranger's file
        told, blobs = {"refused": f"cannot be read: {type(error).__name__}: {' '.join(str(error).split())[:200]}"}, []
    out.write(json.dumps(told).encode("ascii") + b"\n")
    for blob in blobs:
        out.write(blob)
    out.flush()
