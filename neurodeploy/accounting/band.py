"""`Band`: a number as what it would be for many draws of the coefficients that it is made of.

A coefficient with (low, nominal, high) is drawn from a normal distribution of its logarithm, of two halves, whose middle
is the nominal value and whose ends hold nine tenths::

    value(z) = nominal (high / nominal)^(z / 1.645)   z > 0          nominal (low / nominal)^(-z / 1.645)   z < 0

with z of a standard normal distribution, `DRAWS` values in equal shares of it, in an order that hangs on the coefficient's
name alone. What has the same name errs together, in all places and in all accounts; different names err by themselves, but
for those that a chip says to share a cause (`ir.chip.ChipSpec.errs`). Sums, products, quotients and maxima are taken draw by
draw, so that a band holds nine tenths of what comes out, and not the sum of all ends at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, reduce
from math import fsum
from statistics import NormalDist
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.chip import Quantity

#: Draws of a band.
DRAWS = 256
#: Share of the draws below the low end, and above the high one.
TAIL = 0.05
#: Standard deviations between the middle of a normal distribution and the end of what holds nine tenths of it.
NINE_TENTHS = NormalDist().inv_cdf(1 - TAIL)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """values (1 + DRAWS,): the number at nominal coefficients, and at each draw; (1,) if all are the same. Never
    negative."""

    values: Floats

    @property
    def nominal(self) -> float:
        return float(self.values[0])

    @property
    def low(self) -> float:
        """Below it lies a twentieth of the draws; the nominal number if that is lower."""
        return self.ends()[0]

    @property
    def high(self) -> float:
        return self.ends()[1]

    def ends(self) -> tuple[float, float]:
        """(low, high)."""
        if self.values.size == 1:
            return self.nominal, self.nominal
        found = np.quantile(self.values[1:], (TAIL, 1 - TAIL))
        return min(float(found[0]), self.nominal), max(float(found[1]), self.nominal)

    def __add__(self, other: Band) -> Band:
        return Band(self.values + other.values)

    def __mul__(self, other: Band | float) -> Band:
        return Band(self.values * (other.values if isinstance(other, Band) else other))

    def over(self, other: Band) -> Band:
        """``self / other``."""
        return Band(self.values / other.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Band) and bool((self.values == other.values).all())

    def __hash__(self) -> int:
        return hash(self.nominal)

    def __repr__(self) -> str:
        low, high = self.ends()
        return f"Band({self.nominal:g}, {low:g} to {high:g})"

    def to_json(self) -> dict[str, float]:
        low, high = self.ends()
        return {"low": low, "nominal": self.nominal, "high": high}


@dataclass(frozen=True, slots=True, eq=False)
class Sampled(Quantity):
    """A quantity at values of its own (n,) in place of draws, the first of them nominal. All that it meets has no band,
    or as many values."""

    values: Floats


@cache
def scores(name: str) -> Floats:
    """(DRAWS,) standard normal scores of what is called so: the middles of `DRAWS` equal shares, in an order of its own."""
    middles = [NormalDist().inv_cdf((k + 0.5) / DRAWS) for k in range(DRAWS)]
    found = np.random.default_rng(crc32(name.encode())).permutation(np.array(middles))
    found.flags.writeable = False
    return found


def exactly(value: float) -> Band:
    return Band(np.array([value], dtype=np.float64))


ZERO = exactly(0.0)


def between(least: float, most: float, name: str) -> Band:
    """A count of which two bounds are known, nominal the upper one, anywhere between them."""
    if least >= most:
        return exactly(most)
    ranks = np.argsort(np.argsort(scores(name)))
    return Band(np.concatenate([[most], least + (most - least) * (ranks + 0.5) / DRAWS]))


def of(quantity: Quantity, errs: str | Mapping[str, float]) -> Band:
    """The quantity's draws. errs : the name of what it errs with; or names with loadings, whose squares have the sum 1 (z is
    the sum of their scores, each times its loading)."""
    if isinstance(quantity, Sampled):
        return Band(quantity.values)
    if quantity.low == quantity.high:
        return exactly(quantity.nominal)
    loadings = ((errs, 1.0),) if isinstance(errs, str) else tuple(errs.items())
    return _drawn(quantity.low, quantity.nominal, quantity.high, loadings)


@lru_cache(maxsize=4096)
def _drawn(low: float, nominal: float, high: float, loadings: tuple[tuple[str, float], ...]) -> Band:
    z = np.sum([loading * scores(name) for name, loading in loadings], axis=0) / NINE_TENTHS
    sides = np.where(z < 0, low, high)
    if low > 0:
        found = nominal * (sides / nominal) ** np.abs(z)
    else:
        found = np.maximum(nominal + (sides - nominal) * np.abs(z), 0.0)
    return Band(np.concatenate([[nominal], found]))


def total(bands: Iterable[Band]) -> Band:
    """The sum; its nominal number is rounded once, so that any grouping of the same entries agrees to the last digits."""
    found = [band.values for band in bands]
    nominal = fsum(each[0] for each in found)
    drawn = [each[1:] for each in found if each.size > 1]
    if not drawn:
        return exactly(nominal)
    same = fsum(each[0] for each in found if each.size == 1)
    return Band(np.concatenate([[nominal], np.sum(drawn, axis=0) + same]))


def largest(bands: Iterable[Band]) -> Band:
    """Draw by draw."""
    found = [band.values for band in bands]
    return Band(reduce(np.maximum, found)) if found else ZERO
