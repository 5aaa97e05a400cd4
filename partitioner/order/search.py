"""The best plan of a network: the given order of its neurons against orders that may lower cores or traffic.

Every candidate is cut as a whole, and the better one by `Options.objective` is kept::

    cores     chips, cores, messages          latency   busiest core, cores, messages
    traffic   chips, messages, cores          energy    joules of a step, cores

Messages count every neuron's (or those of `rates`) times the shards that they reach, and partial sums, which are sent
whether or not anybody fires: the less fires, the fewer column blocks pay. An order is dropped where it gains
nothing, so that `Mapping.orders` names only what pays. Where the entries for their destinations end the tiles of senders,
the receivers' columns are tried in more blocks likewise: larger tiles in the other direction, with reducers. Last,
populations whose rows are alike are tried in bands (`cut.uniform`), as islands are cut.
"""

from __future__ import annotations

import time
from dataclasses import replace

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.arrange import arranged
from neurodeploy.ir.network import Projection
from neurodeploy.synapses import Conv, Sparse
from partitioner.cost.lists import format_of
from partitioner.cut.rules import Rule, with_stops
from partitioner.job import Job
from partitioner.order.conv import conv_orders
from partitioner.order.plan import Plan, busiest, deliveries, joules, make_plan, rate
from partitioner.order.sparse import Order, sparse_orders

Orders = dict[str, Order]
#: How many times as many blocks of columns are tried, for how many populations, and how often in all.
FACTORS, TRIED, SWEEPS = (2, 4, 8, 16), 6, 2
#: Per cent of list headers in the synapses from which on that is worth it; sparse synapses up to which it is tried.
HEADERS, SYNAPSES = 3, 2_000_000


def best_plan(job: Job) -> Plan:
    """With the rates of a run never more messages of that run, and nothing worse, than without them.

    Raises `DoesNotFit` where the given order does not fit: no order makes room for one neuron.
    """
    plan = _best(job)
    if job.sent is None:
        return plan
    plain = _best(replace(job, sent=None, per=1))
    better = _score(job, plan) < _score(job, plain) and deliveries(job, plan) <= deliveries(job, plain)
    return plan if better else plain


def _best(job: Job) -> Plan:
    given, rules = _given(job)
    if all(len(cut.blocks) < 2 and len(rows) < 2 for cut in given.cuts.values() for rows in cut.blocks.values()):
        return given
    search = _Search(job, given, rules)
    kinds = {type(p.synapse) for p in job.network.projections}
    for tried, kind in ((_sparse, Sparse), (_sparse, Sparse), (_channels, Conv), (_pixels, Conv)):
        if kind in kinds and not search.late():
            found, said = tried(job, search.plan if kind is Sparse else given)
            search.notes += said
            if not (found and search.better(search.orders | found, search.rules)) and kind is Sparse:
                kinds.discard(Sparse)
    for _ in range(SWEEPS):
        before = search.score
        for name in wide(job, search.plan):
            first = len(search.plan.cuts[name].blocks)
            for factor in FACTORS:
                if not search.late():
                    search.better(
                        search.orders, search.rules | {name: replace(search.rules[name], blocks=first * factor)}
                    )
        if search.score == before:
            break
    for name in _even(job, search.plan) if job.options.objective in ("cores", "traffic") else ():
        if not search.late():
            rule = replace(job.rules[name], banded=True, objective=job.options.objective, rate=rate(job, name))
            search.better(search.orders, search.rules | {name: rule}, sparing=True)
    return search.result()


def _given(job: Job) -> tuple[Plan, dict[str, Rule]]:
    """The plan in the given order, and its rules: columns of the receivers are cut where senders reach too many tiles."""
    try:
        return make_plan(job, job.network, {}, job.rules), job.rules
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
            return make_plan(job, job.network, {}, job.rules | wider), job.rules | wider
        except DoesNotFit:
            continue
    raise problem


class _Search:
    """The best plan so far, its orders and rules."""

    def __init__(self, job: Job, plan: Plan, rules: dict[str, Rule]) -> None:
        self.job, self.plan, self.rules = job, plan, rules
        self.orders: Orders = {}
        self.notes: list[str] = []
        self.score: tuple[int, ...] | None = None

    def late(self) -> bool:
        over = self.job.deadline is not None and time.monotonic() > self.job.deadline
        if over:
            self.notes.append("the search for better orders of neurons was cut short")
        return over

    def better(self, orders: Orders, rules: dict[str, Rule], *, sparing: bool = False) -> bool:
        """Cut with these orders and rules, and keep the plan where it is better than the best so far; `sparing`: and has no
        more messages."""
        chosen = {name: order.order for name, order in orders.items()}
        stops = with_stops(rules, {name: order.stops for name, order in orders.items()})
        try:
            plan = make_plan(self.job, arranged(self.job.network, chosen), chosen, stops)
        except DoesNotFit:
            return False
        if self.score is None:
            self.score = _score(self.job, self.plan)
        score = _score(self.job, plan)
        if score >= self.score or (sparing and deliveries(self.job, plan) > deliveries(self.job, self.plan)):
            return False
        self.plan, self.score, self.orders, self.rules = plan, score, orders, rules
        return True

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
        into = job.network.into(name)
        if name in plan.orders or job.rules[name].most_blocks is not None or not _few_synapses(into):
            continue
        tiles = max(len(rows) for rows in cut.blocks.values())
        rows = job.network.populations[name].size // tiles
        short = cut.stopped["synapse_bytes"] and any(
            p.synapse.uniform and form.header * 800 > HEADERS * rows * form.bits(p) for p in into
        )
        if tiles > 2 and (short or any(p.source in crowded for p in into)):
            found[name] = tiles
    return sorted(found, key=lambda name: (-found[name], name))[:TRIED]


def _even(job: Job, plan: Plan) -> list[str]:
    """Populations whose rows are alike and whose columns are cut, or may be worth cutting: bands may take fewer cores."""
    found = []
    for name, cut in plan.cuts.items():
        view, rule = job.views[name], job.rules[name]
        free = rule.rows is None and rule.most_blocks is None and name not in plan.orders
        if free and view.uniform and (len(cut.blocks) > 1 or name in wide(job, plan)):
            found.append(name)
    return found


def _few_synapses(into: tuple[Projection, ...]) -> bool:
    """Populations that are cut again quickly."""
    synapses = [p.synapse for p in into]
    return not any(s.shared or (not s.uniform and s.weight.size > SYNAPSES) for s in synapses)


def _sparse(job: Job, plan: Plan) -> tuple[Orders, tuple[str, ...]]:
    return sparse_orders(job, plan)


def _channels(job: Job, plan: Plan) -> tuple[Orders, tuple[str, ...]]:
    return conv_orders(job, plan, pixels=False), ()


def _pixels(job: Job, plan: Plan) -> tuple[Orders, tuple[str, ...]]:
    return conv_orders(job, plan, pixels=True), ()


def _score(job: Job, plan: Plan) -> tuple[int, ...]:
    sent = deliveries(job, plan)
    return {
        "cores": (plan.chips, plan.cores, sent),
        "traffic": (plan.chips, sent, plan.cores),
        "latency": (busiest(job, plan), plan.cores, sent),
        "energy": (joules(job, plan, sent), plan.cores),
    }[job.options.objective]
