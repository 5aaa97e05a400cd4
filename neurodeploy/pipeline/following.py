"""Which expert follows which: counted while a text runs, for `map` to bring together and for `eval` to compare with."""

from __future__ import annotations

from collections.abc import Mapping as Table
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodeploy.bundle import Bundle
from neurodeploy.errors import UserError
from neurodeploy.ir.affinity import Affinity
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program
from neurodeploy.ops import lookup
from neurodeploy.pipeline.session import Progress

if TYPE_CHECKING:
    from torch import Tensor

    from neurodeploy.hybrid import Hybrid


#: Tokens of a text that are counted.
TOKENS = 4096


class Follower:
    """A `Capture`: looks at every deal of tokens to experts, and at the one before it in the same call."""

    def __init__(self, program: Program) -> None:
        self._deals = [op.path for op in program.operations if _deals(op)]
        self._layers = {op.path: op.layer for op in program.operations}
        self._before: Ints | None = None
        self._counts: dict[tuple[str, str], Ints] = {}
        self.tokens = 0

    @property
    def any(self) -> bool:
        """Whether there is a pair of layers to look at."""
        return len(self._deals) > 1

    def __call__(self, op: Any, values: Table[str, Tensor]) -> None:
        if op.path not in self._deals:
            return
        chosen: Ints = (values[op.inputs[1]] != 0).cpu().numpy().astype(np.int64)
        at = self._deals.index(op.path)
        if at and self._before is not None:
            pair = self._deals[at - 1], op.path
            self._counts[pair] = self._counts.get(pair, 0) + self._before.T @ chosen
        else:
            self.tokens += len(chosen)
        self._before = chosen

    def counted(self) -> Affinity:
        found = []
        for (first, second), counts in self._counts.items():
            for a, b in np.argwhere(counts).tolist():
                found.append((self._group(first, a), self._group(second, b), int(counts[a, b])))
        return Affinity(self.tokens, tuple(found))

    def _group(self, deal: str, expert: int) -> str:
        return f"layers.{self._layers[deal]}.experts.{expert}"


def _deals(op: HostOp) -> bool:
    return bool(set(lookup(op).experts(op)) & set(op.outputs))


def follow(bundle: Bundle, text: str | Path, progress: Progress | None) -> Affinity:
    """The affinity of the experts on the first `TOKENS` tokens of a text.

    Raises
    ------
    UserError ND2047 : the model has no two layers with experts.
    """
    from neurodeploy.ops.host.kvcache import State
    from neurodeploy.pipeline.texts import hybrid, windows

    watching = Follower(bundle.program)
    if not watching.any:
        problem = "is for spiking networks and for models with two layers of experts or more"
        raise UserError("ND2047", "--rates", problem, "leave it out: nothing else depends on a text")
    model = hybrid(bundle)
    for part in windows(bundle, text, TOKENS, progress):
        model.forward_hidden(part, State(), watching)
    return watching.counted()


class Drift:
    """How far the experts that follow one another in a later text are from those that the bundle's mapping was made for."""

    def __init__(self, bundle: Bundle, model: Hybrid) -> None:
        """`model` is watched where the mapping knows an affinity."""
        from partitioner.files.json_form import mapping_from_json

        self._mapping = mapping_from_json(bundle.read_mapping()) if bundle.is_mapped else None
        self._watching = Follower(bundle.program)
        if self._mapping is not None and self._mapping.affinity is not None:
            model.watch = self._watching

    def found(self, resumed: int) -> dict[str, Any]:
        """Entry "affinity": None after windows that were `resumed` and not seen; no entry where the mapping knows none."""
        if self._mapping is None or self._mapping.affinity is None:
            return {}
        if resumed:
            return {"affinity": None}
        now = self._watching.counted()
        drift = {"tokens": now.tokens, "drift": self._mapping.affinity.drift(now)}
        return {"affinity": drift | {"between_chips": now.between(chips_of(self._mapping))}}


def chips_of(mapping: Mapping) -> dict[str, set[int]]:
    """The chips of each group."""
    found: dict[str, set[int]] = {}
    for shard in mapping.shards:
        found.setdefault(shard.group, set()).add(shard.chip)
    return found
