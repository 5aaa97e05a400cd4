"""Joules and seconds of a step and a sample."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from neurodeploy.accounting.costs import cost
from neurodeploy.accounting.ledger import BOUNDARIES
from neurodeploy.accounting.neurobench import metrics
from neurodeploy.accounting.program import loads
from neurodeploy.accounting.report_json import report_json
from neurodeploy.accounting.step_time import busiest_cores
from neurodeploy.errors import UserError
from neurodeploy.ir.chip import SUPPLY_LOSS
from neurodeploy.ir.population import Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from partitioner.mapper import map_model
from partitioner.options import Options
from simulators.reference import ReferenceRunner
from targets.hosts import get_host
from targets.systems import get_system
from tests.networks.random_networks import random_network
from tests.partitioner.make import conv, dense, join, lif, network, source, tiny
from tests.prices import sample_ledger
from tests.refusals import refused

ONE, HOST = get_system("oheo-gulch"), get_host("cpu-generic")
STEPS, SAMPLES = 4, 2


def small(synapse=None, model: Population | None = None, system=ONE, **options):
    """10 inputs that each send one event a step into 8 neurons, of which each fires once a sample."""
    populations = [source("i", 10), model or lif("p", 8)]
    net = network(populations, join("w", "i", "p", synapse or dense(8, 10)))
    fired = {"i": {"s": np.full(10, STEPS * SAMPLES)}, "p": {"s": np.full(8, SAMPLES)}}
    mapping = map_model(Program.of(net), system, Options(**options))
    return net, mapping, RunActivity(STEPS, SAMPLES, fired, {}, {}, None)


def priced(case=None, system=ONE, **options):
    ledger = sample_ledger(*(case or small(system=system)), system, HOST, **options)
    return SimpleNamespace(step=ledger.part("step", STEPS), sample=ledger)


def entry(ledger, event: str):
    (found,) = [e for e in ledger.entries if e.event == event]
    return found


def test_events_of_a_step_and_a_sample_ledger() -> None:
    found = priced()
    counts = {e.event: e.count for e in found.step.entries}
    assert counts["synaptic operation"] == 10 * 8
    assert counts["neuron update"] == 8
    assert counts["message delivered"] == 10 + 8 / STEPS
    assert counts["active core and step"] == 1
    assert counts["bit over the host link"] == 32 * (10 + 8 / STEPS)
    assert entry(found.sample, "synaptic operation").count == 80 * STEPS
    cost_j = cost(ONE.chip, "synop_fc_j")
    assert entry(found.sample, "synaptic operation").joules.nominal == pytest.approx(80 * STEPS * cost_j.nominal)


def test_a_step_is_the_mean_part_of_a_sample_ledger() -> None:
    found = priced()
    for boundary in BOUNDARIES:
        assert found.step.joules(boundary).nominal == pytest.approx(found.sample.joules(boundary).nominal / STEPS)
    assert found.step.seconds.high == pytest.approx(found.sample.seconds.high / STEPS)
    assert (found.step.tokens, found.sample.tokens) == (STEPS * SAMPLES, SAMPLES)


def test_entries_sum_to_the_wall_and_boundaries_are_nested() -> None:
    for seed in range(12):
        net, inputs, steps = random_network(seed)
        activity = ReferenceRunner().run(net, inputs, steps).activity
        system = get_system("kapoho-point")
        whole = sample_ledger(
            net, map_model(Program.of(net), system, Options(weight_bits=8, max_rows=1)), activity, system, HOST
        )
        for ledger in (whole, whole.part("step", steps)):
            wall = ledger.joules("wall")
            assert wall.nominal == pytest.approx(sum(e.joules.nominal for e in ledger.entries))
            assert sum(b.nominal for b in ledger.by_layer().values()) == pytest.approx(wall.nominal)
            nested = [ledger.joules(name).nominal for name in BOUNDARIES]
            assert nested == sorted(nested)
            assert all(e.joules.low <= e.joules.nominal <= e.joules.high for e in ledger.entries)
            assert ledger.seconds.nominal == pytest.approx(sum(ledger.time_split.values()))


def test_convolutions_have_their_own_coefficient() -> None:
    net = network([source("i", 4, 4, 2), lif("p", 2, 2, 3)], join("w", "i", "p", conv((4, 4, 2), 3)))
    activity = RunActivity(1, 1, {"i": {"s": np.ones(32, np.int64)}}, {}, {}, None)
    ledger = sample_ledger(net, map_model(Program.of(net), ONE), activity, ONE, HOST)
    found = entry(ledger, "synaptic operation of a convolution")
    assert found.unit_cost == cost(ONE.chip, "synop_conv_j") and found.count == 4 * 9 * 2 * 3
    assert not [e for e in ledger.entries if e.event == "synaptic operation"]


def test_time_is_that_of_the_busiest_core() -> None:
    found = priced(border="none")
    chip = ONE.chip
    seconds = 80 * cost(chip, "t_synop_fc_s").nominal + 8 * cost(chip, "t_neuron_s").nominal
    seconds += 8 / STEPS * cost(chip, "t_spike_out_s").nominal
    assert found.step.time_split["cores"] == pytest.approx(seconds)
    assert found.step.seconds.nominal == pytest.approx(seconds + cost(chip, "t_step_floor_s").nominal)
    net, mapping, activity = small()
    (busiest,) = busiest_cores(loads(Program.of(net), activity, mapping, ONE).whole, chip)
    assert busiest["synops"] == 80 and busiest["neurons"] == 8
    assert found.step.bound_by == "step floor"


def test_cores_share_the_work() -> None:
    whole, halves = priced(border="none"), priced(small(max_rows=4), border="none")
    assert halves.step.time_split["cores"] == pytest.approx(whole.step.time_split["cores"] / 2)
    assert entry(halves.step, "message delivered").count == 2 * 10 + 8 / STEPS
    assert entry(halves.step, "synaptic operation").count == 80


def test_microcoded_neurons_cost_more() -> None:
    graded = small(model=Population("p", (8,), "sigma", {}))
    update = entry(priced(graded).step, "neuron update, microcoded").unit_cost
    fixed = entry(priced().step, "neuron update").unit_cost
    assert update.nominal == fixed.nominal * cost(ONE.chip, "microcode_factor").nominal
    assert any("sigma are microcoded" in text for text in priced(graded).step.assumptions)
    assert not any("microcoded" in text for text in priced().step.assumptions)


def test_the_border() -> None:
    none, sample, step = (priced(border=name).sample for name in ("none", "sample", "calls"))
    latency = cost(ONE.chip, "t_host_link_s").nominal
    assert "host link latency" in none.time_split and none.time_split["host link latency"] == 0
    assert sample.time_split["host link latency"] == pytest.approx(latency)  # a sample is one exchange
    assert step.time_split["host link latency"] == pytest.approx(latency * STEPS)
    assert sample.time_split["host link bytes"] == pytest.approx(
        4 * (10 * STEPS + 8) / cost(ONE.chip, "bw_host_link_b_per_s").nominal
    )
    assert not [e for e in none.entries if e.component == "host link"]


def test_chips_on_a_board() -> None:
    system = tiny(neurons=4, cores=1, system="kapoho-point")
    case = small(system=system)
    used, everything = priced(case, system).sample, priced(case, system, powered="system").sample
    assert (used.chips_powered, everything.chips_powered) == (2, 8)
    assert used.joules("rails").nominal < everything.joules("rails").nominal
    assert used.time_split["multi-chip barrier"] > 0
    bits = entry(used, "bit over a chip-to-chip link")
    # every input once to chip 1, the spikes of its half of the neurons back: none of it where each chip has its own port
    assert bits.count == 32 * (10 * STEPS + 4) and bits.joules.values[1:].min() < 0.01 * bits.joules.nominal


def test_reducers_and_their_phase() -> None:
    system = tiny(in_axons=5)
    found = priced(small(system=system), system, border="none")
    assert entry(found.step, "partial sum added by a reducer").count == 16
    assert found.step.time_split["step floor"] == pytest.approx(2 * cost(system.chip, "t_step_floor_s").nominal)
    assert any("2 synchronised phases" in text for text in found.step.assumptions)


def test_json_has_the_shape_of_the_energy_verb() -> None:
    case = net, mapping, activity = small()
    program, ledgers = Program.of(net), {"sample": priced(case).sample}
    found = report_json(ledgers, loads(program, activity, mapping, ONE), ONE.chip, metrics(program, activity))
    json.dumps(found, allow_nan=False)
    ledger = priced(case).step.to_json()
    assert set(ledger) <= set(found["step"]) and found["step"]["unit"] == "time step"
    assert {"schema", "boundaries", "assumptions", "not_modelled", "metrics", "proxies"} <= set(found)
    assert list(found["sample"]["by_layer"]) == ["p", "outside layers"]
    assert found["metrics"]["MembraneUpdates"] == 8 * STEPS


@pytest.mark.parametrize("option", [{"powered": "some"}, {"border": "step"}])
def test_options_that_do_not_exist(option) -> None:
    refused(UserError, "ND3104", priced, **option)


def test_a_cost_that_the_chip_lacks() -> None:
    costs = {name: q for name, q in ONE.chip.costs.items() if name != "synop_conv_j"}
    refused(UserError, "ND3103", priced, small(), replace(ONE, chip=replace(ONE.chip, costs=costs)))


def test_host_is_only_asked_for_its_powers() -> None:
    host = SimpleNamespace(
        name="host", idle_power=HOST.idle_power, active_power=HOST.active_power, supply_loss=SUPPLY_LOSS
    )
    host.launch_power = host.around = None
    net, mapping, activity = small()
    assert sample_ledger(net, mapping, activity, ONE, host).host == "host"
