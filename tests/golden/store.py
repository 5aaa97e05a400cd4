"""The recorded files, and digests of integers that do not depend on the types that hold them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FOLDER = Path(__file__).parent
KINDS = ("bits", "mappings", "ledgers")


class Case(NamedTuple):
    """`make(variant)` computes what is recorded; every variant (a runner) must give the same.

    real : minutes, or a model that does not ship. float : float32 sums decided on it, whose last bits depend on processor
    and libraries (`machine.arithmetic`).
    """

    make: Callable[[str], Any]
    variants: tuple[str, ...]
    real: bool
    float: bool


def case(
    function: Callable[..., Any],
    *arguments: Any,
    variants: tuple[str, ...] = ("",),
    real: bool = False,
    float: bool = False,
) -> Case:
    """Of ``function(*arguments)``, or where there are variants ``function(*arguments, variant)``."""

    def make(variant: str) -> Any:
        made = function(*arguments, variant) if variant else function(*arguments)
        return json.loads(json.dumps(made))  # as the file gives it back

    return Case(make, variants, real, float)


def digest(value: Any) -> str:
    """16 hex digits of an array of integers (shape and values, not its type), a word, or a tree of them by name."""
    found = hashlib.sha256()
    if isinstance(value, Mapping):
        for name in sorted(value):
            found.update(f"{name}={digest(value[name])};".encode())
    elif isinstance(value, str):
        found.update(value.encode())
    else:
        array = np.asarray(value)
        assert array.dtype.kind in "biu", array.dtype
        found.update(f"{array.shape}".encode() + np.ascontiguousarray(array, np.int64).tobytes())
    return found.hexdigest()[:16]


def load(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{kind}.json").read_text(encoding="utf-8"))
    return found


def save(kind: str, recorded: Mapping[str, Any]) -> None:
    """A case a line, in order of names."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(recorded[name])}" for name in sorted(recorded))
    (FOLDER / f"{kind}.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
