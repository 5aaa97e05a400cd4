"""Work of cores and links from counts: equal to what the partitioned runner counts, and the same whatever the mapping."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import DoesNotFit, InternalError, UserError
from neurodeploy.flow.loads import CONV_SYNOPS, EVENTS, FIXED_UPDATES, PARTIALS, SENT, SPIKES, SYNOPS, UPDATES
from neurodeploy.flow.routes import routers
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from neurodeploy.synapses import Direct
from partitioner.mapper import map_model
from partitioner.options import Options
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.networks.random_networks import random_network
from tests.partitioner.make import CHAIN, conv, dense, join, lif, network, shrunken, source, tiny
from tests.prices import shard_counts, work_of
from tests.refusals import refused

ONE = get_system("oheo-gulch")


@pytest.mark.parametrize("start", range(0, 80, 20))
def test_counts_equal_those_of_the_partitioned_runner(start: int) -> None:
    checked = 0
    for seed in range(start, start + 20):
        net, inputs, steps = random_network(seed)
        system = shrunken(seed)
        try:
            mapping = map_model(Program.of(net), system, Options(weight_bits=8))
        except DoesNotFit:
            continue
        runner = PartitionedRunner(mapping, system.chip)
        work = work_of(net, mapping, runner.run(net, inputs, steps).activity, system)
        counted = shard_counts(work.table, mapping.shards)
        assert {shard: counted[shard] for shard in runner.shard_counts} == runner.shard_counts, seed
        checked += len(runner.shard_counts)
    assert checked > 20


def test_totals_do_not_depend_on_the_mapping() -> None:
    """Operations, events and updates of neurons are the network's; deliveries and partial sums are the mapping's."""
    for seed in range(30):
        net, inputs, steps = random_network(seed)
        activity = ReferenceRunner().run(net, inputs, steps).activity
        found = []
        for system in (ONE, shrunken(seed), shrunken(seed + 500)):
            try:
                mapping = map_model(Program.of(net), system, Options(weight_bits=8))
            except DoesNotFit:
                continue
            heard = work_of(net, mapping, activity, system).table.sum(axis=0)
            work = work_of(net, mapping, replace(activity, raster=None), system)
            traffic, sums = work.traffic.values(), work.table.sum(axis=0)
            assert (heard == sums)[[SYNOPS, CONV_SYNOPS, FIXED_UPDATES, UPDATES, EVENTS, SPIKES]].all()
            assert heard[PARTIALS] <= sums[PARTIALS]  # not in every step
            homes = sum(sums[[FIXED_UPDATES, UPDATES]]) - sums[PARTIALS]  # each partial sum is one message of a neuron
            found.append((sums[[SYNOPS, CONV_SYNOPS, SPIKES]].tolist(), homes,
                          sum(t.leaving for t in traffic)))  # fmt: skip
            assert sums[SYNOPS] == work.counts.synops
            assert sums[PARTIALS] == work.counts.partial_sums
            # what the host does not send leaves a core, and everything but outputs arrives as an event or a partial sum
            assert sum(t.deliveries - t.leaving for t in traffic) == sums[EVENTS] + sums[PARTIALS]
        assert found and all(entry == found[0] for entry in found), seed
        assert found[0][1] == net.neurons * activity.steps * activity.samples


def test_by_hand_on_four_chips() -> None:
    """i -> p (two cores, chips 0 and 1) -> q (two cores, chips 2 and 3), q -> q; chips in a row of four."""
    system = tiny(neurons=4, cores=1)
    mapping = map_model(CHAIN, system, Options(place=False))
    fired = {"i": np.arange(10), "p": np.array([1, 0, 2, 0, 5, 0, 0, 1]), "q": np.array([3, 0, 0, 1, 1, 0])}
    activity = RunActivity(4, 2, {name: {"s": counts.astype(np.int64)} for name, counts in fired.items()}, {}, {}, None)
    work = work_of(CHAIN.network, mapping, activity, system)
    p, q = work.traffic["p"], work.traffic["q"]
    counts = {part.name: part.counts for part in work.parts}
    assert (counts["p"].synops, p.deliveries, p.entering, counts["p"].fixed_updates) == (45 * 8, 45 * 2, 45 * 2, 8 * 8)
    assert (counts["q"].synops, q.deliveries, q.leaving) == (9 * 6 + 5 * 6, 2 * 9 + 2 * 5 + 5, 5)
    assert (p.direct, p.hosts) == ({}, {(0, 1): 45})
    assert q.direct == {(0, 2): 3, (0, 3): 3, (1, 2): 6, (1, 3): 6, (2, 3): 3, (3, 2): 2}
    assert q.hosts == {(2, 0): 3, (3, 0): 2}
    assert work.table[:, SENT].tolist() == [6, 12, 6 + 3, 4 + 2]
    assert (p.hops_ew, p.hops_ns) == (0, 0)  # the only router of a chip of one core
    assert len(work.steps) == 1


def test_hops_on_the_mesh() -> None:
    net = network([source("i", 1), lif("p", 50)], join("a", "i", "p", dense(50, 1)), join("r", "p", "p", dense(50, 50)))
    mapping = map_model(Program.of(net), ONE, Options(max_rows=1, place=False))
    fired = np.zeros(50, np.int64)
    fired[7], fired[49] = 3, 2
    activity = RunActivity(5, 1, {"i": {"s": np.array([4])}, "p": {"s": fired}}, {}, {}, None)
    counts = work_of(net, mapping, activity, ONE).traffic["p"]
    at = routers(ONE.chip, np.arange(50))
    wanted = (4 + fired) @ at  # in from the port, out to it
    for origin in (7, 49):
        wanted += fired[origin] * np.abs(at - at[origin]).sum(axis=0)
    assert [counts.hops_ew, counts.hops_ns] == wanted.tolist()


def test_phases_of_a_step() -> None:
    chain = network(
        [source("i", 4), lif("p", 4), lif("q", 4)], join("a", "i", "p", Direct(4)), join("b", "p", "q", Direct(4))
    )
    activity = RunActivity(1, 1, {}, {}, {}, None)

    def phases(network: Network) -> int:
        return len(work_of(network, map_model(Program.of(network), ONE), activity, ONE).steps)

    assert phases(chain) == 2  # what the host sends is there before
    instant = replace(chain.projections[1], synapse=dense(4, 4), instant=True)
    chain = replace(chain, projections=(chain.projections[0], instant))
    assert phases(chain) == 2
    wide = network([source("i", 40), lif("p", 3)], join("w", "i", "p", dense(3, 40)))
    system = tiny(in_axons=20)
    work = work_of(wide, map_model(Program.of(wide), system), activity, system)
    assert len(work.steps) == 2
    assert work.table[:, PARTIALS].sum() == 3 * 2


def test_convolutions_are_counted_apart() -> None:
    net = network([source("i", 4, 4, 2), lif("p", 2, 2, 3)], join("w", "i", "p", conv((4, 4, 2), 3)))
    fired = np.zeros((4, 4, 2), np.int64)
    fired[1, 1, 0], fired[0, 0, 1] = 2, 5
    work = work_of(
        net, map_model(Program.of(net), ONE), RunActivity(9, 1, {"i": {"s": fired.reshape(-1)}}, {}, {}, None), ONE
    )
    assert work.table[0, CONV_SYNOPS] == 2 * 4 * 3 + 5 * 3 and work.table[0, SYNOPS] == 0


def test_what_does_not_go_together() -> None:
    net = network([lif("p", 3)])
    mapping, activity = (
        map_model(Program.of(net), ONE),
        RunActivity(1, 1, {"p": {"s": np.zeros(3, np.int64)}}, {}, {}, None),
    )
    wrong = RunActivity(1, 1, {"p": {"s": np.zeros(4, np.int64)}}, {}, {}, None)
    refused(UserError, "ND3102", work_of, net, mapping, RunActivity(0, 1, {}, {}, {}, None), ONE)
    refused(UserError, "ND3106", work_of, net, mapping, activity, get_system("kapoho-point"))
    refused(InternalError, "ND9031", work_of, network([lif("other", 3)]), mapping, activity, ONE)
    refused(InternalError, "ND9031", work_of, net, mapping, wrong, ONE)
