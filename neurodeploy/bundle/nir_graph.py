"""The linear layers of a program as one graph of plain NIR 1.0.8, as the files of a bundle's layers are one each.

A layer is ``y = scale * (W x + b)`` in real numbers: W int8, of grouped weights wider, ``scale_i`` the value of one weight
unit in row i. A population that the host feeds is an `Input`, one that it reads has an `Output`; what stays on the chip
between two layers is an edge.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle.hdf5 import new_hdf5
from neurodeploy.errors import UserError
from neurodeploy.frontends.nir.schema import NodeFields, lay_out
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.payloads import Floats, Unit
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode
from neurodeploy.neurons.registry import payload_bits


def write_program(path: Path, program: Program) -> None:
    """All segments of a program. The operations of the host between them stand in the metadata, by name.

    Raises ND3291 for a population that is no linear layer.
    """
    nodes, edges, units = dict[str, NodeFields](), list[tuple[str, str]](), units_of(program)
    network = program.network
    read = {step.population for step in program.host if isinstance(step, Decode)}
    for name, population in network.populations.items():
        shape = np.array([population.size])
        if population.model == INPUT:
            nodes[name] = {"type": "Input", "shape": shape}
            continue
        p = _linear(network, population)
        nodes[p.name] = synapses_of(p, population, units[p.source].scale.value)
        nodes[name] = {"type": "Scale", "scale": layer_scales(program, name, units)}
        edges += [(p.source, p.name), (p.name, name)]
        if name in read or name in network.outputs:
            nodes[f"{name}.output"] = {"type": "Output", "shape": shape}
            edges.append((name, f"{name}.output"))
    host = [{"path": op.path, "op": op.op, "inputs": op.inputs, "outputs": op.outputs} for op in program.operations]
    with new_hdf5(path) as file:
        lay_out(file, nodes, edges, {"neurodeploy": program.info.name, "host": json.dumps(host)})


def synapses_of(p: Projection, population: Population, source_unit: float) -> NodeFields:
    """`Linear`, or `Affine` with the bias of the neurons in the unit of a payload."""
    weight, bias = np.asarray(p.synapse.matrix()), population.params.get("bias")
    if bias is None:
        return {"type": "Linear", "weight": weight}
    return {"type": "Affine", "weight": weight, "bias": (np.asarray(bias) * source_unit).astype(np.float32)}


def scales_of(population: Population, unit: float | Floats, source_unit: float) -> NDArray[np.float32]:
    """(rows,) value of one weight unit: ``multiplier 2**-shift 2**-acc_shift unit / source_unit``."""
    multiplier, shift, acc_shift = (
        np.asarray(population.params.get(k, 0)) for k in ("multiplier", "shift", "acc_shift")
    )
    one = unit / (source_unit * 2.0 ** int(acc_shift))
    exact = np.ldexp(multiplier.astype(np.float64), -shift.astype(np.int64)) * one
    return np.broadcast_to(exact, population.shape).astype(np.float32)


def units_of(program: Program) -> dict[str, Unit]:
    """What a payload stands for, by population, as the border says or the program; 1 where nobody knows."""
    network = program.network
    found = {name: Unit(Dyadic(1, 0), payload_bits(p)) for name, p in network.populations.items()} | dict(program.units)
    for step in program.host:
        if isinstance(step, Encode | Decode):
            bits = found[step.population].bits
            exponents = [p.axon_exp for p in network.out_of(step.population) if p.axon_exp is not None]
            exponent = exponents[0] if isinstance(step, Encode) and exponents else None
            found[step.population] = Unit(step.scale, bits, exponent)
    return found


def layer_scales(program: Program, layer: str, units: Mapping[str, Unit]) -> NDArray[np.float32]:
    """(rows,) value of one weight unit of a linear layer, wherever what it reads comes from and what it sends goes."""
    (p,), population = program.network.into(layer), program.network.populations[layer]
    return scales_of(population, units[layer].steps(population.size), units[p.source].scale.value)


def _linear(network: Network, population: Population) -> Projection:
    into = network.into(population.name)
    known = population.model == "graded_affine" and len(into) == 1
    if not known or not (into[0].graded and into[0].synapse.uniform and into[0].instant):
        problem = f"is a population of {population.model} with {len(into)} projections, no linear layer of NIR"
        raise UserError("ND3291", population.name, problem, "name a folder that ends in .parts: it is cut there")
    return into[0]
