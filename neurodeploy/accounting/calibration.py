"""Coefficients of a chip from measurements of its own: maximum a posteriori, with what is published as the prior.

A coefficient is taken as log-normal: its band holds nine tenths, ``s = log(high / low) / (2 * 1.645)``, around its nominal
value. With p_i the account of row i (joules at a boundary, seconds, or their quotient) and m_i what was measured, the
coefficients are those that minimise::

    sum_i (log p_i(x) - log m_i)^2 / e_i^2  +  sum_k (x_k - log nominal_k)^2 / s_k^2        x_k = log of coefficient k

by `scipy.optimize.least_squares`. Near the minimum that is a normal distribution whose covariance is the inverse of
``J^T J`` (Laplace); a new band holds nine tenths of it. J are slopes over the spread that they lead to, to both sides, and
not those of a point: a time is the largest of several, and which one may change within the spread. Where rows miss by more
than their errors e_i, these are taken to be as large as they miss. Coefficients that rows say nothing of stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.accounting.account import account
from neurodeploy.accounting.costs import with_values
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.errors import UserError
from neurodeploy.ir.chip import Basis, ChipSpec, HostSpec, Quantity, SystemSpec

#: Standard deviations between the middle of a normal distribution and the end of what holds nine tenths of it.
NINE_TENTHS = 1.6448536269514722
#: Coefficients of a run; the rest of a chip's table are sizes.
OF_RUNS = ("_j", "_s", "_w", "_factor")
#: A row depends on a coefficient where moving it by its own spread moves the row by this share.
DEPENDS = 1e-4
#: A coefficient whose band keeps this share of its width stays as it is.
LEARNT = 0.99
#: Points that the search begins at: where the largest of several times changes it may find no way down.
STARTS = 3
#: How often slopes are taken over the spread that those before have led to.
SLOPES = 3
QUANTITIES = ("joules", "seconds", "watts")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """One figure of a run on a board: `quantity` of a unit of `phase`, joules and watts at `boundary`.

    error : relative standard deviation of `value`, that of what the model cannot say among it.
    """

    name: str
    loads: RunLoads
    system: SystemSpec
    host: HostSpec
    phase: str
    quantity: str
    boundary: str
    value: float
    error: float
    powered: str = "used"

    def computed(self, chip: ChipSpec) -> float:
        """What the account says with the coefficients of `chip`, nominal."""
        system = replace(self.system, chip=chip)
        ledger = account(self.loads, system, self.host, self.phase, powered=self.powered)
        if self.quantity == "seconds":
            return ledger.seconds.nominal
        joules = ledger.joules(self.boundary).nominal
        return joules if self.quantity == "joules" else joules / ledger.seconds.nominal


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """chip : with the new coefficients. before, after : what the account says of each row. missed : by how many of its
    errors a row is missed, root of the mean square. shrunk : by coefficient that is another, the new band over the old
    one, as logarithms."""

    chip: ChipSpec
    before: Floats
    after: Floats
    missed: float
    shrunk: Mapping[str, float]

    def rows(self, measured: Sequence[Measurement]) -> list[dict[str, Any]]:
        return [
            {
                "name": row.name, "phase": row.phase, "quantity": row.quantity, "boundary": row.boundary or None,
                "measured": row.value, "before": before, "after": after,
                "error_before": before / row.value - 1, "error_after": after / row.value - 1,
            }
            for row, before, after in zip(measured, self.before.tolist(), self.after.tolist(), strict=True)
        ]  # fmt: skip


def spread(quantity: Quantity) -> float:
    """The standard deviation of its logarithm; 0 of what has no band, or no positive one."""
    if not 0 < quantity.low < quantity.high:
        return 0.0
    return log(quantity.high / quantity.low) / (2 * NINE_TENTHS)


def calibrate(measured: Sequence[Measurement], source: str) -> Calibrated:
    """The coefficients of the chip that all rows were measured on; `source` is said beside each that has changed.

    Raises
    ------
    UserError : ND3108, no row, rows of several chips, a row without a positive finite value or error, or rows that depend on
        no coefficient that has a band.
    """
    chip = _chip(measured)
    sds = {name: spread(cost) for name, cost in chip.costs.items() if name.endswith(OF_RUNS)}
    names = [name for name, sd in sds.items() if sd]
    start = {name: log(chip.costs[name].nominal) for name in names}
    values, errors = (np.array([getattr(row, key) for row in measured]) for key in ("value", "error"))

    def computed(x: Floats, of: Sequence[str]) -> Floats:
        there = with_values(chip, {name: exp(value) for name, value in zip(of, x, strict=True)})
        return np.array([row.computed(there) for row in measured])

    before = np.array([row.computed(chip) for row in measured])
    if not (before > 0).all():
        raise _wrong(
            measured[int(np.flatnonzero(before <= 0)[0])].name, "is nothing in our account", "leave the row out"
        )
    moved = {name: computed(np.array([start[name] + sds[name]]), [name]) for name in names}
    names = [name for name in names if (np.abs(np.log(moved[name] / before)) > DEPENDS).any()]
    if not names:
        raise _wrong("measurements", "depend on no coefficient that has a band", "give rows of another boundary")
    middle, width = (np.array([of[name] for name in names]) for of in (start, sds))

    def residuals(x: Floats) -> Floats:
        found = np.log(computed(x, names) / values) / errors
        return np.concatenate([found, (x - middle) / width])

    from scipy.optimize import least_squares

    starts = np.random.default_rng(0).normal(size=(STARTS, len(names))) * width
    starts[0] = 0.0
    every = [least_squares(residuals, middle + start, x_scale=width, method="lm") for start in starts]
    found = min(every, key=lambda one: one.cost)
    missed = float(np.sqrt(np.mean(found.fun[: len(measured)] ** 2)))
    sd = width
    for _ in range(SLOPES):
        sides = [(residuals(found.x + step) - residuals(found.x - step)) / 2 for step in np.diag(sd)]
        slopes = np.stack(sides, axis=1) / sd
        slopes[: len(measured)] /= max(1.0, missed)
        sd = np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes)))
    shrunk = {name: s / w for name, s, w in zip(names, sd.tolist(), width.tolist(), strict=True)}
    shrunk = {name: share for name, share in shrunk.items() if share < LEARNT}
    costs = {
        name: Quantity(
            exp(x - NINE_TENTHS * s), exp(x), exp(x + NINE_TENTHS * s), chip.costs[name].unit, Basis.DERIVED,
            f"{source}; before: {chip.costs[name].nominal:g}, {chip.costs[name].source}",
        )
        for name, x, s in zip(names, found.x.tolist(), sd.tolist(), strict=True)
        if name in shrunk
    }  # fmt: skip
    after = replace(chip, costs={**chip.costs, **costs})
    return Calibrated(after, before, np.array([row.computed(after) for row in measured]), missed, shrunk)


def _chip(measured: Sequence[Measurement]) -> ChipSpec:
    if not measured:
        raise _wrong("measurements", "have no row", "give at least one")
    for row in measured:
        for what, value in (("value", row.value), ("error", row.error)):
            if not 0 < value < float("inf"):
                raise _wrong(row.name, f"has {what} {value:g}", "give a positive number")
    first = measured[0].system.chip
    for row in measured:
        if row.system.chip.costs != first.costs:
            problem = f"is of another chip or board ({row.system.name}) than the first row ({measured[0].system.name})"
            raise _wrong(row.name, problem, "calibrate each board by itself")
    return first


def _wrong(subject: str, problem: str, fix: str) -> UserError:
    return UserError("ND3108", subject, problem, fix)
