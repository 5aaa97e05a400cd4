"""Whether the chip pays, beside ways of known joules on the toy chip; bounds that are found, against trying every value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from neurodeploy.accounting.account import account
from neurodeploy.accounting.band import exactly
from neurodeploy.accounting.loads import Roofline, RunLoads
from neurodeploy.accounting.outlines import Assumed, OnHost, host_load, outline_loads
from neurodeploy.accounting.paying import Alternative, EnergyFigure, compare, paying
from neurodeploy.accounting.program import loads
from neurodeploy.accounting.whatif import CHANGES, Case
from neurodeploy.errors import UserError
from tests.accounting import toy
from tests.prices import layers


@pytest.fixture(scope="module")
def given() -> RunLoads:
    return loads(layers(toy.ISLANDS), toy.counts(), toy.ROWS, toy.SYSTEM)


def joules(case: Case, phase: str = "generate") -> float:
    return account(case.loads, case.system, toy.HOST, phase, powered=case.powered).joules("wall").nominal


def seconds_of(wanted: float) -> RunLoads:
    """A host's work of so many joules at the wall: 10 W at work and a tenth lost, 2 flop a second."""
    work = (Roofline(2 * wanted / (10 * 1.1), 0, 0, False, False, None),)
    return outline_loads((), work, work, toy.SYSTEM, Assumed(1.0, "", 1), chips=0, cores=0)


def asked(
    given: RunLoads, wanted: float, powered: str = "used", phase: str = "generate", **host: Any
) -> dict[str, Any]:
    case = Case(given, toy.SYSTEM, powered)
    ledger = account(given, toy.SYSTEM, toy.HOST, phase, powered=powered)
    way = Alternative("host alone", replace(toy.HOST, **host), 1, None, seconds_of(wanted), 100)
    found = paying([way], [way], case, toy.HOST, ledger)
    (row,) = found["ways"]
    assert row["joules_per_token"]["wall"]["nominal"] == pytest.approx(wanted)
    assert found["elsewhere"][0]["ratio"] == row["ratio"]
    return row


def test_only_joules_of_one_boundary_are_compared() -> None:
    one, other = EnergyFigure(exactly(6.0), "wall"), EnergyFigure(exactly(3.0), "wall")
    assert compare(one, other).nominal == 2.0
    with pytest.raises(UserError, match="ND3111"):
        compare(one, other._replace(boundary="rails"))


def test_the_chip_pays_where_the_host_takes_more(given: RunLoads) -> None:
    now = joules(Case(given, toy.SYSTEM, "used"))
    row = asked(given, 2.5 * now)
    assert row["verdict"] == "pays" and row["would_pay"] is None
    assert row["ratio"]["nominal"] == pytest.approx(2.5)
    ratio = row["ratio"]
    assert row["settled"] is not (ratio["low"] <= 1 <= ratio["high"])
    assert "2.5 times the joules at the wall" in row["text"]


@pytest.mark.parametrize("phase", ["generate", "prefill"])
def test_bounds_are_the_mildest_with_which_the_chip_would_pay(given: RunLoads, phase: str) -> None:
    """Found by halving; here by trying every number of crossings and every thousandth of the events."""
    case = Case(given, toy.SYSTEM, "used")
    crossings = [joules(CHANGES["crossings"].apply(case, n), phase) for n in range(3)]
    events = [joules(CHANGES["events"].apply(case, n / 1000), phase) for n in range(1001)]
    assert crossings == sorted(crossings) and events == sorted(events)
    wanted = (crossings[1] + max(crossings[2], events[0])) / 2
    if wanted >= joules(case, phase):
        wanted = (crossings[1] + crossings[2]) / 2
    found = {
        one["change"].partition("=")[0]: one["change"]
        for one in asked(given, wanted, phase=phase)["would_pay"]["single"]
    }
    enough = [n for n in range(3) if crossings[n] <= wanted]
    assert found.get("crossings") == (f"crossings={enough[-1]}" if enough else None)
    most = [n for n in range(1001) if events[n] <= wanted]
    assert found.get("events") == (f"events={most[-1] / 1000:g}" if most else None)
    assert enough or most


def test_fewer_chips_powered_the_mildest_first(given: RunLoads) -> None:
    """Of a system of four times the chips those in use are enough, where they are; then gated ones."""
    large = replace(toy.SYSTEM, chips=8, grid=(8, 1))
    case = Case(given, large, "system")
    by = {name: joules(case._replace(powered=name)) for name in ("system", "used", "gated", "gated-board")}
    assert by["system"] > by["used"] > by["gated"] > by["gated-board"]
    ledger = account(given, large, toy.HOST, "generate", powered="system")
    order = list(by)
    for name, before in zip(order[1:], order, strict=False):
        wanted = (by[name] + by[before]) / 2
        way = Alternative("host alone", toy.HOST, 1, None, seconds_of(wanted), 100)
        (row,) = paying([way], [], case, toy.HOST, ledger)["ways"]
        assert f"powered={name}" in [one["change"] for one in row["would_pay"]["single"]]


def test_where_no_single_change_suffices_all_of_them_do_or_do_not(given: RunLoads) -> None:
    case = Case(given, toy.SYSTEM, "gated")
    alone = [joules(CHANGES["crossings"].apply(case, 0)), joules(CHANGES["events"].apply(case, 0))]
    alone.append(joules(case._replace(powered="gated-board")))
    least = CHANGES["events"].apply(case._replace(powered="gated-board"), 0)
    floor = joules(least)
    assert floor < min(alone)
    row = asked(given, (floor + min(alone)) / 2, powered="gated")
    both = row["would_pay"]["together"]
    assert row["would_pay"]["single"] == [] and both["suffices"]
    assert both["change"].startswith("crossings=2,powered=gated-board,events=0.")
    share = float(both["change"].rpartition("=")[2])
    there = [joules(CHANGES["events"].apply(case._replace(powered="gated-board"), s)) for s in (share, share + 1e-3)]
    assert there[0] <= (floor + min(alone)) / 2 < there[1]
    assert "no single change suffices" in row["text"]
    never = asked(given, floor / 4, powered="gated")
    assert not never["would_pay"]["together"]["suffices"]
    assert never["would_pay"]["together"]["joules_ratio"] == pytest.approx(4.0)
    assert "leave 4 times that way's joules" in never["text"]


def test_what_does_not_fit_the_memory_of_a_host_is_not_possible_there(given: RunLoads) -> None:
    row = asked(given, 1.0, memory_bytes=99)
    assert row["verdict"] == "not possible" and row["would_pay"] is None and "memory" in row["note"]
    assert asked(given, 1.0, memory_bytes=100)["verdict"] == "does not pay"


def test_a_batch_reads_the_weights_of_a_layer_once() -> None:
    """4 rows, 3 columns: 12 weights and 15 other bytes once a call, 28 bytes of values for each token."""
    program = layers(toy.ISLANDS)
    for batch in (1, 2, 32):
        for share in (1.0, 0.25):
            gone = [OnHost(4, 3, 1, share, 0)]
            prompt, token = (found[1] for found in host_load(program, gone, 8, batch))
            for work, tokens in ((token, batch), (prompt, 8 * batch)):
                called = (1 - (1 - share) ** tokens) / tokens
                assert work.bytes == pytest.approx(called * (12 + 15) + share * 28)
                assert work.flops == share * (2 * 12 + 4 * 3 + 10 * 4)
                assert work.calls == pytest.approx(called)
    double = host_load(program, [OnHost(4, 3, 1, 1.0, 0)], 8, 1, 2.0)[1][1]
    assert double.bytes == 24 + 15 + 28
