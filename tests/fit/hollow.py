"""A hollow program with every layer in its place, and counts as if it had run: what the mapper and the account are given."""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, RunActivity
from neurodeploy.synapses.hollow import at_width, without_head
from neurodeploy.synapses.written_out import written_out
from tests.islands import islands_of


def program_of(hollow: Program, bits: int = 8) -> Program:
    """All layers but the head."""
    return without_head(written_out(at_width(hollow, bits)))


def counts_of(program: Program, activity: float, tokens: int, flops: float, moved: float) -> ActivityCounts:
    """As if every island had seen `tokens` tokens at this activity."""
    events = round(activity * tokens)
    islands = {
        name: RunActivity.of_layer(
            name, tokens, np.full(i.source.size, events, np.int64), np.full(i.neurons.size, tokens, np.int64)
        )
        for name, i in islands_of(program).items()
    }
    return ActivityCounts(islands, tokens, round(flops * tokens), round(moved * tokens), {})
