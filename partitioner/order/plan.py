"""A plan: how the populations are cut for one order of their neurons, and what that takes. The mapper compares plans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.arrange import counts_there
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Projection
from partitioner.cost.budget import Demand, Limits, room_of
from partitioner.cost.population import View, views_of
from partitioner.cut.joint import Split
from partitioner.cut.known import KnownCuts
from partitioner.cut.rows import Cut
from partitioner.cut.rules import Rule
from partitioner.cut.settle import levelled, split, tiles_of
from partitioner.cut.stamp import Tile
from partitioner.job import Job
from partitioner.order.first_fit import first_fit_loop

#: Tiles of equal length may take this part more cores than tiles as long as they can be.
GAIN = 0.1
#: How often `spread` lengthens its tiles until they fit the cores.
TRIES = 24
#: Cores that first fit looks back at while it counts.
WINDOW = 96
#: Pairs of an axon and a shard that are looked at for placing; figures of a finished mapping look at more.
PAIRS = 1 << 18


@dataclass(frozen=True, eq=False)
class Plan:
    """Cuts of the populations in the order `orders`; cores and chips as first fit counts them.

    apart : groups that share no core with anything else. spread : each tile is to have a core to itself.
    """

    views: Mapping[str, View]
    orders: Mapping[str, Ints]
    cuts: dict[str, Cut]
    apart: frozenset[str]
    cores: int
    chips: int
    notes: tuple[str, ...] = ()
    stopped: Counter[str] = field(default_factory=Counter)
    spread: bool = False

    @cached_property
    def tiles(self) -> tuple[Tile, ...]:
        return tiles_of(self.views, self.cuts)


def make_plan(
    job: Job,
    orders: Mapping[str, Ints],
    rules: dict[str, Rule],
    *,
    filling: bool = True,
    known: KnownCuts | None = None,
) -> Plan:
    """Cut and count. Where rows differ tiles of equal length, unless they take `GAIN` more cores, or a chip more, than tiles
    as long as they can be; with `spread`, or for latency, as many tiles as the chips that are needed have cores.

    filling : as for `cut.joint.split_uniform`. known : of other plans of the job, whatever their rules.
    """
    views: Mapping[str, View] = job.views
    known = KnownCuts() if known is None else known
    if orders:

        def laid() -> dict[str, View]:
            found = views_of(job.program, job.system.chip, job.options.weight_bits, orders, job.hosted)
            return {name: found[name] for name in job.views}

        views, known = known.under(orders, laid)
    plan = _plan(job, views, orders, _split(job, views, rules, filling, known))
    even = levelled(views, rules, plan.cuts, known)
    if even is not None:
        level = _plan(job, views, orders, Split(even, plan.apart))
        if level.cores <= (1.0 + GAIN) * plan.cores and level.chips <= plan.chips:
            plan = level
    if job.options.spread or job.options.objective == "latency":
        plan = replace(_spread(job, plan, rules, known), spread=True)
    return plan


def _split(job: Job, views: Mapping[str, View], rules: Mapping[str, Rule], filling: bool, known: KnownCuts) -> Split:
    return split(views, rules, job.system, job.options, job.available, filling=filling, known=known)


def deliveries(job: Job, plan: Plan, known: KnownCuts | None = None) -> int:
    """Messages to shards in `per` steps: every neuron's, times the shards that hold synapses of it, and partial sums.
    known : as of `make_plan`."""
    known = KnownCuts() if known is None else known
    if plan.orders:
        _, known = known.under(plan.orders, lambda: plan.views)
    there = replace(job, sent=None if job.sent is None else counts_there(job.sent, plan.orders))
    total = 0
    for name, cut in plan.cuts.items():
        view = plan.views[name]
        if len(cut.reducers):
            total += sum(view.sums.words(columns) for columns in cut.blocks) * view.rows * job.per
        for part in view.segments:
            by_unit = part.units.sums(_sent(there, part.projection))
            total += int((known.reached(part, cut).each * by_unit).sum())
    return total


def _sent(job: Job, projection: Projection) -> Ints:
    """(columns,) messages on each axon of a projection in `per` steps."""
    columns = projection.synapse.columns
    if job.sent is None:
        return np.full(columns, job.per, np.int64)
    return job.sent.get(projection.source, {}).get(projection.source_port, np.zeros(columns, np.int64))


def busiest(job: Job, plan: Plan) -> int:
    """Picoseconds of the tile with most work in a step in which every neuron sends."""
    return max(_longest(job, plan).values(), default=0)


def _longest(job: Job, plan: Plan) -> dict[str, int]:
    """Picoseconds of the longest tile of each population in such a step."""
    work, found = _work(job, plan.views), dict[str, int]()
    for tile in plan.tiles:
        if tile.kind == "synapses":
            own = (tile.rows[1] - tile.rows[0]) * work[tile.island] // plan.views[tile.island].rows
            found[tile.island] = max(found.get(tile.island, 0), own)
    return found


def step_time(job: Job, plan: Plan) -> int:
    """Picoseconds of a tick in which every neuron sends: of its phases one after another, the longest tile of each, the
    floor of a step, and what each segment waits for the host; of an expert the share of ticks that see it."""
    phases: dict[tuple[int, int], int] = {}
    for name, time in _longest(job, plan).items():
        at = job.phases.get(name, (0, 0))
        phases[at] = max(phases.get(at, 0), int(plan.views[name].share * time))
    waits = len({number for number, _ in phases}) * _cost(job, "t_host_link_s", 1e12)
    return sum(phases.values()) + len(phases) * _cost(job, "t_step_floor_s", 1e12) + waits


def joules(job: Job, plan: Plan, sent: int) -> int:
    """What of a tick's energy a plan decides, in femtojoules: steps of cores, messages, power of the chips and their share
    of the board, without work, over the time of the tick. Hops come on top, whatever the plan."""
    watts = _cost(job, "p_static_w", 1e3) + _cost(job, "p_infra_w", 1e3)
    static = plan.chips * watts * step_time(job, plan)  # mW * ps = fJ
    messages = sent * (_cost(job, "spike_out_j", 1e15) + _cost(job, "message_j", 1e15)) // job.per
    steps = max(1, len(set(job.phases.values())))
    cores = min(len(plan.tiles), plan.chips * job.system.chip.cores) if plan.spread else plan.cores
    return cores * steps * _cost(job, "core_step_j", 1e15) + messages + static


def _cost(job: Job, name: str, scale: float) -> int:
    """A cost of the chip as a whole number of these parts, at least 1; 1 where the chip's table lacks it."""
    costs = job.system.chip.costs
    return max(1, round(costs[name].nominal * scale)) if name in costs else 1


def _plan(job: Job, views: Mapping[str, View], orders: Mapping[str, Ints], found: Split) -> Plan:
    stopped: Counter[str] = sum((cut.stopped for cut in found.cuts.values()), start=Counter())
    cores = first_fit([demand for cut in found.cuts.values() for demand in cut.demands.values()], job.limits)
    chips = -(-cores // job.system.chip.cores)
    return Plan(views, orders, found.cuts, found.apart, cores, chips, stopped=stopped)


def first_fit(demands: Sequence[Demand], limits: Limits) -> int:
    """Cores that first fit takes, looking at the last `WINDOW` of them: a quick count, the tail packs better."""
    demand = np.array(demands, np.int64).reshape(-1, len(limits))
    return int(first_fit_loop(demand, np.array(room_of(limits), np.int64), WINDOW))


def _spread(job: Job, plan: Plan, rules: dict[str, Rule], known: KnownCuts) -> Plan:
    """More and shorter tiles, each with about the same work, as many as the chips of `plan` have cores. Columns are cut as
    before; where rows differ and columns are cut nothing changes, nor where rows are alike and were cut for latency."""
    cores = min(plan.chips, job.available) * job.system.chip.cores
    views, work = plan.views, _work(job, plan.views)
    fixed = sum(_large(plan, name) for name in plan.cuts if not _cuttable(job, plan, name))
    blocks = {name: len(cut.blocks) for name, cut in plan.cuts.items() if _cuttable(job, plan, name)}

    def rows(pace: int) -> dict[str, int]:
        return {name: max(1, pace * count * views[name].rows // work[name]) for name, count in blocks.items()}

    def shorter(pace: int) -> dict[str, Rule]:
        found = {}
        for name, most in rows(pace).items():
            rule, even = rules[name], views[name].uniform
            columns = blocks[name] if even else rule.blocks
            found[name] = replace(rule, rows=min(most, rule.rows or most), blocks=columns, even=even)
        return rules | found

    low, high = 1, max(work.values(), default=1)
    while low < high:
        pace = (low + high) // 2
        tiles = sum(-(-views[name].rows // most) * blocks[name] for name, most in rows(pace).items())
        low, high = (low, pace) if tiles + fixed <= cores else (pace + 1, high)
    pace = high
    for _ in range(TRIES):
        try:
            wide = _plan(job, views, plan.orders, _split(job, views, shorter(pace), filling=False, known=known))
        except DoesNotFit:
            wide = None
        if wide and sum(_large(wide, name) for name in wide.cuts) <= cores and wide.cores <= cores:
            note = f"spread: {len(wide.tiles)} tiles over the {cores} cores of {plan.chips} chips"
            return replace(wide, chips=plan.chips, notes=(*plan.notes, note))
        pace += max(1, pace // 12)
    return replace(plan, notes=(*plan.notes, "spread: no shorter tiles fit, they have too many destinations"))


def _large(plan: Plan, name: str) -> int:
    """Tiles that shall have a core to themselves: all, but for the reducers where rows are alike."""
    cut = plan.cuts[name]
    return len(cut.demands) - (len(cut.reducers) if plan.views[name].uniform else 0)


def _cuttable(job: Job, plan: Plan, name: str) -> bool:
    return job.options.spread if plan.views[name].uniform else len(plan.cuts[name].blocks) == 1


def _work(job: Job, views: Mapping[str, View]) -> dict[str, int]:
    """Picoseconds of a population's step on one core if every neuron sends: updates and synaptic operations."""
    update, synop = _cost(job, "t_neuron_s", 1e12), _cost(job, "t_synop_fc_s", 1e12)
    found = {}
    for name, view in views.items():
        synops = sum(part.projection.synapse.count() for part in view.segments)
        found[name] = view.rows * update + synops * synop
    return found
