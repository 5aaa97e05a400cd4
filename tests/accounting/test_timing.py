"""What binds a step: cores, links or idle neurons, each made to bind in turn; figures by hand from conftest's table."""

from __future__ import annotations

from dataclasses import replace

from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.timing import host_seconds
from neurodeploy.ir.chip import Basis, Quantity
from neurodeploy.ir.mapping import Shard
from tests.accounting import toy
from tests.islands import hollow_island


def with_cost(key: str, low: float, nominal: float, high: float, phase: str) -> tuple[EnergyLedger, tuple[float, ...]]:
    """The ledger, and its seconds at each end."""
    cost = Quantity(low, nominal, high, toy.COSTS[key].unit, Basis.GUESSED, "toy")
    system = replace(toy.SYSTEM, chip=replace(toy.CHIP, costs={**toy.COSTS, key: cost}))
    return toy.ledger(system=system, phase=phase), toy.seconds(system=system, phase=phase)


def test_a_slow_chip_to_chip_link_binds() -> None:
    # 3 events in 2 tokens to chip 1: 6 B a token, so 12, 24, 48 s instead of the cores' 8, 17, 36 s
    generate, seconds = with_cost("bw_interchip_b_per_s", 0.125, 0.25, 0.5, "generate")
    assert seconds == (23 - 8 + 12, 48 - 17 + 24, 95 - 36 + 48)
    assert (generate.time_split["links"], generate.time_split["cores"]) == (24, 0)
    assert "from chip 0 to chip 1" in generate.bound_by
    prefill, seconds = with_cost("bw_interchip_b_per_s", 0.125, 0.25, 0.5, "prefill")
    assert seconds == (12 + 3 + 2.5, 24 + 7 + 5, 48 + 13 + 10)
    assert prefill.bound_by.startswith("links (pipeline: 2 messages a step from chip 0")


def test_a_slow_chip_port_binds() -> None:
    # 3 events in and 3 messages out at chip 0 in 2 tokens: 12 B a token
    ledger, seconds = with_cost("bw_link_b_per_s", 0.25, 0.5, 1, "generate")
    assert seconds == (23 - 8 + 12, 48 - 17 + 24, 95 - 36 + 48)
    assert "port of chip 0" in ledger.bound_by


def test_a_slow_host_link_binds_and_is_waited_for_once_an_exchange() -> None:
    """One island call a token: its events in and its outputs back are two crossings, one exchange."""
    ledger, seconds = with_cost("t_host_link_s", 20, 40, 80, "generate")
    assert seconds == (23 - 5 + 20, 48 - 10 + 40, 95 - 20 + 80)
    assert ledger.bound_by == "host link latency (2 crossings of the border a token, two an exchange)"


def test_idle_neurons_of_the_fullest_core_bind() -> None:
    shards = (*toy.ROWS.shards, Shard("b", "synapses", (0, 90), (0, 1), 1, 3))
    islands = {**toy.ISLANDS, "b": hollow_island("b", 90, 1)}
    ledger = toy.ledger(toy.mapping(*shards), islands=islands)
    seconds = toy.seconds(toy.mapping(*shards), islands=islands)
    assert seconds == (23 - 8 + 92, 48 - 17 + 92, 95 - 36 + 92)  # 90 of b and 2 of a
    assert ledger.bound_by == "cores (the 92 resident neurons of the fullest core)"


def test_islands_on_one_core_add_up_in_a_pipeline_and_follow_one_another_in_generation() -> None:
    counts = toy.counts()
    counts.segments["b"] = toy.activity("b", 2, [2, 1, 0], [2, 1, 0, 2])
    islands = {**toy.ISLANDS, "b": hollow_island("b", 4, 3)}
    shards = [Shard(name, "synapses", (0, 4), (0, 3), 0, 0) for name in ("a", "b")]
    # each: 6 synops, 4 updates, 2.5 messages a token on core 0: 12 + 16 + 5 = 33 s
    generate, prefill = (
        toy.ledger(toy.mapping(*shards), counts, islands, phase=p, border="none") for p in ("generate", "prefill")
    )
    assert (generate.time_split["cores"], generate.time_split["step floor"]) == (66, 6)
    assert (prefill.time_split["cores"], prefill.time_split["step floor"]) == (66, 3)


def test_a_slow_host_binds_prefill_and_its_roofline_has_two_sides() -> None:
    counts = toy.counts()
    counts.host_flops = 1000
    ledger = toy.ledger(given=counts, phase="prefill")
    assert ledger.bound_by == "host compute"
    assert ledger.seconds.nominal == 500 / 2 + 5
    hosts = [toy.at(end)[1] for end in toy.ENDS]
    assert [host_seconds(host, 8, 1).nominal for host in hosts] == [2, 4, 8]
    assert [host_seconds(host, 1, 8).nominal for host in hosts] == [4, 8, 8]
