"""The account against figures worked out by hand, and what must hold for any mapping and any counts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.accounting.band import ZERO, of, total
from neurodeploy.accounting.ledger import BOUNDARIES
from neurodeploy.errors import InternalError, UserError
from neurodeploy.ir.chip import Basis, Quantity
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.run import ActivityCounts, RunActivity
from tests.accounting import toy
from tests.islands import hollow_island
from tests.refusals import refused

# Worked out by hand from the table in conftest. Over the run (2 tokens): each core gets 3 events for 2 rows, so 12
# synops, 8 updates, 4 core-steps, 3 + 3 events delivered and 3 + 2 messages out; the core at router (1, 1) has 3 + 2
# messages of one hop each way; 3 + 2 messages pass the link between the chips; 6 + 5 of 32 bits cross the border.
BY_HAND = {
    "spike sent": (2.5, (0, 0, 0)),
    "step of a chip, its barrier and clocks": (2, (0, 0, 0)),
    "synaptic operation": (6, (6, 12, 18)),
    "neuron update, microcoded": (4, (8, 32, 96)),  # (2, 4, 8) J x microcode (1, 2, 3)
    "active core and step": (2, (20, 40, 60)),
    "message delivered": (5.5, (5.5, 11, 22)),
    "hop, east-west": (2.5, (2.5, 10, 12.5)),
    "hop, north-south": (2.5, (5, 15, 17.5)),
    "bit over a chip-to-chip link": (80, (80, 160, 240)),
    "bit over the host link": (176, (176, 176, 352)),
    "chip-seconds of 2 powered chips": (96, (46, 192, 570)),
    "chip-seconds of x86, FPGA and I/O for 2 powered chips": (96, (92, 384, 1520)),
    "seconds at idle power": (48, (23, 96, 285)),
    "seconds of work, power above idle": (3, (6, 24, 64)),
}


def test_generation_equals_the_hand_calculation_to_the_last_digit() -> None:
    ledger, every = toy.ledger(), toy.ledgers()
    rows = zip(*(each.entries for each in every.values()), strict=True)
    found = {
        low.event: (same.count, (low.joules.nominal, same.joules.nominal, high.joules.nominal))
        for low, same, high in rows
    }
    supply_count, supply = found.pop("joules delivered, of which a fraction is lost")
    assert found == BY_HAND
    assert supply_count == 1152
    assert supply == (0.05 * 470, 0.1 * 1152, 0.2 * 3257)
    # cores 17 (6 + 8 + 3), floor 3, barrier 4, one exchange 10, 22 B at 2 B/s 11, host max(4/2, 3/1) = 3
    assert toy.seconds() == (23, 48, 95)
    assert ledger.time_split == {
        "cores": 17,
        "links": 0,
        "step floor": 3,
        "multi-chip barrier": 4,
        "learning phase": 0,
        "host link latency": 10,
        "host link bytes": 11,
        "host compute": 3,
    }
    assert ledger.bound_by.startswith("cores (a: core 0 of chip 0 with 3 synops")
    for boundary, joules in (("rails", (93, 312, 796)), ("chip", (173, 472, 1036)), ("board", (441, 1032, 2908))):
        assert toy.ends(lambda ledger, boundary=boundary: ledger.joules(boundary), every) == joules
    assert toy.ends(lambda ledger: ledger.edp("rails"), every) == (93 * 23, 312 * 48, 796 * 95)
    assert ledger.tokens_per_s == 1 / 48


def test_counts_that_divide_stay_integers() -> None:
    kinds = {entry.event: type(entry.count) for entry in toy.ledger().entries}
    assert kinds["synaptic operation"] is int
    assert kinds["message delivered"] is float


def test_prefill_is_paced_by_the_slowest_stage_and_pays_the_latency_once() -> None:
    ledger, every = toy.ledger(phase="prefill"), toy.ledgers(phase="prefill")
    # max(17 + 3 + 4, 11, 3) + an exchange of 10 s / 2 tokens
    assert toy.ends(lambda ledger: ledger.seconds, every) == (13.5, 29, 59)
    # 2 tokens and one fall-through
    assert toy.ends(lambda ledger: ledger.first_token_seconds or ZERO, every) == (50, 106, 213)
    assert ledger.bound_by.startswith("cores (pipeline: core 0 of chip 0 with 3 synops")
    assert toy.ledger(phase="prefill", prompts=2).seconds.nominal == 34


def test_a_border_of_none_leaves_out_the_link_and_its_latency() -> None:
    ledger = toy.ledger(border="none")
    assert toy.seconds(border="none") == (12.5, 27, 53)
    assert "host link" not in ledger.by_component()


def test_powered_system_charges_every_chip() -> None:
    one = toy.mapping(Shard("a", "synapses", (0, 4), (0, 3), 0, 0))
    used, system = (toy.ledger(one, powered=p) for p in ("used", "system"))
    assert (used.chips_powered, system.chips_powered) == (1, 2)
    assert system.by_component()["static"].nominal == 2 * used.by_component()["static"].nominal
    assert used.time_split["multi-chip barrier"] == 0


def test_every_chip_in_use_pays_for_every_step() -> None:
    """A step of two chips; two phases, of partial sums first, on one chip; in a pipeline one step a token."""
    price = Quantity(1, 3, 4, "J", Basis.GUESSED, "toy")
    system = replace(toy.SYSTEM, chip=replace(toy.CHIP, costs={**toy.COSTS, "chip_step_j": price}))
    text = "step of a chip, its barrier and clocks"
    split = toy.mapping(
        Shard("a", "synapses", (0, 4), (0, 2), 0, 0), Shard("a", "synapses", (0, 4), (2, 3), 0, 1),
        Shard("a", "reducer", (0, 4), (0, 2), 0, 3),
    )  # fmt: skip
    for mapping, phase, count in ((toy.ROWS, "generate", 2), (split, "generate", 2), (toy.ROWS, "prefill", 2)):
        every = toy.ledgers(mapping, system=system, phase=phase)
        (entry,) = (e for e in every["nominal"].entries if e.event == text)
        joules = [e.joules.nominal for each in every.values() for e in each.entries if e.event == text]
        assert (entry.count, joules) == (count, [count, 3 * count, 4 * count])
        assert (entry.component, entry.boundary, entry.counting) == ("core steps", "rails", "counted")


def test_a_spike_is_paid_once_and_its_message_at_every_core() -> None:
    """5 spikes of two tokens, wherever their rows lie; 10 readers of three columns, 3 events, on two cores or on four."""
    price = Quantity(1, 2, 3, "J", Basis.GUESSED, "toy")
    system = replace(toy.SYSTEM, chip=replace(toy.CHIP, costs={**toy.COSTS, "spike_out_j": price}))
    four = toy.mapping(*(Shard("a", "synapses", (n, n + 1), (0, 3), 0, n) for n in range(4)))
    for mapping, cores in ((toy.ROWS, 2), (four, 4)):
        by = {entry.event: entry for entry in toy.ledger(mapping, system=system).entries}
        assert (by["spike sent"].count, by["spike sent"].joules.nominal) == (2.5, 5)
        assert by["message delivered"].count == 1.5 * cores + 2.5


def test_split_columns_send_partial_sums_to_a_reducer() -> None:
    split = toy.mapping(
        Shard("a", "synapses", (0, 4), (0, 2), 0, 0),
        Shard("a", "synapses", (0, 4), (2, 3), 0, 1),
        Shard("a", "reducer", (0, 4), (0, 2), 0, 3),
    )
    ledger = toy.ledger(split)
    count = {entry.event: entry.count for entry in ledger.entries}
    assert count["synaptic operation"] == 6  # the same synops as unsplit
    assert count["partial sum added by a reducer"] == 8  # 4 rows x 2 blocks
    assert count["neuron update, microcoded"] == 12
    assert count["active core and step"] == 3  # core 1 too: its column never fired, and its neurons send zeros
    assert (count["message delivered"], count["partial sum sent and delivered"]) == (1.5 + 2.5, 8)
    assert count["spike sent"] == 2.5
    # core 0 -> 3: one hop each way, core 1 -> 3: one hop north; the reducer's 2.5 messages one hop each way
    assert (count["hop, east-west"], count["hop, north-south"]) == (4 + 2.5, 8 + 2.5)
    # two steps of all 12 resident neurons, 12 of them active
    assert count["neuron update, idle"] == 12
    assert ledger.time_split["step floor"] == 2 * 3


def test_partial_sums_between_chips_pass_two_ports_and_a_link() -> None:
    split = toy.mapping(
        Shard("a", "synapses", (0, 4), (0, 3), 0, 0),
        Shard("b", "synapses", (0, 2), (0, 1), 0, 1),
        Shard("b", "synapses", (0, 2), (1, 2), 1, 3),
        Shard("b", "reducer", (0, 2), (0, 2), 0, 2),
    )
    counts = ActivityCounts({"b": toy.activity("b", 1, [1, 0], [0, 0])}, 1, 0, 0, {})
    ledger = toy.ledger(split, counts, {**toy.ISLANDS, "b": hollow_island("b", 2, 2)})
    entry = next(e for e in ledger.entries if e.component == "inter-chip")
    assert entry.count == 2 * 32  # column 1 had no event; 2 partial sums come back over the link
    least = (
        of(toy.COSTS["interchip_bit_j"], "interchip_bit_j") * 64
    )  # between cores there is no host port: all are sure
    assert entry.joules == least
    hops = {e.event: e.count for e in ledger.entries if e.component == "mesh hops"}
    # in 1 x (1, 0) to core 1; 2 partial sums 1 -> 2 (1, 1); 2 from core 3 to its port (1, 1), from the port to 2 (0, 1)
    assert hops == {"hop, east-west": 1 + 2 + 2, "hop, north-south": 2 + 2 + 2}


def test_an_expert_not_chosen_adds_no_event_and_keeps_its_chip_powered() -> None:
    islands = {**toy.ISLANDS, "expert": hollow_island("expert", 4, 3, layer=0)}
    chosen = Shard("a", "synapses", (0, 4), (0, 3), 0, 0)
    expert = Shard("expert", "synapses", (0, 4), (0, 3), 1, 0)
    absent, zero = toy.counts(), toy.counts()
    zero.segments["expert"] = toy.activity("expert", 0, [0, 0, 0], [0, 0, 0, 0])
    alone = toy.ledger(toy.mapping(chosen), absent, islands)
    events = {"synapses", "core steps", "messages", "mesh hops", "inter-chip", "host link"}
    for counts in (absent, zero):
        both = toy.ledger(toy.mapping(chosen, expert), counts, islands)
        for component in events & set(alone.by_component()):
            assert both.by_component()[component] == alone.by_component()[component]
        assert "inter-chip" not in both.by_component()
        static = next(e for e in both.entries if e.component == "static")
        assert static.count == 2 * both.seconds.nominal
        idle = next(e for e in both.entries if e.event == "neuron update, idle")
        assert idle.count == 4  # its neurons are updated in the step of the others
    fired = toy.counts()
    fired.segments["expert"] = toy.activity("expert", 1, [1, 0, 0], [0, 0, 0, 0])
    used = toy.ledger(toy.mapping(chosen, expert), fired, islands)
    assert used.by_component()["synapses"].nominal > alone.by_component()["synapses"].nominal
    assert used.time_split["step floor"] == 3 * 1.5  # every second token calls it


@pytest.mark.parametrize(
    "change", [{"phase": "training"}, {"powered": "none"}, {"border": "open"}, {"prompts": 3}, {"prompts": 0}]
)
def test_options_that_do_not_exist(change: dict[str, Any]) -> None:
    refused(UserError, "ND3104", toy.ledger, **change)


def test_zero_tokens_another_system_and_a_missing_cost() -> None:
    far = toy.mapping(Shard("a", "synapses", (0, 4), (0, 3), 2, 0))
    refused(UserError, "ND3102", toy.ledger, given=ActivityCounts.zero())
    refused(UserError, "ND3102", toy.ledger, toy.mapping(), ActivityCounts({}, 1, 0, 0, {}))
    refused(UserError, "ND3103", toy.ledger, system=toy.without("synop_fc_j"))
    refused(UserError, "ND3106", toy.ledger, far)


def test_inputs_that_contradict_one_another_are_our_bug() -> None:
    split = toy.mapping(Shard("a", "synapses", (0, 4), (0, 2), 0, 0))
    short = ActivityCounts({"a": toy.activity("a", 1, [1], [1])}, 1, 0, 0, {})
    stranger = ActivityCounts({"z": toy.activity("z", 1, [1], [1])}, 1, 0, 0, {})
    for mapping, counts in ((split, toy.counts()), (toy.ROWS, short), (toy.ROWS, stranger)):
        refused(InternalError, "ND9031", toy.ledger, mapping, counts)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[tuple[str, str, tuple[int, int], tuple[int, int], int, int]], ActivityCounts]:
    """Two islands (4 x 3 unsplit, 2 x 4 split over columns) anywhere on the two toy chips, with any counts."""
    place = st.tuples(st.integers(0, 1), st.integers(0, 3))
    shards = [
        ("a", "synapses", (0, 3), (0, 3), *draw(place)),
        ("a", "synapses", (3, 4), (0, 3), *draw(place)),
        ("b", "synapses", (0, 2), (0, 1), *draw(place)),
        ("b", "synapses", (0, 2), (1, 4), *draw(place)),
        ("b", "reducer", (0, 2), (0, 2), *draw(place)),
    ]
    tokens = draw(st.integers(1, 5))
    counts = ActivityCounts(
        {}, tokens, host_flops=draw(st.integers(0, 99)) + 1, host_bytes=draw(st.integers(0, 99)) + 1, host={}
    )
    for name, rows, columns in (("a", 4, 3), ("b", 2, 4)):
        ran = draw(st.integers(0, tokens))
        numbers = st.integers(0, ran)
        events = draw(st.lists(numbers, min_size=columns, max_size=columns))
        out = draw(st.lists(numbers, min_size=rows, max_size=rows))
        counts.segments[name] = RunActivity.of_layer(name, ran, np.array(events, np.int64), np.array(out, np.int64))
    return shards, counts


TWO = {"a": hollow_island("a", 4, 3, layer=0), "b": hollow_island("b", 2, 4, layer=1)}


@settings(max_examples=80, deadline=None)
@given(case=cases(), phase=st.sampled_from(["prefill", "generate"]), border=st.sampled_from(["calls", "none"]))
def test_any_ledger_conserves_and_orders_its_joules(case: Any, phase: str, border: str) -> None:
    shards, counts = case
    mapping = toy.mapping(*(Shard(*shard) for shard in shards))
    ledger = toy.ledger(mapping, counts, TWO, phase=phase, border=border)
    wall = ledger.joules("wall")
    assert wall == total(entry.joules for entry in ledger.entries)
    for groups in (ledger.by_component(), ledger.by_layer(), ledger.split()):
        parts = total(groups.values())
        assert parts.values == pytest.approx(wall.values, rel=1e-12)
    assert sum(ledger.time_split.values()) == pytest.approx(ledger.seconds.nominal, rel=1e-12)
    bands = [ledger.seconds, *(ledger.joules(name) for name in BOUNDARIES), *(e.joules for e in ledger.entries)]
    assert all(0 <= band.low <= band.nominal <= band.high for band in bands)
    for inner, outer in pairwise(BOUNDARIES):
        assert ledger.joules(inner).nominal <= ledger.joules(outer).nominal


@settings(max_examples=60, deadline=None)
@given(case=cases(), phase=st.sampled_from(["prefill", "generate"]), column=st.integers(0, 2), more=st.integers(1, 9))
def test_more_events_never_cost_less(case: Any, phase: str, column: int, more: int) -> None:
    shards, counts = case
    if counts.segments["a"].ticks == 0:
        return
    mapping = toy.mapping(*(Shard(*shard) for shard in shards))
    before = toy.ledger(mapping, counts, TWO, phase=phase)
    counts.segments["a"].fired["a.input"]["s"][column] += more
    after = toy.ledger(mapping, counts, TWO, phase=phase)
    assert after.by_component()["synapses"].nominal > before.by_component().get("synapses", ZERO).nominal
    for boundary in BOUNDARIES:
        assert (after.joules(boundary).values >= before.joules(boundary).values * (1 - 1e-12)).all()
    assert (after.seconds.values >= before.seconds.values * (1 - 1e-12)).all()


def test_a_longer_run_of_the_same_tokens_costs_the_same_a_token() -> None:
    twice = toy.counts()
    twice.add(toy.counts())
    longer = toy.ledger(given=twice)
    assert [entry.joules for entry in longer.entries] == [entry.joules for entry in toy.ledger().entries]
