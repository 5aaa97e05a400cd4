"""Runners of a `Program`. `reference` is the living definition; every other runner equals it bit for bit.

| runner        | what it is for                                                                    |
|---------------|-----------------------------------------------------------------------------------|
| `reference`   | the meaning: plain int64 arithmetic, slow                                         |
| `fast`        | exact integer products, compiled events and neurons                               |
| `partitioned` | executes a mapping shard by shard, with partial sums and reducers                 |
| `lava`        | networks on real Lava processes, for what Lava has                                |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurodeploy.errors import UserError

if TYPE_CHECKING:
    from simulators.fast.runner import FastRunner
    from simulators.reference import ReferenceRunner

RUNNERS = ("reference", "fast")


def get_runner(name: str) -> ReferenceRunner | FastRunner:
    """The runner of that name, for islands and for networks, loaded only now; an unknown name is ND3001."""
    if name == "reference":
        from simulators.reference import ReferenceRunner

        return ReferenceRunner()
    if name == "fast":
        from simulators.fast.runner import FastRunner

        return FastRunner()
    raise UserError("ND3001", name, "is not a runner", f"choose one of {', '.join(RUNNERS)}, partitioned")
