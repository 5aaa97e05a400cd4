"""Linear layers of a language model as populations and projections: see `neurodeploy.ir.program`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Dyadic, Ints
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import BLOCK, Network, Projection
from neurodeploy.ir.population import INPUT, Population, Section
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode, HostStep
from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses.dense import Dense


@dataclass(frozen=True, eq=False)
class LinearLayer:
    """All projections of a model that read one host value: one input population, its synapses, its neurons, the border."""

    source: Population
    synapses: Projection
    neurons: Population
    encode: Encode
    decode: Decode

    @property
    def name(self) -> str:
        return self.neurons.name


def linear_layer(
    name: str,
    weight: NDArray[np.int8] | Synapse,
    params: Mapping[str, int | Ints],
    *,
    scales: tuple[Dyadic, Dyadic],
    values: tuple[str, tuple[str, ...]],
    payload_bits: int = 16,
    weight_bits: int = 8,
    axon_exp: NDArray[np.uint8] | None = None,
    block_sums: Ints | None = None,
    chosen: Mapping[str, int | Ints] | None = None,
    sections: Sequence[Section] = (),
    layer: int | None = None,
    expert: int | None = None,
) -> LinearLayer:
    """A layer of these weights (rows, columns), or of these synapses, and parameters of `graded_affine`.

    scales : of a payload and of an output. values : the host value that it reads, and those that it makes, one for each of
    `sections`. axon_exp, block_sums : as in `Projection`; sums are computed where they are not given.
    chosen : parameters of an input that does not send everything (`neurons/fed.py`).
    """
    synapse = weight if isinstance(weight, Synapse) else Dense(weight)
    rows, columns = synapse.rows, synapse.columns
    source = Population(f"{name}.input", (columns,), INPUT, {"bits": payload_bits, **(chosen or {})})
    neurons = Population(name, (rows,), "graded_affine", params, {}, tuple(sections), layer, expert)
    exponents = axon_exp if axon_exp is not None and axon_exp.any() else None
    synapses = Projection(
        f"{name}.synapses", source.name, name, synapse, graded=True, weight_bits=weight_bits, instant=True,
        axon_exp=exponents, block_sums=block_sums_of(synapse, exponents) if block_sums is None else block_sums,
    )  # fmt: skip
    encode, decode = Encode(values[0], source.name, scales[0]), Decode(name, scales[1], tuple(values[1]))
    return LinearLayer(source, synapses, neurons, encode, decode)


def program_of_layers(
    info: ModelInfo,
    items: Sequence[HostOp | LinearLayer],
    sizes: Mapping[str, int],
    input: str = "tokens",
    output: str = "logits",
    conversion: Mapping[str, object] | None = None,
) -> Program:
    """The program of a language model from what it does, in order."""
    layers = [item for item in items if isinstance(item, LinearLayer)]
    populations = {p.name: p for layer in layers for p in (layer.source, layer.neurons)}
    if len(populations) < 2 * len(layers):
        raise InternalError("ND9004", info.name, "has two layers of one name")
    host = list[HostStep]()
    for item in items:
        host += [item] if isinstance(item, HostOp) else [item.encode, item.decode]
    network = Network(
        info.name, populations, tuple(layer.synapses for layer in layers), tuple(layer.name for layer in layers)
    )
    return Program(info, network, tuple(host), sizes, input, output, conversion or {})


def linear_layers(program: Program) -> list[LinearLayer]:
    """The linear layers of a language model, in order: what the host decodes, behind one instant projection from what it
    encodes."""
    network, found = program.network, []
    encodes = {step.population: step for step in program.host if isinstance(step, Encode)}
    for step in program.host:
        into = network.into(step.population) if isinstance(step, Decode) else ()
        if isinstance(step, Decode) and len(into) == 1 and into[0].instant and into[0].source in encodes:
            source, neurons = (network.populations[name] for name in (into[0].source, step.population))
            found.append(LinearLayer(source, into[0], neurons, encodes[source.name], step))
    return found


def block_sums_of(synapse: Synapse, axon_exp: NDArray[np.uint8] | None) -> Ints:
    """`Projection.block_sums` of a full matrix. Chunks of rows keep what is needed in between small."""
    columns, at_a_time, kind = synapse.columns, 8192, np.int64 if synapse.extra_bits else np.int32
    edges = np.arange(0, columns, BLOCK)
    best = np.zeros(edges.size, np.int64)
    factor = kind(1) if axon_exp is None else (1 << axon_exp.astype(kind)).astype(kind)
    for start in range(0, synapse.rows, at_a_time):
        part = synapse.part((start, min(start + at_a_time, synapse.rows)), (0, columns)) or synapse
        magnitude = np.abs(part.matrix().astype(kind)) * factor
        best = np.maximum(best, np.add.reduceat(magnitude, edges, axis=1, dtype=np.int64).max(axis=0))
    return best
