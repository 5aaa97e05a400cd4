"""The loads of a plan's units: one copy of each is worked out from its shards, alone, and stands for all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from neurodeploy.accounting.counted import counted
from neurodeploy.accounting.outlines import ClassLoad
from neurodeploy.accounting.program import SegmentWork, works_of
from neurodeploy.flow.border import BorderLoads
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.copies import ALONE
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, RunActivity
from neurodeploy.synapses.hollow import feeds, layers_of

if TYPE_CHECKING:
    from partitioner.fit.chips import Layout
    from partitioner.fit.plan import Unit

#: Tokens of the counts that stand for an activity: it is rounded to one part in so many.
TOKENS = 1000


def loads_of_units(
    program: Program, units: Sequence[Unit], layout: Layout, system: SystemSpec, activity: float
) -> list[ClassLoad]:
    """A load for each class of segments, which are islands where the host has the blocks."""
    found = []
    for number, (unit, flows) in enumerate(zip(units, layout.flows(program, units), strict=True)):
        flow_of = {view.name: copies for view, copies in zip(unit.views, flows, strict=True)}
        for work, names in works_of_unit(program, unit, system, activity):
            together = [_joined(copy) for copy in zip(*(flow_of[name] for name in names), strict=True)]
            found.append(ClassLoad(work, float(unit.share), together, number))
    return found


def _joined(flows: Sequence[BorderLoads]) -> BorderLoads:
    """Of the populations of a segment that is called once."""
    if len(flows) == 1:
        return flows[0]
    chips, at = np.unique(np.concatenate([flow.chips for flow in flows]), return_inverse=True)
    sums = np.zeros((3, len(chips)), np.int64)
    np.add.at(sums.T, at.reshape(-1), np.concatenate([np.stack(flow[1:], axis=1) for flow in flows]))
    return BorderLoads(chips, *sums)


def ends_of(program: Program, units: Sequence[Unit]) -> float:
    """Exchanges that no unit has: where the blocks are on the chip the embedding goes in once, and a head on the host reads
    what comes out."""
    if "lowered" not in program.conversion:
        return 0.0
    placed = {view.name for unit in units for view in unit.views}
    heads = {p.name for p in layers_of(program) if p.layer is None}
    return 0.5 + (0.0 if heads <= placed else 0.5)


def works_of_unit(
    program: Program, unit: Unit, system: SystemSpec, activity: float
) -> list[tuple[SegmentWork, list[str]]]:
    """The work of each segment of one copy, alone on as many chips as it takes, and its populations. What is encoded and the
    inputs of linear layers are events at this activity; every other neuron sends."""
    chips = unit.mapping.chips_available
    alone = replace(system, name=unit.mapping.system, chips=chips, grid=(chips, 1))
    events = max(1, round(activity * TOKENS))
    counts = ActivityCounts.zero()
    counts.tokens = TOKENS
    placed, own = {view.name for view in unit.views}, alone_program(program, {view.name for view in unit.views})
    linear, found = {p.name for p in layers_of(program)}, {}

    def times(network: Network, name: str) -> int:
        """Messages of a neuron for `TOKENS` tokens that the unit sees; of an expert beside it only its share of them."""
        share = min(Fraction(1), program.copies.get(name, ALONE).share / unit.share)
        return round(share * (events if feeds(network, name, linear) else TOKENS))

    for segment in own.segments:
        inside = segment.network
        fired = {name: {"s": np.full(p.size, times(inside, name), np.int64)} for name, p in inside.populations.items()}
        counts.segments[segment.name] = RunActivity(TOKENS, 1, fired, {}, {}, None)
        found[segment.name] = [name for name in inside.populations if name in placed and name not in segment.reads]
    works = works_of(own, counted(own, counts), unit.mapping, alone, "calls")
    return [(work, found[work.name]) for work in works]


def alone_program(program: Program, placed: Collection[str]) -> Program:
    """These populations and what they read, which comes from outside where it is not among them."""
    network = program.network
    projections = tuple(p for p in network.projections if p.target in placed)
    read = {p.source for p in projections} - set(placed)
    populations = {
        name: replace(p, model=INPUT, params={}, initial={}) if name in read and p.model != INPUT else p
        for name, p in network.populations.items()
        if name in read or name in placed
    }
    repeated = any(name in program.copies for name in placed)
    once = {name for name in populations if repeated and name not in program.copies}  # what the first layer reads
    host = tuple(s for s in program.host if isinstance(s, HostOp) or s.population in populations.keys() - once)
    later = {p.source for p in network.projections if p.source in placed and p.target not in placed}
    outputs = tuple(name for name in network.outputs if name in placed) or tuple(later) or tuple(placed)
    return replace(
        program, network=replace(network, populations=populations, projections=projections, outputs=outputs), host=host
    )
