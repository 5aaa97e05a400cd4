"""Stand-in: nothing of a test runs on embedded cores."""

from __future__ import annotations

from lava.magma.compiler.subcompilers.py.pyproc_compiler import PyProcCompiler


class CProcCompiler(PyProcCompiler):
    pass
