"""Verbs that say what is known of a bundle or of this machine, and the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurodeploy.cli import options as given
from neurodeploy.cli.app import execute
from neurodeploy.errors import DoesNotFit, UserError


def explain(bundle: given.BundlePath, as_json: given.Json = False) -> None:
    """Every operation: its device, the rule, the reason, what would put it on the chip."""
    execute("explain", locals())


def report(
    bundle: given.BundlePath,
    out: Annotated[Path, typer.Option(help="The HTML file; CSV and JSON go beside it.")],
    text: given.OptionalText = None,
    input: given.Input = None,
    steps: given.Steps = None,
    layout: given.Layout = None,
    probes: given.Probes = None,
    labels: given.Labels = None,
    max_tokens: given.MaxTokens = None,
    host: given.Host = "cpu-generic",
    measure_host: given.MeasureHost = False,
    beside: given.Beside = None,
    compare: given.Compare = False,
    as_json: given.Json = False,
) -> None:
    """One self-contained HTML page with everything, CSV and JSON beside it. With --text, accuracy too."""
    execute("report", locals(), part="paths")


def diff(
    bundle: given.BundlePath,
    other: Annotated[Path, typer.Argument(metavar="Y.nd", help="The bundle that is compared with it.")],
    text: given.OptionalText = None,
    input: given.Input = None,
    prompt_tokens: Annotated[int | None, typer.Option(help="Tokens of the prompt that is priced.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens to generate (default: 16).")] = None,
    steps: given.Steps = None,
    layout: given.Layout = None,
    host: given.Host = "cpu-generic",
    out: given.Out = None,
    as_json: given.Json = False,
) -> None:
    """Two bundles side by side: cores, crossings, joules and seconds with bands, loss, settings, host operations."""
    execute("diff", locals())


def export(
    bundle: given.BundlePath,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="F.nir|F.net|F.parts|DIR", help="The file or folder to write; its ending says the format."
        ),
    ] = None,
    lava: Annotated[
        Path | None,
        typer.Option(
            metavar="F.py", help="In place of --out: write a plain Lava script, its arrays and a .net beside it."
        ),
    ] = None,
    dt: Annotated[float | None, typer.Option(help="Seconds of a time step, where the network has none.")] = None,
    format: Annotated[
        str | None, typer.Option(help="sanafe: a mapped network for SANA-FE, into a folder; lava: as --lava.")
    ] = None,
    input: given.Input = None,
    steps: given.Steps = None,
    layout: given.Layout = None,
    as_json: given.Json = False,
) -> None:
    """Write a program for other tools: NIR, parts of NIR, a lava-dl .net, a Lava script, or with its mapping for SANA-FE."""
    asked = locals()
    script = asked.pop("lava")
    if (out is None) == (script is None) or (script is not None and format is not None):
        fix = "give --out F, or --lava F.py"
        raise UserError(
            "ND1100", "neurodeploy export", "needs one of --out and --lava, the latter without --format", fix
        )
    execute("export", asked if script is None else {**asked, "out": script, "format": "lava"})


def verify(bundle: given.BundlePath, as_json: given.Json = False) -> None:
    """Check digests, NIR files, golden vectors on every runner, the mapping's budgets, and its run on the cores."""
    found = execute("verify", locals())
    if found["violations"]:
        raise typer.Exit(DoesNotFit.exit_status)


def doctor(as_json: given.Json = False) -> None:
    """What this machine has: versions, exact integer products, boards, packaged models."""
    execute("doctor", locals())


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the bundle and the report.")] = Path("out"),
    system: given.System = "oheo-gulch",
    seed: given.Seed = 0,
    as_json: given.Json = False,
) -> None:
    """The whole chain on the embedded mixture-of-experts model."""
    execute("demo", locals())


VERBS = {
    "explain": explain, "report": report, "diff": diff, "export": export, "verify": verify, "doctor": doctor, "demo": demo,
}  # fmt: skip
