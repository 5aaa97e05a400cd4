"""The answer of the verb that puts two bundles side by side."""

from __future__ import annotations

from typing import Any, Literal

from neurodeploy.reporting.schemas.parts import NAME, Count, Described, JsonBand, Lines, may, said


class PlacedSide(Described):
    """Where a bundle lies."""

    system: str = said("The system.")
    chips: Count = said("Chips in use.")
    cores: Count = said("Cores in use.")
    crossings: float = said("Crossings of the host border, a token or a time step.", ge=0)
    steps: float = said("Steps of the chip, a token or a time step.", ge=0)
    host_operations: Count = said("Operations and populations of the host.")


class ReadInput(Described):
    """What a bundle was run on."""

    input: str = said("Its name.")
    unit: Literal["token", "step"] = said("Of what `steps` are.")
    steps: Count = said("Tokens of the prompt, or time steps of a sample.")
    samples: Count = said("Samples; 1 of a text.")


class PricedPhase(Described):
    """Joules and seconds of a token, a sample or a time step, whichever the phase is named after; modelled."""

    joules_per_token: dict[str, JsonBand | None] = said("Joules, by boundary: rails, chip, board, wall.")
    seconds_per_token: JsonBand = said("Seconds.")
    bound_by: str = said("What takes the time.")


class RecordedLoss(Described):
    """What an evaluation or a conversion has recorded."""

    of: str = said("What is lost.")
    on: str = said("On what it was measured.")
    value: float = said("A share of 1.")


class ComparedSide(Described):
    """One of the two bundles."""

    bundle: str = said("Its path.")
    kind: Literal["language model", "spiking network", "converted module"] = said("What it holds.")
    model: dict[str, Any] = said("Name, family, source, licence and sizes, as in a report.")
    settings: dict[str, Any] = said("Of the conversion, by their names in Python.")
    map: PlacedSide | None = said("Where it lies; null where it is not mapped.")
    read: ReadInput | None = said("What it was run on; null where it was not.")
    phases: dict[str, PricedPhase] = said("By phase; none where it was not run.")
    loss: RecordedLoss | None = said("What is recorded; null where nothing is.")
    host: list[dict[str, Any]] = said("Operations of the host: path, op, rule, reason, bytes a token or step.")


class ComparedFigure(Described):
    """A figure that both have."""

    name: str = said("Its name.")
    unit: str = said('"J", "s", "B", or "" of counts and shares.')
    phase: str | None = said("The phase that it is of; null of what is of none.")
    a: float | JsonBand = said("Of the first.")
    b: float | JsonBand = said("Of the second.")
    ratio: JsonBand | None = said("The second over the first, draw by draw; null where the first is 0, and of losses.")
    settled: bool = said("Whether they differ whatever the coefficients are: the band of the ratio does not hold 1.")


class Setting(Described):
    """A setting that differs."""

    name: str = said("Its name in Python.")
    a: Any = said("Of the first; null where it has none.")
    b: Any = said("Of the second.")


class HostReason(Described):
    """Why the host does an operation."""

    rule: str = said("The rule.")
    reason: str = said("The reason.")


class DifferingOperation(Described):
    """An operation of one host alone, or of both for different reasons."""

    path: str = said("Its path.")
    a: HostReason | None = said("Of the first; null where its host has none of that name.")
    b: HostReason | None = said("Of the second.")


class DiffAnswer(Described):
    """Two bundles side by side; ratios are of the second, "b", to the first, "a"."""

    schema_: Literal["neurodeploy-diff/1"] = NAME
    answer: str = said("The answer in a sentence.")
    a: ComparedSide = said("The first.")
    b: ComparedSide = said("The second.")
    same_model: bool = said("Whether both were converted from the same files.")
    host: str = said("The profile of the host.")
    figures: list[ComparedFigure] = said("Figures that both have.")
    settings: list[Setting] = said("Settings that differ.")
    operations: list[DifferingOperation] = said("Host operations that differ, where both are mapped.")
    notes: Lines = said("What could not be compared, and why.")
    out: str = may("With `out`: the file that was written.")
