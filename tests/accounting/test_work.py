"""Derived counts against a run that is counted core by core and token by token."""

from __future__ import annotations

import numpy as np

from neurodeploy.flow.loads import SENT, SYNOPS, UPDATES
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.run import ActivityCounts, RunActivity
from tests.accounting import toy
from tests.islands import hollow_island
from tests.prices import layers, shard_counts, works


def test_derived_counts_equal_a_direct_count() -> None:
    rng = np.random.default_rng(7)
    tokens, rows, columns = 23, 6, 9
    payload = rng.integers(-3, 4, (tokens, columns)) * (rng.random((tokens, columns)) < 0.3)
    payload[:4] = 0
    weight = rng.integers(-2, 3, (rows, columns))
    out = np.maximum(payload @ weight.T, 0)
    activity = RunActivity.of_layer("i", tokens, (payload != 0).sum(0), (out != 0).sum(0))
    island = hollow_island("i", rows, columns)
    places = [(0, 0), (0, 2), (1, 1)]
    shards = [Shard("i", "synapses", (r, r + 2), (0, columns), *p) for r, p in zip((0, 2, 4), places, strict=True)]
    counts = ActivityCounts({"i": activity}, tokens, 0, 0, {})
    (work,) = works(layers({"i": island}), counts, toy.mapping(*shards), toy.SYSTEM)
    traffic = work.traffic["i"]
    for shard, counted in shard_counts(work.table, shards).items():
        r0, r1 = shard.rows
        assert counted.events == np.count_nonzero(payload)
        assert counted.synops == sum(np.count_nonzero(x) * 2 for x in payload)
        assert counted.neuron_updates == 2 * tokens
        assert counted.messages_out == np.count_nonzero(out[:, r0:r1])
    assert work.counts.synops == np.count_nonzero(payload) * rows
    assert traffic.deliveries == 3 * np.count_nonzero(payload) + np.count_nonzero(out)
    assert traffic.entering == 2 * np.count_nonzero(payload)  # once for each of the two chips
    assert work.counts.core_steps == 3 * tokens


def test_two_shards_on_one_core_are_one_active_core() -> None:
    shards = [Shard("a", "synapses", (r, r + 2), (0, 3), 0, 1) for r in (0, 2)]
    (work,) = works(layers(toy.ISLANDS), toy.counts(), toy.mapping(*shards), toy.SYSTEM)
    assert work.counts.core_steps == 2
    assert work.resident == {(0, 1): 4}
    assert work.steps[0].loads[0, [SYNOPS, UPDATES, SENT]].tolist() == [6, 4, 2.5]


def test_columns_on_a_chip_are_sent_to_it_once() -> None:
    shards = [
        Shard("a", "synapses", (0, 4), (0, 2), 0, 0),
        Shard("a", "synapses", (0, 4), (2, 3), 1, 1),
        Shard("a", "reducer", (0, 2), (0, 2), 0, 2),
        Shard("a", "reducer", (2, 4), (0, 2), 1, 3),
    ]
    counts = ActivityCounts({"a": toy.activity("a", 3, [3, 2, 1], [1, 1, 1, 1])}, 3, 0, 0, {})
    (work,) = works(layers(toy.ISLANDS), counts, toy.mapping(*shards), toy.SYSTEM)
    traffic = work.traffic["a"]
    assert traffic.entering == 6  # 5 to chip 0, 1 to chip 1
    # over 0 -> 1: one event, two rows of partial sums a token; back: two rows a token and 2 outputs
    assert (traffic.direct, traffic.hosts) == ({(0, 1): 6, (1, 0): 6}, {(0, 1): 1, (1, 0): 2})
    assert (traffic.interchip, traffic.interchip_least) == (15, 12)


def test_without_a_border_messages_come_from_the_island_before() -> None:
    islands = {"a": hollow_island("a", 4, 3), "b": hollow_island("b", 1, 4)}
    shards = [Shard("a", "synapses", (0, 4), (0, 3), 1, 0), Shard("b", "synapses", (0, 1), (0, 4), 1, 1)]
    counts = toy.counts()
    counts.segments["b"] = toy.activity("b", 2, [2, 1, 0, 2], [2])
    first, second = works(layers(islands), counts, toy.mapping(*shards), toy.SYSTEM, "none")
    assert first.traffic["a"].hosts == {(0, 1): 3}
    assert not second.traffic["b"].hosts and not first.traffic["a"].direct
