"""Bands as draws: each draw is the account of a chip that has the drawn coefficients, worked out without draws."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.accounting.band import DRAWS, NINE_TENTHS, ZERO, between, exactly, largest, of, scores, total
from neurodeploy.accounting.ledger import BOUNDARIES
from neurodeploy.ir.chip import Basis, Quantity
from tests.accounting import toy

STILL = toy.at("nominal")[1]


def quantity(low: float, nominal: float, high: float) -> Quantity:
    return Quantity(low, nominal, high, "J", Basis.GUESSED, "toy")


@given(st.floats(1e-12, 1e3), st.floats(1, 50), st.floats(1, 50))
def test_a_coefficient_has_the_ends_that_it_says(nominal: float, below: float, above: float) -> None:
    """To what 256 draws can tell: a hundredth of the distance from the middle."""
    band = of(quantity(nominal / below, nominal, nominal * above), "anything")
    assert band.nominal == nominal
    low, high = band.ends()
    assert log(nominal / low) == pytest.approx(log(below), rel=0.02, abs=1e-9)
    assert log(high / nominal) == pytest.approx(log(above), rel=0.02, abs=1e-9)


def test_a_coefficient_that_may_be_nothing_is_never_less() -> None:
    band = of(quantity(0, 2, 3), "may be nothing")
    assert band.values.min() == 0 and band.low == pytest.approx(0, abs=0.05) and band.high == pytest.approx(3, rel=0.02)


def test_names_err_together_and_others_by_themselves() -> None:
    wide = quantity(1, 10, 100)
    assert of(wide, "a") == of(wide, "a") and of(wide, "a") != of(wide, "b")
    a, b = scores("a"), scores("b")
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.2 and sorted(a) == sorted(b)
    mixed = np.log(of(wide, {"a": 0.6, "b": 0.8}).values[1:])
    assert np.corrcoef(mixed, a)[0, 1] == pytest.approx(0.6, abs=0.1)
    alone, both = of(wide, "a") * of(wide, "a"), of(wide, "a") * of(wide, "b")
    assert log(alone.high / alone.nominal) == pytest.approx(2 * log(10), rel=0.02)
    assert log(both.high / both.nominal) == pytest.approx(2**0.5 * log(10), rel=0.1)  # independent normal logarithms


def test_arithmetic_is_draw_by_draw_and_broadcasts() -> None:
    a, b = of(quantity(1, 2, 3), "a"), of(quantity(4, 5, 9), "b")
    assert (a + b).values == pytest.approx(a.values + b.values)
    assert (a * b).over(b).values == pytest.approx(a.values)
    assert total([a, exactly(3.0), b]).values == pytest.approx(a.values + b.values + 3)
    assert largest([a, exactly(2.5), b]).values == pytest.approx(np.maximum(np.maximum(a.values, 2.5), b.values))
    assert total([]) == ZERO == largest([]) and exactly(3.0).ends() == (3.0, 3.0)


def test_a_count_between_two_bounds_is_anywhere_between() -> None:
    band = between(10, 30, "routes")
    assert band.nominal == 30 and band.values[1:].min() > 10 and band.values[1:].max() < 30
    assert band.values[1:].mean() == pytest.approx(20) and band.low == pytest.approx(11, rel=0.02)
    assert between(7, 7, "routes") == exactly(7)


@pytest.mark.parametrize("phase", ["generate", "prefill"])
def test_each_draw_is_the_account_of_a_chip_that_is_so(phase: str) -> None:
    """The draws of each coefficient by the formula of its band, put in as its nominal value, and the account without
    draws."""
    wide = {
        name: toy.q(cost.nominal / 3 or 0, cost.nominal, cost.nominal * 2, cost.unit)
        for name, cost in toy.COSTS.items()
    }
    errs = {"p_infra_w": {"p_static_w": 0.6, "t_step_floor_s": 0.8}}
    drawn_chip = replace(toy.CHIP, costs=wide, errs=errs)
    ledger = toy.ledger(system=replace(toy.SYSTEM, chip=drawn_chip), host=STILL, phase=phase)

    def value(name: str, cost: Quantity, draw: int) -> float:
        z = sum(load * scores(cause)[draw] for cause, load in errs.get(name, {name: 1.0}).items()) / NINE_TENTHS
        side = cost.high if z > 0 else cost.low
        return cost.nominal * exp(abs(z) * log(side / cost.nominal)) if cost.nominal else 0.0

    for draw in (0, 1, 100, DRAWS - 1):
        costs = {name: toy.q(*[value(name, cost, draw)] * 3, cost.unit) for name, cost in wide.items()}
        one = toy.ledger(system=replace(toy.SYSTEM, chip=replace(toy.CHIP, costs=costs)), host=STILL, phase=phase)
        assert ledger.seconds.values[1 + draw] == pytest.approx(one.seconds.nominal, rel=1e-12)
        for drawn, alone in zip(ledger.entries, one.entries, strict=True):
            if drawn.component not in ("inter-chip", "power supply"):  # their counts are drawn too, or hang on one
                there = drawn.joules.values[min(1 + draw, drawn.joules.values.size - 1)]
                assert there == pytest.approx(alone.joules.nominal, rel=1e-9), drawn.event
    assert [ledger.joules(name).nominal for name in BOUNDARIES] == [
        toy.ledger(host=STILL, phase=phase).joules(name).nominal for name in BOUNDARIES
    ]


def test_what_a_run_misses_by_widens_joules_and_seconds_and_moves_neither() -> None:
    costs = {**toy.COSTS, "energy_error_ratio": toy.q(0.5, 1, 2, "1"), "time_error_ratio": toy.q(0.25, 1, 4, "1")}
    before, after = toy.ledger(), toy.ledger(system=replace(toy.SYSTEM, chip=replace(toy.CHIP, costs=costs)))
    for of_ in (lambda x: x.seconds, lambda x: x.joules("board")):
        old, new = of_(before), of_(after)
        assert old.nominal == new.nominal and new.high > 1.3 * old.high and new.low < old.low / 1.3
    host = [sum(e.joules.values for e in each.entries if e.device == toy.HOST.name) for each in (before, after)]
    assert np.array_equal(*host)  # a host has bands of its own
