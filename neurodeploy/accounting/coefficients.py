"""Coefficients of a chip as a file: what `calibrate` writes and `energy --coefficients` reads.

::

    {"schema": "neurodeploy-coefficients/1", "chip": "loihi2", "source": "...",
     "costs": {"t_step_floor_s": {"low": .., "nominal": .., "high": .., "unit": "s", "basis": "derived", "source": ".."}},
     "errs": {"t_step_floor_s": {"calibrated on board.csv: t_step_floor_s": 1.0}}}

A file has the coefficients that differ; the others are those of the chip's own table. Those of `errs` err with causes, by
loadings whose squares have the sum 1 (`neurodeploy.ir.chip.ChipSpec.errs`); a file may lack it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurodeploy.errors import UserError
from neurodeploy.ir.chip import Basis, ChipSpec, Quantity
from neurodeploy.storage.opening import read_bounded

SCHEMA = "neurodeploy-coefficients/1"
#: Bytes that a file has at most.
LARGEST = 1 << 20
#: How far squares of loadings may be from the sum 1.
UNIT = 1e-3


def to_json(chip: ChipSpec, names: Iterable[str], source: str) -> str:
    """These coefficients of a chip, as a file holds them."""
    costs = {name: _fields(chip.costs[name]) for name in names}
    errs = {name: dict(chip.errs[name]) for name in costs if name in chip.errs}
    found = {"schema": SCHEMA, "chip": chip.name, "source": source, "costs": costs, "errs": errs}
    return json.dumps(found, indent=1) + "\n"


def _fields(q: Quantity) -> dict[str, object]:
    return {
        "low": q.low, "nominal": q.nominal, "high": q.high, "unit": q.unit, "basis": q.basis.value, "source": q.source
    }  # fmt: skip


def read(path: Path, chip: ChipSpec) -> ChipSpec:
    """The chip with the coefficients of a file. ND3109 where it is none, is of another chip, or says what cannot be."""
    try:
        data = read_bounded(path, LARGEST)
        found = json.loads(data.decode("utf-8")) if data is not None else None
    except (OSError, ValueError) as error:
        raise _wrong(path, f"cannot be read as JSON ({error})") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise _wrong(path, f"is no file of coefficients ({SCHEMA})")
    if found.get("chip") != chip.name:
        raise _wrong(path, f"is of the chip {found.get('chip')}, the mapping of {chip.name}")
    costs = found.get("costs")
    if not isinstance(costs, dict):
        raise _wrong(path, "has no costs")
    errs = found.get("errs", {})
    if not isinstance(errs, dict):
        raise _wrong(path, "has errs that are no object")
    return replace(
        chip,
        costs={**chip.costs, **{name: _cost(path, chip, name, row) for name, row in costs.items()}},
        errs={
            **{name: loadings for name, loadings in chip.errs.items() if name not in costs},
            **{name: _loadings(path, chip, name, row) for name, row in errs.items()},
        },
    )


def _loadings(path: Path, chip: ChipSpec, name: str, row: Any) -> dict[str, float]:
    if name not in chip.costs:
        raise _wrong(path, f"has errs of {name}, which {chip.name} has not")
    try:
        found = {str(cause): float(loading) for cause, loading in row.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise _wrong(path, f"has no whole errs of {name} ({type(error).__name__}: {error})") from None
    if not abs(sum(loading**2 for loading in found.values()) - 1) < UNIT:  # NaN is not
        raise _wrong(path, f"has errs of {name} whose squares do not have the sum 1")
    return found


def _cost(path: Path, chip: ChipSpec, name: str, row: Any) -> Quantity:
    if name not in chip.costs:
        raise _wrong(path, f"has {name}, which {chip.name} has not")
    try:
        low, nominal, high = (float(row[key]) for key in ("low", "nominal", "high"))
        basis, unit, source = Basis(row["basis"]), row["unit"], str(row["source"])
    except (KeyError, TypeError, ValueError) as error:
        raise _wrong(path, f"has no whole {name} ({type(error).__name__}: {error})") from None
    if not 0 <= low <= nominal <= high < float("inf"):
        raise _wrong(path, f"has {name} = {low:g}, {nominal:g}, {high:g}, which is no band")
    if unit != chip.costs[name].unit:
        raise _wrong(path, f"has {name} in {unit}, {chip.costs[name].unit} is meant")
    return Quantity(low, nominal, high, unit, basis, source)


def _wrong(path: Path, problem: str) -> UserError:
    return UserError("ND3109", path, problem, "give a file that `neurodeploy calibrate` has written")
