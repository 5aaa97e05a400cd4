"""NeuroBench's algorithm metrics of a run, under its own names: of a spiking network a sample, of islands a token.

Names and definitions are those of the package `neurobench` 2.3.0 (`metrics/static/*.py`, `metrics/workload/*.py`):

- ``ConnectionSparsity``: zeros over all weights of connection layers. A `Sparse` counts as the matrix that it stands for,
  a convolution by its kernel; a direct connection has no weight.
- ``ParameterCount``: stored weights and the neurons' own parameters. ``Footprint``: bytes of parameters and buffers; here
  weights and delays at their stored widths (a `Sparse` with int32 targets and int64 axon pointers), own parameters of
  neurons at the widths of the model's table, state.
- ``ActivationSparsity``: zero payloads over all payloads of neurons, all steps and samples (inputs are no activation).
- ``SynapticOperations``, per sample: `Effective_ACs` where the payloads of a projection are -1, 0 or 1 by their model or
  count as one, `Effective_MACs` where they are graded, both counting non-zero payloads times non-zero weights; `Dense`
  counts every payload and every weight, zeros included.
- ``MembraneUpdates``, per sample. NeuroBench counts neurons whose potential changed by the update, all in the first step.
  The counts of a run do not say which changed; here every neuron is updated every step, an upper bound of NeuroBench's.

The track for systems needs measured time and power, which these are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError, UserError
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Island
from neurodeploy.ir.run import ActivityCounts, RunActivity
from neurodeploy.neurons.registry import get_model, param_bits, prepared_params

VERSION = "neurobench 2.3.0"
#: Bytes of a delay of a synapse or axon.
DELAY_BYTES = 1
#: Bytes kept for each neuron of an island (int16 multiplier, uint8 shift) and each axon (uint8 exponent) besides weights.
NEURON_BYTES, AXON_BYTES = 3, 1


def network_metrics(network: Network, activity: RunActivity) -> dict[str, Any]:
    """The metrics of a network, a sample; `definitions` names the version whose names they are.

    Raises
    ------
    UserError : ND3102, no step was run.
    """
    if activity.steps <= 0 or activity.samples <= 0:
        raise UserError("ND3102", network.name, "no time step was run", "run at least one sample for one step")
    weights = stored = nonzero = macs = acs = dense = 0
    for p in network.projections:
        weights += p.synapse.weight.size + p.synapse.absent
        stored += p.synapse.weight.size
        nonzero += int(np.count_nonzero(p.synapse.weight))
        effective = int(activity.fired[p.source][p.source_port] @ p.synapse.nonzero_fan_out())
        if _graded(network, p):
            macs += effective
        else:
            acs += effective
        dense += (p.synapse.count() + p.synapse.absent) * activity.steps * activity.samples
    neurons = {n: p for n, p in network.populations.items() if p.model != INPUT}
    payloads = (
        sum(p.size * len(get_model(p.model).outputs) for p in neurons.values()) * activity.steps * activity.samples
    )
    fired = sum(int(counts.sum()) for n in neurons for counts in activity.fired.get(n, {}).values())
    updates = sum(p.size for p in neurons.values()) * activity.steps
    return {
        "Footprint": footprint(network),
        "ParameterCount": stored + sum(_own(p)[0] for p in neurons.values()),
        "ConnectionSparsity": 1 - nonzero / weights if weights else 0.0,
        "ActivationSparsity": 1 - fired / payloads if payloads else 0.0,
        "SynapticOperations": {
            "Effective_MACs": macs / activity.samples,
            "Effective_ACs": acs / activity.samples,
            "Dense": dense / activity.samples,
        },
        "MembraneUpdates": float(updates),
        "membrane_updates_are": "an upper bound: every neuron, every step",
        "definitions": VERSION,
        "per": "sample",
    }


def island_metrics(
    counts: ActivityCounts,
    islands: Mapping[str, Island],
    *,
    nonzeros: Mapping[str, NDArray[np.int64]] | None = None,
    weight_bits: int = 8,
) -> dict[str, Any]:
    """The metrics of islands, a mean token: every payload is graded, so that `Effective_ACs` is 0. `effective_is_exact` is
    False where the zeros among the weights were not given: then `Effective_MACs` counts them.

    ``Dense = sum of rows * columns * tokens``, ``Effective_MACs = sum_j events_j * nonzeros_j``, ``ActivationSparsity =
    1 - events / (columns * tokens)`` over all islands that ran, ``MembraneUpdates = sum of rows * tokens``.
    They describe the algorithm: an island counts the same whether a chip or the host computed it.

    Parameters
    ----------
    nonzeros : for each island the non-zero weights by axon, shape (columns,); without it every stored weight counts.

    Raises
    ------
    UserError : ND3102, no token was run. InternalError : ND9031, counts of an island that has no sizes.
    """
    if counts.tokens <= 0:
        raise UserError("ND3102", "energy", "no token was run, and metrics are per token", "run at least one token")
    dense = effective = updates = events = axons = 0
    for name, activity in counts.everywhere().items():
        if name not in islands:
            raise InternalError("ND9031", name, "was run and has no sizes")
        island, fired = islands[name], int(activity.events.sum())
        dense += island.rows * island.columns * activity.tokens
        effective += fired * island.rows if nonzeros is None else int(activity.events @ nonzeros[name])
        updates += island.rows * activity.tokens
        events += fired
        axons += island.columns * activity.tokens
    weights = sum(island.rows * island.columns for island in islands.values())
    stored = None if nonzeros is None else sum(int(nonzeros[name].sum()) for name in islands)
    extra = sum(NEURON_BYTES * island.rows + AXON_BYTES * island.columns for island in islands.values())
    return {
        "Footprint": (weights * weight_bits + 7) // 8 + extra,
        "ConnectionSparsity": None if stored is None or not weights else 1 - stored / weights,
        "ActivationSparsity": 1 - events / axons if axons else 0.0,
        "SynapticOperations": {
            "Effective_MACs": effective / counts.tokens,
            "Effective_ACs": 0.0,
            "Dense": dense / counts.tokens,
        },
        "MembraneUpdates": updates / counts.tokens,
        "effective_is_exact": nonzeros is not None,
    }


def footprint(network: Network) -> int:
    """Bytes of weights, delays, own parameters and state at their stored widths."""
    total = 0
    for p in network.projections:
        total += -(-p.synapse.weight.size * p.weight_bits // 8) + (0 if p.delay is None else DELAY_BYTES * p.delay.size)
        total += p.synapse.index_bytes
    for population in network.populations.values():
        if population.model != INPUT:
            total += _own(population)[1] + -(-population.size * get_model(population.model).state_bits // 8)
    return total


def _own(population: Population) -> tuple[int, int]:
    """(how many, bytes) of a population's parameters: one where it is the same for all neurons."""
    table, count, bits = get_model(population.model).params, 0, 0
    for name, value in prepared_params(population).items():
        count += value.size
        bits += value.size * param_bits(table[name])
    return count, -(-bits // 8)


def _graded(network: Network, p: Projection) -> bool:
    """Whether an event of the projection can be another number than 1 and -1."""
    source = network.populations[p.source]
    return p.graded and (source.model == INPUT or get_model(source.model).out_bits > 2)
