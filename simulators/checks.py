"""What every `Runner` does before the first step: check what it was given, and make the state that it starts from.

Inputs and states come from users: what is wrong with them is a `UserError` ND3200..ND3210 that names the population.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.ir.run import Probe, RunState
from neurodeploy.neurons import registry

INT16, INT32 = np.iinfo(np.int16), np.iinfo(np.int32)
_checked: WeakSet[Network] = WeakSet()


class Task(NamedTuple):
    """A run that is in order: samples, inputs by population, and a state that belongs to the runner alone."""

    samples: int
    inputs: Mapping[str, Ints]
    state: RunState


def prepare(
    network: Network,
    inputs: Mapping[str, Ints],
    steps: int,
    state: RunState | None,
    probes: Sequence[Probe],
) -> Task:
    """Check the network (once), the inputs, the probes and the state; a state that is None becomes the initial one.

    Without inputs and without a state there is one sample. Raises `UserError` ND3200..ND3210.
    """
    if network not in _checked:
        registry.check_network(network)
        _checked.add(network)
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        raise UserError("ND3200", network.name, f"cannot advance by {steps!r} steps", "give a whole number from 0")
    samples = _check_inputs(network, inputs, steps)
    check_probes(network, probes)
    if state is None:
        return Task(samples or 1, inputs, registry.state_at_rest(network, samples or 1))
    check_state(network, state, samples)
    return Task(state.samples if samples is None else samples, inputs, copy_state(network, state))


def copy_state(network: Network, state: RunState) -> RunState:
    """The same numbers in arrays of their own, C order; memories as they are: no runner writes to those it is given."""
    return RunState(
        step=state.step,
        neurons={
            name: {v: np.array(a, np.int64, order="C") if a.ndim < 3 else a for v, a in values.items()}
            for name, values in state.neurons.items()
        },
        pending={
            p.name: np.array(state.pending[p.name], registry.pending_type(network, p))
            for p in network.projections
            if p.latency
        },
    )


def _check_inputs(network: Network, inputs: Mapping[str, Ints], steps: int) -> int | None:
    """The number of samples, None where nothing comes from outside."""
    unknown = [name for name in inputs if name not in network.inputs]
    if unknown:
        fix = (
            f"give inputs for {', '.join(network.inputs)}" if network.inputs else "give none: the network has no inputs"
        )
        raise UserError("ND3201", unknown[0], "is no input population of this network", fix)
    samples: int | None = None
    for name in network.inputs:
        size = network.populations[name].size
        if name not in inputs:
            fix = f"give integers of shape (samples, {steps}, {size}) for it"
            raise UserError("ND3202", name, "is fed from outside and has no input", fix)
        given: NDArray[Any] = np.asarray(inputs[name])
        if given.dtype.kind not in "iub":
            fix = "encode it to integers or spikes first: no runner rounds"
            raise UserError("ND3203", name, f"input is of type {given.dtype}, not of integers", fix)
        if given.ndim != 3 or given.shape[1:] != (steps, size) or given.shape[0] < 1:
            problem = f"input has the shape {given.shape}, needs (samples, {steps}, {size})"
            raise UserError("ND3204", name, problem, f"give {steps} steps of {size} payloads for each sample")
        end = registry.largest_payload(network.populations[name])
        most = min(end, INT32.max)
        if given.size and (int(given.min()) < -end or int(given.max()) > most):
            problem = f"input reaches from {given.min()} to {given.max()}, beyond {most.bit_length() + 1} bits"
            raise UserError("ND3205", name, problem, f"keep payloads within {-end}..{most}")
        if samples is not None and given.shape[0] != samples:
            problem = f"input has {given.shape[0]} samples, that of {network.inputs[0]} has {samples}"
            raise UserError("ND3206", name, problem, "give every input population the same number of samples")
        samples = int(given.shape[0])
    return samples


def check_probes(network: Network, probes: Sequence[Probe]) -> None:
    """Populations, variables and neurons exist, and no two probes have one name. ND3207, ND3208."""
    for i, probe in enumerate(probes):
        population = network.populations.get(probe.population)
        if population is None:
            fix = f"probe one of {', '.join(network.populations)}"
            raise UserError("ND3207", probe.population, "is no population of this network", fix)
        model = registry.model_of(population)
        of_neurons = [name for name in model.state if name not in model.memories]
        known = list(dict.fromkeys([*of_neurons, *model.outputs, *model.ports]))
        if probe.variable not in known:
            fix = f"probe one of {', '.join(known)}"
            raise UserError("ND3207", probe.name, f"is no state variable or port of model {population.model}", fix)
        wrong = [n for n in probe.neurons or () if not 0 <= n < population.size]
        if wrong:
            fix = f"neurons count from 0 to {population.size - 1}"
            raise UserError("ND3207", probe.name, f"asks for neuron {wrong[0]}", fix)
        if probe.name in {other.name for other in probes[:i]}:
            raise UserError("ND3208", probe.name, "is probed twice", "join the neurons in one probe")


def check_state(network: Network, state: RunState, samples: int | None = None) -> None:
    """It is a state of this network: names, shapes, 32 bits. ND3209 of another network, ND3210 of other samples."""
    fix = "continue with the network and the samples that left this state, or start without a state"

    def need(condition: bool, subject: str, problem: str) -> None:
        if not condition:
            raise UserError("ND3209", subject, problem, fix)

    count = state.samples or samples or 1  # a network of stateless neurons without synapses keeps nothing to count
    if samples is not None and count != samples:
        raise UserError("ND3210", network.name, f"state has {count} samples, the input {samples}", fix)
    expected = registry.state_at_rest(network, count)
    need(state.step >= expected.step, network.name, f"state is at step {state.step}, the first is {expected.step}")
    for kind, own, given in (
        ("population", set(expected.neurons), set(state.neurons)),
        ("projection", set(expected.pending), set(state.pending)),
    ):
        for name in sorted(own ^ given):
            need(False, name, f"is a {kind} of {'this network' if name in own else 'the state'} alone")
    for name, values in expected.neurons.items():
        mine = state.neurons[name]
        need(set(mine) == set(values), name, f"has state variables {sorted(values)}, the state has {sorted(mine)}")
        rows = registry.memory_shape(network.populations[name], state.step)
        for variable, array in values.items():
            shape, end = (array.shape, INT32.max) if rows is None else ((count, *rows), INT16.max)
            _check_array(need, f"{name}.{variable}", mine[variable], shape, end)
    for p in network.projections:
        if p.latency:
            source = network.populations[p.source]
            end = p.largest_arrival(registry.largest_payload(source)) if registry.is_exact(network, p) else INT32.max
            _check_array(need, p.name, state.pending[p.name], expected.pending[p.name].shape, end)


def _check_array(
    need: Callable[[bool, str, str], None], subject: str, given: NDArray[Any], shape: tuple[int, ...], end: int
) -> None:
    need(isinstance(given, np.ndarray) and given.dtype.kind in "iu", subject, "state is not an array of integers")
    need(given.shape == shape, subject, f"has shape {shape}, the state has {given.shape}")
    if given.size and end < np.iinfo(given.dtype).max:
        fits = -end - 1 <= int(given.min()) and int(given.max()) <= end
        problem = f"state reaches from {given.min()} to {given.max()}, beyond {end.bit_length() + 1} bits"
        need(fits, subject, problem)
