"""Nets between cores: against messages counted one by one, against `traffic` and the energy account."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import DoesNotFit
from neurodeploy.flow.routes import HOST
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import BLOCK
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from neurodeploy.neurons.registry import output_ports
from neurodeploy.synapses.build import sparse_from_coo
from partitioner.judge.metrics import traffic_of
from partitioner.mapper import map_model
from partitioner.nets.streams import streams_of
from partitioner.nets.tiles import nets_of_tiles
from partitioner.nets.traffic import traffic
from partitioner.options import Options, Pin
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.islands import islands_of, payload_max
from tests.nets import make_nets
from tests.networks.random_networks import random_network
from tests.partitioner import make
from tests.partitioner.make import CHAIN, dense, join, lif, network, shrunken, source, tiny
from tests.prices import work_of


def pairs_of(nets: object) -> dict[tuple[int, int], int]:
    source, target, weight = nets.pairs()  # type: ignore[attr-defined]
    return dict(zip(zip(source.tolist(), target.tolist(), strict=True), weight.tolist(), strict=True))


def test_three_kinds_of_nets() -> None:
    """Two blocks of 300 columns for 10 rows; the first block's rows on two cores, the reducer beside the second block."""
    program = make.of_islands([make.island("a", [("down", 10, 0)], 600, abs_sum=10)])
    shards = [
        Shard("a", "synapses", (0, 4), (0, 300), 0, 0),
        Shard("a", "synapses", (4, 10), (0, 300), 0, 1),
        Shard("a", "synapses", (0, 10), (300, 600), 0, 2),
        Shard("a", "reducer", (0, 10), (0, 2), 0, 2),
    ]
    nets = nets_of_tiles(streams_of(program, shards, make.chip()))(np.array([0, 1, 2, 2]))
    found = {
        (int(nets.source[n]), tuple(nets.pins[nets.indptr[n] : nets.indptr[n + 1]].tolist())): int(nets.weight[n])
        for n in range(len(nets.source))
    }
    assert found == {(HOST, (0, 1)): 300, (HOST, (2,)): 300, (0, (2,)): 4, (1, (2,)): 6, (2, (HOST,)): 10}
    assert nets.per == 1


def test_blocks_with_the_same_readers_are_one_net() -> None:
    program = make.of_islands([make.island(f"r{n}", [("router", 8, 0)], 100) for n in range(3)])
    shards = [Shard(f"r{n}", "synapses", (0, 8), (0, 100), 0, 0) for n in range(3)]
    nets = nets_of_tiles(streams_of(program, shards, make.chip()))(np.zeros(3, np.int64))
    assert pairs_of(nets) == {(HOST, 0): 300, (0, HOST): 24}
    assert len(nets.source) == 2


def test_experts_count_for_their_share() -> None:
    """Two of eight experts see a token: in four tokens each is met once, the rest of the layer four times."""
    program = make.llama(1, 64, 16, 128, 50, 16, experts=8, top_k=2)
    board = make.system(make.chip(), 4)
    _, nets, _ = traffic_of(map_model(program, board), program, board)
    assert nets.per == 4
    columns = sum((1 if i.neurons.expert is not None else 4) * i.source.size for i in islands_of(program).values())
    assert sum(int(w) for s, w in zip(nets.source, nets.weight, strict=True) if s == HOST) == columns


@pytest.mark.parametrize("axons", [4096, 40])
def test_every_message_of_a_mapping_is_counted(axons: int) -> None:
    """The same as one entry for each axon and destination through `make_nets`."""
    program = make.llama(2, 96, 32, 200, 300, 32)
    board = make.system(make.chip(synapse_bytes=3000, in_axons=axons), 50)
    mapping = map_model(program, board, Options(place=False, pins={"layers.0.qkv": Pin(rows=7)}))
    places, nets, _ = traffic_of(mapping, program, board)
    where = {(int(c), int(k)): index for index, (c, k) in enumerate(zip(places.chip, places.core, strict=True))}
    entries: list[tuple[int, int, int, int]] = []
    axon: Counter[str] = Counter()

    def send(source: int, targets: list[int], messages: int) -> None:
        axon["next"] += 1
        entries.extend((source, target, axon["next"], messages) for target in sorted(set(targets)))

    for name, shards in mapping.by_island().items():
        island = islands_of(program)[name]
        at = {shard: where[shard.chip, shard.core] for shard in shards}
        for column in range(island.source.size):
            readers = [s for s in shards if s.kind == "synapses" and s.cols[0] <= column < s.cols[1]]
            send(HOST, [at[s] for s in readers], 1)
        for shard in shards:
            whole = shard.kind == "reducer" or shard.cols == (0, island.source.size)
            blocks = island.synapses.block_sums[shard.cols[0] // BLOCK : math.ceil(shard.cols[1] / BLOCK)]
            most = payload_max(island) * int(blocks.sum())  # a word holds -2^31 to 2^31 - 1
            words = 1 if whole or most < 2**31 else 2
            for row in range(*shard.rows):
                homes = [s for s in shards if s.kind == "reducer" and s.rows[0] <= row < s.rows[1]]
                send(at[shard], [HOST] if whole else [at[s] for s in homes], words)
    source, target, number, weight = np.array(entries, np.int64).T
    wanted = make_nets(len(where), source, target, number, weight)
    assert pairs_of(nets) == pairs_of(wanted)
    assert len(nets.source) == len(wanted.source)
    found = traffic(mapping, program, board)
    counted = pairs_of(nets)
    assert found.events_to_cores == sum(n for (s, _), n in counted.items() if s == HOST)
    assert found.host_out == sum(n for (_, t), n in counted.items() if t == HOST)


def test_hops_of_a_mapping_by_hand() -> None:
    """Core 4 k is on router k of an 8 x 4 mesh: 2 hops from the port to router 9, 2 to router 2."""
    program = make.of_islands([make.island("a", [("down", 10, 0)], 600, abs_sum=10)])
    shards = (
        Shard("a", "synapses", (0, 10), (0, 300), 0, 4 * 9),
        Shard("a", "synapses", (0, 10), (300, 600), 0, 4 * 2),
        Shard("a", "reducer", (0, 10), (0, 2), 0, 4 * 2 + 1),
    )
    board = make.system(make.chip(), 3)
    found = traffic(Mapping("testboard", 3, 120, shards, (), 1, "neurons", ()), program, board)
    assert found.spike_hops == 300 * 2 + 300 * 2 + 10 * 2 + 10 * 2
    assert found.interchip_hops == 0
    far = tuple(Shard(s.island, s.kind, s.rows, s.cols, 2, s.core) for s in shards)
    found = traffic(Mapping("testboard", 3, 120, far, (), 1, "neurons", ()), program, board)
    assert found.interchip_hops == 2 * 600 + 2 * 10
    assert found.to_json()["interchip_hops"]["bytes"] == 4 * 1220


def messages(nets) -> int:
    return int((nets.weight * np.diff(nets.indptr)).sum())


def test_by_hand() -> None:
    mapping = map_model(CHAIN, tiny(neurons=4, cores=4), Options(place=False))
    places, nets, _ = traffic_of(mapping, CHAIN, tiny())
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
            program = Program.of(net)
            mapping = map_model(program, system, Options(weight_bits=8, seed=seed))
        except DoesNotFit:
            continue
        activity = ReferenceRunner().run(net, inputs, steps).activity
        _, nets, _ = traffic_of(mapping, program, system, activity.fired, steps * activity.samples)
        # sums of a run: step by step, parts that nothing reaches send no partial sum, which a mapper cannot know
        work = work_of(net, mapping, replace(activity, raster=None), system)
        total = sum(traffic.deliveries for traffic in work.traffic.values())
        assert nets.per == steps * activity.samples and messages(nets) <= total, seed
        if len({(s.chip, s.core) for s in mapping.shards}) == len(mapping.shards):
            own = _within(program, mapping, activity)
            assert messages(nets) == total - own, seed
            checked += 1
    assert checked >= 4


def _within(net: Program, mapping, activity: RunActivity) -> int:
    """Messages of a shard to itself."""
    streams = streams_of(net, mapping.shards, tiny().chip, orders=mapping.orders, sent=activity.fired, pairs=None)
    return sum(int(stream.messages[stream.source == stream.target].sum()) for stream in streams.events())


def test_two_shards_of_a_core_get_a_message_each_from_a_neuron_and_one_from_the_host() -> None:
    projections = (join("a", "i", "p", dense(3, 5)), join("b", "p", "q", dense(6, 3)), join("c", "i", "q", dense(6, 5)))
    net = Program.of(network([source("i", 5), lif("p", 3), lif("q", 6)], *projections))
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
    mapping = map_model(Program.of(net), system, Options(max_rows=200, place=False))
    streams = [
        streams_of(Program.of(net), mapping.shards, system.chip, orders=mapping.orders, pairs=n)
        for n in (1 << 21, 1 << 14)
    ]
    assert not streams[0].notes and "one in 3 of its axons stands for all" in streams[1].notes[0]
    whole, part = map(nets_of_tiles, streams)
    core = np.arange(len(mapping.shards))
    assert abs(messages(part(core)) / messages(whole(core)) - 1) < 0.2
    assert messages(whole(core)) <= traffic(mapping, Program.of(net), system).events_to_cores + 4000
    assert output_ports(net.populations["p"]) == ("s",)
