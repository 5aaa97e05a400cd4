"""What the page says in words, against data small enough to check by hand."""

from __future__ import annotations

from typing import Any

import pytest

from neurodeploy.accounting.ledger import BOUNDARIES
from neurodeploy.reporting import derive
from neurodeploy.reporting.units import SPACE


def test_verdict_names_fit_energy_and_loss(smollm: dict[str, Any]) -> None:
    smollm["energy"]["generate"]["joules_per_token"]["chip"]["nominal"] = 1.2e-4
    assert derive.verdict(smollm) == [
        "fits on 9 of 32 chips",
        f"needs 120{SPACE}µJ per generated token at the chip boundary, 41.0{SPACE}mJ at the wall (modelled)",
        f"loses 0.18{SPACE}% in bits per byte",
    ]


def test_verdict_of_what_does_not_fit(smollm: dict[str, Any]) -> None:
    smollm["map"] |= {"fits": False, "chips_available": 8}
    clauses = derive.verdict(smollm)
    assert clauses[0] == "does not fit: 9 chips are needed, alia-point has 8"
    assert clauses[1].startswith("would need ")
    smollm["map"] |= {"chips_available": 32, "violations": ["a"]}
    assert derive.verdict(smollm)[0] == "does not fit: 1 budget is exceeded"


def test_what_fits_partly_is_neither_a_fit_nor_a_failure(smollm: dict[str, Any]) -> None:
    smollm["map"] |= {"fits": False, "host_islands": 28, "chips_used": 8, "chips_available": 8}
    clauses = derive.verdict(smollm)
    assert clauses[0] == "fits only partly (28 islands run on the host, the rest on 8 of 8 chips)"
    assert clauses[1].startswith("needs ")
    smollm["map"] |= {"host_islands": 1}
    assert derive.verdict(smollm)[0].startswith("fits only partly (1 island runs on the host, ")


def test_a_measured_unit_cost_makes_no_measured_joule() -> None:
    said = derive.basis_sentence({"measured": 0.997, "guessed": 0.003})
    assert said.startswith(
        "no joule is measured: amounts are counted or modelled, and their unit costs, by joules, are "
    )
    assert said.endswith(f">\u202f99{SPACE}% measured, <\u202f1{SPACE}% guessed")


def test_verdict_says_nothing_of_what_was_not_run(smollm: dict[str, Any]) -> None:
    assert derive.verdict({"model": smollm["model"]}) == []
    smollm["energy"]["generate"] = None
    assert "per prompt token" in derive.verdict(smollm)[1]
    smollm["energy"]["prefill"]["joules_per_token"]["chip"] = None
    assert [clause.split()[0] for clause in derive.verdict(smollm)] == ["fits", "loses"]


@pytest.mark.parametrize(
    ("bits", "clause"),
    [
        (0.9884, "gives the same bits per byte as in float"),
        (0.9784, f"loses nothing in bits per byte (\u22121{SPACE}% on this text)"),
        (0.9884 * (1 - 3.5e-5), f"loses nothing in bits per byte (\u22120.0035{SPACE}% on this text)"),
        (0.9884 * (1 + 3.5e-5), f"loses 0.0035{SPACE}% in bits per byte"),
    ],
)
def test_loss_clause(smollm: dict[str, Any], bits: float, clause: str) -> None:
    smollm["accuracy"]["chip"]["bits_per_byte"] = bits
    assert derive.loss_clause(smollm["accuracy"]) == clause


def test_every_boundary_is_the_sum_of_its_components(smollm: dict[str, Any]) -> None:
    phase = smollm["energy"]["generate"]
    seen = 0
    for boundary in BOUNDARIES:
        parts, rest = derive.boundary_stack(phase, boundary)
        assert sum(value for _, value in parts) == pytest.approx(phase["joules_per_token"][boundary]["nominal"])
        assert rest == 0.0
        assert len(parts) > seen
        seen = len(parts)


def test_what_no_entry_explains_is_shown_as_not_itemised(smollm: dict[str, Any]) -> None:
    phase = smollm["energy"]["generate"]
    phase["joules_per_token"]["wall"]["nominal"] += 0.01
    assert derive.boundary_stack(phase, "wall")[1] == pytest.approx(0.01)
    phase["joules_per_token"]["wall"] = None
    assert derive.boundary_stack(phase, "wall") == ([], 0.0)


def test_components_without_a_ledger(smollm: dict[str, Any]) -> None:
    phase = smollm["energy"]["generate"] | {"entries": []}
    rows = derive.components(phase)
    assert len(rows) == len(phase["by_component"])
    assert [row.joules["nominal"] for row in rows] == sorted((row.joules["nominal"] for row in rows), reverse=True)


def test_basis_shares_are_of_joules() -> None:
    def entry(basis: str, nominal: float) -> Any:
        return {"basis": basis, "joules": {"low": 0.0, "nominal": nominal, "high": nominal}}

    found = derive.basis_shares([entry("guessed", 1.0), entry("measured", 2.0), entry("guessed", 1.0)])
    assert found == {"measured": 0.5, "guessed": 0.5}
    assert list(found) == ["measured", "guessed"]
    assert derive.basis_shares([entry("guessed", 0.0)]) == {}


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("layers.3.mlp.down_proj", "layers.*.mlp.down_proj"),
        ("layers.3.experts.12.up", "layers.*.experts.*.up"),
        ("conv1.weight_2", "conv1.weight_2"),
        ("lm_head", "lm_head"),
    ],
)
def test_pattern(path: str, pattern: str) -> None:
    assert derive.pattern(path) == pattern


def test_equal_layers_are_one_group_and_no_operation_is_lost(smollm: dict[str, Any]) -> None:
    ops = smollm["explain"]
    groups = derive.op_groups(ops)
    assert len(ops) > 400 and len(groups) < 20
    assert sum(group.count for group in groups) == len(ops)
    assert sum(g.bytes_per_token for g in groups) == sum(op["bytes_per_token"] for op in ops)
    attention = next(group for group in groups if group.op == "attention")
    assert (attention.layers, attention.count, attention.wordings) == ("0–29", 30, 30)


def test_one_layer_on_another_device_is_a_group_of_its_own(smollm: dict[str, Any]) -> None:
    ops = smollm["explain"]
    before = len(derive.op_groups(ops))
    moved = next(op for op in ops if op["path"] == "layers.7.mlp.down_proj")
    moved |= {"device": "host", "rule": "too-wide"}
    groups = derive.op_groups(ops)
    assert len(groups) == before + 1
    assert next(g for g in groups if g.rule == "too-wide").layers == "7"
