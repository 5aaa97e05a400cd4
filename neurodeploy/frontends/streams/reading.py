"""The input of a network in integers: values of a file, rounded where that was agreed, in the order of the chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.frontends.streams.limits import check_size
from neurodeploy.frontends.streams.values import Values, read_values
from neurodeploy.ir.float_network import chip_order
from neurodeploy.ir.network import Network

INT32 = np.iinfo(np.int32)


@dataclass(slots=True, eq=False)
class Stream:
    """`inputs`: input population -> (samples, steps, size) int32. For the user, `notes`: what was changed on the way,
    `questions`: what the file may mean otherwise."""

    inputs: dict[str, NDArray[np.int32]]
    steps: int
    samples: int
    notes: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)


def read_stream(
    path: str | Path,
    network: Network,
    steps: int | None = None,
    dt: float | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    units: Mapping[str, float] | None = None,
    layout: str | None = None,
) -> Stream:
    """Read the input of `network`; `steps` cuts it or pads it with silence, `dt` (s) places events in time.

    shapes : of inputs in the source of the network, where they differ from the chip's: NIR's (channel, height, width). The
        file follows the source, its neurons are put into the order of the chip (x, y, channel).
    units : value of a payload of 1 of inputs that carry real numbers; these are rounded, half to even.
    layout : the order of the axes, see `read_values`.

    Raises the errors of `read_values`; ND3253 for values that are not integers of 32 bits.
    """
    shapes, units = shapes or {}, units or {}
    wanted = {name: shapes.get(name, network.populations[name].shape) for name in network.inputs}
    values = read_values(path, network.name, wanted, dt, layout)
    inputs = {}
    for name, array in values.arrays.items():
        rows = _integers(f"{path}: {name}", name, array, units.get(name), values.notes)
        inputs[name] = rows[..., chip_order(wanted[name])] if name in shapes else rows
    return _aligned(Path(path), inputs, steps, values)


def _integers(where: str, name: str, rows: NDArray[Any], unit: float | None, notes: list[str]) -> NDArray[np.int32]:
    """Whole numbers as they are; real ones where a unit was agreed."""
    if unit is not None:
        exact = rows / unit
        rows = np.rint(exact)
        if (rows != exact).any():
            notes.append(f"{name}: rounded to multiples of {unit:g}")
    elif rows.dtype.kind == "f":
        if (rows != np.trunc(rows)).any():
            fix = "scale and round it first, or convert the network with --calibration and a typical input"
            raise UserError("ND3253", where, f"has values of {rows.dtype} that are not whole numbers", fix)
        notes.append(f"{name}: {rows.dtype} values are all whole numbers and were taken as integers")
    if rows.size and (int(rows.min()) < INT32.min or int(rows.max()) > INT32.max):
        raise UserError("ND3253", where, "has values beyond 32 bits", "scale the input down")
    return np.ascontiguousarray(rows, dtype=np.int32)


def _aligned(path: Path, inputs: Mapping[str, NDArray[np.int32]], steps: int | None, values: Values) -> Stream:
    """All inputs cut or padded with silence to the same number of steps."""
    notes = values.notes
    longest = max((array.shape[1] for array in inputs.values()), default=0)
    length = longest if steps is None else steps
    if length < 1:
        raise UserError("ND3252", path, "holds no time step", "give at least one")
    found = {}
    for name, array in inputs.items():
        have = array.shape[1]
        check_size(path, name, (array.shape[0], length, array.shape[2]))
        if have > length:
            notes.append(f"{name}: {have - length} of {have} steps are not run")
        if have < length:
            notes.append(f"{name}: silent from step {have + 1} on")
        found[name] = padded(array, length)
    samples = next((array.shape[0] for array in found.values()), 1)
    return Stream(found, length, samples, notes, values.questions)


def padded(array: NDArray[np.int32], length: int) -> NDArray[np.int32]:
    """(samples, steps, size) cut to `length` steps, or followed by silence."""
    missing = length - array.shape[1]
    if missing <= 0:
        return array[:, :length]
    return np.concatenate([array, np.zeros((array.shape[0], missing, array.shape[2]), np.int32)], axis=1)
