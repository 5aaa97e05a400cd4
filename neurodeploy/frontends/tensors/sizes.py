"""Sizes of values, as both frontends reckon them."""

from __future__ import annotations

from collections.abc import Sequence

#: Numbers of a value of one sample, and of constants that are computed with: more than sixteen chips of neurons.
LARGEST = 1 << 24


def spread(values: Sequence[int], sides: int) -> tuple[int, ...]:
    """One number for all sides, or one each."""
    given = tuple(int(n) for n in values)
    given = given * sides if len(given) == 1 else given
    if len(given) != sides:
        raise ValueError(f"{len(given)} numbers for {sides} sides")
    return given


def windows(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """How many windows there are along each side."""
    found = []
    for size, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True):
        last = size + 2 * p - d * (k - 1) - 1
        if min(k, s, d) < 1 or p < 0 or last < 0:
            raise ValueError(f"window {k}, stride {s}, padding {p} and dilation {d} along a side of {size}")
        found.append(last // s + 1)
    return found


def unfolded(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int],
    more: Sequence[int],
) -> list[int]:  # fmt: skip
    """The sides of a map of which a convolution with these settings makes `sizes`, and `more`."""
    given = [*kernel, *stride, *dilation]
    if min(given) < 1 or min(*padding, *more, 0) < 0:
        raise ValueError(f"window, stride and dilation {given}, padding {padding} and {more}")
    rows = zip(sizes, kernel, stride, padding, dilation, more, strict=True)
    return [(size - 1) * s - 2 * p + d * (k - 1) + m + 1 for size, k, s, p, d, m in rows]
