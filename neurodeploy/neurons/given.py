"""What a user gives of a population: names that exist, integers within their range. `UserError` ND3241, ND3243..ND3245."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import Ints


def no_others(where: str, kind: str, given: Mapping[str, object], table: Mapping[str, object]) -> None:
    if unknown := [name for name in given if name not in table]:
        fix = f"leave it out, or use: {', '.join(table)}" if table else "leave it out"
        raise UserError("ND3241", where, f"has no {kind} {unknown[0]}", fix)


def integers(
    where: str, name: str, value: int | Ints, shape: tuple[int, ...], low: int, high: int
) -> NDArray[np.int64]:
    """`value` as int64 of shape (1,) or `shape`, in [low, high]."""
    given: Ints = np.asarray(value)
    if given.dtype.kind not in "iu":
        if given.dtype == np.object_:  # Python integers beyond 64 bits
            raise UserError(
                "ND3245", where, f"{name} has values outside {low}..{high}", f"bring {name} into that range"
            )
        problem = f"{name} is of type {given.dtype}, not of integers"
        raise UserError("ND3243", where, problem, f"round {name} and give it as int64")
    if given.shape not in ((), (1,), shape):
        fix = f"give {name} as one integer" + (f" or as an array of shape {shape}" if shape != (1,) else "")
        raise UserError("ND3244", where, f"{name} has the shape {given.shape}", fix)
    smallest, largest = int(given.min()), int(given.max())
    if smallest < low or largest > high:
        worst = smallest if smallest < low else largest
        raise UserError("ND3245", where, f"{name} = {worst} is outside {low}..{high}", f"bring {name} into that range")
    return given.reshape(shape if given.shape == shape else -1).astype(np.int64)
