from __future__ import annotations

import pytest

from neurodeploy.ir.mapping import Mapping, Shard
from partitioner.judge.summary import summary
from partitioner.mapper import map_model
from partitioner.nets.traffic import traffic
from tests.partitioner import make


def mapping_of(*shards: Shard) -> Mapping:
    return Mapping("testboard", 2, 120, shards, (), 1, "neurons", ())


def test_events_are_delivered_once_to_each_core() -> None:
    program = make.of_islands([make.island("a", [("up", 30, 0)], 100)])
    shards = [Shard("a", "synapses", (n * 10, n * 10 + 10), (0, 100), chip, n) for n, chip in enumerate((0, 0, 1))]
    found = traffic(mapping_of(*shards), program, make.system(make.chip(), 2))
    assert (found.host_in, found.host_out) == (100, 30)
    assert found.events_to_cores == 300
    assert found.events_between_chips == 100
    assert found.partials_between_cores == found.partials_between_chips == 0
    assert found.to_json()["host_out"] == {"messages": 30.0, "bytes": 120.0}


def test_two_shards_on_one_core_take_an_event_once() -> None:
    program = make.of_islands([make.island("a", [("up", 20, 0)], 100)])
    shards = [Shard("a", "synapses", (n * 10, n * 10 + 10), (0, 100), 0, 0) for n in range(2)]
    assert traffic(mapping_of(*shards), program, make.system(make.chip(), 2)).events_to_cores == 100


def test_partial_sums_travel_to_their_reducer() -> None:
    """Two column blocks of two messages a sum: one block beside the reducer, one on another core, then another chip."""
    program = make.of_islands([make.island("a", [("down", 10, 0)], 8192)])
    blocks = [((0, 4096), 0), ((4096, 8192), 1)]

    def flow(chip: int) -> tuple[float, float]:
        shards = [Shard("a", "synapses", (0, 10), cols, chip * core, core) for cols, core in blocks]
        found = traffic(
            mapping_of(*shards, Shard("a", "reducer", (0, 10), (0, 2), 0, 0)), program, make.system(make.chip(), 2)
        )
        return found.partials_between_cores, found.partials_between_chips

    assert flow(0) == (20, 0)
    assert flow(1) == (0, 20)


def test_the_border_of_a_dense_model_is_that_of_its_assignments() -> None:
    program, board = make.llama(2, 256, 64, 512, 1000, 32), make.system(make.chip(), 4)
    found = summary(map_model(program, board), program, board)
    border = found["traffic_per_token"]
    assert border["host_in"]["bytes"] + border["host_out"]["bytes"] == found["border_bytes_per_token"]


def test_experts_count_for_their_share() -> None:
    board = make.system(make.chip(), 40)
    few, many = (make.llama(1, 256, 64, 512, 100, 32, experts=e, top_k=2) for e in (4, 16))
    a, b = (traffic(map_model(program, board), program, board) for program in (few, many))
    assert b.host_in == pytest.approx(a.host_in)
    assert b.host_out == pytest.approx(a.host_out + 12)  # only the router grew
