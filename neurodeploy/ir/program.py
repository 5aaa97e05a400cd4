"""`Program`: the integers that run. It states its own numeric contract and holds no float anywhere.

An *island* is what one stretch of chip computes between two borders with the host: populations and projections in
integers. At T = 1 one graded event per non-zero activation enters, one graded value per neuron leaves::

    x_j   = clip(round(v_j / (input_scale * 2**axon_shift_j)), +-(2**(payload_bits-1) - 1))     encode, at the border
    acc_i = bias_i + sum_j w_ij * x_j * 2**axon_shift_j                                         exact integer sum
    a_i   = saturate24(round_shift(acc_i, acc_shift))                                           neuron state
    y_i   = saturate24(round_shift(a_i * multiplier_i, shift_i))                                multiply and shift
    out_i = y_i * output_scale                                                                  decode, at the border

`axon_shift` is the weight exponent of an axon (0, or 8 for the few channels whose range is far above the rest): axons of
one exponent form one synapse group, as with Lava's `weight_exp`. The sum is exact, so that any split over rows or columns
gives the same bits. Every saturation is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.copies import Copies
from neurodeploy.ir.fixedpoint import STATE_BITS, Dyadic, signed_max
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import Network

CONTRACT = "neurodeploy-graded-24/1"
#: Of a program that is a spiking network: the rules of `ir.network`, Lava's arithmetic.
NETWORK_CONTRACT = "neurodeploy-steps-32/1"
#: Columns per entry of `Synapses.block_abs_sum`.
BLOCK = 256
#: The only axon exponents: narrow and wide.
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


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Islands in integers, and the typed host program between them (operations of `neurodeploy.ops` plus island calls).

    A program that lives in time is a `network` instead, and then has neither steps nor islands.
    copies : by island, or path of a host operation, what it stands for; of no entry for itself (`ir.hollow`).
    """

    info: ModelInfo
    steps: tuple[Step, ...]
    islands: Mapping[str, Island]
    sizes: Mapping[str, int]
    input: str = "tokens"
    output: str = "logits"
    contract: str = CONTRACT
    conversion: Mapping[str, object] = field(default_factory=dict)
    network: Network | None = None
    copies: Mapping[str, Copies] = field(default_factory=dict)

    @classmethod
    def of_network(cls, info: ModelInfo, network: Network, conversion: Mapping[str, object]) -> Program:
        """A program that is one spiking network."""
        return cls(info, (), {}, {}, "", "", NETWORK_CONTRACT, conversion, network)

    def check(self) -> None:
        """Every call names an island, every island is called once, values are defined before use."""
        if self.network is not None:
            self.network.check()
            return
        defined, called = {self.input}, set()
        for step in self.steps:
            for name in step.inputs:
                if name not in defined:
                    raise InternalError("ND9004", step.path, f"uses {name!r} before it is defined")
            defined.update(step.outputs)
            if isinstance(step, IslandCall):
                island = self.islands.get(step.island)
                if island is None or step.island in called:
                    raise InternalError("ND9004", step.path, f"island {step.island!r} is missing or called twice")
                if tuple(part.output for part in island.slices) != step.outputs:
                    raise InternalError("ND9004", step.path, "the call's outputs are not the island's slices")
                called.add(step.island)
        if self.output not in defined or called != set(self.islands):
            raise InternalError("ND9004", self.info.name, "the output is never computed or an island is never called")
