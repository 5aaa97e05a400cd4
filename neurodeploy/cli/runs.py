"""Verbs that run a model: run, generate, eval, energy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from neurodeploy import pipeline
from neurodeploy.cli import common, endings
from neurodeploy.cli import options as given
from neurodeploy.cli.app import execute


def run(
    bundle: given.BundlePath,
    text: given.OptionalText = None,
    input: given.Input = None,
    max_tokens: given.MaxTokens = None,
    steps: given.Steps = None,
    layout: given.Layout = None,
    probes: given.Probes = None,
    out: Annotated[Path | None, typer.Option(help="Write outputs and probes to this .npz.")] = None,
    checkpoint: given.Checkpoint = None,
    resume: given.Resume = None,
    measured: Annotated[
        Path | None,
        typer.Option(metavar="F.json", help="With --runner loihi2: write what the board measured, for calibrate."),
    ] = None,
    runner: given.RunnerName = "fast",
    as_json: given.Json = False,
) -> None:
    """Run a text, or the input of a spiking network, and count events, synaptic operations, updates, saturations."""
    execute("run", locals())


def generate(
    bundle: given.BundlePath,
    prompt: Annotated[str | None, typer.Option(help="Text to continue.")] = None,
    tokens: Annotated[int, typer.Option(help="New tokens.")] = 64,
    temperature: Annotated[float, typer.Option(help="0 takes the most likely token.")] = 0.0,
    top_k: Annotated[int, typer.Option(help="Sample among the k most likely (0: all).")] = 0,
    seed: Annotated[int | None, typer.Option(help="Where a temperature draws from (default: 0).")] = None,
    checkpoint: given.Checkpoint = None,
    resume: given.Resume = None,
    runner: given.RunnerName = "fast",
    compare_float: Annotated[bool, typer.Option("--compare-float", help="Continue with the float model too.")] = False,
    as_json: given.Json = False,
) -> None:
    """Continue a prompt, token by token, on the simulated chip and the host."""
    pending = [prompt] if prompt else []  # shown with the first new text, so that an error is not glued to it

    def show(text: str) -> None:
        typer.echo(endings.plain(pending.pop() + text if pending else text), nl=False)

    found = pipeline.generate(
        bundle, prompt, tokens, temperature=temperature, top_k=top_k, seed=seed, runner=runner,
        compare_float=compare_float, checkpoint=checkpoint, resume=resume, on_text=None if as_json else show,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    typer.echo()
    if compare_float and not common.is_quiet():
        from neurodeploy.reporting.brief_run import parting

        for line in parting(found):
            typer.echo(endings.plain(line))


def eval_(
    bundle: given.BundlePath,
    text: given.OptionalText = None,
    input: given.Input = None,
    max_tokens: given.MaxTokens = None,
    steps: given.Steps = None,
    layout: given.Layout = None,
    labels: given.Labels = None,
    reference: given.Reference = None,
    runner: given.RunnerName = "fast",
    source: Annotated[Path | None, typer.Option(help="The checkpoint, if it has moved.")] = None,
    with_float: Annotated[bool, typer.Option("--float/--no-float", help="Run the float model beside it.")] = True,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep it in the bundle, for comparisons (energy --beside).")
    ] = False,
    as_json: given.Json = False,
) -> None:
    """Chip against float: bits per byte and agreement on a text, spike trains of a spiking network."""
    execute("eval", locals())


def energy(
    bundle: given.BundlePath,
    text: given.OptionalText = None,
    input: given.Input = None,
    steps: given.Steps = None,
    layout: given.Layout = None,
    prompt_tokens: Annotated[int | None, typer.Option(help="Tokens of the prompt (default: 128, or fewer).")] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens to generate (default: 16).")] = None,
    host: given.Host = "cpu-generic",
    measure_host: given.MeasureHost = False,
    powered: Annotated[
        str, typer.Option(help="Chips that draw power: used (they hold a shard), system, gated or gated-board.")
    ] = "used",
    coefficients: Annotated[
        Path | None, typer.Option(help="Coefficients of a board of your own: a file that calibrate has written.")
    ] = None,
    border: Annotated[
        str | None,
        typer.Option(
            help="When host and chip exchange messages: sample (input beforehand), calls (every step) or none."
        ),
    ] = None,
    changes: Annotated[
        str | None, typer.Option("--what-if", help="Changes, such as gate,crossings=2,link=1e-6: what each would save.")
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, help="Sequences or samples at once of a host without a chip, beside one by one.")
    ] = 32,
    beside: given.Beside = None,
    compare: given.Compare = False,
    as_json: given.Json = False,
) -> None:
    """Joules and seconds by boundary, with bands: per token, or per time step and sample of a spiking network."""
    execute("energy", locals())


def calibrate(
    measurements: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv",
            help="Joules, watts or seconds of mapped bundles, a row a run; or what run --measured wrote.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="File of coefficients to write, for energy --coefficients.")],
    host: given.Host = "cpu-generic",
    as_json: given.Json = False,
) -> None:
    """Refit the coefficients of a chip to measurements of your own board."""
    execute("calibrate", locals())


VERBS = {"run": run, "generate": generate, "eval": eval_, "energy": energy, "calibrate": calibrate}
