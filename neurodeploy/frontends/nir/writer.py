"""`write`: a `FloatNetwork` as a file of pure NIR 1.0.8 that `nir.read` accepts with its checks on.

Parameters are written for every neuron, shapes without batch, `v_reset` always, in float32 where that loses nothing. What
NIR has no field for stays in a node's metadata, where our reader finds it, and is told: reset by subtraction, gain per step.

nir 1.0.8 forgets the groups of a convolution when it checks shapes, and takes every kernel for a square one (it uses the
height for both sides): a kernel is filled up with zeros where that is exact, otherwise refused.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import BundleError, UserError
from neurodeploy.frontends.nir.reader import DT_KEY, GAIN_KEY, RESET_KEY, back_edges
from neurodeploy.frontends.nir.schema import NodeFields, lay_out
from neurodeploy.ir.float_linear import integer, padding, sides
from neurodeploy.ir.float_network import KINDS, FloatNetwork, FloatNode, Note
from neurodeploy.storage.temporary import replace_file


def write(network: FloatNetwork, path: Path | str, *, strict: bool = True) -> tuple[Note, ...]:
    """Write the file, aside and then renamed; returns what NIR cannot say about this network.

    strict : refuse what `nir.read` would refuse. Raises ND1220 naming the node; ND5004 where the file cannot be written.
    """
    import h5py

    path = Path(path)
    network.check()
    notes: list[Note] = []
    nodes = {name: _fields(node, strict, notes) for name, node in network.nodes.items()}
    _check_order(network, notes)
    memory = io.BytesIO()
    with h5py.File(memory, "w", libver="latest") as file:
        lay_out(file, nodes, [edge[:2] for edge in network.edges], {DT_KEY: f"{network.dt!r} s"})
    _save(path, memory.getvalue())
    return tuple(notes)


def _save(path: Path, content: bytes) -> None:
    try:
        replace_file(path, content, parents=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        fix = "name a folder that exists, has room and that you may write to"
        raise BundleError("ND5004", path, f"cannot be written: {reason}", fix) from error


def _number(value: NDArray[np.float64]) -> NDArray[Any]:
    """float32 where that is the same number."""
    narrow = value.astype(np.float32)
    exact = np.array_equal(narrow.astype(np.float64), value)
    return np.ascontiguousarray(narrow if exact else value)


def _fields(node: FloatNode, strict: bool, notes: list[Note]) -> NodeFields:
    kind = KINDS[node.kind]
    fields: NodeFields = {"type": kind.nir}
    for key in (*kind.params, *kind.tensors):
        fields[key] = _number(node.params[key])
    if node.kind in ("input", "output"):
        fields["shape"] = np.array(node.shape, np.int64)
    elif node.kind == "flatten":
        fields["input_type"] = np.array(node.in_shape, np.int64)
        fields |= {key: integer(node.options, key) for key in ("start_dim", "end_dim")}
    elif node.kind in ("conv1d", "conv2d"):
        fields |= _conv(node, strict, notes)
    elif node.options:
        fields |= {key: np.array(sides(node.options, key), np.int64) for key in ("kernel_size", "stride")}
        pads = padding(node.options)
        if any(before != after for before, after in pads):
            raise _cannot(node, f"has the padding {pads}", "pad alike on both sides")
        fields["padding"] = np.array([before for before, _ in pads], np.int64)
    if node.reset != "value":
        fields[f"metadata/{RESET_KEY}"] = node.reset
        notes.append(
            Note(node.name, "is reset by subtraction, which NIR cannot say", f"written as metadata {RESET_KEY}")
        )
    if node.gain == "per-step":
        fields[f"metadata/{GAIN_KEY}"] = node.gain
        notes.append(Note(node.name, "has a gain per step, which NIR cannot say", f"written as metadata {GAIN_KEY}"))
    return fields


def _cannot(node: FloatNode, problem: str, fix: str) -> UserError:
    return UserError("ND1220", node.name, f"{problem}, which NIR 1.0.8 cannot say", fix)


def _conv(node: FloatNode, strict: bool, notes: list[Note]) -> NodeFields:
    pads, dilation = padding(node.options), sides(node.options, "dilation")
    weight, groups = node.params["weight"], integer(node.options, "groups")
    fields: NodeFields = {}
    if node.kind == "conv1d":
        fields |= {key: sides(node.options, key)[0] for key in ("stride", "dilation")}
    else:
        fields |= {key: np.array(sides(node.options, key), np.int64) for key in ("stride", "dilation")}
    if strict and node.kind == "conv2d" and weight.shape[2] != weight.shape[3]:
        weight, pads = _squared(node, weight, pads, dilation)
        notes.append(Note(node.name, "has a kernel that is not square, which nir misreads", "filled up with zeros"))
    if strict and groups > 1:
        weight, groups = _ungrouped(weight, groups), 1
        notes.append(Note(node.name, "is in groups, which nir forgets in shapes", "filled up with zeros to one group"))
    if weight is not node.params["weight"]:
        fields["weight"] = _number(weight)
    spatial = node.in_shape[1:]
    fields |= {"groups": groups, "input_shape": spatial[0] if node.kind == "conv1d" else np.array(spatial, np.int64)}
    if all(before == after for before, after in pads):
        before = [pad[0] for pad in pads]
        fields["padding"] = before[0] if node.kind == "conv1d" else np.array(before, np.int64)
        return fields
    same = tuple(
        (d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2) for k, d in zip(weight.shape[2:], dilation, strict=True)
    )
    if pads != same or max(sides(node.options, "stride")) > 1:
        raise _cannot(node, f"has the padding {pads}", "pad alike on both sides")
    fields["padding"] = "same"
    return fields


def _ungrouped(weight: NDArray[np.float64], groups: int) -> NDArray[np.float64]:
    """(out, in, ..) with zeros for the channels of other groups."""
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    whole = np.zeros((weight.shape[0], inputs * groups, *weight.shape[2:]))
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        whole[rows, group * inputs : (group + 1) * inputs] = weight[rows]
    return whole


def _squared(
    node: FloatNode, weight: NDArray[np.float64], pads: tuple[tuple[int, int], ...], dilation: tuple[int, ...]
) -> tuple[NDArray[np.float64], tuple[tuple[int, int], ...]]:
    """The same convolution with a square kernel: zeros on both sides and as much more padding."""
    largest = max(weight.shape[2:])
    more = [largest - k for k in weight.shape[2:]]
    if any(m % 2 for m in more):
        problem = f"has a kernel of {weight.shape[2:]} that nir 1.0.8 takes for a square one"
        raise _cannot(node, problem, "use a square kernel, or write with strict=False")
    weight = np.pad(weight, [(0, 0), (0, 0), *((m // 2, m // 2) for m in more)])
    grown = [(b + d * m // 2, a + d * m // 2) for (b, a), d, m in zip(pads, dilation, more, strict=True)]
    return weight, tuple(grown)


def _check_order(network: FloatNetwork, notes: list[Note]) -> None:
    """NIR does not say which edge of a cycle takes a step: tell where a reader would choose another."""
    targets: dict[str, dict[str, None]] = {}
    for edge in network.edges:
        targets.setdefault(edge.source, {})[edge.target] = None
    names = sorted(network.nodes)
    roots = [name for name in names if network.nodes[name].kind == "input"]
    wanted = {(edge.source, edge.target) for edge in network.edges if edge.recurrent}
    got = back_edges([*roots, *names], targets)
    for source, target in sorted(wanted ^ got):
        found = "is a recurrent edge" if (source, target) in wanted else "is no recurrent edge"
        notes.append(Note(f"{source} -> {target}", f"{found}, which NIR cannot say", "a reader takes it the other way"))
