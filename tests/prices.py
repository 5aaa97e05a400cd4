"""Ledgers of runs, as the verbs make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neurodeploy.accounting.account import account
from neurodeploy.accounting.counted import counted
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.program import SegmentWork, loads, works_of
from neurodeploy.flow.loads import CONV_SYNOPS, EVENTS, FIXED_UPDATES, PARTIALS, SENT, SPIKES, SYNOPS, UPDATES
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, RunActivity, ShardCounts
from neurodeploy.synapses.linear import LinearLayer
from tests.islands import hollow_program

INFO = ModelInfo("run", "test", 0, 0, 1, 0, "made by a test")


def layers(islands: Mapping[str, LinearLayer]) -> Program:
    """A language model of these, one after another."""
    return hollow_program(INFO, list(islands.values()))


def ledger_of(
    program: Program, counts: ActivityCounts | RunActivity, mapping: Placement, system: SystemSpec, host: HostSpec,
    phase: str, border: str = "", **options: Any,
) -> EnergyLedger:  # fmt: skip
    return account(loads(program, counts, mapping, system, border), system, host, phase, **options)


def token_ledger(
    mapping: Placement, counts: ActivityCounts, islands: Mapping[str, LinearLayer], system: SystemSpec, host: HostSpec,
    phase: str, border: str = "", **options: Any,
) -> EnergyLedger:  # fmt: skip
    return ledger_of(layers(islands), counts, mapping, system, host, phase, border, **options)


def sample_ledger(
    network: Network, mapping: Placement, activity: RunActivity, system: SystemSpec, host: HostSpec,
    border: str = "", **options: Any,
) -> EnergyLedger:  # fmt: skip
    return ledger_of(Program.of(network), activity, mapping, system, host, "sample", border, **options)


def works(
    program: Program,
    counts: ActivityCounts | RunActivity,
    mapping: Placement,
    system: SystemSpec,
    border: str = "calls",
) -> list[SegmentWork]:
    return works_of(program, counted(program, counts, mapping.assignments), mapping, system, border)


def work_of(network: Network, mapping: Placement, activity: RunActivity, system: SystemSpec) -> SegmentWork:
    """Of a network that is fed by streams, its shards in the order of the mapping."""
    (work,) = works(Program.of(network), activity, mapping, system, "sample")
    return replace(work, table=work.table[np.argsort(work.shards)])


def shard_counts(table: Ints, shards: Sequence[Shard]) -> dict[Shard, ShardCounts]:
    """What each shard did, in the terms of the partitioned runner, from a table of loads."""
    found = {}
    for shard, load in zip(shards, table.tolist(), strict=True):
        arrived = load[PARTIALS] if shard.kind == "reducer" else load[EVENTS]
        synops, updates = load[SYNOPS] + load[CONV_SYNOPS] + load[PARTIALS], load[FIXED_UPDATES] + load[UPDATES]
        found[shard] = ShardCounts(arrived, synops, updates, load[SPIKES] or load[SENT])
    return found
