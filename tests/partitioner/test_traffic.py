"""Messages of a token, or of a step in which every neuron sends one, and the summary."""

from __future__ import annotations

import json

import pytest

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from neurodeploy.neurons.registry import every_neuron
from neurodeploy.synapses.linear import program_of_layers
from partitioner.judge.metrics import metrics
from partitioner.judge.summary import summary
from partitioner.mapper import map_model
from partitioner.nets.traffic import Traffic, traffic
from partitioner.options import Options
from targets.systems import get_system
from tests.networks.random_networks import random_network
from tests.partitioner import make
from tests.partitioner.make import CHAIN, conv, dense, join, lif, network, shrunken, source, tiny
from tests.prices import work_of


def test_on_one_core_everything_is_delivered_once() -> None:
    system = tiny()
    found = traffic(map_model(CHAIN, system), CHAIN, system)
    assert (found.host_in, found.host_out, found.events_to_cores) == (10, 6, 10 + 8 + 6)
    assert found.events_between_chips == found.partials_between_cores == found.partials_between_chips == 0


def test_each_destination_gets_its_own_message_and_chips_pass_inputs_on() -> None:
    """p on chips 0 and 1, q on chips 2 and 3: one core a chip."""
    system = tiny(neurons=4, cores=1)
    mapping = map_model(CHAIN, system, Options(place=False))
    assert [(s.island, s.rows, s.chip) for s in mapping.shards] == [
        ("p", (0, 4), 0), ("p", (4, 8), 1), ("q", (0, 3), 2), ("q", (3, 6), 3)
    ]  # fmt: skip
    found = traffic(mapping, CHAIN, system)
    assert found.host_in == 10
    assert found.events_to_cores == 2 * (10 + 8 + 6)
    assert found.events_between_chips == 10 + 2 * 8 + 6  # of q's own spikes half stay on their chip
    # every core is at its chip's port; inputs to chip 1, p to chips 2 and 3, q between them, outputs back to chip 0
    assert found.spike_hops == 0
    assert found.interchip_hops == 10 * 1 + 4 * (2 + 3) + 4 * (1 + 2) + 3 * 1 + 3 * 1 + 3 * 2 + 3 * 3


def test_hops_of_a_mapping_by_hand() -> None:
    """Core 36 is on router (1, 1) of an 8 x 4 mesh, core 8 on router (2, 0); the host's messages pass router (0, 0)."""
    system = get_system("kapoho-point")
    shards = [("p", (0, 8), 10, 36), ("q", (0, 6), 14, 8)]

    def moved(*chips: int) -> Traffic:
        found = tuple(
            Shard(name, "synapses", rows, (0, columns), chip, core)
            for (name, rows, columns, core), chip in zip(shards, chips, strict=True)
        )
        return traffic(Mapping(system.name, 8, 120, found, (), 2, "neurons", ()), CHAIN, system)

    # 10 inputs over 2 hops, 8 spikes of p over 1 + 1, 6 of q to its own core, 6 outputs over 2 hops
    assert (moved(0, 0).spike_hops, moved(0, 0).interchip_hops) == (10 * 2 + 8 * 2 + 6 * 2, 0)
    # q on chip 1: p's spikes take 2 hops to their port and 2 from the other, and each spike and output one link
    assert (moved(0, 1).spike_hops, moved(0, 1).interchip_hops) == (10 * 2 + 8 * 4 + 6 * 2, 8 + 6)


def test_hops_are_those_of_the_nets_and_of_the_account() -> None:
    """Three counts of one thing: `traffic`, the nets that the judge draws, and the energy of such a step."""
    checked = split = far = 0
    for seed in range(60):
        net, _, _ = random_network(seed)
        system = shrunken(seed)
        try:
            mapping = map_model(Program.of(net), system, Options(weight_bits=8, seed=seed))
        except DoesNotFit:
            continue
        found = traffic(mapping, Program.of(net), system)
        work = work_of(net, mapping, RunActivity(1, 1, every_neuron(net), {}, {}, None), system)
        parts = work.traffic.values()
        assert found.spike_hops == sum(part.hops_ew + part.hops_ns for part in parts), seed
        assert found.interchip_hops == sum(part.interchip for part in parts), seed
        judged = metrics(mapping, Program.of(net), system, nulls=False)
        assert found.spike_hops == judged["hops"]["unicast"]["total"], seed
        assert found.interchip_hops == judged["interchip"]["packets"], seed
        checked, far = checked + (found.spike_hops > 0), far + (found.interchip_hops > 0)
        split += any(shard.kind == "reducer" for shard in mapping.shards)
    assert checked > 10 and split > 3 and far > 3


def test_partial_sums() -> None:
    net = Program.of(network([source("i", 40), lif("p", 3)], join("w", "i", "p", dense(3, 40))))
    system = tiny(in_axons=20)
    found = traffic(map_model(net, system), net, system)
    assert found.partials_between_cores == 6
    assert found.to_json()["partials_between_cores"] == {"messages": 6.0, "bytes": 24.0}


def test_pixels_that_reach_nothing_send_nothing() -> None:
    net = Program.of(
        network([source("i", 5, 5, 2), lif("p", 2, 2, 1)], join("w", "i", "p", conv((5, 5, 2), 1, 2, stride=(3, 3))))
    )
    system = tiny()
    assert traffic(map_model(net, system), net, system).events_to_cores == 4 * 4 * 2


def test_the_summary_has_the_keys_of_a_program() -> None:
    system = get_system("oheo-gulch")
    found = summary(map_model(CHAIN, system), CHAIN, system)
    json.dumps(found)
    nothing = Mapping(system.name, system.chips, system.chip.cores, (), (), 0, "none", ())
    keys = summary(nothing, program_of_layers(ModelInfo("none", "", 0, 0, 0, 0, ""), (), {}), system)
    assert set(keys) <= set(found)
    assert set(found) - set(keys) == {"unit", "populations"}
    assert found["fits"] and found["violations"] == [] and found["border_bytes_per_token"] == 4 * (10 + 6)
    (outside,) = found["host_ops"]
    assert outside.pop("reason")
    assert outside == {"path": "populations.i", "op": "input", "rule": "outside", "bytes_per_token": 40}
    sizes = [(p["name"], p["cores"], p["synapses"]) for p in found["populations"]]
    assert sizes == [("i", 0, 0), ("p", 1, 80), ("q", 1, 84)]
    used = {"mean_used": 14, "max_used": 14}
    assert found["utilisation"]["neurons"] == {"mean": 14 / 8192, "max": 14 / 8192, **used, "limit": 8192}


def mapping_of(*shards: Shard) -> Mapping:
    return Mapping("testboard", 2, 120, shards, (), 1, "neurons", ())


def test_events_are_delivered_once_to_each_core() -> None:
    program = make.of_islands([make.island("a", [("up", 30, 0)], 100)])
    shards = [Shard("a", "synapses", (n * 10, n * 10 + 10), (0, 100), chip, n) for n, chip in enumerate((0, 0, 1))]
    found = traffic(mapping_of(*shards), program, make.system(make.chip(), 2))
    assert (found.host_in, found.host_out) == (100, 30)
    assert found.events_to_cores == 300
    assert found.events_between_chips == 100
    assert found.partials_between_cores == found.partials_between_chips == 0
    assert found.to_json()["host_out"] == {"messages": 30.0, "bytes": 120.0}


def test_two_shards_on_one_core_take_an_event_once() -> None:
    program = make.of_islands([make.island("a", [("up", 20, 0)], 100)])
    shards = [Shard("a", "synapses", (n * 10, n * 10 + 10), (0, 100), 0, 0) for n in range(2)]
    assert traffic(mapping_of(*shards), program, make.system(make.chip(), 2)).events_to_cores == 100


def test_partial_sums_travel_to_their_reducer() -> None:
    """Two column blocks of two messages a sum: one block beside the reducer, one on another core, then another chip."""
    program = make.of_islands([make.island("a", [("down", 10, 0)], 8192)])
    blocks = [((0, 4096), 0), ((4096, 8192), 1)]

    def flow(chip: int) -> tuple[float, float]:
        shards = [Shard("a", "synapses", (0, 10), cols, chip * core, core) for cols, core in blocks]
        found = traffic(
            mapping_of(*shards, Shard("a", "reducer", (0, 10), (0, 2), 0, 0)), program, make.system(make.chip(), 2)
        )
        return found.partials_between_cores, found.partials_between_chips

    assert flow(0) == (20, 0)
    assert flow(1) == (0, 20)


def test_the_border_of_a_dense_model_is_that_of_its_assignments() -> None:
    program, board = make.llama(2, 256, 64, 512, 1000, 32), make.system(make.chip(), 4)
    found = summary(map_model(program, board), program, board)
    border = found["traffic_per_token"]
    assert border["host_in"]["bytes"] + border["host_out"]["bytes"] == found["border_bytes_per_token"]


def test_experts_count_for_their_share() -> None:
    board = make.system(make.chip(), 40)
    few, many = (make.llama(1, 256, 64, 512, 100, 32, experts=e, top_k=2) for e in (4, 16))
    a, b = (traffic(map_model(program, board), program, board) for program in (few, many))
    assert b.host_in == pytest.approx(a.host_in)
    assert b.host_out == pytest.approx(a.host_out + 12)  # only the router grew
