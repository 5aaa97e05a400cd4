"""Arguments and options that verbs share, and those of `convert` by the kind of model that they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from targets.hosts import HOSTS
from targets.systems import SYSTEMS


def completing(names: Iterable[str]) -> Callable[[str], list[str]]:
    """What a shell offers after the beginning of one of these names."""
    every = sorted(names)

    def offered(incomplete: str) -> list[str]:
        return [name for name in every if name.startswith(incomplete)]

    return offered


SYSTEM_HELP = f"{', '.join(SYSTEMS)}; or a file of your own, .toml or .json (docs/chips.md)."
TEXT_MODELS, NIR, NET = "Language models", "Spiking networks: NIR", "Spiking networks: lava-dl .net"


Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
Model = Annotated[
    str,
    typer.Argument(
        help="A Hugging Face folder, a .gguf, a hub id, a name (see fit --list) or demo; a spiking network as .nir or .net."
    ),
]
FitModel = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL",
        help="A Hugging Face folder or its config.json, a .gguf, .nir or .net, a bundle, a hub id or a name (see --list).",
    ),
]
FitSystem = Annotated[
    str | None,
    typer.Option("--system", help=SYSTEM_HELP, show_default="all", autocompletion=completing(SYSTEMS)),
]
Chip = Annotated[
    Path | None,
    typer.Option("--chip", metavar="F.toml", help="A chip of your own in place of the system's (docs/chips.md)."),
]
BundlePath = Annotated[Path, typer.Argument(metavar="X.nd", help="A bundle made by convert.")]
Input = Annotated[
    Path | None, typer.Option("--input", help="Input of a spiking network: .npy, .npz or NIRData (.h5, .nir).")
]
Steps = Annotated[int | None, typer.Option(min=1, help="Time steps of the input to run (default: all of it).")]
Layout = Annotated[
    str | None,
    typer.Option(
        help="Axes of the input: sample-first (samples, steps, neurons) or time-first (steps, samples, neurons).",
        show_default="sample-first",
    ),
]
Probes = Annotated[list[str] | None, typer.Option("--probe", help="POPULATION.VARIABLE to record; repeatable.")]
Out = Annotated[
    Path | None, typer.Option(metavar="F.html|F.json|F.csv", help="Keep the answer: a page, all of it, or its table.")
]
Labels = Annotated[Path | None, typer.Option(help="Classes of the samples of the input, from 0: .npy, .csv or .txt.")]
Reference = Annotated[
    Path | None,
    typer.Option(help="What the framework itself computed from that input: an array for each output (.npy, .npz)."),
]
OptionalText = Annotated[Path | None, typer.Option("--text", help="A UTF-8 text file.")]
MaxTokens = Annotated[int | None, typer.Option(min=2, help="Read at most so many tokens of a text.")]
System = Annotated[str, typer.Option(help=SYSTEM_HELP, autocompletion=completing(SYSTEMS))]
Checkpoint = Annotated[Path | None, typer.Option(help="Keep the state here, while running and at the end.")]
Resume = Annotated[Path | None, typer.Option(help="Go on from this state.")]
RunnerName = Annotated[
    str,
    typer.Option(
        help="fast, reference, partitioned (executes the bundle's mapping core by core), or of spiking networks lava: the "
        "same bits; loihi2: a board, with Intel's lava-loihi."
    ),
]
Host = Annotated[str, typer.Option(help=f"Host profile: {', '.join(HOSTS)}.", autocompletion=completing(HOSTS))]
MeasureHost = Annotated[
    bool,
    typer.Option("--measure-host", help="Measure this machine, or its card, in place of the profile (RAPL, NVML)."),
]
Beside = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="Y.nd", help="Compare with this bundle of the same model and other parts of it on the chip; repeatable."
    ),
]
Compare = Annotated[
    bool, typer.Option("--compare", help="Compare with plans of what else of the model could be on the chip.")
]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]
Threads = Annotated[
    int | None, typer.Option(min=1, max=4096, envvar="NEURODEPLOY_THREADS", help="Threads (default: all cores).")
]


# --- of map
BUDGETS, SEARCH = "Budgets of a core", "Search"
Chips = Annotated[
    int | None,
    typer.Option(help="Use at most so many chips; populations that do not fit them run on the host."),
]
Offload = Annotated[
    bool | None,
    typer.Option(
        "--offload/--no-offload",
        help="With --chips, where the model does not fit: what goes to the host is meant to, status 0 (default: the same "
        "mapping, status 3); or an error and nothing on the host.",
    ),
]
Plan = Annotated[
    Path | None, typer.Option(metavar="F.csv", help="Follow this table: device, rows, blocks, chip by name.")
]
WritePlan = Annotated[Path | None, typer.Option(metavar="F.csv", help="Write the plan that was made, to be edited.")]
Pins = Annotated[
    list[str] | None,
    typer.Option("--pin", metavar="NAME=HINT", help="A hint: NAME=rows:64,blocks:1,chip:2,device:host; repeatable."),
]
MaxRows = Annotated[int | None, typer.Option(help="At most so many neurons a core.", rich_help_panel=BUDGETS)]
Caps = Annotated[
    list[str] | None,
    typer.Option(
        "--cap", metavar="NAME=PERCENT", help="Fill a budget only so far: in_axons=80; repeatable.",
        rich_help_panel=BUDGETS,
    ),
]  # fmt: skip
Spread = Annotated[
    bool, typer.Option("--spread", help="Use every core of the chips that are needed.", rich_help_panel=BUDGETS)
]
Objective = Annotated[
    str, typer.Option(help="What is made small first: cores, traffic, latency or energy.", rich_help_panel=SEARCH)
]
TimeLimit = Annotated[
    float | None, typer.Option(help="Seconds for the search; the best so far is kept.", rich_help_panel=SEARCH)
]
Place = Annotated[
    bool,
    typer.Option(
        "--place/--no-place", help="Place cores, or keep the order they were filled in.", rich_help_panel=SEARCH
    ),
]
Rates = Annotated[
    Path | None,
    typer.Option(
        "--rates", help="Input (or text, for experts) whose run is counted and kept short.", rich_help_panel=SEARCH
    ),
]
Work = Annotated[
    Path | None,
    typer.Option(
        "--work", help="Keep what stages found here; a call broken off goes on from it.", rich_help_panel=SEARCH
    ),
]


# --- of convert
Calibration = Annotated[
    Path | None,
    typer.Option(
        help="Text to calibrate on (default: embedded prose); NIR: a typical input, which sets scales; "
        "ONNX: .npy or .npz of samples."
    ),
]
Tolerance = Annotated[
    float | None,
    typer.Option(help="ONNX: refuse a bundle whose outputs are further off, relative to the largest output."),
]
State = Annotated[str | None, typer.Option(help="ONNX: inputs that are outputs of the step before: INPUT=OUTPUT,..")]
Code = Annotated[
    str | None,
    typer.Option(
        help="ONNX: how values are sent: graded, sigma_delta, rate, rate:STEPS, auto, or of some sites SITE=sigma_delta,.."
    ),
]
Loss = Annotated[
    float | None,
    typer.Option(help="ONNX: error of the outputs that a code may have, relative root mean square (default: 0.02)."),
]
WeightBits = Annotated[int | None, typer.Option(help="Width of a weight: 2 to 8 (NIR: 1 to 8, ONNX: 2 to 16).")]
Dt = Annotated[float | None, typer.Option(help="Spiking networks: seconds of a time step. NIR needs it or --source.")]
Preset = Annotated[
    str | None,
    typer.Option(
        help="default, w4, keep, a12, a8, graded-14, graded-12, graded-8, naive or quick (default: default).",
        rich_help_panel=TEXT_MODELS,
        show_default="default",
    ),
]
PayloadBits = Annotated[
    int | None, typer.Option(help="Width of an event: 8 to 24 (default: 16).", rich_help_panel=TEXT_MODELS)
]
Rounding = Annotated[
    str | None, typer.Option(help="Of weights: gptq (compensated) or nearest.", rich_help_panel=TEXT_MODELS)
]
InputRange = Annotated[
    str | None, typer.Option(help="Of events: absmax, percentile, mse or axon.", rich_help_panel=TEXT_MODELS)
]
CalibrationTokens = Annotated[
    int | None, typer.Option(help="Tokens read from the text, at least 16.", rich_help_panel=TEXT_MODELS)
]
OnChip = Annotated[
    str | None,
    typer.Option(
        help="projections (linear layers), block (norms, gates and the residual stream too), or all (attention too). "
        "Of a module or ONNX file the first two differ in norms alone; its default is block.",
        rich_help_panel=TEXT_MODELS,
    ),
]
KeptContext = Annotated[
    int | None,
    typer.Option(help="With --on-chip all: positions that a layer remembers at most.", rich_help_panel=TEXT_MODELS),
]
KvBits = Annotated[
    int | None,
    typer.Option(help="With --on-chip all: bits of a key or value, 8 or 16.", rich_help_panel=TEXT_MODELS),
]
EventShare = Annotated[
    float | None,
    typer.Option(
        help="Share of synaptic events that is left: payloads that matter least are not sent.",
        rich_help_panel=TEXT_MODELS,
    ),
]
KeepOf = Annotated[
    str | None,
    typer.Option(
        help="N:M, send only the N largest payloads of each M consecutive axons (2:4).", rich_help_panel=TEXT_MODELS
    ),
]
HeadTop = Annotated[
    int | None,
    typer.Option(
        help="The chip chooses among the logits: the ids of so many of the largest leave it (1 to 8; 0: all logits leave).",
        rich_help_panel=TEXT_MODELS,
    ),
]
Gain = Annotated[
    str | None,
    typer.Option(
        help="Meaning of r of a neuron without a leak: physical, per-step or auto (default).",
        rich_help_panel=NIR,
        show_default="auto",
    ),
]
Source = Annotated[
    str | None,
    typer.Option(
        help="Framework that wrote the file, for its step and defaults: snntorch, norse, spikingjelly or sinabs.",
        rich_help_panel=NIR,
    ),
]
Reset = Annotated[
    str | None,
    typer.Option(
        help="What a spike does: value (sets the voltage), subtract, or with --source subtract-next.",
        rich_help_panel=NIR,
    ),
]
VReset = Annotated[
    float | None,
    typer.Option(help="With --source: voltage after a spike, where the file lacks it.", rich_help_panel=NIR),
]
UnitGain = Annotated[
    bool | None,
    typer.Option(
        "--unit-gain/--no-unit-gain",
        help="With --source: an input of 1 adds 1 to the voltage (default: the framework's).",
        rich_help_panel=NIR,
    ),
]
Scheme = Annotated[
    str | None, typer.Option(help="Decay in a step: euler (default) or exponential.", rich_help_panel=NIR)
]
Compat = Annotated[
    str | None, typer.Option(help="Truncate as the published bridge from NIR: lava or lava-dl.", rich_help_panel=NIR)
]
NumLayers = Annotated[int | None, typer.Option(min=1, help="Read only the first layers.", rich_help_panel=NET)]
SkipLayers = Annotated[int | None, typer.Option(min=0, help="Leave out the first layers.", rich_help_panel=NET)]
InputMessageBits = Annotated[
    int | None, typer.Option(min=0, max=32, help="Bits of an input's payload; 0: spikes.", rich_help_panel=NET)
]
InputShape = Annotated[
    str | None, typer.Option(metavar="X,Y,C", help="Shape of the input, where no layer says it.", rich_help_panel=NET)
]
ResetInterval = Annotated[
    int | None, typer.Option(min=1, help="Steps between resets of all LIF states.", rich_help_panel=NET)
]
ResetOffset = Annotated[int | None, typer.Option(min=0, help="Steps before the first reset.", rich_help_panel=NET)]
SpikeExp = Annotated[
    int | None,
    typer.Option(min=0, max=15, help="Fractional bits of sigma-delta payloads (netx: 6).", rich_help_panel=NET),
]
