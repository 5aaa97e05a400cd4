"""The command line: its options that stand before a verb, and how the answer of a verb is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from inspect import signature
from typing import Annotated, Any

import typer

from neurodeploy import pipeline
from neurodeploy.cli import common, endings
from neurodeploy.cli import options as given
from neurodeploy.errors import UserError
from neurodeploy.version import __version__

app = typer.Typer(
    name="neurodeploy", cls=endings.Verbs, pretty_exceptions_enable=False,
    rich_markup_mode=None,  # the formatted help takes longer to load than all the rest of the command line
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Convert a model, map it to Loihi 2 cores, run it bit for bit, account for every joule.",
    epilog="To see all of it on a small embedded model: neurodeploy demo. Error codes: docs/errors.md.",
)  # fmt: skip


def execute(verb: str, asked: Mapping[str, Any], part: str | None = None) -> Any:
    """Call the function of a verb with what was `asked`, the parameters of its command, which are named alike. Its result
    is printed as JSON or in words; where it has several parts, JSON has only the named one."""
    from neurodeploy.reporting.progress import reporter

    given = dict(asked)
    as_json, work = given.pop("as_json"), getattr(pipeline, verb)
    with reporter(quiet=as_json or common.is_quiet()) as progress:
        told = {"progress": progress} if "progress" in signature(work).parameters else {}
        found = work(**given, **told)
    if as_json:
        typer.echo(json.dumps(found if part is None else found[part], indent=1, default=str))
    elif not common.is_quiet():
        found.show(brief=not common.is_verbose())
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
    common.use_threads(threads)
