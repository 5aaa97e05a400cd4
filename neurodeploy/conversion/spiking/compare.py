"""Two runs of one network, in real numbers and in integers, beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.spiking.report import OutputReport
from neurodeploy.errors import UserError
from neurodeploy.ir.run import RunResult


@dataclass(frozen=True, slots=True)
class Comparison:
    """One output. Spikes: counts of both, bins (neuron, step, sample) that differ, the first of them as (sample, step from 1
    in the float network, neuron), the largest difference of a neuron's rate in spikes a step. Graded: `worst` is the largest
    difference of a value relative to the largest value. Early: spikes in the integer run before the latency is over."""

    output: str
    graded: bool
    latency: int
    steps: int
    bins: int
    float_count: float
    integer_count: float
    differing: int
    first: tuple[int, int, int] | None
    rate_error: float
    worst: float
    early: int

    def to_json(self, side: str) -> dict[str, Any]:
        """Plain numbers; `side` names whose run the chip's is compared with."""
        return {
            "population": self.output,
            "latency": self.latency,
            f"{side}_spikes": self.float_count,
            "chip_spikes": self.integer_count,
            "differing": self.differing,
            "compared": self.bins,
            "first_difference": None if self.first is None else self.first[1],
            "graded": self.graded,
            "worst": self.worst,
            "rate_error": self.rate_error,
        }


def compare_spikes(
    wanted: Mapping[str, NDArray[Any]], in_integers: RunResult, outputs: Mapping[str, OutputReport]
) -> tuple[Comparison, ...]:
    """One row an output, each shifted by its latency. The integer run needs that many steps more to be compared to its end;
    what it lacks is left out. ND1240 where the runs do not belong together.

    wanted : output -> (samples, steps, size) of whoever computed it, in NIR's order.
    """
    return tuple(_compare(output, wanted[name], in_integers, output.latency) for name, output in outputs.items())


def _compare(output: OutputReport, wanted: NDArray[Any], run: RunResult, latency: int) -> Comparison:
    payload = run.outputs.get(output.population)
    if payload is None or (payload.shape[0], payload.shape[2]) != (wanted.shape[0], wanted.shape[2]):
        problem = "the runs have different outputs or samples"
        raise UserError("ND1240", output.name, problem, "run both with the same inputs")
    order = output.order
    early = int(np.count_nonzero(payload[:, :latency]))
    steps = min(wanted.shape[1], payload.shape[1] - latency)
    got = payload[:, latency : latency + steps] * output.unit
    reference = wanted[:, :steps][..., order]
    off = np.abs(got - reference)
    differing = np.argwhere(off > 0)
    largest = float(np.abs(reference).max()) if reference.size else 0.0
    rate = np.abs(got.sum(axis=(0, 1)) - reference.sum(axis=(0, 1))) / max(1, got.shape[0] * max(steps, 1))
    first = min(map(tuple, differing.tolist()), key=lambda place: (place[1], place[0], place[2]), default=None)
    return Comparison(
        output.name, output.graded, latency, max(steps, 0), int(off.size),
        float(reference.sum()), float(got.sum()), len(differing),
        None if first is None else (first[0], first[1] + 1, int(order[first[2]])),
        float(rate.max()) if rate.size else 0.0, float(off.max()) / largest if largest else 0.0, early,
    )  # fmt: skip
