"""The recount finds what is broken, and nothing in what is whole. Random programs on random budgets."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.program import Program
from partitioner.cost.budget import RESOURCES, core_limits, fits
from partitioner.cost.usage import core_demands
from partitioner.files.json_form import mapping_from_json, mapping_to_json
from partitioner.judge.summary import summary
from partitioner.mapper import map_model
from partitioner.options import OBJECTIVES, Options, Pin
from partitioner.verify.violations import verify
from targets.loihi2 import LOIHI2
from tests.islands import islands_of
from tests.partitioner import make

QUICK = settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(QUICK, max_examples=25)
MANY = settings(QUICK, max_examples=500)

PARTS = st.lists(
    st.tuples(st.sampled_from(["q", "k", "v", "up", "router"]), st.integers(1, 96), st.integers(0, 4)),
    min_size=1,
    max_size=3,
    unique_by=lambda part: part[0],
)
ISLANDS = st.lists(
    st.fixed_dictionaries(
        {
            "parts": PARTS,
            "columns": st.integers(1, 900),
            "layer": st.sampled_from([None, 0, 1]),
            "expert": st.sampled_from([None, None, 0, 1]),
            "bits": st.sampled_from([8, 4, 3]),
            "payload_bits": st.sampled_from([8, 16]),
            "abs_sum": st.sampled_from([0, 300, 127 * 256, 127 * 256 << 8]),
        }
    ),
    min_size=1,
    max_size=6,
)
BUDGETS = st.fixed_dictionaries(
    {
        "neurons": st.one_of(st.none(), st.integers(1, 128)),
        "synapse_bytes": st.integers(8, 20000),
        "in_axons": st.one_of(st.none(), st.integers(2, 1000)),
        "out_axons": st.one_of(st.none(), st.integers(1, 200)),
        "state_bytes": st.one_of(st.none(), st.integers(64, 20000)),
        "cores": st.integers(1, 12),
        "synapse_row_header_bytes": st.integers(0, 8),
        "axon_entry_bytes": st.sampled_from([0, 8]),
        "message_bytes": st.sampled_from([4, 8]),
    }
)


OPTIONS = st.builds(
    Options,
    objective=st.sampled_from(OBJECTIVES),
    max_rows=st.one_of(st.none(), st.integers(1, 64)),
    caps=st.sampled_from([{}, {}, {"synapse_bytes": 60}, {"in_axons": 80, "state_bytes": 90}]),
    spread=st.booleans(),
    weight_bits=st.sampled_from([None, None, 2]),
    pins=st.sampled_from([{}, {}, {"i0": Pin(rows=2)}, {"i0": Pin(blocks=3)}, {"i0": Pin(blocks=1)}]),
    seed=st.integers(0, 3),
    place=st.just(False),
)


def build(items: list[dict[str, Any]], budget: dict[str, int], chips: int) -> tuple[Program, SystemSpec]:
    program = make.of_islands([make.island(f"i{n}", **item) for n, item in enumerate(items)])
    return program, make.system(replace(make.chip(**budget), costs=LOIHI2.costs), chips)


def try_map(program: Program, board: SystemSpec, options: Options) -> Mapping | None:
    """The mapping, or None where it does not fit: then object, resource or width, need, limit and remedy are said."""
    try:
        return map_model(program, board, options)
    except DoesNotFit as error:
        assert error.code in ("ND2001", "ND2002")
        assert error.subject in (*islands_of(program), program.info.name)
        assert error.problem and error.fix
        assert re.search(r"needs? .*\d+ .*\d+|as pinned", error.problem), error.problem
        return None


def holds(program: Program, board: SystemSpec, options: Options) -> None:
    """No violation, every weight on one core, within the limits that the options lower; or it does not fit."""
    mapping = try_map(program, board, options)
    if mapping is None:
        return
    assert verify(mapping, program, board, weight_bits=options.weight_bits) == []
    for name, island in islands_of(program).items():
        covered = np.zeros((island.rows, island.columns), np.int8)
        for shard in mapping.by_island()[name]:
            if shard.kind == "synapses":
                covered[slice(*shard.rows), slice(*shard.cols)] += 1
        assert (covered == 1).all()
    assert mapping.lower_bound <= mapping.cores_used
    limits = core_limits(board.chip, options.max_rows, options.caps)
    used = core_demands(mapping, program, board, weight_bits=options.weight_bits).values()
    assert all(fits(demand, limits) for demand in used)
    blocks = options.pins.get("i0", Pin()).blocks
    if blocks is not None:
        first = mapping.by_island()["i0"]
        assert len({shard.cols for shard in first if shard.kind == "synapses"}) == min(blocks, len(first))
    again = mapping_from_json(mapping_to_json(mapping))
    assert again.shards == mapping.shards
    assert (again.objective, again.seed, again.notes) == (options.objective, options.seed, mapping.notes)


@QUICK
@given(items=ISLANDS, budget=BUDGETS, chips=st.sampled_from([1, 4, 64, 4000]), options=OPTIONS)
def test_a_mapping_holds_or_does_not_fit(
    items: list[dict[str, Any]], budget: dict[str, int], chips: int, options: Options
) -> None:
    holds(*build(items, budget, chips), options)


@pytest.mark.real
@MANY
@given(items=ISLANDS, budget=BUDGETS, chips=st.sampled_from([1, 4, 64, 4000]), options=OPTIONS, place=st.booleans())
def test_500_mappings_hold_or_do_not_fit(
    items: list[dict[str, Any]],
    budget: dict[str, int],
    chips: int,
    options: Options,
    place: bool,
) -> None:
    holds(*build(items, budget, chips), replace(options, place=place and chips < 100))


def test_the_summary_of_a_mapping_with_options() -> None:
    program, board, mapping = overloaded()
    assert summary(mapping, program, board)["fits"]
    limits = core_limits(board.chip)
    assert all(fits(demand, limits) for demand in core_demands(mapping, program, board).values())


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


@pytest.mark.parametrize("resource", ["neurons", "synapse_bytes", "in_axons", "out_axons", "state_bytes"])
def test_every_budget_is_recounted(resource: str) -> None:
    """Lowering a limit just under the largest use is found, at exactly that number; at the use itself it holds."""
    program, board, mapping = overloaded()
    largest = max(demand[RESOURCES.index(resource)] for demand in core_demands(mapping, program, board).values())
    limits = {name: limit.value for name, limit in board.chip.budget.limits().items()}
    exact = make.system(make.chip(**{**limits, resource: largest}), 2)
    assert verify(mapping, program, exact) == []
    tight = make.system(make.chip(**{**limits, resource: largest - 1}), 2)
    found = verify(mapping, program, tight)
    assert found
    assert all(text.endswith(f"{resource} used {largest}, limit {largest - 1}") for text in found)


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
    assert found(system="other") == ["mapping: made for system other, checked against testboard"]
    assert found(cores_per_chip=121) == ["mapping: cores_per_chip 121, limit 120 of testchip"]
    assert found(chips_available=3) == ["mapping: chips_available 3, limit 2 of testboard"]
    assert found(lower_bound=10**6)[0].startswith("mapping: cores used")
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
    assert [file.stem for file in files] == ["__init__", "columns", "recount", "violations"]
    for file in files:
        imports = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
        names = [node.module or "" for node in imports if not node.level]
        assert len(names) == len(imports)
        assert all(name.startswith("partitioner.verify.") for name in names if name.startswith("partitioner"))
