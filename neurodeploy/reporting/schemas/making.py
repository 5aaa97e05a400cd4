"""Answers of the verbs that make something: convert, map, export, calibrate."""

from __future__ import annotations

from typing import Any, Literal

from neurodeploy.reporting.schemas.parts import (
    NAME,
    Count,
    Described,
    JsonBand,
    Lines,
    Share,
    WidthCounts,
    may,
    said,
)


class WeakSite(Described):
    """A linear layer whose rounding is among the worst."""

    path: str = said("Its name in the model.")
    output_sqnr_db: float = said("Signal to rounding at its output, in dB.")


class WorstError(Described):
    """A parameter of a spiking network whose rounding is among the worst."""

    where: str = said("Population or projection.")
    parameter: str = said("Its name.")
    absolute: float = said("Largest error, in the unit of the parameter.")
    relative: float | None = said("The same as a share of the value; null where that is zero.")


class BitsAWeight(Described):
    """Bits of a weight in the mean, with the constants that weights share."""

    body: float = said("Without the vocabulary head.")
    with_head: float = said("With it.")


class ConvertAnswer(Described):
    """What `convert` made. Of a spiking network the fields from `open_questions` to `worst_errors` are there, of a language
    model those from `preset` on, of a module or an ONNX file `multiply_adds`, `on_host` and `check`."""

    schema_: Literal["neurodeploy-convert/1"] = NAME
    bundle: str = said("Folder of the bundle.")
    model: str = said("Name of the model.")
    family: str = said('Its family: "NIR", "lava-dl", or that of a language model.')
    dt_s: float | None = said("Seconds of a time step; null where the network has none.")
    neurons: Count = said("Neurons.")
    populations: Count = said("Populations.")
    synapses: Count = said("Synapses, those of shared kernels counted one by one.")
    projections: Count = said("Projections.")
    warnings: Lines = said("Every repair and approximation.")
    seconds: float = said("Wall seconds that it took.", ge=0)
    open_questions: Lines = may("Of a spiking network: what the file leaves open.")
    losses: Lines = may("Of a spiking network: what rounding lost entirely.")
    command_as_meant: str | None = may(
        "Of a spiking network: the command that answers the questions; null where none is."
    )
    inputs: dict[str, list[Count]] = may("Of a spiking network: shape of each input in the order of the source.")
    outputs: dict[str, list[Count]] = may("Of a spiking network: shape of each output.")
    worst_errors: list[WorstError] = may("Of a spiking network: at most eight, the worst first.")
    states: dict[str, str] = may(
        "Of a module or an ONNX file with `--state`: the output that each of these inputs is next."
    )
    multiply_adds: dict[str, Any] = may(
        "Of a module or an ONNX file: those of one sample on the chip and on the host, and the share on the chip."
    )
    payloads: dict[str, dict[str, Count]] = may(
        "Of a module or an ONNX file: numbers of a sample that populations send by their bits, those that weights multiply "
        "and the others."
    )
    on_host: list[dict[str, Any]] = may(
        "Of a module or an ONNX file: what the host does, each with its line and a reason."
    )
    codes: dict[str, Any] | None = may(
        "Of a module or an ONNX file with `--code`: the code that was chosen and all that were tried, with loss, synaptic "
        "events, messages and, of auto, joules; the bound of the loss."
    )
    check: dict[str, Any] = may("Of a module or an ONNX file: the chip beside the original on the samples.")
    preset: dict[str, Any] = may("Of a language model: every setting of the conversion by its name in Python.")
    sites: Count = may("Of a language model: linear layers that were converted.")
    bits_a_weight: BitsAWeight = may("Of a language model with weights.")
    synaptic_events_sent: Share = may("Of a language model with weights: share of events sent on the calibration text.")
    resumed: Count = may("Of a language model: projections that an earlier run had finished.")
    calibration: dict[str, Any] = may("Of a language model: name, sha256 and number of tokens of the text.")
    wide_axons: Count = may("Of a language model: axons that carry the wide exponent.")
    worst_sites: list[WeakSite] = may("Of a language model: at most five, the weakest first.")


class Moved(Described):
    """Traffic of one kind in a token, or in a time step in which every neuron sends."""

    messages: float = said("Messages of 32 bits.", ge=0)
    bytes: float = said("Their bytes.", ge=0)


class BudgetUse(Described):
    """How full one budget of the used cores is."""

    mean: float | None = said("Share of the limit, mean over used cores; null where the limit is not public.")
    max: float | None = said("The same of the fullest core.")
    mean_used: float = said("What a core uses in the mean: a count, or bytes where the name says so.")
    max_used: float = said("The same of the fullest core.")
    limit: float | None = said("What a core has; null where that is not public.")


class HostOperation(Described):
    """What stays on the host, with the reason."""

    path: str = said("The operation or population.")
    op: str = said("Its kind.")
    rule: str = said("The rule that puts it there.")
    reason: str = said("Why that is so.")
    bytes_per_token: float = said("Bytes over the host border a token or step.")


class MapAnswer(Described):
    """How `map` placed a model. Of a spiking network "token" reads time step, one in which every neuron sends."""

    schema_: Literal["neurodeploy-map/1"] = NAME
    system: str = said("The system.")
    system_file: dict[str, str] = may("Of a system of the user's own: the file, and the sha256 of what it says.")
    fits: bool = said("Whether everything that can be is on the chips.")
    verdict: Literal["fits", "partly", "does not fit"] = said(
        "The same in a word; partly: the host takes what has no room."
    )
    host_islands: Count = said("Islands or populations that are left to the host.")
    chips_used: Count = said("Chips in use.")
    chips_available: Count = said("Chips that may be used.")
    cores_used: Count = said("Cores in use.")
    cores_available: Count = said("Cores of the chips that may be used.")
    cores_lower_bound: Count = said("Cores that no mapping can do without.")
    binding_resource: str = said("The budget that the bound comes from.")
    shards: Count = said("Shards.")
    violations: Lines = said("Budgets that are exceeded; empty where the mapping holds.")
    host_ops: list[HostOperation] = said("What stays on the host.")
    unknown_limits: Lines = said("Budgets whose limit is not public.")
    islands: Count = said("Islands (linear layers) or populations.")
    border_bytes_per_token: float = said("Bytes over the host border a token.", ge=0)
    traffic_per_token: dict[str, Moved] = said("By kind of traffic.")
    utilisation: dict[str, BudgetUse] = said("By budget of a core.")
    metrics: dict[str, Any] | None = said("Quality of the mapping beside bounds and null models (docs/mapping.md).")
    widths: WidthCounts = said("Widths of numbers.")
    crossings_per_token: float = said("Crossings of the host border a token.", ge=0)
    steps_per_token: float = said("Steps of the chip a token.", ge=0)
    unit: Literal["time step"] = may("Of a spiking network.")
    populations: list[dict[str, Any]] = may("Of a spiking network: each population with its cores and bytes.")
    offload: dict[str, Any] | None = may("What was left to the host and what it costs; null where nothing was.")
    rates: dict[str, Any] = may("With `rates`: what was run and counted first.")
    open_questions: Lines = may("With `rates` of a spiking network: what the input leaves open.")
    plan: str = may("With `write_plan`: the file that was written.")


class ExportAnswer(Described):
    """What `export` wrote."""

    schema_: Literal["neurodeploy-export/1"] = NAME
    file: str = said("The file or folder.")
    format: Literal["nir", "net", "parts", "lava", "sanafe"] = said("Its format.")
    what: str = said("What it holds.")
    bytes: Count = said("Bytes of all files.")
    notes: Lines = said("What the format cannot say.")


class CalibratedFigure(Described):
    """One measured figure beside the account before and after."""

    name: str = said("Name of the run.")
    phase: str = said("Its phase.")
    quantity: Literal["joules", "watts", "seconds", "first_token_seconds"] = said(
        "What was measured; the unit follows."
    )
    boundary: str | None = said("The boundary of joules or watts; null of times.")
    part: str = said("Static, dynamic, or all of it.")
    measured: float = said("In J, W or s, of a token or sample.")
    before: float = said("The account with the coefficients before.")
    after: float = said("The account with those that were fitted.")
    error_before: float = said("Relative error of the account before.")
    error_after: float = said("Relative error after.")


class CalibratedCoefficient(Described):
    """A coefficient that changed."""

    name: str = said("Its name.")
    unit: str = said('"J", "s", "W" or "1".')
    shrunk: float = said("Width of the band after as a share of that before.")
    before: JsonBand = said("In its unit.")
    after: JsonBand = said("In its unit.")


class CalibrateAnswer(Described):
    """How `calibrate` fitted the coefficients of a chip."""

    schema_: Literal["neurodeploy-calibrate/1"] = NAME
    out: str = said("The file of coefficients.")
    chip: str = said("The chip.")
    figures: Count = said("Figures that were measured.")
    missed: float = said("Root of the mean square of what is left, in standard deviations of the figures.")
    rows: list[CalibratedFigure] = said("Every figure.")
    coefficients: list[CalibratedCoefficient] = said("Those that changed, the most certain first.")
