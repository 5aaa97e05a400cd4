"""An island as a network of two populations, and its run as the run of that network.

    NAME.input  --Dense, graded, instant, axon_exp = axon_shift-->  NAME (graded_affine)

Each token is a sample of one step. Nothing is carried from step to step, so tokens as steps would be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Island
from neurodeploy.ir.run import IslandActivity, RunResult
from neurodeploy.synapses import Dense

#: Inputs by population and a number of steps.
Run = Callable[[Network, Mapping[str, Ints], int], RunResult]
_networks: WeakKeyDictionary[Island, Network] = WeakKeyDictionary()


def source_of(island: Island) -> str:
    """The name of the population that feeds the island."""
    return f"{island.name}.input"


def network_of(island: Island) -> Network:
    """The island as a network, made once; its arrays are the island's own."""
    if island not in _networks:
        s, n, source = island.synapses, island.neurons, source_of(island)
        params: dict[str, int | Ints] = {
            "multiplier": n.multiplier, "shift": n.shift, "acc_shift": n.acc_shift,
            "state_bits": n.state_bits, "out_bits": n.out_bits,
        }  # fmt: skip
        populations = {
            source: Population(source, (island.columns,), INPUT, {"bits": island.payload_bits}),
            island.name: Population(
                island.name, (island.rows,), "graded_affine", params if n.bias is None else {**params, "bias": n.bias}
            ),
        }
        synapses = Projection(
            f"{island.name}.synapses", source, island.name, Dense(s.weight), graded=True, weight_bits=s.weight_bits,
            instant=True, axon_exp=s.axon_shift if s.axon_shift.any() else None, block_sums=s.block_abs_sum,
        )  # fmt: skip
        _networks[island] = Network(island.name, populations, (synapses,), (island.name,))
    return _networks[island]


def check_payload(island: Island, payload: NDArray[np.int16]) -> None:
    """A payload of the wrong type, width or range is our own mistake, never clipped in silence."""
    if payload.dtype != np.int16 or payload.ndim != 2 or payload.shape[1] != island.columns:
        raise InternalError(
            "ND9005", island.name, f"payload is {payload.dtype} {payload.shape}, needs int16 (tokens, {island.columns})"
        )
    if payload.size and int(np.abs(payload.astype(np.int32)).max()) > island.payload_max:
        raise InternalError("ND9005", island.name, f"a payload exceeds {island.payload_bits} bits")


def run_island(run: Run, island: Island, payload: NDArray[np.int16]) -> tuple[NDArray[np.int32], IslandActivity]:
    """`IslandRunner.run_island` by a run of `network_of`; nothing is clipped on the way in."""
    check_payload(island, payload)
    if not payload.shape[0]:
        return np.zeros((0, island.rows), np.int32), IslandActivity.zero(island)
    source, name = source_of(island), island.name
    result = run(network_of(island), {source: payload[:, None]}, 1)
    fired, saturated = result.activity.fired, result.activity.saturated
    activity = IslandActivity(
        tokens=len(payload), events=fired[source]["s"], messages_out=fired[name]["s"], saturated_in=0,
        saturated_state=saturated.get(name, 0), saturated_out=saturated.get(f"{name}.s", 0),
    )  # fmt: skip
    return result.outputs[name][:, 0], activity
