"""Partial sums of several messages, counted three ways (nets of the mapper, account, partitioned run) and by hand.

An island of 10 rows and 2200 columns, every weight 127 or -127, payloads of 16 bits. A sum over c narrow columns is at most
c * 127 * 32767, a wide axon counts for 256 narrow ones, and a message carries -2^31 to 2^31 - 1::

    columns    0 - 1024   4.26e9                                   two messages
    columns 1024 - 2048   the same                                 two
    columns 2048 - 2200   152 of them, three wide: 3.8e9           two with wide axons, one without (6.3e8)
"""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.flow.loads import PARTIALS, SYNOPS, UPDATES
from neurodeploy.flow.routes import HOST
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import BLOCK
from neurodeploy.ir.population import Section
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts
from neurodeploy.synapses.linear import linear_layer, program_of_layers
from partitioner.cost.population import views_of
from partitioner.cost.usage import core_demands
from partitioner.judge.figures import core_loads
from partitioner.judge.metrics import traffic_of
from partitioner.offload.price import price_view
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.hosts import get_host
from targets.systems import get_system
from tests.islands import islands_of
from tests.prices import ledger_of, works

ROWS, COLUMNS, TOKENS = 10, 2200, 3
BLOCKS = ((0, 1024), (1024, 2048), (2048, 2200))
SYSTEM = get_system("kapoho-point")


def program(wide: int) -> Program:
    """One island; `wide` axons of the last block have the exponent 8."""
    draw = np.random.default_rng(5)
    weight = (127 * draw.choice([-1, 1], (ROWS, COLUMNS))).astype(np.int8)
    shift = np.zeros(COLUMNS, np.uint8)
    shift[2050 : 2050 + wide] = 8
    size = np.abs(weight.astype(np.int64)) << shift.astype(np.int64)
    sums = np.array([size[:, at : at + BLOCK].sum(axis=1).max() for at in range(0, COLUMNS, BLOCK)], np.int64)
    params = {"multiplier": np.full(ROWS, 1000, np.int16), "shift": np.full(ROWS, 10, np.uint8), "acc_shift": 11}
    one = Dyadic(1, 0)
    island = linear_layer(
        "a", weight, params, scales=(one, one), values=("x", ("a",)), axon_exp=shift, block_sums=sums,
        sections=[Section("a", 0, ROWS)],
    )  # fmt: skip
    info = ModelInfo("random", "test", 10, 10, 1, 10, "made by a test")
    return program_of_layers(info, [island], {})


def mapping() -> Mapping:
    """Three blocks of columns and two reducers, of 4 and 6 rows, each on a core of its own; the last on another chip."""
    shards = [Shard("a", "synapses", (0, ROWS), block, 0, 4 * k) for k, block in enumerate(BLOCKS)]
    shards += [Shard("a", "reducer", (0, 4), (0, 3), 0, 20), Shard("a", "reducer", (4, ROWS), (0, 3), 1, 0)]
    return Mapping(SYSTEM.name, SYSTEM.chips, SYSTEM.chip.cores, tuple(shards), (), 1, "none", ())


@pytest.mark.parametrize(("wide", "words"), [(0, (2, 2, 1)), (3, (2, 2, 2))])
def test_words_of_partial_sums_agree_three_ways_and_with_a_hand_count(wide: int, words: tuple[int, ...]) -> None:
    item, plan, received = program(wide), mapping(), sum(words)
    island = islands_of(item)["a"]
    sources, reducers = plan.shards[:3], plan.shards[3:]

    places, nets, streams = traffic_of(plan, item, SYSTEM)
    source, target, weight = nets.pairs()
    between = (source != HOST) & (target != HOST)
    assert nets.per == 1 and int(weight[between].sum()) == ROWS * received

    payload = np.random.default_rng(1).integers(-9, 10, (TOKENS, COLUMNS)).astype(np.int16)
    runner = PartitionedRunner(plan, SYSTEM.chip)
    network, given = item.segments[0].network, {"a.input": payload[:, None]}
    result = runner.run(network, given, 1)
    got = result.outputs["a"][:, 0]
    np.testing.assert_array_equal(got, ReferenceRunner().run(network, given, 1).outputs["a"][:, 0])
    assert [runner.shard_counts[s].messages_out for s in sources] == [TOKENS * ROWS * n for n in words]
    assert [runner.shard_counts[s].synops for s in reducers] == [TOKENS * rows * received for rows in (4, 6)]
    assert [runner.shard_counts[s].events for s in reducers] == [TOKENS * rows * received for rows in (4, 6)]

    counts = ActivityCounts({"a": result.activity}, TOKENS, 0, 0, {})
    (work,) = works(item, counts, plan, SYSTEM)
    counted, traffic = work.counts, work.traffic["a"]
    events, outputs = np.count_nonzero(payload), np.count_nonzero(got)
    assert traffic.deliveries == events + outputs + TOKENS * ROWS * received
    assert traffic.interchip_least == TOKENS * 6 * received
    assert counted.synops == events * ROWS
    assert counted.partial_sums == TOKENS * ROWS * received
    host = get_host("cpu-generic")
    ledger = ledger_of(item, counts, plan, SYSTEM, host, "generate")
    added = next(entry for entry in ledger.entries if entry.event == "partial sum added by a reducer")
    assert added.count == ROWS * received

    judged = core_loads(streams, places)
    assert judged[:, UPDATES].sum() == 4 * ROWS  # three partial sums of a row, and its neuron
    assert sorted(judged[places.of_shard[3:], PARTIALS].tolist()) == [4 * received, 6 * received]
    assert not judged[places.of_shard[3:], SYNOPS].any()
    demands = core_demands(plan, item, SYSTEM)
    assert [demands[s.chip, s.core][3] for s in sources] == [ROWS * n for n in words]  # out-axons
    assert [demands[s.chip, s.core][2] for s in reducers] == [4 * received, 6 * received]  # in-axons

    costs = {key: quantity.nominal for key, quantity in SYSTEM.chip.costs.items()}
    sent = COLUMNS + ROWS * received + ROWS
    wanted = (
        ROWS * (COLUMNS + received) * costs["synop_fc_j"]
        + 4 * ROWS * costs["microcode_factor"] * costs["neuron_update_j"]
        + sent * (costs["spike_out_j"] + costs["message_j"])
        + 5 * costs["core_step_j"]
        + 32 * (COLUMNS + ROWS) * costs["host_link_bit_j"]
    )
    view = views_of(item, SYSTEM.chip)[island.name]
    price = price_view(item.network, view, plan.shards, SYSTEM, host, 2)
    assert price.chip.joules == pytest.approx(wanted, rel=1e-12)
