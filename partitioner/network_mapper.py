"""`map_network`: cut the populations of a spiking network, place the tiles, and say how far the plan is from the bound."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.mapping import Assignment, Mapping, Reason, Shard
from neurodeploy.ir.network import INPUT, Network
from neurodeploy.ir.network_run import NetworkActivity
from neurodeploy.neurons.registry import get_model

from .bounds import lower_bound
from .network_orders import best_plan
from .network_plan import Task, place_plan
from .network_rules import rules_of
from .options import Options
from .population import views_of
from .remedies import remedies
from .stages import Places

#: Part of `Options.time_limit` after which no further order of neurons is tried.
ORDERS_UNTIL = 0.3

CHIP = Reason("neurons", "its neurons and the synapses into them live on cores", "")
HOST = Reason("outside", "its payloads come from outside and enter over the host border", "")


def map_network(
    network: Network,
    system: SystemSpec,
    options: Options = Options(),  # noqa: B008 (frozen)
    *,
    alternatives: Sequence[SystemSpec] = (),
    rates: NetworkActivity | None = None,
    work: Path | None = None,
) -> Mapping:
    """Map a network to the cores of a system: a shard's `island` is its population, its columns run over the axons of all
    projections into it one after another (`Network.into`). Inputs are not placed.

    Parameters
    ----------
    options : what is asked beyond "make it fit", see `Options`. `weight_bits` plans as if every weight took these bits.
    alternatives : systems that the error may name where this one is too small.
    rates : the counts of a run. The messages that are kept short are then those of this run; otherwise every neuron sends
        once a step.
    work : a folder where the stages that pack and place keep what they found, to be resumed.

    `Mapping.orders` has the populations whose neurons lie in another order (`network_orders.py`): taken only where that
    lowers what `options.objective` names first. `Mapping.binding_resource` is the budget that ended most tiles, or where
    every population fits one core the one that asks for most cores ("none" where there are no neurons).

    Raises
    ------
    DoesNotFit ND2010 : more chips are needed than there are.
    DoesNotFit ND2011 : one neuron exceeds a core, however its columns are cut.
    DoesNotFit ND2012 : the chip's weights or messages are narrower than the network's.
    DoesNotFit ND2013 : the tables of destinations exceed the cores.
    DoesNotFit ND2015 : a pinned number of column blocks cannot be kept.
    UserError ND2003 : an option out of range. UserError ND2014 : a pin that does not belong to the network or the system.
    """
    available = options.check(system)
    check_widths(network, system.chip, options.weight_bits)
    sent, per = (None, 1) if rates is None else (rates.fired, max(1, rates.steps * rates.samples))
    rules = rules_of(network, system, options, available)
    deadline = None if options.time_limit is None else time.monotonic() + ORDERS_UNTIL * options.time_limit
    task = Task(network, system, options, available, rules, sent, per, deadline)
    plan = best_plan(task)
    bound, asks = lower_bound(views_of(network, system.chip, options.weight_bits).values(), system.chip)
    binding = plan.stopped.most_common(1)[0][0] if plan.stopped else asks
    places, notes = place_plan(task, plan, work)
    if places.chips > available:
        raise _too_small(task, places, binding, alternatives)
    return Mapping(
        system=system.name,
        chips_available=available,
        cores_per_chip=system.chip.cores,
        shards=tuple(
            Shard(tile.island, tile.kind, tile.rows, tile.cols, chip, core, tile.group)
            for tile, chip, core in zip(plan.tiles, places.chip.tolist(), places.core.tolist(), strict=True)
        ),
        assignments=_assignments(network, system.chip),
        lower_bound=bound,
        binding_resource=binding,
        unknown_limits=tuple(name for name, limit in system.chip.budget.limits().items() if limit.value is None),
        orders=plan.orders,
        objective=options.objective,
        seed=options.seed,
        notes=notes,
    )


def check_widths(network: Network, chip: ChipSpec, weight_bits: int | None = None) -> None:
    """Refuse a chip that cannot carry the network's weights and payloads. State has no such width: it is charged in bytes.

    Raises
    ------
    DoesNotFit ND2012 : names the projection or population, the bits it needs and the bits the chip has.
    """
    message = 8 * chip.formats["message_bytes"]
    for p in network.projections:
        bits = p.weight_bits if weight_bits is None else weight_bits
        if not p.synapse.wire and bits > chip.formats["weight_bits"]:
            raise DoesNotFit(
                "ND2012",
                p.name,
                f"has weights of {bits} bits, a synapse of {chip.name} has {chip.formats['weight_bits']}",
                f"quantise them to {chip.formats['weight_bits']} bits and a weight exponent",
            )
    for name, population in network.populations.items():
        bits = 0 if population.model == INPUT else get_model(population.model).out_bits
        if bits > message:
            raise DoesNotFit(
                "ND2012",
                name,
                f"sends payloads of {bits} bits, a message of {chip.name} has {message}",
                "scale them down",
            )


def _assignments(network: Network, chip: ChipSpec) -> tuple[Assignment, ...]:
    """Every population and its device; bytes a time step over the host border where every neuron sends."""
    size, found = chip.formats["message_bytes"], []
    for name, population in network.populations.items():
        outside = population.model == INPUT
        crosses = outside or name in network.outputs
        path, device, reason = f"populations.{name}", "host" if outside else "chip", HOST if outside else CHIP
        found.append(Assignment(path, population.model, device, reason, population.size * size if crosses else 0))
    return tuple(found)


def _too_small(task: Task, placed: Places, binding: str, alternatives: Sequence[SystemSpec]) -> DoesNotFit:
    """The error with what would help: chips of this system left out, a larger system, narrower weights, no caps."""
    network, system, options = task.network, task.system, task.options
    stored = [p.weight_bits for p in network.projections if not p.synapse.wire]
    now = options.weight_bits if options.weight_bits is not None else max(stored, default=0)
    bits = now if binding == "synapse_bytes" else 0

    def chips(width: int | None, most_rows: int | None) -> int:
        other = replace(options, weight_bits=width, max_rows=most_rows, spread=False)
        rules = rules_of(network, system, other, task.available)
        return best_plan(replace(task, options=other, rules=rules)).chips

    fix = remedies(system, placed, task.available, alternatives, bits, options.weight_bits, options.max_rows, chips)
    if options.caps:
        fix += f", or lift the cap{'s' if len(options.caps) > 1 else ''} on {', '.join(options.caps)}"
    return DoesNotFit(
        "ND2010",
        network.name,
        f"needs {placed.chips} chips ({placed.cores} cores), {system.name} offers {task.available} "
        f"({task.available * system.chip.cores} cores); {binding} binds",
        fix,
    )
