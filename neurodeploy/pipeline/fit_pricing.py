"""Prices of a plan without weights: shards of one copy of each class for the account, the rest for the host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from neurodeploy.accounting.account import account
from neurodeploy.accounting.counted import counted
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.loads import Roofline
from neurodeploy.accounting.outlines import Assumed, ClassLoad, outline_loads
from neurodeploy.accounting.program import SegmentWork, works_of
from neurodeploy.flow.border import BorderLoads
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.copies import ALONE
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, RunActivity
from neurodeploy.ops import experts_of, lookup
from neurodeploy.ops.host.linear import island_work
from neurodeploy.ops.host.operation import Load, Work

if TYPE_CHECKING:
    from partitioner.fit.chips import Layout
    from partitioner.fit.plan import Unit

#: Tokens of the counts that stand for an activity: it is rounded to one part in so many.
TOKENS = 1000


@dataclass(frozen=True, slots=True)
class OnHost:
    """Islands of one class that the host computes: so many copies, each seen by the fraction `share` of tokens."""

    rows: int
    columns: int
    copies: int
    share: float
    layer: int | None


def price(
    program: Program, units: Sequence[Unit], layout: Layout | None, gone: Sequence[OnHost], system: SystemSpec,
    host: HostSpec, assumed: Assumed, cores: int,
) -> tuple[EnergyLedger, EnergyLedger]:  # fmt: skip
    """Ledgers of prefill and of generation; without `layout` the host does everything."""
    classes = _loads(program, units, layout, system, assumed.activity) if layout is not None else []
    prompt, token = host_load(program, gone, assumed.prompt)
    chips = layout.chips if layout is not None else 0
    loads = outline_loads(classes, token, prompt, system, assumed, chips=chips, cores=cores)
    return account(loads, system, host, "prefill"), account(loads, system, host, "generate")


def host_load(program: Program, gone: Iterable[OnHost], prompt: int) -> list[list[Roofline]]:
    """The work of a token of a prompt, and of one generated behind it: the host's own operations of all layers, and the
    islands that it computes. In a prompt an island's weights are read once if any token sees it."""
    found, chosen = [], experts_of(program.operations)[1]
    for phase, tokens, before in (("prefill", prompt, 0), ("generate", 1, prompt)):
        own = [Work(0, 0)]
        for op in program.operations:
            work = lookup(op).work(Load(op, program.sizes, tokens, before, tokens * chosen.get(op.layer, 1)))
            times = program.copies.get(op.path, ALONE).met
            own.append(Work(times * -(-work.flops // tokens), times * -(-work.bytes // tokens)))
        flops = moved = 0.0
        for entry in gone:
            token = island_work(entry.rows, entry.columns, 1)
            weights = 2 * token.bytes - island_work(entry.rows, entry.columns, 2).bytes
            called = (1.0 - (1.0 - entry.share) ** prompt) / prompt if phase == "prefill" else entry.share
            flops += entry.copies * entry.share * token.flops
            moved += entry.copies * (called * weights + entry.share * (token.bytes - weights))
        done = sum(own[1:], start=own[0])
        found.append([Roofline(done.flops, done.bytes, False, None), Roofline(flops, moved, True, None)])
    return found


def _loads(
    program: Program, units: Sequence[Unit], layout: Layout, system: SystemSpec, activity: float
) -> list[ClassLoad]:
    """A load for each class of islands."""
    from partitioner.fit.flows import Flows

    flows = Flows(program.network, list(units), system.chip)
    placed: list[list[list[BorderLoads]]] = [[[] for _ in unit.views] for unit in units]
    for spot in layout.spots:
        for found, flow in zip(placed[spot.unit], flows.of(spot), strict=True):
            found.append(flow)
    return [
        ClassLoad(work, float(unit.share), found, number)
        for number, (unit, copies) in enumerate(zip(units, placed, strict=True))
        for work, found in zip(_derived(program, unit, system, activity), copies, strict=True)
    ]


def _derived(program: Program, unit: Unit, system: SystemSpec, activity: float) -> list[SegmentWork]:
    """The work of each segment of one copy, alone on as many chips as it takes."""
    per_chip = system.chip.cores
    shards = tuple(
        Shard(tile.island, tile.kind, tile.rows, tile.cols, *divmod(core, per_chip))
        for tile, core in zip(unit.tiles, unit.core_of, strict=True)
    )
    chips = -(-unit.cores // per_chip)
    alone = replace(system, chips=chips, grid=(chips, 1))
    mapping = Mapping(system.name, chips, per_chip, shards, (), 0, "none", ())
    events = max(1, round(activity * TOKENS))
    counts = ActivityCounts.zero()
    counts.tokens = TOKENS
    for view in unit.views:
        sent = np.full(view.columns, events, np.int64), np.full(view.rows, TOKENS, np.int64)
        counts.segments[view.name] = RunActivity.of_layer(view.name, TOKENS, *sent)
    works = {work.name: work for work in works_of(program, counted(program, counts), mapping, alone, "calls")}
    return [works[view.name] for view in unit.views]
