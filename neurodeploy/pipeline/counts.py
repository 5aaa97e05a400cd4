"""Size of a network and counts of a run in plain numbers: what verbs print as JSON, and the terminal and a report show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurodeploy.accounting.counted import counted, homes
from neurodeploy.bundle import Bundle
from neurodeploy.ir.devices import hosted_populations
from neurodeploy.ir.mapping import Assignment
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.run import ActivityCounts, RunActivity


def size_of(network: Network) -> dict[str, Any]:
    """How many neurons, populations, synapses (those of shared kernels counted one by one) and projections; the seconds of a
    time step, where it has any."""
    return {
        "dt_s": None if network.dt is None else network.dt.value,
        "neurons": network.neurons, "populations": len(network.populations),
        "synapses": sum(p.synapse.count() for p in network.projections), "projections": len(network.projections),
    }  # fmt: skip


def assignments_of(bundle: Bundle) -> tuple[Assignment, ...]:
    """What the bundle's mapping runs where; nothing where the bundle is not mapped."""
    from partitioner.files.json_form import mapping_from_json

    return mapping_from_json(bundle.read_mapping()).assignments if bundle.is_mapped else ()


def left_to_host(bundle: Bundle) -> frozenset[str]:
    """Populations that the mapping assigns to the host; none where the bundle is not mapped."""
    return hosted_populations(bundle.program, assignments_of(bundle))


def counts_of(bundle: Bundle, counts: ActivityCounts | RunActivity) -> dict[str, Any]:
    """Exact counts of a run, whichever device computed what.

    populations : by name the neurons, steps of all samples (or tokens) in which it ran, messages, rate (messages a neuron
        and step), updates, values that were clipped and that wrapped.
    projections : by name the events that arrived at its axons, the share of axons and steps that had one (density),
        synaptic operations they caused, sums that wrapped.
    host_work : operations and bytes of the host's own operations. on_host : of what it computed in place of the chip, by
        population.
    """
    program = bundle.program
    run = counted(program, counts, assignments_of(bundle))
    network, home = program.network, homes(program, run)
    steps = {name: home[name].ticks if name in home else 0 for name in network.populations}

    def sent(name: str, where: str) -> Mapping[str, Any]:
        """By port, what the population sent in the segment of population `where`."""
        return home[where].fired.get(name, {}) if where in home else {}

    clipped, wrapped = dict[str, int](), dict[str, int]()
    for activity in {id(each): each for each in run.everywhere.values()}.values():  # of a stream one for all segments
        wrapped |= activity.wrapped
        for name, values in activity.saturated.items():  # of a population's state, or of what its port sends
            owner = name if name in steps else name.rpartition(".")[0]
            clipped[owner] = clipped.get(owner, 0) + values
    return {
        "populations": {
            name: {
                "model": p.model, "layer": p.layer, "neurons": p.size, "steps": steps[name],
                "messages": (messages := sum(int(port.sum()) for port in sent(name, name).values())),
                "rate": _share(messages, p.size * steps[name]),
                "updates": 0 if p.model == INPUT else p.size * steps[name],
                "saturated": clipped.get(name, 0), "wrapped": wrapped.get(name, 0),
            }
            for name, p in network.populations.items()
        },
        "projections": {
            p.name: {
                "source": p.source, "target": p.target, "layer": network.populations[p.target].layer,
                "events": int(events.sum()), "density": _share(int(events.sum()), len(events) * steps[p.target]),
                "synops": int(events @ p.synapse.fan_out()), "wrapped": wrapped.get(p.name, 0),
            }
            for p in network.projections
            if (events := sent(p.source, p.target).get(p.source_port)) is not None
        },
        "host_work": {"flops": run.own.flops, "bytes": run.own.bytes},
        "on_host": {
            name: {
                "steps": steps[name], "flops": work.flops, "bytes": work.bytes,
                # each call reads all weights once; a stream is computed step by step
                "calls": counts.host[name].calls if isinstance(counts, ActivityCounts) else steps[name],
            }
            for name, work in run.host.items()
        },
        "saturations": sum(clipped.values()),
        "wraps": sum(wrapped.values()),
    }  # fmt: skip


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
