"""Linear layers of a language model as populations and projections: see `neurodeploy.ir.program`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Dyadic, Ints
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import BLOCK, Network, Projection
from neurodeploy.ir.population import INPUT, Population, Section
from neurodeploy.ir.program import Island, Program, Step
from neurodeploy.ir.segments import Decode, Encode, HostStep
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

    @property
    def weights(self) -> int:
        return self.source.size * self.neurons.size

    def with_arrays(self, weight: NDArray[np.int8]) -> LinearLayer:
        """The same with its weights elsewhere."""
        return replace(self, synapses=replace(self.synapses, synapse=Dense(weight)))


def linear_layer(
    name: str,
    weight: NDArray[np.int8],
    params: Mapping[str, int | Ints],
    *,
    scales: tuple[Dyadic, Dyadic],
    values: tuple[str, tuple[str, ...]],
    payload_bits: int = 16,
    weight_bits: int = 8,
    axon_exp: NDArray[np.uint8] | None = None,
    block_sums: Ints | None = None,
    sections: Sequence[Section] = (),
    layer: int | None = None,
    expert: int | None = None,
) -> LinearLayer:
    """A layer of these weights (rows, columns) and parameters of `graded_affine`.

    scales : of a payload and of an output. values : the host value that it reads, and those that it makes, one for each of
    `sections`. axon_exp, block_sums : as in `Projection`; sums are computed where they are not given.
    """
    rows, columns = weight.shape
    source = Population(f"{name}.input", (columns,), INPUT, {"bits": payload_bits})
    neurons = Population(name, (rows,), "graded_affine", params, {}, tuple(sections), layer, expert)
    exponents = axon_exp if axon_exp is not None and axon_exp.any() else None
    synapses = Projection(
        f"{name}.synapses", source.name, name, Dense(weight), graded=True, weight_bits=weight_bits, instant=True,
        axon_exp=exponents, block_sums=block_sums_of(weight, exponents) if block_sums is None else block_sums,
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


def block_sums_of(weight: NDArray[np.int8], axon_exp: NDArray[np.uint8] | None, at_a_time: int = 8192) -> Ints:
    """`Projection.block_sums`. Chunks of rows keep what is needed in between small."""
    columns = weight.shape[1]
    edges = np.arange(0, columns, BLOCK)
    best = np.zeros(edges.size, np.int64)
    factor = np.int32(1) if axon_exp is None else (1 << axon_exp.astype(np.int32)).astype(np.int32)
    for start in range(0, weight.shape[0], at_a_time):
        magnitude = np.abs(weight[start : start + at_a_time].astype(np.int32)) * factor
        best = np.maximum(best, np.add.reduceat(magnitude, edges, axis=1, dtype=np.int64).max(axis=0))
    return best


# -- from islands, for who still thinks in them -----------------------------------------------------------------------


def program_of(
    info: ModelInfo, steps: Sequence[Step], islands: Mapping[str, Island], sizes: Mapping[str, int],
    input: str = "tokens", output: str = "logits", conversion: Mapping[str, object] | None = None,
) -> Program:  # fmt: skip
    """The program of a language model from its islands and what calls them."""
    items: list[HostOp | LinearLayer] = []
    called: set[str] = set()
    for step in steps:
        if isinstance(step, HostOp):
            items.append(step)
            continue
        island = islands.get(step.island)
        if island is None or step.island in called:
            raise InternalError("ND9004", step.path, f"island {step.island!r} is missing or called twice")
        if tuple(part.output for part in island.slices) != step.outputs:
            raise InternalError("ND9004", step.path, "the call's outputs are not the island's slices")
        called.add(step.island)
        items.append(layer_of(island, step.input))
    if missing := islands.keys() - called:
        raise InternalError("ND9004", info.name, f"island {sorted(missing)[0]!r} is never called")
    return program_of_layers(info, items, sizes, input, output, conversion)


def layer_of(island: Island, value: str) -> LinearLayer:
    """The layer of an island that is called with this value; arrays are the island's own."""
    s, n = island.synapses, island.neurons
    params: dict[str, int | Ints] = {
        "multiplier": n.multiplier, "shift": n.shift, "acc_shift": n.acc_shift,
        "state_bits": n.state_bits, "out_bits": n.out_bits,
    }  # fmt: skip
    return linear_layer(
        island.name, s.weight, params if n.bias is None else {**params, "bias": n.bias},
        scales=(island.input_scale, island.output_scale), values=(value, tuple(part.output for part in island.slices)),
        payload_bits=island.payload_bits, weight_bits=s.weight_bits, axon_exp=s.axon_shift, block_sums=s.block_abs_sum,
        sections=tuple(Section(part.path, part.start, part.stop, part.role, part.heads) for part in island.slices),
        layer=island.layer, expert=island.expert,
    )  # fmt: skip
