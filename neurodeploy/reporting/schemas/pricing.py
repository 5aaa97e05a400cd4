"""Answers of the verbs that price a model: energy and fit."""

from __future__ import annotations

from typing import Any, Literal

from neurodeploy.reporting.schemas.parts import (
    NAME,
    Count,
    Described,
    JsonBand,
    Lines,
    RunCounts,
    UnitCostBand,
    may,
    said,
)


class AccountEntry(Described):
    """One line of the ledger: how often an event happens in a token (sample, step), and what it costs."""

    device: str = said("Who does it.")
    component: str = said("The part that it belongs to.")
    event: str = said("What happens.")
    boundary: Literal["rails", "chip", "board", "wall"] = said("The innermost boundary that holds it.")
    layer: int | None = said("The layer; null where it belongs to none.")
    count: float = said("Events a token.")
    counting: str = said("Whether they are counted, or how they are known.")
    basis: str = said("Of the price: measured, published, derived or guessed.")
    unit_cost: UnitCostBand = said("Of one event.")
    joules: JsonBand = said("Joules a token.")
    source: str = said("Where the price is from.")


class PoweredChips(Described):
    """Chips that draw power, and those that hold a shard."""

    powered: Count = said("Chips that draw power.")
    used: Count = said("Chips that hold a shard.")


class EnergyPhase(Described):
    """Joules and seconds of one phase, modelled. "Token" reads sample or time step where `unit` says so."""

    phase: str = said("Its name.")
    unit: str = may("Of a spiking network: what the figures are of.")
    system: str = said("The system.")
    host: str = said("The profile of the host.")
    tokens: Count = said("Tokens (samples, steps) that were counted.")
    joules_per_token: dict[str, JsonBand | None] = said("Joules of a token, by boundary: rails, chip, board, wall.")
    seconds_per_token: JsonBand = said("Seconds of a token.")
    tokens_per_s: float = said("Tokens a second, nominal.")
    first_token_seconds: JsonBand | None = said(
        "Seconds from the prompt's start to its first token; null but for prefill."
    )
    edp_joule_seconds: dict[str, JsonBand | None] = said("Joules times seconds of a token, by boundary.")
    steps_counting: str = said("Whether the longest core of each step was counted, or how time is known.")
    seconds_at_most: JsonBand | None = said("Seconds, the most that the counts allow; null where steps were counted.")
    bound_by: str = said("What takes the time.")
    seconds_split: dict[str, float] = said("Seconds by what takes them.")
    chips: PoweredChips = said("Chips.")
    cores_used: Count = said("Cores that hold a shard.")
    static_dynamic_io_split: dict[str, JsonBand] = said("Joules of a token, by kind.")
    by_component: dict[str, JsonBand] = said("Joules of a token, by component.")
    by_layer: dict[str, JsonBand] = said("Joules of a token, by layer.")
    entries: list[AccountEntry] = said("The ledger; its joules add up to those at the wall.")
    assumptions: Lines = said("What is assumed.")
    not_modelled: Lines = said("What is left out.")
    what_if: dict[str, Any] = may("What changes of the system would save (docs/energy.md).")
    without_chip: dict[str, Any] = may("The same work on the host alone, and whether the chip pays (docs/energy.md).")


class EnergyAnswer(RunCounts):
    """What `energy` accounted for: prefill and generation of a language model, step and sample of a spiking network."""

    schema_: Literal["neurodeploy-energy/2"] = NAME
    open_questions: Lines = said("What the input leaves open.")
    boundaries: dict[str, str] = said("What each boundary holds.")
    prefill: EnergyPhase | None = may("Of a language model: a token of the prompt; null where none was read.")
    generate: EnergyPhase | None = may("Of a language model: a token that is generated; null where none was.")
    step: EnergyPhase = may("Of a spiking network: the mean step.")
    sample: EnergyPhase = may("Of a spiking network: a sample.")
    phases_per_step: Count = may("Of a spiking network: parts of a step that follow one another.")
    busiest_cores: list[dict[str, float]] = may("Of a spiking network: what the cores that take longest do in a step.")
    assumptions: Lines = said("Of all phases.")
    not_modelled: Lines = said("Of all phases.")
    metrics: dict[str, Any] | None = said("By the names of NeuroBench.")
    proxies: list[dict[str, Any]] = said("Figures of the literature for the same counts, in no sum.")
    input: str = said("Name of what was read.")
    unit: Literal["token", "step"] = said("Of what `steps` are.")
    steps: Count = said("Tokens of the prompt, or time steps of a sample.")
    samples: Count = said("Samples; 1 of a text.")
    notes: Lines = said("How the input was read.")
    prefill_tokens: Count = may("Of a language model: tokens of the prompt.")
    generated_tokens: Count = may("Of a language model: tokens that were generated.")
    text: dict[str, str] | None = said("Of a language model: the end of the prompt and what was generated.")
    system: str = said("The system.")
    system_file: dict[str, str] = may("Of a system of the user's own: the file, and the sha256 of what it says.")
    host: str = said("The profile of the host.")
    variants: list[dict[str, Any]] = may("With `beside` or `compare`: a row for what of the model is on the chip.")


class FitProblem(Described):
    """Why a row does not fit."""

    layer: str = said("What is too large.")
    resource: str = said("Of what there is too little.")
    need: str = said("How much it needs.")
    limit: str = said("How much there is.")
    remedy: str = said("What would help.")


class FitRow(Described):
    """One system at one width."""

    system: str = said("The system.")
    chip: str = said("Its chip.")
    bits: Count = said("Bits of a weight.")
    memory_kib: int | None = said("KiB of synaptic memory of a core where another size is tried.")
    chips_available: Count = said("Chips that may be used.")
    system_chips: Count = said("Chips that the system has.")
    fits: bool = said("Whether it fits.")
    chips: int | None = said("Chips of the whole model, head included; null where one core or chip cannot hold a part.")
    head: Literal["chip", "host"] | None = said("Where the vocabulary head is; null where there is none.")
    chips_without_head: Count = may("Chips of its body. Absent, as are all below, where `chips` is null.")
    cores: Count = may("Cores of the whole model.")
    cores_without_head: Count = may("Cores of its body.")
    cores_lower_bound: Count = may("Cores that no mapping can do without.")
    cores_lower_bound_without_head: Count = may("The same of its body.")
    head_cores: Count = may("Cores of the head.")
    binding_resource: str = may("The budget that the bound comes from.")
    chips_used: Count = may("Chips of the plan.")
    cores_used: Count = may("Cores of the plan.")
    widest: str = may("The largest layer.")
    prefill: dict[str, Any] = may("Of a language model that fits: J and s a token of the prompt.")
    generate: dict[str, Any] = may("Of a language model that fits: J and s a token that is generated.")
    error: dict[str, str] = may("Where `chips` is null: the error of the mapper.")
    problem: FitProblem = may("Where it does not fit.")


class FitAnswer(Described):
    """Whether a model would fit, from its configuration alone."""

    schema_: Literal["neurodeploy-fit/2"] = NAME
    model: str = said("What was asked about.")
    fits: bool = said("Whether it fits a system that was asked about.")
    answer: str = said("The answer in a line.")
    kind: Literal["language model", "spiking network"] = said("What it is.")
    name: str = said("Its name.")
    on_chip: dict[str, Any] | None = said("Of a language model: what is on the chip.")
    assumed: dict[str, Any] | None = said(
        "Of a language model: activity (a share of 1), its source, tokens of context."
    )
    host: str = said("The profile of the host.")
    plans: list[dict[str, Any]] = said("Cores and chips of each width beside their bounds.")
    rows: list[FitRow] = said("Each system at each width.")
    chip_plan: dict[str, Any] | None = said("Which chips hold what.")
    fallback: dict[str, Any] | None = said("Where nothing fits: what the host would take over, and at what price.")
    assumptions: Lines = said("What is assumed.")
    notes: Lines = said("What holds for every plan.")
    out: str = may("With `out`: the file that was written.")
    family: str = may("Of a language model.")
    source: str = may("Of a language model: where the configuration is from.")
    layers: Count = may("Of a language model.")
    weights: dict[str, Any] = may("Of a language model: parameters by part.")
    classes: list[dict[str, Any]] = may("Of a language model: kinds of layers.")
    left_out: Lines = may("Of a language model: parts that no text passes through.")
    dt_s: float | None = may("Of a spiking network: seconds of a time step.")
    neurons: Count = may("Of a spiking network.")
    populations: Count = may("Of a spiking network.")
    synapses: Count = may("Of a spiking network.")
    projections: Count = may("Of a spiking network.")
