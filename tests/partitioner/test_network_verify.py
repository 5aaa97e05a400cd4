"""The recount finds what is wrong with a mapping that somebody else made or damaged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neurodeploy.ir.mapping import Mapping, Shard
from partitioner.mapper import map_model
from partitioner.verify.recount import recount
from partitioner.verify.violations import verify
from targets.systems import get_system
from tests.partitioner.make import conv, dense, join, lif, network, source, tiny

NET = network(
    [source("i", 6, 6, 3), lif("p", 4, 4, 5), lif("q", 10)],
    join("a", "i", "p", conv((6, 6, 3), 5)),
    join("b", "p", "q", dense(10, 80)),
)
SYSTEM = tiny(neurons=40, in_axons=60, cores=16)
GOOD = map_model(NET, SYSTEM)


def with_shards(*changes: tuple[int, dict[str, object]]) -> Mapping:
    shards = list(GOOD.shards)
    for index, change in changes:
        shards[index] = replace(shards[index], **change)
    return replace(GOOD, shards=tuple(shards))


def test_it_has_row_and_column_cuts_and_is_sound() -> None:
    assert {s.kind for s in GOOD.shards} == {"synapses", "reducer"}
    assert sorted(s.rows for s in GOOD.shards if s.island == "p") == [(0, 40), (40, 80)]
    assert verify(GOOD, NET, SYSTEM) == []


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
        found = verify(mapping, NET, tiny(neurons=80, in_axons=47, cores=16))
    else:
        found = verify(mapping, NET, SYSTEM)
    assert any(words in line for line in found), found


@pytest.mark.parametrize("resource", range(5))
def test_each_budget_is_checked_to_the_last_unit(resource: int) -> None:
    used = recount(GOOD, NET, SYSTEM)
    most = max(demand[resource] for demand in used.values())
    budgets: list[int | None] = [None] * 5
    budgets[resource] = most
    assert verify(GOOD, NET, tiny(*budgets, cores=16)) == []
    budgets[resource] = most - 1
    name = ("neurons", "synapse_bytes", "in_axons", "out_axons", "state_bytes")[resource]
    found = verify(GOOD, NET, tiny(*budgets, cores=16))
    assert found and all(f"{name} used {most}, limit {most - 1}" in line for line in found)


def test_wide_weights() -> None:
    wide = replace(NET, projections=tuple(replace(p, weight_bits=12) for p in NET.projections))
    assert "a: weights of 12 bits, loihi2 has 8" in verify(GOOD, wide, SYSTEM)


def test_another_system_of_the_same_shape() -> None:
    system = get_system("oheo-gulch")
    assert verify(map_model(NET, system), NET, system) == []
    assert isinstance(GOOD.shards[0], Shard)
