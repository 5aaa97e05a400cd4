"""Neurons in another order: the same bits, recounts that agree, orders that pay, orders that are wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import InternalError
from neurodeploy.ir.arrange import arranged, fixed_populations, inverse
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import Probe
from neurodeploy.synapses import Conv
from neurodeploy.synapses.build import sparse_from_coo
from partitioner.chips import hypergraph
from partitioner.cost.usage import core_demands
from partitioner.mapper import map_model
from partitioner.nets.traffic import traffic
from partitioner.options import Options
from partitioner.order.conv import block_order
from partitioner.verify.recount import recount
from partitioner.verify.violations import verify
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.networks.equality import joined, same_result
from tests.networks.random_networks import all_probes, random_network
from tests.networks.test_partitioned import random_mapping
from tests.partitioner.make import conv, dense, join, lif, network, source, tiny
from tests.prices import shard_counts, work_of

SEEDS = range(60)
SYSTEM = tiny(None, None, None, None, None)


def random_orders(net: Network, seed: int) -> dict[str, Ints]:
    """For most populations that may have one; those with space sometimes in blocks of channels."""
    rng, found = np.random.default_rng([seed, 11]), {}
    for name, population in net.populations.items():
        if name in fixed_populations(net) or rng.random() < 0.2:
            continue
        found[name] = rng.permutation(population.size).astype(np.int64)
        if len(population.shape) == 3 and rng.random() < 0.6:
            sides = (int(rng.integers(1, side + 1)) for side in population.shape)
            found[name] = block_order(population.shape, *sides).order  # type: ignore[arg-type, call-arg]
    return found


@pytest.mark.parametrize("start", range(0, len(SEEDS), 20))
def test_any_order_gives_the_same_bits_counts_and_budgets(start: int) -> None:
    ordered = convolutions = 0
    for seed in SEEDS[start : start + 20]:
        net, inputs, steps = random_network(seed)
        orders = random_orders(net, seed)
        ordered += bool(orders)
        mapping = replace(random_mapping(net, seed), orders=orders, system=SYSTEM.name)
        laid = arranged(net, orders)
        convolutions += any(isinstance(p.synapse, Conv) and p not in net.projections for p in laid.projections)
        runner, probes = PartitionedRunner(mapping, SYSTEM.chip), all_probes(net)
        result = runner.run(net, inputs, steps, probes=probes)
        same_result(result, ReferenceRunner().run(net, inputs, steps, probes=probes))
        assert recount(mapping, Program.of(net), SYSTEM) == core_demands(mapping, Program.of(net), SYSTEM), seed
        assert arranged(laid, orders) is laid and arranged(net, orders) is laid
        counted = shard_counts(work_of(net, mapping, result.activity, SYSTEM).table, mapping.shards)
        for shard in mapping.shards:
            assert counted[shard] == runner.shard_counts[shard], (seed, shard)
    assert ordered >= 10 and convolutions >= 3


def test_a_state_continues_in_any_order() -> None:
    for seed in range(10):
        net, inputs, steps = random_network(seed)
        if steps < 2:
            continue
        half = steps // 2
        early, late = (
            {name: array[:, part] for name, array in inputs.items()} for part in (slice(half), slice(half, None))
        )
        mapping = replace(random_mapping(net, seed), orders=random_orders(net, seed))
        first = ReferenceRunner().run(net, early, half)
        second = PartitionedRunner(mapping, SYSTEM.chip).run(net, late, steps - half, state=first.state)
        same_result(joined(first, second), ReferenceRunner().run(net, inputs, steps))


def test_probes_of_some_neurons() -> None:
    net = network([source("i", 6), lif("p", 8, du=100, dv=50)], join("w", "i", "p", dense(8, 6)))
    mapping = replace(random_mapping(net, 1), orders={"p": np.array([3, 1, 4, 0, 5, 2, 7, 6])})
    inputs = {"i": np.ones((2, 5, 6), np.int64)}
    probes = [Probe("p", "v", (6, 2, 2))]
    wanted = ReferenceRunner().run(net, inputs, 5, probes=probes)
    same_result(PartitionedRunner(mapping, SYSTEM.chip).run(net, inputs, 5, probes=probes), wanted)


def test_an_arranged_convolution_is_the_permuted_matrix() -> None:
    rng = np.random.default_rng(0)
    for groups, options in ((1, {}), (2, {"stride": (2, 1)}), (4, {"padding": (1, 1), "dilation": (1, 2)})):
        plain = conv((6, 7, 4), 8, groups=groups, **options)
        rows, columns = rng.permutation(plain.rows), block_order((6, 7, 4), 3, 2, 2).order
        laid, _ = plain.arranged(rows, columns)
        whole, own = np.zeros((2, plain.rows, plain.columns), np.int64)
        for matrix, synapse in ((whole, plain), (own, laid)):
            coo = synapse.coo()
            matrix[coo.row, coo.column] = coo.weight
        assert np.array_equal(own, whole[np.ix_(rows, columns)])
        part = (5, 30)
        assert np.array_equal(laid.fan_out(part), np.count_nonzero(own[slice(*part)], axis=0))
        (touch,) = laid.touches(np.array([part]))
        found = np.zeros(plain.columns, np.int64)
        found[touch.axon] = touch.fan
        assert np.array_equal(found, laid.fan_out(part))
        shared = laid.units(delayed=False)
        assert shared.count == plain.columns // 2 and shared.span(3, 5) == (1, 3)


def test_blocks_of_channels_where_the_kernel_exceeds_a_core() -> None:
    """A core that takes channels of one pixel stores the kernel again for every pixel."""
    net = network(
        [source("i", 6, 6, 16), lif("p", 6, 6, 32), lif("q", 6, 6, 32)],
        join("a", "i", "p", conv((6, 6, 16), 32, padding=(1, 1))),
        join("b", "p", "q", conv((6, 6, 32), 32, padding=(1, 1))),
    )
    system = tiny(synapse_bytes=9 * 32 * (4 + 8))
    mapping = map_model(Program.of(net), system)
    assert set(mapping.orders) == {"p", "q"} and mapping.cores_used == 2 + 4
    assert any("another order (blocks of 6 x 6 x 8)" in note for note in mapping.notes)
    assert verify(mapping, Program.of(net), system) == []
    spikes = {"i": (np.random.default_rng(0).random((1, 3, 576)) < 0.2).astype(np.int64)}
    same_result(PartitionedRunner(mapping, SYSTEM.chip).run(net, spikes, 3), ReferenceRunner().run(net, spikes, 3))


def hidden_ring(neurons: int, fan: int, reach: int, seed: int = 0) -> Network:
    """Neurons on a ring reach their neighbours; their numbers are shuffled."""
    rng = np.random.default_rng(seed)
    column = np.repeat(np.arange(neurons), fan)
    row = (column + rng.integers(-reach, reach + 1, len(column))) % neurons
    number = rng.permutation(neurons)
    key = np.unique(number[column] * neurons + number[row])
    synapse = sparse_from_coo(neurons, neurons, key % neurons, key // neurons, np.ones(len(key), np.int8))
    return network([lif("p", neurons)], join("r", "p", "p", synapse))


@pytest.mark.parametrize("library", [True, False])
def test_hidden_neighbours_are_found(library: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if library and hypergraph.library() is None:
        pytest.skip("mtkahypar is not installed")
    if not library:
        monkeypatch.setattr(hypergraph, "library", lambda: None)
    net, system = hidden_ring(1200, 20, 25), tiny(neurons=200, synapse_bytes=8000, state_bytes=None)
    monkeypatch.setattr("partitioner.order.search.sparse_orders", lambda job, plan: ({}, ()))
    given = map_model(Program.of(net), system)
    monkeypatch.undo()
    if not library:
        monkeypatch.setattr(hypergraph, "library", lambda: None)
    mapping = map_model(Program.of(net), system)
    assert verify(mapping, Program.of(net), system) == [] and list(mapping.orders) == ["p"]
    assert any("mtkahypar is not installed" in note for note in mapping.notes) != library
    sent, before = (traffic(m, Program.of(net), system).events_to_cores for m in (mapping, given))
    assert mapping.cores_used < given.cores_used and sent < before / 3
    assert np.array_equal(map_model(Program.of(net), system).orders["p"], mapping.orders["p"])
    same_result(PartitionedRunner(mapping, SYSTEM.chip).run(net, {}, 2), ReferenceRunner().run(net, {}, 2))


def test_orders_are_not_kept_where_they_gain_nothing() -> None:
    assert map_model(Program.of(hidden_ring(100, 5, 5)), get_system("oheo-gulch")).orders == {}


@pytest.mark.parametrize(
    ("orders", "words"),
    [
        ({"x": np.arange(3)}, "x is no population"),
        ({"i": np.arange(6)}, "is an input and has an order"),
        ({"p": np.array([0, 1, 1, 3])}, "does not hold each of its neurons once"),
        ({"p": np.array([0, 1, 2, 9])}, "does not hold each of its neurons once"),
        ({"p": np.arange(3)}, r"int64 \(3,\), not int64 \(4,\)"),
    ],
)
def test_wrong_orders_are_violations(orders: dict[str, Ints], words: str) -> None:
    net = network([source("i", 6), lif("p", 4)], join("w", "i", "p", dense(4, 6)))
    mapping = replace(map_model(Program.of(net), SYSTEM), orders=orders)
    found = verify(mapping, Program.of(net), SYSTEM)
    assert len(found) == 1 and np.any([part in found[0] for part in (words, words.replace("\\", ""))])
    with pytest.raises(InternalError, match="ND9075"):
        arranged(net, orders)


def test_inverse_and_options() -> None:
    order = np.array([2, 0, 1])
    assert inverse(order)[order].tolist() == [0, 1, 2]
    net, system = Program.of(hidden_ring(400, 10, 10)), tiny(neurons=50)
    first, second = (map_model(net, system, Options(objective="traffic", seed=3)) for _ in range(2))
    assert first.shards == second.shards and first.objective == "traffic" and first.seed == 3
