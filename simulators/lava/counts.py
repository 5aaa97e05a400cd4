"""`RunActivity` of a Lava run, from what was recorded there.

Lava counts nothing. `fired` are the recorded payloads that are not zero. What wrapped or was clipped inside a process
does not show from outside: each population and each projection is therefore replayed alone, on the inputs that Lava
recorded for it, with the rules of `neurodeploy.neurons` and `simulators.reference`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.raster import Raster, packed
from neurodeploy.ir.run import RunActivity, RunState
from neurodeploy.neurons.registry import get_model, prepared_params
from simulators.lava.connections import PROCESSES
from simulators.reference import count, reference_sums, shift, wrap, wrapped_sums

#: Population -> port -> (samples, steps, size) int64.
Recorded = Mapping[str, Mapping[str, NDArray[np.int64]]]
#: Models whose Lava process sends int64, so that what receives it computes in int64 too.
WIDE_SENDERS = ("spiker", "ternary_lif")


def activity(
    network: Network, begin: RunState, sent: Recorded, sums: Recorded, steps: int
) -> tuple[RunActivity, list[tuple[str, str]]]:
    """Counts, and doubts (who, what): where Lava itself leaves 32 bits in a way that is not two's complement.

    begin : the state before the run. sent : payloads of all output ports; sums : what arrived, added exactly.
    """
    fired = {
        name: {port: np.count_nonzero(payload, axis=(0, 1)).astype(np.int64) for port, payload in ports.items()}
        for name, ports in sent.items()
    }
    raster = Raster.blank(fired, begin.samples, steps)
    for name, port, bits in raster or ():
        bits[:] = packed(sent[name][port])
    counted = RunActivity(steps, begin.samples, fired, {}, {}, raster)
    doubts: list[tuple[str, str]] = []
    for name, population in network.populations.items():
        if population.model != INPUT:
            sums_lost, wrapped, saturated = _population(population, begin, sums.get(name, {}), steps)
            count(counted.wrapped, name, sums_lost + wrapped)
            count(counted.saturated, name, saturated)
            wide = [p.source for p in network.into(name) if p.synapse.wire and _wide(network, p)]
            if sums_lost and wide:
                doubts.append((name, f"its sum left 32 bits, and Lava adds what comes from {wide[0]} in 64"))
    for p in network.projections:
        if p.latency:
            sums_lost, wrapped = _projection(p, begin, sent[p.source][p.source_port])
            count(counted.wrapped, p.name, sums_lost + wrapped)
            doubt = _doubt(network, p)
            if sums_lost and doubt:
                doubts.append((p.name, f"{sums_lost} sums left 32 bits, and {doubt}"))
    return counted, doubts


def _wide(network: Network, p: Projection) -> bool:
    return network.populations[p.source].model in WIDE_SENDERS


def _doubt(network: Network, p: Projection) -> str:
    """Why Lava's own process does something else with a sum that does not fit 32 bits; "" where it wraps."""
    own = PROCESSES.get(type(p.synapse))
    if own is not None and own.overflow:
        return own.overflow
    if p.graded and p.weight_exp < 0 and (p.depth > 1 or _wide(network, p)):
        return "Lava shifts them in 64 bits before they wrap"
    return ""


def _population(
    population: Population, begin: RunState, sums: Mapping[str, NDArray[np.int64]], steps: int
) -> tuple[int, int, int]:
    """Sums that did not fit, values that the model wrapped, values that it clipped."""
    model, params = get_model(population.model), prepared_params(population)
    state = {name: values.copy() for name, values in begin.neurons[population.name].items()}
    sums_lost = wrapped = saturated = 0
    arriving = {}
    for port, total in sums.items():
        arriving[port], lost = wrap(total, 32)
        sums_lost += lost
    for i in range(steps):
        at = {port: values[:, i] for port, values in arriving.items()}
        stepped = model.step(params, state, at, begin.step + i + 1)
        wrapped += stepped.wrapped
        saturated += stepped.saturated
    return sums_lost, wrapped, saturated


def _projection(p: Projection, begin: RunState, sent: NDArray[np.int64]) -> tuple[int, int]:
    """Sums of a delay slot that did not fit 32 bits; shifted and pending ones that did not."""
    pending = begin.pending[p.name].astype(np.int64)
    sums_lost = wrapped = 0
    for i in range(sent.shape[1]):
        pending = np.roll(pending, -1, axis=1)
        pending[:, -1] = 0
        x = sent[:, i] if p.graded else (sent[:, i] != 0).astype(np.int64)
        acc, lost_sum = wrapped_sums(p, x, reference_sums)
        shifted, lost_shift = wrap(shift(acc, p.weight_exp), p.wrap_bits)
        pending, lost_pending = wrap(pending + shifted, 32)
        sums_lost += lost_sum
        wrapped += lost_shift + lost_pending
    return sums_lost, wrapped
