from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from neurodeploy.flow.words import bound_bits, messages_of
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import BLOCK
from partitioner.cost.budget import core_limits, fits
from partitioner.cost.usage import core_demands
from tests.islands import Island


def test_bytes_of_a_synapse_shard(make: SimpleNamespace) -> None:
    view = make.view(make.island("a", [("up", 10, 0)], 100), make.chip())
    # 10 rows, 100 columns, one message a row: lists of 4 + 10 B, state 7 B a neuron, 8 B for each of 110 axon entries
    assert view.tile(10, 100, 1) == (10, 100 * 14, 100, 10, 10 * 7 + 8 * 110)
    # partial sums of two messages: twice the out-axons
    assert view.tile(10, 100, 2) == (10, 100 * 14, 100, 20, 10 * 7 + 8 * 120)


def test_narrow_weights_are_packed_to_whole_bytes_per_list(make: SimpleNamespace) -> None:
    item = make.island("a", [("up", 10, 0)], 100)
    assert make.view(item, make.chip(), 4).tile(7, 100, 1)[1] == 100 * (4 + 4)
    assert make.view(item, make.chip(), 3).tile(8, 10, 1)[1] == 10 * (4 + 3)


def test_bytes_of_a_reducer(make: SimpleNamespace) -> None:
    # 5 rows that receive 6 messages each, over 30 axons of one weight
    assert make.view(make.island("a", [("up", 10, 0)], 100), make.chip()).reducer(5, 6, 5) == (
        5,
        30 * 5,
        30,
        5,
        5 * 7 + 8 * 35,
    )


def partial_bits(item: Island, columns: tuple[int, int]) -> int:
    """Of a sum over these columns, by the blocks that they touch."""
    blocks = item.synapses.block_sums[columns[0] // BLOCK : -(-columns[1] // BLOCK)]
    return bound_bits(item.payload_max, sum(int(value) for value in blocks))


@pytest.mark.parametrize(("abs_sum", "payload_bits"), [(0, 16), (1, 8), (127 * 256, 16), (127 * 256 << 8, 16), (3, 10)])
def test_partial_bits_hold_the_largest_sum(make: SimpleNamespace, abs_sum: int, payload_bits: int) -> None:
    item = make.island("a", [("up", 4, 0)], 1000, abs_sum=abs_sum, payload_bits=payload_bits)
    for columns, blocks in (((0, 1000), 4), ((0, 256), 1), ((0, 257), 2), ((255, 257), 2), ((512, 768), 1)):
        largest = abs_sum * blocks * item.payload_max
        bits, chip = partial_bits(item, columns), make.chip()
        assert make.view(item, chip).words(columns) == messages_of(bits, chip)
        assert -(2 ** (bits - 1)) <= -largest
        assert largest <= 2 ** (bits - 1) - 1
        assert bits == 1 or largest > 2 ** (bits - 2) - 1


def test_a_true_partial_sum_never_exceeds_its_bound(make: SimpleNamespace) -> None:
    """With real weights: the worst payload against every row stays inside `partial_bits`."""
    rng = np.random.default_rng(7)
    weight = rng.integers(-127, 128, (8, 700)).astype(np.int64)
    shift = np.where(rng.random(700) < 0.1, 8, 0)
    wide = np.abs(weight) << shift
    sums = np.array([wide[:, start : start + 256].sum(axis=1).max() for start in range(0, 700, 256)])
    item = make.island("a", [("up", 8, 0)], 700)
    object.__setattr__(item.synapses, "block_sums", sums)
    for columns in ((0, 700), (0, 256), (256, 700), (100, 300)):
        worst = int((wide[:, slice(*columns)].sum(axis=1) * item.payload_max).max())
        assert worst <= 2 ** (partial_bits(item, columns) - 1) - 1


def test_usage_of_a_shared_core_adds_up(make: SimpleNamespace) -> None:
    a, b = make.island("a", [("router", 4, 0)], 10), make.island("b", [("router", 6, 0)], 20)
    spec = make.chip(out_axons=None)
    shards = (Shard("a", "synapses", (0, 4), (0, 10), 0, 3), Shard("b", "synapses", (0, 6), (0, 20), 0, 3))
    mapping = Mapping("testboard", 1, 120, shards, (), 1, "neurons", ("out_axons",))
    (used,) = core_demands(mapping, make.of_islands([a, b]), make.system(spec, 1)).values()
    assert used == (10, 10 * 8 + 20 * 10, 30, 10, 10 * 7 + 40 * 8)
    assert core_limits(spec) == (8192, 131072, 4096, None, 65536)
    assert fits(used, core_limits(spec))
