"""Every neuron model by name, and the checks, preparation and sizes of a population's parameters.

The model "input" (`neurodeploy.ir.network.INPUT`) is not in the table but `FED`: a population whose payloads come from
outside has no state, and one parameter, the `bits` of a payload. All functions here accept it.

Errors of a user are `UserError`s that name the population and the parameter: ND3240 unknown model, ND3241 unknown parameter
or state variable, ND3242 a parameter is missing, ND3243 not an integer, ND3244 wrong shape, ND3245 out of range, ND3246
parameters that contradict one another, ND3247 unknown port.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from neurodeploy import neurons
from neurodeploy.errors import InternalError, UserError
from neurodeploy.ir.fixedpoint import Ints, signed_max
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.run import RunState
from neurodeploy.neurons import memories
from neurodeploy.neurons.fed import FED
from neurodeploy.neurons.given import integers, no_others
from neurodeploy.neurons.model import EXACT_END, Memory, NeuronModel, Param, Values


def read_models() -> dict[str, NeuronModel]:
    """Every model by name: those of the files beside this one that have a `MODEL`."""
    files = (file.name for file in iter_modules(neurons.__path__) if f"{neurons.__name__}.{file.name}" != __name__)
    modules = [import_module(f"{neurons.__name__}.{name}") for name in files]
    return {file.MODEL.name: file.MODEL for file in modules if hasattr(file, "MODEL")}


#: All models by name; "input" is none of them.
MODELS: Mapping[str, NeuronModel] = MappingProxyType(read_models())

#: What small runs would ask again and again: the largest payload, and a state at step 0 that is the same for all neurons.
_largest: WeakKeyDictionary[Population, int] = WeakKeyDictionary()
_at_rest: WeakKeyDictionary[Population, Values] = WeakKeyDictionary()
_kept: WeakKeyDictionary[Population, Memory] = WeakKeyDictionary()


def get_model(name: str) -> NeuronModel:
    """The model of a name. ND3240 where there is none (nor is there one of "input")."""
    if name in MODELS:
        return MODELS[name]
    raise UserError("ND3240", name, "is not a neuron model", "use one of " + ", ".join(MODELS))


def model_of(population: Population) -> NeuronModel:
    """Its model, `FED` of an input. ND3240 where there is none."""
    return FED if population.model == INPUT else get_model(population.model)


def output_ports(population: Population) -> tuple[str, ...]:
    """Output ports, the default first; an input has "s"."""
    return model_of(population).outputs


def every_neuron(network: Network, times: int = 1) -> dict[str, dict[str, Ints]]:
    """Messages by population and output port where every neuron sends `times` messages."""
    return {
        name: {port: np.full(population.size, times, np.int64) for port in output_ports(population)}
        for name, population in network.populations.items()
    }


def input_ports(population: Population) -> tuple[str, ...]:
    """Input ports, the default first; an input, and a spiker, has none."""
    return tuple(model_of(population).ports)


def wrapping_ports(population: Population) -> tuple[str, ...]:
    """Input ports whose sums wrap to 32 bits."""
    return tuple(name for name, port in model_of(population).ports.items() if not port.exact)


def sent_name(population: Population) -> str:
    """Under which clipped payloads are counted (`RunActivity.saturated`)."""
    return f"{population.name}.{output_ports(population)[0]}"


def is_exact(network: Network, p: Projection) -> bool:
    """Whether the port that it leads to has no wrap."""
    return get_model(network.populations[p.target].model).ports[p.target_port].exact


def pending_type(network: Network, p: Projection) -> np.dtype[np.signedinteger]:
    """Of what waits to arrive (`RunState.pending`)."""
    return np.dtype(np.int64 if is_exact(network, p) else np.int32)


def payload_bits(population: Population) -> int:
    """Width of what it sends: of an input as it says, of others as their parameter or their model does."""
    model = model_of(population)
    return int(np.max(population.params.get("bits" if model is FED else "out_bits", model.out_bits)))


def largest_payload(population: Population) -> int:
    """No payload that it sends exceeds this magnitude."""
    if population not in _largest:
        _largest[population] = _largest_payload(population)
    return _largest[population]


def _largest_payload(population: Population) -> int:
    model = model_of(population)
    if not model.graded:
        return 1
    bits = prepared_params(population).get("bits" if model is FED else "out_bits")
    return 2**31 if bits is None or bits == 32 else signed_max(int(bits.item()))


def check_population(population: Population) -> None:
    """Names, types, shapes, ranges and the agreement of all parameters and initial states.

    Raises `UserError` ND3240..ND3246; says nothing where all is well.
    """
    _initial_values(population, prepared_params(population))


def check_network(network: Network) -> None:
    """The structure (`Network.check`), every population's parameters, the ports that projections name (ND3247), and that
    what reaches an exact port is small enough (ND9040)."""
    for population in network.populations.values():
        model_of(population)
    network.check()
    for population in network.populations.values():
        check_population(population)
    for p in network.projections:
        ends = (
            ("source", p.source, p.source_port, output_ports(network.populations[p.source])),
            ("target", p.target, p.target_port, input_ports(network.populations[p.target])),
        )
        for end, name, port, ports in ends:
            if port not in ports:
                problem = f'names the {end} port "{port}", which population {name} does not have'
                raise UserError("ND3247", f"projection {p.name}", problem, f"use one of: {', '.join(ports) or 'none'}")
    sums: dict[tuple[str, str], int] = {}
    for p in network.projections:
        if is_exact(network, p):
            at = (p.target, p.target_port)
            sums[at] = sums.get(at, 0) + p.largest_arrival(largest_payload(network.populations[p.source]))
            if sums[at] >= EXACT_END:
                raise InternalError("ND9040", p.name, f"can bring the sum at an exact port to {sums[at]}")


def prepared_params(population: Population) -> Values:
    """All parameters, defaults included: int64 arrays of shape (1,) or (size,), tables (1, entries), checked. Raises
    ND3240..ND3246."""
    model, where = model_of(population), f"population {population.name}"
    no_others(where, "parameter", population.params, model.params)
    prepared: Values = {}
    for name, param in model.params.items():
        value = population.params.get(name, param.default)
        if value is None:
            fix = f"give {name}: {param.meaning}, {param.low}..{param.high}"
            raise UserError("ND3242", where, f"lacks the parameter {name} of model {population.model}", fix)
        shape = (1, np.size(value)) if param.table else (population.size if param.per_neuron else 1,)
        prepared[name] = integers(where, name, value, shape, param.low, param.high)
    contradiction = model.consistent(prepared)
    if contradiction:
        problem, fix = contradiction
        raise UserError("ND3246", where, problem, fix)
    return prepared


def initial_state(population: Population, samples: int) -> Values:
    """Every state variable before anything runs: int64 (samples, size), of a memory the rows that it begins with. Raises
    ND3240..ND3246."""
    if model_of(population).memories:
        return memories.at_rest(model_of(population), memory_of(population), population.initial, samples)
    values = _at_rest.get(population)
    if values is None:
        values = _initial_values(population, prepared_params(population))
        if all(value.size == 1 for value in values.values()):
            _at_rest[population] = values
    shape = (samples, population.size)

    def whole(value: NDArray[np.int64]) -> NDArray[np.int64]:
        """What has the size already is an array of its own: no second one."""
        if value.size == 1:
            return np.full(shape, value.item(), np.int64)
        return value.reshape(shape) if value.size == shape[0] * shape[1] else np.array(np.broadcast_to(value, shape))

    return {name: whole(value) for name, value in values.items()}


def memory_of(population: Population) -> Memory:
    """What it remembers: no rows where it has no memory. Asked once: a state is checked before every token."""
    if population not in _kept:
        model = model_of(population)
        _kept[population] = model.memory(prepared_params(population) if model.memories else {})
    return _kept[population]


def memory_bytes(population: Population) -> int:
    """Bytes of its memories with every row written."""
    return memories.in_bytes(model_of(population), memory_of(population))


def memory_shape(population: Population, step: int) -> tuple[int, int] | None:
    """Rows and numbers of each memory after so many steps; None where it has none."""
    return memories.shape(memory_of(population), step) if model_of(population).memories else None


def state_at_rest(network: Network, samples: int) -> RunState:
    """Before anything runs: every population with neurons has an entry, every projection with synapses a `pending` of
    zeros. What memories begin with was written by the steps before, which are counted."""
    return RunState(
        step=max((memories.begun(model_of(p), p.initial) for p in network.populations.values()), default=0),
        neurons={
            name: initial_state(population, samples)
            for name, population in network.populations.items()
            if population.model != INPUT
        },
        pending={
            p.name: np.zeros((samples, p.depth, p.synapse.rows), pending_type(network, p))
            for p in network.projections
            if p.latency
        },
    )


def state_bytes(population: Population) -> int:
    """Bytes that one neuron needs in the memory of a core: its state, and its own copy of each parameter that differs.

    A parameter that is the same in all neurons is kept once for the core and costs a neuron nothing. Widths are those
    of the model's tables (the chip's registers are narrower for some, see the meaning of each); the bits are added,
    then rounded up to bytes. A memory is shared out evenly. Hollow values, views of one element, stand for values that
    differ. An input needs none: its host has them.
    """
    model = model_of(population)
    if model is FED:
        return 0
    params = prepared_params(population)
    bits = model.state_bits + -(-8 * memories.in_bytes(model, memory_of(population)) // population.size)
    for name, value in params.items():
        if model.params[name].table:
            continue
        given = population.params.get(name)
        hollow = isinstance(given, np.ndarray) and given.size > 1 and not any(given.strides)
        if hollow or (value.size > 1 and bool((value != value[0]).any())):
            bits += param_bits(model.params[name])
    return -(-bits // 8)


def table_bytes(population: Population) -> int:
    """Bytes of the tables that every core with neurons of the population keeps beside them: its own, and its model's."""
    model, params = model_of(population), prepared_params(population)
    return -(-(model.constants + sum(params[n].size * param_bits(p) for n, p in model.params.items() if p.table)) // 8)


def param_bits(param: Param) -> int:
    """Bits of a parameter's range, the sign included where it has one."""
    if param.low >= 0:
        return param.high.bit_length()
    return max(param.high, -param.low - 1).bit_length() + 1


def _initial_values(population: Population, params: Values) -> Values:
    states = model_of(population).state
    where = f"population {population.name}"
    settable = {name: variable for name, variable in states.items() if variable.settable}
    no_others(where, "initial state", population.initial, settable)
    wrong = memories.contradiction(model_of(population), memory_of(population), population.initial)
    if wrong:
        raise UserError("ND3246", where, wrong, "give each memory the same rows of its numbers, or none")
    values: Values = {}
    for name, variable in states.items():
        if variable.memory:  # rows, not a value for each neuron
            continue
        if name in population.initial:
            end = 2 ** (variable.bits - 1)
            values[name] = integers(where, name, population.initial[name], (population.size,), -end, end)
        elif isinstance(variable.initial, str):
            values[name] = params[variable.initial] << variable.shift
        else:
            values[name] = np.full(1, variable.initial << variable.shift, dtype=np.int64)
    return values
