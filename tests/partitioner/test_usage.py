"""Costs of shards, by hand: h = 4, a = 8, 8-bit weights, a LIF neuron with 6 bytes of state and one sum of 4 bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.flow.words import bound_bits, messages_of
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import BLOCK
from neurodeploy.ir.program import Program
from neurodeploy.synapses import Direct, Sparse
from neurodeploy.synapses.linear import LinearLayer
from partitioner.cost.budget import core_limits, fits
from partitioner.cost.usage import core_demands, shard_demands
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.verify.violations import verify
from tests.islands import payload_max
from tests.partitioner import make
from tests.partitioner.make import conv, dense, join, lif, network, source, tiny

NEURON = 6 + 4


def test_bytes_of_a_synapse_shard() -> None:
    view = make.view(make.island("a", [("up", 10, 0)], 100), make.chip())
    # 10 rows, 100 columns, one message a row: lists of 4 + 10 B, state 7 B a neuron, 8 B for each of 110 axon entries
    assert view.tile(10, 100, 1) == (10, 100 * 14, 100, 10, 10 * 7 + 8 * 110)
    # partial sums of two messages: twice the out-axons
    assert view.tile(10, 100, 2) == (10, 100 * 14, 100, 20, 10 * 7 + 8 * 120)


def test_bytes_of_a_reducer() -> None:
    # 5 rows that receive 6 messages each, over 30 axons of one weight
    view = make.view(make.island("a", [("up", 10, 0)], 100), make.chip())
    assert view.reducer(5, 6, 5) == (5, 30 * 5, 30, 5, 5 * 7 + 8 * 35)


def partial_bits(item: LinearLayer, columns: tuple[int, int]) -> int:
    """Of a sum over these columns, by the blocks that they touch."""
    blocks = item.synapses.block_sums[columns[0] // BLOCK : -(-columns[1] // BLOCK)]
    return bound_bits(payload_max(item), sum(int(value) for value in blocks))


@pytest.mark.parametrize(("abs_sum", "payload_bits"), [(0, 16), (1, 8), (127 * 256, 16), (127 * 256 << 8, 16), (3, 10)])
def test_partial_bits_hold_the_largest_sum(abs_sum: int, payload_bits: int) -> None:
    item = make.island("a", [("up", 4, 0)], 1000, abs_sum=abs_sum, payload_bits=payload_bits)
    for columns, blocks in (((0, 1000), 4), ((0, 256), 1), ((0, 257), 2), ((255, 257), 2), ((512, 768), 1)):
        largest = abs_sum * blocks * payload_max(item)
        bits, chip = partial_bits(item, columns), make.chip()
        assert make.view(item, chip).sums.words(columns) == messages_of(bits, chip)
        assert -(2 ** (bits - 1)) <= -largest
        assert largest <= 2 ** (bits - 1) - 1
        assert bits == 1 or largest > 2 ** (bits - 2) - 1


def test_a_true_partial_sum_never_exceeds_its_bound() -> None:
    """With real weights: the worst payload against every row stays inside `partial_bits`."""
    rng = np.random.default_rng(7)
    weight = rng.integers(-127, 128, (8, 700)).astype(np.int64)
    shift = np.where(rng.random(700) < 0.1, 8, 0)
    wide = np.abs(weight) << shift
    sums = np.array([wide[:, start : start + 256].sum(axis=1).max() for start in range(0, 700, 256)])
    item = make.island("a", [("up", 8, 0)], 700)
    item = replace(item, synapses=replace(item.synapses, block_sums=sums))
    for columns in ((0, 700), (0, 256), (256, 700), (100, 300)):
        worst = int((wide[:, slice(*columns)].sum(axis=1) * payload_max(item)).max())
        assert worst <= 2 ** (partial_bits(item, columns) - 1) - 1


def test_usage_of_a_shared_core_adds_up() -> None:
    a, b = make.island("a", [("router", 4, 0)], 10), make.island("b", [("router", 6, 0)], 20)
    spec = make.chip(out_axons=None)
    shards = (Shard("a", "synapses", (0, 4), (0, 10), 0, 3), Shard("b", "synapses", (0, 6), (0, 20), 0, 3))
    mapping = Mapping("testboard", 1, 120, shards, (), 1, "neurons", ("out_axons",))
    (used,) = core_demands(mapping, make.of_islands([a, b]), make.system(spec, 1)).values()
    assert used == (10, 10 * 8 + 20 * 10, 30, 10, 10 * 7 + 40 * 8)
    assert core_limits(spec) == (8192, 131072, 4096, None, 65536)
    assert fits(used, core_limits(spec))


def only(net, system=None, **options):
    """The demand of the only core."""
    net, system = Program.of(net), system or tiny()
    (demand,) = core_demands(map_model(net, system, Options(**options)), net, system, **options).values()
    return demand


def test_dense() -> None:
    net = network([source("i", 10), lif("p", 7)], join("w", "i", "p", dense(7, 10)))
    assert only(net) == (7, 10 * (4 + 7), 10, 7, 7 * NEURON + 8 * (10 + 7))


def test_dense_in_narrow_weights_is_packed_to_bytes() -> None:
    net = network([source("i", 10), lif("p", 7)], join("w", "i", "p", dense(7, 10)))
    assert only(net, weight_bits=3)[1] == 10 * (4 + 3)


def test_delays_by_synapse_cost_bits_and_slots() -> None:
    delay = np.zeros((7, 10), np.uint8)
    delay[2, 3] = 5
    net = network([source("i", 10), lif("p", 7)], join("w", "i", "p", dense(7, 10), delay=delay))
    assert only(net) == (7, 10 * (4 + 13), 10, 7, 7 * (6 + 6 * 4) + 8 * 17)


def test_delays_by_axon_cost_slots_only() -> None:
    net = network([source("i", 2), lif("p", 7)], join("w", "i", "p", dense(7, 2), delay=np.array([0, 3], np.uint8)))
    assert only(net) == (7, 2 * (4 + 7), 2, 7, 7 * (6 + 4 * 4) + 8 * 9)


def test_sparse_charges_touched_axons_and_the_index_of_each_synapse() -> None:
    """21 bits a synapse: 8 of weight and 13 of index for 8192 neurons."""
    synapse = Sparse(5, 4, np.array([0, 3, 3, 4, 4]), np.array([0, 1, 4, 2], np.uint16), np.ones(4, np.int8))
    net = network([source("i", 4), lif("p", 5)], join("w", "i", "p", synapse))
    assert only(net) == (5, (4 + 8) + (4 + 3), 2, 5, 5 * NEURON + 8 * (2 + 5))


def test_a_kernel_is_stored_once_and_pixels_are_axons() -> None:
    synapse = conv((6, 6, 3), 4)
    net = network([source("i", 6, 6, 3), lif("p", 4, 4, 4)], join("w", "i", "p", synapse))
    assert only(net) == (64, 9 * 3 * (4 + 4), 36, 64, 64 * NEURON + 8 * (36 + 64))


def test_a_band_of_a_convolution_touches_its_pixels_only() -> None:
    synapse = conv((6, 6, 3), 4)
    net = Program.of(network([source("i", 6, 6, 3), lif("p", 4, 4, 4)], join("w", "i", "p", synapse)))
    system = tiny(neurons=32)
    mapping = map_model(net, system)
    assert [shard.rows for shard in mapping.shards] == [(0, 32), (32, 64)]
    assert set(core_demands(mapping, net, system).values()) == {(32, 9 * 3 * 8, 24, 32, 32 * NEURON + 8 * 56)}


def test_blocks_of_pixels_touch_fewer_pixels_than_bands() -> None:
    net = Program.of(network([source("i", 6, 6, 3), lif("p", 4, 4, 4)], join("w", "i", "p", conv((6, 6, 3), 4))))
    system = tiny(neurons=16)
    mapping = map_model(net, system)
    assert mapping.orders["p"][:16].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]
    assert sorted(shard.rows for shard in mapping.shards) == [(0, 16), (16, 32), (32, 48), (48, 64)]
    assert set(core_demands(mapping, net, system).values()) == {(16, 9 * 3 * 8, 16, 16, 16 * NEURON + 8 * 32)}
    assert verify(mapping, net, system) == []


def test_an_out_axon_for_each_destination() -> None:
    """Neurons of p reach all cores of q, pixels one or two bands."""
    net = Program.of(
        network(
            [source("i", 2), lif("p", 6), lif("q", 12)],
            join("a", "i", "p", dense(6, 2)),
            join("b", "p", "q", dense(12, 6)),
        )
    )
    system = tiny(neurons=6)
    mapping = map_model(net, system)
    demands = {shard.island: d for shard, d in shard_demands(mapping, net, system).items()}
    assert (demands["p"][3], demands["q"][3]) == (6 * 2, 6)
    assert demands["p"][4] == 6 * NEURON + 8 * (2 + 12)


def test_pixels_share_out_axons() -> None:
    net = Program.of(
        network(
            [source("i", 4), lif("p", 4, 4, 3), lif("q", 2, 2, 5)],
            join("a", "i", "p", dense(48, 4)),
            join("b", "p", "q", conv((4, 4, 3), 5)),
        )
    )
    system = tiny(neurons=48)
    demands = {shard.island: d for shard, d in shard_demands(map_model(net, system), net, system).items()}
    assert demands["p"][3] == 16
    system = tiny(neurons=10)  # q is cut into its two columns of pixels, which read 12 pixels each
    mapping = map_model(net, system)
    assert sum(d[3] for s, d in shard_demands(mapping, net, system).items() if s.island == "p") >= 24


def test_direct_connections_take_entries_and_no_memory() -> None:
    net = network([source("i", 5), lif("p", 5)], join("d", "i", "p", Direct(5)))
    assert only(net) == (5, 0, 5, 5, 5 * NEURON + 8 * 10)


def test_own_parameters_of_neurons_are_charged() -> None:
    """A bias of 16 bits for each."""
    net = network([source("i", 5), lif("p", 5, bias_mant=np.arange(5))], join("d", "i", "p", Direct(5)))
    assert only(net)[4] == 5 * (NEURON + 2) + 80


def test_columns_are_cut_where_a_neuron_exceeds_a_core() -> None:
    delay = np.zeros((3, 40), np.uint8)
    delay[0, 0] = 1
    net = Program.of(network([source("i", 40), lif("p", 3)], join("w", "i", "p", dense(3, 40), delay=delay)))
    system = tiny(in_axons=20)
    mapping = map_model(net, system)
    found = {(s.kind, s.rows, s.cols): d for s, d in shard_demands(mapping, net, system).items()}
    part = (3, 20 * (4 + 6), 20, 6, 6 * 4 + 8 * 26)
    assert found == {
        ("synapses", (0, 3), (0, 20)): part,
        ("synapses", (0, 3), (20, 40)): part,
        **{("reducer", (n, n + 1), (0, 2)): (1, 4 * 5, 4, 1, 6 + 8 + 8 * 5) for n in range(3)},
    }


def test_a_population_without_axons_has_one_column() -> None:
    net = Program.of(network([lif("p", 3)]))
    mapping = map_model(net, tiny())
    assert mapping.shards == (Shard("p", "synapses", (0, 3), (0, 1), 0, 0, "p"),)
