"""Linear layers by themselves: random ones, and their run on a runner, every token a sample of one step."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import Section
from neurodeploy.ir.run import RunActivity, Runner
from neurodeploy.synapses.linear import LinearLayer, linear_layer
from tests.islands import payload_max


@lru_cache(maxsize=64)
def network_of(island: LinearLayer) -> Network:
    """The layer as a network by itself."""
    populations = {p.name: p for p in (island.source, island.neurons)}
    return Network(island.name, populations, (island.synapses,), (island.name,))


class Seen(NamedTuple):
    """What a layer counts."""

    tokens: int
    events: np.ndarray
    messages_out: np.ndarray
    saturated_state: int = 0
    saturated_out: int = 0


def seen(name: str, activity: RunActivity) -> Seen:
    fired, lost = activity.fired, activity.saturated
    clipped = lost.get(name, 0), lost.get(f"{name}.s", 0)
    return Seen(activity.ticks, fired[f"{name}.input"]["s"], fired[name]["s"], *clipped)


def run_network(runner: Runner, network: Network, name: str, payload: np.ndarray) -> tuple[np.ndarray, Seen]:
    """Payloads (samples, steps, columns)."""
    found = runner.run(network, {f"{name}.input": payload}, payload.shape[1])
    return found.outputs[name].reshape(payload.shape[0] * payload.shape[1], -1), seen(name, found.activity)


def run_layer(runner: Runner, island: LinearLayer, payload: np.ndarray) -> tuple[np.ndarray, Seen]:
    """Payloads (tokens, columns)."""
    return run_network(runner, network_of(island), island.name, payload[:, None])


def make_island(
    rows: int, columns: int, *, bits: int = 16, wide: int = 0, seed: int = 0, bias: bool = False, acc_shift: int = 6,
    shifts: tuple[int, int] = (12, 22), extreme: bool = False,
) -> LinearLayer:  # fmt: skip
    random = np.random.default_rng(seed)
    weight = random.integers(-127, 128, (rows, columns)).astype(np.int8)
    if extreme:
        weight[:] = np.where(random.random((rows, columns)) < 0.5, 127, -127)
        weight[0] = 127
    axon_shift = np.zeros(columns, np.uint8)
    axon_shift[random.permutation(columns)[:wide]] = 8
    params = {
        "multiplier": random.integers(1 << 14, 1 << 15, rows).astype(np.int16),
        "shift": random.integers(*shifts, rows).astype(np.uint8),
        "acc_shift": acc_shift,
    }
    if bias:
        params["bias"] = random.integers(-(10**7), 10**7, rows)
    sections = [Section("a", 0, rows // 2), Section("b", rows // 2, rows)] if rows > 1 else [Section("a", 0, 1)]
    return linear_layer(
        "island", weight, params, scales=(Dyadic(3, -9), Dyadic(5, -20)), payload_bits=bits, axon_exp=axon_shift,
        values=("x", tuple(section.path for section in sections)), sections=sections,
    )  # fmt: skip


def payload_for(island: LinearLayer, tokens: int, seed: int = 0) -> np.ndarray:
    """Random payloads with the extremes, silence and sparse rows among them."""
    random = np.random.default_rng(seed)
    limit = payload_max(island)
    payload = random.integers(-limit, limit + 1, (tokens, island.source.size))
    payload[random.random(payload.shape) < 0.3] = 0
    for row, value in zip(range(tokens), (limit, -limit, 0), strict=False):
        payload[row] = value
    return payload.astype(np.int16)
