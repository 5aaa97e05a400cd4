"""The fields of a raw node as numbers: checked, finite, float64; options of convolutions and pools as they are meant."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.hdf5_guard import Dataset, printable
from neurodeploy.frontends.nir.raw import Draft
from neurodeploy.frontends.nir.schema import FIELDS, MAX_OPTION, MAX_RANK, MAX_SIDE, MAX_SIZE, NOT_NEGATIVE, POSITIVE
from neurodeploy.ir.float_network import Floats, Note, size_of

AGAIN = "correct the field where the file was exported"
Pairs = tuple[tuple[int, int], ...]


def wrong(node: Draft, key: str, problem: str) -> ModelError:
    """ND1204: a field of a node has a value that it cannot have."""
    return ModelError("ND1204", node.where, f"{key} {problem}", AGAIN)


def is_none(data: Dataset | None) -> bool:
    """Not there, or Python's None in one of the ways in which it reaches a file."""
    if data is None or 0 in data.shape:
        return True
    return len(data.texts) == 1 and data.texts[0] in ("None", "none", "")


def numbers(node: Draft, key: str) -> NDArray[Any]:
    """A field of numbers as it stands. Raises ND1204."""
    data = node.fields[key]
    if data.values is None:
        text = printable(data.texts[0])[:40] if data.texts else ""
        raise wrong(node, key, f"is text ({text!r}), numbers are needed")
    if data.values.dtype.kind not in "biuf":
        raise wrong(node, key, f"is of type {data.values.dtype}, real numbers are needed")
    if data.values.ndim > MAX_RANK:
        raise wrong(node, key, f"has {data.values.ndim} axes")
    return data.values


def floats(node: Draft, key: str) -> Floats:
    """A field of finite real numbers, or the default that the type gives it, as a read-only array."""
    if is_none(node.fields.get(key)):
        default = FIELDS[node.type][key].default
        if default is None:
            raise wrong(node, key, "is empty")
        array: Floats = np.full((), default, dtype=np.float64)
    else:
        array = np.array(numbers(node, key), dtype=np.float64)
    if not np.isfinite(array).all():
        raise wrong(node, key, f"has {np.count_nonzero(~np.isfinite(array))} values that are not finite")
    if key in POSITIVE and not (array > 0).all():
        raise wrong(node, key, f"is {array.min()} s, a time constant above 0 is needed")
    if key in NOT_NEGATIVE and not (array >= 0).all():
        raise wrong(node, key, f"is {array.min()} s, which is negative")
    array.setflags(write=False)
    return array


def integers(node: Draft, key: str, low: int, high: int) -> tuple[int, ...]:
    """A field of whole numbers within a range. Raises ND1204."""
    array = numbers(node, key).reshape(-1)
    if array.size > MAX_RANK:
        raise wrong(node, key, f"has {array.size} values")
    found = []
    for value in array.tolist():
        if not np.isfinite(value) or value != int(value) or not low <= value <= high:
            raise wrong(node, key, f"is {value}, a whole number in {low}..{high} is needed")
        found.append(int(value))
    return tuple(found)


def shape(node: Draft, key: str) -> tuple[int, ...] | None:
    """A declared shape; None where the file has none. Raises ND1204, ND1210."""
    if is_none(node.fields.get(key)):
        return None
    sides = integers(node, key, 1, MAX_SIDE)
    check_size(node, sides)
    return sides


def check_size(node: Draft, sides: tuple[int, ...]) -> None:
    """ND1210 where a node has more values than any chip has neurons."""
    if size_of(sides) > MAX_SIZE or len(sides) > MAX_RANK:
        problem = f"declares the shape {sides}, at most {MAX_SIZE} values are read"
        raise ModelError("ND1210", node.where, problem, AGAIN)


def option(node: Draft, key: str, axes: int, notes: list[Note], low: int = 1) -> tuple[int, ...]:
    """An option with one value for all spatial axes or one for each."""
    if is_none(node.fields.get(key)):
        default = FIELDS[node.type][key].default
        given = option(node, "kernel_size", axes, notes) if default is None else (int(default),) * axes
        notes.append(Note(node.where, f"has no {key}", f"taken as {given}"))
        return given
    found = integers(node, key, low, MAX_OPTION)
    if len(found) not in (1, axes):
        raise wrong(node, key, f"has {len(found)} values for {axes} axes")
    return found * axes if len(found) == 1 else found


def padding(node: Draft, window: tuple[int, ...], notes: list[Note]) -> Pairs:
    """(before, after) for each axis; "same" as torch has it: the odd one behind, for a stride of 1 alone."""
    data = node.fields.get("padding")
    axes = len(window)
    if data is None or is_none(data) or data.values is not None:
        return tuple((p, p) for p in option(node, "padding", axes, notes, 0))
    text = data.texts[0] if len(data.texts) == 1 else ""
    if text == "valid":
        return ((0, 0),) * axes
    if text != "same":
        raise wrong(node, "padding", f"is {printable(text)!r}, numbers, 'same' or 'valid' are known")
    stride, dilation = option(node, "stride", axes, []), option(node, "dilation", axes, [])
    if max(stride) > 1:
        raise wrong(node, "padding", f"is 'same' with a stride of {stride}, which torch does not define")
    totals = [d * (k - 1) for k, d in zip(window, dilation, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)
