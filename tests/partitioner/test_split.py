from __future__ import annotations

from types import SimpleNamespace

import pytest

from neurodeploy.errors import DoesNotFit
from partitioner.split import row_cuts, split_island
from partitioner.usage import Cost, core_limits, fits


def test_rows_fill_the_synaptic_memory(make: SimpleNamespace) -> None:
    """2048 columns of 4 + r bytes in 131072 B: 60 rows a core."""
    spec = make.chip()
    tiles = split_island(make.island("a", [("up", 150, 0)], 2048), Cost(spec, 8), core_limits(spec))
    assert [tile.rows for tile in tiles] == [(0, 60), (60, 120), (120, 150)]
    assert {tile.cols for tile in tiles} == {(0, 2048)}
    assert tiles[0].demand[1] == 131072


def test_four_bits_hold_about_twice_the_rows(make: SimpleNamespace) -> None:
    spec = make.chip()
    tiles = split_island(make.island("a", [("up", 240, 0)], 2048), Cost(spec, 4), core_limits(spec))
    assert [tile.rows for tile in tiles] == [(0, 120), (120, 240)]


def test_columns_beyond_the_in_axons_get_blocks_and_reducers(make: SimpleNamespace) -> None:
    spec = make.chip()
    item = make.island("down", [("down", 56, 0)], 8192)
    tiles = split_island(item, Cost(spec, 8), core_limits(spec))
    synapses = [tile for tile in tiles if tile.kind == "synapses"]
    assert [(tile.rows, tile.cols) for tile in synapses] == [
        ((0, 28), (0, 4096)),
        ((0, 28), (4096, 8192)),
        ((28, 56), (0, 4096)),
        ((28, 56), (4096, 8192)),
    ]
    (reducer,) = [tile for tile in tiles if tile.kind == "reducer"]
    assert (reducer.rows, reducer.cols) == ((0, 56), (0, 2))
    # sums of 127 * 4096 * 32767 need 36 bits: two messages for each of two blocks
    assert reducer.demand[2] == 56 * 4


def test_small_sums_travel_in_one_message(make: SimpleNamespace) -> None:
    spec = make.chip()
    item = make.island("down", [("down", 56, 0)], 8192, abs_sum=1000)
    tiles = split_island(item, Cost(spec, 8), core_limits(spec))
    assert next(tile for tile in tiles if tile.kind == "reducer").demand[2] == 56 * 2


def test_more_blocks_are_taken_where_headers_would_fill_the_core(make: SimpleNamespace) -> None:
    """Without a limit on axons 16384 columns fit 4 rows a core, half of it headers; narrow blocks save cores."""
    spec = make.chip(in_axons=None, state_bytes=None)
    tiles = split_island(make.island("a", [("down", 512, 0)], 16384), Cost(spec, 8), core_limits(spec))
    assert len(tiles) < 0.9 * 512 / 4
    assert any(tile.kind == "reducer" for tile in tiles)


def test_heads_stay_whole_where_it_is_free(make: SimpleNamespace) -> None:
    item = make.island("qkv", [("q", 256, 4), ("k", 64, 1), ("v", 64, 1)], 512)
    assert row_cuts(item, 200) == [(0, 192), (192, 384)]
    assert row_cuts(item, 129) == [(0, 128), (128, 256), (256, 384)]


def test_heads_are_cut_where_it_would_cost_a_core(make: SimpleNamespace) -> None:
    item = make.island("qkv", [("q", 256, 4), ("k", 64, 1), ("v", 64, 1)], 512)
    assert row_cuts(item, 100) == [(0, 100), (100, 200), (200, 300), (300, 384)]
    assert row_cuts(item, 60)[0] == (0, 60)
    assert row_cuts(make.island("up", [("up", 90, 0)], 8), 60) == [(0, 60), (60, 90)]


@pytest.mark.parametrize("budget", ["neurons", "in_axons", "out_axons", "state_bytes"])
def test_every_budget_limits_the_rows(make: SimpleNamespace, budget: str) -> None:
    limit = {"neurons": 7, "in_axons": 64, "out_axons": 7, "state_bytes": 64 * 8 + 7 * 24}[budget]
    spec = make.chip(**{budget: limit})
    tiles = split_island(make.island("a", [("up", 100, 0)], 64), Cost(spec, 8), core_limits(spec))
    assert all(fits(tile.demand, core_limits(spec)) for tile in tiles)
    assert max(tile.rows[1] - tile.rows[0] for tile in tiles) == (100 if budget == "in_axons" else 7)


@pytest.mark.parametrize(
    ("budget", "need"),
    [
        ({"synapse_bytes": 4}, "one column of row 0 needs 5 synapse_bytes (a core has 4)"),
        ({"state_bytes": 16}, "one column of row 0 needs 32 state_bytes (a core has 16)"),
        ({"synapse_bytes": 300}, "the reducer of row 0 over 69 column blocks needs 345 synapse_bytes (a core has 300)"),
        ({"in_axons": 8}, "the reducer of row 0 over 512 column blocks needs 512 in_axons (a core has 8)"),
    ],
)
def test_a_neuron_that_fits_no_core_is_named_with_its_need(
    make: SimpleNamespace, budget: dict[str, int], need: str
) -> None:
    spec = make.chip(**budget)
    with pytest.raises(DoesNotFit) as caught:
        split_island(
            make.island("layers.3.mlp.down", [("down", 8, 0)], 4096, abs_sum=5000), Cost(spec, 8), core_limits(spec)
        )
    assert caught.value.code == "ND2002"
    assert caught.value.subject == "layers.3.mlp.down"
    assert need in caught.value.problem
    assert caught.value.fix
