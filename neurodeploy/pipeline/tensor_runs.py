"""Samples of a network of tensors as steps of its program, and what is sent in those steps as one value a sample.

By the code of the conversion (`conversion.tensors.coding`)::

    graded        sample n is sample n, of one step
    sigma_delta   sample n is step n of one stream; a value is the sum of all changes so far
    with states   sample n is step n of one stream, whatever the code
    rate          sample n is sample n, of so many steps: it is given in the first; a value is the mean of all spikes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.tensors.coding import GRADED, RATE, SIGMA_DELTA, Coding
from neurodeploy.ir.program import Program

Arrays = dict[str, NDArray[Any]]


def coding_of(conversion: Mapping[str, Any]) -> Coding:
    """As `conversion.tensors.build` has written it; older bundles have graded values."""
    told, stateful = conversion.get("code") or {}, bool(conversion.get("states"))
    return Coding(told.get("kind", GRADED), int(told.get("steps", 1)), told.get("sites", {}), stateful=stateful)


def payloads(program: Program, samples: Mapping[str, NDArray[Any]]) -> tuple[Arrays, dict[str, int]]:
    """Samples (n, *shape) as payloads (n, 1, size) by input in the order of the chip, and how many were beyond the width."""
    from neurodeploy.ir.fixedpoint import signed_max
    from neurodeploy.ir.float_network import chip_order

    conversion: Mapping[str, Any] = program.conversion
    found, clipped = dict[str, NDArray[Any]](), dict[str, int]()
    for name, shape in conversion["shapes"].items():
        array, shape = samples[name], tuple(shape)
        rows = np.rint(np.asarray(array, np.float64).reshape(len(array), -1) / conversion["inputs"][name]["unit"])
        top = signed_max(int(program.network.populations[name].params["bits"]))
        cut = int(np.count_nonzero(np.abs(rows) > top))
        if cut:
            clipped[name] = cut
        found[name] = rows.clip(-top, top).astype(np.int32)[:, None, chip_order(shape)]
    return found, clipped


def in_steps(coding: Coding, given: NDArray[Any]) -> NDArray[Any]:
    """Payloads (n, 1, size) as the (samples, steps, size) that the program runs."""
    if coding.in_time:
        return np.asarray(given.swapaxes(0, 1))
    if coding.steps == 1:
        return given
    found = np.zeros((len(given), coding.steps, given.shape[2]), given.dtype)
    found[:, :1] = given
    return found


def by_sample(coding: Coding, sent: NDArray[Any], code: str = "") -> NDArray[Any]:
    """What was sent in (samples, steps, size), one value (n, 1, size) a sample; `code`: of this value."""
    if coding.in_time:
        return np.asarray((np.cumsum(sent, axis=1, dtype=np.int64) if code == SIGMA_DELTA else sent).swapaxes(0, 1))
    if code == RATE:
        return np.asarray(sent.sum(axis=1, keepdims=True) / coding.steps, np.float64)
    return sent[:, -1:]


def ran(program: Program, runner: Any, given: Mapping[str, NDArray[Any]], probes: Sequence[Any] = ()) -> Any:
    """The result of a run of payloads (n, 1, size), its outputs by sample; probes as they are recorded."""
    coding = coding_of(program.conversion)
    steps = {name: in_steps(coding, array) for name, array in given.items()}
    count = next(iter(steps.values())).shape[1]
    result = runner.run(program.network, steps, count, probes=tuple(probes), raster=False)
    result.outputs = {name: by_sample(coding, sent) for name, sent in result.outputs.items()}
    return result
