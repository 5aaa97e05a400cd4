"""A count that is forgotten is an error: nothing that holds counts fills one in with a silent 0."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass

import pytest

from neurodeploy.accounting.counted import Counted
from neurodeploy.accounting.loads import Busiest, EventCounts, MeanStep, PartCounts, Roofline, RunLoads
from neurodeploy.accounting.outlines import ClassLoad
from neurodeploy.accounting.program import SegmentWork
from neurodeploy.accounting.timing import Timing
from neurodeploy.flow.links import LinkLoads, Routed
from neurodeploy.ir.run import ActivityCounts, PopulationWork, RunActivity, ShardCounts
from neurodeploy.neurons.model import Stepped
from neurodeploy.ops.host.operation import Work as OperationWork
from partitioner.cut.choice import Figures
from partitioner.nets.traffic import Traffic
from partitioner.offload.price import Price
from partitioner.stages import Places

COUNTS = (
    ActivityCounts, Busiest, ClassLoad, EventCounts, Figures, PopulationWork, Counted,
    LinkLoads, MeanStep, RunActivity, SegmentWork, OperationWork, PartCounts, Places, Price, Roofline, Routed,
    RunLoads, ShardCounts, Stepped, Timing, Traffic,
)  # fmt: skip


@pytest.mark.parametrize("kind", COUNTS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_no_field_has_a_default(kind: type) -> None:
    if is_dataclass(kind):
        given = [f.name for f in fields(kind) if f.default is not MISSING or f.default_factory is not MISSING]
    else:
        given = list(kind._field_defaults)  # type: ignore[attr-defined]
    assert not given
