"""Give freed memory back to the system: reading weights leaves large holes that the C library would otherwise keep."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim  # glibc; elsewhere there is nothing to do
    except (AttributeError, OSError, TypeError):
        return None


def give_back() -> None:
    """Measured on SmolLM2-135M: 700 MB less resident after its weights were read and converted to float32."""
    trim = _trim()
    if trim is not None:
        trim(0)
