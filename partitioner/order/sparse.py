"""Orders of irregular populations: rows that share axons side by side, so that fewer tiles store and receive each axon.

The rows of a population are the vertices of a hypergraph, the axons of its sparse projections the edges. With lambda_j
tiles that hold a synapse of axon j, ``sum over j of lambda_j`` is the number of lists, of in-axons and of entries at the
senders, and the messages if all send: dividing the hypergraph with the connectivity metric makes all of them small at
once. Three ways are tried, and the one with the fewest tiles, then the smallest sum, is kept:

- the given order, tile by tile as `cut.rows` cuts it;
- a stream (`order.greedy.fill`): a tile is filled by the row that brings fewest new axons. Any size; it ends early where
  its first tiles are no longer than those of the given order, as on random networks;
- Mt-KaHyPar (Gottesbueren et al., ALENEX 2021; deterministic preset, one thread) into as many blocks as the best way so
  far has tiles, and fewer. It knows one weight a row, so `order.greedy.mend` then moves rows until every block keeps all
  budgets. Up to `PINS` synapses, where the stream found structure, and only where the library is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.arrange import fixed_populations, inverse, laid_out
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.neurons.registry import model_of
from neurodeploy.synapses import Sparse
from partitioner.chips import hypergraph
from partitioner.cost.budget import room_of
from partitioner.cost.lists import Segment
from partitioner.cost.population import segments
from partitioner.cut.settle import unit_sends
from partitioner.job import Job
from partitioner.order.plan import Plan

if TYPE_CHECKING:
    from partitioner.order.greedy import Rows

#: Synapses of a population up to which a partitioner of hypergraphs is tried.
PINS = 100_000
#: Beyond so many it is tried where the stream found structure: so many times fewer lists than in the given order.
SMALL, STRUCTURED = 5_000, 1.5
#: Blocks up to which it is tried.
BLOCKS = 512
#: Steps that moving rows may take in one round: rows * synapses of a row * tiles.
STEPS = 2_000_000_000
#: Rows that `fill` may look at, for all populations together.
MOST_WORK = 600_000_000
#: Synapses of all these populations together beyond which none is looked at: rows by axon and axons by row alone would take
#: longer than all the rest of the mapping.
MOST_SYNAPSES = 30_000_000
#: Tiles that `fill` makes before it is compared with the given order, and by how much it must be better.
FIRST, BETTER = 12, 1.03
#: Parts of the fewest tiles so far that a partition into blocks is asked for.
SHRINK = (0.9, 1.0)


class Order(NamedTuple):
    """The neuron at each row, where tiles should end, and how it was found."""

    order: Ints
    stops: Ints
    how: str


def sparse_orders(job: Job, plan: Plan) -> tuple[dict[str, Order], tuple[str, ...]]:
    """Orders for the populations of `plan` that may gain by one, and notes."""
    found: dict[str, Order] = {}
    notes: list[str] = []
    eligible = list(_eligible(job.network, plan))
    total = sum(part.projection.synapse.count() for _, parts in eligible for part in parts)
    if total > MOST_SYNAPSES:
        return {}, (f"neurons keep their order: {total} synapses are too many to gather them by shared axons",)
    for name, parts in eligible:
        tiles = len(plan.cuts[name].blocks[plan.views[name].whole])
        made, note = _order(job, plan, name, parts, tiles, MOST_WORK // len(eligible))
        notes += [note] if note else []
        if made is not None:
            found[name] = made
    return found, tuple(dict.fromkeys(notes))


def _eligible(network: Network, plan: Plan) -> Iterator[tuple[str, tuple[Segment, ...]]]:
    """Populations of several tiles whose rows may be permuted and have sparse synapses; columns that are cut stay."""
    fixed = fixed_populations(network) | {
        name for p in network.projections if p.synapse.shared for name in (p.source, p.target)
    }
    fixed |= {name for name, population in network.populations.items() if model_of(population).memories}
    for name, cut in plan.cuts.items():
        parts = segments(network.into(name))
        sparse = any(isinstance(part.projection.synapse, Sparse) for part in parts)
        if name not in fixed and sparse and len(cut.blocks) == 1 and any(len(r) > 2 for r in cut.blocks.values()):
            yield name, parts


def _order(
    job: Job, plan: Plan, name: str, parts: tuple[Segment, ...], tiles: int, work: int
) -> tuple[Order | None, str]:
    from partitioner.order.greedy import fill, mend, reaches

    rows = _rows(job, plan, name, parts)
    pins = len(rows.axons)
    if not pins:
        return None, ""
    first, filled, left = fill(rows, FIRST, work)
    covered = max(1, int(np.count_nonzero(first >= 0)))
    gains = filled < FIRST or covered >= BETTER * FIRST * rows.count / tiles
    if gains and (work - left) * rows.count > work * covered:
        return None, f"{name}: its neurons keep their order, gathering them by shared axons would take too long"
    if not gains and pins > PINS and not _few(rows, tiles):
        return None, ""
    best, how, note = _own_tiles(plan, name), "given", ""
    lists = reaches(rows, best)
    fewest = (tiles, lists)

    def attempt(tile_of: Ints, way: str) -> None:
        """Keep it where it has fewer tiles, or as many and fewer lists."""
        nonlocal best, how, fewest
        score = (int(tile_of.max()) + 1, reaches(rows, tile_of))
        if score < fewest:
            best, how, fewest = tile_of, way, score

    if gains:
        tile_of, filled, left = fill(rows, rows.count, work)
        if left <= 0:
            note = f"{name}: gathering rows by shared axons was cut short"
        rest = np.flatnonzero(tile_of < 0)
        tile_of[rest] = filled + np.arange(len(rest)) * tiles // rows.count
        attempt(tile_of, "stream")
    structured = pins <= SMALL or STRUCTURED * fewest[1] <= lists
    if structured and pins <= PINS and tiles <= BLOCKS:
        if hypergraph.library() is None:
            note = f"{name}: mtkahypar is not installed (extra `mapping`), its neurons were gathered without it"
        else:
            most = fewest[0]
            for blocks in sorted({max(2, _floor(rows), round(most * share)) for share in SHRINK}):
                divided = _divide(rows, blocks, job.options.seed) if blocks <= min(most, BLOCKS) else None
                if divided is not None:
                    attempt(_compact(mend(rows, divided)), "mtkahypar")
    if how != "mtkahypar" and _few(rows, fewest[0]):
        attempt(_compact(mend(rows, best)), how + ", moved")
    if how == "given":
        return None, note
    order = np.argsort(best, kind="stable").astype(np.int64)
    return Order(order, np.cumsum(np.bincount(best))[:-1].astype(np.int64), how), note


def _rows(job: Job, plan: Plan, name: str, parts: tuple[Segment, ...]) -> Rows:
    from partitioner.cut.sweep import RowLists
    from partitioner.order.greedy import Rows

    view = plan.views[name]
    form = view.form
    lists, starts_of, columns, bits, dense = [], [], [], [], []
    base = 0
    for part in parts:
        s = part.projection.synapse
        if s.uniform:
            dense.append((s.columns, form.bits(part.projection)))
        elif isinstance(s, Sparse):
            lists.append(RowLists(s, (0, s.columns)))
            starts_of.append(base)
            columns.append(s)
            bits.append(np.full(s.columns, form.bits(part.projection) + form.index_bits, np.int64))
            base += s.columns
    starts, axons = lists[0].starts, lists[0].axons
    if len(lists) > 1:
        starts, axons = _joined([found.starts for found in lists], [found.axons for found in lists], starts_of)
    by_axon = np.concatenate(([0], np.cumsum(np.concatenate([s.lengths() for s in columns])))).astype(np.int64)
    targets = np.concatenate([s.targets().astype(np.int32, copy=False) for s in columns])
    known = np.array(room_of(job.rules[name].limits), np.int64)
    most = job.rules[name].rows
    if most is not None:
        known[0] = min(int(known[0]), most)
    words = np.array([form.header, form.axon, view.neuron], np.int64)
    return Rows(
        starts, axons, by_axon, targets, np.concatenate(bits), np.array(dense, np.int64).reshape(-1, 2),
        _of_neurons(plan, name, unit_sends(plan.views, name, plan.cuts)), known, words,
    )  # fmt: skip


def _joined(starts: list[Ints], axons: list[NDArray[np.int32]], first: list[int]) -> tuple[Ints, NDArray[np.int32]]:
    """The lists of several projections row by row, their axons counted on from `first`."""
    total = np.sum(starts, axis=0).astype(np.int64)
    found = np.empty(int(total[-1]), np.int32)
    done = total[:-1].copy()
    for own, columns, base in zip(starts, axons, first, strict=True):
        lengths = np.diff(own)
        where = np.repeat(done - own[:-1], lengths) + np.arange(len(columns), dtype=np.int64)
        found[where] = columns + np.int32(base)
        done += lengths
    return total, found


def _own_tiles(plan: Plan, name: str) -> Ints:
    """The tile of each neuron as the plan has cut it."""
    (ranges,) = plan.cuts[name].blocks.values()
    return _of_neurons(plan, name, np.repeat(np.arange(len(ranges), dtype=np.int64), ranges[:, 1] - ranges[:, 0]))


def _of_neurons(plan: Plan, name: str, values: Ints) -> Ints:
    """Values of the rows of a plan, neuron by neuron."""
    return values[inverse(plan.orders[name])] if name in plan.orders else values


def _floor(rows: Rows) -> int:
    """No division has fewer tiles: neurons, synapses in one list an axon, and destinations against their limits."""
    fan = np.diff(rows.by_axon)
    stored = int((-(-fan * rows.bits // 8) + (fan > 0) * rows.words[0]).sum())
    needs = (rows.count, stored, int(np.count_nonzero(fan)), int(rows.out.sum()), int(rows.words[2]) * rows.count)
    return max(-(-need // int(limit)) for need, limit in zip(needs, rows.limits, strict=True) if limit)


def _few(rows: Rows, tiles: int) -> bool:
    """Whether rows may be moved one by one between so many tiles."""
    return len(rows.axons) * tiles <= STEPS and (len(rows.by_axon) - 1) * tiles <= STEPS // 8


def _compact(tile_of: Ints) -> Ints:
    """Tiles numbered without gaps."""
    return np.unique(tile_of, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _divide(rows: Rows, blocks: int, seed: int) -> Ints | None:
    """Mt-KaHyPar's division of the rows into blocks of about equal weight; a row weighs its synapses and its own state."""
    degree = np.diff(rows.starts)
    weight = 4 + degree
    capacity = np.full(blocks, -(-int(weight.sum()) * 103 // (100 * blocks)) + int(weight.max()), np.int64)
    wide = np.flatnonzero(np.diff(rows.by_axon) >= 2)
    if not len(wide):
        return None
    lengths = np.diff(rows.by_axon)[wide]
    _, taken = laid_out(rows.by_axon[wide], lengths)
    edge = np.repeat(np.arange(len(wide), dtype=np.int64), lengths)
    none, pins = np.zeros(0, np.int64), rows.rows[taken].astype(np.int64)
    hyper = hypergraph.make_hyper(rows.count, none, none, none, edge, pins, np.ones(len(wide), np.int64))
    return _compact(hypergraph.partition(hyper, weight, capacity, None, seed))
