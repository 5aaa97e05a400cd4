"""Answers of the verbs that run a model: run, generate, eval."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import RootModel

from neurodeploy.reporting.schemas.parts import (
    NAME,
    Count,
    Described,
    ExecutedMapping,
    Lines,
    RunCounts,
    Share,
    may,
    said,
)


class OutputOfRun(Described):
    """What an output of a spiking network sent, with neurons in the order of the source."""

    messages: list[Count] = said("Payloads that are not zero, by sample.")
    most_active: list[Count] = said("The neuron with the largest sum, by sample.")
    last: list[list[int]] = said("Last payloads of the first neurons, by sample.")
    graded: bool = said("Whether payloads have sizes; spikes otherwise.")
    latency: int | None = said("Steps by which it is later than in the source; null where no source says.")
    unit: float | None = said("The real number that a payload of 1 stands for; null where no source says.")


class RunAnswer(RunCounts):
    """What `run` counted. The fields from `open_questions` on are of a spiking network."""

    schema_: Literal["neurodeploy-run/1"] = NAME
    model: str = said("Name of the model.")
    runner: str = said("Who ran it.")
    unit: Literal["token", "step"] = said("Of what `steps` are.")
    steps: Count = said("Tokens, or time steps of each sample.")
    samples: Count = said("Samples; 1 of a text.")
    executed: ExecutedMapping = may("With the runner partitioned.")
    open_questions: Lines = may("What the input leaves open.")
    first_step: Count = may("The first step that ran, from 1; later where a state was resumed.")
    outputs: dict[str, OutputOfRun] = may("By name.")
    notes: Lines = may("How the input was read.")
    seconds: float = may("Wall seconds of the simulation.", ge=0)
    steps_per_s: float | None = may("Steps of all samples a second of simulation.")
    out: str | None = may("The file of outputs and probes.")
    checkpoint: str | None = may("The file of the state.")
    board: dict[str, Any] = may("With the runner loihi2: what the board measured (docs/board.md).")
    measured: str | None = may("With the runner loihi2: the file of measurements.")


class Parting(Described):
    """What the float model wrote after the same prompt."""

    text: str = said("What it wrote.")
    tokens: list[Count] = said("Ids of its tokens.")
    first_difference: int | None = said("Index of the first token that differs; null where none does.")
    float_margin_there: float | None = said("Margin of the float model there, in logits.")


class GenerateAnswer(Described):
    """What `generate` wrote."""

    schema_: Literal["neurodeploy-generate/1"] = NAME
    prompt: str = said("What it continued.")
    text: str = said("What it wrote.")
    tokens: list[Count] = said("Ids of the new tokens.")
    margins: list[float | None] = said("Largest logit less the second, by token; null where that is not finite.")
    stopped: str = said("Why it ended.")
    seed: int = said("What random choices were drawn from.")
    checkpoint: str | None = said("The file of the state.")
    saturations: Count = said("Values that were clipped.")
    executed: ExecutedMapping = may("With the runner partitioned.")
    float_: Parting = may("With `compare_float`.", alias="float")


class TextScore(Described):
    """How well one model predicts a text."""

    bits_per_byte: float = said("Bits a byte of text.")
    perplexity: float = said("Perplexity a token.")
    tokens_per_s: float = said("Tokens a second of simulation, the first window left aside.")
    nats: float = said("Nats of all tokens.")


class EvalOfText(Described):
    """How a language model compares with its float model."""

    schema_: Literal["neurodeploy-eval/1"] = NAME
    model: str = said("Name of the model.")
    runner: str = said("Who ran it.")
    text: str = said("Name of the text.")
    tokens: Count = said("Tokens that were predicted.")
    bytes: Count = said("Bytes of them.")
    window: Count = said("Tokens that are read at once.")
    float_: TextScore | None = said("The float model; null where it was left out.", alias="float")
    chip: TextScore = said("The integers.")
    bits_per_byte_change: float | None = said("Relative change, chip against float.")
    kl_per_token: float | None = said("Divergence from the float model, in nats a token.")
    top1_agreement: Share | None = said("Share of tokens whose most likely successor is the same.")
    saturations: Count = said("Values that were clipped.")
    windows_resumed: Count = said("Windows that an earlier call had finished.")
    notes: Lines = said("What else there is to know.")
    affinity: dict[str, float] = may("Of a mixture of experts mapped with `rates`: how far this text is from that one.")
    executed: ExecutedMapping = may("With the runner partitioned.")


class ComparedOutput(Described):
    """One output against what it is compared with. A bin is a neuron in a step of a sample."""

    population: str = said("Its name.")
    latency: Count = said("Steps by which the chip is later, and was moved.")
    chip_spikes: float = said("Messages, or the sum of payloads.")
    differing: Count = said("Bins that differ.")
    compared: Count = said("Bins that were compared.")
    first_difference: int | None = said("The first step that differs.")
    graded: bool = said("Whether payloads have sizes.")
    worst: float = said("Largest difference: of spikes in spikes, of values as a share of the largest.")
    rate_error: float = said("Largest difference of rates, in messages a step.")
    same_decision: Count = said("Samples with the same neuron of the largest sum.")
    chip_correct: int | None = said("With labels: samples that the chip has right.")


class AgainstFloat(ComparedOutput):
    """Against the float network of the bundle."""

    float_spikes: float = said("Messages of the float network.")
    float_correct: int | None = said("With labels: samples that it has right.")
    early: Count = said("Messages before the latency was over.")


class AgainstReference(ComparedOutput):
    """Against what the framework itself computed."""

    reference_spikes: float = said("Messages of the reference.")
    reference_correct: int | None = said("With labels: samples that it has right.")
    float_differing: int | None = said("Bins in which our float network differs from it.")
    float_worst: float | None = said("Their largest difference.")


class EvalOfStream(Described):
    """How a spiking network compares with its float network, and with a reference."""

    schema_: Literal["neurodeploy-eval/1"] = NAME
    model: str = said("Name of the model.")
    runner: str = said("Who ran it.")
    against: str = said("What it is compared with.")
    open_questions: Lines = said("What file and input leave open.")
    losses: Lines = said("What rounding lost entirely.")
    steps: Count = said("Time steps of a sample.")
    samples: Count = said("Samples.")
    labels: str | None = said("Name of the file of classes.")
    reference: list[AgainstReference] | None = said("With `reference`: each output.")
    comparison: list[AgainstFloat] = said("Each output against float.")
    notes: Lines = said("How the input was read.")
    executed: ExecutedMapping = may("With the runner partitioned.")


class EvalAnswer(RootModel[EvalOfText | EvalOfStream]):
    """How the integers compare with the float model: of a text, or spike by spike."""
