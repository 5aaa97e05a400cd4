"""`build`: a `TensorGraph` and what samples have shown of it -> a `Program`.

Every form with a lowering becomes populations within the step (`ops.tensors`); the others stay operations of the host
(`ops/tensor.py`), and what crosses is encoded and decoded in its own unit. So a sample is one step, and a stream of
samples a stream of steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.tensors.builder import DEFAULT_PART, TensorsBuilder
from neurodeploy.conversion.tensors.calibrate import Seen
from neurodeploy.conversion.tensors.coding import GRADED, PLAIN, RATE, SIGMA_DELTA, Coding, refused
from neurodeploy.conversion.tensors.passes import fused, trimmed
from neurodeploy.conversion.tensors.sites import WEIGHING
from neurodeploy.conversion.tensors.states import begun, closed
from neurodeploy.conversion.tensors.units import Bits, ValueUnits
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode
from neurodeploy.ir.tensors import FORMAT, TensorGraph
from neurodeploy.neurons.registry import payload_bits
from neurodeploy.ops.tensors.asking import Value, spatial


def payloads_by_width(network: Network, weighing: Sequence[str], bits: Bits) -> dict[str, dict[str, int]]:
    """Numbers of a sample that populations send, by their width: those that weights multiply, on their way into the
    populations `weighing`, and the others."""
    read = {p.source for name in weighing if name in network.populations for p in network.into(name)}
    found: dict[str, dict[str, int]] = {"weighed": {}, "others": {}}
    for name, population in network.populations.items():
        width = payload_bits(population)
        unsigned = name in read and bits.narrow and width > bits.payload
        title = f"{bits.payload} without a sign" if unsigned else str(width)
        counts = found["weighed" if name in read else "others"]
        counts[title] = counts.get(title, 0) + population.size
    return found


def build(
    graph: TensorGraph, seen: Mapping[str, Seen], bits: Bits, info: ModelInfo, conversion: Mapping[str, Any],
    coding: Coding = PLAIN, part: str = DEFAULT_PART, states: Mapping[str, str] | None = None,
) -> tuple[Program, dict[str, NDArray[np.float32]]]:  # fmt: skip
    """The program, and the tensors of its host operations by name. part : what is on the chip, of `ON_CHIP`. states : the
    output that each input is in the next step, where it is one (`conversion.tensors.states`)."""
    results, (graph, tail), states = graph.outputs, trimmed(graph), states or {}
    if states and coding.kind == RATE:
        raise refused(next(iter(states)), "is a state")
    whole, bends = fused(graph)
    own = TensorsBuilder(ValueUnits(graph, seen, bits, coding, states), part)
    for name, shape in graph.inputs.items():
        value, code = own.feed(name, shape, from_host=False), own.units.code_of(name, name)
        if name in states:
            value = begun(own, value)
        own.values[name] = own.recoded(value, code) if code == SIGMA_DELTA else value._replace(changes=code == RATE)
    for node in whole.nodes:
        own.run(node, bends.get(node.name))
    for name, output in states.items():
        closed(own, name, output)
    outputs: dict[str, Value] = {}
    for name in graph.outputs:
        value = own.on_chip(name)
        if own.coded(value):
            value = own.recoded(value, GRADED)
        order = spatial(value.shape) if len(value.shape) in (2, 3) else None
        if not value.plain or value.signal.population.name in graph.inputs:
            value = own.rewired(value, order if value.order is not None else None)
        outputs[name] = value
    names = tuple(value.signal.population.name for value in outputs.values())
    network = Network(graph.name, own.populations, tuple(own.projections), tuple(dict.fromkeys(names)))
    done, given = sum(own.work.values()), {k: shape for k, shape in graph.inputs.items() if k not in states}
    told = {
        **conversion,
        "format": FORMAT,
        "shapes": {name: list(shape) for name, shape in given.items()},
        "graded": list(given),
        "inputs": {name: {"unit": own.values[name].unit} for name in given},
        "states": dict(states),
        "outputs": {
            name: {
                "population": value.signal.population.name, "unit": value.unit, "latency": 0, "shape": list(value.shape),
                "map": len(value.signal.population.shape) > 1,
            }
            for name, value in outputs.items()
        },
        "tail": tail,
        "results": list(results),
        "operations": own.rows,
        "multiply_adds": {**own.work, "on_chip": own.work["chip"] / done if done else None},
        "on_chip": part,
        "bits": {"payload": bits.payload, "weight": bits.weight},
        "code": {"kind": coding.kind, "steps": coding.steps, "sites": dict(coding.sites), "sent": own.sent()},
        "payloads": payloads_by_width(network, [node.name for node in whole.nodes if node.form in WEIGHING], bits),
    }  # fmt: skip
    crossing = {step.population for step in own.host if isinstance(step, Encode | Decode)}
    units = {
        v.signal.population.name: v.signal.unit for v in own.values.values() if v.signal.population.name not in crossing
    }
    units = {name: unit for name, unit in units.items() if name in own.populations}
    program = Program(info, network, tuple(own.host), own.sizes, conversion=told, units=units)
    program.check()
    return program, own.weights
