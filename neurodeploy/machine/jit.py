"""Compiled kernels. Numba is loaded, and a kernel compiled, when one is first called: who counts or maps needs neither."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

_lock = threading.Lock()


class Kernel:
    """A function that numba compiles without the GIL, for Python and for other kernels; `python` is the function itself.

    The machine code is kept on disk where some folder for it is writable.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.python = function
        self._compiled: Any = None

    @property
    def compiled(self) -> Any:
        with _lock:  # the threads of a first call share one compilation
            if self._compiled is None:
                self._compiled = _compile(self.python)
        return self._compiled

    def __call__(self, *args: Any) -> Any:
        return (self._compiled or self.compiled)(*args)

    @property
    def _numba_type_(self) -> Any:
        """What numba asks of a value that a kernel reads: the type of the compiled function."""
        return self.compiled._numba_type_


def _compile(function: Callable[..., Any]) -> Any:
    import numba

    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # "no locator available": a read-only install without a writable cache folder
        return numba.njit(**options)(function)


def jit(function: Callable[..., Any]) -> Any:
    """The function as a `Kernel`; Any, for what a kernel is called with no annotation says."""
    return Kernel(function)
