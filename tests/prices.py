"""Ledgers of runs, as the verbs make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurodeploy.accounting.account import account
from neurodeploy.accounting.islands import island_loads
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.networks import network_loads
from neurodeploy.flow.loads import CONV_SYNOPS, EVENTS, FIXED_UPDATES, PARTIALS, SENT, SYNOPS, UPDATES
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Island
from neurodeploy.ir.run import ActivityCounts, RunActivity, ShardCounts


def token_ledger(
    mapping: Placement, counts: ActivityCounts, islands: Mapping[str, Island], system: SystemSpec, host: HostSpec,
    phase: str, border: str = "calls", **options: Any,
) -> EnergyLedger:  # fmt: skip
    return account(island_loads(mapping, counts, islands, system, border), system, host, phase, **options)


def sample_ledger(
    network: Network, mapping: Placement, activity: RunActivity, system: SystemSpec, host: HostSpec,
    border: str = "sample", **options: Any,
) -> EnergyLedger:  # fmt: skip
    return account(network_loads(network, mapping, activity, system, border), system, host, "sample", **options)


def shard_counts(table: Ints, shards: Sequence[Shard], sent: int = SENT) -> dict[Shard, ShardCounts]:
    """What each shard did, in the terms of the partitioned runners, from a table of loads. That of networks counts each
    partial sum that leaves as an update, and what leaves a home of neurons as `SPIKES`."""
    found = {}
    for shard, load in zip(shards, table.tolist(), strict=True):
        arrived, updates = (
            load[PARTIALS] if shard.kind == "reducer" else load[EVENTS],
            load[FIXED_UPDATES] + load[UPDATES],
        )
        synops = load[SYNOPS] + load[CONV_SYNOPS] + load[PARTIALS]
        found[shard] = ShardCounts(arrived, synops, updates or load[SENT], load[sent if updates else SENT])
    return found
