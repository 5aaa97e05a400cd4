"""The plan of an outline agrees with the mapper, keeps every budget, and never undercuts a bound."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.errors import DoesNotFit
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.ir.copies import Copies
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.program import Program
from neurodeploy.synapses.hollow import weights_of, without_head
from partitioner.bound.cores import bound_of, lower_bound
from partitioner.cost.budget import Demand, Limits, core_limits
from partitioner.cost.population import views_of
from partitioner.cost.usage import demands_of
from partitioner.fit.chips import place
from partitioner.fit.pack import assign, cores, pack
from partitioner.fit.plan import plan
from partitioner.mapper import map_model
from partitioner.options import Options
from targets.loihi2 import LOIHI2
from targets.systems import get_system
from tests.fit.configs import config, hollow_of
from tests.fit.hollow import program_of
from tests.islands import hollow_island, hollow_program
from tests.refusals import refused

HALA = get_system("hala-point")


@pytest.mark.parametrize(("name", "bits"), [("gpt2", 8), ("gpt2", 4), ("gpt2", 2), ("gemma3-270m", 8)])
def test_agrees_with_the_mapper(name: str, bits: int) -> None:
    """Cores within 1 % of `map_model`'s, the same bound, the same chips."""
    hollow = read_hollow(name)
    program = program_of(hollow, bits)
    mapping = map_model(program, HALA, Options(place=False))
    found = plan(hollow, HALA, bits)
    assert found.body.bound == mapping.lower_bound
    assert found.binding == mapping.binding_resource
    assert found.body.cores == pytest.approx(mapping.cores_used, rel=0.01)
    assert found.body.chips == mapping.chips_used


MODELS = ["gpt2", "gemma3-270m", "gemma3-1b", "matmulfree-370m", "spikingbrain-7b", "gemma3-4b"]


@pytest.mark.parametrize(("name", "bits"), [*((name, 8) for name in MODELS), *(("llama4-scout", b) for b in (8, 4, 2))])
def test_close_to_the_bound(name: str, bits: int) -> None:
    """Within 3 % of the least possible, and the naive bound below that. Scout does not fit: thousands of chips at every
    width, without list headers 6752, 3392, 1712."""
    found = plan(read_hollow(name), HALA, bits)
    assert found.body.naive <= found.body.bound <= found.body.cores <= 1.03 * found.body.bound
    if name == "llama4-scout":
        assert HALA.chips < found.body.chips < {8: 7000, 4: 3550, 2: 1850}[bits]


def test_less_memory_takes_more() -> None:
    sizes = [plan(read_hollow("gpt2"), HALA, 8, kib) for kib in (None, 96, 64)]
    assert [found.memory_kib for found in sizes] == [128, 96, 64]
    assert sizes[0].body.cores < sizes[1].body.cores < sizes[2].body.cores
    assert all(found.body.bound <= found.body.cores <= 1.03 * found.body.bound for found in sizes)


@pytest.mark.parametrize("kind", ["llama4_text", "qwen2_moe", "mixtral", "mamba", "gla_swa"])
def test_units_cover_the_outline(kind: str) -> None:
    """Every weight of the body is in exactly one tile of one copy, and no core of a unit exceeds a limit."""
    hollow = hollow_of(config(kind))
    found, views = plan(hollow, HALA, 8), views_of(hollow, LOIHI2)
    held = 0
    for unit in found.units:
        held += unit.copies * sum(
            s.row_count * (s.cols[1] - s.cols[0]) for s in unit.mapping.shards if s.kind == "synapses"
        )
        used: dict[tuple[int, int], list[int]] = {}
        for name, shards in unit.mapping.by_island().items():
            for shard, demand in demands_of(views[name], shards, {}).items():
                core = (shard.chip, shard.core)
                used[core] = [a + b for a, b in zip(used.get(core, [0] * 5), demand, strict=True)]
        assert sorted(used) == [divmod(core, LOIHI2.cores) for core in range(unit.cores)]
        assert unit.used == tuple(map(sum, zip(*used.values(), strict=True)))
        for total in used.values():
            assert all(limit is None or n <= limit for n, limit in zip(total, core_limits(LOIHI2), strict=True))
    assert held == weights_of(hollow).body


def test_the_bound_is_the_mappers() -> None:
    """One class with a count, or so many islands: the same number."""
    hollow = read_hollow("gemma3-270m")
    body = [(view, view.copies.count) for view in views_of(without_head(hollow), LOIHI2).values()]
    assert bound_of(body, LOIHI2) == lower_bound(views_of(program_of(hollow), LOIHI2).values(), LOIHI2)


def test_no_core_holds_one_neuron() -> None:
    """Not even one column of one row fits: the error names the class of islands."""
    tiny = replace(LOIHI2, budget=replace(LOIHI2.budget, in_axons=replace(LOIHI2.budget.in_axons, value=0)))
    refused(DoesNotFit, "ND2002 .*attn", plan, read_hollow("gpt2"), replace(HALA, chip=tiny), 8)


def test_loihi1_has_no_such_events() -> None:
    says = r"ND2090 layers\.0\.self_attn\.q_k_v: needs the neuron model graded_affine"
    refused(DoesNotFit, says, plan, read_hollow("gpt2"), get_system("loihi1-nahuku"), 8)


DEMANDS = st.tuples(*[st.integers(0, 40)] * 5).filter(any)


@settings(max_examples=80, deadline=None)
@given(st.lists(DEMANDS, min_size=1, max_size=30), st.tuples(*[st.integers(40, 60) | st.none()] * 5).filter(any))
def test_packing_by_the_number(demands: list[Demand], limits: Limits) -> None:
    """Fillings hold every tile within every limit; `assign` gives the same cores, tile by tile."""
    found = pack(Counter(demands), limits)
    held: Counter[Demand] = Counter()
    for filling in found:
        used = [0] * 5
        for demand, count in filling.tiles.items():
            held[demand] += count * filling.times
            used = [a + count * b for a, b in zip(used, demand, strict=True)]
        assert all(limit is None or n <= limit for n, limit in zip(used, limits, strict=True))
    assert held == Counter(demands)
    core_of = assign(demands, limits)
    assert len(set(core_of)) == cores(found) == max(core_of) + 1
    for core in set(core_of):
        together = [sum(d[i] for d, c in zip(demands, core_of, strict=True) if c == core) for i in range(5)]
        assert all(limit is None or n <= limit for n, limit in zip(together, limits, strict=True))


def experts_model(experts: int, chosen: int, layers: int, width: int) -> Program:
    where = tuple(range(layers))
    made = [hollow_island("attention", 512, 512, layer=0), hollow_island("gate_up", width, 512, layer=0, expert=0)]
    copies = {"attention": Copies("layers", where), "gate_up": Copies("layers", where, experts, chosen)}
    return replace(hollow_program(ModelInfo("mixture", "shapes", 1, 1, layers, 1, "made up"), made), copies=copies)


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 9), st.integers(1, 3), st.integers(1, 4), st.integers(200, 60_000))
def test_experts_on_whole_chips(experts: int, chosen: int, layers: int, width: int) -> None:
    """No core is given twice, no expert shares a chip with what every token meets, every copy has its cores."""
    found = plan(experts_model(experts, min(chosen, experts), layers, width), HALA, 8)
    whole = place(found.units, LOIHI2.cores, 10**6)
    assert whole.whole
    taken: Counter[int] = Counter()
    always: set[int] = set()
    for spot in whole.spots:
        held = list(range(spot.start, spot.start + spot.cores))
        held += list(range(spot.tail[0], spot.tail[0] + spot.tail[1])) if spot.tail else []
        if found.units[spot.unit].expert:
            assert len(held) == found.units[spot.unit].cores
            taken.update(held)
        else:
            always.update(core // LOIHI2.cores for core in held)
    assert max(taken.values()) == 1
    assert not always & {core // LOIHI2.cores for core in taken}
    assert max(taken) // LOIHI2.cores < whole.chips
    kept, chosen_chips = whole.awake(found.units)
    assert kept == len(always)
    assert kept + chosen_chips <= whole.chips
    # by brute force over all choices of one layer, layers being alike
    spots = [set(s.chips(LOIHI2.cores)) for s in whole.spots if found.units[s.unit].expert and s.layer == 0]
    choices = list(combinations(spots, min(chosen, experts)))
    mean = sum(len(set().union(*choice)) for choice in choices) / len(choices)
    assert chosen_chips == pytest.approx(layers * mean)


def test_chips_are_filled_where_there_is_no_room_for_whole_ones() -> None:
    found = plan(experts_model(7, 1, 3, 60_000), HALA, 8)
    filled = place(found.units, LOIHI2.cores, found.body.chips)
    whole = place(found.units, LOIHI2.cores, 10**6)
    assert (filled.whole, filled.chips) == (False, found.body.chips)
    assert (whole.whole, whole.chips > filled.chips) == (True, True)
    assert whole.awake(found.units)[1] < filled.awake(found.units)[1]


def test_same_plan_twice() -> None:
    first, second = (plan(read_hollow("gemma3-270m"), HALA, 4) for _ in range(2))
    assert first == second
    assert [unit.mapping.shards for unit in first.units] == [unit.mapping.shards for unit in second.units]
