"""Laws of the account: what is doubled changes what it must, by as much as it must, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.accounting.account import account
from neurodeploy.accounting.band import total
from neurodeploy.accounting.ledger import BOUNDARIES, EnergyLedger
from neurodeploy.accounting.loads import EventCounts, MeanStep, RunLoads
from neurodeploy.accounting.program import loads
from neurodeploy.flow.loads import CONV_SYNOPS, EVENTS, SENT, SPIKES, SYNOPS
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from partitioner.mapper import map_model
from targets.hosts import HOSTS
from targets.systems import SYSTEMS
from tests.partitioner.make import dense, join, lif, network, source

HOST = HOSTS["cpu-generic"]
BOARD = SYSTEMS["kapoho-point"]
#: What of a ledger each doubling may change. Every other entry must stay as it is, to the last bit.
EVENT_ENTRIES = {
    "synaptic operation", "spike sent", "message delivered", "hop, east-west", "hop, north-south",
    "bit over a chip-to-chip link", "bit over the host link",
}  # fmt: skip
STANDING = {
    "chip-seconds of 1 powered chips", "chip-seconds of x86, FPGA and I/O for 1 powered chips", "seconds at idle power",
    "joules delivered, of which a fraction is lost",
}  # fmt: skip


def run(inputs: int, neurons: int, steps: int, share: float, border: str) -> RunLoads:
    net: Network = network([source("i", inputs), lif("p", neurons)], join("w", "i", "p", dense(neurons, inputs)))
    fired = {"i": {"s": [round(steps * share)] * inputs}, "p": {"s": [round(steps * share / 2)] * neurons}}
    import numpy as np

    counts = {name: {port: np.array(values) for port, values in ports.items()} for name, ports in fired.items()}
    program = Program.of(net)
    return loads(program, RunActivity(steps, 1, counts, {}, {}, None), map_model(program, BOARD), BOARD, border)


runs = st.builds(
    run,
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(1, 50),
    st.floats(0.1, 1),
    st.sampled_from(["none", "sample"]),
)


def ledger(made: RunLoads, system: str = "kapoho-point", powered: str = "used") -> EnergyLedger:
    return account(made, SYSTEMS[system], HOST, "sample", powered=powered)


def by_event(made: EnergyLedger) -> dict[str, float]:
    found: dict[str, float] = {}
    for entry in made.entries:
        found[entry.event] = found.get(entry.event, 0.0) + entry.joules.nominal
    return found


def of_steps(made: RunLoads, of: Callable[[MeanStep], MeanStep], **others: object) -> RunLoads:
    whole = None if made.whole is None else of(made.whole)
    return replace(made, steps=tuple(map(of, made.steps)), whole=whole, **others)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(runs)
def test_entries_sum_to_the_total_at_every_boundary_in_every_draw(made: RunLoads) -> None:
    found = ledger(made)
    for number, boundary in enumerate(BOUNDARIES):
        inside = total(e.joules for e in found.entries if e.boundary in BOUNDARIES[: number + 1])
        assert inside.values == pytest.approx(found.joules(boundary).values, rel=1e-12)
    for groups in (found.by_component(), found.by_layer(), found.split()):
        assert total(groups.values()).values == pytest.approx(found.joules("wall").values, rel=1e-12)
    assert sum(found.time_split.values()) == pytest.approx(found.seconds.nominal, rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(runs)
def test_twice_the_steps_take_twice_the_seconds_and_joules_of_steps_and_no_more_of_events(made: RunLoads) -> None:
    """The same events over twice the empty steps: floor, chip and core steps, idle neurons double; what is sent does not."""
    longer = of_steps(made, lambda step: replace(step, loads=step.loads / 2, times=step.times * 2), tick=made.tick * 2)
    one, two = ledger(made), ledger(longer)
    assert two.time_split["step floor"] == pytest.approx(2 * one.time_split["step floor"])
    before, after = by_event(one), by_event(two)
    text = "step of a chip, its barrier and clocks"
    assert after[text] == pytest.approx(2 * before[text])
    for event in EVENT_ENTRIES & set(before):
        assert after[event] == before[event], event


@settings(max_examples=30, deadline=None)
@given(runs)
def test_twice_the_events_cost_twice_what_events_cost_and_nothing_else_but_time(made: RunLoads) -> None:
    def step(step: MeanStep) -> MeanStep:
        table = step.loads.copy()
        table[:, (SYNOPS, CONV_SYNOPS, SENT, EVENTS, SPIKES)] *= 2
        return replace(step, loads=table)

    names = ("synops", "spikes", "messages", "hops_ew", "hops_ns", "interchip", "interchip_least", "host_messages")
    assert set(names) <= {entry.name for entry in fields(EventCounts)}
    parts = tuple(
        replace(part, counts=replace(part.counts, **{name: 2 * getattr(part.counts, name) for name in names}))
        for part in made.parts
    )
    one, two = ledger(made), ledger(of_steps(made, step, parts=parts))
    before, after = by_event(one), by_event(two)
    for event, joules in before.items():
        if event in EVENT_ENTRIES:
            assert after[event] == pytest.approx(2 * joules), event
        elif event not in STANDING:
            assert after[event] == joules, event
    assert one.seconds.nominal <= two.seconds.nominal <= 2 * one.seconds.nominal


@settings(max_examples=30, deadline=None)
@given(runs, st.integers(1, 100))
def test_twice_the_crossings_take_twice_the_latency_and_only_standing_power_follows(
    made: RunLoads, crossings: int
) -> None:
    few, many = (replace(made, exchanges=crossings / 2 * times) for times in (1, 2))
    one, two = ledger(few), ledger(many)
    latency = one.time_split["host link latency"]
    assert two.seconds.nominal - one.seconds.nominal == pytest.approx(latency)
    before, after = by_event(one), by_event(two)
    for event, joules in before.items():
        if event not in STANDING:
            assert after[event] == joules, event
    for event in ("chip-seconds of 1 powered chips", "chip-seconds of x86, FPGA and I/O for 1 powered chips"):
        assert after[event] / before[event] == pytest.approx(two.seconds.nominal / one.seconds.nominal)


@settings(max_examples=30, deadline=None)
@given(runs)
def test_chips_that_only_stand_by_cost_their_standing_power_and_no_time(made: RunLoads) -> None:
    used, all_chips = ledger(made), ledger(made, powered="system")
    assert used.seconds == all_chips.seconds
    for component in ("static", "infrastructure"):
        assert all_chips.by_component()[component].nominal == pytest.approx(
            BOARD.chips * used.by_component()[component].nominal
        )
    for kind in ("dynamic", "io", "host"):
        assert used.split()[kind] == all_chips.split()[kind]


@settings(max_examples=20, deadline=None)
@given(runs)
def test_no_answer_is_without_boundary_basis_and_band(made: RunLoads) -> None:
    answer = ledger(made).to_json()
    assert set(answer["joules_per_token"]) == set(BOUNDARIES)  # type: ignore[arg-type]
    for figure in [answer["seconds_per_token"], *answer["joules_per_token"].values()]:  # type: ignore[attr-defined]
        assert 0 < figure["low"] < figure["nominal"] < figure["high"]
    for entry in answer["entries"]:  # type: ignore[attr-defined]
        assert entry["boundary"] in BOUNDARIES and entry["basis"] and entry["counting"] and entry["source"]
        assert set(entry["joules"]) == {"low", "nominal", "high"}
