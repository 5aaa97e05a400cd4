"""The living definition of a time step (`neurodeploy.ir.network`): plain, slow and legible int64, event by event.

Every other runner equals it bit for bit, in outputs, probes, states and counts. What is counted, over all samples and
steps:

- `fired`: for every population and output port, inputs too, how often a neuron's payload was not zero.
- `saturated`, for each population: the values of its state that its model clipped; for each ``population.port``: the
  payloads that it clipped.
- `wrapped`, for each population: the values that its model wrapped, and the sums that arrived at a port (of all projections,
  added exactly) and did not fit 32 bits. For each projection: the exact sums of a delay slot that did not fit 32 bits, the
  shifted ones that did not fit 32 bits (24 of a `Conv`), the pending ones that did not. At an exact port nothing wraps.
- A name without a count is not in `saturated` or `wrapped`.
- `raster`: the same events as `fired`, step by step, where they take no more bytes than `neurodeploy.ir.raster` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from weakref import WeakKeyDictionary

import numpy as np

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.raster import Raster, packed
from neurodeploy.ir.run import Given, Probe, Probes, RunActivity, RunResult, RunState
from neurodeploy.neurons import registry
from neurodeploy.neurons.model import Stepped, Values
from simulators.checks import prepare

#: The largest magnitude of a payload or of a pending sum.
PAYLOAD_END = 2**31
Ports = dict[str, Values]


class Machine:
    """What executes the parts of a step: here all at once; `partitioned` does it core by core."""

    def messages(self, p: Projection, x: Ints) -> None:
        """Payloads (samples, columns) that leave for a projection in this step, direct ones too: for those who count."""

    def sums(self, p: Projection, x: Ints) -> Ints:
        """Exact sums (samples, delay slots, rows) int64 of payloads (samples, columns) int64."""
        return reference_sums(p, x)

    def update(self, network: Network, name: str, state: Values, inputs: Values, t: int) -> Stepped:
        """One step of the neurons of a population; changes `state`."""
        population = network.populations[name]
        return registry.get_model(population.model).step(prepared(network)[name], state, inputs, t)


def wrap(x: Ints, bits: int) -> tuple[Ints, int]:
    """Two's complement of `bits`, and how many values did not fit."""
    half = np.int64(1) << (bits - 1)
    wrapped = ((x + half) & (2 * half - 1)) - half
    return wrapped, int(np.count_nonzero(wrapped != x))


def shift(x: Ints, exponent: int) -> Ints:
    """``x << exponent``, or the flooring ``x >> -exponent``. Exact: 32 bits by at most 31."""
    return x << exponent if exponent > 0 else x >> -exponent


def wrapped_sums(p: Projection, x: Ints, sums: Callable[[Projection, Ints], Ints]) -> tuple[Ints, int]:
    """``wrap32`` of exact sums. Where they could exceed int64, the upper and lower 16 bits of payloads are summed apart."""
    if _bound(p) < 2**63:
        return wrap(sums(p, x), 32)
    if _bound(p) >> 15 >= 2**63:
        raise InternalError("ND9014", p.name, "has sums beyond what is computed exactly")
    high, low = sums(p, x >> 16), sums(p, x & 0xFFFF)
    high += low >> 16
    wrapped, _ = wrap((high << 16) + (low & 0xFFFF), 32)
    return wrapped, int(np.count_nonzero(wrap(high, 16)[0] != high))


_bounds: WeakKeyDictionary[Projection, int] = WeakKeyDictionary()


def _bound(p: Projection) -> int:
    """The largest sum that any payloads of 32 bits, and exponents of axons, can make."""
    if p not in _bounds:
        _bounds[p] = p.largest_sum(PAYLOAD_END)
    return _bounds[p]


def raised(p: Projection, payload: Ints) -> Ints:
    """x of `ir.network`: payloads (.., columns), or ones, in int64 and times two to the exponent of the axon."""
    x = (payload if p.graded else payload != 0).astype(np.int64)
    return x if p.axon_exp is None else x << p.axon_exp.astype(np.int64)


def contribution(p: Projection, exact: bool, payload: Ints, machine: Machine) -> tuple[Ints, int]:
    """What a projection adds, (samples, slots, rows) int64, for payloads (samples, columns); values that wrapped."""
    if p.synapse.wire:
        machine.messages(p, payload)
        return payload[:, None], 0
    x = raised(p, payload)
    machine.messages(p, x)
    if exact:
        return shift(machine.sums(p, x), p.weight_exp), 0
    acc, lost_acc = wrapped_sums(p, x, machine.sums)
    scaled, lost_shift = wrap(shift(acc, p.weight_exp), p.wrap_bits)
    return scaled, lost_acc + lost_shift


def step(
    network: Network, state: RunState, inputs: Mapping[str, Ints], activity: RunActivity, machine: Machine
) -> tuple[Ports, Ports]:
    """One step of all samples: changes `state` and `activity`, returns what arrived and what was sent, by port.

    inputs : population -> payloads (samples, size) of this step.
    """
    t = state.step + 1
    samples = next(iter(inputs.values())).shape[0] if inputs else state.samples or 1
    arrived: Ports = {
        name: {port: np.zeros((samples, population.size), np.int64) for port in registry.input_ports(population)}
        for name, population in network.populations.items()
    }
    for p in network.projections:
        if p.latency:
            pending = state.pending[p.name]
            arrived[p.target][p.target_port] += pending[:, 0]
            pending[:, :-1], pending[:, -1] = pending[:, 1:].copy(), 0

    sent: Ports = {}
    for name in network.order():
        population = network.populations[name]
        for p in network.into(name):
            if not p.latency:
                added, lost = contribution(p, registry.is_exact(network, p), sent[p.source][p.source_port], machine)
                arrived[name][p.target_port] += added[:, 0]
                count(activity.wrapped, p.name, lost)
        for port in registry.wrapping_ports(population):
            arrived[name][port], lost = wrap(arrived[name][port], 32)
            count(activity.wrapped, name, lost)
        if population.model == INPUT:
            sent[name] = {"s": inputs[name].astype(np.int64)}
        else:
            stepped = machine.update(network, name, state.neurons[name], arrived[name], t)
            sent[name] = stepped.outputs
            count(activity.wrapped, name, stepped.wrapped)
            count(activity.saturated, name, stepped.saturated)
            count(activity.saturated, registry.sent_name(population), stepped.saturated_out)
        for port, payload in sent[name].items():
            activity.fired[name][port] += np.count_nonzero(payload, axis=0)

    for p in network.projections:
        if p.latency:
            exact = registry.is_exact(network, p)
            added, lost = contribution(p, exact, sent[p.source][p.source_port], machine)
            total = state.pending[p.name] + added
            pending, lost_pending = (total, 0) if exact else wrap(total, 32)
            state.pending[p.name] = pending.astype(state.pending[p.name].dtype)
            count(activity.wrapped, p.name, lost + lost_pending)
    state.step = t
    return arrived, sent


def count(counts: dict[str, int], name: str, number: int) -> None:
    if number:
        counts[name] = counts.get(name, 0) + number


def no_activity(network: Network, samples: int, steps: int) -> RunActivity:
    """Of `steps` steps in which no output port sends."""
    fired = registry.every_neuron(network, 0)
    return RunActivity(steps, samples, fired, {}, {}, Raster.blank(fired, samples, steps))


def run_with(
    machine: Machine,
    network: Network,
    inputs: Mapping[str, Ints],
    steps: int,
    state: RunState | None,
    probes: Sequence[Probe],
    raster: bool,
) -> RunResult:
    """`Runner.run` on the given machine."""
    task = prepare(network, inputs, steps, state, probes)
    samples, now = task.samples, task.state
    activity = no_activity(network, samples, steps)
    activity.raster = activity.raster if raster else None
    outputs = {name: np.zeros((samples, steps, network.populations[name].size), np.int32) for name in network.outputs}
    recorded = {probe.name: np.zeros((samples, steps, probe.width(network)), np.int64) for probe in probes}
    for i in range(steps):
        at = {name: np.asarray(array)[:, i] for name, array in task.inputs.items()}
        arrived, sent = step(network, now, at, activity, machine)
        for name, port, bits in activity.raster or ():
            bits[:, i] = packed(sent[name][port])
        for name, output in outputs.items():
            output[:, i] = sent[name][registry.output_ports(network.populations[name])[0]]
        for probe in probes:
            found = {**arrived[probe.population], **sent[probe.population], **now.neurons.get(probe.population, {})}
            recorded[probe.name][:, i] = probe.of(found[probe.variable])
    return RunResult(outputs, recorded, activity, now)


_prepared: WeakKeyDictionary[Network, dict[str, Values]] = WeakKeyDictionary()


def prepared(network: Network) -> dict[str, Values]:
    """Checked parameters of all populations, made once for each network."""
    if network not in _prepared:
        _prepared[network] = {name: registry.prepared_params(p) for name, p in network.populations.items()}
    return _prepared[network]


def reference_sums(p: Projection, x: Ints) -> Ints:
    """Exact sums of each delay slot: (samples, slots, rows)."""
    if p.delay_by == "synapse":
        return cell_sums(x, *_cells(p), (p.depth, p.synapse.rows))
    slot = np.zeros(p.synapse.columns, np.int64) if p.delay is None else p.delay
    out = np.zeros((x.shape[0], p.depth, p.synapse.rows), np.int64)
    for k in range(p.depth):
        due = np.where(slot == k, x, 0)
        if due.any():
            out[:, k] = p.synapse.sums(due)
    return out


def cell_sums(x: Ints, column: Ints, cell: Ints, weight: Ints, shape: tuple[int, int]) -> Ints:
    """Every synapse of an axon with an event adds to the cell of its delay and its target: (samples, slots, rows)."""
    out = np.zeros((x.shape[0], shape[0] * shape[1]), np.int64)
    for sums, payload in zip(out, x, strict=True):
        active = np.flatnonzero((payload != 0)[column])
        np.add.at(sums, cell[active], weight[active] * payload[column[active]])
    return out.reshape(x.shape[0], *shape)


_laid_out: WeakKeyDictionary[Projection, tuple[Ints, Ints, Ints]] = WeakKeyDictionary()


def _cells(p: Projection) -> tuple[Ints, Ints, Ints]:
    """Axon, cell ``delay * rows + target`` and weight of every synapse, made once for each projection."""
    if p not in _laid_out:
        coo = p.synapse.coo()
        _laid_out[p] = coo.column, p.delays_of(coo) * p.synapse.rows + coo.row, coo.weight
    return _laid_out[p]


class ReferenceRunner:
    """`Runner` by the formulas above."""

    name = "reference"

    def run(
        self, network: Network, inputs: Given, steps: int, *, state: RunState | None = None, probes: Probes = (),
        raster: bool = True,
    ) -> RunResult:  # fmt: skip
        return run_with(Machine(), network, inputs, steps, state, probes, raster)
