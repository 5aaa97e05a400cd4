"""What several answers have in common: bands, counts, what was executed. Numbers are in SI units, which the field names."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Described(BaseModel):
    """A part of an answer whose fields are all described: another field is an error, and so is a number that is none."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True)


def said(description: str, **more: Any) -> Any:
    """A field that is always there."""
    return Field(description=description, **more)


def may(description: str, **more: Any) -> Any:
    """A field that is absent where the description says so, never null."""
    return Field(None, description=description, **more)


#: The field that names the answer's schema and its version.
NAME: Any = Field(alias="schema", description="Name and version of this schema.")

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Lines = list[str]


class JsonBand(Described):
    """A figure with its band."""

    low: float = said("The low end, in the unit of the field.")
    nominal: float = said("The figure itself.")
    high: float = said("The high end.")


class UnitCostBand(JsonBand):
    """A price with its band and unit."""

    unit: str = said('Of the price: "J", "s", "W" or "1".')


class ExecutedMapping(Described):
    """What of a mapping was executed core by core."""

    system: str = said("The system that the bundle is mapped to.")
    shards: Count = said("Shards: rows and columns of a population on a core.")
    cores: Count = said("Cores that were executed.")
    chips: Count = said("Chips that they are on.")


class WidthCounts(Described):
    """Ports, states and payloads by how their width in bits is known."""

    proven: Count = said("Widths that a bound proves.")
    counted: Count = said("Widths that are calibrated; what exceeds them is counted in every run.")


class HostWork(Described):
    """What the host's own operations did."""

    flops: Count = said("Operations of the host, in flop.")
    bytes: Count = said("Bytes that it read and wrote.")


class HostedPopulation(HostWork):
    """What the host computed in place of the chip."""

    steps: Count = said("Time steps or tokens in which it ran.")
    calls: Count = said("Calls of the host.")


class PopulationCounts(Described):
    """Exact counts of one population over a run."""

    model: str = said("Its neuron model.")
    layer: int | None = said("The layer that it belongs to; null where there are none.")
    neurons: Count = said("Neurons.")
    steps: Count = said("Time steps of all samples (or tokens) in which it ran.")
    messages: Count = said("Payloads that are not zero.")
    rate: float = said("Messages a neuron and step.")
    updates: Count = said("Updates of neurons.")
    saturated: Count = said("Values that were clipped.")
    wrapped: Count = said("Values that wrapped.")


class ProjectionCounts(Described):
    """Exact counts of one projection over a run."""

    source: str = said("The population that it comes from.")
    target: str = said("The population that it reaches.")
    layer: int | None = said("The layer that it belongs to; null where there are none.")
    events: Count = said("Events that arrived at its axons.")
    density: Share = said("Share of axons and steps that had an event.")
    synops: Count = said("Synaptic operations.")
    wrapped: Count = said("Sums that wrapped.")


class RunCounts(Described):
    """What every run counts, whichever device computed what."""

    populations: dict[str, PopulationCounts] = said("By name.")
    projections: dict[str, ProjectionCounts] = said("By name.")
    host_work: HostWork = said("Of the host's own operations.")
    on_host: dict[str, HostedPopulation] = said("Of what the host computed in place of the chip, by population.")
    saturations: Count = said("Values that were clipped, all together.")
    wraps: Count = said("Values and sums that wrapped, all together.")
