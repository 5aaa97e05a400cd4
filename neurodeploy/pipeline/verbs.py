"""What makes a function a verb: its result is an `Answer`, long work shows its progress, and what it remarks is logged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar, overload

from neurodeploy.pipeline.in_memory import as_files
from neurodeploy.reporting.answer import Answer, Result, ResultRows
from neurodeploy.reporting.progress import reporter, somebody_watches

P = ParamSpec("P")
A = TypeVar("A", bound=Answer)

#: Entries of a result that a user should hear of, and how loudly.
REMARKS = {
    "open_questions": logging.WARNING, "losses": logging.WARNING, "warnings": logging.WARNING,
    "violations": logging.WARNING, "notes": logging.INFO,
}  # fmt: skip
_logger = logging.getLogger("neurodeploy")
#: Whether a verb is at work: those that it calls show no progress of their own.
_at_work: ContextVar[bool] = ContextVar("at_work", default=False)


@overload
def verb(work: Callable[P, dict[str, Any]]) -> Callable[P, Result]: ...
@overload
def verb(work: Callable[P, list[dict[str, Any]]]) -> Callable[P, ResultRows]: ...
def verb(work: Callable[P, Any]) -> Callable[P, Any]:
    """`work` as a verb, its result as a `Result` or `ResultRows`: the same dictionary or list, with the function's name."""

    @wraps(work)
    def answered(*given: P.args, **named: P.kwargs) -> Any:
        found = work(*given, **named)
        return ResultRows(work.__name__, found) if isinstance(found, list) else Result(work.__name__, found)

    return called(answered)


def called(work: Callable[P, A]) -> Callable[P, A]:
    """`work`, which makes an `Answer` of a kind of its own, as a verb.

    Where it takes a `progress` and is given None, one is drawn on stderr if that is a terminal, or said in a notebook; never
    elsewhere. Arrays and tensors are taken where files of numbers are (`in_memory`). Its answer, and what it remarks
    (`REMARKS`), goes to the logger "neurodeploy".
    """
    takes_progress, name = "progress" in signature(work).parameters, work.__name__

    @wraps(work)
    def begun(*given: P.args, **named: P.kwargs) -> A:
        _logger.debug("%s%s %s", name, given, named)
        with _shown(takes_progress and named.get("progress") is None) as told, as_files(named) as files:
            named.update(told | files)
            found = work(*given, **named)
        _log(name, found)
        return found

    return begun


@contextmanager
def _shown(wanted: bool) -> Iterator[dict[str, Any]]:
    """The option `progress` that a verb gets beside its own options; none inside another verb."""
    outermost = not _at_work.get()
    before = _at_work.set(True)
    try:
        if wanted and outermost and somebody_watches():
            with reporter() as progress:
                yield {"progress": progress}
        else:
            yield {}
    finally:
        _at_work.reset(before)


def _log(name: str, found: Any) -> None:
    if isinstance(found, dict):
        for key, level in REMARKS.items():
            for line in found.get(key) or ():
                _logger.log(level, "%s: %s", name, line)
    if _logger.isEnabledFor(logging.INFO):
        _logger.info("%s: %s", name, repr(found).partition("\n")[0])
