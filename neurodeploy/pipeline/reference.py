"""What a framework itself computed, as the measure of the chip: it cannot share a wrong reading of the file with us."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.spiking.report import OutputReport
from neurodeploy.errors import UserError
from neurodeploy.frontends.streams import Stream
from neurodeploy.frontends.streams.reading import LAYOUTS, read_values
from neurodeploy.ir.run import RunResult
from neurodeploy.pipeline.comparing import compare

#: Share of bins in which float32 and float64 may differ, where a membrane stands on its threshold.
EXACT = 1e-3
#: Of the largest membrane: what float32 may differ by over many steps.
CLOSE = 1e-3
Arrays = Mapping[str, NDArray[Any]]


def read_reference(
    path: str | Path,
    outputs: Mapping[str, OutputReport],
    shapes: Mapping[str, tuple[int, ...]],
    stream: Stream,
    layout: str | None,
    cut: bool,
) -> dict[str, NDArray[Any]]:
    """(samples, steps, size) of each output in the order of the source, for the samples and steps of `stream`.

    An .npz has one array for each output under its name; a single array serves a single output. `cut`: more steps than the
    stream has are left out. Raises ND1273 where shape, samples, steps or values are not those of the outputs.
    """
    path = Path(path)
    try:
        # The layout that the input has, said aloud: it must not be asked again for an input of one step.
        found = read_values(path, "the reference", shapes, None, layout or LAYOUTS[0]).arrays
    except UserError as error:
        if error.code not in ("ND3251", "ND3252", "ND3253"):
            raise
        raise UserError("ND1273", error.subject, error.problem, error.fix) from None
    return {name: _checked(f"{path}: {name}", array, outputs[name], stream, cut) for name, array in found.items()}


def _checked(where: str, array: NDArray[Any], output: OutputReport, stream: Stream, cut: bool) -> NDArray[Any]:
    samples, steps = array.shape[:2]
    enough = steps >= stream.steps if cut else steps == stream.steps
    if samples != stream.samples or not enough:
        problem = f"has {samples} samples of {steps} steps, the input {stream.samples} of {stream.steps}"
        other = next(one for one in reversed(LAYOUTS))
        fix = f"record it from that input; both are read in one order of axes, see --layout {other}"
        raise UserError("ND1273", where, problem, fix)
    counts = (array >= 0) & (array == np.trunc(array))
    if not output.graded and not bool(counts.all()):
        problem = f"has {int(np.count_nonzero(~counts))} values that are no counts, and the output {output.name} spikes"
        raise UserError("ND1273", where, problem, "give the spikes of each step, not membranes or rates")
    several = 0 if output.graded else int(np.count_nonzero(array > 1))
    if several:
        stream.questions.append(
            f"{output.name}: {several} bins of the reference hold several spikes, and the chip sends one at most in a step"
        )
    return array[:, : stream.steps].astype(np.float64)


def against(
    reference: Arrays,
    outputs: Mapping[str, OutputReport],
    result: RunResult,
    in_float: Arrays | None,
    classes: NDArray[np.int64] | None,
) -> list[dict[str, Any]]:
    """One row an output: the chip against the reference and, where there is a float network, that against it too."""
    rows = []
    for name, row in zip(outputs, compare(outputs, reference, result, "reference", classes), strict=True):
        wanted = reference[name]
        apart = None if in_float is None else np.abs(in_float[name] - wanted)
        largest = max(float(np.abs(wanted).max(initial=0.0)), 1e-300)
        del row["early"]
        row["float_differing"] = None if apart is None else int(np.count_nonzero(apart))
        row["float_worst"] = None if apart is None else float(apart.max(initial=0.0)) / largest
        rows.append(row)
    return rows


def misread(rows: list[dict[str, Any]]) -> list[str]:
    """Outputs whose float network is not what the framework ran: no rounding has happened there yet."""
    found = []
    for row in rows:
        name, graded = row["population"], row["graded"]
        if row["float_differing"] is None:
            continue
        off = row["float_worst"] > CLOSE if graded else row["float_differing"] > EXACT * row["compared"]
        if off:
            what = f"values differ by {row['float_worst']:.3g} of the largest"
            bins = f"{row['float_differing']} of {row['compared']} bins differ"
            found.append(
                f"{name}: {what if graded else bins} before any rounding; the file was not read as the framework meant it "
                "(--source, --reset, --dt of convert), or axes are in another order (--layout)"
            )
    return found
