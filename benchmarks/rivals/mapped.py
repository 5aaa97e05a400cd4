"""Networks that our mapper and nengo-loihi both take, with the rates of a run: dense, convolutional, sparse, recurrent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.run import RunActivity
from neurodeploy.synapses import Conv, Dense
from neurodeploy.synapses.build import sparse_from_coo
from simulators.fast.runner import FastRunner

STEPS, SEED, INPUT_RATE = 20, 11, 0.1


@dataclass(frozen=True, eq=False)
class Case:
    """A network, the spikes of its inputs (steps, size) and what a run of them counted."""

    network: Network
    spikes: dict[str, Ints]
    activity: RunActivity


def _case(name: str, sizes: dict[str, tuple[int, ...]], links: list[tuple[str, str, object]], fire: int) -> Case:
    populations = {}
    for key, shape in sizes.items():
        params = {} if key.startswith("in") else {"du": 4095, "dv": 400, "vth": fire}
        populations[key] = Population(key, shape, INPUT if not params else "lif", params)
    projections = tuple(Projection(f"{a}_{b}", a, b, synapse) for a, b, synapse in links)  # type: ignore[arg-type]
    network = Network(name, populations, projections, (list(populations)[-1],))
    network.check()
    rng = np.random.default_rng(SEED)
    spikes = {key: (rng.random((STEPS, populations[key].size)) < INPUT_RATE).astype(np.int64) for key in network.inputs}
    result = FastRunner().run(network, {k: v[None].astype(np.int32) for k, v in spikes.items()}, STEPS)
    return Case(network, spikes, result.activity)


def _dense(rng: np.random.Generator, rows: int, columns: int) -> Dense:
    return Dense(np.asfortranarray((2 * rng.integers(-60, 64, (rows, columns))).astype(np.int8)))


def _conv(rng: np.random.Generator, out: int, shape: tuple[int, int, int]) -> Conv:
    return Conv((2 * rng.integers(-40, 64, (out, 3, 3, shape[2]))).astype(np.int8), shape)


def _sparse(rng: np.random.Generator, rows: int, columns: int, density: float) -> object:
    row, column = np.nonzero(rng.random((rows, columns)) < density)
    return sparse_from_coo(rows, columns, row, column, (2 * rng.integers(-50, 64, len(row))).astype(np.int8))


def _ring(rng: np.random.Generator, size: int, near: int, order: Ints) -> object:
    """Neuron i reaches its `near` neighbours to both sides on a ring whose order is hidden."""
    offsets = np.concatenate([np.arange(-near, 0), np.arange(1, near + 1)])
    column = np.repeat(np.arange(size), len(offsets))
    row = (column + np.tile(offsets, size)) % size
    weight = (2 * rng.integers(-40, 64, len(row))).astype(np.int8)
    return sparse_from_coo(size, size, order[row], order[column], weight)


def cases() -> list[Case]:
    """Eight networks of different kinds, from a tenth of a chip to two chips of Loihi 1."""
    rng = np.random.default_rng(SEED)
    d, hidden = _dense, rng.permutation(6000)
    a, b = (22, 22, 2), (20, 20, 8)
    return [
        _case("chain", {"in": (600,), "a": (1000,), "b": (1000,), "c": (1000,)},
              [("in", "a", d(rng, 1000, 600)), ("a", "b", d(rng, 1000, 1000)), ("b", "c", d(rng, 1000, 1000))], 900),
        _case("recurrent", {"in": (400,), "a": (1400,), "b": (200,)},
              [("in", "a", d(rng, 1400, 400)), ("a", "a", d(rng, 1400, 1400)), ("a", "b", d(rng, 200, 1400))], 1500),
        _case("conv", {"in": a, "a": b, "b": (18, 18, 16), "c": (16, 16, 16), "d": (10,)},
              [("in", "a", _conv(rng, 8, a)), ("a", "b", _conv(rng, 16, b)), ("b", "c", _conv(rng, 16, (18, 18, 16))),
               ("c", "d", d(rng, 10, 4096))], 200),
        _case("reservoir", {"in": (300,), "a": (3000,), "b": (100,)},
              [("in", "a", d(rng, 3000, 300)), ("a", "a", _sparse(rng, 3000, 3000, 0.02)),
               ("a", "b", d(rng, 100, 3000))], 700),
        _case("ring", {"in": (6000,), "a": (6000,)},
              [("in", "a", _ring(rng, 6000, 10, hidden)), ("a", "a", _ring(rng, 6000, 15, hidden))], 150),
        _case("autoencoder", {"in": (784,), "a": (1500,), "b": (300,), "c": (60,), "d": (300,), "e": (1500,)},
              [("in", "a", d(rng, 1500, 784)), ("a", "b", d(rng, 300, 1500)), ("b", "c", d(rng, 60, 300)),
               ("c", "d", d(rng, 300, 60)), ("d", "e", d(rng, 1500, 300))], 700),
        _case("branches", {"in": (500,), "a": (900,), "b": (900,), "c": (700,), "d": (700,)},
              [("in", "a", d(rng, 900, 500)), ("in", "b", d(rng, 900, 500)), ("a", "c", d(rng, 700, 900)),
               ("b", "d", d(rng, 700, 900)), ("c", "d", d(rng, 700, 700)), ("d", "a", d(rng, 900, 700))], 900),
        _case("two chips", {"in": (700,), **{f"l{k}": (1700,) for k in range(7)}},
              [("in", "l0", d(rng, 1700, 700)), *((f"l{k}", f"l{k + 1}", d(rng, 1700, 1700)) for k in range(6))], 1300),
    ]  # fmt: skip


def small_cases() -> list[Case]:
    """Three networks that SANA-FE reads in seconds; cut into short tiles they fill dozens of cores."""
    rng = np.random.default_rng(SEED)
    d, hidden, a = _dense, rng.permutation(1200), (14, 14, 1)
    return [
        _case("small conv", {"in": a, "a": (12, 12, 6), "b": (10, 10, 8), "c": (10,)},
              [("in", "a", _conv(rng, 6, a)), ("a", "b", _conv(rng, 8, (12, 12, 6))), ("b", "c", d(rng, 10, 800))], 150),
        _case("small recurrent", {"in": (80,), "a": (400,), "b": (300,), "c": (200,)},
              [("in", "a", d(rng, 400, 80)), ("a", "b", d(rng, 300, 400)), ("b", "b", _sparse(rng, 300, 300, 0.1)),
               ("b", "c", d(rng, 200, 300)), ("c", "a", _sparse(rng, 400, 200, 0.1))], 400),
        _case("small ring", {"in": (1200,), "a": (1200,)},
              [("in", "a", _ring(rng, 1200, 5, hidden)), ("a", "a", _ring(rng, 1200, 8, hidden))], 120),
    ]  # fmt: skip


def write(case: Case, path: Path) -> None:
    """The file that `rival_nengo.py` reads."""
    network, arrays, rows = case.network, {}, []
    steps = case.activity.steps * case.activity.samples
    for k, p in enumerate(network.projections):
        kind = type(p.synapse).__name__.lower()
        if kind == "sparse":
            row, column, weight = p.synapse.coo()[:3]
            arrays[f"weight_{k}"] = np.stack([row, column, np.asarray(weight, np.int64)])
        else:
            arrays[f"weight_{k}"] = np.asarray(p.synapse.weight)  # type: ignore[union-attr]
        if kind == "conv":
            arrays[f"shape_{k}"] = np.array(p.synapse.input_shape)  # type: ignore[union-attr]
        rows.append([p.source, p.target, kind])
    for name, population in network.populations.items():
        arrays[f"rate_{name}"] = case.activity.fired.get(name, {}).get("s", np.zeros(population.size)) / steps
    names = list(network.populations)
    sizes = [network.populations[name].size for name in names]
    np.savez(path, names=np.array(names), sizes=np.array(sizes), projections=np.array(rows), **arrays)
