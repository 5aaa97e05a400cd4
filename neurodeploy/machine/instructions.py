"""A limit on the processor's instructions: with ``NEURODEPLOY_ISA=avx2`` it computes as one without AVX-512 and VNNI.

The limit holds for the code that we compile and for the libraries below us, each of which has a variable of its own; what is
set already is left alone. They read it when they are loaded or first used: the variable is set before Python starts, and
`neurodeploy` is imported before anything is computed by torch or compiled by numba.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

from neurodeploy.errors import UserError

VARIABLE = "NEURODEPLOY_ISA"


class Limit(NamedTuple):
    """The processor to compile for, its features, the last of which has all others with it, and the libraries' variables."""

    processor: str
    features: tuple[str, ...]
    libraries: Mapping[str, str]


_SSE = ("sse", "sse2")
_AVX2 = ("sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "avx", "fma", "bmi", "bmi2", "f16c", "lzcnt", "movbe", "avx2")
#: The variables of oneDNN, MKL, torch's own kernels and OpenBLAS.
_LIBRARIES = ("ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "ATEN_CPU_CAPABILITY", "OPENBLAS_CORETYPE")
_OF_AVX2, _OF_SSE2 = ("AVX2", "AVX2", "avx2", "Haswell"), ("SSE41", "SSE4_2", "default", "Prescott")
#: By the value of the variable.
LIMITS: Mapping[str, Limit] = {
    "avx2": Limit("haswell", _SSE + _AVX2, dict(zip(_LIBRARIES, _OF_AVX2, strict=True))),
    "sse2": Limit("x86-64", _SSE, dict(zip(_LIBRARIES, _OF_SSE2, strict=True))),
}


def chosen() -> str:
    """The limit that is asked for, "" for none. Raises ND1100 for one that does not exist."""
    name = os.environ.get(VARIABLE, "")
    if name and name not in LIMITS:
        raise UserError(
            "ND1100", VARIABLE, f"{name!r:.40} is not a limit", f"set one of {', '.join(LIMITS)}, or nothing"
        )
    return name


def apply() -> None:
    """Pass the limit on to the libraries. Nothing happens where there is none, or where `chosen` would refuse it."""
    limit = LIMITS.get(os.environ.get(VARIABLE, ""))
    if limit is None:
        return
    for name, value in limit.libraries.items():
        os.environ.setdefault(name, value)
    try:
        import llvmlite.binding as llvm  # type: ignore[import-untyped]
    except ImportError:  # an environment of another program, such as Lava's: nothing of ours is compiled there
        return
    here = llvm.get_host_cpu_features()
    if here.get(limit.features[-1]):  # a limit takes away, it gives no processor what it lacks
        os.environ.setdefault("NUMBA_CPU_NAME", limit.processor)
        os.environ.setdefault("NUMBA_CPU_FEATURES", ",".join(f"+{name}" for name in limit.features if here.get(name)))
    if "numba" in sys.modules:  # it has read its variables, and has compiled nothing yet unless someone uses it already
        import numba

        numba.core.config.reload_config()
