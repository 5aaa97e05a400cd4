"""What is told of a lowering in `Program.conversion`: "lowered", each operation with the populations that it has become, and
"host", the steps of the host before. `conversion.hollow.raised` reads both, `explain` the first."""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.segments import Encode, HostStep


def lowered(op: HostOp, before: Mapping[str, Population], after: Mapping[str, Population]) -> dict[str, object]:
    """An operation, with populations that are new or stand in the place of an input."""
    new = [name for name, p in after.items() if before.get(name) is not p and p.model != INPUT]
    own = [name for name in new if name not in before or before[name].model == INPUT]
    ends = {"path": op.path, "op": op.op, "inputs": list(op.inputs), "outputs": list(op.outputs)}
    return {**ends, "attrs": dict(op.attrs), "layer": op.layer, "populations": own}


def told(step: HostStep) -> list[str]:
    """A step of the host: its kind, its name, its values."""
    if isinstance(step, HostOp):
        return ["op", step.path]
    values = [step.value] if isinstance(step, Encode) else [*step.values]
    return ["encode" if isinstance(step, Encode) else "decode", step.population, *values]
