"""A program without weights that has the islands of an outline: what the mapper would be given."""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.outline import Outline
from neurodeploy.ir.program import Island, Program, Slice
from neurodeploy.ir.run import ActivityCounts, IslandActivity
from neurodeploy.synapses.hollow import hollow_island, hollow_program


def program_of(outline: Outline, bits: int = 8) -> Program:
    """All islands of the body, layer by layer. Of models without experts."""
    islands: list[Island] = []
    for layer in range(outline.info.layers):
        block = next(block for block in outline.blocks if layer in block.layers)
        for matrix in block.matrices:
            name, start, slices = f"layers.{layer}.{matrix.name}", 0, []
            for index, part in enumerate(matrix.parts):
                slices.append(
                    Slice(f"{name}.{index}", f"{name}.{index}", start, start + part.rows, part.role, part.heads)
                )
                start += part.rows
            islands.append(
                hollow_island(name, matrix.rows, matrix.columns, slices=slices, layer=layer, weight_bits=bits)
            )
    return hollow_program(outline.info, islands)


def counts_of(program: Program, activity: float, tokens: int, flops: float, moved: float) -> ActivityCounts:
    """As if every island had seen `tokens` tokens at this activity."""
    events = round(activity * tokens)
    islands = {
        name: IslandActivity(tokens, np.full(i.columns, events, np.int64), np.full(i.rows, tokens, np.int64), 0, 0, 0)
        for name, i in program.islands.items()
    }
    return ActivityCounts(islands, tokens, round(flops * tokens), round(moved * tokens), {})
