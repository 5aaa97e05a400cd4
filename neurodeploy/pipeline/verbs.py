"""What makes a function a verb: its result is an `Answer`, whoever calls it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, overload

from neurodeploy.reporting.answer import Answer, Result, ResultRows

P = ParamSpec("P")
A = TypeVar("A", bound=Answer)


@overload
def verb(work: Callable[P, dict[str, Any]]) -> Callable[P, Result]: ...
@overload
def verb(work: Callable[P, list[dict[str, Any]]]) -> Callable[P, ResultRows]: ...
def verb(work: Callable[P, Any]) -> Callable[P, Any]:
    """`work` whose result is a `Result` or `ResultRows`: the same dictionary or list, with the name of the function."""

    @wraps(work)
    def answered(*given: P.args, **named: P.kwargs) -> Any:
        found = work(*given, **named)
        return ResultRows(work.__name__, found) if isinstance(found, list) else Result(work.__name__, found)

    return called(answered)


def called(work: Callable[P, A]) -> Callable[P, A]:
    """`work`, which makes an `Answer` of a kind of its own, as a verb."""
    return work
