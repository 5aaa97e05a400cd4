"""What memories of keys and values cost, counted by hand: reads, writes, and what is asked of every core with a part."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from neurodeploy.accounting.account import EVENTS
from neurodeploy.accounting.costs import cost
from neurodeploy.accounting.ledger import KINDS
from neurodeploy.accounting.step_time import busiest_core, core_prices, core_seconds
from neurodeploy.flow.loads import EVENTS as ARRIVED
from neurodeploy.flow.loads import SENT, SYNOPS, UPDATES, WRITES, loads_of
from neurodeploy.flow.streams import Streams, ends_of
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.synapses import Direct
from neurodeploy.synapses.build import sparse_from_coo
from targets.systems import get_system

#: 4 heads of 2 neurons that share 2 heads of keys and values, 16 positions.
SIZE, KEPT, SLOTS, HEADS = 8, 4, 16, 4
CHIP = get_system("oheo-gulch").chip


def attending() -> Program:
    params = {f"{port}_{key}": 1 for port in "qkv" for key in ("multiplier", "shift")}
    params |= {"q_multiplier": np.ones(SIZE, np.int64), "heads": HEADS, "kv_heads": 2, "head_dim": 2, "slots": SLOTS}
    params |= {"score_shift": 0, "multiplier": 1, "shift": 0}
    populations = {
        "q": Population("q", (SIZE,), INPUT, {"bits": 16}),
        **{name: Population(name, (KEPT,), INPUT, {"bits": 16}) for name in "kv"},
        "o": Population("o", (SIZE,), "graded_attention", params),
    }
    places, ones = np.arange(KEPT), np.ones(KEPT, np.int8)
    rows = places // 2 * 4 + places % 2  # of the first head of each group
    taken = {name: sparse_from_coo(SIZE, KEPT, rows, places, ones) for name in "kv"}
    projections = [
        Projection(name, name, "o", synapse, target_port=name, graded=True, instant=True)
        for name, synapse in {"q": Direct(SIZE), **taken}.items()
    ]
    return Program.of(Network("net", populations, tuple(projections), ("o",)))


def table(*rows: tuple[int, int]) -> np.ndarray:
    program = attending()
    pieces = [Shard("o", "synapses", part, (0, SIZE + 2 * KEPT), 0, core) for core, part in enumerate(rows)]
    ends = ends_of(program, program.network, CHIP, {"o": Fraction(1)})
    return loads_of(Streams(program.network, ends, pieces, 1))


def test_on_one_core_nothing_is_asked_twice() -> None:
    (row,) = table((0, SIZE))
    assert row[WRITES] == 2 * KEPT  # a key and a value of 2 heads of 2
    assert (
        row[SYNOPS] == 2 * SLOTS * KEPT * 2 + 2 * KEPT
    )  # each number for both heads of its group; two lists of synapses
    assert row[UPDATES] == SIZE + SLOTS * HEADS
    assert row[ARRIVED] == SIZE + 2 * KEPT
    assert row[SENT] == SIZE  # the host reads them


@pytest.mark.parametrize("cut", [(2,), (4,), (2, 4, 6), (1, 3)])
def test_where_cores_share_a_memory_each_is_asked(cut: tuple[int, ...]) -> None:
    edges = [0, *cut, SIZE]
    parts = list(pairwise(edges))
    found, whole, n = table(*parts), table((0, SIZE))[0], len(parts)
    assert found[:, WRITES].sum() == whole[WRITES]
    assert found[:, ARRIVED].sum() == n * SIZE + 2 * KEPT  # queries to all of them, a key and a value to one
    partial = 2 * (SIZE + HEADS)  # sums and weights of every head
    assert found[:, SENT].sum() == SIZE + n * partial
    assert found[:, UPDATES].sum() == whole[UPDATES] + n * partial


def test_a_write_has_a_price_and_a_time() -> None:
    (event,) = (event for event in EVENTS if event.count == "writes")
    price = cost(CHIP, event.price)
    assert event.component in KINDS
    assert (price.nominal, event.boundary) == (120e-12, "rails")  # of a synapse that learns: nothing else is published
    loads = np.zeros((1, 9))
    loads[0, WRITES] = 8
    assert core_seconds(core_prices(CHIP), loads)[0] == pytest.approx(8 * cost(CHIP, "t_synop_learning_s").nominal)
    assert busiest_core(core_prices(CHIP), loads).ends() == pytest.approx([8 * x for x in (0.6e-9, 6.1e-9)], rel=0.02)
