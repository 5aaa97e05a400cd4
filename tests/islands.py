"""Linear layers as one value, for tests that make them by hand: an *island*, and the program of islands.

`islands_of` is the way back: the layers of a program, whoever made it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import STATE_BITS, Dyadic, Ints, signed_max
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import Section
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode
from neurodeploy.synapses.hollow import ONE, bounds
from neurodeploy.synapses.linear import LinearLayer, linear_layer, linear_layers, program_of_layers


@dataclass(frozen=True, slots=True, eq=False)
class Synapses:
    """The weights of one island: int8, shape (rows, columns) = (target neurons, source axons).

    `axon_shift` (columns,) uint8 in {0, 8}. `block_abs_sum` (ceil(columns / 256),) int64: for each block of 256 columns
    the largest, over rows, sum of ``|w_ij| << axon_shift_j``: a mapper bounds partial sums with it without reading weights.
    """

    weight: NDArray[np.int8]
    axon_shift: NDArray[np.uint8]
    block_abs_sum: NDArray[np.int64]
    weight_bits: int = 8


@dataclass(frozen=True, slots=True, eq=False)
class GradedNeurons:
    """The neurons of one island: int16 multiplier and uint8 shift per neuron, optional int64 bias on the sum."""

    multiplier: NDArray[np.int16]
    shift: NDArray[np.uint8]
    acc_shift: int
    bias: NDArray[np.int64] | None = None
    state_bits: int = STATE_BITS
    out_bits: int = STATE_BITS


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows ``start:stop`` of an island: one projection of the model, with what the mapper keeps together."""

    path: str
    output: str
    start: int
    stop: int
    role: str = ""
    heads: int = 0

    @property
    def rows(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, eq=False)  # no slots: runners keep what they prepare in a WeakKeyDictionary of islands
class Island:
    """All projections of the model that share one source population, in integers. Sizes are known without arrays."""

    name: str
    rows: int
    columns: int
    slices: tuple[Slice, ...]
    payload_bits: int
    input_scale: Dyadic
    output_scale: Dyadic
    synapses: Synapses
    neurons: GradedNeurons
    layer: int | None = None
    expert: int | None = None

    @property
    def payload_max(self) -> int:
        return signed_max(self.payload_bits)


#: What a program does: an operation of the host, or an island on the host value of that name.
Step = HostOp | tuple[Island, str]


@lru_cache(maxsize=64)
def islands_of(program: Program) -> Mapping[str, Island]:
    """Every linear layer of a language model."""
    return {layer.name: _island(layer) for layer in linear_layers(program)}


def steps_of(program: Program) -> list[HostOp | Decode]:
    """Host operations, and what the host decodes of islands, in order."""
    return [step for step in program.host if not isinstance(step, Encode)]


def _island(layer: LinearLayer) -> Island:
    p, source, neurons = layer.synapses, layer.source, layer.neurons
    exponents = np.broadcast_to(np.zeros((), np.uint8), (source.size,)) if p.axon_exp is None else p.axon_exp
    slices = (
        Slice(part.path, value, part.start, part.stop, part.role, part.heads)
        for part, value in zip(neurons.sections, layer.decode.values, strict=True)
    )
    return Island(
        layer.name, neurons.size, source.size, tuple(slices), dict[str, Any](source.params)["bits"],
        layer.encode.scale, layer.decode.scale, Synapses(p.synapse.weight, exponents, p.block_sums, p.weight_bits),
        GradedNeurons(**{"bias": None, **neurons.params}), neurons.layer, neurons.expert,
    )  # fmt: skip


def program_of(info: ModelInfo, steps: Sequence[Step], input: str = "tokens", output: str = "logits") -> Program:
    """The program of a language model that does these steps."""
    items = [step if isinstance(step, HostOp) else layer_of(*step) for step in steps]
    return program_of_layers(info, items, {}, input, output)


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


def hollow_island(
    name: str, rows: int, columns: int, *, slices: Sequence[Slice] = (), layer: int | None = None,
    expert: int | None = None, weight_bits: int = 8, payload_bits: int = 16,
) -> Island:  # fmt: skip
    """An island of these sizes; without `slices` its rows are one slice of that name."""

    def every(value: int, kind: Any, *shape: int) -> NDArray[Any]:
        return np.broadcast_to(np.full((), value, kind), shape)

    synapses = Synapses(
        every(0, np.int8, rows, columns), every(0, np.uint8, columns), bounds(columns, weight_bits), weight_bits
    )
    neurons = GradedNeurons(every(1, np.int16, rows), every(0, np.uint8, rows), 0)
    parts = tuple(slices) or (Slice(name, name, 0, rows),)
    return Island(name, rows, columns, parts, payload_bits, ONE, ONE, synapses, neurons, layer, expert)


def hollow_program(info: ModelInfo, islands: Sequence[Island], host: Sequence[HostOp] = ()) -> Program:
    """A program that calls these islands in order; `host` operations say what routes (`moe_route`, `moe_dispatch`)."""
    return program_of(info, [*host, *((island, f"{island.name}.in") for island in islands)], output="")


def layer_network(island: Island) -> Network:
    """The layer as a network by itself."""
    layer = layer_of(island, "x")
    populations = {p.name: p for p in (layer.source, layer.neurons)}
    return Network(island.name, populations, (layer.synapses,), (island.name,))
