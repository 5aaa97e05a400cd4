"""Stand-in: never built, for every process becomes one of Python (see `subcompilers/nc/ncproc_compiler.py`)."""

from __future__ import annotations

from lava.magma.compiler.builders.interfaces import AbstractProcessBuilder


class NcProcessBuilder(AbstractProcessBuilder):
    pass
