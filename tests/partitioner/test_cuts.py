"""Mapping networks: cuts, levelling, arguments, and every way in which a network does not fit."""

from __future__ import annotations

import re
import resource
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.network import Network
from neurodeploy.ir.packed import PackedTargets, pack
from neurodeploy.ir.program import Program
from neurodeploy.synapses import Direct, Sparse
from partitioner.bound.cores import lower_bound
from partitioner.cost.population import views_of
from partitioner.files.json_form import mapping_from_json, mapping_to_json
from partitioner.mapper import map_model
from partitioner.options import Options, Pin
from partitioner.verify.violations import verify
from targets.systems import SYSTEMS, get_system
from tests.partitioner.make import conv, dense, join, lif, network, source, tiny


def two_layers(hidden: int = 40) -> Program:
    populations = [source("i", 20), lif("p", hidden), lif("q", 10)]
    projections = join("a", "i", "p", dense(hidden, 20)), join("b", "p", "q", dense(10, hidden))
    return Program.of(network(populations, *projections))


def random_sparse(neurons: int, fan: int, seed: int = 0) -> Sparse:
    """`fan` targets of each neuron, one in each of as many stretches."""
    rng = np.random.default_rng(seed)
    span = neurons // fan
    target = (np.arange(fan, dtype=np.int32) * span + rng.integers(0, span, (neurons, fan), np.int32)).reshape(-1)
    dtype = np.uint16 if neurons <= 65536 else np.int32
    return Sparse(neurons, neurons, np.arange(neurons + 1) * fan, target.astype(dtype), np.ones(len(target), np.int8))


def test_small_populations_share_a_core() -> None:
    net = two_layers()
    mapping = map_model(net, get_system("oheo-gulch"))
    assert (mapping.cores_used, mapping.lower_bound, mapping.chips_used) == (1, 1, 1)
    assert [(s.island, s.rows, s.cols) for s in mapping.shards] == [("p", (0, 40), (0, 20)), ("q", (0, 10), (0, 40))]
    assert [(a.path, a.device, a.bytes_per_token) for a in mapping.assignments] == [
        ("populations.i", "host", 80), ("populations.p", "chip", 0), ("populations.q", "chip", 40)
    ]  # fmt: skip
    assert mapping.unknown_limits == ("out_axons",)
    assert mapping_from_json(mapping_to_json(mapping)).shards == mapping.shards


def test_tiles_are_of_equal_length() -> None:
    system = tiny(neurons=16)
    mapping = map_model(two_layers(40), system)
    assert [s.rows for s in mapping.shards if s.island == "p"] == [(0, 14), (14, 28), (28, 40)]
    assert mapping.binding_resource == "neurons"


def test_a_cap_on_neurons_spreads() -> None:
    net, system = two_layers(), get_system("oheo-gulch")
    assert map_model(net, system, Options(max_rows=10)).cores_used == 5
    assert not verify(map_model(net, system, Options(max_rows=10)), net, system)


def test_convolutions_are_cut_along_x() -> None:
    net = Program.of(network([source("i", 20, 6, 3), lif("p", 18, 4, 5)], join("w", "i", "p", conv((20, 6, 3), 5))))
    system = tiny(neurons=60)
    mapping = map_model(net, system)
    assert [s.rows for s in mapping.shards] == [(n, n + 60) for n in range(0, 360, 60)]
    assert not verify(mapping, net, system)


def test_several_projections_and_recurrence() -> None:
    net = Program.of(
        network(
            [source("i", 30), lif("p", 30)],
            join("w", "i", "p", random_sparse(30, 5)),
            join("d", "i", "p", Direct(30)),
            join("r", "p", "p", dense(30, 30)),
        )
    )
    system = tiny(synapse_bytes=700)
    mapping = map_model(net, system)
    assert {s.cols for s in mapping.shards} == {(0, 90)}
    assert mapping.binding_resource == "synapse_bytes" and mapping.cores_used >= mapping.lower_bound > 1
    assert not verify(mapping, net, system)


def test_recurrent_cuts_come_to_rest() -> None:
    """Smaller tiles have more destinations, whose entries make tiles smaller."""
    net = Program.of(network([lif("p", 2000)], join("r", "p", "p", random_sparse(2000, 50))))
    system = get_system("alia-point")
    mapping = map_model(net, system)
    assert not verify(mapping, net, system)
    assert lower_bound(views_of(net, system.chip).values(), system.chip)[0] == mapping.lower_bound <= mapping.cores_used


def test_fan_in_beyond_a_core_gets_reducers() -> None:
    net = Program.of(network([source("i", 100), lif("p", 6)], join("w", "i", "p", dense(6, 100))))
    system = tiny(in_axons=30)
    mapping = map_model(net, system)
    assert [s.cols for s in mapping.shards if s.kind == "synapses"] == [(0, 25), (25, 50), (50, 75), (75, 100)]
    reducers = sorted((s.rows, s.cols) for s in mapping.shards if s.kind == "reducer")
    assert reducers == [((row, row + 1), (0, 4)) for row in range(6)] and mapping.cores_used == 5
    assert not verify(mapping, net, system)


def test_weights_at_another_width() -> None:
    net, system = two_layers(400), tiny(synapse_bytes=2000)
    wide, narrow = map_model(net, system), map_model(net, system, Options(weight_bits=2))
    assert narrow.cores_used < wide.cores_used
    assert not verify(narrow, net, system, weight_bits=2)
    assert verify(narrow, net, system)


def test_more_chips_than_there_are() -> None:
    net = Program.of(network([lif("p", 2000)], join("r", "p", "p", random_sparse(2000, 50))))
    with pytest.raises(DoesNotFit) as caught:
        map_model(net, tiny(in_axons=600, cores=8, system="oheo-gulch"), alternatives=tuple(SYSTEMS.values()))
    error = caught.value
    assert error.code == "ND2001" and error.subject == "net"
    need = int(re.findall(r"needs (\d+) chips \((\d+) cores\)", error.problem)[0][1])
    assert need > 8 and "oheo-gulch offers 1 (8 cores); in_axons binds" in error.problem
    assert re.search(r"^(kapoho-point \(8|vpx-16 \(16|alia-point \(32) chips\) holds it$", error.fix)
    other = tiny(in_axons=600, cores=8, system="hala-point")
    assert map_model(net, other, Options(place=False)).cores_used == need


def test_all_to_all_is_cut_in_columns_where_tables_of_destinations_are_too_long() -> None:
    """Each neuron has an entry for every core that it reaches: rows alone would need 8 bytes a neuron on each core."""
    net, system = Program.of(network([lif("p", 400)], join("r", "p", "p", dense(400, 400)))), tiny(state_bytes=6300)
    mapping = map_model(net, system)
    assert any(shard.kind == "reducer" for shard in mapping.shards)
    assert verify(mapping, net, system) == []


def test_cuts_that_do_not_come_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one round only, the destinations that the cut itself made are too many."""
    monkeypatch.setattr("partitioner.cut.settle.ROUNDS", 1)
    net = Program.of(network([lif("p", 10000)], join("r", "p", "p", random_sparse(10000, 100))))
    with pytest.raises(DoesNotFit, match=r"ND2013 p: its 10000 neurons .* needs \d+ state_bytes \(a core has 65536\)"):
        map_model(net, get_system("alia-point"), Options(pins={"p": Pin(blocks=1)}))
    mapping = map_model(net, get_system("alia-point"))
    assert any(shard.kind == "reducer" for shard in mapping.shards)  # columns are cut instead


@pytest.mark.real
def test_a_million_neurons_and_a_hundred_million_synapses() -> None:
    """Within 2 GB beyond the network itself, and no violation."""
    net = Program.of(network([lif("p", 1_000_000)], join("r", "p", "p", random_sparse(1_000_000, 100))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    system = get_system("hala-point")
    mapping = map_model(net, system)
    assert not verify(mapping, net, system)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000_000
    assert mapping.cores_used >= 1_000_000 / 41


def packed(net: Network) -> Network:
    made = []
    for p in net.projections:
        s = p.synapse
        made.append(replace(p, synapse=replace(s, target=pack(s.rows, s.indptr, s.targets()))))  # type: ignore[union-attr]
    return replace(net, projections=tuple(made))


@pytest.mark.parametrize(("neurons", "fan"), [(600, 20), (2000, 40)])
def test_the_same_mapping(neurons: int, fan: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("partitioner.cut.sweep", "partitioner.verify.recount", "neurodeploy.ir.synapse"):
        monkeypatch.setattr(f"{module}.PIECE", 700)  # many pieces
    plain = network(
        [source("i", neurons), lif("p", neurons)],
        join("w", "i", "p", random_sparse(neurons, fan)),
        join("r", "p", "p", random_sparse(neurons, fan, 1)),
    )
    other = packed(plain)
    assert all(isinstance(p.synapse.target, PackedTargets) for p in other.projections)  # type: ignore[union-attr]
    system = tiny(neurons=200, synapse_bytes=9000, in_axons=500)
    one, two = (map_model(Program.of(net), system, Options(place=False)) for net in (plain, other))
    assert len(one.shards) > 10
    assert one.shards == two.shards
    assert verify(one, Program.of(other), system) == verify(two, Program.of(plain), system) == []
