from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from neurodeploy.accounting.account import account
from neurodeploy.accounting.costs import SENT_J, cost
from neurodeploy.accounting.outlines import Assumed, OnHost, host_load, outline_loads
from neurodeploy.errors import DoesNotFit, UserError
from neurodeploy.ir.devices import hosted_populations
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program
from partitioner.classify import crossings
from partitioner.files.json_form import mapping_from_json, mapping_to_json
from partitioner.mapper import map_model
from partitioner.offload.mapping import joules_of, map_offloaded, offer
from partitioner.offload.price import on_host
from partitioner.options import Options, Pin
from partitioner.verify.violations import verify
from targets.hosts import get_host
from targets.systems import SYSTEMS, get_system
from tests.islands import hollow_island, hollow_program, islands_of
from tests.partitioner import make
from tests.partitioner.make import join, lif, network, source

CPU = get_host("cpu-generic")
SYSTEM = get_system("kapoho-point")
INFO = ModelInfo("shapes", "test", 1, 1, 1, 1, "made by a test")


def dense(layers: int = 12, width: int = 768) -> Program:
    """GPT-2 small's shapes."""
    sizes = (("qkv", 3 * width, width), ("o", width, width), ("up", 4 * width, width), ("down", width, 4 * width))
    return hollow_program(
        INFO, [hollow_island(f"layers.{n}.{name}", r, c, layer=n) for n in range(layers) for name, r, c in sizes]
    )


def mixture(experts: int = 8, top_k: int = 1) -> Program:
    """One layer: a router, a part that every token sees, and experts of the same size."""
    host = [
        HostOp("route", "moe_route", ("logits",), ("routing",), {"top_k": top_k}, layer=0),
        HostOp("dispatch", "moe_dispatch", ("x", "routing"), tuple(f"x{e}" for e in range(experts)), {}, layer=0),
    ]
    islands = [hollow_island("shared", 1024, 1024, layer=0)]
    islands += [hollow_island(f"experts.{e}", 1024, 1024, layer=0, expert=e) for e in range(experts)]
    return hollow_program(INFO, islands, host)


def mapped(program: Program, chips: int | None, **options: Any) -> tuple[Mapping, dict[str, Any] | None]:
    return map_offloaded(program, SYSTEM, Options(chips=chips, place=False, **options), CPU)


@pytest.fixture(scope="module")
def two_chips() -> tuple[Program, Mapping, dict[str, Any]]:
    program = dense()
    mapping, found = mapped(program, 2)
    assert found is not None
    return program, mapping, found


def test_what_fits_stays() -> None:
    program = dense()
    mapping, found = mapped(program, 8)
    assert found is None
    assert hosted_populations(program, mapping.assignments) == frozenset()


def test_what_does_not_fit_goes_to_the_host_and_the_rest_holds(two_chips: Any) -> None:
    program, mapping, found = two_chips
    gone = hosted_populations(program, mapping.assignments)
    assert verify(mapping, program, SYSTEM) == []
    assert gone == frozenset(found["on_host"])
    assert gone.isdisjoint(mapping.by_island())
    assert gone | set(mapping.by_island()) == set(islands_of(program))
    assert mapping.chips_used == mapping.chips_available == 2
    assert {entry.reason.rule for entry in mapping.assignments if entry.device == "host"} == {"not-resident"}
    reason = next(entry.reason for entry in mapping.assignments if entry.device == "host")
    assert "cores" in reason.text
    assert "2 chips have 240" in reason.text
    assert reason.remedy == f"--chips {found['chips_resident']} keeps every island on the chips"


def test_nothing_on_the_host_would_still_fit(two_chips: Any) -> None:
    """Brought back one by one, every kind of island asks for a third chip."""
    program, _, found = two_chips
    kinds = {name.split(".")[2]: name for name in found["on_host"]}
    for back in kinds.values():
        pins = {name: Pin(device="host") for name in found["on_host"] if name != back}
        with pytest.raises(DoesNotFit, match="ND2001"):
            map_model(program, SYSTEM, Options(chips=2, place=False, pins=pins))


def test_figures_by_hand(two_chips: Any) -> None:
    program, mapping, found = two_chips
    stay = len(islands_of(program)) - len(found["on_host"])
    assert found["crossings_per_token"] == {"plan": 2.0 * stay, "resident": 2.0 * len(islands_of(program))}
    assert crossings(program, mapping.assignments) == 2.0 * stay
    border = 4 * sum(
        i.neurons.size + i.source.size for name, i in islands_of(program).items() if name not in found["on_host"]
    )
    assert found["border_bytes_per_token"]["plan"] == border
    weights = sum(
        islands_of(program)[name].neurons.size * islands_of(program)[name].source.size for name in found["on_host"]
    )
    assert weights <= found["streamed_bytes_per_token"] <= 1.2 * weights
    joules = found["joules_per_token"]
    assert joules["plan"] == pytest.approx(sum(joules_of(program, SYSTEM, mapping, CPU).values()))
    # One byte a weight over the host link (0.64 GB/s) takes longer than out of the host's memory (20 GB/s).
    seconds = found["seconds_per_token"]
    assert seconds["streaming"] > seconds["plan"] + weights / 0.64e9
    assert joules["streaming"] > joules["plan"]


def test_the_chip_pays_for_what_it_sends_to_a_population_on_the_host() -> None:
    joins = join("a", "i", "p", make.dense(30, 20)), join("b", "p", "q", make.dense(10, 30))
    net = network([source("i", 20), lif("p", 30), lif("q", 10)], *joins)
    program = Program(INFO, net)
    whole, _ = mapped(program, None)
    mapping, found = mapped(program, None, pins={"q": Pin(device="host")})
    here, there = (joules_of(program, SYSTEM, m, CPU) for m in (whole, mapping))
    assert found is not None and found["joules_per_token"]["plan"] == pytest.approx(sum(there.values()))
    message = cost(SYSTEM.chip, SENT_J).nominal + 32 * SYSTEM.chip.costs["host_link_bit_j"].nominal
    assert there["p"] > here["p"] + 30 * message


def test_streaming_is_said_to_be_cheaper_where_it_is(two_chips: Any) -> None:
    """Only beside a host whose memory is slower than the link: no host that we know."""
    assert not two_chips[2]["streaming_is_cheaper"]
    slow = replace(CPU, bandwidth=replace(CPU.bandwidth, nominal=1e7))
    _, found = map_offloaded(dense(), SYSTEM, Options(chips=2, place=False), slow)
    assert found is not None
    assert found["streaming_is_cheaper"]
    assert found["joules_per_token"]["streaming"] < found["joules_per_token"]["plan"]


@pytest.mark.parametrize("seed", range(10))
def test_random_programs_on_random_budgets(seed: int) -> None:
    """Whatever the shapes: every island is on chips or on the host, within all budgets, and the chips are not left idle."""
    rnd = random.Random(seed)
    islands = [
        hollow_island(f"layers.{n}.x", rnd.randint(1, 700), rnd.randint(1, 5000), layer=n)
        for n in range(rnd.randint(2, 14))
    ]
    program = hollow_program(INFO, islands)
    system = replace(SYSTEM, chip=replace(SYSTEM.chip, cores=rnd.randint(4, 24)), chips=4, grid=(2, 2))
    chips = rnd.randint(1, 4)
    mapping, found = map_offloaded(program, system, Options(chips=chips, place=False), CPU)
    assert verify(mapping, program, system) == []
    assert mapping.chips_used <= chips
    if found is not None:
        free = chips * system.chip.cores - mapping.cores_used
        cores = {n: len({(s.chip, s.core) for s in shards}) for n, shards in _resident(program, system).items()}
        assert all(cores[name] + 1 >= free for name in found["on_host"]), (
            "a unit that left takes clearly less than is free"
        )


def _resident(program: Program, system: Any) -> dict[str, Any]:
    return map_model(program, replace(system, chips=400, grid=(20, 20)), Options(place=False)).by_island()


def test_the_host_as_a_roofline() -> None:
    """All islands on the host: bytes over bandwidth, at the power of host at work and at rest; no chip is powered."""
    program = dense(2)
    mapping, found = mapped(program, None, pins={name: Pin(device="host") for name in islands_of(program)})
    assert found is not None
    assert (mapping.chips_used, mapping.cores_used, mapping.shards) == (0, 0, ())
    assert verify(mapping, program, SYSTEM) == []
    size = sum(
        i.neurons.size * i.source.size + 3 * i.neurons.size + i.source.size + 4 * (i.neurons.size + i.source.size)
        for i in islands_of(program).values()
    )
    assert found["seconds_per_token"]["plan"] == pytest.approx(size / 20e9)
    assert found["joules_per_token"]["plan"] == pytest.approx(size / 20e9 * 15.0)
    assert found["crossings_per_token"]["plan"] == 0


def test_experts_that_leave_save_their_share_of_crossings() -> None:
    """Room for five of nine equal units: by the joule the unit that every token sees and three experts leave, since the
    part that every token sees crosses the border for each of them."""
    program = mixture()
    resident = map_model(program, SYSTEM, Options(place=False))
    system = replace(SYSTEM, chip=replace(SYSTEM.chip, cores=-(-resident.cores_used * 5 // 9)), chips=2, grid=(2, 1))
    mapping, found = map_offloaded(program, system, Options(chips=1, place=False), CPU)
    assert found is not None
    assert verify(mapping, program, system) == []
    assert found["on_host"] == ["shared", "experts.5", "experts.6", "experts.7"]
    assert found["crossings_per_token"]["plan"] == 2 * 5 / 8
    slow = replace(CPU, bandwidth=replace(CPU.bandwidth, nominal=1e6))
    _, found = map_offloaded(program, system, Options(chips=1, place=False), slow)
    assert found is not None
    assert found["on_host"] == [f"experts.{e}" for e in (4, 5, 6, 7)], "on a slow host cold experts leave first"


@pytest.mark.parametrize("objective", ["cores", "traffic", "latency", "energy"])
def test_each_objective_gives_a_mapping_that_holds(objective: str) -> None:
    program = dense(4)
    mapping, found = mapped(program, 1, objective=objective)
    assert found is not None
    assert verify(mapping, program, SYSTEM) == []


def test_the_same_again_gives_the_same_bytes() -> None:
    first, second = (json.dumps(mapping_to_json(mapped(dense(6), 1)[0])) for _ in range(2))
    assert first == second
    again = mapping_from_json(json.loads(first))
    assert json.dumps(mapping_to_json(again)) == first


def test_pins_are_kept(two_chips: Any) -> None:
    program, _, found = two_chips
    away = next(name for name in islands_of(program) if name not in found["on_host"])
    here = found["on_host"][0]
    mapping, changed = mapped(program, 2, pins={away: Pin(device="host"), here: Pin(device="chip")})
    assert changed is not None
    assert away in changed["on_host"]
    assert here not in changed["on_host"]
    assert {group["rule"] for group in changed["groups"] if away in group["islands"]} == {"pinned-to-host"}
    assert verify(mapping, program, SYSTEM) == []


def test_more_pinned_to_the_chips_than_they_hold() -> None:
    program = dense()
    with pytest.raises(DoesNotFit, match="ND2068") as caught:
        mapped(program, 2, pins={name: Pin(device="chip") for name in islands_of(program)})
    assert caught.value.exit_status == 3
    assert "needs 6 chips" in caught.value.problem
    assert "offers 2" in caught.value.problem
    assert caught.value.fix


def test_an_island_that_fits_no_core_goes_to_the_host_with_its_own_reason() -> None:
    """A row of so many columns that even one partial sum of a block exceeds a core's axons cannot be cut further."""
    chip = SYSTEM.chip
    budget = replace(chip.budget, state_bytes=replace(chip.budget.state_bytes, value=1000))
    system = replace(SYSTEM, chip=replace(chip, budget=budget))
    program = hollow_program(INFO, [hollow_island("small", 64, 64), hollow_island("wide", 4, 1 << 14)])
    with pytest.raises(DoesNotFit, match="ND2002"):
        map_model(program, system, Options(place=False))
    mapping, found = map_offloaded(program, system, Options(chips=1, place=False), CPU)
    assert found is not None
    assert found["on_host"] == ["wide"]
    assert found["groups"][0]["rule"] == "exceeds-a-core"
    assert found["joules_per_token"]["resident"] is None
    assert verify(mapping, program, system) == []


def test_without_the_budget_it_stays_an_error_and_the_offer_is_true() -> None:
    program = dense()
    small = get_system("oheo-gulch")
    with pytest.raises(DoesNotFit, match="ND2001"):
        map_offloaded(program, small, Options(place=False), CPU, automatic=False, alternatives=tuple(SYSTEMS.values()))
    said = offer(program, small, Options(), CPU)
    _, found = map_offloaded(program, small, Options(chips=1, place=False), CPU)
    assert found is not None
    assert said == (
        f"--chips 1 puts {len(found['on_host'])} of 48 islands on the host: "
        f"{found['crossings_per_token']['plan']:g} crossings, {found['border_bytes_per_token']['plan']} bytes a token"
    )


def test_a_chip_without_costs_cannot_be_priced() -> None:
    chip = replace(SYSTEM.chip, costs={k: v for k, v in SYSTEM.chip.costs.items() if k != "host_link_bit_j"})
    with pytest.raises(UserError, match=r"ND2060.*host_link_bit_j"):
        map_offloaded(dense(), replace(SYSTEM, chip=chip), Options(chips=1, place=False), CPU)


def test_the_verifier_wants_shards_or_the_host_never_both(two_chips: Any) -> None:
    program, mapping, found = two_chips
    shard = mapping.shards[0]
    both = replace(
        mapping, shards=(*mapping.shards, replace(shard, island=found["on_host"][0], rows=(0, 1), cols=(0, 1)))
    )
    assert any("but the host computes it" in text for text in verify(both, program, SYSTEM))
    neither = replace(mapping, shards=tuple(s for s in mapping.shards if s.island != shard.island), lower_bound=0)
    assert any(text.startswith(f"{shard.island} rows") for text in verify(neither, program, SYSTEM))
    steps = [replace(e, device="chip") if e.path == found["on_host"][0] else e for e in mapping.assignments]
    assert any(
        text.startswith(found["on_host"][0])
        for text in verify(replace(mapping, assignments=tuple(steps)), program, SYSTEM)
    )


@pytest.mark.parametrize("name", ["cpu-generic", "jetson-orin-nano", "h100"])
def test_a_layer_on_the_host_has_the_price_of_the_account(name: str) -> None:
    """Its seconds and what flows above idle, the start of an operation on a card among them."""
    island, host = hollow_island("layers.0.up", 512, 256, layer=0), get_host(name)
    price = on_host(make.view(island, SYSTEM.chip), host)
    prompt, token = host_load(hollow_program(INFO, [island]), [OnHost(512, 256, 1, 1.0, 0)], 1)
    ledger = account(
        outline_loads((), token, prompt, SYSTEM, Assumed(1.0, "", 1), chips=0, cores=0), SYSTEM, host, "generate"
    )
    assert price.seconds == pytest.approx(ledger.seconds.nominal)
    above = [entry.joules.nominal for entry in ledger.entries if "above idle" in entry.event]
    assert price.joules == pytest.approx(sum(above))
