"""Linear layers by themselves: run on a runner, every token a sample of one step."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from neurodeploy.ir.network import Network
from neurodeploy.ir.run import RunActivity, Runner
from tests.islands import Island, layer_network

network_of = lru_cache(maxsize=64)(layer_network)


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


def run_layer(runner: Runner, island: Island, payload: np.ndarray) -> tuple[np.ndarray, Seen]:
    """Payloads (tokens, columns)."""
    return run_network(runner, network_of(island), island.name, payload[:, None])
