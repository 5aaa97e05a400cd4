from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.mapper_models import naive_bound
from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.program import Program
from partitioner.bound.cores import bound_of, lower_bound
from partitioner.cost.budget import Demand, Limits, add, core_limits, fits
from partitioner.cost.population import View, views_of
from partitioner.mapper import map_model
from partitioner.options import Options, Pin
from tests.partitioner import make
from tests.partitioner.make import dense, join, lif, network, source

QUICK = settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def bound_of_program(program: Program, chip: ChipSpec, weight_bits: int | None = None) -> tuple[int, str]:
    return lower_bound(views_of(program, chip, weight_bits).values(), chip)


@pytest.mark.parametrize(
    ("budget", "bound", "resource"),
    [
        ({"neurons": 10}, 10, "neurons"),
        # Tiles of 20 columns x 21 rows: 1 + 4 / 21 bytes a weight, and 5 / 20 for its reducer: 9216 B.
        ({"synapse_bytes": 512}, 18, "synapse_bytes"),
        # Four blocks of 16 columns, all 100 rows: 64 in-axons and 400 of partial sums.
        ({"in_axons": 16}, 29, "in_axons"),
        ({"out_axons": 25}, 4, "out_axons"),
        # At most 32 rows of 64 columns: 100 (7 + 8) and 100 / 32 * 64 * 8 of axons.
        ({"state_bytes": 1000}, 4, "state_bytes"),
    ],
)
def test_the_scarcest_resource_binds(budget: dict[str, int], bound: int, resource: str) -> None:
    program = make.of_islands([make.island("a", [("up", 100, 0)], 64)])
    assert bound_of_program(program, make.chip(**budget)) == (bound, resource)


def test_unknown_limits_bind_nothing() -> None:
    program = make.of_islands([make.island("a", [("up", 100, 0)], 64)])
    free = make.chip(neurons=None, synapse_bytes=None, in_axons=None, out_axons=None, state_bytes=None)
    assert bound_of_program(program, free) == (0, "none")
    assert naive_bound(program, make.system(free, 1), 8) == 0


def test_narrow_weights_lower_the_bound() -> None:
    program = make.llama(2)
    chip = make.chip()
    assert bound_of_program(program, chip, 4)[0] < 0.51 * bound_of_program(program, chip)[0]


def test_headers_raise_it_above_the_naive_bound() -> None:
    """768 columns in 131072 B: 166 rows, 4 bytes of header for each 166 of weights, a fortieth more."""
    item = make.island("a", [("up", 16600, 0)], 768)
    program, chip = make.of_islands([item]), make.chip()
    assert naive_bound(program, make.system(chip, 1), 8) == -(-16600 * 768 // 131072) == 98
    assert bound_of_program(program, chip) == (100, "synapse_bytes")
    assert bound_of([(make.view(item, chip), 3)], chip)[0] in (299, 300)


def test_two_scarce_resources_bind_together() -> None:
    """Narrow blocks spare headers and take in-axons: alone each allows less than what both allow together."""
    items = [make.island("a", [("up", 3000, 0)], 768)]
    program = make.of_islands(items)
    together = bound_of_program(program, make.chip(in_axons=600))[0]
    single = max(
        bound_of_program(program, make.chip(in_axons=600, synapse_bytes=None, state_bytes=None))[0],
        bound_of_program(program, make.chip(in_axons=None, state_bytes=None))[0],
    )
    assert together > single


# Brute force: every tiling of a tiny island by rectangles, every packing.


@lru_cache(maxsize=8)
def tilings(rows: int, columns: int) -> tuple[tuple[tuple[int, int, int, int], ...], ...]:
    """Every way to cover the grid by rectangles (row, stop, column, stop)."""

    def cover(free: frozenset[tuple[int, int]]) -> Iterator[tuple[tuple[int, int, int, int], ...]]:
        if not free:
            yield ()
            return
        row, column = min(free)
        for stop in range(row + 1, rows + 1):
            for end in range(column + 1, columns + 1):
                cells = {(r, c) for r in range(row, stop) for c in range(column, end)}
                if not cells <= free:
                    break
                for rest in cover(free - cells):
                    yield ((row, stop, column, end), *rest)

    return tuple(cover(frozenset((r, c) for r in range(rows) for c in range(columns))))


def pieces(island: View, tiling: tuple[tuple[int, int, int, int], ...]) -> list[Demand]:
    """What the rectangles cost, and a reducer for each row that is cut."""
    received, into = [0] * island.rows, island.segments[0].projection
    found = []
    for row, stop, column, end in tiling:
        whole = end - column == island.columns
        words = island.outputs if whole else island.sums.words((column, end))
        if island.sums.most is not None and words > island.sums.most:
            return []
        lists = (end - column) * (island.form.header + -(-(stop - row) * island.form.bits(into) // 8))
        if whole:
            found.append(island.home(stop - row, lists, end - column, (stop - row) * words))
        else:
            found.append(island.partial(stop - row, lists, end - column, words))
        for r in range(row, stop) if not whole else ():
            received[r] += words
    return found + [island.reducer(1, words, island.outputs) for words in received if words]


def packs(items: list[Demand], cores: int, limits: Limits) -> bool:
    """Whether these fit so many cores, by trying all ways."""

    def put(index: int, bins: tuple[Demand, ...]) -> bool:
        if index == len(items):
            return True
        for position, used in enumerate(bins):
            more = add(used, items[index])
            if fits(more, limits) and put(index + 1, (*bins[:position], more, *bins[position + 1 :])):
                return True
        return len(bins) < cores and fits(items[index], limits) and put(index + 1, (*bins, items[index]))

    items.sort(reverse=True)
    total: Demand = (0, 0, 0, 0, 0)
    for item in items:
        total = add(total, item)
    if any(limit is not None and used > cores * limit for used, limit in zip(total, limits, strict=True)):
        return False
    return put(0, ())


@QUICK
@given(
    shape=st.sampled_from([(1, 4), (2, 3), (3, 2), (3, 3), (2, 4)]),
    bits=st.sampled_from([8, 3]),
    abs_sum=st.sampled_from([None, 10, 1 << 20]),
    budget=st.fixed_dictionaries(
        {
            "neurons": st.one_of(st.none(), st.integers(1, 4)),
            "synapse_bytes": st.integers(8, 40),
            "in_axons": st.one_of(st.none(), st.integers(2, 6)),
            "out_axons": st.one_of(st.none(), st.integers(1, 4)),
            "state_bytes": st.one_of(st.none(), st.integers(40, 160)),
            "synapse_row_header_bytes": st.integers(0, 5),
        }
    ),
)
def test_no_mapping_of_a_tiny_matrix_takes_fewer_cores(
    shape: tuple[int, int], bits: int, abs_sum: int | None, budget: dict[str, int]
) -> None:
    """As an island, or (without sums that are proven) as the only population of a network."""
    chip = make.chip(**budget)
    if abs_sum is None:
        net = Program.of(
            network([source("i", shape[1]), lif("a", shape[0])], join("w", "i", "a", dense(*shape), weight_bits=bits))
        )
        view = views_of(net, chip)["a"]
    else:
        view = make.view(make.island("a", [("up", shape[0], 0)], shape[1], bits=bits, abs_sum=abs_sum), chip)
    limits = core_limits(chip)
    bound = lower_bound([view], chip)[0]
    for tiling in tilings(*shape) if bound > 1 else ():
        items = pieces(view, tiling)
        assert not items or not packs(items, bound - 1, limits), tiling


@QUICK
@given(
    sizes=st.lists(st.tuples(st.integers(1, 300), st.integers(1, 900)), min_size=1, max_size=4),
    options=st.sampled_from(
        [{}, {"objective": "traffic"}, {"pins": {"i0": Pin(blocks=2)}}, {"pins": {"i0": Pin(rows=3)}}]
    ),
    memory=st.integers(200, 20000),
    axons=st.one_of(st.none(), st.integers(20, 900)),
)
def test_no_mapper_takes_fewer_cores(
    sizes: list[tuple[int, int]], options: dict[str, Any], memory: int, axons: int | None
) -> None:
    program = make.of_islands([make.island(f"i{n}", [("up", r, 0)], c) for n, (r, c) in enumerate(sizes)])
    board = make.system(make.chip(synapse_bytes=memory, in_axons=axons), 4000)
    try:
        mapping = map_model(program, board, Options(place=False, **options))
    except DoesNotFit:
        return
    assert mapping.lower_bound <= mapping.cores_used
    assert naive_bound(program, board, 8) <= mapping.lower_bound
