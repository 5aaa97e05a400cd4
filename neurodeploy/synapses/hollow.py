"""Islands and programs without weights: all that a mapper needs of a model whose files nobody has read.

The arrays of a hollow island are views of one element that take no memory. Partial sums are bounded by the largest
weight everywhere (``block_abs_sum = columns of the block * (2**(weight_bits - 1) - 1)``, no wide axons): a program from
real weights has smaller ones, so that a plan for a hollow program never promises too much. Never run one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodeploy.ir.fixedpoint import Dyadic, signed_max
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import BLOCK
from neurodeploy.ir.program import GradedNeurons, Island, IslandCall, Program, Slice, Synapses
from neurodeploy.synapses.linear import program_of


def hollow_island(
    name: str,
    rows: int,
    columns: int,
    *,
    slices: Sequence[Slice] = (),
    layer: int | None = None,
    expert: int | None = None,
    weight_bits: int = 8,
    payload_bits: int = 16,
) -> Island:
    """An island of these sizes; without `slices` its rows are one slice of that name."""
    widths = np.minimum(BLOCK, columns - np.arange(0, columns, BLOCK))
    synapses = Synapses(
        np.broadcast_to(np.zeros((), np.int8), (rows, columns)),
        np.broadcast_to(np.zeros((), np.uint8), (columns,)),
        (widths * max(1, signed_max(weight_bits))).astype(np.int64),
        weight_bits,
    )
    neurons = GradedNeurons(
        np.broadcast_to(np.ones((), np.int16), (rows,)), np.broadcast_to(np.zeros((), np.uint8), (rows,)), 0
    )
    one = Dyadic(1, 0)
    parts = tuple(slices) or (Slice(name, name, 0, rows),)
    return Island(name, rows, columns, parts, payload_bits, one, one, synapses, neurons, layer, expert)


def hollow_program(info: ModelInfo, islands: Sequence[Island], host: Sequence[HostOp] = ()) -> Program:
    """A program that calls these islands in order; `host` operations say what routes (`moe_route`, `moe_dispatch`)."""
    calls = [
        IslandCall(
            island.name, island.name, f"{island.name}.in", tuple(part.output for part in island.slices), island.layer
        )
        for island in islands
    ]
    return program_of(info, (*host, *calls), {island.name: island for island in islands}, {}, output="")
