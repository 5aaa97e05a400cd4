"""`Band`: a number with its low and its high end, combined as if all coefficients erred together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum

from neurodeploy.ir.chip import Quantity


@dataclass(frozen=True, slots=True)
class Band:
    """(low, nominal, high), end by end: ``(a + b).low = a.low + b.low``, ``(a * b).low = a.low * b.low``.

    All values here are counts, times, powers and energies, never negative, so the ends keep their order.
    """

    low: float
    nominal: float
    high: float

    def __add__(self, other: Band) -> Band:
        return Band(self.low + other.low, self.nominal + other.nominal, self.high + other.high)

    def __mul__(self, other: Band | float) -> Band:
        if isinstance(other, Band):
            return Band(self.low * other.low, self.nominal * other.nominal, self.high * other.high)
        return Band(self.low * other, self.nominal * other, self.high * other)

    def over(self, rate: Band) -> Band:
        """``self / rate`` where a high rate means less time: low over high, nominal over nominal, high over low."""
        return Band(self.low / rate.high, self.nominal / rate.nominal, self.high / rate.low)

    def to_json(self) -> dict[str, float]:
        return {"low": self.low, "nominal": self.nominal, "high": self.high}


ZERO = Band(0.0, 0.0, 0.0)


def exactly(value: float) -> Band:
    return Band(value, value, value)


def of(quantity: Quantity) -> Band:
    return Band(quantity.low, quantity.nominal, quantity.high)


def total(bands: Iterable[Band]) -> Band:
    """The sum, rounded once at each end, so that any grouping of the same entries agrees to the last digits."""
    found = list(bands)
    return Band(fsum(b.low for b in found), fsum(b.nominal for b in found), fsum(b.high for b in found))


def largest(bands: Iterable[Band]) -> Band:
    """End by end: the low end of a maximum is the maximum of the low ends."""
    found = list(bands)
    return Band(
        max((b.low for b in found), default=0.0),
        max((b.nominal for b in found), default=0.0),
        max((b.high for b in found), default=0.0),
    )
