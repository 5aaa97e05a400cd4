"""The command line: its options that stand before a verb, and how the answer of a verb is given."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from neurodeploy.cli import endings
from neurodeploy.cli import options as given
from neurodeploy.errors import UserError
from neurodeploy.version import __version__

app = typer.Typer(
    name="neurodeploy", cls=endings.Verbs, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode=None,  # the formatted help takes longer to load than all the rest of the command line
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Convert a model, map it to Loihi 2 cores, run it bit for bit, account for every joule.",
    epilog="To see all of it on a small embedded model: neurodeploy demo. Error codes: docs/errors.md.",
)  # fmt: skip


def execute(as_json: bool, verb: str, work: Callable[[Any], Any]) -> Any:
    """Call `work(progress)`, print its result as JSON, or in words."""
    from neurodeploy.reporting.progress import reporter

    with reporter(quiet=as_json) as progress:
        found = work(progress)
    if as_json:
        typer.echo(json.dumps(found, indent=1, default=str))
    else:
        from neurodeploy.reporting import terminal

        terminal.show(verb, found)
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
