"""Published shapes: cores within 3 % of what any mapper needs, no violation, at 8, 4 and 2 bits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neurodeploy.ir.chip import Basis, Limit
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.program import Program
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.verify.violations import verify
from targets.systems import get_system
from tests.islands import hollow_island, hollow_program, islands_of

GPT2 = (12, (("qkv", 2304, 768), ("o", 768, 768), ("up", 3072, 768), ("down", 768, 3072)))
MODELS = {
    "gpt2": GPT2,
    "gemma3-270m": (18, (("qkv", 1536, 640), ("o", 640, 1024), ("gate_up", 4096, 640), ("down", 640, 2048))),
    "gemma3-1b": (26, (("qkv", 1536, 1152), ("o", 1152, 1024), ("gate_up", 13824, 1152), ("down", 1152, 6912))),
    "matmulfree-370m": (24, (("ifg", 4096, 1024), ("gate_up", 5632, 1024), ("down", 1024, 2816))),
}


def program_of(layers: int, parts: tuple[tuple[str, int, int], ...]) -> Program:
    islands = [hollow_island(f"layers.{n}.{what}", r, c, layer=n) for n in range(layers) for what, r, c in parts]
    return hollow_program(ModelInfo("shapes", "test", 1, 1, layers, 1, "made by a test"), islands)


@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("name", list(MODELS))
def test_cores_are_within_three_per_cent_of_the_bound(name: str, bits: int) -> None:
    program, system = program_of(*MODELS[name]), get_system("hala-point")
    mapping = map_model(program, system, Options(weight_bits=bits, place=False))
    assert verify(mapping, program, system, weight_bits=bits) == []
    assert mapping.lower_bound <= mapping.cores_used <= 1.03 * mapping.lower_bound
    assert mapping.binding_resource == "synapse_bytes"


def test_gpt2_with_4096_in_axons() -> None:
    program, system = program_of(*GPT2), get_system("kapoho-point")
    mapping = map_model(program, system)
    assert verify(mapping, program, system) == []
    assert 648 < mapping.lower_bound <= mapping.cores_used < 696
    assert mapping.chips_used == 6


def test_gpt2_with_512_in_axons_is_cut_through_its_columns() -> None:
    """768 columns need two blocks, 3072 at least six; the recount follows every row to its reducer."""
    system = get_system("hala-point")
    budget = replace(system.chip.budget, in_axons=Limit(512, Basis.GUESSED, "test"))
    system = replace(system, chip=replace(system.chip, budget=budget))
    program = program_of(*GPT2)
    mapping = map_model(program, system, Options(place=False))
    assert verify(mapping, program, system) == []
    blocks = {
        name: len({shard.cols for shard in shards if shard.kind == "synapses"})
        for name, shards in mapping.by_island().items()
    }
    assert blocks["layers.0.qkv"] == blocks["layers.11.up"] == 2
    assert blocks["layers.0.down"] >= 6
    reduced = sum(shard.row_count for shard in mapping.shards if shard.kind == "reducer")
    assert reduced == sum(island.neurons.size for island in islands_of(program).values())
    without = tuple(shard for shard in mapping.shards if shard.kind != "reducer")
    found = verify(replace(mapping, shards=without, lower_bound=0), program, system)
    assert any("0 reducers, 2 column blocks need 1" in text for text in found)
    assert mapping.binding_resource == "in_axons"
    assert mapping.cores_used <= 1.1 * mapping.lower_bound


def test_wide_inputs_of_spikingbrain_7b() -> None:
    """4 of 28 layers: wide inputs in 37 blocks, whose reducers fill no core of their own."""
    parts = (("qkv", 4608, 3584), ("o", 3584, 3584), ("gate_up", 37888, 3584), ("down", 3584, 18944))
    program, system = program_of(4, parts), get_system("hala-point")
    mapping = map_model(program, system, Options(place=False))
    assert verify(mapping, program, system) == []
    assert mapping.cores_used <= 1.01 * mapping.lower_bound
