"""Verbs that make something of a model: convert, fit, map, explore."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from neurodeploy.cli import options as given
from neurodeploy.cli.app import execute
from neurodeploy.errors import DoesNotFit, UserError


def convert(
    model: given.Model,
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write, by custom NAME.nd.")],
    calibration: given.Calibration = None,
    tolerance: given.Tolerance = None,
    state: given.State = None,
    code: given.Code = None,
    loss: given.Loss = None,
    weight_bits: given.WeightBits = None,
    dt: given.Dt = None,
    preset: given.Preset = None,
    payload_bits: given.PayloadBits = None,
    rounding: given.Rounding = None,
    input_range: given.InputRange = None,
    calibration_tokens: given.CalibrationTokens = None,
    on_chip: given.OnChip = None,
    context: given.KeptContext = None,
    kv_bits: given.KvBits = None,
    events: given.EventShare = None,
    keep_of: given.KeepOf = None,
    head_top: given.HeadTop = None,
    gain: given.Gain = None,
    source: given.Source = None,
    reset: given.Reset = None,
    v_reset: given.VReset = None,
    unit_gain: given.UnitGain = None,
    scheme: given.Scheme = None,
    layout: given.Layout = None,
    compat: given.Compat = None,
    num_layers: given.NumLayers = None,
    skip_layers: given.SkipLayers = None,
    input_message_bits: given.InputMessageBits = None,
    input_shape: given.InputShape = None,
    reset_interval: given.ResetInterval = None,
    reset_offset: given.ResetOffset = None,
    spike_exp: given.SpikeExp = None,
    as_json: given.Json = False,
) -> None:
    """Turn a checkpoint or a spiking network into a bundle of integers."""
    execute("convert", {**locals(), "input_shape": _sides(input_shape)})


def _sides(text: str | None) -> tuple[int, ...] | None:
    """ "200,66,3" as integers."""
    try:
        return None if text is None else tuple(int(side) for side in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no shape such as 200,66,3", param_hint="--input-shape") from None


def fit(
    model: given.FitModel = None,
    list_: Annotated[bool, typer.Option("--list", help="Print the models that need no file.")] = False,
    system: given.FitSystem = None,
    chip: given.Chip = None,
    bits: Annotated[
        list[int] | None, typer.Option(help="Width of a weight, 1 to 8; repeatable (default: 8, 4, 2).")
    ] = None,
    chips: Annotated[int | None, typer.Option(help="Use at most so many chips.")] = None,
    context: Annotated[
        int | None,
        typer.Option(
            help="Tokens before the one that is priced (default: 1024); what a layer remembers at most (2048)."
        ),
    ] = None,
    activity: Annotated[float | None, typer.Option(help="Fraction of activations that are not zero.")] = None,
    host: given.Host = "cpu-generic",
    memory_kib: Annotated[
        list[int] | None, typer.Option(help="Try so many KiB of synaptic memory a core too; repeatable.")
    ] = None,
    head: Annotated[str, typer.Option(help="The vocabulary projection: on the chip, the host, or auto.")] = "auto",
    dt: given.Dt = None,
    generic: Annotated[bool, typer.Option("--generic", help="Take an unknown family for Llama's.")] = False,
    on_chip: given.OnChip = None,
    kv_bits: given.KvBits = None,
    out: given.Out = None,
    as_json: given.Json = False,
) -> None:
    """Would it fit, on which system, at what price: from a configuration alone, no weights. Exit 3 where it does not."""
    if list_:
        execute("fit_models", {"as_json": as_json})
        return
    if model is None:
        raise typer.BadParameter("give a file, a folder, or a name of --list", param_hint="MODEL")
    asked = {name: value for name, value in locals().items() if name != "list_"}
    found = execute("fit", asked | {"bits": bits or (8, 4, 2), "memory_kib": memory_kib or ()})
    if not found["fits"]:
        raise typer.Exit(DoesNotFit.exit_status)


def map_(
    bundle: given.BundlePath,
    system: given.System = "kapoho-point",
    chip: given.Chip = None,
    chips: given.Chips = None,
    offload: given.Offload = None,
    plan: given.Plan = None,
    write_plan: given.WritePlan = None,
    pins: given.Pins = None,
    objective: given.Objective = "cores",
    seed: given.Seed = 0,
    time_limit: given.TimeLimit = None,
    max_rows: given.MaxRows = None,
    caps: given.Caps = None,
    spread: given.Spread = False,
    place: given.Place = True,
    work: given.Work = None,
    host: given.Host = "cpu-generic",
    rates: given.Rates = None,
    steps: given.Steps = None,
    layout: given.Layout = None,
    as_json: given.Json = False,
) -> None:
    """Split the islands over cores and chips within every budget, and verify the result independently.

    With --chips, populations that do not fit so many chips are left to the host: it fits partly, exit 3
    unless --offload or a plan asked for it.
    """
    found = execute("map", {**locals(), "offload": offload is not False, "caps": _caps(caps or ())})
    unasked = bool((found.get("offload") or {}).get("unasked")) and not offload
    if found["violations"] or unasked:
        raise typer.Exit(DoesNotFit.exit_status)


def explore(
    model: given.Model,
    over: Annotated[
        list[str],
        typer.Option(
            metavar="AXIS=A,B",
            help="An option of convert or map and its values; names alone, preset,system, take all usual ones; repeatable.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The HTML file; CSV and JSON go beside it.")] = Path("explore.html"),
    work: Annotated[
        Path | None, typer.Option(help="Folder of finished stages, to go on from (default: --out with .work).")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="Compute so many points of the grid, drawn by --seed (default: all).")
    ] = None,
    seed: given.Seed = 0,
    jobs: Annotated[int | None, typer.Option(help="Processes, each on one thread (default: one a core).")] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="local|ADDRESS", help="Run on a Ray cluster: one on this machine, or that one."),
    ] = None,
    text: given.OptionalText = None,
    input: given.Input = None,
    calibration: given.Calibration = None,
    max_tokens: given.MaxTokens = None,
    with_float: Annotated[bool, typer.Option("--float/--no-float", help="Run the float model beside it.")] = True,
    prompt_tokens: Annotated[int | None, typer.Option(help="Tokens of the prompt that is priced.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens to generate (default: 16).")] = None,
    steps: given.Steps = None,
    layout: given.Layout = None,
    host: given.Host = "cpu-generic",
    powered: Annotated[str, typer.Option(help="Chips that draw power, as of energy.")] = "used",
    as_json: given.Json = False,
) -> None:
    """Convert, evaluate, map and price over a grid of options: loss against joules against chips, with the front."""
    execute("explore", locals())


def _caps(texts: Sequence[str]) -> dict[str, int]:
    """ "in_axons=80" as a percentage; whether there is such a budget is for the mapper to say."""
    found: dict[str, int] = {}
    for text in texts:
        name, _, percent = text.partition("=")
        if not (percent.isascii() and percent.isdigit() and len(percent) < 4) or name in found:
            problem = f"{text[:80]!r} is no cap, or the second of this budget"
            raise UserError("ND2070", "--cap", problem, "write RESOURCE=PERCENT, once for each: --cap synapse_bytes=90")
        found[name] = int(percent)
    return found


VERBS = {"convert": convert, "fit": fit, "map": map_, "explore": explore}
