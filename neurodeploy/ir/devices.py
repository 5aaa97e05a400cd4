"""Which islands of a program a mapping leaves to the host: they have no shard, and the host computes the same integers."""

from __future__ import annotations

from collections.abc import Iterable

from neurodeploy.ir.mapping import Assignment
from neurodeploy.ir.program import IslandCall, Program


def host_islands(program: Program, assignments: Iterable[Assignment]) -> frozenset[str]:
    """Names of the islands whose calls are assigned to the host; empty for a spiking network, which has no calls."""
    on_host = {entry.path for entry in assignments if entry.device == "host" and entry.op == "island"}
    return frozenset(step.island for step in program.steps if isinstance(step, IslandCall) and step.path in on_host)
