"""The best plan: the given order of the neurons against orders that may lower cores or traffic.

Every candidate is cut as a whole, and the better one by `Options.objective` is kept::

    cores     chips, cores, messages          latency   busiest core, cores, messages
    traffic   chips, messages, cores          energy    joules of a step, cores

Messages count every neuron's (or those of `rates`) times the shards that they reach, and partial sums, which are sent
whether or not anybody fires: the less fires, the fewer column blocks pay. An order is dropped where it gains
nothing, so that `Mapping.orders` names only what pays. Where the entries for their destinations end the tiles of senders,
the receivers' columns are tried in more blocks likewise: larger tiles in the other direction, with reducers. Where all rows
are alike there is nothing to look for: `cut.joint` has found the best way in closed form.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Mapping as Table
from dataclasses import replace

import numpy as np

from neurodeploy.errors import DoesNotFit
from neurodeploy.synapses import Conv, Sparse
from partitioner.cost.lists import format_of
from partitioner.cut.known import KnownCuts
from partitioner.cut.rows import LEVELLED
from partitioner.cut.rules import Rule, with_stops
from partitioner.job import Job
from partitioner.order.conv import channel_blocks, conv_orders
from partitioner.order.plan import Plan, busiest, deliveries, joules, make_plan
from partitioner.order.sparse import Order, sparse_orders
from partitioner.pack.cores import pack

Orders = dict[str, Order]
#: How many times as many blocks of columns are tried, for how many populations, and how often in all.
FACTORS, TRIED, SWEEPS = (2, 4, 8, 16), 6, 2
#: Plans with more blocks of columns that are tried have no more tiles together than this (a set of factors at least).
WORKED = 60_000
#: How often rows are gathered by the axons that they share, each time in the best order so far.
GATHERED = 2
#: Part of the joules of the plan for energy that another plan takes at most, to be taken.
WORTH = 0.97
#: Tiles up to which neater ones are tried where rows are alike.
NEAT = 1_000
#: Per cent of list headers in the synapses from which on that is worth it; sparse synapses up to which it is tried.
HEADERS, SYNAPSES = 3, 2_000_000


def best_plan(job: Job) -> Plan:
    """With the rates of a run never more messages of that run, and nothing worse, than without them.

    Where nothing can fit, or no search is asked for, it is the first plan: it says more or less what is needed.

    Raises `DoesNotFit` where the given order does not fit: no order makes room for one neuron.
    """
    find = _least_joules if job.options.objective == "energy" else _best
    plan = find(job)
    if job.sent is None:
        return plan
    plain = find(replace(job, sent=None, per=1))
    better = _score(job, plan) < _score(job, plain) and deliveries(job, plan) <= deliveries(job, plain)
    return plan if better else plain


def _least_joules(job: Job) -> Plan:
    """Of the plans for energy, for cores and for latency the one that takes least: short steps may save more of the power
    that chips draw without work than they cost in cores, or the other way round. Another than its own saves `WORTH`."""
    own = _best(job)
    found = []
    for objective in ("cores", "latency"):
        try:
            found.append(_best(replace(job, options=replace(job.options, objective=objective))))
        except DoesNotFit:
            continue
    best = min(found, key=lambda plan: _score(job, plan), default=own)
    return best if WORTH * _score(job, own)[0] > _score(job, best)[0] else own


def _best(job: Job) -> Plan:
    known = KnownCuts()
    given, rules = _given(job, known)
    if (
        not job.options.search
        or job.hopeless
        or all(len(cut.blocks) < 2 and len(rows) < 2 for cut in given.cuts.values() for rows in cut.blocks.values())
    ):
        return given
    search = _Search(job, given, rules, known)
    if job.options.objective in ("cores", "energy") and len(given.tiles) <= NEAT:
        search.neater()
    kinds = {type(part.projection.synapse) for view in job.views.values() for part in view.segments}
    for _ in range(GATHERED if Sparse in kinds else 0):
        if search.late():
            break
        found, said = sparse_orders(job, search.plan)
        search.notes += said
        if not (found and search.better(search.orders | found, search.rules)):
            break
    blocks = channel_blocks(job, given) if Conv in kinds and not search.late() else {}
    for pixels in (False, True) if blocks else ():
        if not search.late() and (orders := conv_orders(blocks, pixels=pixels)):
            search.better(search.orders | orders, search.rules)
    left = max(len(FACTORS), WORKED // len(given.tiles))
    for _ in range(SWEEPS):
        before = search.score
        for name in wide(job, search.plan):
            first = len(search.plan.cuts[name].blocks)
            for factor in FACTORS:
                if left > 0 and not search.late():
                    left -= 1
                    search.better(
                        search.orders, search.rules | {name: replace(search.rules[name], blocks=first * factor)}
                    )
        if search.score == before:
            break
    return search.result()


def _given(job: Job, known: KnownCuts) -> tuple[Plan, dict[str, Rule]]:
    """The plan in the given order, and its rules: columns of the receivers are cut where senders reach too many tiles."""
    try:
        return make_plan(job, {}, job.rules, known=known), job.rules
    except DoesNotFit as error:
        if error.code != "ND2013":
            raise
        problem = error
    targets = {p.target for p in job.network.projections if p.source == problem.subject}
    for factor in FACTORS:
        wider = {
            name: replace(job.rules[name], blocks=factor) for name in targets if job.rules[name].most_blocks is None
        }
        try:
            return make_plan(job, {}, job.rules | wider, known=known), job.rules | wider
        except DoesNotFit:
            continue
    raise problem


class _Search:
    """The best plan so far, its orders and rules."""

    def __init__(self, job: Job, plan: Plan, rules: dict[str, Rule], known: KnownCuts) -> None:
        self.job, self.plan, self.rules, self.known = job, plan, rules, known
        self.orders: Orders = {}
        self.notes: list[str] = []
        self.score: tuple[int, ...] | None = None
        self.filling = True
        self.packed = 0  # cores of the plan as the tail packs it, once they are counted

    def late(self) -> bool:
        over = self.job.deadline is not None and time.monotonic() > self.job.deadline
        if over:
            self.notes.append("the search for better orders of neurons was cut short")
        return over

    def better(self, orders: Orders, rules: dict[str, Rule]) -> bool:
        """Cut with these orders and rules, and keep the plan where it is better than the best so far."""
        chosen = {name: order.order for name, order in orders.items()}
        stops = with_stops(rules, {name: order.stops for name, order in orders.items()})
        try:
            plan = make_plan(self.job, chosen, stops, filling=self.filling, known=self.known)
        except DoesNotFit:
            return False
        if self.score is None:
            self.score = _score(self.job, self.plan, self.known)
        score = _score(self.job, plan, self.known)
        if score >= self.score:
            return False
        self.plan, self.score, self.orders, self.rules, self.packed = plan, score, orders, rules, 0
        return True

    def neater(self) -> None:
        """Where rows are alike leave what is left of them whole, leave columns whole that are cut, and make tiles of equal
        length, if that takes neither more cores nor more messages: the busiest core sets the pace."""
        self._take({})
        cut = [name for name, cut in self.plan.cuts.items() if self.job.views[name].uniform and len(cut.blocks) > 1]
        for name in cut if len(cut) <= TRIED else ():
            if self.job.rules[name].blocks is None:
                self._take({name: replace(self.rules[name], blocks=1)})
        self._take(_equal(self.job, self.plan, self.rules))

    def _take(self, other: dict[str, Rule]) -> None:
        job, rules = self.job, self.rules | other
        try:
            plan = make_plan(job, {}, rules, filling=False, known=self.known)
        except DoesNotFit:
            return
        if deliveries(job, plan, self.known) > deliveries(job, self.plan, self.known):
            return
        self.packed = self.packed or _packed(job, self.plan)
        if (packed := _packed(job, plan)) <= self.packed:
            self.plan, self.rules, self.filling, self.packed = plan, rules, False, packed

    def result(self) -> Plan:
        told = [f"{name}: neurons in another order ({order.how})" for name, order in self.orders.items()]
        return replace(self.plan, notes=(*told, *dict.fromkeys(self.notes), *self.plan.notes))


def wide(job: Job, plan: Plan) -> list[str]:
    """Populations whose columns may be worth cutting though a core holds them, those in most tiles first: their tiles are so
    short that list headers take more than `HEADERS` per cent of the synapses, or so many that the entries for them end the
    tiles of their senders. Tiles of fewer columns have more rows, so there are fewer for a sender to reach."""
    form = format_of(job.system.chip, job.options.weight_bits)
    crowded = set()
    for name, cut in plan.cuts.items():
        out = max((form.axon * demand[3] * 4 - demand[4] for demand in cut.demands.values()), default=-1)
        if cut.stopped["out_axons"] or (cut.stopped["state_bytes"] and out > 0):
            crowded.add(name)
    found: dict[str, int] = {}
    for name, cut in plan.cuts.items():
        into = [part.projection for part in job.views[name].segments]
        if (
            name in plan.orders
            or job.rules[name].most_blocks is not None
            or any(s.shared or (not s.uniform and s.weight.size > SYNAPSES) for s in (p.synapse for p in into))
        ):
            continue
        tiles = max(len(rows) for rows in cut.blocks.values())
        rows = job.views[name].rows // tiles
        short = (
            not job.views[name].uniform
            and cut.stopped["synapse_bytes"]
            and any(p.synapse.uniform and form.header * 800 > HEADERS * rows * form.bits(p) for p in into)
        )
        if tiles > 2 and (short or any(p.source in crowded for p in into)):
            found[name] = tiles
    return sorted(found, key=lambda name: (-found[name], name))[:TRIED]


def _equal(job: Job, plan: Plan, rules: Table[str, Rule]) -> dict[str, Rule]:
    """Rules for tiles of equal length, of populations of several tiles whose rows are alike and whose columns are whole."""
    found = {}
    for name, cut in plan.cuts.items():
        tiles = max(map(len, cut.blocks.values()))
        if job.views[name].uniform and len(cut.blocks) == 1 and 1 < tiles <= LEVELLED:
            found[name] = replace(rules[name], rows=-(-job.views[name].rows // tiles), blocks=1, even=True)
    return found


def _packed(job: Job, plan: Plan) -> int:
    """Cores that the tail will take; `Plan.cores` is a quick count."""
    demand = np.array([tile.demand for tile in plan.tiles], np.int64)
    words = {word: index for index, word in enumerate(sorted(plan.apart))}
    kinds = np.array([words.get(tile.group, -1) for tile in plan.tiles], np.int64)
    found, _ = pack(demand, job.limits, kinds, job.system.chip.cores, job.deadline)
    return min(packing.cores for packing in found)


def _score(job: Job, plan: Plan, known: KnownCuts | None = None) -> tuple[int, ...]:
    sent = deliveries(job, plan, known)
    ranks: dict[str, Callable[[], tuple[int, ...]]] = {
        "cores": lambda: (plan.chips, plan.cores, sent),
        "traffic": lambda: (plan.chips, sent, plan.cores),
        "latency": lambda: (busiest(job, plan), plan.cores, sent),
        "energy": lambda: (joules(job, plan, sent), plan.cores),
    }
    return ranks[job.options.objective]()
