"""Ledgers of runs, as the verbs make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurodeploy.accounting.account import account
from neurodeploy.accounting.islands import island_loads
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.loads import CONV_SYNOPS, EVENTS, FIXED_UPDATES, PARTIALS, SENT, SPIKES, SYNOPS, UPDATES
from neurodeploy.accounting.networks import NetworkWork, network_loads
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.network import Network
from neurodeploy.ir.network_run import NetworkActivity
from neurodeploy.ir.program import Island
from neurodeploy.ir.result import ActivityCounts, ShardCounts


def token_ledger(
    mapping: Placement, counts: ActivityCounts, islands: Mapping[str, Island], system: SystemSpec, host: HostSpec,
    phase: str, border: str = "calls", **options: Any,
) -> EnergyLedger:  # fmt: skip
    return account(island_loads(mapping, counts, islands, system, border), system, host, phase, **options)


def sample_ledger(
    network: Network, mapping: Placement, activity: NetworkActivity, system: SystemSpec, host: HostSpec,
    border: str = "sample", **options: Any,
) -> EnergyLedger:  # fmt: skip
    return account(network_loads(network, mapping, activity, system, border), system, host, "sample", **options)


def network_shards(work: NetworkWork, mapping: Placement) -> dict[Shard, ShardCounts]:
    """What each shard did, in the terms of the partitioned runner: there a partial sum that leaves counts as an update, and
    one that arrives as an event and an operation."""
    found = {}
    for shard, load in zip(mapping.shards, work.table.tolist(), strict=True):
        arrived = load[PARTIALS] if shard.kind == "reducer" else load[EVENTS]
        synops, whole = load[SYNOPS] + load[CONV_SYNOPS] + load[PARTIALS], work.homes.whole(shard)
        updates = load[FIXED_UPDATES] + load[UPDATES] if whole else load[SENT]
        found[shard] = ShardCounts(arrived, synops, updates, load[SPIKES] if whole else load[SENT])
    return found
