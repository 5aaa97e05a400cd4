"""The command line: arguments in, a pipeline function, text or JSON out, exit status by the kind of error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from neurodeploy import cli_options as given
from neurodeploy import endings
from neurodeploy.errors import DoesNotFit, NeurodeployError, UserError
from neurodeploy.machine import instructions
from neurodeploy.version import __version__

app = typer.Typer(
    name="neurodeploy", cls=endings.Verbs, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode=None,  # the formatted help takes longer to load than all the rest of the command line
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Convert a model, map it to Loihi 2 cores, run it bit for bit, account for every joule.",
    epilog="To see all of it on a small embedded model: neurodeploy demo. Error codes: docs/errors.md.",
)  # fmt: skip


def _execute(as_json: bool, verb: str, work: Callable[[Any], Any], bundle: Path | None = None) -> Any:
    """Call `work(progress)`, print its result as JSON, or in words, which depend on what `bundle` holds."""
    from neurodeploy.reporting.progress import reporter

    with reporter(quiet=as_json) as progress:
        found = work(progress)
    if as_json:
        typer.echo(json.dumps(found, indent=1, default=str))
    else:
        from neurodeploy import pipeline
        from neurodeploy.reporting import terminal

        terminal.show(verb, "" if bundle is None else pipeline.kind_of(bundle), found)
    return found


@app.callback(invoke_without_command=True)
def options(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    threads: given.Threads = None,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit(UserError.exit_status)
    # Threads that wait for a matrix product give their core to our own threads instead of spinning on it.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # read by torch when a verb loads it


@app.command()
def convert(
    model: given.Model,
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write, by custom NAME.nd.")],
    calibration: given.Calibration = None,
    weight_bits: given.WeightBits = None,
    dt: given.Dt = None,
    preset: given.Preset = None,
    payload_bits: given.PayloadBits = None,
    rounding: given.Rounding = None,
    input_range: given.InputRange = None,
    calibration_tokens: given.CalibrationTokens = None,
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
    from neurodeploy import pipeline

    _execute(as_json, "convert", lambda progress: pipeline.convert(
        model, out, calibration=calibration, weight_bits=weight_bits, dt=dt, preset=preset, payload_bits=payload_bits,
        rounding=rounding, input_range=input_range, calibration_tokens=calibration_tokens, gain=gain, source=source,
        reset=reset, v_reset=v_reset, unit_gain=unit_gain, scheme=scheme, layout=layout, compat=compat,
        num_layers=num_layers, skip_layers=skip_layers, input_message_bits=input_message_bits,
        input_shape=_sides(input_shape), reset_interval=reset_interval, reset_offset=reset_offset, spike_exp=spike_exp,
        progress=progress,
    ), out)  # fmt: skip


def _sides(text: str | None) -> tuple[int, ...] | None:
    """ "200,66,3" as integers."""
    try:
        return None if text is None else tuple(int(side) for side in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no shape such as 200,66,3", param_hint="--input-shape") from None


@app.command()
def fit(
    model: given.FitModel = None,
    list_: Annotated[bool, typer.Option("--list", help="Print the models that need no file.")] = False,
    system: given.FitSystem = None,
    bits: Annotated[
        list[int] | None, typer.Option(help="Width of a weight, 1 to 8; repeatable (default: 8, 4, 2).")
    ] = None,
    chips: Annotated[int | None, typer.Option(help="Use at most so many chips.")] = None,
    context: Annotated[int | None, typer.Option(help="Tokens before the one that is priced (default: 1024).")] = None,
    activity: Annotated[float | None, typer.Option(help="Fraction of activations that are not zero.")] = None,
    host: given.Host = "cpu-generic",
    memory_kib: Annotated[
        list[int] | None, typer.Option(help="Try so many KiB of synaptic memory a core too; repeatable.")
    ] = None,
    head: Annotated[str, typer.Option(help="The vocabulary projection: on the chip, the host, or auto.")] = "auto",
    dt: given.Dt = None,
    generic: Annotated[bool, typer.Option("--generic", help="Take an unknown family for Llama's.")] = False,
    as_json: given.Json = False,
) -> None:
    """Would it fit, on which system, at what price: from a configuration alone, no weights. Exit 3 where it does not."""
    from neurodeploy import pipeline

    if list_:
        _execute(as_json, "fit_models", lambda _: pipeline.fit_models())
        return
    if model is None:
        raise typer.BadParameter("give a file, a folder, or a name of --list", param_hint="MODEL")
    found = _execute(as_json, "fit", lambda progress: pipeline.fit(
        model, system, bits=bits or (8, 4, 2), chips=chips, context=context, activity=activity, host=host,
        memory_kib=memory_kib or (), head=head, dt=dt, generic=generic, progress=progress,
    ))  # fmt: skip
    if not found["fits"]:
        raise typer.Exit(DoesNotFit.exit_status)


@app.command("map")
def map_(
    bundle: given.BundlePath,
    system: given.System = "kapoho-point",
    chips: given.Chips = None,
    offload: given.Offload = None,
    plan: given.Plan = None,
    write_plan: given.WritePlan = None,
    pin: given.Pins = None,
    objective: given.Objective = "cores",
    seed: given.Seed = 0,
    time_limit: given.TimeLimit = None,
    max_rows: given.MaxRows = None,
    cap: given.Caps = None,
    spread: given.Spread = False,
    no_place: given.NoPlace = False,
    work: given.Work = None,
    host: given.Host = "cpu-generic",
    as_json: given.Json = False,
) -> None:
    """Split the islands over cores and chips within every budget, and verify the result independently.

    With --chips, islands of a language model that do not fit so many chips are left to the host: it fits partly, exit 3
    unless --offload or a plan asked for it.
    """
    from neurodeploy import pipeline

    found = _execute(as_json, "map", lambda progress: pipeline.map(
        bundle, system, chips=chips, offload=offload is not False, plan=plan, write_plan=write_plan, pins=pin or (),
        max_rows=max_rows, caps=_caps(cap or ()), spread=spread, objective=objective, seed=seed, time_limit=time_limit,
        place=not no_place, work=work, host=host, progress=progress,
    ))  # fmt: skip
    unasked = bool((found.get("offload") or {}).get("unasked")) and not offload
    if found["violations"] or unasked:
        raise typer.Exit(DoesNotFit.exit_status)


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


@app.command()
def run(
    bundle: given.BundlePath,
    text: given.OptionalText = None,
    input: given.Input = None,
    max_tokens: given.MaxTokens = None,
    steps: given.Steps = None,
    layout: given.Layout = None,
    probe: given.Probes = None,
    out: Annotated[Path | None, typer.Option(help="Write outputs and probes to this .npz.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Keep the state here, while running and at the end.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on from this state.")] = None,
    runner: given.RunnerName = "fast",
    as_json: given.Json = False,
) -> None:
    """Run a text, or the input of a spiking network, and count events, synaptic operations, updates, saturations."""
    from neurodeploy import pipeline

    _execute(as_json, "run", lambda progress: pipeline.run(
        bundle, text, input=input, max_tokens=max_tokens, steps=steps, layout=layout, runner=runner, probes=probe or (),
        out=out, checkpoint=checkpoint, resume=resume, progress=progress,
    ), bundle)  # fmt: skip


@app.command()
def generate(
    bundle: given.BundlePath,
    prompt: Annotated[str, typer.Option(help="Text to continue.")],
    tokens: Annotated[int, typer.Option(help="New tokens.")] = 64,
    temperature: Annotated[float, typer.Option(help="0 takes the most likely token.")] = 0.0,
    top_k: Annotated[int, typer.Option(help="Sample among the k most likely (0: all).")] = 0,
    seed: given.Seed = 0,
    runner: given.RunnerName = "fast",
    compare_float: Annotated[bool, typer.Option("--compare-float", help="Continue with the float model too.")] = False,
    as_json: given.Json = False,
) -> None:
    """Continue a prompt, token by token, on the simulated chip and the host."""
    from neurodeploy import pipeline

    pending = [prompt]  # shown with the first new text, so that an error is not glued to it

    def show(text: str) -> None:
        typer.echo(endings.plain(pending.pop() + text if pending else text), nl=False)

    found = pipeline.generate(
        bundle, prompt, tokens, temperature=temperature, top_k=top_k, seed=seed, runner=runner,
        compare_float=compare_float, on_text=None if as_json else show,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    typer.echo()
    if compare_float:
        part = found["float"]["first_difference"]
        margin = found["float"]["float_margin_there"]
        same = f"as the float model, all {len(found['tokens'])} tokens"
        typer.echo(same if part is None else f"parts from the float model at token {part}, logit margin {margin:.4g}")


@app.command("eval")
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
    no_float: Annotated[bool, typer.Option("--no-float", help="Do not run the float model.")] = False,
    as_json: given.Json = False,
) -> None:
    """Chip against float: bits per byte and agreement on a text, spike trains of a spiking network."""
    from neurodeploy import pipeline

    _execute(as_json, "eval", lambda progress: pipeline.eval(
        bundle, text, input=input, max_tokens=max_tokens, source=source, with_float=not no_float, steps=steps,
        layout=layout, labels=labels, reference=reference, runner=runner, progress=progress,
    ), bundle)  # fmt: skip


@app.command()
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
    powered: Annotated[str, typer.Option(help="Chips that draw power: used (they hold a shard) or system.")] = "used",
    as_json: given.Json = False,
) -> None:
    """Joules and seconds by boundary, with bands: per token, or per time step and sample of a spiking network."""
    from neurodeploy import pipeline

    _execute(as_json, "energy", lambda progress: pipeline.energy(
        bundle, text=text, input=input, prompt_tokens=prompt_tokens, tokens=tokens, steps=steps, layout=layout, host=host,
        measure_host=measure_host, powered=powered, progress=progress,
    ), bundle)  # fmt: skip


@app.command()
def explain(bundle: given.BundlePath, as_json: given.Json = False) -> None:
    """Every operation: its device, the rule, the reason, what would put it on the chip."""
    from neurodeploy import pipeline

    _execute(as_json, "explain", lambda _: pipeline.explain(bundle), bundle)


@app.command()
def report(
    bundle: given.BundlePath,
    out: Annotated[Path, typer.Option(help="The HTML file; CSV and JSON go beside it.")],
    text: given.OptionalText = None,
    input: given.Input = None,
    steps: given.Steps = None,
    layout: given.Layout = None,
    probe: given.Probes = None,
    max_tokens: given.MaxTokens = None,
    host: given.Host = "cpu-generic",
    measure_host: given.MeasureHost = False,
    as_json: given.Json = False,
) -> None:
    """One self-contained HTML page with everything, CSV and JSON beside it. With --text, accuracy too."""
    from neurodeploy import pipeline

    _execute(as_json, "report", lambda progress: pipeline.report(
        bundle, out, text=text, input=input, max_tokens=max_tokens, steps=steps, layout=layout, probes=probe or (),
        host=host, measure_host=measure_host, progress=progress,
    )["paths"])  # fmt: skip


@app.command()
def export(
    bundle: given.BundlePath,
    out: Annotated[
        Path,
        typer.Option(metavar="F.nir|F.net|DIR", help="The file to write, its ending says the format; or a folder."),
    ],
    dt: Annotated[float | None, typer.Option(help="Seconds of a time step, where the network has none.")] = None,
    format: Annotated[str | None, typer.Option(help="sanafe: a mapped network for SANA-FE, into a folder.")] = None,
    input: given.Input = None,
    steps: given.Steps = None,
    layout: given.Layout = None,
    as_json: given.Json = False,
) -> None:
    """Write a spiking network for other tools: NIR, a lava-dl .net, or with its mapping for SANA-FE."""
    from neurodeploy import pipeline

    _execute(as_json, "export", lambda _: pipeline.export(
        bundle, out, dt=dt, format=format, input=input, steps=steps, layout=layout
    ))  # fmt: skip


@app.command()
def verify(bundle: given.BundlePath, as_json: given.Json = False) -> None:
    """Check digests, NIR files, golden vectors on every runner, and the mapping's budgets."""
    from neurodeploy import pipeline

    found = _execute(as_json, "verify", lambda progress: pipeline.verify(bundle, progress=progress), bundle)
    if found["violations"]:
        raise typer.Exit(DoesNotFit.exit_status)


@app.command()
def doctor(as_json: given.Json = False) -> None:
    """What this machine has: versions, exact integer products, boards, packaged models."""
    from neurodeploy import pipeline

    _execute(as_json, "doctor", lambda _: pipeline.doctor())


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the bundle and the report.")] = Path("out"),
    system: given.System = "oheo-gulch",
    seed: given.Seed = 0,
    as_json: given.Json = False,
) -> None:
    """The whole chain on the embedded mixture-of-experts model."""
    from neurodeploy import pipeline

    _execute(as_json, "demo", lambda progress: pipeline.demo(out, system=system, seed=seed, progress=progress))


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit status: 0 done, 1 our bug, 2 user error, 3 does not fit, 4 unavailable, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with endings.standard_streams(), endings.no_remarks():
        status = _ended(arguments)
    raise SystemExit(status if isinstance(status, int) else 0)


def _ended(arguments: list[str]) -> object:
    """The exit status of a call; whatever there is to say of its end has been said."""
    try:
        instructions.chosen()
        with endings.termination_interrupts():
            status: object = app(arguments, prog_name="neurodeploy", standalone_mode=False)
        sys.stdout.flush()
        return status
    except (endings.ReaderLeftError, BrokenPipeError):
        endings.forget(sys.stdout)  # not an error of ours, and there is nobody to tell
        return 0
    except NeurodeployError as error:
        return endings.tell(error, arguments)
    except endings.WrongCall as error:
        return endings.tell(endings.wrong_call(error), arguments)
    except Exception as error:
        if os.environ.get("NEURODEPLOY_DEBUG"):
            raise
        return endings.tell(endings.unforeseen(error), arguments)


if __name__ == "__main__":
    main()
