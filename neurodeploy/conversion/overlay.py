"""A store of weights with further tensors, each held in memory or made of others when it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.graph import WeightStore

Floats = NDArray[np.float32]


class Derived(NamedTuple):
    """A tensor; `rows` gives its rows start:stop as a new array."""

    shape: tuple[int, ...]
    rows: Callable[[int, int | None], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    store: WeightStore
    added: Mapping[str, Derived]

    def names(self) -> tuple[str, ...]:
        return (*self.store.names(), *self.added)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.added[name].shape if name in self.added else self.store.shape(name)

    def get(self, name: str, start: int = 0, stop: int | None = None) -> Floats:
        return self.added[name].rows(start, stop) if name in self.added else self.store.get(name, start, stop)

    def release(self) -> None:
        self.store.release()

    def files(self) -> tuple[str, ...]:
        return self.store.files()


def held(values: NDArray[np.generic]) -> Derived:
    """What is in memory."""
    return Derived(values.shape, lambda start, stop: np.array(values[start:stop], np.float32, order="C"))


def scaled(store: WeightStore, name: str, factor: Floats) -> Derived:
    """Another tensor times a factor along its last axis."""

    def rows(start: int, stop: int | None) -> Floats:
        values = store.get(name, start, stop)
        values *= factor[start:stop] if values.ndim == 1 else factor
        return values

    return Derived(store.shape(name), rows)


def of_outputs(store: WeightStore, name: str, blocks: Floats) -> Derived:
    """A matrix (or a bias) whose rows, in groups, are multiplied by a matrix each: ``T_g w_g``, blocks (groups, k, k)."""

    def rows(start: int, stop: int | None) -> Floats:
        values = store.get(name)
        groups = values.reshape(*blocks.shape[:2], -1)
        return np.ascontiguousarray((blocks @ groups).reshape(values.shape)[start:stop])

    return Derived(store.shape(name), rows)


def of_inputs(store: WeightStore, name: str, blocks: Floats) -> Derived:
    """A tensor whose last axis, in groups, is multiplied by a matrix each: ``w_g U_g``, blocks (groups, k, k)."""

    def rows(start: int, stop: int | None) -> Floats:
        values = store.get(name, start, stop)
        groups = values.reshape(len(values), len(blocks), -1).transpose(1, 0, 2) @ blocks
        return np.ascontiguousarray(groups.transpose(1, 0, 2).reshape(values.shape))

    return Derived(store.shape(name), rows)
