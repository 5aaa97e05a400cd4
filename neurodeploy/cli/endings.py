"""How a call of the command line ends: what is caught, what is said, and with which exit status."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TextIO

import typer
from typer.core import TyperGroup

from neurodeploy.errors import BundleError, DoesNotFit, InternalError, Interrupted, NeurodeployError, UserError

#: What the command line library raises for a wrong call; the module that it lives in differs between versions of typer.
WrongCall: Any = typer.BadParameter.__mro__[2]


class ReaderLeftError(Exception):
    """Whoever read our output has closed the pipe."""


class Verbs(TyperGroup):
    """Turns interrupts and closed pipes into exceptions of ours, before the library gives them statuses of its own, and
    lists every verb with its whole sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        verbs = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Verbs"):
            formatter.write_dl(
                [(name, verb.get_short_help_str(limit=1000)) for name, verb in verbs if verb is not None]
            )

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            fix = "run it again: nothing half-written is left behind"
            raise Interrupted("ND3008", ctx.invoked_subcommand, "was interrupted", fix) from None
        except BrokenPipeError:
            raise ReaderLeftError from None


#: Requests to end: Ctrl-C, of the system or another program, of a terminal that is closed (which Windows does not send).
ENDS = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Every request to end is an interrupt like Ctrl-C: what was begun is cleaned up. A second one ends the process at once.

    Requests that whoever started us told us to ignore (nohup does) stay ignored.
    """
    seen: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        seen.append(number)
        if len(seen) > 1:
            end_at_once()
        raise KeyboardInterrupt

    before = {}
    for number in (getattr(signal, name) for name in ENDS if hasattr(signal, name)):
        if signal.getsignal(number) != signal.SIG_IGN:
            with suppress(ValueError):  # only the main thread may do this
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        if not seen:  # otherwise the process is about to end, and the second request still ends it at once
            for number, handler in before.items():
                signal.signal(number, handler)


def end_at_once() -> NoReturn:
    """Without cleaning up: the next run removes what is left. The terminal gets back the cursor that a bar has hidden."""
    with suppress(OSError):
        os.write(2, b"\x1b[?25h\n" if os.isatty(2) else b"")
    os._exit(Interrupted.exit_status)


class Stdout(io.TextIOWrapper):
    """stdout whose failures say what they are: `ReaderLeftError` where the reader has left, otherwise ND5004."""

    def write(self, text: str) -> int:
        with self._told():
            return super().write(text)

    def flush(self) -> None:
        with self._told():
            super().flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            forget(self)
            raise ReaderLeftError from None
        except OSError as error:
            forget(self)
            problem = f"cannot be written: {error.strerror or error}"
            fix = "give it a file or a pipe with room; what the verb writes elsewhere is complete"
            raise BundleError("ND5004", "standard output", problem, fix) from None


@contextmanager
def standard_streams() -> Iterator[None]:
    """stdout as `Stdout` for the time of a ``with``. No file that is opened later gets the number of a closed stream.

    A closed stdout is one to which every write fails.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_RDWR)  # takes the lowest number that is free
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115 - as long as we run
        if hasattr(getattr(sys, name), "reconfigure"):
            # A character that a terminal lacks is no reason to stop.
            getattr(sys, name).reconfigure(errors="backslashreplace")
    before = sys.stdout
    if not isinstance(before, io.TextIOWrapper):  # a caller in Python has its own, without a file below it
        yield
        return
    before.flush()
    sys.stdout = Stdout(before.buffer, before.encoding, "backslashreplace", line_buffering=before.line_buffering)
    try:
        yield
    finally:
        with suppress(ReaderLeftError, BundleError):
            sys.stdout.flush()
        sys.stdout.detach()
        sys.stdout = before


@contextmanager
def no_remarks() -> Iterator[None]:
    """No lines of Python for people who call the command line: what numpy remarks of values that overflow or are not numbers
    is looked at where the values are checked. To see them: ``python -W default -m neurodeploy``, or NEURODEPLOY_DEBUG=1."""
    with warnings.catch_warnings():
        if not sys.warnoptions and not os.environ.get("NEURODEPLOY_DEBUG"):
            warnings.simplefilter("ignore", RuntimeWarning)
        yield


def forget(stream: TextIO) -> None:
    """What is still buffered goes nowhere; otherwise the interpreter would complain about it at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
    if "--json" in arguments:
        # `map --json` answers its question either way
        verdict = {"fits": False, "verdict": "does not fit"} if error.code == "ND2001" else {}
        _say(json.dumps({**verdict, "error": error.to_json()}, indent=1), sys.stdout)
    _say(f"error {plain(str(error).replace(chr(10), ' '))}", sys.stderr)
    return error.exit_status


def _say(text: str, stream: TextIO) -> None:
    """A line, as far as there is anybody to read it: the error that it is about comes first."""
    with suppress(ReaderLeftError, BundleError):
        try:
            typer.echo(text, file=stream)
        except OSError:
            forget(stream)
