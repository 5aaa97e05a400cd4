"""The spiking networks of the speed and memory measurements, each by a seed.

The layered one: Bernoulli inputs, dense layers of leaky integrate-and-fire neurons, int8 weights uniform in +-127::

    v[t] = v[t-1] * (4096 - 410) / 4096 + 64 * (weights @ spikes),   spike and v = 0 where v > 64 * threshold
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.synapses import Dense, Sparse, build

#: du of 4095 forgets the current at once, dv of 410 keeps 0.9 of the voltage.
LIF = {"du": 4095, "dv": 410}


def weights(rng: np.random.Generator, *shape: int) -> NDArray[np.int8]:
    """Uniform in -127..127, column-major: the synapses of one axon lie side by side."""
    return np.asfortranarray(rng.integers(-127, 128, shape, dtype=np.int8))


def spikes(rng: np.random.Generator, samples: int, steps: int, size: int, rate: float) -> NDArray[np.bool_]:
    """Bernoulli spikes (samples, steps, size), drawn in float32 to keep memory low."""
    return rng.random((samples, steps, size), np.float32) < np.float32(rate)


def _chain(name: str, first: Population, layers: list[tuple[Population, Any]], **projection: Any) -> Network:
    populations = {first.name: first}
    projections, source = [], first.name
    for population, synapse in layers:
        populations[population.name] = population
        projections.append(Projection(f"{source}-{population.name}", source, population.name, synapse, **projection))
        source = population.name
    return Network(name, populations, tuple(projections), (source,))


def layered(size: int = 1024, depth: int = 4, threshold: int = 1040, seed: int = 0) -> Network:
    """`depth` dense layers of LIF neurons."""
    rng = np.random.default_rng(seed)
    layers = [
        (Population(f"layer{i}", (size,), "lif", {**LIF, "vth": threshold}), Dense(weights(rng, size, size)))
        for i in range(depth)
    ]
    return _chain(f"{depth} dense layers of {size}", Population("input", (size,), INPUT), layers)


def recurrent(size: int = 1024, seed: int = 0) -> Network:
    """One population of LIF neurons that feeds itself densely."""
    rng = np.random.default_rng(seed)
    neurons = Population("neurons", (size,), "lif", {**LIF, "vth": 1800})
    net = _chain(f"recurrent {size}", Population("input", (size,), INPUT), [(neurons, Dense(weights(rng, size, size)))])
    again = Projection("again", "neurons", "neurons", Dense(weights(rng, size, size)))
    return Network(net.name, net.populations, (*net.projections, again), net.outputs)


#: PilotNet as lava-dl trains it (`netx/pilotnet_snn`): (channels, kernel, stride) of the convolutions on 200 x 66 x 3.
PILOTNET_CONV = ((24, 3, 2), (36, 3, 2), (64, 3, 2), (64, 3, 2), (64, 3, 1))
PILOTNET_DENSE = (100, 50, 10, 1)


def pilotnet(model: str = "lif", seed: int = 0) -> Network:
    """PilotNet's shapes with random weights: `lif` on spikes or `sigma_delta` on graded messages."""
    rng = np.random.default_rng(seed)
    shape: tuple[int, int, int] = (200, 66, 3)
    first = Population("input", shape, INPUT)
    params: dict[str, Any] = {**LIF, "vth": 0} if model == "lif" else {"vth": 60, "state_exp": 6, "act_mode": 1}
    layers: list[tuple[Population, Any]] = []
    for i, (channels, kernel, stride) in enumerate(PILOTNET_CONV):
        c = build.conv(weights(rng, channels, kernel, kernel, shape[2]), shape, (stride, stride))
        shape = c.output_shape
        layers.append((Population(f"conv{i}", shape, model, _threshold(params, kernel * kernel * c.input_shape[2])), c))
    size = shape[0] * shape[1] * shape[2]
    for i, rows in enumerate(PILOTNET_DENSE):
        population = Population(f"dense{i}", (rows,), model, _threshold(params, size))
        layers.append((population, Dense(weights(rng, rows, size))))
        size = rows
    graded = model != "lif"
    return _chain(f"PilotNet, {model}", first, layers, graded=graded, weight_exp=-6 if graded else 0)


def _threshold(params: dict[str, Any], fan_in: int) -> dict[str, Any]:
    """A LIF threshold at which about one neuron in twenty fires when one input in twenty does (found by trial)."""
    return {**params, "vth": int(60 * (0.05 * fan_in) ** 0.5 * 2.5)} if "dv" in params else params


def sparse_ring(neurons: int, fan_out: int, populations: int, seed: int = 0) -> Network:
    """Equal populations in a ring; every neuron has half of its synapses in its own and half in the next population.

    A bias alone lets a neuron fire every 16th step; weights of mean zero make it irregular.
    """
    rng = np.random.default_rng(seed)
    size = neurons // populations
    made = {"input": Population("input", (1,), INPUT)}
    projections = []
    params = {**LIF, "vth": 900, "bias_mant": 110, "bias_exp": 6}
    for i in range(populations):
        initial = {"v": rng.integers(0, 900 * 64, size).astype(np.uint16)}
        made[f"ring{i}"] = Population(f"ring{i}", (size,), "lif", params, initial)
        for j in sorted({i, (i + 1) % populations}):
            synapse = spread(rng, size, size, fan_out // (1 if populations == 1 else 2))
            projections.append(Projection(f"{i}-{j}", f"ring{i}", f"ring{j}", synapse))
    name = f"{populations} sparse populations, {neurons:,} neurons"
    return Network(name, made, tuple(projections), ("input",))


def spread(rng: np.random.Generator, rows: int, columns: int, fan_out: int) -> Sparse:
    """One random target in each of `fan_out` equal stretches of the rows: ascending, none twice."""
    edges = np.linspace(0, rows, fan_out + 1).astype(np.int64)
    target = np.empty((columns, fan_out), np.uint16 if rows <= 65_536 else np.int32)
    for start in range(0, columns, 8192):
        part = target[start : start + 8192]
        part[...] = edges[:-1] + (rng.random(part.shape, np.float32) * np.diff(edges)).astype(np.int64)
    indptr = (np.arange(columns + 1) * fan_out).astype(np.uint32)
    return build.sparse(rows, indptr, target.reshape(-1), rng.integers(-127, 128, columns * fan_out, dtype=np.int8))
