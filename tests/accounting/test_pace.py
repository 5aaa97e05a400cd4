"""What overlaps in a step of Loihi 1: against SANA-FE's own figures, by hand, and as laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.sanafe_micro import JOULES, SECONDS, micro
from neurodeploy.accounting.account import account
from neurodeploy.accounting.program import loads
from neurodeploy.accounting.step_by_step import resting, step_by_step
from neurodeploy.accounting.step_time import core_prices, step_time
from neurodeploy.accounting.timing import in_turn
from neurodeploy.ir.chip import Pacing, SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from neurodeploy.neurons.registry import state_at_rest
from neurodeploy.synapses import Dense
from partitioner.mapper import map_model
from partitioner.options import Options, Pin
from simulators.reference import ReferenceRunner
from targets.hosts import get_host
from targets.loihi1 import LOIHI1
from targets.loihi2 import LOIHI2
from targets.systems import get_system

HOST, STEPS = get_host("cpu-generic"), 20
ONE_CHIP = SystemSpec("one-chip", LOIHI1, 1, (1, 1), "one chip of a Nahuku board")
LIF = {"du": 4095, "dv": 0, "vth": 1}
#: Neurons that fire, receivers (core, neurons) -> ns of the step without its barrier, by SANA-FE 2.2.9, sender on core 0.
SANAFE_NS = (
    (100, [(1, 100)], 39644.8),
    (100, [(1, 100), (2, 100)], 41422.0),
    (100, [(1, 100), (2, 100), (3, 100)], 59158.0),
    (100, [(1, 20), (2, 20), (3, 20)], 13780.0),
    (100, [(33, 100), (34, 100), (35, 100)], 41140.0),
)


def test_the_micro_case_is_exact() -> None:
    joules, seconds = micro(get_system("loihi1-nahuku"), HOST)
    assert joules.nominal == pytest.approx(JOULES, rel=1e-9)
    assert seconds.nominal == pytest.approx(SECONDS, rel=1e-9)


def fan(neurons: int, receivers: list[tuple[int, int]]) -> tuple[Network, Mapping, RunActivity]:
    populations = {"in": Population("in", (1,), INPUT), "from": Population("from", (neurons,), "lif", LIF)}
    shards, projections = [Shard("from", "synapses", (0, neurons), (0, 1), 0, 0)], list[Projection]()
    for core, size in receivers:
        name = f"to{core}"
        populations[name] = Population(name, (size,), "lif", LIF)
        projections.append(Projection(name, "from", name, Dense(np.ones((size, neurons), np.int8))))
        shards.append(Shard(name, "synapses", (0, size), (0, neurons), 0, core))
    fired = {name: {"s": np.full(p.size, int(name == "from"), np.int64)} for name, p in populations.items()}
    net = Network("fan", populations, tuple(projections), ("in",))
    placed = Mapping(ONE_CHIP.name, 1, LOIHI1.cores, tuple(shards), (), len(shards), "synapse_bytes", ())
    return net, placed, RunActivity(1, 1, fired, {}, {}, None)


@pytest.mark.parametrize(("neurons", "receivers", "theirs"), SANAFE_NS)
def test_a_sender_waits_as_long_as_in_sanafe(neurons: int, receivers: list[tuple[int, int]], theirs: float) -> None:
    net, placed, activity = fan(neurons, receivers)
    run = loads(Program.of(net), activity, placed, ONE_CHIP, "none")
    (step,) = run.steps
    assert 1e9 * step_time(LOIHI1, core_prices(LOIHI1), step, run.fullest).seconds.nominal == pytest.approx(
        theirs, rel=0.05
    )


def test_the_barrier_climbs_stairs_and_loihi2_has_none() -> None:
    """SANA-FE's own barriers on 1, 2, 3, 4, 11 and 29 tiles."""
    floors = {n: LOIHI1.costs["t_step_floor_s"].nominal * LOIHI1.pace.share(n) for n in range(1, 33)}
    assert [floors[n] for n in (1, 2, 3, 4, 11, 29)] == pytest.approx([0.6e-6, 1e-6, 1e-6, 1.4e-6, 1.4e-6, 1.8e-6])
    assert list(floors.values()) == sorted(floors.values())
    assert LOIHI2.pace == Pacing() and all(LOIHI2.pace.share(n) == 1 for n in floors)


def test_routers_in_use_are_counted_on_the_fullest_chip() -> None:
    net, placed, activity = fan(4, [(1, 4), (33, 4), (70, 4)])
    run = loads(Program.of(net), activity, placed, ONE_CHIP, "none")
    assert in_turn(run, ONE_CHIP, HOST).parts["step floor"] == pytest.approx(1e-6)  # routers 0, 8 and 17
    spread = replace(placed, shards=tuple(replace(s, chip=i % 2) for i, s in enumerate(placed.shards)))
    board = get_system("loihi1-nahuku")
    run = loads(
        Program.of(net), activity, replace(spread, system=board.name, chips_available=board.chips), board, "none"
    )
    assert in_turn(run, board, HOST).parts["step floor"] == pytest.approx(1e-6)  # two on each


def test_a_run_step_by_step_is_the_run_and_never_quicker_than_its_mean() -> None:
    rng = np.random.default_rng(5)
    sizes = {"in": 40, "a": 60, "b": 30}
    lif = {"du": 4095, "dv": 200, "vth": 500}
    populations = {name: Population(name, (size,), "lif" if name != "in" else INPUT, lif if name != "in" else {})
                   for name, size in sizes.items()}  # fmt: skip
    projections = (
        Projection("p", "in", "a", Dense(rng.integers(-20, 50, (60, 40)).astype(np.int8))),
        Projection("q", "a", "b", Dense(rng.integers(-20, 50, (30, 60)).astype(np.int8))),
    )
    net = Network("n", populations, projections, ("b",))
    program = Program.of(net)
    mapping = map_model(program, ONE_CHIP, Options(pins={"a": Pin(blocks=1), "b": Pin(blocks=1)}, max_rows=20))
    given = {"in": (rng.random((1, STEPS, 40)) < rng.random((1, STEPS, 1)) / 2).astype(np.int64)}
    activity = ReferenceRunner().run(net, given, STEPS).activity
    each = step_by_step(program, ReferenceRunner(), given, STEPS, mapping, ONE_CHIP, "none")
    mean = loads(program, activity, mapping, ONE_CHIP, "none")
    assert len(each.steps) == STEPS and {step.times for step in each.steps} == {1.0}
    summed = sum(step.loads[:, :9].sum(axis=0) for step in each.steps)
    whole = mean.steps[0].loads[:, :9].sum(axis=0) * mean.steps[0].times
    assert summed[[0, 1, 2, 4, 5, 6, 7, 8]] == pytest.approx(whole[[0, 1, 2, 4, 5, 6, 7, 8]])
    slow, quick = (account(run, ONE_CHIP, HOST, "sample") for run in (each, mean))
    assert slow.seconds.nominal >= quick.seconds.nominal
    assert slow.joules("rails").nominal < quick.joules("rails").nominal + 0.104 * slow.seconds.nominal


def test_a_neuron_rests_until_something_is_there() -> None:
    weight = np.array([[2], [0]], np.int8)
    populations = {"in": Population("in", (1,), INPUT), "a": Population("a", (2,), "lif", {**LIF, "vth": 1000})}
    net = Network("n", populations, (Projection("p", "in", "a", Dense(weight)),), ("in",))
    state, seen = state_at_rest(net, 1), []
    for payload in (0, 1, 0, 0):
        seen.append(resting(net, state)["a"].tolist())
        state = ReferenceRunner().run(net, {"in": np.full((1, 1, 1), payload)}, 1, state=state).state
    assert seen == [[1, 1], [1, 1], [0, 1], [0, 1]], "the sum of the second one's synapse is zero"
    biased = replace(populations["a"], params={**populations["a"].params, "bias_mant": np.array([0, 3])})
    other = replace(net, populations={**populations, "a": biased})
    assert resting(other, state_at_rest(other, 1))["a"].tolist() == [1, 0]
