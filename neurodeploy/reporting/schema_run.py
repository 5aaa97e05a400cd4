"""The data of a spiking network's report, in the manner of `reporting.schema`: SI units, JSON-able, all keys required."""

from __future__ import annotations

from typing import TypedDict

from neurodeploy.reporting.schema import Band, LedgerEntry, MapSection, Provenance


class About(TypedDict):
    """`dt_s`: seconds of a time step, None where the source does not say."""

    name: str
    family: str
    source: str
    licence: str
    neurons: int
    synapses: int
    dt_s: float | None
    outputs: list[str]


class RunSection(TypedDict):
    """What was run: `steps` of each of `samples`. `notes`: what was done to the input."""

    input: str
    runner: str
    steps: int
    samples: int
    saturations: int
    wraps: int
    notes: list[str]


class PopulationRow(TypedDict):
    """Counts over the run; `rate`: messages for each neuron, step and sample."""

    model: str
    neurons: int
    messages: int
    rate: float
    updates: int
    saturated: int
    wrapped: int


class ProjectionRow(TypedDict):
    source: str
    target: str
    events: int
    synops: int
    wrapped: int


class Raster(TypedDict):
    """Messages of some neurons of one sample. `steps` and `rows` are parallel lists; `neurons` names the rows."""

    population: str
    size: int
    neurons: list[int]
    first_step: int
    length: int
    steps: list[int]
    rows: list[int]
    dropped: int


class Trace(TypedDict):
    """A variable of one neuron after each step, in integers."""

    population: str
    variable: str
    neuron: int
    first_step: int
    values: list[int]


class RunPhase(TypedDict):
    """Energy and time of one unit ("step" or "sample"): `joules` by boundary."""

    joules: dict[str, Band | None]
    seconds: Band


class RunEnergy(TypedDict):
    """`entries` are for one step."""

    step: RunPhase
    sample: RunPhase
    bound_by: str
    entries: list[LedgerEntry]
    assumptions: list[str]
    not_modelled: list[str]


class Comparison(TypedDict):
    """Float against integers for one output, the integers moved earlier by `latency` steps.

    `differing` of `compared` bins (sample, step, neuron) differ. For graded outputs the sums stand in place of spikes and
    `worst` is the largest difference relative to the largest value. `early`: messages before the latency was over, which
    have no counterpart. `same_decision`: samples in which both have the same neuron with the largest sum.
    """

    population: str
    latency: int
    float_spikes: float
    chip_spikes: float
    differing: int
    compared: int
    first_difference: int | None
    graded: bool
    worst: float
    rate_error: float
    early: int
    same_decision: int


class ParameterError(TypedDict):
    """The worst rounding of one parameter of a population or projection; `relative` to the largest value."""

    where: str
    parameter: str
    absolute: float
    relative: float | None


class RoundingSection(TypedDict):
    warnings: list[str]
    errors: list[ParameterError]


class RunReport(TypedDict):
    network: About
    run: RunSection
    map: MapSection | None
    energy: RunEnergy | None
    populations: dict[str, PopulationRow]
    projections: dict[str, ProjectionRow]
    rasters: list[Raster]
    traces: list[Trace]
    comparison: list[Comparison] | None
    conversion: RoundingSection
    neurobench: dict[str, float | int | None]
    provenance: Provenance
