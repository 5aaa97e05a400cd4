"""Any cut of a network into shards gives the bits, states and counts of the whole, and counts that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import InternalError
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.run import ShardCounts
from neurodeploy.neurons.registry import largest_payload, output_ports
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.networks.cuts import mapping_of, random_mapping
from tests.networks.equality import same_result
from tests.networks.random_networks import EXACT, all_probes, random_network
from tests.refusals import refused

SEEDS = range(80)
CHIP = get_system("oheo-gulch").chip


def words_of(network: Network, p: Projection) -> int:
    """Messages of 32 bits of one sum: one at a port that wraps, else as many as the largest sum of all columns needs
    (`tests/synapses` compares that bound with sums)."""
    if network.populations[p.target].model not in EXACT:
        return 1
    most = p.largest_sum(largest_payload(network.populations[p.source]))
    return -(-(most.bit_length() + 1) // 32)


def expected_counts(network: Network, mapping: Mapping, result: object) -> dict[Shard, ShardCounts]:
    """From the counts of the whole network and the structure of its synapses, without running a shard."""
    activity = result.activity  # type: ignore[attr-defined]
    ticks = activity.steps * activity.samples
    found = {}

    def heard(name: str, rows: tuple[int, int], cols: tuple[int, int]) -> int:
        """Steps, of all samples, in which any axon of these columns that has a synapse in these rows has an event."""
        some, start = np.zeros((activity.samples, activity.steps), bool), 0
        for p in network.into(name):
            columns = np.arange(p.synapse.columns) + start
            axons = p.synapse.axons(rows) & (cols[0] <= columns) & (columns < cols[1])
            bits = np.unpackbits(activity.raster.bits(p.source, p.source_port), axis=2, count=p.synapse.columns)
            some, start = some | (bits * axons).any(axis=2), start + p.synapse.columns
        return int(some.sum())

    for shard in mapping.shards:
        into = network.into(shard.island)
        total = max(1, sum(p.synapse.columns for p in into))
        reduced = any(s.kind == "reducer" for s in mapping.by_island()[shard.island])
        events = synops = sums = messages = start = 0
        for p in into:
            columns = np.arange(p.synapse.columns) + start
            here = (shard.cols[0] <= columns) & (columns < shard.cols[1])
            fired = activity.fired[p.source][p.source_port][here]
            events += int(fired[p.synapse.axons(shard.rows)[here]].sum())
            synops += int((fired * p.synapse.fan_out(shard.rows)[here]).sum())
            sums += max(1, p.depth) if here.any() else 0
            messages += max(1, p.depth) * words_of(network, p) if here.any() else 0
            start += p.synapse.columns
        ports = output_ports(network.populations[shard.island])
        sent = sum(int(activity.fired[shard.island][port][slice(*shard.rows)].sum()) for port in ports)
        every = ticks * shard.row_count
        if shard.kind == "reducer":
            arrived = sum(
                max(1, p.depth) * words_of(network, p)
                * max(0, min(s.rows[1], shard.rows[1]) - max(s.rows[0], shard.rows[0]))
                * heard(s.island, s.rows, s.cols)
                for s in mapping.by_island()[shard.island] if s.kind == "synapses"
                for p, begin in zip(into, np.cumsum([0, *(q.synapse.columns for q in into)]), strict=False)
                if s.cols[0] < begin + p.synapse.columns and begin < s.cols[1]
            )  # fmt: skip
            found[shard] = ShardCounts(arrived, arrived, every, sent)
        elif reduced:
            assert shard.cols != (0, total)
            left = shard.row_count * messages * heard(shard.island, shard.rows, shard.cols)
            found[shard] = ShardCounts(events, synops, every * sums, left)
        else:
            found[shard] = ShardCounts(events, synops, every, sent)
    return found


@pytest.mark.parametrize("instant", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_any_cut_gives_the_same_bits_and_counts(seed: int, instant: bool) -> None:
    network, inputs, steps = random_network(seed, instant=instant)
    mapping = random_mapping(network, seed)
    whole = ReferenceRunner().run(network, inputs, steps, probes=all_probes(network))
    runner = PartitionedRunner(mapping, CHIP)
    same_result(runner.run(network, inputs, steps, probes=all_probes(network)), whole)
    assert runner.shard_counts == expected_counts(network, mapping, whole)


def test_cuts_are_of_every_kind() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        network, _, _ = random_network(seed)
        for name, shards in random_mapping(network, seed).by_island().items():
            reducers = [s for s in shards if s.kind == "reducer"]
            seen["columns cut"] += bool(reducers)
            parts = [s for s in shards if s.kind == "synapses"]
            blocks = [{s.rows for s in parts if s.cols == cols} for cols in {s.cols for s in parts}]
            seen["columns cut, rows of the blocks do not align"] += any(rows != blocks[0] for rows in blocks)
            seen["rows cut"] += any(s.row_count < network.populations[name].size for s in shards)
            delayed = any(p.depth > 1 and p.weight_exp < 0 for p in network.into(name))
            seen["delays and a shift to the right, columns cut"] += delayed and bool(reducers)
    assert min(seen.values()) >= 10, seen


def test_counts_grow_with_every_run() -> None:
    network, inputs, steps = random_network(3)
    runner = PartitionedRunner(random_mapping(network, 3), CHIP)
    first = runner.run(network, inputs, steps)
    once = dict(runner.shard_counts)
    runner.run(network, inputs, steps, state=None)
    assert {s: c.neuron_updates for s, c in runner.shard_counts.items()} == {
        s: 2 * c.neuron_updates for s, c in once.items()
    }
    assert first.activity.steps == steps


#: What is there instead of the last shard.
BROKEN: dict[str, Callable[[Shard], list[Shard]]] = {
    "missing": lambda last: [],
    "twice": lambda last: [last, replace(last, core=99)],
    "too far": lambda last: [replace(last, rows=(last.rows[0], last.rows[1] + 1))],
    "reducer of other rows": lambda last: [
        last, Shard(last.island, "reducer", (0, last.rows[1] + 1), (0, 2), 0, 98)
    ],
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
def test_a_wrong_mapping_is_refused(how: str) -> None:
    network, inputs, steps = random_network(11)
    *shards, last = random_mapping(network, 11).shards
    runner = PartitionedRunner(mapping_of([*shards, *BROKEN[how](last)]), CHIP)
    refused(InternalError, "ND9015", runner.run, network, inputs, steps)
