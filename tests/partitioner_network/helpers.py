"""Small chips and small networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neurodeploy.ir.chip import Basis, CoreBudget, Limit, SystemSpec
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses import Conv, Dense
from targets.systems import get_system


def limit(value: int | None) -> Limit:
    return Limit(value, Basis.GUESSED, "made up for a test")


def tiny(
    neurons: int | None = 8192,
    synapse_bytes: int | None = 131072,
    in_axons: int | None = 4096,
    out_axons: int | None = None,
    state_bytes: int | None = 65536,
    *,
    cores: int = 120,
    system: str = "hala-point",
) -> SystemSpec:
    """A system whose cores hold only so much."""
    base = get_system(system)
    budget = CoreBudget(*(limit(value) for value in (neurons, synapse_bytes, in_axons, out_axons, state_bytes)))
    return replace(base, chip=replace(base.chip, budget=budget, cores=cores))


def shrunken(seed: int) -> SystemSpec:
    """Random budgets small enough that small networks are cut, in rows and in columns, or do not fit."""
    rng = np.random.default_rng(seed)
    return tiny(
        int(rng.integers(1, 30)),
        int(rng.integers(10, 2000)),
        int(rng.integers(1, 60)),
        int(rng.integers(2, 200)) if rng.random() < 0.5 else None,
        int(rng.integers(30, 3000)),
        cores=int(rng.integers(2, 40)),
    )


def lif(name: str, *shape: int, **params: Any) -> Population:
    return Population(name, shape, "lif", {"du": 0, "dv": 0, "vth": 10, **params})


def source(name: str, *shape: int) -> Population:
    return Population(name, shape, INPUT)


def network(populations: list[Population], *projections: Projection, outputs: tuple[str, ...] = ()) -> Network:
    found = Network("net", {p.name: p for p in populations}, projections, outputs or (populations[-1].name,))
    found.check()
    return found


def dense(rows: int, columns: int) -> Dense:
    weight = np.random.default_rng(rows * 1000 + columns).integers(-9, 10, (rows, columns), np.int8)
    return Dense(np.asfortranarray(weight))


def join(name: str, origin: str, target: str, synapse: Synapse, **options: Any) -> Projection:
    return Projection(name, origin, target, synapse, **options)


def conv(shape: tuple[int, int, int], out: int, kernel: int = 3, **options: Any) -> Conv:
    groups = options.get("groups", 1)
    return Conv(np.ones((out, kernel, kernel, shape[2] // groups), np.int8), shape, **options)
