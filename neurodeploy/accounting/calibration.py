"""Coefficients of a chip from measurements: maximum a posteriori, with what is published as the prior.

A coefficient is log-normal: its band holds nine tenths, ``s = log(high / low) / (2 * 1.645)``, around its nominal value,
and it errs with causes (`ir.chip.ChipSpec.errs`; by itself: a cause of its own)::

    log x_k = log nominal_k + s_k sum_c a_kc z_c            z ~ N(0, 1), sum_c a_kc^2 = 1

With p_i the account of row i (joules at a boundary, seconds, or their quotient) and m_i what was measured, the causes
are those that minimise::

    sum_i (log p_i(z) - log m_i)^2 / e_i^2  +  sum_c z_c^2

by `scipy.optimize.least_squares`. Near the minimum that is a normal distribution whose covariance C is the inverse of
``J^T J`` (Laplace); a new band holds nine tenths of it, ``s'_k = s_k sqrt(a_k C a_k^T)``, and coefficients err together
from then on as C says: their new causes are the columns of its Cholesky factor. J are slopes over the spread that they
lead to, to both sides, and not those of a point: a time is the largest of several, and which one may change within the
spread. Where rows miss by more than their errors e_i, these are taken to be as large as they miss. Coefficients that
rows say nothing of stay as they are.

Rows may be of several systems with one chip: a coefficient that the systems have alike is one, another is one of each
system.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from typing import Any

import numpy as np

from neurodeploy.accounting.band import NINE_TENTHS, TAIL, Floats
from neurodeploy.accounting.costs import plain, with_values
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.accounting.measurement import Measurement, wrong_rows
from neurodeploy.ir.chip import Basis, ChipSpec, Quantity

#: Coefficients of a run; the rest of a chip's table are sizes.
OF_RUNS = ("_j", "_s", "_w", "_factor")
#: What a run misses by though its coefficients be known: no coefficient that rows of other runs could tell.
ERRORS = ("energy_error_ratio", "time_error_ratio")
#: A row depends on a cause where moving it by its own spread moves the row by this share.
DEPENDS = 1e-4
#: A row is said to set what moves it by this share.
SETS = 0.1
#: A coefficient whose band keeps this share of its width stays as it is.
LEARNT = 0.99
#: Points that the search begins at: where the largest of several times changes it may find no way down.
STARTS = 3
#: How often slopes are taken over the spread that those before have led to.
SLOPES = 3
#: Of the slopes of the search; and how often one search asks at most.
SMALL, TRIED = 1e-5, 60


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One of `systems`, which have it alike. loadings : on causes, its prior."""

    name: str
    systems: tuple[str, ...]
    prior: Quantity
    loadings: Mapping[str, float]

    @property
    def spread(self) -> float:
        return spread(self.prior)


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """chips : by system, with the new coefficients. before, after : what the account says of each row. missed : by how
    many of its errors a row is missed, root of the mean square. shrunk : by coefficient that is another, the new band
    over the old one, as logarithms; of one that systems have of their own, the name and the system with ``@`` between
    them. set_by : the rows that it moves by `SETS` of their spread or more. left_out : of each row, the logarithm
    of what the account would say over what was measured, had the fit not known the row, and left_out_spread its standard
    deviation by what the coefficients would not be known: ``r / (1 - h)`` and ``e sqrt(h / (1 - h))`` of a linear model,
    h the row's leverage, ``J C J^T`` (what all other rows say of it, exact where slopes are constant).
    """

    chips: Mapping[str, ChipSpec]
    before: Floats
    after: Floats
    missed: float
    shrunk: Mapping[str, float]
    set_by: Mapping[str, Sequence[str]]
    left_out: Floats
    left_out_spread: Floats

    @property
    def chip(self) -> ChipSpec:
        """Of the first row's system."""
        return next(iter(self.chips.values()))

    def rows(self, measured: Sequence[Measurement]) -> list[dict[str, Any]]:
        return [
            {
                "name": row.name, "phase": row.phase, "quantity": row.quantity, "boundary": row.boundary or None,
                "part": row.part or "total", "measured": row.value, "before": before, "after": after,
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
    chips = _chips(measured)
    every = list(_coefficients(chips))
    causes = list(dict.fromkeys(cause for each in every for cause in each.loadings))
    values, errors = (np.array([getattr(row, key) for row in measured]) for key in ("value", "error"))

    bare = {id(loads): _at_most(loads) for loads in (row.loads for row in measured)}
    alone = [replace(row, loads=bare[id(row.loads)], host=plain(row.host)) for row in measured]

    def computed(z: Floats) -> Floats:
        """(points, rows): the account with the causes at the points z (points, causes), at all of them at once."""
        there = _moved(chips, every, dict(zip(causes, z.T, strict=True)))
        ledgers: dict[tuple[int, str, str, str], EnergyLedger] = {}
        found = []
        for row in alone:  # rows of one run share its account
            key = (id(row.loads), row.system.name, row.phase, row.powered)
            if key not in ledgers:
                ledgers[key] = row.ledger(there[row.system.name])
            found.append(np.broadcast_to(row.of(ledgers[key]).values, len(z)))
        return np.asarray(np.stack(found, axis=1), dtype=np.float64)

    before = computed(np.zeros((1, len(causes))))[0]
    if not (before > 0).all():
        raise wrong_rows(
            measured[int(np.flatnonzero(before <= 0)[0])].name, "is nothing in our account", "leave the row out"
        )
    moved = np.abs(np.log(computed(np.eye(len(causes))) / before)) if causes else np.zeros((0, 1))
    set_by = {
        cause: [row.name for row, by in zip(measured, line, strict=True) if by > SETS]
        for cause, line in zip(causes, moved, strict=True)
    }
    causes = [cause for cause, line in zip(causes, moved, strict=True) if (line > DEPENDS).any()]
    if not causes:
        raise wrong_rows("measurements", "depend on no coefficient that has a band", "give rows of another boundary")

    def residuals(z: Floats) -> Floats:
        """(points, rows + causes)."""
        return np.concatenate([np.log(computed(z) / values) / errors, z], axis=1)

    def slopes_at(z: Floats, sd: Floats) -> Floats:
        """(rows + causes, causes): over `sd` to both sides."""
        steps = np.diag(sd)
        sides = residuals(np.concatenate([z + steps, z - steps]))
        return np.asarray((sides[: len(sd)] - sides[len(sd) :]).T / (2 * sd), dtype=np.float64)

    from scipy.optimize import least_squares

    starts = np.random.default_rng(0).normal(size=(STARTS, len(causes)))
    starts[0] = 0.0
    small = np.full(len(causes), SMALL)
    searched = [
        least_squares(
            lambda z: residuals(z[None])[0], start, lambda z: slopes_at(z, small), method="lm", max_nfev=TRIED
        )
        for start in starts
    ]
    found = min(searched, key=lambda one: one.cost)
    missed = float(np.sqrt(np.mean(found.fun[: len(measured)] ** 2)))
    covariance, sd = np.eye(len(causes)), np.ones(len(causes))
    for _ in range(SLOPES):
        slopes = slopes_at(found.x, sd)
        slopes[: len(measured)] /= max(1.0, missed)
        covariance = np.asarray(np.linalg.inv(slopes.T @ slopes), dtype=np.float64)
        sd = np.sqrt(np.diag(covariance))
    own = slopes[: len(measured)]
    leverage = np.einsum("ij,jk,ik->i", own, covariance, own)
    inflated = errors * max(1.0, missed)
    left_out = found.fun[: len(measured)] * errors / (1 - leverage), inflated * np.sqrt(leverage / (1 - leverage))
    factor = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    after, shrunk = _learnt(chips, every, causes, found.x, factor, source)
    needed = np.sqrt(np.maximum(0.0, (left_out[0] / NINE_TENTHS) ** 2 - left_out[1] ** 2))
    unsaid = max(float(np.median(errors)), float(np.quantile(needed, 1 - 2 * TAIL, method="inverted_cdf")))
    after = {name: _unsaid(chip, unsaid, source) for name, chip in after.items()}
    again = np.array([row.computed(after[row.system.name]) for row in measured])
    return Calibrated(after, before, again, missed, shrunk, set_by, *left_out)


def _unsaid(chip: ChipSpec, sd: float, source: str) -> ChipSpec:
    """What a run may miss by though coefficients be known: so much that nine in ten of these rows would lie in their
    bands, had the fit not known them; if that is less than before."""
    costs = {}
    for name in ERRORS:
        known = chip.costs[name]
        if sd < spread(known):
            text = f"{source}: rows left out miss by {sd:.2g} more than coefficients explain; before: {known.source}"
            costs[name] = Quantity(exp(-NINE_TENTHS * sd), 1.0, exp(NINE_TENTHS * sd), "1", Basis.DERIVED, text)
    return replace(chip, costs={**chip.costs, **costs})


def _learnt(
    chips: Mapping[str, ChipSpec], every: Sequence[Coefficient], causes: Sequence[str], middle: Floats, factor: Floats,
    source: str,
) -> tuple[dict[str, ChipSpec], dict[str, float]]:  # fmt: skip
    """The chips with what was learnt, causes at `middle` with the covariance ``factor factor^T``; and by how much bands
    shrank."""
    costs: dict[str, dict[str, Quantity]] = {system: {} for system in chips}
    errs: dict[str, dict[str, Mapping[str, float]]] = {system: {} for system in chips}
    shrunk: dict[str, float] = {}
    for each in every:
        loadings = np.array([each.loadings.get(cause, 0.0) for cause in causes])
        rest = 1.0 - float(loadings @ loadings)  # of causes that no row depends on
        new = loadings @ factor
        share = float(np.sqrt(new @ new + max(0.0, rest)))
        if not loadings.any() or share >= LEARNT or rest > 1e-9:
            continue
        x, s = log(each.prior.nominal) + each.spread * float(loadings @ middle), each.spread * share
        quantity = Quantity(
            exp(x - NINE_TENTHS * s), exp(x), exp(x + NINE_TENTHS * s), each.prior.unit, Basis.DERIVED,
            f"{source}; before: {each.prior.nominal:g}, {each.prior.source}",
        )  # fmt: skip
        together = {
            f"{source}: {cause}": load for cause, load in zip(causes, (new / share).tolist(), strict=True) if load
        }
        alone = len(each.systems) == len(chips)
        shrunk[each.name if alone else f"{each.name}@{each.systems[0]}"] = share
        for system in each.systems:
            costs[system][each.name], errs[system][each.name] = quantity, together
    after = {
        name: replace(chip, costs={**chip.costs, **costs[name]}, errs={**chip.errs, **errs[name]})
        for name, chip in chips.items()
    }
    return after, shrunk


def _moved(chips: Mapping[str, ChipSpec], every: Sequence[Coefficient], z: Mapping[str, Floats]) -> dict[str, ChipSpec]:
    """The chips with causes at `z`, others at 0; no coefficient has a band there."""
    values: dict[str, dict[str, float | Floats]] = {system: dict.fromkeys(ERRORS, 1.0) for system in chips}
    for each in every:
        offs = [loading * z[cause] for cause, loading in each.loadings.items() if cause in z]
        value = each.prior.nominal * np.exp(each.spread * np.sum(offs, axis=0)) if offs else each.prior.nominal
        for system in each.systems:
            values[system][each.name] = value
    return {name: with_values(chip, values[name]) for name, chip in chips.items()}


def _at_most(loads: RunLoads) -> RunLoads:
    """Without the band that counts have of their own."""
    parts = (replace(part, counts=replace(part.counts, interchip_least=part.counts.interchip)) for part in loads.parts)
    return replace(loads, parts=tuple(parts))


def _coefficients(chips: Mapping[str, ChipSpec]) -> Iterator[Coefficient]:
    """Those that have a band, once for all systems that have it alike."""
    for name in dict.fromkeys(name for chip in chips.values() for name in chip.costs if name.endswith(OF_RUNS)):
        kinds: dict[tuple[Quantity, str], list[str]] = {}
        for system, chip in chips.items():
            quantity, loadings = chip.costs[name], chip.errs.get(name)
            kinds.setdefault((quantity, repr(loadings)), []).append(system)
        for (quantity, _), systems in kinds.items():
            own = name if len(kinds) == 1 else f"{name}@{systems[0]}"
            if spread(quantity):
                yield Coefficient(name, tuple(systems), quantity, chips[systems[0]].errs.get(name, {own: 1.0}))


def _chips(measured: Sequence[Measurement]) -> dict[str, ChipSpec]:
    """By system, in the order of the rows."""
    if not measured:
        raise wrong_rows("measurements", "have no row", "give at least one")
    for row in measured:
        for what, value in (("value", row.value), ("error", row.error)):
            if not 0 < value < float("inf"):
                raise wrong_rows(row.name, f"has {what} {value:g}", "give a positive number")
    first = measured[0].system
    for row in measured:
        if row.system.chip.name != first.chip.name:
            problem = f"is of another chip ({row.system.chip.name}) than the first row ({first.chip.name})"
            raise wrong_rows(row.name, problem, "calibrate each chip by itself")
    return {row.system.name: row.system.chip for row in measured}
