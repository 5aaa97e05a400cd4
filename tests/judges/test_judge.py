"""The metrics of small mappings by hand, and hops against the energy account's own count."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neurodeploy.accounting.loads import busiest
from neurodeploy.flow.links import route
from neurodeploy.flow.nets import Nets
from neurodeploy.flow.routes import HOST
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.mapping import Assignment, Mapping, Reason, Shard
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.synapses import Conv, Dense
from partitioner.bound.traffic import HopCost, traffic_bounds
from partitioner.judge.figures import places_of, traffic_metrics
from partitioner.judge.metrics import metrics
from partitioner.mapper import map_model
from simulators.fast.runner import FastRunner
from targets.systems import get_system
from tests.islands import hollow_island, hollow_program
from tests.prices import work_of

from .test_link_loads import small


def lif(name: str, *shape: int) -> Population:
    return Population(name, shape, "lif", {"du": 4095, "dv": 400, "vth": 20})


def dense(rng: np.random.Generator, rows: int, columns: int) -> Dense:
    return Dense(np.asfortranarray(rng.integers(-20, 40, (rows, columns)).astype(np.int8)))


def some_network(kind: str) -> Network:
    rng = np.random.default_rng(5)
    if kind == "conv":
        weight = rng.integers(-9, 30, (8, 3, 3, 4)).astype(np.int8)
        conv = Conv(weight, (12, 12, 4), padding=(1, 1))
        populations = [Population("in", (12, 12, 4), INPUT), lif("a", 12, 12, 8), lif("b", 40)]
        links = [
            Projection("p", "in", "a", conv),
            Projection("q", "a", "b", dense(rng, 40, 1152)),
            Projection("r", "b", "b", dense(rng, 40, 40)),
        ]
    else:
        populations = [Population("in", (300,), INPUT), lif("a", 900), lif("b", 700)]
        links = [
            Projection("p", "in", "a", dense(rng, 900, 300)),
            Projection("q", "a", "b", dense(rng, 700, 900)),
            Projection("r", "b", "b", dense(rng, 700, 700)),
        ]
    return Network(kind, {p.name: p for p in populations}, tuple(links), (populations[-1].name,))


@pytest.mark.parametrize("kind", ["conv", "dense"])
@pytest.mark.parametrize("cores", [6, 128])
def test_hops_of_a_run_are_those_of_the_energy_account(kind: str, cores: int) -> None:
    network, base = some_network(kind), get_system("loihi1-nahuku")
    budget = replace(base.chip.budget, neurons=replace(base.chip.budget.neurons, value=97))
    system = replace(base, chip=replace(base.chip, cores=cores, budget=budget))
    mapping = map_model(Program.of(network), system)
    spikes = np.random.default_rng(1).random((2, 9, *[network.populations["in"].size])) < 0.2
    result = FastRunner().run(network, {"in": spikes.astype(np.int32)}, 9)
    work = work_of(network, mapping, result.activity, system)
    found = metrics(mapping, Program.of(network), system, sent=result.activity.fired, per=18, nulls=False)
    traffic = list(work.traffic.values())
    assert sum(part.hops_ew for part in traffic) > 0
    assert found["hops"]["unicast"]["east_west"] == sum(part.hops_ew for part in traffic) / 18
    assert found["hops"]["unicast"]["north_south"] == sum(part.hops_ns for part in traffic) / 18
    ways, packets = busiest(traffic, system, 18), sum(part.interchip for part in traffic) / 18
    if kind == "dense":
        assert found["interchip"]["packets"] == packets
        assert (found["interchip"]["busiest"] or {"messages": 0})["messages"] == ways.link_messages
    else:  # the account meets a convolution's tiles one by one, and so an event once a tile
        assert found["interchip"]["packets"] <= packets
    assert found["links"]["busiest_port"]["messages"] == ways.port_messages
    assert found["rates"] == "as counted in a run"


def by_hand() -> tuple[Nets, Mapping, Any]:
    """Five cores on a 3 x 2 mesh of two chips side by side; four nets, weights for 2 steps."""
    system = small(3, 2, 1, (2, 1))
    spots = [(0, 0), (0, 2), (0, 5), (1, 1), (1, 3)]
    shards = tuple(Shard("p", "synapses", (i, i + 1), (0, 4), c, k) for i, (c, k) in enumerate(spots))
    mapping = Mapping("small", 2, 6, shards, (), 4, "neurons", ())
    nets = Nets(
        5,
        np.array([HOST, 0, 1, 4]),
        np.array([0, 2, 5, 6, 7]),
        np.array([0, 3, 1, 2, 3, 2, HOST]),
        np.array([4, 2, 6, 10]),
        per=2,
    )
    return nets, mapping, system


def test_a_mapping_by_hand() -> None:
    nets, mapping, system = by_hand()
    found = traffic_metrics(nets, places_of(mapping), system)
    assert found["km1"]["cores"] == (2 * 3 + 6 * 1) / 2 and found["cut"]["cores"] == (2 + 6) / 2
    assert found["km1"]["chips"] == 2 / 2 and found["cut"]["chips"] == 2 / 2 and found["cut"]["nets"] == 4
    # host: port of chip 0 to core 0 (0 hops), of chip 1 to its core 1 (1 E); net 1: 0 -> 2 (2 E), 0 -> 5 (2 E, 1 S),
    # 0 -> port (0), port of chip 1 -> core 1 (1 E); net 2: core 2 -> 5 (1 S); net 3: core 3 of chip 1 -> port (1 N)
    assert found["hops"]["unicast"]["east_west"] == (4 * 1 + 2 * 5) / 2
    assert found["hops"]["unicast"]["north_south"] == (2 * 1 + 6 * 1 + 10 * 1) / 2
    assert found["hops"]["multicast"]["east_west"] == (4 * 1 + 2 * 3) / 2  # 2 E once for both
    assert found["hops"]["unicast"]["hop_energy_j"] == pytest.approx(7 * 3e-12 + 9 * 4e-12)
    # grid: host -> chip 1 (4), net 1 -> chip 1 (2), net 3 -> host (10)
    assert found["interchip"]["packets"] == (4 + 2 + 10) / 2 and found["interchip"]["links_used"] == 2
    assert found["interchip"]["busiest"]["from"] == 1 and found["interchip"]["busiest"]["messages"] == 5
    assert found["interchip"]["busiest"]["seconds"] == 5 * 4 / 4.3e9
    assert found["links"]["max"] == 5 and found["links"]["busiest"] == {"chip": 1, "from": [0, 1], "to": [0, 0]}
    # messages over cuts, eastwards over 2 rows and else over 3 columns: 4 and 6, 8, and the 10 that go north on chip 1
    assert found["links"]["lower_bound"] == max(4 / 2, 6 / 2, 8 / 3, 10 / 3) / 2
    assert found["bounds"]["unicast_hops"] <= found["hops"]["unicast"]["total"]


def test_bounds_hold_for_every_placement_and_are_met_by_a_star() -> None:
    system = small(3, 3, 2, (2, 2))
    cost = HopCost(3000, 4000, 160_000)
    star = Nets(18, np.array([0]), np.array([0, 9]), np.arange(1, 10), np.array([7]))
    # one on the own router, eight around: two routers E-W at 3 each, two N-S at 4, two cores each
    assert traffic_bounds(star, system, cost, 1).unicast == 7 * (4 * 3000 + 4 * 4000)
    assert traffic_bounds(star, system, HopCost(1, 1, 0), 1).multicast_hops == 7 * 4
    rng = np.random.default_rng(2)
    for chips in (1, 3):
        n = 15 * chips
        source = np.sort(rng.integers(-1, n, 20))
        pins = [np.setdiff1d(rng.integers(-1, n, rng.integers(1, 9)), [s]) for s in source]
        pins = [p if s != HOST else p[p != HOST] for s, p in zip(source, pins, strict=True)]
        keep = [i for i, p in enumerate(pins) if len(p)]
        indptr = np.cumsum([0, *(len(pins[i]) for i in keep)])
        nets = Nets(n, source[keep], indptr, np.concatenate([pins[i] for i in keep]), rng.integers(1, 9, len(keep)))
        bound = traffic_bounds(nets, system, cost, chips)
        for _ in range(30):
            sites = rng.permutation(18 * chips)[:n]
            found = route(nets, sites // 18, sites % 18, system)
            total = 3000 * found.mesh.hops_ew + 4000 * found.mesh.hops_ns + 160_000 * found.packets
            assert bound.unicast <= total
            tree = route(nets, sites // 18, sites % 18, system, multicast=True)
            assert tree.mesh.hops_ew <= found.mesh.hops_ew and tree.packets <= found.packets


def test_a_program_has_every_section_with_stable_names() -> None:
    islands = [
        hollow_island("layers.0.qkv", 2304, 768, layer=0),
        hollow_island("layers.0.o", 768, 768, layer=0),
        hollow_island("head", 500, 768),
    ]
    program, system = hollow_program(ModelInfo("x", "x", 1, 1, 1, 1, "x"), islands), get_system("kapoho-point")
    mapping = map_model(program, system)
    found = metrics(mapping, program, system)
    assert list(found) == [
        "unit", "rates", "cores", "km1", "cut", "hops", "links", "interchip", "bounds", "makespan", "energy", "mapper",
        "fallback", "nulls",
    ]  # fmt: skip
    layers = {row["layer"]: row for row in found["cores"]["by_layer"]}
    assert set(layers) == {"layers.0", "head"} and all(row["ratio"] >= 1 for row in layers.values())
    assert found["cores"]["used"] == mapping.cores_used and found["cores"]["lower_bound"] == mapping.lower_bound
    assert (
        found["energy"] == {"sana_fe_j": None, "note": found["energy"]["note"]}
        and "not priced" in found["energy"]["note"]
    )
    assert found["bounds"]["ratio"] >= 1 and len(found["nulls"]["models"]) >= 4
    assert found["links"]["max"] >= found["links"]["lower_bound"] > 0
    json.dumps(found)


def test_the_busiest_core_sets_the_pace() -> None:
    """Rows 0..199 on core 3, 200..299 cut over cores 4 and 5 with the reducer on core 6."""
    program = hollow_program(ModelInfo("x", "x", 1, 1, 1, 1, "x"), [hollow_island("a", 300, 512)])
    system = get_system("oheo-gulch")
    shards = (
        Shard("a", "synapses", (0, 200), (0, 256), 0, 3),
        Shard("a", "synapses", (0, 200), (256, 512), 0, 4),
        Shard("a", "synapses", (200, 300), (0, 256), 0, 5),
        Shard("a", "synapses", (200, 300), (256, 512), 0, 5),
        Shard("a", "reducer", (0, 300), (0, 2), 0, 6),
    )
    mapping = Mapping(system.name, 1, 120, shards, (), 1, "neurons", ())
    found = metrics(mapping, program, system)["makespan"]
    costs = {name: q.nominal for name, q in system.chip.costs.items()}
    sent = costs["t_neuron_s"] * costs["microcode_factor"] + costs["t_spike_out_s"]  # a partial sum is a neuron too
    half, other = (rows * columns * costs["t_synop_fc_s"] + 200 * sent for rows, columns in ((200, 256), (100, 512)))
    reducer = 2 * 300 * costs["t_synop_fc_s"] + 300 * sent
    assert found["cores_s"] == pytest.approx(max(half, reducer, other))
    assert found["mean_core_s"] == pytest.approx((2 * half + reducer + other) / 4)
    assert found["busiest"] == {"chip": 0, "core": 3}
    assert found["step_s"] == pytest.approx(max(found["cores_s"], found["links_s"]) + costs["t_step_floor_s"])


def test_a_chip_without_prices_leaves_them_out() -> None:
    program = hollow_program(ModelInfo("x", "x", 1, 1, 1, 1, "x"), [hollow_island("a", 100, 100)])
    system = get_system("oheo-gulch")
    system = replace(system, chip=replace(system.chip, costs={}))
    found = metrics(map_model(program, system), program, system)
    assert found["hops"]["unicast"]["hop_energy_j"] is None and found["makespan"]["step_s"] is None
    assert found["bounds"]["ratio"] is None and found["nulls"]["unit"] == "weighted hops"


def test_crossings_are_two_a_call_of_the_chips_however_the_devices_alternate() -> None:
    """Three islands one after the other change the device nowhere between them, and still cross in and out each."""
    reason = Reason("r", "t", "")
    islands = [hollow_island(name, 10, 10) for name in "abcd"]
    program, system = hollow_program(ModelInfo("x", "x", 1, 1, 1, 1, "x"), islands), get_system("oheo-gulch")
    devices = {"a": "chip", "b": "chip", "c": "chip", "d": "host"}
    assignments = tuple(Assignment(name, "island", device, reason, 10) for name, device in devices.items())
    mapping = replace(map_model(program, system), assignments=assignments)
    found = metrics(mapping, program, system)["fallback"]
    assert found["crossings"] == 6 and found["bytes"] == 30 and found["host_operations"] == 1
