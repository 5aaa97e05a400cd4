"""Answers of the verbs that check or collect: explain, verify, doctor, report, demo."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import RootModel

from neurodeploy.reporting.schemas.making import ConvertAnswer, MapAnswer
from neurodeploy.reporting.schemas.parts import NAME, Count, Described, ExecutedMapping, Lines, WidthCounts, may, said
from neurodeploy.reporting.schemas.pricing import EnergyAnswer
from neurodeploy.reporting.schemas.running import EvalAnswer, GenerateAnswer


class ExplainedOperation(Described):
    """Where one operation or population runs, and why."""

    path: str = said("Its name; populations begin with populations.")
    op: str = said("Its kind, or the neuron model.")
    device: Literal["chip", "host"] = said("Where it runs.")
    rule: str = said("The rule that says so.")
    reason: str = said("Why that is so.")
    remedy: str = said("What would put it on the chip; empty where it is there.")
    bytes_per_token: float = said("Bytes over the host border a token, or a step of a spiking network.")
    crossings_per_token: float = said("Crossings of its segment, told with the segment's first population.")
    steps_per_token: float = said("Steps of the chip of its segment, told likewise.")
    widths: Lines = said("Of a population: each width in bits, proven or calibrated.")


class ExplainAnswer(RootModel[list[ExplainedOperation]]):
    """Every operation or population, in order."""


class VerifyAnswer(Described):
    """What `verify` checked. Damage and differences are errors; only a mapping beyond its budgets is an answer."""

    schema_: Literal["neurodeploy-verify/1"] = NAME
    bundle: str = said("The bundle.")
    members: Count = said("Files with the digests of the manifest.")
    layers_read_by_nir: Count = said("Linear layers and parts that plain nir.read reads as the same integers.")
    source_read_by_nir: bool | None = said("Whether nir.read reads the float network; null where there is none.")
    golden_steps: Count = said("Time steps of the golden vectors.")
    widths: WidthCounts = said("Widths of numbers.")
    golden_vectors: dict[str, Count] = said("Outputs with the same bits, by runner.")
    mapped: bool = said("Whether there is a mapping.")
    executed: ExecutedMapping | None = said("What of it was executed; null where nothing was.")
    violations: Lines = said("Budgets that the mapping exceeds.")


class MeasuredProduct(Described):
    """An exact product of integers on this machine: speeds in 1e9 multiply-adds a second by rows and bits of a payload."""

    is_: str = said("What it is.", alias="is")
    exact: bool = said("Whether it was exact on extreme and random values.")
    few_8: float = may(
        "Few rows, payloads of 8 bits. Absent, as are all below, where it is none.", alias="few-8 GMAC/s"
    )
    few_16: float = may("Few rows, payloads of 16 bits.", alias="few-16 GMAC/s")
    many_8: float = may("Many rows, payloads of 8 bits.", alias="many-8 GMAC/s")
    many_16: float = may("Many rows, payloads of 16 bits.", alias="many-16 GMAC/s")


class DoctorAnswer(Described):
    """What this machine has."""

    schema_: Literal["neurodeploy-doctor/1"] = NAME
    neurodeploy: str = said("Version, or that it runs from a checkout.")
    python: str = said("Version.")
    platform: str = said("Of the operating system.")
    cores: int | None = said("Processor cores.")
    torch_threads: Count = said("Threads that torch takes.")
    cuda: bool = said("Whether torch has a CUDA card.")
    versions: dict[str, str | None] = said("Of libraries; null where one is not installed.")
    instructions: str = said("Instructions that are used.")
    integer_products: dict[str, MeasuredProduct] = said("By name.")
    fastest_product: dict[str, str] = said("By rows and bits of a payload.")
    power_counters: Lines | str = said("Counters of power, or why there is none.")
    card_counter: str = said("The card whose power can be read, or why there is none.")
    boards: dict[str, str] = said("What drives a board, or what is missing.")
    simulators: dict[str, str] = said("Simulators of others, or what is missing.")
    models: dict[str, str] = said("Models that come as packages.")


class ReportAnswer(RootModel[list[str]]):
    """Paths of the files that `report` wrote, the page first; what the JSON file holds stands in docs/report.md."""


class FitModelsAnswer(RootModel[dict[str, str]]):
    """Names that `fit` knows without a file (``fit --list``): what each is and where its configuration is from."""


class DemoOfOne(Described):
    """The verbs on the embedded model with so much of it on the chip."""

    convert: ConvertAnswer = said("See the schema of that verb, as of all of these.")
    map: MapAnswer = said("What map returned.")
    explain: list[ExplainedOperation] = said("What explain returned.")
    verify: VerifyAnswer = said("What verify returned.")
    eval: EvalAnswer = said("What eval returned.")
    generate: GenerateAnswer = said("What generate returned.")
    energy: EnergyAnswer = said("What energy returned.")


class DemoAnswer(DemoOfOne):
    """The whole chain on the embedded model: projections on the chip, and once more with blocks and with all there."""

    schema_: Literal["neurodeploy-demo/1"] = NAME
    block: DemoOfOne = said("With its blocks on the chip.")
    all: DemoOfOne = said("With everything there.")
    report: list[str] = said("Paths of the files of the report.")
    compared: list[dict[str, Any]] = said("A row for what of the model is on the chip.")
    same_text: dict[str, bool] = said("Whether the others continue the prompt as the first does.")
    host: dict[str, Lines] = said("Operations that are left to the host.")


class ExploreAnswer(Described):
    """What `explore` found over a grid of options."""

    schema_: Literal["neurodeploy-explore/1"] = NAME
    answer: str = said("The answer in a sentence.")
    model: str = said("What was explored.")
    kind: str = said("Its kind.")
    data: str | None = said("Name of the file that it was run on; null where none was.")
    loss_is: str = said("What the loss of a row is.")
    relative: bool = said("Whether `loss_change` is relative to the float model.")
    float_loss: float | None = said("The loss of the float model; null where it has none.")
    unit: str | None = said("What joules and seconds are of: a token, or a sample; null where nothing was priced.")
    host: str = said("Profile of the host.")
    powered: str | int = said("Chips that are powered.")
    over: dict[str, list[Any]] = said("Values of each axis.")
    chosen: str = said("How points were chosen of the grid.")
    rows: list[dict[str, Any]] = said(
        "A point each: axes, loss, joules at board and wall with bands, seconds, chips, front."
    )
    paths: Any = said("Files that were written.")
    stages: dict[str, Any] = said("Work folder, stages computed and taken from it, notes.")
