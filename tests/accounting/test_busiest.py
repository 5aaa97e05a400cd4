"""A step lasts as long as its own busiest core: by hand, against a count of every tick alone, and as laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neurodeploy.accounting.account import account
from neurodeploy.accounting.band import DRAWS
from neurodeploy.accounting.program import loads
from neurodeploy.accounting.spread import most_of_largest
from neurodeploy.accounting.step_time import busiest_core, core_prices, core_seconds
from neurodeploy.flow.loads import FIXED_UPDATES, SENT, SYNOPS
from neurodeploy.ir.chip import Pacing, SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.raster import Raster, packed
from neurodeploy.ir.run import RunActivity
from simulators.fast.runner import FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from tests.accounting import toy
from tests.networks.cuts import random_mapping
from tests.networks.equality import same_result
from tests.networks.random_networks import random_network
from tests.partitioner.make import dense, join, lif, network, source
from tests.prices import shard_counts, work_of

#: Two populations, each on a core of its own, each fed by an input of its own.
PAIR = network(
    [source("i", 4), source("j", 4), lif("p", 3), lif("q", 3)],
    join("a", "i", "p", dense(3, 4)), join("b", "j", "q", dense(3, 4)),
)  # fmt: skip
CORES = toy.mapping(Shard("p", "synapses", (0, 3), (0, 4), 0, 0), Shard("q", "synapses", (0, 3), (0, 4), 0, 1))


def ran(given: dict[str, np.ndarray], net: Network = PAIR) -> RunActivity:
    """Of payloads (samples, steps, size) of every population; what nobody names is silent."""
    samples, steps = next(iter(given.values())).shape[:2]
    silent = {n: np.zeros((samples, steps, p.size), np.int64) for n, p in net.populations.items()}
    sent = {**silent, **given}
    fired = {name: {"s": np.count_nonzero(x, axis=(0, 1)).astype(np.int64)} for name, x in sent.items()}
    raster = Raster({name: {"s": packed(x)} for name, x in sent.items()})
    return RunActivity(steps, samples, fired, {}, {}, raster)


def step_of(activity: RunActivity, net: Network = PAIR, mapping: Mapping = CORES, system=toy.SYSTEM):
    return loads(Program.of(net), activity, mapping, system, "none").steps[0]


def on_toy(mapping: Mapping) -> Mapping:
    """Its shards on the eight cores of the toy, several on one."""
    shards = (replace(s, chip=k % 2, core=k // 2 % 4) for k, s in enumerate(mapping.shards))
    return toy.mapping(*shards)


def cores(activity: RunActivity, **where) -> tuple[float, float]:
    """Nominal seconds of cores in a sample of T steps: of the busiest of each step, and of the busiest of the mean step."""
    step = step_of(activity, **where)
    chip = where.get("system", toy.SYSTEM).chip
    busiest, mean = (
        step.spread.longest(core_prices(chip))[0],
        core_seconds(core_prices(chip), step.loads).max(initial=0.0),
    )
    return busiest * activity.steps, mean * activity.steps


def test_activity_that_alternates_between_two_cores() -> None:
    """Even steps: 4 events for p, 4 * 3 synops of 2 s on its core; odd steps: 2 events for q, 2 * 3 synops. 3 updates of 2 s
    on either core in every step."""
    i, j = np.zeros((1, 6, 4), np.int64), np.zeros((1, 6, 4), np.int64)
    i[0, ::2], j[0, 1::2, :2] = 1, 1
    activity = ran({"i": i, "j": j})
    assert cores(activity) == (3 * (24 + 6) + 3 * (12 + 6), 6 * (12 + 6))
    run = loads(Program.of(PAIR), activity, CORES, toy.SYSTEM, "none")
    ledger = account(run, toy.SYSTEM, toy.HOST, "sample")
    assert ledger.time_split["cores"] == 3 * 30 + 3 * 18
    assert ledger.steps_counting == "counted" and "the busiest of each step" in ledger.bound_by
    # without the raster the mean step, and what its counts allow at most: all events of a core that has them in one step
    bounded = account(
        loads(Program.of(PAIR), replace(activity, raster=None), CORES, toy.SYSTEM, "none"),
        toy.SYSTEM,
        toy.HOST,
        "sample",
    )
    assert bounded.time_split["cores"] == 6 * 18 and bounded.steps_counting == "upper bound"
    assert (bounded.seconds.values <= ledger.seconds.values).all() and ledger.seconds_at_most is None
    # p 12 synops in half of the steps, q 6 synops in half, never in the same step: what happened is what the bound allows
    assert bounded.seconds_at_most.nominal == pytest.approx(ledger.seconds.nominal)
    assert any("at most" in text for text in bounded.not_modelled) and not any(
        "at most" in text for text in ledger.not_modelled
    )


def test_steps_that_are_alike_take_as_long_as_their_mean() -> None:
    rng = np.random.default_rng(5)
    one = {name: np.repeat(rng.integers(0, 2, (1, 1, 4)), 7, axis=1) for name in ("i", "j")}
    busiest, mean = cores(ran(one))
    assert busiest == pytest.approx(mean, rel=1e-12)


@given(st.integers(0, 2**32 - 1), st.permutations(range(9)))
@settings(max_examples=25, deadline=None)
def test_order_of_steps_is_nothing_to_the_sum(seed: int, order: list[int]) -> None:
    rng = np.random.default_rng(seed)
    sent = {n: (rng.random((2, 9, p.size)) < 0.4).astype(np.int64) for n, p in PAIR.populations.items()}
    one, other = (cores(ran(x)) for x in (sent, {name: x[:, order] for name, x in sent.items()}))
    assert one == pytest.approx(other, rel=1e-12) and one[0] >= one[1] - 1e-9


#: Two stages of a core that overlap.
STAGES = (
    {"synops": "t_synop_fc_s", "conv_synops": "t_synop_conv_s", "partial_sums": "t_synop_fc_s", "events": "t_neuron_s"},
    {"fixed_updates": "t_neuron_s", "updates": "t_neuron_s * microcode_factor", "messages": "t_spike_out_s"},
)


def paced(stages: bool) -> SystemSpec:
    """The toy, whose core does one kind of work after another, or has two stages."""
    chip = replace(toy.CHIP, pace=Pacing(STAGES)) if stages else toy.CHIP
    return replace(toy.SYSTEM, chip=chip)


@pytest.mark.parametrize("stages", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_against_every_tick_counted_alone(seed: int, stages: bool) -> None:
    """The account of each tick alone, as a run of one step: its busiest core at each draw, added up over the ticks."""
    net, inputs, steps = random_network(seed)
    activity = ReferenceRunner().run(net, inputs, steps).activity
    if not activity.ticks:
        return
    system, mapping = paced(stages), on_toy(random_mapping(net, seed))
    step = work_of(net, mapping, activity, system)
    want = [np.zeros(1 + DRAWS) for _ in step.steps]
    for sample in range(activity.samples):
        for tick in range(activity.steps):
            alone = {name: {} for name in activity.fired}
            for name, port, bits in activity.raster:
                size = net.populations[name].size
                alone[name][port] = np.unpackbits(bits[sample, tick], count=size).astype(np.int64)
            raster = Raster({n: {p: packed(x)[None, None] for p, x in ports.items()} for n, ports in alone.items()})
            one = work_of(net, mapping, RunActivity(1, 1, alone, {}, {}, raster), system)
            for total, own in zip(want, one.steps, strict=True):
                total += busiest_core(core_prices(system.chip), own.loads).values
    for total, own in zip(want, step.steps, strict=True):
        found = own.spread.longest(core_prices(system.chip))
        assert found == pytest.approx(total / activity.ticks, rel=1e-12)
        assert (found >= busiest_core(core_prices(system.chip), own.loads).values * (1 - 1e-12)).all()


@pytest.mark.parametrize("seed", range(12))
def test_the_bound_holds_what_happened(seed: int) -> None:
    net, inputs, steps = random_network(seed)
    activity = ReferenceRunner().run(net, inputs, steps).activity
    if not activity.ticks:
        return
    system, mapping = toy.SYSTEM, on_toy(random_mapping(net, seed))
    known, bounded = (work_of(net, mapping, a, system) for a in (activity, replace(activity, raster=None)))
    for one, other in zip(known.steps, bounded.steps, strict=True):
        prices = core_prices(system.chip)
        for draw in (0, 1, 40, 256):
            longest, mean = (
                one.spread.longest(prices)[draw],
                busiest_core(prices, other.loads).values[draw],
            )
            assert longest <= mean * other.spread.factor(other.loads, prices[:, :, draw]) * (1 + 1e-12)


@given(arrays(float, (7, 5), elements=st.floats(0, 100, width=16)))
@settings(max_examples=200, deadline=None)
def test_the_most_that_a_mean_of_maxima_can_be(x: np.ndarray) -> None:
    """Numbers that were drawn: 7 steps of 5 cores."""
    low, mean, high = x.min(axis=0), x.mean(axis=0), x.max(axis=0)
    found = most_of_largest(low, mean, high)
    assert x.max(axis=1).mean() <= found + 1e-9
    assert mean.max() - 1e-9 <= found <= high.max() + 1e-9
    # the same by every possible threshold
    wide = np.where(high > low, high - low, 1.0)
    rest = [
        a + np.where(a <= low, mean - a, np.where(a >= high, 0.0, (mean - low) / wide * (high - a))).sum()
        for a in (*low, *high)
    ]
    assert found == pytest.approx(min(rest), rel=1e-9, abs=1e-9)


def test_one_of_two_that_takes_turns() -> None:
    assert most_of_largest(np.zeros(2), np.full(2, 0.5), np.ones(2)) == 1.0
    assert most_of_largest(np.zeros(1), np.full(1, 0.5), np.ones(1)) == 0.5
    assert most_of_largest(np.ones(3), np.ones(3), np.ones(3)) == 1.0


def test_quiet_columns_send_no_partial_sum() -> None:
    """6 axons on two cores, 3 each; the second hears something in 2 of 5 steps."""
    net = network([source("i", 6), lif("p", 4)], join("w", "i", "p", dense(4, 6)))
    shards = [
        Shard("p", "synapses", (0, 4), (0, 3), 0, 0), Shard("p", "synapses", (0, 4), (3, 6), 0, 1),
        Shard("p", "reducer", (0, 4), (0, 2), 0, 2),
    ]  # fmt: skip
    mapping = toy.mapping(*shards)
    x = np.zeros((1, 5, 6), np.int64)
    x[0, :, 0], x[0, 1:3, 4] = 1, 1
    result = ReferenceRunner().run(net, {"i": x}, 5)
    work = work_of(net, mapping, result.activity, toy.SYSTEM)
    assert work.counts.partial_sums == work.counts.partial_messages == 4 * (5 + 2)
    assert work.table[:, SENT].tolist()[:2] == [20, 8]
    assert work_of(net, mapping, replace(result.activity, raster=None), toy.SYSTEM).counts.partial_sums == 4 * 10
    runner = PartitionedRunner(mapping, toy.CHIP)
    runner.run(net, {"i": x}, 5)
    assert runner.shard_counts == shard_counts(work.table, mapping.shards)
    assert work.table[:, SYNOPS].tolist() == [5 * 4, 2 * 4, 0] and work.table[2, FIXED_UPDATES] == 20


def test_a_raster_of_two_stretches_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    net, inputs, steps = random_network(3)
    whole = ReferenceRunner().run(net, inputs, steps).activity
    monkeypatch.setattr("neurodeploy.ir.raster.RASTER_BYTES", whole.raster.bytes)
    assert ReferenceRunner().run(net, inputs, steps).activity.raster is not None
    first, second = RunActivity.zero(), ReferenceRunner().run(net, inputs, steps).activity
    first.add(second)
    assert first.raster is not None
    first.add(second)
    assert first.raster is None
    monkeypatch.setattr("neurodeploy.ir.raster.RASTER_BYTES", whole.raster.bytes - 1)
    assert ReferenceRunner().run(net, inputs, steps).activity.raster is None


@pytest.mark.parametrize("runner", [ReferenceRunner(), FastRunner()], ids=lambda one: one.name)
def test_nothing_is_kept_where_nobody_asks(runner: ReferenceRunner | FastRunner) -> None:
    """And whoever keeps it keeps the same (`tests/networks` compare all runs in every field)."""
    net, inputs, steps = random_network(3)
    kept, none = (runner.run(net, inputs, steps, raster=raster) for raster in (True, False))
    assert none.activity.raster is None and kept.activity.raster is not None
    for name, port, bits in kept.activity.raster:
        size = net.populations[name].size
        events = np.unpackbits(bits, axis=2, count=size).sum(axis=(0, 1))
        assert np.array_equal(events, kept.activity.fired[name][port])
    same_result(none, replace(kept, activity=replace(kept.activity, raster=None)))
