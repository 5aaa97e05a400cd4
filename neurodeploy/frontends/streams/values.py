"""From a file to numbers by input, in the order of the source, bounded before anything is allocated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.frontends.streams import arrays, nir_data
from neurodeploy.ir.float_network import size_of

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
