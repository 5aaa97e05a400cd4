"""From a file to numbers by input, in the order of the source, bounded before anything is allocated; and the input of a
network in integers, rounded where that was agreed, in the order of the chip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.frontends.streams import arrays, nir_data
from neurodeploy.frontends.streams.arrays import check_size
from neurodeploy.ir.float_network import chip_order, size_of
from neurodeploy.ir.network import Network

INT32 = np.iinfo(np.int32)
#: Orders of the axes before the neurons: (samples, steps, neurons), or (steps, samples, neurons).
SAMPLE_FIRST, TIME_FIRST = LAYOUTS = ("sample-first", "time-first")


@dataclass(slots=True, eq=False)
class Values:
    """`arrays`: name -> (samples, steps, size), in the order of the source. `notes`: what was changed on the way;
    `questions`: what the file may mean otherwise."""

    arrays: dict[str, NDArray[Any]]
    notes: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)


def read_values(
    path: str | Path, label: str, shapes: Mapping[str, tuple[int, ...]], dt: float | None, layout: str | None = None
) -> Values:
    """Numbers of every input (or output) of a network.

    label : name of the network, for errors. shapes : input -> shape of its neurons. dt : seconds of a step, for events.
    layout : of `LAYOUTS`, the order of the axes before the neurons where there are two; None: sample-first, with a question
    where that makes many samples of one step.

    Raises
    ------
    UserError : ND1272 a layout that is not known or says nothing about NIRData, ND3251 no such file or not readable, ND3252
        not for these inputs (names, shapes), ND3253 no numbers, ND3254 too large, ND3255 events without a time step or
        outside of the recording.
    """
    path = Path(path)
    readers = {".npy": arrays.read_npy, ".npz": arrays.read_npz}
    read = readers.get(path.suffix.lower(), nir_data.read_nir_data)
    _check_layout(layout, path, read is nir_data.read_nir_data)
    if not path.is_file():
        raise UserError("ND3251", path, "does not exist or is no file", "give a .npy, .npz or NIRData file")
    made = Values({})
    found = read(path, label, tuple(shapes), dt, made.notes)
    if set(found) != set(shapes):
        problem = f"holds {sorted(found)!s:.200}, {label} needs {sorted(shapes)!s:.200}"
        raise UserError("ND3252", path, problem, "give one array or node for each of them, under its name")
    for name, shape in shapes.items():
        made.arrays[name] = _in_rows(f"{path}: {name}", found[name], shape, layout)
    samples = {array.shape[0] for array in made.arrays.values()}
    if len(samples) > 1:
        raise UserError("ND3252", path, f"its arrays have {sorted(samples)} samples", "give all the same samples")
    for name, array in made.arrays.items():
        if layout is None and array.shape[1] == 1 and array.shape[0] > 1:
            made.questions.append(
                f"{name}: {array.shape[0]} samples of one step each; if the first axis of {path.name} is time, as snnTorch "
                f"and Norse have it, give --layout {TIME_FIRST}, otherwise --layout {SAMPLE_FIRST}"
            )
    return made


def _check_layout(layout: str | None, path: Path, is_nir_data: bool) -> None:
    if layout is not None and layout not in LAYOUTS:
        raise UserError("ND1272", f"--layout {layout!r:.40}", "is not known", f"use {' or '.join(LAYOUTS)}")
    if layout is not None and is_nir_data:
        raise UserError("ND1272", "--layout", f"says nothing about {path.name}: NIRData has an order", "leave it out")


def _in_rows(where: str, array: NDArray[Any], shape: tuple[int, ...], layout: str | None) -> NDArray[Any]:
    """Recognise the axes: the last ones are the neurons, before them steps, before these samples (one if absent), or
    samples before neurons and steps first where the layout says so."""
    size = size_of(shape)
    if array.dtype.kind not in "biuf":
        raise UserError("ND3253", where, f"has type {array.dtype}", "give booleans, integers or real numbers")
    for axes in (shape, (size,)):  # in this order: (3, 1, 4) for neurons (1, 4) is three steps of one sample
        lead = array.shape[: array.ndim - len(axes)]
        if array.shape[array.ndim - len(axes) :] == axes and len(lead) in (1, 2):
            rows = array.reshape(*(lead if len(lead) == 2 else (1, lead[0])), size)
            if layout == TIME_FIRST and len(lead) == 2:
                rows = rows.swapaxes(0, 1)
            if not rows.shape[0]:
                raise UserError("ND3252", where, "holds no sample", "give at least one")
            if rows.dtype.kind == "f" and not np.isfinite(rows).all():
                raise UserError("ND3253", where, "has values that are not finite", "repair the recording")
            return rows
    problem = f"has shape {array.shape}; needed: (steps, neurons) or (samples, steps, neurons), neurons {shape}"
    raise UserError("ND3252", where, problem, f"give {size} values a step")


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
