"""The synapses of `neurodeploy.ir.network` once more, in Python's own unbounded integers and plain loops.

Nothing is shared with `simulators.reference` but the neuron models, whose steps have tests of their own: what is
pending is kept by the step in which it is due, not in slots that move; sums are Python integers, so a count of values that
wrapped cannot itself be wrong by a wrap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.neurons.registry import get_model, initial_state, input_ports, is_exact, output_ports, prepared_params
from neurodeploy.synapses import Direct


def wrap(value: int, bits: int) -> tuple[int, bool]:
    turned = (value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    return turned, turned != value


class BruteForce:
    """Runs one sample; afterwards `recorded`, `wrapped`, `due` and `state` hold everything."""

    def __init__(self, network: Network, inputs: Mapping[str, Any], sample: int, steps: int) -> None:
        self.network = network
        self.wrapped: dict[str, int] = defaultdict(int)
        self.saturated: dict[str, int] = defaultdict(int)
        #: (population, port or variable) -> one list of integers a step.
        self.recorded: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
        self.due: dict[str, dict[int, list[int]]] = {p.name: {} for p in network.projections}
        self.state = {
            name: {} if population.model == INPUT else initial_state(population, 1)
            for name, population in network.populations.items()
        }
        self.synapses = {}
        for p in network.projections:
            coo = p.synapse.coo()
            self.synapses[p.name] = list(
                zip(coo.row.tolist(), coo.column.tolist(), coo.weight.tolist(), p.delays_of(coo).tolist(), strict=True)
            )
        for t in range(1, steps + 1):
            self.step(t, {name: [int(v) for v in inputs[name][sample, t - 1]] for name in network.inputs})

    def step(self, t: int, given: dict[str, list[int]]) -> None:
        sent: dict[tuple[str, str], list[int]] = {}
        waiting = list(self.network.populations)
        while waiting:
            name = next(n for n in waiting if self._ready(n, sent))
            waiting.remove(name)
            for port, payload in self.neurons(name, t, given, sent).items():
                sent[name, port] = payload
        for p in self.network.projections:
            if p.latency:
                exact = is_exact(self.network, p)
                self.deliver(p, t + 1, sent[p.source, p.source_port], exact)
        for key, values in sent.items():
            self.recorded[key].append(values)

    def _ready(self, name: str, sent: dict[tuple[str, str], list[int]]) -> bool:
        return all((p.source, p.source_port) in sent for p in self.network.into(name) if not p.latency)

    def neurons(
        self, name: str, t: int, given: dict[str, list[int]], sent: dict[tuple[str, str], list[int]]
    ) -> dict[str, list[int]]:
        population = self.network.populations[name]
        if population.model == INPUT:
            return {"s": given[name]}
        arrived = {}
        for port in input_ports(population):
            total = [0] * population.size
            exact = get_model(population.model).ports[port].exact
            for p in self.network.into(name):
                if p.target_port == port:
                    if isinstance(p.synapse, Direct):
                        self.due[p.name][t] = sent[p.source, p.source_port]
                    elif not p.latency:
                        self.deliver(p, t, sent[p.source, p.source_port], exact)
                    for i, value in enumerate(self.due[p.name].pop(t, ())):
                        total[i] += value
            for i, value in enumerate(total):
                total[i], lost = (value, False) if exact else wrap(value, 32)
                self.wrapped[name] += lost
            arrived[port] = np.array([total], np.int64)
            if port not in output_ports(population):
                self.recorded[name, port].append(total)
        stepped = get_model(population.model).step(prepared_params(population), self.state[name], arrived, t)
        self.wrapped[name] += stepped.wrapped
        self.saturated[name] += stepped.saturated
        self.saturated[f"{name}.{output_ports(population)[0]}"] += stepped.saturated_out
        for variable, array in self.state[name].items():
            if array.ndim == 2:  # a memory cannot be probed
                self.recorded[name, variable].append(array[0].tolist())
        return {port: payload[0].tolist() for port, payload in stepped.outputs.items()}

    def deliver(self, p: Any, t: int, payload: list[int], exact: bool) -> None:
        """Add to what is due: the delay slot 0 arrives in step t."""
        sums: dict[tuple[int, int], int] = defaultdict(int)
        for row, column, weight, delay in self.synapses[p.name]:
            x = payload[column]
            if not p.graded and x:
                x = 1
            sums[delay, row] += weight * x * 2 ** (0 if p.axon_exp is None else int(p.axon_exp[column]))
        for (delay, row), total in sums.items():
            bits = (99, 99) if exact else (32, p.wrap_bits)
            acc, lost = wrap(total, bits[0])
            self.wrapped[p.name] += lost
            scaled, lost = wrap(acc * 2**p.weight_exp if p.weight_exp > 0 else acc // 2**-p.weight_exp, bits[1])
            self.wrapped[p.name] += lost
            arriving = self.due[p.name].setdefault(t + delay, [0] * p.synapse.rows)
            arriving[row], lost = wrap(arriving[row] + scaled, 99 if exact else 32)
            self.wrapped[p.name] += lost
