"""The recount finds what is broken, and nothing in what is whole. Random programs on random budgets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.program import Program
from partitioner.cost.budget import RESOURCES
from partitioner.cost.usage import core_demands
from partitioner.mapper import map_model
from partitioner.options import Options, Pin
from partitioner.verify.recount import recount
from partitioner.verify.violations import verify
from targets.systems import get_system
from tests.partitioner import make
from tests.partitioner.make import conv, dense, join, lif, network, source, tiny
from tests.partitioner.test_property import BUDGETS, FEW, ISLANDS, build, try_map

NET = network(
    [source("i", 6, 6, 3), lif("p", 4, 4, 5), lif("q", 10)],
    join("a", "i", "p", conv((6, 6, 3), 5)),
    join("b", "p", "q", dense(10, 80)),
)
SYSTEM = tiny(neurons=40, in_axons=60, cores=16)
PROGRAM = Program.of(NET)
GOOD = map_model(PROGRAM, SYSTEM)


def change_one(shards: tuple[Shard, ...], index: int, **changes: Any) -> tuple[Shard, ...]:
    return (*shards[:index], replace(shards[index], **changes), *shards[index + 1 :])


@FEW
@given(items=ISLANDS, budget=BUDGETS, choice=st.randoms(use_true_random=False))
def test_whatever_is_broken_is_reported(items: list[dict[str, Any]], budget: dict[str, int], choice: Any) -> None:
    program, board = build(items, budget, 4000)
    mapping = try_map(program, board, Options(place=False))
    assume(mapping is not None)
    assert mapping is not None
    shards, index = mapping.shards, choice.randrange(len(mapping.shards))
    shard = shards[index]
    broken = {
        "dropped": (*shards[:index], *shards[index + 1 :]),
        "doubled": (*shards, shard),
        "chip out of range": change_one(shards, index, chip=mapping.chips_available),
        "core out of range": change_one(shards, index, core=board.chip.cores),
        "negative chip": change_one(shards, index, chip=-1),
        "unknown island": change_one(shards, index, island="nowhere"),
        "unknown kind": change_one(shards, index, kind="dendrite"),
        "one row too many": change_one(shards, index, rows=(shard.rows[0], shard.rows[1] + 1)),
        "one column too many": change_one(shards, index, cols=(shard.cols[0], shard.cols[1] + 1)),
        "one column shifted": change_one(shards, index, cols=(shard.cols[0] + 1, shard.cols[1] + 1)),
        "no rows": change_one(shards, index, rows=(shard.rows[0], shard.rows[0])),
    }
    if shard.row_count > 1:
        broken["one row too few"] = change_one(shards, index, rows=(shard.rows[0] + 1, shard.rows[1]))
    for what, changed in broken.items():
        assert verify(replace(mapping, shards=changed), program, board), what


def overloaded() -> tuple[Program, SystemSpec, Mapping]:
    program = make.of_islands([make.island("a", [("up", 120, 0)], 2048), make.island("b", [("down", 56, 0)], 8192)])
    board = make.system(make.chip(out_axons=2000), 2)
    pins = {"a": Pin(blocks=1), "b": Pin(blocks=2)}
    return program, board, map_model(program, board, Options(pins=pins, place=False))


def test_a_shard_on_a_full_core_is_reported_with_used_and_limit() -> None:
    program, board, mapping = overloaded()
    first, second = mapping.by_island()["a"][:2]
    assert (first.chip, first.core) != (second.chip, second.core)
    assert first.row_count == second.row_count == 60
    index = mapping.shards.index(second)
    changed = change_one(mapping.shards, index, chip=first.chip, core=first.core)
    found = verify(replace(mapping, shards=changed, lower_bound=0), program, board)
    assert found == [f"chip {first.chip} core {first.core}: synapse_bytes used 262144, limit 131072"]


@pytest.mark.parametrize("kind", ["program", "network"])
@pytest.mark.parametrize("resource", RESOURCES)
def test_every_budget_is_recounted_to_the_last_unit(resource: str, kind: str) -> None:
    """Lowering a limit just under the largest use is found, at exactly that number; at the use itself it holds."""
    model, board, mapping = overloaded() if kind == "program" else (PROGRAM, SYSTEM, GOOD)
    used = (core_demands if kind == "program" else recount)(mapping, model, board).values()
    largest = max(demand[RESOURCES.index(resource)] for demand in used)

    def found(limit: int) -> list[str]:
        limits = {name: own.value for name, own in board.chip.budget.limits().items()} | {resource: limit}
        chip = replace(board.chip, budget=make.budget(**limits))
        return verify(mapping, model, replace(board, chip=chip))

    assert found(largest) == []
    assert found(largest - 1)
    assert all(text.endswith(f"{resource} used {largest}, limit {largest - 1}") for text in found(largest - 1))


def test_reducers_are_followed() -> None:
    program, board, mapping = overloaded()
    index = next(n for n, shard in enumerate(mapping.shards) if shard.kind == "reducer")
    low, high = mapping.shards[index].rows
    without = (*mapping.shards[:index], *mapping.shards[index + 1 :])
    (lost,) = verify(replace(mapping, shards=without, lower_bound=0), program, board)[:1]
    assert lost.startswith(f"b rows {low}:")
    assert lost.endswith("0 reducers, 2 column blocks need 1")
    three = change_one(mapping.shards, index, cols=(0, 3))
    assert any(
        text.endswith("reducer expects 3 column blocks, there are 2")
        for text in verify(replace(mapping, shards=three), program, board)
    )
    assert high <= 56
    surplus = (*mapping.shards, Shard("a", "reducer", (0, 60), (0, 1), 1, 5))
    assert "a rows 0:60: 1 reducers, 1 column blocks need 0" in verify(replace(mapping, shards=surplus), program, board)


def test_the_frame_is_checked() -> None:
    program, board, mapping = overloaded()

    def found(**changes: Any) -> list[str]:
        return verify(replace(mapping, **changes), program, board)

    assert found() == []
    assert found(assignments=mapping.assignments[1:]) == ["x: step is not assigned to the host"]
    assert found(assignments=mapping.assignments[::-1]) == ["mapping: assignments are not in the order of the steps"]
    assert found(orders={"z": np.arange(120)}) == ["orders: z is no population"]
    moved = (replace(mapping.assignments[0], device="chip"), *mapping.assignments[1:])
    assert len(found(assignments=moved)) == 2


def test_a_chip_too_narrow_is_reported() -> None:
    program, _, mapping = overloaded()
    board = make.system(make.chip(out_axons=2000, payload_bits=16), 2)
    assert verify(mapping, program, board)[0] == "a: graded payloads of 24 bits, testchip has 16"


def test_the_checker_shares_no_code_with_the_mapper() -> None:
    import ast
    from pathlib import Path

    import partitioner

    files = sorted((Path(partitioner.__file__).parent / "verify").glob("*.py"))
    assert [file.stem for file in files] == ["__init__", "columns", "lateness", "recount", "violations"]
    for file in files:
        imports = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
        names = [node.module or "" for node in imports if not node.level]
        assert len(names) == len(imports)
        assert all(name.startswith("partitioner.verify.") for name in names if name.startswith("partitioner"))


def with_shards(*changes: tuple[int, dict[str, object]]) -> Mapping:
    shards = list(GOOD.shards)
    for index, change in changes:
        shards[index] = replace(shards[index], **change)
    return replace(GOOD, shards=tuple(shards))


def test_it_has_row_and_column_cuts_and_is_sound() -> None:
    assert {s.kind for s in GOOD.shards} == {"synapses", "reducer"}
    assert sorted(s.rows for s in GOOD.shards if s.island == "p") == [(0, 40), (40, 80)]
    assert verify(GOOD, PROGRAM, SYSTEM) == []


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (replace(GOOD, system="oheo-gulch"), "made for system oheo-gulch"),
        (replace(GOOD, cores_per_chip=3), "cores_per_chip 3, limit 16"),
        (replace(GOOD, chips_available=5000), "chips_available 5000, limit 1152"),
        (replace(GOOD, lower_bound=99), "fewer than the lower bound 99"),
        (replace(GOOD, assignments=GOOD.assignments[1:]), "populations.i: population is not assigned to the host"),
        (replace(GOOD, shards=GOOD.shards[1:]), "rows 0:40: columns 0:108 are on no core"),
        (replace(GOOD, shards=(*GOOD.shards, GOOD.shards[0])), "are on two cores"),
        (replace(GOOD, shards=tuple(s for s in GOOD.shards if s.kind != "reducer")), "0 reducers, 2 column blocks need 1"),
        (with_shards((0, {"core": 16})), "core 16 of chip 0, limit 16 cores"),
        (with_shards((0, {"chip": 2000})), "chip 2000, limit 1152 chips"),
        (with_shards((0, {"rows": (0, 90)})), "rows outside the island, limit 80 rows"),
        (with_shards((0, {"cols": (0, 109)})), "columns outside the island, limit 108 columns"),
        (with_shards((0, {"kind": "other"})), "unknown kind of shard"),
        (with_shards((0, {"island": "r"})), "has no such island"),
        (with_shards((0, {"island": "i"})), "has no such island"),
        (with_shards((1, {"core": GOOD.shards[0].core})), "neurons used 80, limit 40"),
        (with_shards((1, {"core": GOOD.shards[0].core})), "in_axons used 48, limit"),
    ],
)  # fmt: skip
def test_what_it_finds(mapping: Mapping, words: str) -> None:
    if words.startswith("in_axons"):
        found = verify(mapping, PROGRAM, tiny(neurons=80, in_axons=47, cores=16))
    else:
        found = verify(mapping, PROGRAM, SYSTEM)
    assert any(words in line for line in found), found


def test_wide_weights() -> None:
    wide = Program.of(replace(NET, projections=tuple(replace(p, weight_bits=12) for p in NET.projections)))
    assert "a: weights of 12 bits, loihi2 has 8" in verify(GOOD, wide, SYSTEM)


def test_another_system_of_the_same_shape() -> None:
    system = get_system("oheo-gulch")
    assert verify(map_model(PROGRAM, system), PROGRAM, system) == []
    assert isinstance(GOOD.shards[0], Shard)
