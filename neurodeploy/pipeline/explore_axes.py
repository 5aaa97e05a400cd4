"""The axes of an exploration: options of `convert` and `map` by name, their values, and the points of a grid."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from neurodeploy.conversion.presets import KV_BITS, ON_CHIP, PRESETS, RANGES, ROUNDINGS
from neurodeploy.conversion.tensors.coding import CODES
from neurodeploy.errors import UserError, some
from partitioner.options import OBJECTIVES
from targets.systems import SYSTEMS

CONVERT, MAP = "convert", "map"
Point = dict[str, Any]


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


class Axis(NamedTuple):
    """verb : whose option it is. read : its value of a word. values : those of the name alone, none where they depend on the
    model."""

    verb: str
    read: Callable[[str], Any] = str
    values: tuple[Any, ...] = ()


#: Presets that suit any checkpoint: "keep" needs a file of integers, "naive" is there to be beaten.
_PRESETS = tuple(name for name in PRESETS if name not in ("keep", "naive"))
AXES: Mapping[str, Axis] = {
    "preset": Axis(CONVERT, str, _PRESETS),
    "payload_bits": Axis(CONVERT, int, (8, 10, 12, 14, 16)),
    "weight_bits": Axis(CONVERT, int, (4, 6, 8)),
    "rounding": Axis(CONVERT, str, ROUNDINGS),
    "input_range": Axis(CONVERT, str, RANGES),
    "calibration_tokens": Axis(CONVERT, int, (1024, 8192)),
    "on_chip": Axis(CONVERT, str, ON_CHIP),
    "context": Axis(CONVERT, int, (512, 1024, 2048)),
    "kv_bits": Axis(CONVERT, int, KV_BITS),
    "events": Axis(CONVERT, float, (0.7, 0.8, 0.9, 1.0)),
    "keep_of": Axis(CONVERT, str, ("1:4", "1:2", "3:4")),
    "head_top": Axis(CONVERT, int, (0, 1, 8)),
    "code": Axis(CONVERT, str, CODES),
    "loss": Axis(CONVERT, float, (0.01, 0.02, 0.05)),
    "dt": Axis(CONVERT, float),
    "scheme": Axis(CONVERT, str, ("euler", "exponential")),
    "gain": Axis(CONVERT, str, ("physical", "per-step", "auto")),
    "source": Axis(CONVERT),
    "reset": Axis(CONVERT, str, ("value", "subtract")),
    "spike_exp": Axis(CONVERT, int),
    "system": Axis(MAP, str, tuple(SYSTEMS)),
    "objective": Axis(MAP, str, OBJECTIVES),
    "chips": Axis(MAP, int),
    "max_rows": Axis(MAP, int),
    "seed": Axis(MAP, int, (0, 1, 2, 3)),
    "spread": Axis(MAP, _truth, (False, True)),
    "place": Axis(MAP, _truth, (False, True)),
    "offload": Axis(MAP, _truth, (False, True)),
}


def read_over(over: Mapping[str, Any] | Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """The values of each axis. `over`: by name a value, several, or None for the axis's own values; or words as on the
    command line, ``"preset,system"`` and ``"payload_bits=8,12"``.

    Raises ND3320 (no such axis, or none), ND3321 (no values, one that cannot be read, an axis given twice).
    """
    given = over.items() if isinstance(over, Mapping) else _words([over] if isinstance(over, str) else over)
    found: dict[str, tuple[Any, ...]] = {}
    for name, values in given:
        if name not in AXES:
            raise UserError("ND3320", name or "--over", "is no axis", f"choose among {', '.join(AXES)}")
        if name in found:
            raise UserError("ND3321", name, "is given twice", f"give all its values at once: --over {name}=A,B")
        found[name] = _values(name, values)
    if not found:
        raise UserError("ND3320", "--over", "names no axis", f"choose among {', '.join(AXES)}")
    return found


def _words(texts: Iterable[str]) -> Iterable[tuple[str, list[str] | None]]:
    for text in texts:
        name, equals, values = text.partition("=")
        if equals:
            yield name.strip(), [value.strip() for value in values.split(",") if value.strip()]
        else:
            yield from ((each.strip(), None) for each in text.split(","))


def _values(name: str, given: Any) -> tuple[Any, ...]:
    axis, fix = AXES[name], f"write them: --over {name}=A,B"
    if given is None:
        given = axis.values
    elif isinstance(given, str) or not isinstance(given, Iterable):
        given = (given,)
    try:
        values = tuple(axis.read(value) if isinstance(value, str) else value for value in given)
    except (KeyError, ValueError):
        problem = f"has a value that is not of its kind among {', '.join(str(value) for value in given):.80}"
        raise UserError("ND3321", name, problem, fix) from None
    if not values:
        raise UserError("ND3321", name, "has no values that suit every model", fix)
    return tuple(dict.fromkeys(values))


def grid(axes: Mapping[str, Sequence[Any]]) -> list[Point]:
    """Every combination; the last axis changes fastest."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def chosen(axes: Mapping[str, Sequence[Any]], budget: int | None, seed: int) -> tuple[list[Point], str]:
    """The points that are computed, in the order of the grid, and the rule in words: all, or `budget` of them drawn without
    replacement by `random.Random(seed)`. ND3322 for a budget below one."""
    size = math.prod(len(values) for values in axes.values())
    if budget is not None and budget < 1:
        raise UserError("ND3322", "--budget", f"of {some(budget, 'point')} is not possible", "give at least one")
    points = grid(axes)
    if budget is None or budget >= size:
        return points, f"all {some(size, 'point')} of the grid" if size != 1 else "the one point of the grid"
    drawn = sorted(random.Random(seed).sample(range(size), budget))
    return [points[i] for i in drawn], f"{budget} of {some(size, 'point')}, drawn without replacement with seed {seed}"


def of_verb(point: Point, verb: str) -> Point:
    """The options of one verb."""
    return {name: value for name, value in point.items() if AXES[name].verb == verb}
