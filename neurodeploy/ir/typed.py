"""Values out of a bundle's JSON, each with its type and range: nothing else gets past the reader.

Every function raises `ValueError` with the key and the value; the reader makes ND5006 of it, naming the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Dyadic

Row = Mapping[str, Any]
#: No size in a bundle is larger; far above any model, far below what breaks arithmetic.
MOST = 1 << 31


def get(row: object, key: str) -> Any:
    if not isinstance(row, Mapping) or key not in row:
        raise ValueError(f"{key} is missing")
    return row[key]


def integer(row: Row, key: str, least: int = 0, most: int = MOST) -> int:
    return as_integer(get(row, key), key, least, most)


def as_integer(value: object, key: str, least: int = 0, most: int = MOST) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{key} is {value!r:.40}, an integer from {least} to {most} is needed")
    return value


def number(row: Row, key: str) -> float | None:
    """A number, or None."""
    value = get(row, key)
    if value is not None and not (type(value) in (int, float) and abs(value) < 1e300):
        raise ValueError(f"{key} is {value!r:.40}, a number is needed")
    return None if value is None else float(value)


def index(row: Row, key: str) -> int | None:
    """A number of a layer or an expert, or None."""
    return None if get(row, key) is None else integer(row, key)


def text(row: Row, key: str) -> str:
    return as_text(get(row, key), key)


def as_text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{key} is {value!r:.40}, a string is needed")
    return value


def items(row: Row, key: str) -> list[Any]:
    value = get(row, key)
    if not isinstance(value, list):
        raise ValueError(f"{key} is {value!r:.40}, a list is needed")
    return value


def texts(row: Row, key: str) -> tuple[str, ...]:
    return tuple(as_text(value, key) for value in items(row, key))


def integers(row: Row, key: str, count: int) -> tuple[int, ...]:
    values = tuple(as_integer(value, key) for value in items(row, key))
    if len(values) != count:
        raise ValueError(f"{key} is {values}, {count} integers are needed")
    return values


def dyadic(row: Row, key: str, most: int) -> Dyadic:
    """From its mantissa, at most `most`, and its exponent."""
    pair = items(row, key)
    if len(pair) != 2:
        raise ValueError(f"{key} is {pair!r:.40}, two integers are needed")
    return Dyadic(as_integer(pair[0], key, 1, most), as_integer(pair[1], key, -1000, 1000))


def flag(row: Row, key: str) -> bool:
    value = get(row, key)
    if not isinstance(value, bool):
        raise ValueError(f"{key} is {value!r:.40}, true or false is needed")
    return value


def array(row: Row, key: str) -> NDArray[Any]:
    """An array that the reader has put in the place of its description."""
    value = get(row, key)
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{key} is not an array")
    return value


def table(row: Row, key: str) -> dict[str, Any]:
    value = get(row, key)
    if not isinstance(value, dict):
        raise ValueError(f"{key} is {value!r:.40}, an object is needed")
    return value
