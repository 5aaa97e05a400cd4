from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest

from neurodeploy.errors import DoesNotFit, UserError
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.synapses.linear import LinearLayer
from partitioner.cost.budget import add, core_limits, fits
from partitioner.cost.usage import shard_demands
from partitioner.cut.bands import BandCutter
from partitioner.cut.choice import figures_of, prices_of, value_of
from partitioner.cut.joint import split_uniform
from partitioner.cut.rules import Rule
from partitioner.cut.settle import tiles_of
from partitioner.cut.stamp import Tile, heads_whole, stamped
from partitioner.mapper import map_model
from partitioner.options import Options, Pin
from targets.systems import get_system
from tests.partitioner import make
from tests.refusals import refused


def split_island(item: LinearLayer, spec: ChipSpec, weight_bits: int | None = None, **rule: Any) -> list[Tile]:
    """The tiles of one island by itself, with the objective "cores"; those of one row range stand together."""
    island = make.view(item, spec, weight_bits)
    cutter = BandCutter(island, Rule(core_limits(spec), **rule))
    ways = [(cut, figures_of(cutter, cut, None)) for cut in cutter.cuts()]
    best, _ = min(ways, key=lambda way: (value_of(way[1], "cores", way[0], 0, 0, None), way[1].messages))
    return list(tiles_of({island.name: island}, {island.name: stamped(island, best, None)}))


def split(spec: ChipSpec, item: LinearLayer, **options: Any) -> list[Tile]:
    """The tiles of one island as a program of its own."""
    return joint([item], make.system(spec, 100), Options(**options), 100)


def joint(
    items: list[LinearLayer],
    system: SystemSpec,
    options: Options,
    chips: int,
    pins: dict[str, Pin] | None = None,
) -> list[Tile]:
    """The tiles of these islands, cut together."""
    limits = core_limits(system.chip, options.max_rows, options.caps)
    given = {item.name: (pins or {}).get(item.name, Pin()) for item in items}
    rules = {name: Rule(limits, pin.rows, pin.blocks) for name, pin in given.items()}
    views = [make.view(item, system.chip) for item in items]
    return list(tiles_of({view.name: view for view in views}, split_uniform(views, rules, system, options, chips).cuts))


def test_rows_fill_the_synaptic_memory() -> None:
    """2048 columns of 4 + r bytes in 131072 B: 60 rows a core. Cut into blocks it would take as many cores."""
    spec = make.chip()
    tiles = split_island(make.island("a", [("up", 150, 0)], 2048), spec, blocks=1)
    assert [tile.rows for tile in tiles] == [(0, 60), (60, 120), (120, 150)]
    assert {tile.cols for tile in tiles} == {(0, 2048)}
    assert tiles[0].demand[1] == 131072


def test_four_bits_hold_about_twice_the_rows() -> None:
    spec = make.chip()
    tiles = split_island(make.island("a", [("up", 240, 0)], 2048), spec, 4, blocks=1)
    assert [tile.rows for tile in tiles] == [(0, 120), (120, 240)]


def test_columns_beyond_the_in_axons_get_blocks_and_reducers() -> None:
    spec = make.chip()
    item = make.island("down", [("down", 56, 0)], 8192)
    tiles = split_island(item, spec, blocks=2)
    synapses = [tile for tile in tiles if tile.kind == "synapses"]
    assert {tile.cols for tile in synapses} == {(0, 4096), (4096, 8192)}
    assert sum(tile.rows[1] - tile.rows[0] for tile in synapses) == 2 * 56
    reducers = [tile for tile in tiles if tile.kind == "reducer"]
    assert sum(tile.rows[1] - tile.rows[0] for tile in reducers) == 56
    assert {tile.cols for tile in reducers} == {(0, 2)}
    # sums of 127 * 4096 * 32767 need 36 bits: two messages for each of two blocks
    assert all(tile.demand[2] == 4 * (tile.rows[1] - tile.rows[0]) for tile in reducers)


def test_small_sums_travel_in_one_message() -> None:
    spec = make.chip()
    item = make.island("down", [("down", 56, 0)], 8192, abs_sum=1000)
    tiles = split_island(item, spec, blocks=2)
    reducers = [tile for tile in tiles if tile.kind == "reducer"]
    assert sum(tile.demand[2] for tile in reducers) == 56 * 2


def test_blocks_are_taken_where_headers_would_fill_the_core() -> None:
    """3072 columns leave room for 38 rows, 4 bytes of header for each 38 of weights: blocks of 512 save a tenth."""
    spec = make.chip()
    item = make.island("a", [("down", 768, 0)], 3072)
    tiles = split_island(item, spec)
    assert {tile.cols[1] - tile.cols[0] for tile in tiles if tile.kind == "synapses"} <= set(range(256, 513))
    whole = split_island(item, spec, blocks=1)
    assert sum(tile.demand[1] for tile in tiles) < 0.94 * sum(tile.demand[1] for tile in whole)


def test_reducers_ride_with_tiles_that_leave_room() -> None:
    """18944 columns in 37 blocks: a row's reducer takes 37 in-axons, 110 rows would fill a core's. Carried, they cost
    memory only: each stands after a tile that it fits beside."""
    spec = make.chip()
    limits = core_limits(spec)
    tiles = split_island(make.island("down", [("down", 3584, 0)], 18944), spec)
    riding = [(a, b) for a, b in pairwise(tiles) if b.kind == "reducer" and a.kind == "synapses"]
    assert sum(b.rows[1] - b.rows[0] for _, b in riding) == 3584
    assert all(fits(add(a.demand, b.demand), limits) for a, b in riding)
    full = sum(tile.demand[1] for tile in tiles) / 131072
    assert len(tiles) - len(riding) < full + 37  # a short last band


def test_last_bands_are_cut_to_fill_cores() -> None:
    """Three islands that leave 0.6 of a core each: two cores hold what is left, because the rows of one are cut."""
    spec = make.chip()
    items = [make.island(f"i{n}", [("up", 100, 0)], 768) for n in range(3)]
    program = make.of_islands(items)
    tiles = joint(items, make.system(spec, 9), Options(), 9)
    assert [tile.rows for tile in tiles if tile.island == "i1"] == [(0, 62), (62, 100)]
    assert map_model(program, make.system(spec, 9)).cores_used == 2


def test_heads_stay_whole_where_it_is_free() -> None:
    item = make.island("qkv", [("q", 256, 4), ("k", 64, 1), ("v", 64, 1)], 512)
    assert heads_whole(make.view(item, make.chip()), 200) == [(0, 192), (192, 384)]
    assert heads_whole(make.view(item, make.chip()), 129) == [(0, 128), (128, 256), (256, 384)]


def test_heads_are_cut_where_it_would_cost_a_core() -> None:
    item = make.island("qkv", [("q", 256, 4), ("k", 64, 1), ("v", 64, 1)], 512)
    # four ranges of 64 to 128 rows instead of 100, 100, 100, 84
    assert heads_whole(make.view(item, make.chip()), 100) == []
    assert heads_whole(make.view(item, make.chip()), 60) == []
    assert heads_whole(make.view(item, make.chip()), 300) == []  # 84 of 300 rows are left: they share a core instead
    assert heads_whole(make.view(make.island("up", [("up", 90, 0)], 8), make.chip()), 60) == []


def test_equal_shapes_are_cut_alike_and_pins_make_a_difference() -> None:
    items = [make.island(f"i{n}", [("up", 512, 0)], 2048) for n in range(3)]
    pins = {"i1": Pin(rows=32), "i2": Pin(blocks=3)}
    tiles = joint(items, make.system(make.chip(), 9), Options(objective="traffic"), 9, pins)
    by = {n: [t for t in tiles if t.island == f"i{n}" and t.kind == "synapses"] for n in range(3)}
    assert {t.rows[1] - t.rows[0] for t in by[1]} == {32}
    assert len({t.cols for t in by[2]}) == 3
    assert len({t.cols for t in by[0]}) != 3


@pytest.mark.parametrize("rule", [{"rows": 4000, "blocks": 2}, {"blocks": 1, "rows": 61}, {"blocks": 5000}])
def test_a_pin_that_no_core_holds_is_refused(rule: dict[str, int]) -> None:
    item = make.island("a", [("up", 4096, 0)], 2048)
    assert "pin" in refused(DoesNotFit, "ND2002 .*pinned", split_island, item, make.chip(), **rule).fix


def test_caps_lower_what_a_tile_takes() -> None:
    item = make.island("a", [("up", 600, 0)], 1024)
    tiles = split(make.chip(), item, caps={"synapse_bytes": 50})
    assert max(tile.demand[1] for tile in tiles) <= 65536


@pytest.mark.parametrize("objective", ["traffic", "latency", "energy"])
def test_each_objective_is_best_by_its_own_figure(objective: str) -> None:
    """What an objective makes small is smaller than with any other objective."""
    system = get_system("kapoho-point")
    item = make.island("a", [("up", 3072, 0)], 1536)
    prices = prices_of(system)

    def figure(chosen: str) -> int:
        cutter = BandCutter(make.view(item, system.chip), Rule(core_limits(system.chip)))
        tiles = joint([item], system, Options(objective=chosen), system.chips)
        blocks = tuple(sorted({t.cols for t in tiles if t.kind == "synapses"}))
        rows = max(t.rows[1] - t.rows[0] for t in tiles if t.kind == "synapses")
        tall = cutter.tallest(blocks)
        assert tall is not None
        cut = tall if rows == tall.most_rows else cutter.level(tall, rows)
        return value_of(figures_of(cutter, cut, prices), objective, cut, 10**8, 1, prices)

    assert all(figure(objective) <= figure(other) for other in ("cores", "traffic", "latency"))
    if objective == "latency":
        assert figure("latency") < figure("cores") / 2


def test_spread_uses_the_cores_of_the_chips_that_are_needed() -> None:
    system = get_system("kapoho-point")
    items = [make.island(f"i{n}", [("up", 1000 + 300 * n, 0)], 700) for n in range(3)]
    program, most = make.of_islands(items), []
    for wide in (False, True):
        mapping = map_model(program, system, Options(spread=wide))
        assert 100 <= mapping.cores_used <= 120 if wide else len(mapping.shards) < 30
        most.append(max(demand[1] for demand in shard_demands(mapping, program, system).values()))
    assert most[1] < 0.3 * most[0]


def test_objectives_need_costs() -> None:
    item = make.island("a", [("up", 10, 0)], 10)
    refused(UserError, "ND2003 .*t_synop_fc_s", split, make.chip(), item, objective="energy")


def test_too_many_cores_for_an_objective_give_way_to_fewer() -> None:
    """Latency takes every core there is and no more: two chips are not exceeded, eight give shorter steps."""
    system = get_system("kapoho-point")
    items = [make.island(f"i{n}", [("up", 4096, 0)], 1024) for n in range(4)]
    counts = []
    for chips in (2, 8):
        counts.append(len(joint(items, system, Options(objective="latency"), chips)))
    assert counts[0] <= 240 < counts[1] <= 960


@pytest.mark.parametrize("budget", ["neurons", "in_axons", "out_axons", "state_bytes"])
def test_every_budget_limits_the_rows(budget: str) -> None:
    limit = {"neurons": 7, "in_axons": 64, "out_axons": 7, "state_bytes": 64 * 8 + 7 * 15}[budget]
    spec = make.chip(**{budget: limit})
    blocks = 1 if budget == "state_bytes" else None  # partial sums take less state
    tiles = split_island(make.island("a", [("up", 100, 0)], 64), spec, blocks=blocks)
    assert all(fits(tile.demand, core_limits(spec)) for tile in tiles)
    assert max(tile.rows[1] - tile.rows[0] for tile in tiles) == (100 if budget == "in_axons" else 7)


@pytest.mark.parametrize(
    ("budget", "need"),
    [
        ({"synapse_bytes": 4}, "one column of row 0 needs 5 synapse_bytes (a core has 4)"),
        ({"state_bytes": 16}, "one column of row 0 needs 20 state_bytes (a core has 16)"),
        ({"synapse_bytes": 300}, "the reducer of row 0 over 69 column blocks needs 345 synapse_bytes (a core has 300)"),
        ({"in_axons": 8}, "the reducer of row 0 over 512 column blocks needs 512 in_axons (a core has 8)"),
    ],
)
def test_a_neuron_that_fits_no_core_is_named_with_its_need(budget: dict[str, int], need: str) -> None:
    item = make.island("layers.3.mlp.down", [("down", 8, 0)], 4096, abs_sum=5000)
    refused(DoesNotFit, f"ND2002 {item.name}: {re.escape(need)}", split_island, item, make.chip(**budget))
