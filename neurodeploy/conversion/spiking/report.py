"""What a conversion to integers did: scales, the largest error of every parameter, whatever was clipped, and the latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.float_network import FloatNetwork, Floats, Note
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.neurons.registry import check_network


@dataclass(frozen=True, slots=True)
class Worst:
    """The largest deviation of one parameter: of neuron `index` (NIR's order), relative to the largest magnitude wanted.

    by_row : the largest deviation of a row (a neuron, a target's weights) relative to the largest magnitude of that row: 1
    where a row is lost, however small beside others.
    """

    wanted: float
    got: float
    index: int
    relative: float
    by_row: float


@dataclass(frozen=True, slots=True, eq=False)
class PopulationReport:
    """scale : a voltage of 1 is ``64 * scale`` in integers, a weight of 1 is `scale`; `shift` is the voltage of integer 0
    (its smallest and largest). errors : parameter -> worst error. saturated : parameter -> values clipped.

    u_bound : largest current that weights (or `peaks`) allow, over what 24 bits hold: above 1 it may wrap. None: unknown.
    """

    name: str
    model: str
    neurons: int
    scale: Dyadic
    shift: tuple[float, float]
    errors: Mapping[str, Worst]
    saturated: Mapping[str, int]
    u_bound: float | None


@dataclass(frozen=True, slots=True, eq=False)
class ProjectionReport:
    """synapse : "dense", "sparse" or "conv". worst : of the weights, relative to the largest of them. zeroed : weights that
    rounding made 0. clipped : that exceeded their bits. bits : of the largest mantissa. delay : steps (smallest, largest)
    beyond the synapse's own. delay_error : seconds by which rounding changed a delay, at most. late : steps that the
    projection takes more than in the float network, relative to others, where no delay can make up for it."""

    name: str
    source: str
    target: str
    synapse: str
    synapses: int
    weight_exp: int
    sign_mode: str
    bits: int
    worst: Worst
    zeroed: int
    clipped: int
    delay: tuple[int, int]
    delay_error: float
    late: int


@dataclass(frozen=True, slots=True, eq=False)
class OutputReport:
    """An output of the float network: `population` sends it `latency` steps later on the chip.

    order : (size,) index in NIR's order of each neuron of the population. unit : value of a payload of 1 (1 for spikes).
    graded : payloads are numbers, not spikes.
    """

    name: str
    population: str
    latency: int
    order: NDArray[np.int64]
    unit: float = 1.0
    graded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class QuantizationReport:
    """All of it; `latency` is the longest of the outputs, so a run needs that many steps more. units : input -> value of a
    payload of 1 of the population of that name."""

    network: str
    units: Mapping[str, float]
    outputs: Mapping[str, OutputReport]
    populations: tuple[PopulationReport, ...]
    projections: tuple[ProjectionReport, ...]
    notes: tuple[Note, ...] = field(default=())

    @property
    def latency(self) -> int:
        return max((output.latency for output in self.outputs.values()), default=0)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and texts."""
        return {
            "network": self.network,
            "latency": self.latency,
            "inputs": {name: {"unit": unit} for name, unit in self.units.items()},
            "outputs": {
                name: {"population": o.population, "latency": o.latency, "unit": o.unit, "graded": o.graded}
                for name, o in self.outputs.items()
            },
            "populations": [_plain(asdict(p)) for p in self.populations],
            "projections": [_plain(asdict(p)) for p in self.projections],
            "notes": [list(note) for note in self.notes],
        }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: [*value.values()] if key == "scale" else value for key, value in row.items()}


def assembled(
    source: FloatNetwork, populations: Mapping[str, Population], projections: Sequence[Projection],
    units: Mapping[str, float], outputs: Mapping[str, OutputReport], rows: Sequence[PopulationReport],
    lines: Sequence[ProjectionReport], notes: Sequence[Note], said: Mapping[str, Any],
) -> tuple[Network, QuantizationReport]:  # fmt: skip
    """The checked network and its report; `said` is added to the provenance."""
    sent = tuple(dict.fromkeys(output.population for output in outputs.values()))
    step, provenance = Dyadic.nearest(source.dt, 53), {**source.provenance, **said}
    made = Network(source.name, populations, tuple(projections), sent, step, provenance)
    made.check()
    check_network(made)
    return made, QuantizationReport(source.name, units, outputs, tuple(rows), tuple(lines), tuple(notes))


def weights_line(
    made: Projection, exact: Floats, got: NDArray[np.int64], *, row: NDArray[np.int64] | None = None, clipped: int = 0,
    delay: tuple[int, int] = (0, 0), delay_error: float = 0.0, late: int = 0,
) -> ProjectionReport:  # fmt: skip
    """The line of a projection; `exact`: what its weights `got` should be, `row` as in `worst`."""
    ends = (int(got.max()), -int(got.min()) - 1) if got.size else (0, 0)
    wrong = worst(exact.reshape(-1), got.reshape(-1).astype(np.float64), row)
    return ProjectionReport(
        made.name, made.source, made.target, made.synapse.kind, made.synapse.weight.size, made.weight_exp, made.sign_mode,
        max(*ends, 0).bit_length(), wrong, int(np.count_nonzero((got == 0) & (exact != 0))), clipped, delay, delay_error,
        late,
    )  # fmt: skip


def worst(wanted: Floats, got: Floats, row: NDArray[np.int64] | None = None) -> Worst:
    """The worst of a parameter; `row` (values,): which belong together, None: each is one of its own."""
    if not wanted.size:
        return Worst(0.0, 0.0, 0, 0.0, 0.0)
    error = np.abs(got - wanted)
    at = int(np.argmax(error))
    largest = float(np.abs(wanted).max())
    relative = float(error[at]) / largest if largest else (0.0 if not error[at] else float("inf"))
    return Worst(float(wanted[at]), float(got[at]), at, relative, _by_row(error, np.abs(wanted), row))


def _by_row(error: Floats, size: Floats, row: NDArray[np.int64] | None) -> float:
    if row is not None:
        tops = np.zeros((2, int(row.max()) + 1))
        np.maximum.at(tops[0], row, error)
        np.maximum.at(tops[1], row, size)
        error, size = tops
    off = error > 0
    with np.errstate(divide="ignore", over="ignore"):
        return float((error[off] / size[off]).max(initial=0.0))
