"""Prices of plans without weights: as `account` prices a mapping of the same shapes, with the right trends."""

from __future__ import annotations

import pytest

from neurodeploy.accounting.outlines import Assumed, OnHost, host_load
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.program import Program
from neurodeploy.pipeline.fit_loads import works_of_unit
from neurodeploy.pipeline.fit_pricing import everything, price
from neurodeploy.synapses.hollow import weights_of
from partitioner.cost.population import views_of
from partitioner.fit.chips import place
from partitioner.fit.plan import Unit, plan
from partitioner.mapper import map_model
from partitioner.options import Options
from targets.hosts import get_host
from targets.systems import get_system
from tests.fit.hollow import counts_of, program_of
from tests.islands import hollow_island, hollow_program, islands_of
from tests.prices import token_ledger

HOST, ALIA = get_host("cpu-generic"), get_system("alia-point")


@pytest.mark.parametrize(("name", "activity"), [("gpt2", 1.0), ("gemma3-270m", 0.5)])
def test_agrees_with_the_account_of_a_mapping(name: str, activity: float) -> None:
    """Generation within 3 % at every boundary and in seconds; a prefill within a quarter: there the border binds, and a
    mapping spreads islands over more chips than a layout layer by layer."""
    hollow = read_hollow(name)
    program = program_of(hollow)
    mapping = map_model(program, ALIA, Options(place=False))
    found = plan(hollow, ALIA, 8)
    own, tokens = host_load(hollow, [], 1024), 1000
    made = price(
        hollow, found.units, place(found.units, ALIA.chip.cores, ALIA.chips), [], ALIA, HOST,
        Assumed(activity, "test", tokens),
    )  # fmt: skip
    for ledger, (work, _), within in zip(made, own, (0.25, 0.03), strict=True):
        counts = counts_of(program, activity, tokens, work.flops, work.bytes)
        truth = token_ledger(mapping, counts, islands_of(program), ALIA, HOST, ledger.phase)
        for boundary in ("rails", "chip", "board", "wall"):
            for end in ("low", "nominal", "high"):
                ours, theirs = (getattr(x.joules(boundary), end) for x in (ledger, truth))
                assert ours == pytest.approx(theirs, rel=within), (ledger.phase, boundary, end)
        assert ledger.seconds.nominal == pytest.approx(truth.seconds.nominal, rel=within)
        assert ledger.chips_used == truth.chips_used
        dynamic = [{k: v.nominal for k, v in x.by_component().items()} for x in (ledger, truth)]
        assert dynamic[0]["synapses"] == pytest.approx(dynamic[1]["synapses"], rel=0.01)


def test_partial_sums_of_a_plan_are_counted_in_messages() -> None:
    """Without weights a sum over c columns is bounded by c * 127 * 32767: 1024 columns make 2^32 and take two messages of
    32 bits a row, 512 take one; at 4 bits 1024 * 7 * 32767 takes one."""
    nothing = (0, 0, 0, 0, 0)
    info = ModelInfo("down", "shapes", 1, 1, 2, 1, "made up")
    kinds = ("synapses", (0, 1024)), ("synapses", (1024, 1536)), ("reducer", (0, 2))
    shards = tuple(Shard("down", kind, (0, 10), columns, 0, core) for core, (kind, columns) in enumerate(kinds))
    mapping = Mapping("", 1, ALIA.chip.cores, shards, (), 0, "none", ())
    for bits, words in ((8, 2 + 1), (4, 1 + 1)):
        hollow = hollow_program(info, [hollow_island("down", 10, 1536, weight_bits=bits)])
        views = tuple(views_of(hollow, ALIA.chip).values())
        unit = Unit("down", (0, 1), 1, views, mapping, nothing, 3, 6)
        ((work, _),) = works_of_unit(hollow, unit, ALIA, 1.0)
        tokens = work.ticks
        assert work.counts.synops == tokens * 10 * 1536
        assert work.counts.partial_sums == tokens * 10 * words
        assert work.traffic["down"].deliveries == tokens * (1536 + 10 * words + 10)


def test_half_the_activity_halves_the_synapses() -> None:
    hollow = read_hollow("gpt2")
    found = plan(hollow, ALIA, 8)
    where = place(found.units, ALIA.chip.cores, 32)
    full, half = (
        price(hollow, found.units, where, [], ALIA, HOST, Assumed(a, "test", 100))[1].by_component() for a in (1.0, 0.5)
    )
    assert half["synapses"].nominal == pytest.approx(full["synapses"].nominal / 2, rel=0.01)
    assert half["host link"].nominal < full["host link"].nominal


def on_host(hollow: Program) -> list[OnHost]:
    """All but the head."""
    return [entry for entry in everything(hollow) if entry.layer is not None]


def test_host_alone() -> None:
    """Nothing on chips: no chip energy, the roofline of all weights, a byte each."""
    hollow = read_hollow("gpt2")
    every = on_host(hollow)
    prefill, generate = price(hollow, (), None, every, ALIA, HOST, Assumed(1.0, "test", 64))
    assert generate.joules("board").nominal == 0.0 < generate.joules("wall").nominal
    assert generate.chips_used == 0
    weights = weights_of(hollow).body / HOST.bandwidth.nominal
    assert generate.time_split["host islands"] == pytest.approx(weights, rel=0.02)
    assert prefill.seconds.nominal < generate.seconds.nominal  # a prompt reads the weights once


def test_experts_cost_what_they_are_chosen_for() -> None:
    """A token of Scout on the host reads the weights that it meets, not all of them."""
    hollow = read_hollow("llama4-scout")
    every = on_host(hollow)
    generate = price(hollow, (), None, every, ALIA, HOST, Assumed(1.0, "test", 64))[1]
    assert generate.time_split["host islands"] == pytest.approx(
        weights_of(hollow).active / HOST.bandwidth.nominal, rel=0.02
    )
