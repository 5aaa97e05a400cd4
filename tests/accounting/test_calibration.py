"""Coefficients from measurements: hidden ones are found within their new bands, and what was measured is explained."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import exp, inf, log, nan

import numpy as np
import pytest

from neurodeploy.accounting.band import NINE_TENTHS
from neurodeploy.accounting.calibration import (
    OF_RUNS,
    calibrate,
    spread,
)
from neurodeploy.accounting.costs import with_values
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.accounting.measurement import Measurement
from neurodeploy.accounting.program import loads
from neurodeploy.errors import UserError
from neurodeploy.ir.chip import Basis, ChipSpec, SystemSpec
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from partitioner.mapper import map_model
from targets.hosts import get_host
from targets.loihi2 import UNFITTED
from targets.systems import get_system
from tests.partitioner.make import dense, join, lif, network, source

#: As it was before any published row was fitted: a board whose owner knows nothing of it yet.
BOARD, HOST = UNFITTED[0], get_host("cpu-generic")
#: Inputs, neurons, steps, events a step and input, border of twelve runs, and what was measured of each.
RUNS = (
    (10, 8, 1000, 0.1, "none", "joules", "rails"), (400, 300, 100, 0.5, "none", "joules", "rails"),
    (1000, 900, 50, 1.0, "none", "seconds", ""), (64, 3000, 200, 0.0, "none", "joules", "rails"),
    (64, 3000, 200, 0.2, "none", "seconds", ""), (2000, 64, 20, 1.0, "none", "joules", "rails"),
    (2000, 64, 20, 1.0, "none", "seconds", ""), (10, 8, 1000, 0.1, "none", "seconds", ""),
    (100, 100, 4, 0.5, "sample", "seconds", ""), (100, 100, 400, 0.5, "none", "watts", "board"),
    (20, 20, 1000, 0.0, "none", "watts", "rails"), (500, 4000, 100, 0.05, "none", "joules", "rails"),
)  # fmt: skip


@lru_cache(maxsize=32)
def run(inputs: int, neurons: int, steps: int, share: float, border: str) -> RunLoads:
    net = network([source("i", inputs), lif("p", neurons)], join("w", "i", "p", dense(neurons, inputs)))
    fired = {"i": {"s": np.full(inputs, round(steps * share))}, "p": {"s": np.full(neurons, round(steps * share / 2))}}
    activity = RunActivity(steps, 1, fired, {}, {}, None)
    return loads(Program.of(net), activity, map_model(Program.of(net), BOARD), BOARD, border)


def measurements(chip: ChipSpec, noise: np.ndarray, error: float, system: SystemSpec = BOARD) -> list[Measurement]:
    """Of a chip that is so, with noise of so many errors."""
    made = []
    for (*sizes, quantity, boundary), off in zip(RUNS, noise, strict=True):
        row = Measurement(str(sizes), run(*sizes), system, HOST, "sample", quantity, boundary, 1.0, error)
        made.append(replace(row, value=row.computed(chip) * exp(error * off)))
    return made


def recovered(seed: int, chips: int) -> tuple[np.ndarray, np.ndarray]:
    """Twelve measurements with 5 % of noise, of chips drawn from the bands: by coefficient, whether the hidden one lies in
    its new band, and how much of the old one that is."""
    rng, inside, shrunk, chip = np.random.default_rng(seed), list[bool](), list[float](), BOARD.chip
    costs = {name: cost for name, cost in BOARD.chip.costs.items() if name.endswith(OF_RUNS) and spread(cost)}
    for _ in range(chips):
        causes = {cause: rng.normal() for name in costs for cause in chip.errs.get(name, {name: 1.0})}
        hidden = {
            name: exp(log(cost.nominal) + spread(cost) * sum(load * causes[cause] for cause, load in errs.items()))
            for name, cost in costs.items()
            for errs in [chip.errs.get(name, {name: 1.0})]
        }
        rows = measurements(with_values(BOARD.chip, hidden), rng.normal(size=len(RUNS)), 0.05)
        found, measured = calibrate(rows, "drawn"), [row.value for row in rows]
        assert found.missed < 2
        for name in found.shrunk:
            inside.append(found.chip.costs[name].low <= hidden[name] <= found.chip.costs[name].high)
        shrunk += found.shrunk.values()
        before, after = (np.abs(np.log(found_ / np.array(measured))) for found_ in (found.before, found.after))
        assert np.median(after) < np.median(before)
    return np.array(inside), np.array(shrunk)


def test_hidden_coefficients_are_recovered_within_their_new_bands() -> None:
    """Nine times in ten, within two standard errors of so few; bands that hold everything would say nothing."""
    inside, shrunk = recovered(4, 8)
    assert inside.size >= 60 and (shrunk < 0.99).all() and (shrunk < 0.5).mean() > 0.2
    assert 0.9 - 2 * np.sqrt(0.09 / inside.size) <= inside.mean() < 1


@pytest.mark.real
def test_hidden_coefficients_are_recovered_nine_times_in_ten() -> None:
    inside, _ = recovered(7, 60)
    print(f"{inside.sum()} of {inside.size} hidden coefficients inside: {inside.mean():.1%}")
    assert 0.88 <= inside.mean() <= 0.95


def test_what_is_measured_exactly_is_known_and_the_rest_is_as_before() -> None:
    chip = BOARD.chip
    hidden = {"t_step_floor_s": 1.164e-6, "p_static_w": 0.2135, "p_infra_w": 1.2}
    found = calibrate(measurements(with_values(chip, hidden), np.zeros(len(RUNS)), 1e-3), "measurements.csv (12 rows)")
    for name, value in hidden.items():
        new = found.chip.costs[name]
        assert new.nominal == pytest.approx(value, rel=0.02) and new.basis is Basis.DERIVED
        assert new.source.startswith("measurements.csv (12 rows); before: ") and found.shrunk[name] < 0.3
        assert new.high / new.low == pytest.approx(exp(2 * NINE_TENTHS * found.shrunk[name] * spread(chip.costs[name])))
    for name in ("synop_conv_j", "t_barrier_multichip_s", "synapse_memory_b", "p_max_w"):  # no row depends on these
        assert name not in found.shrunk and found.chip.costs[name] is chip.costs[name]
    assert found.missed < 0.5
    table = found.rows(measurements(chip, np.zeros(len(RUNS)), 0.1))
    assert [row["before"] for row in table] == pytest.approx([row["measured"] for row in table])


def test_rows_that_contradict_one_another_leave_wide_bands() -> None:
    """The same run with twice and with half the seconds: between them, and errors as large as they miss."""
    (*sizes, quantity, boundary) = RUNS[7]
    one = Measurement("twice", run(*sizes), BOARD, HOST, "sample", quantity, boundary, 1.0, 0.01)
    rows = [replace(one, value=one.computed(BOARD.chip) * factor) for factor in (2.0, 0.5)]
    agreed, torn = (calibrate(each, "s") for each in ([rows[0], rows[0]], rows))
    assert torn.missed > 30 and agreed.missed < 1
    assert torn.shrunk["t_step_floor_s"] > 10 * agreed.shrunk["t_step_floor_s"]
    middle = BOARD.chip.costs["t_step_floor_s"].nominal
    assert agreed.chip.costs["t_step_floor_s"].nominal > 1.8 * middle
    assert torn.chip.costs["t_step_floor_s"].nominal == pytest.approx(middle, rel=0.05)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"value": 0.0}, "has value 0"), ({"value": nan}, "has value nan"), ({"error": inf}, "has error inf"),
        ({"error": -0.1}, "has error -0.1"), ({"system": get_system("loihi1-nahuku")}, "another chip"),
    ],
)  # fmt: skip
def test_rows_that_say_nothing(change: dict[str, object], says: str) -> None:
    rows = measurements(BOARD.chip, np.zeros(len(RUNS)), 0.1)
    with pytest.raises(UserError, match=rf"ND3108.*{says}"):
        calibrate([*rows, replace(rows[3], **change)], "s")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"ND3108.*no row"):
        calibrate([], "s")
