"""From the arguments of a process to its exit status, by the kind of error."""

from __future__ import annotations

import os
import sys

from neurodeploy.cli import answers, common, endings, models, runs
from neurodeploy.cli.app import app
from neurodeploy.errors import NeurodeployError
from neurodeploy.machine import instructions

for part in (models, runs, answers):  # in the order in which the help lists them
    for name, verb in part.VERBS.items():
        common.add(app, name, verb)


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
