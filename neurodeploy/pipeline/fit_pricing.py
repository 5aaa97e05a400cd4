"""Prices of a plan without weights: shards of one copy of each class for the account, the rest for the host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.outline_account import account_outline
from neurodeploy.accounting.outline_loads import ClassLoad, CopyFlow, HostLoad
from neurodeploy.accounting.work import derive
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.outline import Matrix, Outline
from neurodeploy.ir.result import ActivityCounts, IslandActivity
from neurodeploy.ops.host.linear import island_work

if TYPE_CHECKING:
    from partitioner.fit import Unit
    from partitioner.fit_chips import Layout

#: Tokens of the counts that stand for an activity: it is rounded to one part in so many.
TOKENS = 1000
PHASES = ("prefill", "generate")


@dataclass(frozen=True, slots=True)
class OnHost:
    """Islands of one class that the host computes: so many copies, each seen by the fraction `share` of tokens."""

    matrix: Matrix
    copies: int
    share: float


@dataclass(frozen=True, slots=True)
class Assumed:
    """What a price assumes: the activity and where it is from, tokens of the prompt."""

    activity: float
    source: str
    prompt: int


def price(
    outline: Outline, units: Sequence[Unit], layout: Layout | None, gone: Sequence[OnHost], system: SystemSpec,
    host: HostSpec, assumed: Assumed, cores: int,
) -> tuple[EnergyLedger, EnergyLedger]:  # fmt: skip
    """Ledgers of prefill and of generation; without `layout` the host does everything."""
    loads, groups = _loads(units, layout, system, assumed.activity) if layout is not None else ([], [])
    work = host_load(outline, gone, assumed.prompt)
    chips = layout.chips if layout is not None else 0
    prefill, generate = (
        account_outline(
            loads, groups, work, system, host, phase, chips=chips, cores=cores, activity=assumed.activity,
            activity_source=assumed.source, prompt=assumed.prompt,
        )
        for phase in PHASES
    )  # fmt: skip
    return prefill, generate


def host_load(outline: Outline, gone: Iterable[OnHost], prompt: int) -> HostLoad:
    """The host's own operations of all layers, and the islands that it computes. In a prompt an island's weights are read
    once if any token sees it."""
    own = {"generate": [0.0, 0.0], "prefill": [0.0, 0.0]}
    entries = [(1, work) for work in outline.around]
    entries += [(len(block.layers), work) for block in outline.blocks for work in block.host]
    for times, work in entries:
        for phase, (flops, moved) in (("generate", work.generate), ("prefill", work.prefill)):
            own[phase][0] += times * flops
            own[phase][1] += times * moved
    islands = {"generate": [0.0, 0.0], "prefill": [0.0, 0.0]}
    for entry in gone:
        rows, columns = entry.matrix.rows, entry.matrix.columns
        token = island_work(rows, columns, 1)
        weights = 2 * token.bytes - island_work(rows, columns, 2).bytes
        values, called = token.bytes - weights, 1.0 - (1.0 - entry.share) ** prompt
        moving = {"generate": entry.share * token.bytes, "prefill": called * weights / prompt + entry.share * values}
        for phase, amount in moving.items():
            islands[phase][0] += entry.copies * entry.share * token.flops
            islands[phase][1] += entry.copies * amount
    return HostLoad(
        (own["generate"][0], own["generate"][1]), (own["prefill"][0], own["prefill"][1]),
        (islands["generate"][0], islands["generate"][1]), (islands["prefill"][0], islands["prefill"][1]),
    )  # fmt: skip


def _loads(
    units: Sequence[Unit], layout: Layout, system: SystemSpec, activity: float
) -> tuple[list[ClassLoad], list[list[int]]]:
    """A load for each class of islands, and which of them share cores."""
    from partitioner.fit_flows import Flows

    flows = Flows(list(units), system.chip)
    placed: list[list[list[CopyFlow]]] = [[[] for _ in unit.matrices] for unit in units]
    for spot in layout.spots:
        for found, flow in zip(placed[spot.unit], flows.of(spot), strict=True):
            found.append(CopyFlow(flow.chips, flow.entering, flow.delivered, flow.leaving))
    loads: list[ClassLoad] = []
    groups: list[list[int]] = []
    for unit, copies in zip(units, placed, strict=True):
        groups.append(list(range(len(loads), len(loads) + len(unit.matrices))))
        for work, found in zip(_derived(unit, system, activity), copies, strict=True):
            loads.append(ClassLoad(work, float(unit.share), found))
    return loads, groups


def _derived(unit: Unit, system: SystemSpec, activity: float) -> Any:
    """The work of each island of one copy, alone on as many chips as it takes."""
    from partitioner.fit_cut import hollow

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
    return derive(mapping, counts, islands, alone)
