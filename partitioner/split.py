"""Split an island into tiles that fit one core each. Sizes only: no weight is read.

Rows first: a core takes all columns of as many rows as its budgets allow. Columns are split only where one row of all
columns exceeds a budget, or where it saves more than a tenth of the cores; then reducers add the partial sums, and all
rows have the same column blocks. Rows are cut at head boundaries wherever that needs no extra core.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.program import BLOCK, Island

from .usage import MAX_WORDS, RESOURCES, Cost, Demand, fits, partial_bits

Limits = tuple[int | None, ...]
Range = tuple[int, int]

#: A split into more column blocks costs messages and reducers; it must save this part of the cores to be taken.
GAIN = 0.1
#: How many times the fewest column blocks are tried.
FACTORS = (1, 2, 4, 8)


class Tile(NamedTuple):
    """A shard without a place, and what it costs."""

    island: str
    kind: str
    rows: Range
    cols: Range
    group: str
    demand: Demand


@dataclass(frozen=True, slots=True)
class Plan:
    """How one island is cut: column blocks with the messages of their partial sums, rows a tile, rows a reducer."""

    blocks: tuple[Range, ...]
    words: tuple[int, ...]
    rows: int
    reducer_rows: int

    def cores(self, rows: int) -> int:
        reducers = -(-rows // self.reducer_rows) if self.reducer_rows else 0
        return len(self.blocks) * -(-rows // self.rows) + reducers


def split_island(island: Island, cost: Cost, limits: Limits) -> list[Tile]:
    """The tiles of an island, in row order; those of one row range stand together, its reducers after them.

    Raises
    ------
    DoesNotFit ND2002 : not even one neuron fits a core, however its columns are split.
    """
    plan = _plan(island, cost, limits)
    group, output = group_of(island), cost.words(island.neurons.out_bits)
    tiles = []
    for start, stop in row_cuts(island, plan.rows):
        for block, words in zip(plan.blocks, plan.words, strict=True):
            demand = cost.synapses(stop - start, block[1] - block[0], words)
            tiles.append(Tile(island.name, "synapses", (start, stop), block, group, demand))
    for start in range(0, island.rows, plan.reducer_rows) if plan.reducer_rows else ():
        stop = min(start + plan.reducer_rows, island.rows)
        demand = cost.reducer(stop - start, sum(plan.words), output)
        tiles.append(Tile(island.name, "reducer", (start, stop), (0, len(plan.blocks)), group, demand))
    return tiles


def group_of(island: Island) -> str:
    """What the mapper keeps on one chip where it can: an expert, the projections of an attention layer, an island."""
    if island.expert is not None:
        return f"layers.{island.layer}.experts.{island.expert}"
    if island.layer is not None and {part.role for part in island.slices} & {"q", "k", "v", "o"}:
        return f"layers.{island.layer}.attention"
    return island.name


def row_cuts(island: Island, most: int) -> list[Range]:
    """Ranges of at most `most` rows, as few as possible: at head boundaries if that is as few, else full and a rest."""
    full = _ranges(list(range(0, island.rows, most)), island.rows)
    if not any(part.heads for part in island.slices):
        return full
    cuts = [0]
    for start, stop in _units(island):
        if stop - start > most:
            return full
        if stop - cuts[-1] > most:
            cuts.append(start)
    return _ranges(cuts, island.rows) if len(cuts) <= len(full) else full


def _units(island: Island) -> Iterator[Range]:
    """Row ranges that should stay whole: each head of a slice with heads, each row of the others."""
    for part in island.slices:
        step = part.rows // part.heads if part.heads and part.rows % part.heads == 0 else 1
        for start in range(part.start, part.stop, step):
            yield start, start + step


def _ranges(cuts: list[int], end: int) -> list[Range]:
    return list(zip(cuts, [*cuts[1:], end], strict=True))


def _plan(island: Island, cost: Cost, limits: Limits) -> Plan:
    """The plan with the fewest column blocks, unless more of them save `GAIN` of its cores."""
    output = cost.words(island.neurons.out_bits)
    best = None
    rows = _most(partial(_rows_of, cost, island.columns, output), island.rows, limits)
    if rows:
        best = Plan(((0, island.columns),), (output,), rows, 0)
    width = _widest(island, cost, limits)
    tried = {1}
    for factor in FACTORS if width else ():
        count = max(2, -(-island.columns // width)) * factor
        blocks = _blocks(island.columns, count, width)
        if len(blocks) in tried:
            continue
        tried.add(len(blocks))
        plan = _column_plan(island, blocks, cost, limits)
        if plan and (best is None or plan.cores(island.rows) < (1.0 - GAIN) * best.cores(island.rows)):
            best = plan
    if best is None:
        raise _impossible(island, cost, limits)
    return best


def _column_plan(island: Island, blocks: list[Range], cost: Cost, limits: Limits) -> Plan | None:
    words = tuple(cost.words(partial_bits(island, block)) for block in blocks)
    if max(words) > MAX_WORDS:
        return None
    shapes = {(stop - start, messages) for (start, stop), messages in zip(blocks, words, strict=True)}
    rows = min(_most(partial(_rows_of, cost, *shape), island.rows, limits) for shape in shapes)
    output = cost.words(island.neurons.out_bits)
    reducer_rows = _most(lambda r: cost.reducer(r, sum(words), output), island.rows, limits)
    return Plan(tuple(blocks), words, rows, reducer_rows) if rows and reducer_rows else None


def _widest(island: Island, cost: Cost, limits: Limits) -> int:
    """The most columns of one row that fit a core as a partial sum; 0 where not even one does."""
    for messages in (MAX_WORDS, 1):
        width = _most(partial(_columns_of, cost, messages), island.columns, limits)
        if width:
            return width
    return 0


def _blocks(columns: int, count: int, widest: int) -> list[Range]:
    """About `count` equal blocks of at most `widest` columns, at multiples of `BLOCK` where that is possible.

    The bound on partial sums is known for blocks of `BLOCK` columns, so that a cut between them proves fewer bits.
    """
    width = min(-(-columns // count), widest)
    aligned = -(-width // BLOCK) * BLOCK
    if width >= BLOCK:
        width = aligned if aligned <= widest else width // BLOCK * BLOCK
    return [(start, min(start + width, columns)) for start in range(0, columns, width)]


def _rows_of(cost: Cost, columns: int, messages: int, rows: int) -> Demand:
    return cost.synapses(rows, columns, messages)


def _columns_of(cost: Cost, messages: int, columns: int) -> Demand:
    return cost.synapses(1, columns, messages)


def _most(demand: Callable[[int], Demand], most: int, limits: Limits) -> int:
    """The largest n in 0..most whose demand fits; demands grow with n."""
    return bisect_right(range(1, most + 1), False, key=lambda n: not fits(demand(n), limits))


def _impossible(island: Island, cost: Cost, limits: Limits) -> DoesNotFit:
    """Say which budget one neuron of the island exceeds: its synapses, its partial sums or the reducer of these."""
    width = max(1, _widest(island, cost, limits))
    blocks = _blocks(island.columns, -(-island.columns // width), width)
    words = [cost.words(partial_bits(island, block)) for block in blocks]
    tried = (
        ("one column of row 0", cost.synapses(1, 1, 1)),
        (f"row 0 over {width} columns, as a partial sum,", cost.synapses(1, width, max(words))),
        (f"the reducer of row 0 over {len(blocks)} column blocks", cost.reducer(1, sum(words), 1)),
    )
    problem = f"one row needs partial sums of {max(words)} messages, the most is {MAX_WORDS}"
    for what, demand in tried:
        over = [
            f"{used} {name} (a core has {limit})"
            for name, used, limit in zip(RESOURCES, demand, limits, strict=True)
            if limit is not None and used > limit
        ]
        if over:
            problem = f"{what} needs {' and '.join(over)}"
            break
    return DoesNotFit(
        "ND2002",
        island.name,
        f"{problem} on {cost.chip.name}",
        f"no split of its {island.columns} columns at {cost.bits} bits helps: choose a chip with larger cores",
    )
