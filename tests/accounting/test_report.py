"""The JSON contract, the refusal to compare across boundaries, and the proxies that stay outside the ledger."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.accounting.ledger import BOUNDARIES, EnergyLedger
from neurodeploy.accounting.neurobench import metrics, proxies
from neurodeploy.accounting.report_json import report_json
from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import BIAS_MAX
from neurodeploy.ir.run import ActivityCounts
from neurodeploy.neurons.registers import VTH_MAX
from neurodeploy.synapses import Dense
from tests.accounting import toy
from tests.prices import layers


@pytest.fixture(scope="module")
def ledgers() -> dict[str, EnergyLedger]:
    return {phase: toy.ledger(phase=phase) for phase in ("prefill", "generate")}


def test_the_json_keeps_its_contract(ledgers: dict[str, EnergyLedger]) -> None:
    found = report_json(ledgers, metrics=metrics(layers(toy.ISLANDS), toy.counts(), exact=False))
    data = json.loads(json.dumps(found, allow_nan=False))
    for phase, ledger in ledgers.items():
        part = data[phase]
        assert set(part["joules_per_token"]) == set(BOUNDARIES)
        for boundary in BOUNDARIES:
            assert part["joules_per_token"][boundary] == ledger.joules(boundary).to_json()
        assert set(part["seconds_per_token"]) == {"low", "nominal", "high"}
        assert part["tokens_per_s"] == pytest.approx(1 / part["seconds_per_token"]["nominal"])
        keys = {"device", "component", "event", "count", "basis", "boundary", "unit_cost", "joules", "source"}
        assert all(keys <= set(entry) for entry in part["entries"])
        total = sum(entry["joules"]["nominal"] for entry in part["entries"])
        assert total == pytest.approx(part["joules_per_token"]["wall"]["nominal"], rel=1e-12)
        extra = ("bound_by", "assumptions", "by_layer", "by_component", "static_dynamic_io_split", "not_modelled")
        assert all(part[key] for key in extra)
    assert data["assumptions"] and data["not_modelled"]
    assert data["generate"]["first_token_seconds"] is None


def test_a_phase_that_was_not_run_is_null(ledgers: dict[str, EnergyLedger]) -> None:
    data = report_json({"prefill": None, "generate": ledgers["generate"]})
    assert data["prefill"] is None and data["proxies"] == []


@pytest.mark.parametrize("wrong", ["socket", ""])
def test_an_unknown_boundary_is_refused(wrong: str, ledgers: dict[str, EnergyLedger]) -> None:
    with pytest.raises(UserError, match="ND3101"):
        ledgers["generate"].joules(wrong)


def test_metrics_are_counted_per_token() -> None:
    program = layers(toy.ISLANDS)
    counted = metrics(program, toy.counts(), exact=False)
    assert counted["SynapticOperations"] == {"Dense": 12, "Effective_MACs": 6, "Effective_ACs": 0}
    assert counted["ActivationSparsity"] == 0.5  # 3 events of 2 tokens x 3 axons
    assert counted["MembraneUpdates"] == 4
    # weights; multiplier and shift of 4 neurons, the sum's shift and bias, two widths, a threshold; nothing waits
    assert counted["Footprint"] == 12 + -(
        -(4 * (16 + 6) + 6 + BIAS_MAX.bit_length() + 1 + 5 + 5 + VTH_MAX.bit_length()) // 8
    )
    assert not counted["effective_is_exact"]
    (p,) = program.network.projections
    weight = np.array([[1, 0, 1], [1, 0, 1], [1, 0, 1], [1, 0, 0]], np.int8)
    network = replace(program.network, projections=(replace(p, synapse=Dense(weight), weight_bits=4),))
    exact = metrics(replace(program, network=network), toy.counts())
    # 2 events x 4 weights + 1 x 0, over 2 tokens
    assert exact["SynapticOperations"]["Effective_MACs"] == 4 and exact["effective_is_exact"]
    assert exact["ConnectionSparsity"] == 1 - 7 / 12
    assert exact["Footprint"] == counted["Footprint"] - 6
    with pytest.raises(UserError, match="ND3102"):
        metrics(program, ActivityCounts.zero())


def test_proxies_carry_their_name_and_never_enter_the_ledger(ledgers: dict[str, EnergyLedger]) -> None:
    values = {proxy.name: proxy for proxy in proxies(metrics(layers(toy.ISLANDS), toy.counts(), exact=False), "token")}
    assert values["45 nm fp32, effective operations"].value == pytest.approx(6 * 4.6e-12)
    assert values["45 nm fp32, dense operations"].value == pytest.approx(12 * 4.6e-12)
    assert values["N-DNS power proxy"].value == 6 + 10 * 4
    assert all("Horowitz" not in entry.unit_cost.source for ledger in ledgers.values() for entry in ledger.entries)
