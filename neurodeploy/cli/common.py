"""What every verb can be told beside its own options: threads, how much is said, a file of options, examples in its help."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from neurodeploy.cli import endings
from neurodeploy.cli.config import read_config
from neurodeploy.cli.examples import EXAMPLES

EVERYWHERE = "Every verb"
#: As before the verb, but without its variable: that is read there, and what is given there holds here.
Threads = Annotated[
    int | None,
    typer.Option(
        min=1, max=4096, rich_help_panel=EVERYWHERE, help="Threads (default: NEURODEPLOY_THREADS, or all cores)."
    ),
]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, show_default=False, rich_help_panel=EVERYWHERE,
        help="The whole answer; and log to stderr: warnings and notes, twice: calls too.",
    ),
]  # fmt: skip
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", rich_help_panel=EVERYWHERE,
        help="No progress and no answer: files, --json, what generate writes, errors and the exit status.",
    ),
]  # fmt: skip
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="F.toml", is_eager=True, callback=read_config, rich_help_panel=EVERYWHERE,
        help="Take options from the table of this verb, such as [energy], where they are not given here.",
    ),
]  # fmt: skip
_OPTIONS: tuple[tuple[str, Any, Any], ...] = (
    ("threads", Threads, None), ("verbose", Verbose, 0), ("quiet", Quiet, False), ("config", Config, None)
)  # fmt: skip
_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
_verbose: ContextVar[bool] = ContextVar("verbose", default=False)


def is_quiet() -> bool:
    """Whether the call that is at work was told to be quiet."""
    return _quiet.get()


def is_verbose() -> bool:
    """Whether it was told to say all."""
    return _verbose.get()


def use_threads(threads: int | None) -> None:
    """So many threads for everything that is loaded later; None leaves it as it is."""
    # Threads that wait for a matrix product give their core to our own threads instead of spinning on it.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # read by torch when a verb loads it


def add(app: typer.Typer, name: str, verb: Callable[..., None]) -> None:
    """The verb as a command of that name, with the options of every verb after its own and its examples in the help."""

    @wraps(verb)
    def command(**options: Any) -> None:
        told = {each: options.pop(each) for each, _, _ in _OPTIONS}
        use_threads(told["threads"])
        with _said(told["verbose"], told["quiet"]):
            verb(**options)

    kind = Parameter.KEYWORD_ONLY
    own = [each.replace(kind=kind) for each in signature(verb, eval_str=True).parameters.values()]
    more = [Parameter(each, kind, default=value, annotation=option) for each, option, value in _OPTIONS]
    command.__signature__ = signature(verb).replace(parameters=[*own, *more])  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in (*own, *more)}
    lines = "\n".join(("Examples:", *(f"  neurodeploy {line}" for line in EXAMPLES[name])))
    app.command(name, epilog=f"\b\n{lines}")(command)


@contextmanager
def _said(verbose: int, quiet: bool) -> Iterator[None]:
    """What the logger "neurodeploy" says goes to stderr as far as it was asked for, for the time of a call."""
    logger, before = logging.getLogger("neurodeploy"), (_quiet.set(quiet), _verbose.set(verbose > 0))
    level, handler = logger.level, _Plain()
    if verbose:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO if verbose == 1 else logging.DEBUG)
    try:
        yield
    finally:
        _quiet.reset(before[0])
        _verbose.reset(before[1])
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Plain(logging.Handler):
    """A line on stderr for each record, without control characters."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError, ValueError):
            text = endings.plain(record.getMessage().replace("\n", " "))
            sys.stderr.write(f"{record.levelname.lower()} {text}\n")
            sys.stderr.flush()
