"""What changes do to an account, by hand on the toy chip: each changes what it must, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from neurodeploy.accounting.account import account
from neurodeploy.accounting.band import ZERO
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.accounting.program import loads
from neurodeploy.accounting.whatif import CHANGES, Case, read_changes, what_if
from neurodeploy.errors import UserError
from tests.accounting import toy
from tests.prices import layers


@pytest.fixture(scope="module")
def given() -> RunLoads:
    return loads(layers(toy.ISLANDS), toy.counts(), toy.ROWS, toy.SYSTEM)


def changed(given: RunLoads, text: str, phase: str = "generate") -> EnergyLedger:
    case = Case(given, toy.SYSTEM, "used")
    for one in read_changes(text, toy.SYSTEM):
        case = one.change.apply(case, one.value)
    return account(case.loads, case.system, toy.HOST, phase, powered=case.powered)


def parts(ledger: EnergyLedger) -> dict[str, float]:
    """Nominal joules by event; of the chips' cores and links alone."""
    return {
        entry.event: entry.joules.nominal
        for entry in ledger.entries
        if entry.boundary != "wall" and entry.component not in ("static", "infrastructure")
    }


def test_a_gated_chip_has_static_power_while_it_works(given: RunLoads) -> None:
    """A step of 8 + 3, 17 + 7, 36 + 13 s on two chips; before, all of the 23, 48, 95 s."""
    before, gated, board = (changed(given, text) for text in ("", "gate", "gate-board"))
    assert before.seconds == gated.seconds == board.seconds and before.seconds.nominal == 48
    for ledger, static, infra in ((before, 48, 48), (gated, 24, 48), (board, 24, 24)):
        by = ledger.by_component()
        assert by["static"].nominal == 2 * 2 * static and by["infrastructure"].nominal == 4 * 2 * infra
    assert parts(gated) == parts(before)
    assert any("wakes up at once" in text for text in gated.assumptions)
    assert not any("wakes up at once" in text for text in before.assumptions)


def test_gated_chips_that_are_all_at_work_save_what_does_not_depend_on_them(given: RunLoads) -> None:
    """In the pipeline both chips work all the time but for the wait for the host, 5 of 29 s."""
    before, gated = changed(given, "", "prefill"), changed(given, "gate", "prefill")
    assert before.seconds.nominal - before.time_split["host link latency"] == 24
    assert gated.by_component()["static"].nominal == 2 * 2 * 24


@pytest.mark.parametrize("crossings", [0.0, 1.0, 2.0, 8.0])
def test_crossings_are_waited_for_in_halves_and_never_added(given: RunLoads, crossings: float) -> None:
    """One exchange of 10 s a token stood there."""
    before, after = changed(given, ""), changed(given, f"crossings={crossings:g}")
    assert before.seconds.nominal - after.seconds.nominal == 10 * (1 - min(1.0, crossings / 2))
    assert parts(after) == parts(before)


@pytest.mark.parametrize("share", [0.0, 0.5, 2.0])
def test_events_change_what_is_sent_and_added_and_no_neuron(given: RunLoads, share: float) -> None:
    before, after = parts(changed(given, "")), parts(changed(given, f"events={share:g}"))
    as_many = {"synaptic operation", "message delivered", "hop, east-west", "hop, north-south",
               "bit over a chip-to-chip link", "bit over the host link"}  # fmt: skip
    assert {name for name in before if name in as_many} == {name for name in as_many if before.get(name)}
    for name, joules in before.items():
        assert after.get(name, 0.0) == pytest.approx(joules * (share if name in as_many else 1.0))


def test_more_cores_shorten_steps_and_cost_core_steps_and_chips(given: RunLoads) -> None:
    """17 s of cores in halves; two cores more do not fill the two chips, six times as many do."""
    before, after, many = (changed(given, text) for text in ("", "cores=2", "cores=6"))
    assert before.seconds.nominal - after.seconds.nominal == 17 / 2
    one, two = parts(before), parts(after)
    assert two.pop("active core and step") == 2 * one.pop("active core and step")
    assert one == two and after.chips_used == before.chips_used == 2
    assert many.chips_used == 3 and many.cores_used == 12


def test_a_coefficient_by_its_name_is_that_of_a_chip_with_it(given: RunLoads) -> None:
    after = changed(given, "p_static_w=0, t_host_link_s=4")
    assert after.by_component()["static"] == ZERO
    assert after.seconds.nominal == 48 - 10 + 4
    (named,), (short,) = (read_changes(text, toy.SYSTEM) for text in ("t_host_link_s=4", "link=4"))
    cases = [one.change.apply(Case(given, toy.SYSTEM, "used"), one.value).system for one in (named, short)]
    assert cases[0].chip.costs["t_host_link_s"] == cases[1].chip.costs["t_host_link_s"]


def test_the_answer_is_ranked_and_told_apart(given: RunLoads) -> None:
    ledger = changed(given, "")
    asked = read_changes("gate,p_infra_w=4,link=1", toy.SYSTEM)
    found = what_if(given, toy.SYSTEM, toy.HOST, ledger, asked)
    each: list[dict[str, Any]] = found["each"]
    assert [row["saved"]["joules"] for row in each] == sorted((row["saved"]["joules"] for row in each), reverse=True)
    by = {row["change"]: row for row in each}
    assert by["p_infra_w=4"]["saved"] == {"joules": 0.0, "seconds": 0.0}  # asked for, and told though it is nothing
    assert {row["change"] for row in each if row["asked"]} == {"gate", "p_infra_w=4", "link=1"}
    assert "link=1e-06" not in by and len({row["change"].partition("=")[0] for row in each}) == len(each)
    assert set(by) <= {"p_infra_w=4", *(f"{name}={x.tried:g}" for name, x in CHANGES.items()), *CHANGES, "link=1"}
    whole = changed(given, "gate,p_infra_w=4,link=1")
    assert found["asked"]["joules_per_token"]["board"] == whole.joules("board").to_json()
    assert found["asked"]["saved"]["joules"] == pytest.approx(
        1 - whole.joules("board").nominal / ledger.joules("board").nominal
    )
    assert what_if(given, toy.SYSTEM, toy.HOST, ledger, [])["asked"] is None


def test_a_change_without_use_is_not_told_unasked(given: RunLoads) -> None:
    """Two crossings stand there already."""
    found = what_if(given, toy.SYSTEM, toy.HOST, changed(given, ""), [])
    assert not any(row["change"].startswith("crossings") for row in found["each"])


@pytest.mark.parametrize(
    "text", ["fewer", "gate=2", "link", "link=", "link=-1", "link=nan", "cores=0.5", "events=many", "p_static_w=inf"]
)
def test_what_is_no_change(text: str) -> None:
    with pytest.raises(UserError, match="ND3104") as caught:
        read_changes(f"gate,{text}", toy.SYSTEM)
    assert text in str(caught.value)
