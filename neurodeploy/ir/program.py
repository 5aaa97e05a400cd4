"""`Program`: the integers that run, as one graph of populations and host operations. It holds no float anywhere.

`network` has every population and projection (`ir.network`: the rules of a step). What the host does stands in `host`, in
order: operations of `neurodeploy.ops`, and the border to the chip in both directions (`ir.segments`)::

    x_j   = clip(round(v_j / (scale * 2**axon_exp_j)), +-(2**(bits - 1) - 1))     `Encode`, into an input population
    out_i = s_i * scale                                                           `Decode`, out of a population

`bits` is the width of the input population, `axon_exp` that of the projections that leave it: 0, or 8 for the few channels
whose range is far above the rest. A program without `host` is fed by streams, one of a language model by its tokens.

A linear layer of a language model is two populations and one projection within the step, each token a step::

    NAME.input  --Dense, graded, instant-->  NAME (graded_affine)

    acc_i = bias_i + sum_j w_ij * x_j * 2**axon_exp_j        exact integer sum, so that any split gives the same bits
    a_i   = saturate24(round_shift(acc_i, acc_shift))        neuron state
    s_i   = saturate24(round_shift(a_i * multiplier_i, shift_i))

Every saturation is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.copies import Copies
from neurodeploy.ir.fixedpoint import STATE_BITS, Dyadic, signed_max
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.segments import Decode, Encode, HostStep, Segment, segments_of

#: The numeric contract: the rules of `ir.network`, and those of this module for the border.
CONTRACT = "neurodeploy-steps/2"
#: The only axon exponents of a language model: narrow and wide.
AXON_SHIFTS = (0, 8)


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

    def check(self) -> None:
        """Shapes, types and ranges; raises `InternalError` (a bundle's reader turns damage into its own error before)."""

        def need(condition: bool, problem: str) -> None:
            if not condition:
                raise InternalError("ND9003", self.name, problem)

        s, n = self.synapses, self.neurons
        need(
            s.weight.dtype == np.int8 and s.weight.shape == (self.rows, self.columns),
            "weight is not int8 (rows, columns)",
        )
        need(
            s.axon_shift.dtype == np.uint8 and s.axon_shift.shape == (self.columns,),
            "axon_shift is not uint8 (columns,)",
        )
        need(bool(np.isin(s.axon_shift, AXON_SHIFTS).all()), "axon_shift is neither 0 nor 8")
        need(n.multiplier.dtype == np.int16 and n.multiplier.shape == (self.rows,), "multiplier is not int16 (rows,)")
        need(n.shift.dtype == np.uint8 and n.shift.shape == (self.rows,) and bool((n.shift < 48).all()), "bad shift")
        need(0 <= n.acc_shift < 40, "acc_shift is out of range")
        need(self.payload_bits in (8, 10, 12, 14, 16), f"payload of {self.payload_bits} bits")
        need(1 <= s.weight_bits <= 8, f"weights of {s.weight_bits} bits")
        rows = [r for part in self.slices for r in (part.start, part.stop)]
        need(rows == sorted(rows) and rows[0] == 0 and rows[-1] == self.rows, "slices do not cover the rows")

    @property
    def payload_max(self) -> int:
        return signed_max(self.payload_bits)


@dataclass(frozen=True, slots=True)
class IslandCall:
    """A step of the host program: encode `input`, run `island`, decode into `outputs` (one per slice)."""

    path: str
    island: str
    input: str
    outputs: tuple[str, ...]
    layer: int | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,)


Step = HostOp | IslandCall


@dataclass(frozen=True, eq=False)
class Program:
    """One graph: populations and projections, and the host's steps between them.

    sizes : neurons of each host value. input, output : the host values that are the ids of tokens and the logits; "" where
    streams feed the input populations, and the payloads of `network.outputs` are the result.
    copies : by population, or path of a host operation, what it stands for; of no entry for itself (`synapses.hollow`).
    """

    info: ModelInfo
    network: Network
    host: tuple[HostStep, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    input: str = ""
    output: str = ""
    conversion: Mapping[str, object] = field(default_factory=dict)
    copies: Mapping[str, Copies] = field(default_factory=dict)

    @property
    def streamed(self) -> bool:
        """Whether streams feed it, and not the tokens of a text."""
        return not self.input

    @property
    def operations(self) -> tuple[HostOp, ...]:
        """What the host computes, in order."""
        return tuple(step for step in self.host if isinstance(step, HostOp))

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        return segments_of(self.network, self.host)

    @cached_property
    def schedule(self) -> tuple[HostOp | Segment, ...]:
        """Host operations and segments in order: a segment runs once all that it is fed with is there, before the first
        value of it is asked for."""
        return tuple(self._scheduled())

    def _scheduled(self) -> Iterator[HostOp | Segment]:
        owner = {name: s for s in self.segments for name in s.network.populations if name not in s.reads}
        maker: dict[str, HostOp | Segment] = {value: s for s in self.segments for value in s.outputs}
        maker |= {value: step for step in self.operations for value in step.outputs}
        done: set[int] = set()

        def run(item: HostOp | Segment) -> Iterator[HostOp | Segment]:
            if id(item) not in done:
                done.add(id(item))
                needs = [maker[value] for value in item.inputs if value in maker]
                if isinstance(item, Segment):
                    needs += [owner[name] for name in item.reads]
                for need in needs:
                    yield from run(need)
                yield item

        for step in self.host:
            if isinstance(step, HostOp):
                yield from run(step)
            elif isinstance(step, Decode):
                yield from run(owner[step.population])
        for segment in self.segments:
            yield from run(segment)

    def check(self) -> None:
        """The network, and that every value is there before it is used; ND9004, ND9012."""
        self.network.check()
        populations, given = self.network.populations, {self.input}
        encoded: set[str] = set()

        def need(condition: bool, where: str, problem: str) -> None:
            if not condition:
                raise InternalError("ND9004", where, problem)

        for step in self.host:
            for name in step.inputs:
                need(name in given, step.path, f"uses {name!r} before it is defined")
            if not isinstance(step, HostOp):
                population = populations.get(step.population)
                need(population is not None, step.path, "is no population")
                if isinstance(step, Encode):
                    fed = population is not None and population.model == INPUT and step.population not in encoded
                    need(fed, step.path, "is no input, or is encoded twice")
                    encoded.add(step.population)
                elif population is not None:
                    need(len(step.values) == max(1, len(population.sections)), step.path, "has not a value a section")
            given.update(step.outputs)
        for item in self.schedule:
            for name in item.inputs:
                need(name in given, item.path, f"uses {name!r}, which nothing makes")
        need(not self.output or self.output in given, self.info.name, "the output is never computed")

    # -- views, for who still thinks in islands ---------------------------------------------------------------------

    @cached_property
    def islands(self) -> Mapping[str, Island]:
        """Every linear layer of a language model."""
        encodes = {step.population: step for step in self.host if isinstance(step, Encode)}
        return {step.population: _island(self.network, encodes, step) for step in self.host if isinstance(step, Decode)}

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Host operations, and calls of islands."""
        value = {step.population: step.value for step in self.host if isinstance(step, Encode)}
        found: list[Step] = []
        for step in self.host:
            if isinstance(step, HostOp):
                found.append(step)
            elif isinstance(step, Decode):
                (p,) = self.network.into(step.population)
                layer = self.network.populations[step.population].layer
                found.append(IslandCall(step.path, step.population, value[p.source], step.values, layer))
        return tuple(found)


def _island(network: Network, encodes: Mapping[str, Encode], decode: Decode) -> Island:
    population = network.populations[decode.population]
    (p,) = network.into(population.name)
    source, params = network.populations[p.source], dict[str, Any](population.params)
    exponents = np.broadcast_to(np.zeros((), np.uint8), (source.size,)) if p.axon_exp is None else p.axon_exp
    sums: Any = p.block_sums
    slices = (
        Slice(part.path, value, part.start, part.stop, part.role, part.heads)
        for part, value in zip(population.sections, decode.values, strict=True)
    )
    return Island(
        population.name, population.size, source.size, tuple(slices), dict[str, Any](source.params)["bits"],
        encodes[source.name].scale, decode.scale, Synapses(p.synapse.weight, exponents, sums, p.weight_bits),
        GradedNeurons(**({"bias": None} | params)), population.layer, population.expert,
    )  # fmt: skip
