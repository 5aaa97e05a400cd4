"""How a call of the command line ends: what is caught, what is said, and with which exit status."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import typer
from typer.core import TyperGroup

from neurodeploy.errors import DoesNotFit, InternalError, Interrupted, NeurodeployError, UserError

#: What the command line library raises for a wrong call; the module that it lives in differs between versions of typer.
WrongCall: Any = typer.BadParameter.__mro__[2]


class ReaderLeftError(Exception):
    """Whoever read our output has closed the pipe."""


class Verbs(TyperGroup):
    """Turns interrupts and closed pipes into exceptions of ours, before the library gives them statuses of its own."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            fix = "run it again: nothing half-written is left behind"
            raise Interrupted("ND3008", ctx.invoked_subcommand, "was interrupted", fix) from None
        except BrokenPipeError:
            raise ReaderLeftError from None


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """A request to end (SIGTERM) is an interrupt like Ctrl-C: what was begun is cleaned up."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # only the main thread may do this
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def forget_stdout() -> None:
    """What is still buffered goes nowhere; otherwise the interpreter would complain about it at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def wrong_call(error: Any) -> UserError:
    """What the command line library says of a wrong call, with a code."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "neurodeploy"
    return UserError("ND1100", command, error.format_message().rstrip("."), f"see {command} --help")


def unforeseen(error: Exception) -> NeurodeployError:
    """Memory and file systems fail anywhere; whatever else arrives here is a mistake of ours."""
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        return DoesNotFit("ND3007", "memory", "this machine ran out of it", "use a shorter text or a smaller model")
    if isinstance(error, OSError) and error.strerror:
        fix = "check the path, its permissions and the room on the disk"
        return UserError("ND1109", error.filename or "a file", f"the system says: {error.strerror}", fix)
    problem = f"{type(error).__name__}: {error}"
    fix = "this is our bug, please report it; NEURODEPLOY_DEBUG=1 shows where"
    return InternalError("ND9000", "neurodeploy", problem, fix)


def plain(text: str) -> str:
    """Without control characters: models and files of strangers have no business with the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def tell(error: NeurodeployError, arguments: list[str]) -> int:
    """The error as one line on stderr, with ``--json`` as an object on stdout too."""
    with suppress(BrokenPipeError):
        if "--json" in arguments:
            # `map --json` answers its question either way
            verdict = {"fits": False, "verdict": "does not fit"} if error.code == "ND2001" else {}
            typer.echo(json.dumps({**verdict, "error": error.to_json()}, indent=1))
        typer.echo(f"error {plain(str(error).replace(chr(10), ' '))}", err=True)
    return error.exit_status
