"""Nets between the cores of a network: the messages that `traffic` and the energy account count."""

from __future__ import annotations

import numpy as np

from neurodeploy.errors import DoesNotFit
from neurodeploy.flow.routes import HOST
from neurodeploy.ir.run import RunActivity
from neurodeploy.neurons.registry import output_ports
from neurodeploy.synapses.build import sparse_from_coo
from partitioner.judge.metrics import traffic_of
from partitioner.mapper import map_model
from partitioner.nets.streams import streams_of
from partitioner.nets.tiles import nets_of_tiles
from partitioner.nets.traffic import traffic
from partitioner.options import Options
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.networks.random_networks import random_network
from tests.partitioner.make import dense, join, lif, network, shrunken, source, tiny
from tests.prices import work_of


def messages(nets) -> int:
    return int((nets.weight * np.diff(nets.indptr)).sum())


def test_by_hand() -> None:
    net = network(
        [source("i", 10), lif("p", 8), lif("q", 6)],
        join("a", "i", "p", dense(8, 10)),
        join("b", "p", "q", dense(6, 8)),
        join("r", "q", "q", dense(6, 6)),
    )
    mapping = map_model(net, tiny(neurons=4, cores=4), Options(place=False))
    places, nets, _ = traffic_of(mapping, net, tiny())
    assert places.chip.tolist() == [0, 0, 0, 0] and places.core.tolist() == [0, 1, 2, 3] and nets.cores == 4
    pins = [tuple(nets.pins[a:b].tolist()) for a, b in zip(nets.indptr[:-1], nets.indptr[1:], strict=True)]
    found = dict(zip(zip(nets.source.tolist(), pins, strict=True), nets.weight.tolist(), strict=True))
    assert found == {
        (HOST, (0, 1)): 10, (0, (2, 3)): 4, (1, (2, 3)): 4, (2, (3,)): 3, (3, (2,)): 3, (2, (HOST,)): 3, (3, (HOST,)): 3
    }  # fmt: skip


def test_the_messages_of_a_run_are_those_of_the_account() -> None:
    """Every delivery is in a net, but for those that stay on their core."""
    checked = 0
    for seed in range(36):
        net, inputs, steps = random_network(seed)
        system = shrunken(seed)
        try:
            mapping = map_model(net, system, Options(weight_bits=8, seed=seed))
        except DoesNotFit:
            continue
        activity = ReferenceRunner().run(net, inputs, steps).activity
        _, nets, _ = traffic_of(mapping, net, system, activity.fired, steps * activity.samples)
        work = work_of(net, mapping, activity, system)
        total = sum(traffic.deliveries for traffic in work.traffic.values())
        assert nets.per == steps * activity.samples and messages(nets) <= total, seed
        if len({(s.chip, s.core) for s in mapping.shards}) == len(mapping.shards):
            own = _within(net, mapping, activity)
            assert messages(nets) == total - own, seed
            checked += 1
    assert checked >= 4


def _within(net, mapping, activity: RunActivity) -> int:
    """Messages of a shard to itself."""
    streams = streams_of(net, mapping.shards, tiny().chip, orders=mapping.orders, sent=activity.fired, pairs=None)
    return sum(int(stream.messages[stream.source == stream.target].sum()) for stream in streams.events())


def test_two_shards_of_a_core_get_a_message_each_from_a_neuron_and_one_from_the_host() -> None:
    projections = (join("a", "i", "p", dense(3, 5)), join("b", "p", "q", dense(6, 3)), join("c", "i", "q", dense(6, 5)))
    net = network([source("i", 5), lif("p", 3), lif("q", 6)], *projections)
    mapping = map_model(net, tiny(neurons=3), Options(place=False))
    made = nets_of_tiles(streams_of(net, mapping.shards, tiny().chip))
    apart, together = made(np.array([0, 1, 2])), made(np.array([0, 1, 1]))
    assert messages(apart) == 5 * 3 + 3 * 2 + 6
    assert messages(together) == 5 * 2 + 3 * 2 + 6
    assert together.cores == 2 and set(together.pins.tolist()) == {0, 1, HOST}


def test_a_sample_of_axons_stands_for_all() -> None:
    rng = np.random.default_rng(0)
    key = np.unique(rng.integers(0, 4000 * 4000, 60_000))  # one of 267 pairs
    net = network(
        [lif("p", 4000)], join("r", "p", "p", sparse_from_coo(4000, 4000, key % 4000, key // 4000, key % 3 + 1))
    )
    system = get_system("hala-point")
    mapping = map_model(net, system, Options(max_rows=200, place=False))
    streams = [streams_of(net, mapping.shards, system.chip, orders=mapping.orders, pairs=n) for n in (1 << 21, 1 << 14)]
    assert not streams[0].notes and "one in 3 of its axons stands for all" in streams[1].notes[0]
    whole, part = map(nets_of_tiles, streams)
    core = np.arange(len(mapping.shards))
    assert abs(messages(part(core)) / messages(whole(core)) - 1) < 0.2
    assert messages(whole(core)) <= traffic(mapping, net, system).events_to_cores + 4000
    assert output_ports(net.populations["p"]) == ("s",)
