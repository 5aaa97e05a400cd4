"""Prices of a plan without weights: shards of one copy of each class for the account, the rest for the host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from neurodeploy.accounting.account import account
from neurodeploy.accounting.islands import IslandWork, works_of
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.loads import Roofline
from neurodeploy.accounting.outlines import Assumed, ClassLoad, outline_loads
from neurodeploy.flow.border import BorderLoads
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.outline import Matrix, Outline
from neurodeploy.ir.run import ActivityCounts, IslandActivity
from neurodeploy.ops.host.linear import island_work

if TYPE_CHECKING:
    from partitioner.fit.chips import Layout
    from partitioner.fit.plan import Unit

#: Tokens of the counts that stand for an activity: it is rounded to one part in so many.
TOKENS = 1000
PHASES = ("prefill", "generate")


@dataclass(frozen=True, slots=True)
class OnHost:
    """Islands of one class that the host computes: so many copies, each seen by the fraction `share` of tokens."""

    matrix: Matrix
    copies: int
    share: float


def price(
    outline: Outline, units: Sequence[Unit], layout: Layout | None, gone: Sequence[OnHost], system: SystemSpec,
    host: HostSpec, assumed: Assumed, cores: int,
) -> tuple[EnergyLedger, EnergyLedger]:  # fmt: skip
    """Ledgers of prefill and of generation; without `layout` the host does everything."""
    classes = _loads(units, layout, system, assumed.activity) if layout is not None else []
    prompt, token = host_load(outline, gone, assumed.prompt)
    chips = layout.chips if layout is not None else 0
    loads = outline_loads(classes, token, prompt, system, assumed, chips=chips, cores=cores)
    return account(loads, system, host, "prefill"), account(loads, system, host, "generate")


def host_load(outline: Outline, gone: Iterable[OnHost], prompt: int) -> list[list[Roofline]]:
    """The work of a token of a prompt, and of a generated one: the host's own operations of all layers, and the islands
    that it computes. In a prompt an island's weights are read once if any token sees it."""
    entries = [(1, work) for work in outline.around]
    entries += [(len(block.layers), work) for block in outline.blocks for work in block.host]
    found = []
    for phase in PHASES:
        own = [sum(times * getattr(work, phase)[part] for times, work in entries) for part in range(2)]
        flops = moved = 0.0
        for entry in gone:
            rows, columns = entry.matrix.rows, entry.matrix.columns
            token = island_work(rows, columns, 1)
            weights = 2 * token.bytes - island_work(rows, columns, 2).bytes
            called = (1.0 - (1.0 - entry.share) ** prompt) / prompt if phase == "prefill" else entry.share
            flops += entry.copies * entry.share * token.flops
            moved += entry.copies * (called * weights + entry.share * (token.bytes - weights))
        found.append([Roofline(own[0], own[1], False, None), Roofline(flops, moved, True, None)])
    return found


def _loads(units: Sequence[Unit], layout: Layout, system: SystemSpec, activity: float) -> list[ClassLoad]:
    """A load for each class of islands."""
    from partitioner.fit.flows import Flows

    flows = Flows(list(units), system.chip)
    placed: list[list[list[BorderLoads]]] = [[[] for _ in unit.matrices] for unit in units]
    for spot in layout.spots:
        for found, flow in zip(placed[spot.unit], flows.of(spot), strict=True):
            found.append(flow)
    return [
        ClassLoad(work, float(unit.share), found, number)
        for number, (unit, copies) in enumerate(zip(units, placed, strict=True))
        for work, found in zip(_derived(unit, system, activity), copies, strict=True)
    ]


def _derived(unit: Unit, system: SystemSpec, activity: float) -> list[IslandWork]:
    """The work of each island of one copy, alone on as many chips as it takes."""
    from partitioner.fit.cut import hollow

    per_chip = system.chip.cores
    shards = tuple(
        Shard(tile.island, tile.kind, tile.rows, tile.cols, *divmod(core, per_chip))
        for tile, core in zip(unit.tiles, unit.core_of, strict=True)
    )
    chips = -(-unit.cores // per_chip)
    alone = replace(system, chips=chips, grid=(chips, 1))
    mapping = Mapping(system.name, chips, per_chip, shards, (), 0, "none", ())
    events = max(1, round(activity * TOKENS))
    counts = ActivityCounts(
        {
            matrix.name: IslandActivity(
                TOKENS, np.full(matrix.columns, events, np.int64), np.full(matrix.rows, TOKENS, np.int64), 0, 0, 0
            )
            for matrix in unit.matrices
        },
        TOKENS,
        0,
        0,
        {},
    )
    islands = {matrix.name: hollow(matrix, unit.bits) for matrix in unit.matrices}
    return works_of(mapping, counts, islands, alone, "calls")
