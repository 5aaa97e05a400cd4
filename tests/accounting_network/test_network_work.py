"""Work of cores and links from counts: equal to what the partitioned runner counts, and the same whatever the mapping."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from neurodeploy.accounting.network_work import (
    CONV_SYNOPS,
    EVENTS,
    PARTIALS,
    SENT,
    SPIKES,
    SYNOPS,
    derive,
    shard_counts,
)
from neurodeploy.accounting.routes import chip_route, hops, router
from neurodeploy.errors import DoesNotFit, InternalError, UserError
from neurodeploy.ir.network_run import NetworkActivity
from neurodeploy.synapses import Direct
from partitioner.network_mapper import map_network
from partitioner.options import Options
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.networks.random_networks import random_network
from tests.partitioner_network.helpers import conv, dense, join, lif, network, shrunken, source, tiny

ONE = get_system("oheo-gulch")


@pytest.mark.parametrize("start", range(0, 80, 20))
def test_counts_equal_those_of_the_partitioned_runner(start: int) -> None:
    checked = 0
    for seed in range(start, start + 20):
        net, inputs, steps = random_network(seed)
        system = shrunken(seed)
        try:
            mapping = map_network(net, system, Options(weight_bits=8))
        except DoesNotFit:
            continue
        runner = PartitionedRunner(mapping, system.chip)
        work = derive(net, mapping, runner.run(net, inputs, steps).activity, system)
        counted = shard_counts(work)
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
                mapping = map_network(net, system, Options(weight_bits=8))
            except DoesNotFit:
                continue
            work = derive(net, mapping, activity, system)
            populations = work.populations.values()
            found.append(
                (
                    work.loads[:, [SYNOPS, CONV_SYNOPS, SPIKES]].sum(axis=0).tolist(),
                    sum(c.fixed_updates + c.updates for c in populations),
                    sum(c.leaving for c in populations),
                )
            )
            assert work.loads[:, SYNOPS].sum() == sum(c.synops for c in populations)
            assert work.loads[:, PARTIALS].sum() == sum(c.partials for c in populations)
            # what the host does not send leaves a core, and everything but outputs arrives as an event or a partial sum
            delivered = sum(c.deliveries - c.leaving for c in populations)
            assert delivered == work.loads[:, EVENTS].sum() + work.loads[:, PARTIALS].sum()
        assert found and all(entry == found[0] for entry in found), seed
        assert found[0][1] == net.neurons * activity.steps * activity.samples


def test_by_hand_on_four_chips() -> None:
    """i -> p (two cores, chips 0 and 1) -> q (two cores, chips 2 and 3), q -> q; chips in a row of four."""
    net = network(
        [source("i", 10), lif("p", 8), lif("q", 6)],
        join("a", "i", "p", dense(8, 10)),
        join("b", "p", "q", dense(6, 8)),
        join("r", "q", "q", dense(6, 6)),
    )
    system = tiny(neurons=4, cores=1)
    mapping = map_network(net, system, Options(place=False))
    fired = {"i": np.arange(10), "p": np.array([1, 0, 2, 0, 5, 0, 0, 1]), "q": np.array([3, 0, 0, 1, 1, 0])}
    activity = NetworkActivity(4, 2, {name: {"s": counts.astype(np.int64)} for name, counts in fired.items()}, {}, {})
    work = derive(net, mapping, activity, system)
    p, q = work.populations["p"], work.populations["q"]
    assert (p.synops, p.deliveries, p.entering, p.fixed_updates) == (45 * 8, 45 * 2, 45 * 2, 8 * 8)
    assert (q.synops, q.deliveries, q.leaving) == (9 * 6 + 5 * 6, 2 * 9 + 2 * 5 + 5, 5)
    between = np.zeros((system.chips, system.chips), np.int64)
    between[0, [2, 3]], between[1, [2, 3]], between[2, 3], between[3, 2] = 3, 6, 3, 2
    assert np.array_equal(work.routes.between, between)
    host = np.zeros_like(between)
    host[0, 0], host[0, 1], host[2, 0], host[3, 0] = 45, 45, 3, 2
    assert np.array_equal(work.routes.from_host, host)
    assert work.loads[:, SENT].tolist() == [6, 12, 6 + 3, 4 + 2]
    assert (p.hops_ew, p.hops_ns) == (0, 0)  # the only router of a chip of one core
    assert work.phases == 1


def test_links_are_those_of_the_route() -> None:
    system = get_system("alia-point")
    work = derive(*_anything(system), system)
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 9, (32, 32)) * (rng.random((32, 32)) < 0.2)
    wanted: Counter[tuple[int, int]] = Counter()
    for a, b in zip(*np.nonzero(pairs), strict=True):
        for link in chip_route(system, int(a), int(b)):
            wanted[link] += int(pairs[a, b])
    found = work.routes.links(pairs)
    assert sorted(found[found > 0].tolist()) == sorted(wanted.values())


def _anything(system):
    net = network([lif("p", 3)])
    fired = {"p": {"s": np.zeros(3, np.int64)}}
    return net, map_network(net, system), NetworkActivity(1, 1, fired, {}, {})


def test_hops_on_the_mesh() -> None:
    net = network([source("i", 1), lif("p", 50)], join("a", "i", "p", dense(50, 1)), join("r", "p", "p", dense(50, 50)))
    mapping = map_network(net, ONE, Options(max_rows=1, place=False))
    fired = np.zeros(50, np.int64)
    fired[7], fired[49] = 3, 2
    activity = NetworkActivity(5, 1, {"i": {"s": np.array([4])}, "p": {"s": fired}}, {}, {})
    counts = derive(net, mapping, activity, ONE).populations["p"]
    ew = ns = 0
    for core in range(50):
        x, y = router(ONE.chip, core)
        ew, ns = ew + 4 * x + int(fired[core]) * x, ns + 4 * y + int(fired[core]) * y  # in from the port, out to it
        for origin in (7, 49):
            dx, dy = hops(ONE.chip, origin, core)
            ew, ns = ew + int(fired[origin]) * dx, ns + int(fired[origin]) * dy
    assert (counts.hops_ew, counts.hops_ns) == (ew, ns)


def test_phases_of_a_step() -> None:
    chain = network(
        [source("i", 4), lif("p", 4), lif("q", 4)], join("a", "i", "p", Direct(4)), join("b", "p", "q", Direct(4))
    )
    activity = NetworkActivity(1, 1, {}, {}, {})
    assert derive(chain, map_network(chain, ONE), activity, ONE).phases == 3
    wide = network([source("i", 40), lif("p", 3)], join("w", "i", "p", dense(3, 40)))
    system = tiny(in_axons=20)
    work = derive(wide, map_network(wide, system), activity, system)
    assert work.phases == 2
    assert work.populations["p"].partials == 3 * 2


def test_convolutions_are_counted_apart() -> None:
    net = network([source("i", 4, 4, 2), lif("p", 2, 2, 3)], join("w", "i", "p", conv((4, 4, 2), 3)))
    fired = np.zeros((4, 4, 2), np.int64)
    fired[1, 1, 0], fired[0, 0, 1] = 2, 5
    work = derive(net, map_network(net, ONE), NetworkActivity(9, 1, {"i": {"s": fired.reshape(-1)}}, {}, {}), ONE)
    assert work.loads[0, CONV_SYNOPS] == 2 * 4 * 3 + 5 * 3 and work.loads[0, SYNOPS] == 0


def test_what_does_not_go_together() -> None:
    net, mapping, activity = _anything(ONE)
    with pytest.raises(UserError, match="ND3102"):
        derive(net, mapping, NetworkActivity(0, 1, {}, {}, {}), ONE)
    with pytest.raises(UserError, match="ND3106"):
        derive(net, mapping, activity, get_system("kapoho-point"))
    with pytest.raises(InternalError, match="ND9031"):
        derive(network([lif("other", 3)]), mapping, activity, ONE)
    with pytest.raises(InternalError, match="ND9031"):
        derive(net, mapping, NetworkActivity(1, 1, {"p": {"s": np.zeros(4, np.int64)}}, {}, {}), ONE)
