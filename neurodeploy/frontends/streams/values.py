"""From a file to numbers by input, in the order of the source, bounded before anything is allocated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.float_network import size_of

#: Most elements and bytes of an input: 100 steps of 20 million neurons; more is run in stretches of time.
MOST, MOST_BYTES = 1 << 31, 1 << 33


def read_values(
    path: str | Path, label: str, shapes: Mapping[str, tuple[int, ...]], dt: float | None
) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Numbers of every input, (samples, steps, size) in the order of the source, and notes of what was changed.

    label : name of the network, for errors. shapes : input -> shape of its neurons. dt : seconds of a step, for events.

    Raises
    ------
    UserError : ND3251 no such file or not readable, ND3252 not for these inputs (names, shapes), ND3253 no numbers, ND3254
        too large, ND3255 events without a time step or outside of the recording.
    """
    from neurodeploy.frontends.streams import arrays, nir_data

    path = Path(path)
    readers = {".npy": arrays.read_npy, ".npz": arrays.read_npz}
    read = readers.get(path.suffix.lower(), nir_data.read_nir_data)
    if not path.is_file():
        raise UserError("ND3251", path, "does not exist or is no file", "give a .npy, .npz or NIRData file")
    notes: list[str] = []
    found = read(path, label, tuple(shapes), dt, notes)
    if set(found) != set(shapes):
        problem = f"holds {sorted(found)!s:.200}, the inputs of {label} are {sorted(shapes)!s:.200}"
        raise UserError("ND3252", path, problem, "give one array or node for each input, under its name")
    values = {name: _in_rows(f"{path}: {name}", found[name], shape) for name, shape in shapes.items()}
    samples = {array.shape[0] for array in values.values()}
    if len(samples) > 1:
        raise UserError(
            "ND3252", path, f"its inputs have {sorted(samples)} samples", "give every input the same samples"
        )
    return values, notes


def check_size(path: Path, name: str, shape: tuple[int, ...], most: int = MOST) -> None:
    """ND3254 before an array of `shape` is read."""
    count = size_of(shape)
    if count > most:
        problem = f"has {count} values {shape}, at most {most} are read at once"
        raise UserError("ND3254", f"{path}: {name}", problem, "cut the recording in time and use --resume")


def _in_rows(where: str, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Recognise the axes: the last ones are the neurons, before them steps, before these samples (one if absent)."""
    size = size_of(shape)
    if array.dtype.kind not in "biuf":
        raise UserError("ND3253", where, f"has type {array.dtype}", "give booleans, integers or real numbers")
    for axes in (shape, (size,)):  # in this order: (3, 1, 4) for neurons (1, 4) is three steps of one sample
        lead = array.shape[: array.ndim - len(axes)]
        if array.shape[array.ndim - len(axes) :] == axes and len(lead) in (1, 2):
            samples, steps = lead if len(lead) == 2 else (1, lead[0])
            if not samples:
                raise UserError("ND3252", where, "holds no sample", "give at least one")
            rows = array.reshape(samples, steps, size)
            if rows.dtype.kind == "f" and not np.isfinite(rows).all():
                raise UserError("ND3253", where, "has values that are not finite", "repair the recording")
            return rows
    problem = f"has shape {array.shape}; needed: (steps, neurons) or (samples, steps, neurons), neurons {shape}"
    raise UserError("ND3252", where, problem, f"give {size} values a step")
