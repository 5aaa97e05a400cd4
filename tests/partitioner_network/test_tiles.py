"""What shards see of axons, against the synapses written out one by one."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.synapses import Direct, Sparse
from tests.networks.random_networks import random_network
from tests.partitioner_network.helpers import conv


def synapses() -> list[tuple[str, object]]:
    found = []
    for seed in range(12):
        for p in random_network(seed)[0].projections:
            found.append((f"{seed}-{p.name}-{type(p.synapse).__name__}", p.synapse))
    return found


@pytest.mark.parametrize(("name", "synapse"), synapses(), ids=lambda value: value if isinstance(value, str) else "")
def test_touches_against_synapses_one_by_one(name: str, synapse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurodeploy.ir.synapse.PIECE", 7)
    rng = np.random.default_rng(synapse.rows)
    cuts = np.unique(rng.integers(0, synapse.rows + 1, 5))
    rows = np.stack([cuts[:-1], cuts[1:]], axis=1)[::2] if len(cuts) > 1 else np.array([[0, synapse.rows]])
    first, last = sorted(int(x) for x in rng.integers(0, synapse.columns + 1, 2))
    seen = np.zeros((synapse.columns, len(rows)), np.int64)
    reached = np.zeros_like(seen)
    for touch in synapse.touches(rows, (first, last)):
        np.add.at(seen, (touch.axon, touch.tile), touch.fan)
        np.add.at(reached, (touch.axon, touch.tile), 1)
    assert reached.max(initial=0) <= 1
    for index, span in enumerate(rows):
        coo = synapse.coo((int(span[0]), int(span[1])))
        inside = coo.column[(coo.column >= first) & (coo.column < last)]
        count = np.bincount(inside, minlength=synapse.columns)
        assert np.array_equal(reached[:, index], count > 0)
        assert np.array_equal(seen[:, index], 0 * count if isinstance(synapse, Direct) else count)


def test_no_rows_and_no_columns_touch_nothing() -> None:
    synapse = Sparse(4, 3, np.array([0, 1, 1, 2]), np.array([0, 3], np.uint16), np.ones(2, np.int8))
    assert list(synapse.touches(np.zeros((0, 2), np.int64))) == []
    assert list(synapse.touches(np.array([[0, 4]]), (2, 2))) == []
    (touch,) = synapse.touches(np.array([[0, 4]]))
    assert touch.axon.tolist() == [0, 2] and touch.fan.tolist() == [1, 1]


@pytest.mark.parametrize("transposed", [False, True])
def test_conv_fan_sums_to_the_fan_out(transposed: bool) -> None:
    synapse = conv((5, 4, 4), 6, 3, stride=(2, 1), padding=(1, 0), groups=2, transposed=transposed)
    pixels, fan = synapse.fan(0, synapse.rows)
    whole = synapse.fan_out().reshape(-1, 2, 2)
    assert np.array_equal(np.repeat(fan, 2, axis=1).reshape(-1, 2, 2), whole[pixels])
    assert not np.delete(whole, pixels, axis=0).any()


def test_channels_of_a_pixel_share_an_entry_unless_delayed() -> None:
    synapse = conv((4, 4, 3), 2)
    assert (synapse.units(False).size, synapse.units(True).size) == (3, 1)
    assert Direct(3).units(False).size == 1
