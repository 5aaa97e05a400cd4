"""A lower bound on cores that holds for any mapper with the same formats: total demand over budget, by resource.

However an island is split, it keeps its rows (one neuron each at least), its weights, one list header and one in-axon
for each column, and one out-axon for each row. So ``cores >= max over resources of ceil(total / limit)``.
"""

from __future__ import annotations

from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.program import Program

from .usage import RESOURCES, Cost, add, core_limits, island_bits


def lower_bound(program: Program, chip: ChipSpec, *, weight_bits: int | None = None) -> tuple[int, str]:
    """The least number of cores, and the resource that asks for them ("none" where the program has no island)."""
    total = (0, 0, 0, 0, 0)
    for island in program.islands.values():
        cost = Cost(chip, island_bits(island, weight_bits))
        total = add(total, cost.synapses(island.rows, island.columns, cost.words(island.neurons.out_bits)))
    best, binding = 0, "none"
    for name, used, limit in zip(RESOURCES, total, core_limits(chip), strict=True):
        if limit and -(-used // limit) > best:
            best, binding = -(-used // limit), name
    return best, binding
