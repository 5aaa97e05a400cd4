"""The command line: arguments in, a pipeline function, text or JSON out, exit status by the kind of error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from neurodeploy import __version__, endings
from neurodeploy.errors import DoesNotFit, NeurodeployError, UserError

app = typer.Typer(
    name="neurodeploy", cls=endings.Verbs, add_completion=False, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Convert a model, map it to Loihi 2 cores, run it bit for bit, account for every joule.",
    epilog="To see all of it on a small embedded model: neurodeploy demo. Error codes: docs/errors.md.",
)  # fmt: skip

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
Model = Annotated[str, typer.Argument(help="A Hugging Face folder, a .gguf, or demo, smollm2-135m, gemma3-270m.")]
BundlePath = Annotated[Path, typer.Argument(metavar="X.nd", help="A bundle made by convert.")]
Text = Annotated[Path, typer.Option("--text", help="A UTF-8 text file.")]
OptionalText = Annotated[Path | None, typer.Option("--text", help="A UTF-8 text file.")]
MaxTokens = Annotated[int, typer.Option(min=2, help="Read at most so many tokens.")]
System = Annotated[str, typer.Option(help="oheo-gulch, kapoho-point, alia-point, hala-point or loihi1-nahuku.")]
RunnerName = Annotated[str, typer.Option(help="fast or reference: the same bits.")]
Host = Annotated[str, typer.Option(help="Host profile: cpu-generic, jetson-orin-nano, h100.")]
MeasureHost = Annotated[bool, typer.Option("--measure-host", help="Measure this machine instead of a profile.")]
Seed = Annotated[int, typer.Option(help="Seed of the sampling.")]
Threads = Annotated[int | None, typer.Option(min=1, envvar="NEURODEPLOY_THREADS", help="Threads (default: all cores).")]


def _execute(as_json: bool, show: str | None, work: Callable[[Any], Any]) -> Any:
    """Call `work(progress)`, print its result as JSON or through `report.terminal.<show>`."""
    from neurodeploy.reporting.progress import reporter

    with reporter(quiet=as_json) as progress:
        found = work(progress)
    if as_json:
        typer.echo(json.dumps(found, indent=1, default=str))
    elif show:
        from neurodeploy.reporting import terminal

        try:
            getattr(terminal, show)(found)
        except SystemExit:  # rich answers a closed pipe so
            raise BrokenPipeError from None
    return found


@app.callback(invoke_without_command=True)
def options(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    threads: Threads = None,
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
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write, by custom NAME.nd.")],
    calibration: Annotated[Path | None, typer.Option(help="Text to calibrate on (default: embedded prose).")] = None,
    preset: Annotated[str, typer.Option(help="default, graded-14, graded-12, graded-8, naive or quick.")] = "default",
    payload_bits: Annotated[int | None, typer.Option(help="Width of an event: 16, 14, 12 or 8.")] = None,
    weight_bits: Annotated[int | None, typer.Option(help="Width of a weight: 2 to 8.")] = None,
    rounding: Annotated[str | None, typer.Option(help="Of weights: gptq (compensated) or nearest.")] = None,
    input_range: Annotated[str | None, typer.Option(help="Of events: absmax, percentile or mse.")] = None,
    calibration_tokens: Annotated[int | None, typer.Option(help="Tokens read from the text, at least 16.")] = None,
    as_json: Json = False,
) -> None:
    """Turn a checkpoint into a bundle of integers: NIR islands, exact image, host weights."""
    from neurodeploy import pipeline

    _execute(as_json, "print_convert", lambda progress: pipeline.convert(
        model, out, calibration, preset, payload_bits=payload_bits, weight_bits=weight_bits, rounding=rounding,
        input_range=input_range, calibration_tokens=calibration_tokens, progress=progress,
    ))  # fmt: skip


@app.command("map")
def map_(
    bundle: BundlePath,
    system: System = "kapoho-point",
    chips: Annotated[int | None, typer.Option(help="Use at most so many chips.")] = None,
    max_rows: Annotated[int | None, typer.Option(help="At most so many neurons a core.")] = None,
    as_json: Json = False,
) -> None:
    """Split the islands over cores and chips within every budget, and verify the result independently."""
    from neurodeploy import pipeline

    _execute(as_json, "print_map", lambda progress: pipeline.map(
        bundle, system, chips=chips, max_rows=max_rows, progress=progress
    ))  # fmt: skip


@app.command()
def run(
    bundle: BundlePath, text: Text, max_tokens: MaxTokens = 512, runner: RunnerName = "fast", as_json: Json = False
) -> None:
    """Run a text through the program and count events, synaptic operations, updates and saturations."""
    from neurodeploy import pipeline

    _execute(as_json, "print_run", lambda progress: pipeline.run(
        bundle, text, max_tokens=max_tokens, runner=runner, progress=progress
    ))  # fmt: skip


@app.command()
def generate(
    bundle: BundlePath,
    prompt: Annotated[str, typer.Option(help="Text to continue.")],
    tokens: Annotated[int, typer.Option(help="New tokens.")] = 64,
    temperature: Annotated[float, typer.Option(help="0 takes the most likely token.")] = 0.0,
    top_k: Annotated[int, typer.Option(help="Sample among the k most likely (0: all).")] = 0,
    seed: Seed = 0,
    runner: RunnerName = "fast",
    compare_float: Annotated[bool, typer.Option("--compare-float", help="Continue with the float model too.")] = False,
    as_json: Json = False,
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
    bundle: BundlePath,
    text: Text,
    max_tokens: MaxTokens = 4096,
    runner: RunnerName = "fast",
    source: Annotated[Path | None, typer.Option(help="The checkpoint, if it has moved.")] = None,
    no_float: Annotated[bool, typer.Option("--no-float", help="Do not run the float model.")] = False,
    as_json: Json = False,
) -> None:
    """Bits per byte, perplexity and agreement: chip against float on a text."""
    from neurodeploy import pipeline

    _execute(as_json, "print_eval", lambda progress: pipeline.eval(
        bundle, text, max_tokens=max_tokens, runner=runner, source=source, with_float=not no_float, progress=progress
    ))  # fmt: skip


@app.command()
def energy(
    bundle: BundlePath,
    text: OptionalText = None,
    prompt_tokens: Annotated[int | None, typer.Option(help="Tokens of the prompt (default: 128, or fewer).")] = None,
    tokens: Annotated[int, typer.Option(help="Tokens to generate.")] = 16,
    host: Host = "cpu-generic",
    measure_host: MeasureHost = False,
    powered: Annotated[str, typer.Option(help="Chips that draw power: used (they hold a shard) or system.")] = "used",
    as_json: Json = False,
) -> None:
    """Joules and seconds per token by boundary, with bands and the basis of every coefficient."""
    from neurodeploy import pipeline

    _execute(as_json, "print_energy", lambda _: pipeline.energy(
        bundle, text=text, prompt_tokens=prompt_tokens, tokens=tokens, host=host, measure_host=measure_host,
        powered=powered,
    ))  # fmt: skip


@app.command()
def explain(bundle: BundlePath, as_json: Json = False) -> None:
    """Every operation: its device, the rule, the reason, what would put it on the chip."""
    from neurodeploy import pipeline

    _execute(as_json, "print_explain", lambda _: pipeline.explain(bundle))


@app.command()
def report(
    bundle: BundlePath,
    out: Annotated[Path, typer.Option(help="The HTML file; CSV and JSON go beside it.")],
    text: OptionalText = None,
    max_tokens: MaxTokens = 2048,
    host: Host = "cpu-generic",
    measure_host: MeasureHost = False,
    as_json: Json = False,
) -> None:
    """One self-contained HTML page with everything, CSV and JSON beside it. With --text, accuracy too."""
    from neurodeploy import pipeline

    def work(progress: Any) -> Any:
        return pipeline.report(
            bundle, out, text=text, max_tokens=max_tokens, host=host, measure_host=measure_host, progress=progress
        )["paths"]

    _execute(as_json, "print_paths", work)


@app.command()
def verify(bundle: BundlePath, as_json: Json = False) -> None:
    """Check digests, NIR files, golden vectors on every runner, and the mapping's budgets."""
    from neurodeploy import pipeline

    found = _execute(as_json, "print_verify", lambda progress: pipeline.verify(bundle, progress=progress))
    if found["violations"]:
        raise typer.Exit(DoesNotFit.exit_status)


@app.command()
def doctor(as_json: Json = False) -> None:
    """What this machine has: versions, exact integer products, boards, packaged models."""
    from neurodeploy import pipeline

    _execute(as_json, "print_doctor", lambda _: pipeline.doctor())


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the bundle and the report.")] = Path("out"),
    system: System = "oheo-gulch",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """The whole chain on the embedded mixture-of-experts model."""
    from neurodeploy import pipeline

    _execute(as_json, "print_demo", lambda progress: pipeline.demo(out, system=system, seed=seed, progress=progress))


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit status: 0 done, 1 our bug, 2 user error, 3 does not fit, 4 unavailable, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a character that a terminal lacks is no reason to stop
    status: object = 0
    try:
        with endings.termination_interrupts():
            status = app(arguments, prog_name="neurodeploy", standalone_mode=False)
        sys.stdout.flush()
    except (endings.ReaderLeftError, BrokenPipeError):
        endings.forget_stdout()  # not an error of ours, and there is nobody to tell
    except NeurodeployError as error:
        status = endings.tell(error, arguments)
    except endings.WrongCall as error:
        status = endings.tell(endings.wrong_call(error), arguments)
    except Exception as error:
        if os.environ.get("NEURODEPLOY_DEBUG"):
            raise
        status = endings.tell(endings.unforeseen(error), arguments)
    raise SystemExit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
