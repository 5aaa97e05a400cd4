"""Shapes of all nodes: what a node declares, reconciled with what reaches it; repairs are noted, the rest refused."""

from __future__ import annotations

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir.raw import PORTS, Draft, Raw, Shape
from neurodeploy.frontends.nir.schema import FIELDS, MAX_TOTAL
from neurodeploy.frontends.nir.values import check_size, floats, integers, option, padding, shape, wrong
from neurodeploy.ir.float_linear import integer, output_shape
from neurodeploy.ir.float_network import Floats, Note, size_of

FIX = "correct the shape where the file was exported"


def understand(made: Draft, notes: list[Note]) -> None:
    """A node's fields as numbers. Raises ND1204, ND1210."""
    if made.type in PORTS and made.kind == "scale":  # a port of a subgraph that must stay: the sum of what reaches it
        made.values["scale"] = np.ones(())
        return
    for key, entry in FIELDS[made.type].items():
        if entry.form in ("values", "tensor"):
            made.values[key] = floats(made, key)
            if key not in made.fields:
                notes.append(Note(made.where, f"has no {key}", f"taken as {entry.default}"))
    FINISH[made.type](made, notes)


def _port(made: Draft, notes: list[Note]) -> None:
    made.declared = shape(made, "shape")


def _elementwise(made: Draft, notes: list[Note]) -> None:
    """The declared shape is the one that all parameters of more than one value share."""
    shapes = {value.shape for value in made.values.values() if value.size > 1}
    if len(shapes) > 1:
        listed = ", ".join(f"{key} {value.shape}" for key, value in made.values.items())
        raise wrong(made, "parameters", f"differ in shape: {listed}")
    made.declared = next(iter(shapes)) if shapes else None
    if made.declared is not None:
        check_size(made, made.declared)


def _matrix(made: Draft, notes: list[Note]) -> None:
    weight = made.values["weight"]
    if weight.ndim != 2:
        raise wrong(made, "weight", f"has the shape {weight.shape}, (outputs, inputs) is read")
    made.declared = (weight.shape[1],)
    if "bias" in made.values:
        made.values["bias"] = _bias(made, weight.shape[0], notes)


def _bias(made: Draft, rows: int, notes: list[Note]) -> Floats:
    bias = made.values["bias"]
    if bias.size not in (1, rows):
        raise wrong(made, "bias", f"has the shape {bias.shape} for {rows} outputs")
    if bias.shape != (rows,) and "bias" in made.fields:
        notes.append(Note(made.where, f"has a bias of shape {bias.shape}", f"taken as ({rows},)"))
    return np.broadcast_to(bias.reshape(-1), (rows,))


def _conv(made: Draft, notes: list[Note]) -> None:
    node, weight, axes = made, made.values["weight"], 1 if made.kind == "conv1d" else 2
    if weight.ndim != 2 + axes:
        raise wrong(node, "weight", f"has the shape {weight.shape}, {2 + axes} axes are needed")
    groups = 1 if "groups" not in node.fields else _single(made, "groups", 1, weight.shape[0])
    if weight.shape[0] % groups:
        raise wrong(node, "groups", f"is {groups}, which does not divide {weight.shape[0]} channels")
    made.values["bias"] = _bias(made, weight.shape[0], notes)
    made.options = {key: option(node, key, axes, notes) for key in ("stride", "dilation")}
    made.options |= {"padding": padding(node, weight.shape[2:], notes), "groups": groups}
    spatial = shape(node, "input_shape")
    if spatial is None:
        return
    channels = weight.shape[1] * groups
    if len(spatial) == axes + 1 and spatial[0] == channels:
        notes.append(Note(node.where, f"has the channels in its input_shape {spatial}", "taken off"))
        spatial = spatial[1:]
    if len(spatial) == 1:
        spatial = spatial * axes
    if len(spatial) != axes:
        raise wrong(node, "input_shape", f"is {spatial} for {axes} axes")
    made.declared = (channels, *spatial)
    check_size(node, made.declared)


def _single(made: Draft, key: str, low: int, high: int) -> int:
    found = integers(made, key, low, high)
    if len(found) != 1:
        raise wrong(made, key, f"has {len(found)} values, one is needed")
    return found[0]


def _pool(made: Draft, notes: list[Note]) -> None:
    kernel = option(made, "kernel_size", 2, notes)
    made.options = {"kernel_size": kernel, "stride": option(made, "stride", 2, notes)}
    made.options["padding"] = padding(made, kernel, notes)


def _flatten(made: Draft, notes: list[Note]) -> None:
    made.declared = shape(made, "input_type")
    for key in ("start_dim", "end_dim"):
        if key in made.fields:
            made.options[key] = _single(made, key, -8, 8)
        else:
            default = FIELDS["Flatten"][key].default
            made.options[key] = int(default or 0)
            notes.append(Note(made.where, f"has no {key}", f"taken as {default}"))


#: What the fields of each type say together.
FINISH = {
    **dict.fromkeys(("Input", "Output"), _port),
    **dict.fromkeys(("Scale", "Delay", "Threshold", "I", "IF", "LI", "LIF", "CubaLI", "CubaLIF"), _elementwise),
    **dict.fromkeys(("Linear", "Affine"), _matrix),
    **dict.fromkeys(("Conv1d", "Conv2d"), _conv),
    **dict.fromkeys(("SumPool2d", "AvgPool2d"), _pool),
    "Flatten": _flatten,
}


def infer(raw: Raw, order: tuple[str, ...], back: set[tuple[str, str]]) -> dict[tuple[str, str], Shape]:
    """Set `in_shape` and `shape` of every draft; returns edges that need a flatten in between, with its result.

    order : nodes so that edges not in `back` point forward. Raises ND1207, ND1208, ND1210.
    """
    flattened: dict[tuple[str, str], Shape] = {}
    total = 0
    for name in order:
        made = raw.nodes[name]
        if made.kind == "input":
            made.declared = _input(raw, name)
        reaching = [(s, raw.nodes[s].shape) for s in raw.sources.get(name, ()) if (s, name) not in back]
        made.in_shape = made.declared
        for source, given in reaching:
            if given is not None:
                _meet(made, given, (source, name), flattened, raw.notes)
        if made.in_shape is None:
            problem = "has a shape that neither its fields nor what reaches it say"
            raise ModelError("ND1208", made.where, problem, "give the Input its shape, or the convolution input_shape")
        _finish(made, raw.notes)
        total += size_of(made.in_shape) + size_of(made.shape or ())
        if total > MAX_TOTAL:
            raise ModelError("ND1210", made.where, f"takes the network beyond {MAX_TOTAL} values", "split the network")
    for source, target in back:
        given = raw.nodes[source].shape
        assert given is not None  # every node of `order` has one by now
        _meet(raw.nodes[target], given, (source, target), flattened, raw.notes, fixed=True)
    return flattened


def _input(raw: Raw, name: str) -> Shape | None:
    """The shape of an input: without a batch axis where what reads it says so, from there where it has none."""
    made, readers = raw.nodes[name], [raw.nodes[target] for target in raw.targets.get(name, ())]
    wanted = {reader.declared for reader in readers} - {None}
    if len(wanted) != 1:
        return _unbatched_image(made, readers, raw.notes)
    expected, declared = next(iter(wanted)), made.declared
    assert expected is not None
    if declared is None:
        raw.notes.append(Note(made.where, "has no shape", f"taken from what reads it: {expected}"))
        return expected
    extra = len(declared) - len(expected)
    if extra > 0 and declared[extra:] == expected:
        raw.notes.append(Note(made.where, f"has the shape {declared}", f"leading axes taken as batch: {expected}"))
        return expected
    return declared


def _unbatched_image(made: Draft, readers: list[Draft], notes: list[Note]) -> Shape | None:
    """(1, C, H, W) into a convolution or a pool that does not say its own shape."""
    axes = {"conv1d": 2, "conv2d": 3, "sum_pool2d": 3, "avg_pool2d": 3}
    ranks = {axes.get(reader.kind) for reader in readers}
    if made.declared is None or len(ranks) != 1:
        return made.declared
    rank = next(iter(ranks))
    if rank is None or len(made.declared) != rank + 1:
        return made.declared
    told = f"first axis taken as batch: {made.declared[1:]}"
    notes.append(Note(made.where, f"has the shape {made.declared}", told))
    return made.declared[1:]


def _meet(
    made: Draft, given: Shape, edge: tuple[str, str], flattened: dict[tuple[str, str], Shape], notes: list[Note],
    fixed: bool = False,
) -> None:  # fmt: skip
    """Reconcile the shape that an edge brings with the one that a node has so far."""
    have = made.in_shape
    where, label = made.where, f"{edge[0]} -> {edge[1]}"
    if have is None or have == given:
        made.in_shape = given
        return
    elementwise = output_like_input(made)
    squeezed = [side for side in have if side > 1] == [side for side in given if side > 1]
    spread = len(have) == len(given) and all(h in (1, g) for h, g in zip(have, given, strict=True))
    if elementwise and not fixed and (squeezed or spread):
        notes.append(Note(where, f"has parameters of shape {have}", f"taken as {given}, which reaches it"))
        made.in_shape = given
        return
    if len(have) == 1 and have[0] == np.prod(given, dtype=np.int64):
        notes.append(Note(where, f"takes {have} and is reached by {given} ({label})", "flattened in C order"))
        flattened[edge] = have
        return
    problem = f"takes the shape {have}, what reaches it from {edge[0]} has {given}"
    raise ModelError("ND1207", where, problem, FIX)


def output_like_input(made: Draft) -> bool:
    """Nodes that do not change the shape."""
    return made.kind not in ("linear", "affine", "conv1d", "conv2d", "sum_pool2d", "avg_pool2d", "flatten")


def _finish(made: Draft, notes: list[Note]) -> None:
    """The output's shape, and parameters with one value a neuron."""
    assert made.in_shape is not None
    check_size(made, made.in_shape)
    if made.kind == "flatten":
        _resolve_axes(made, made.in_shape, notes)
    if output_like_input(made):
        made.shape = made.in_shape
        _spread(made, made.in_shape, notes)
        return
    try:
        made.shape = output_shape(made.kind, made.values, made.options, made.in_shape)
    except ValueError as error:
        raise ModelError("ND1207", made.where, str(error), FIX) from None
    check_size(made, made.shape)


def _resolve_axes(made: Draft, given: Shape, notes: list[Note]) -> None:
    """Count axes from the front; flattening a vector is nothing."""
    rank = len(given)
    start, end = (integer(made.options, key) for key in ("start_dim", "end_dim"))
    start, end = (axis + rank if axis < 0 else axis for axis in (start, end))
    if rank == 1 and start == 1:
        notes.append(Note(made.where, "flattens from axis 1 what has one axis", "passed on as it is"))
        start = end = 0
    made.options = {"start_dim": start, "end_dim": min(end, rank - 1)}


def _spread(made: Draft, given: Shape, notes: list[Note]) -> None:
    """One value a neuron for every parameter."""
    for key, value in made.values.items():
        if value.shape == given:
            continue
        if value.size == 1:
            if value.shape != () or key in made.fields:
                notes.append(Note(made.where, f"{key} has the shape {value.shape}", f"one value for all {given}"))
            made.values[key] = np.broadcast_to(value.reshape(-1)[0], given)
        elif value.size == np.prod(given, dtype=np.int64):
            made.values[key] = value.reshape(given)
        else:
            made.values[key] = np.broadcast_to(value, given)
