"""One way to compile: no bounds checks, without the interpreter's lock, kept on disk between processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compile for the types of each call; typed as the function itself."""
    compiled: Function = numba.njit(nogil=True, cache=True, boundscheck=False)(function)
    return compiled
