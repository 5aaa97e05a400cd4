"""What attributes and sizes of a host operation must be: predicates that the rows of the table name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Attrs = Mapping[str, Any]
Sizes = Sequence[int]


def natural(value: Any) -> bool:
    return type(value) is int and value >= 1


def count(value: Any) -> bool:
    return type(value) is int and value >= 0


def natural_or_none(value: Any) -> bool:
    return value is None or natural(value)


def number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e30


def positive(value: Any) -> bool:
    return number(value) and value > 0


def numbers(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(number, value))


def one_to_one(attrs: Attrs, inputs: Sizes, outputs: Sizes) -> bool:
    """One input, one output of as many neurons."""
    return len(inputs) == 1 and inputs == outputs


def two_to_one(attrs: Attrs, inputs: Sizes, outputs: Sizes) -> bool:
    """Two inputs and one output of as many neurons."""
    return len(inputs) == 2 and inputs == [*outputs, *outputs]


def in_groups(attrs: Attrs, inputs: Sizes, outputs: Sizes) -> bool:
    """`one_to_one`, in whole groups of ``group`` neurons."""
    return one_to_one(attrs, inputs, outputs) and inputs[0] % int(attrs["group"]) == 0


def joined(attrs: Attrs, inputs: Sizes, outputs: Sizes) -> bool:
    """Any number of inputs, one output of all their neurons."""
    return bool(inputs) and [sum(inputs)] == outputs
