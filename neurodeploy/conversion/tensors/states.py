"""States: inputs of a network that are its own outputs of the step before, kept on the chip.

A recurrent network that is written for one step, such as a cell with its state as argument and result, a detector of speech
frame by frame, then needs no copy of its weights for each step, and no state crosses the border::

    x_state[t] = x_output[t - 1],    x_state[0] = 0

A state is a population of its own (`neurons/graded_affine.py`), in the unit of the input, whose synapses deliver a step
later. Samples are the steps of one stream, in order. Units are measured on what the float network itself leaves: its states
are computed step by step before anything else (`following`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.tensors.calibrate import walk
from neurodeploy.errors import ModelError, UserError
from neurodeploy.ir.fixedpoint import multiply_shift
from neurodeploy.ir.network import Projection
from neurodeploy.ir.tensors import TensorGraph
from neurodeploy.ops.host.lowering import Params
from neurodeploy.ops.tensors.asking import Value
from neurodeploy.synapses.build import sparse_from_coo

if TYPE_CHECKING:
    from neurodeploy.conversion.tensors.builder import TensorsBuilder

FIX = "give INPUT=OUTPUT, the name of an input and the name or the number of an output of the same shape"


def read_states(given: Any, graph: TensorGraph) -> dict[str, str]:
    """The output of the graph by the input that it becomes, from "h=1,c=cell" or a mapping. ND1318 for what there is not."""
    if given is None:
        return {}
    pairs = (
        given.items() if isinstance(given, Mapping) else (part.partition("=")[::2] for part in str(given).split(","))
    )
    found, shapes = dict[str, str](), graph.shapes()
    for name, output in ((str(a).strip(), str(b).strip()) for a, b in pairs):
        if name not in graph.inputs:
            raise _no_state(name, f"is no input; inputs are {', '.join(graph.inputs)}")
        if name in graph.integers:
            raise _no_state(name, "was given in whole numbers, which keep no state", "give it as floats")
        places = [n for n, own in enumerate(graph.outputs) if output in (own, str(n))]
        if not places:
            raise _no_state(output, f"is no output; outputs are {', '.join(graph.outputs)}, or their numbers from 0")
        made = graph.outputs[places[0]]
        if shapes[made] != shapes[name]:
            raise _no_state(f"{name}={output}", f"has the shapes {shapes[name]} and {shapes[made]}")
        found[name] = made
    if len(found) == len(graph.inputs):
        raise _no_state(", ".join(found), "are all inputs: nothing is left to be given")
    return found


def _no_state(where: str, problem: str, fix: str = FIX) -> UserError:
    return UserError("ND1318", f"--state {where}", problem, fix)


def following(
    graph: TensorGraph, samples: Mapping[str, NDArray[Any]], states: Mapping[str, str]
) -> dict[str, NDArray[Any]]:
    """The samples with each state as the float network leaves it, 0 before the first."""
    if not states:
        return dict(samples)
    found = {name: np.array(array, copy=name in states) for name, array in samples.items()}
    for name in states:
        found[name][:] = 0
    count = len(next(iter(found.values())))
    for n in range(count - 1):
        made = walk(graph, {name: torch.as_tensor(array[n : n + 1]) for name, array in found.items()})
        for name, output in states.items():
            found[name][n + 1] = made[output][0].numpy()
    return found


def begun(own: TensorsBuilder, value: Value) -> Value:
    """The population of a state in place of that of an input; what it gets comes with `closed`."""
    population = replace(value.signal.population, model="graded_affine", params={"multiplier": 1, "shift": 0})
    own.populations[population.name] = population
    return value._replace(signal=value.signal._replace(population=population))


def closed(own: TensorsBuilder, name: str, output: str) -> None:
    """The synapses into a state from the value that it is in the next step."""
    if output not in own.values:
        problem = "is made by the host, and a state that crosses the border is no state of the chip"
        raise ModelError(
            "ND1318", output, problem, "convert it without --state; `on_host` says why, and --on-chip may help"
        )
    state, made = own.values[name], own.valued(output)
    population = own.populations[name]
    multiplier, shift = multiply_shift(np.full(1, made.unit / own.units.of(name).scale.value))
    if shift[0] < 0:
        raise ModelError("ND1318", output, "is in a unit too coarse for its state", "give more samples")
    params: Params = {"multiplier": int(multiplier[0]), "shift": int(shift[0]), "out_bits": own.units.of(name).bits}
    own.populations[name] = replace(population, params=params)
    ones, source = np.ones(state.size, np.int8), made.signal
    synapse = sparse_from_coo(state.size, source.size, state.places, made.places, ones)
    own.projections.append(
        Projection(f"{source.population.name}->{name}", source.population.name, name, synapse, graded=True)
    )
