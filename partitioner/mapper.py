"""`map_model`: check, cut, pack, divide over chips, place. Never reads a weight.

One way through, whatever is mapped: each stage takes the whole result of the one before and returns a new one::

    job_of      Job       the populations on the chip, the rule for each, what was asked       `job`
    best_plan   Plan      tiles of at most one core, orders of neurons                         `order.search`, `cut.settle`
    place       Places    core and chip of every tile                                          `stages`
    map_model   Mapping   shards, assignments, how far it is from the bound

Small models whose rows are alike are mapped a second time with the chip's `neuron_state_bytes` for every neuron, and the
better mapping is taken: where small neurons save no core, the larger pieces that they allow may lie worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from neurodeploy.errors import DoesNotFit
from neurodeploy.flow.support import notes_of
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from partitioner.classify import PINNED, assign
from partitioner.job import Job, job_of
from partitioner.nets.streams import streams_of
from partitioner.nets.tiles import nets_of_tiles
from partitioner.nets.traffic import traffic
from partitioner.options import Options
from partitioner.order.plan import PAIRS, Plan
from partitioner.order.search import best_plan
from partitioner.remedies import too_small
from partitioner.stages import Places, finish

_DEFAULT = Options()
#: Tiles up to which a second mapping is made and compared.
TWICE = 600


def map_model(
    program: Program,
    system: SystemSpec,
    options: Options = _DEFAULT,
    *,
    alternatives: Sequence[SystemSpec] = (),
    rates: RunActivity | None = None,
    work: Path | None = None,
) -> Mapping:
    """Map a program to the cores of a system.

    A shard's `island` is an island or a population; its columns run over the axons of all projections into it one after
    another. Inputs of a network are not placed; islands whose pin says `device="host"` get no shards and are assigned to the
    host. `Mapping.lower_bound` is that of what is on the chip and of the chip's own limits: `max_rows`, `caps` and pins do
    not raise it. With `Options.weight_bits` narrower than the model's own the mapping answers "what if": to run on it the
    model must be converted with that width.

    Parameters
    ----------
    options : what is asked beyond "make it fit", see `Options`.
    alternatives : systems that an error may name where this one is too small, or its chip lacks something.
    rates : the counts of a run of a network. The messages that are kept short are then those of this run; otherwise every
        neuron sends once a step.
    work : a folder where the stages keep what they found, to be resumed.

    `Mapping.orders` has the populations whose neurons lie in another order (`order/search.py`): taken only where that
    lowers what `options.objective` names first. `Mapping.binding_resource` is the budget that ended most tiles, or where
    nothing was cut for a budget the one that asks for most cores ("none" where there are no neurons).

    Raises
    ------
    DoesNotFit ND2001 : more chips are needed than there are.
    DoesNotFit ND2002 : one neuron exceeds a core, however its columns are cut, or a pin asks for more than a core holds.
    DoesNotFit ND2004, ND2090 : the chip lacks what the model needs (`flow.support`).
    DoesNotFit ND2013 : the tables of destinations exceed the cores. ND2020 : more is pinned to a chip than it holds.
    UserError ND2003 : an option out of range. ND2021, ND2063 to ND2066 : a pin that names nothing, is out of range, or
        contradicts another.
    """
    job = job_of(program, system, options, rates, alternatives)
    plan = best_plan(job)
    found = _mapping(job, plan, place(job, plan, work), alternatives)
    twice = options.place and options.time_limit is None and rates is None and options.objective in ("cores", "traffic")
    if not twice or len(plan.tiles) > TWICE or not all(view.uniform for view in job.views.values()):
        return found
    return _better(job, found, work)


def _of_file(system: SystemSpec) -> tuple[str, ...]:
    return () if system.origin is None else (system.origin.note(system.name),)


def _mapping(job: Job, plan: Plan, places: Places, alternatives: Sequence[SystemSpec] = ()) -> Mapping:
    chip, options = job.system.chip, job.options
    bound, asks = job.bound
    binding = plan.stopped.most_common(1)[0][0] if plan.stopped else asks
    if places.chips > job.available:
        raise too_small(job, places, binding, alternatives, lambda asked: place(asked, best_plan(asked)).chips)
    return Mapping(
        system=job.system.name,
        chips_available=job.available,
        cores_per_chip=chip.cores,
        shards=tuple(
            tile.on(number, core)
            for tile, number, core in zip(plan.tiles, places.chip.tolist(), places.core.tolist(), strict=True)
        ),
        assignments=assign(job.program, chip, dict.fromkeys(job.hosted, PINNED)),
        lower_bound=bound,
        binding_resource=binding,
        unknown_limits=tuple(name for name, limit in chip.budget.limits().items() if limit.value is None),
        orders=plan.orders,
        objective=options.objective,
        seed=options.seed,
        notes=(*_of_file(job.system), *notes_of(job.program.network, chip), *places.notes),
        affinity=options.affinity,
        origin=job.system.origin,
    )


def _better(job: Job, tight: Mapping, work: Path | None) -> Mapping:
    """The mapping with as much state for every neuron as the chip's table says, where it fits and is better: smaller neurons
    leave larger pieces, which may pack into cores that lie less well. `tight` has fewer chips or cores; or as many, and
    neither more messages nor more hops."""
    asked = replace(job, least=job.system.chip.formats["neuron_state_bytes"])
    try:
        plan = best_plan(asked)
    except DoesNotFit:
        return tight
    places = place(asked, plan, work and work / "roomy")
    if places.chips > job.available:
        return tight
    roomy = _mapping(job, plan, places)
    size, other = ((m.chips_used, m.cores_used) for m in (tight, roomy))
    if size != other and job.options.objective == "cores":
        return tight if size < other else roomy
    sent, more = (traffic(m, job.program, job.system) for m in (tight, roomy))
    return tight if sent.deliveries <= more.deliveries and sent.spike_hops <= more.spike_hops else roomy


def place(job: Job, plan: Plan, work: Path | None = None) -> Places:
    """Chip and core of every tile; with the notes of all stages so far."""
    streams = streams_of(
        job.program, plan.tiles, job.system.chip, orders=plan.orders, sent=job.sent, per=job.per, pairs=PAIRS
    )
    of_tiles = cache(lambda: nets_of_tiles(streams))  # not needed where too few chips are there
    options = replace(job.options, spread=job.options.spread or plan.spread or job.options.objective == "latency")
    places = finish(
        plan.tiles, lambda core: of_tiles()(core), job.limits, job.system, job.available, options,
        compatible=[tile.group if tile.group in plan.apart else "" for tile in plan.tiles],
        affinity=_together(job, streams.per), work=work,
    )  # fmt: skip
    return replace(places, notes=(*plan.notes, *streams.notes, *places.notes))


def _together(job: Job, per: int) -> list[tuple[str, str, int]]:
    """A token that goes on from one expert to the next weighs as much as the input of the next, in `per` tokens."""
    affinity, inputs = job.options.affinity, {view.group: view.columns for view in reversed(job.views.values())}
    if affinity is None:
        return []
    return [(a, b, -(-n * inputs.get(b, 0) * per // affinity.tokens)) for a, b, n in affinity.pairs]
