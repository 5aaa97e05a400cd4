"""`network_loads`: from the exact counts of a spiking network and a mapping to the work of each core, port and link.

Counts are of neurons, so any mapping of the same run is priced without running it again. A neuron that fired f times sent
f messages to every shard that holds synapses of its axon (`neurodeploy.flow.streams`), and in that shard::

    events   = sum over touched axons of f                    synops = sum over touched axons of f * fan
    updates  = neurons * steps * samples                      partial sums = rows * words * steps * samples

with `fan` the axon's stored synapses in the shard's rows (stored zeros count; a direct connection has none). Partial
sums are sent every step, zeros included, and cost their reducer one operation each. The sums of synops, events and updates
over shards that hold neurons are those of the network whatever the mapping; deliveries grow with the number of cores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.accounting.loads import (
    EventCounts,
    MeanStep,
    PartCounts,
    Phrases,
    RunLoads,
    Tally,
    busiest,
    check_option,
    derive,
)
from neurodeploy.errors import InternalError, UserError
from neurodeploy.flow.loads import COLUMNS, CONV_SYNOPS, FIXED_UPDATES, PARTIALS, SYNOPS, UPDATES
from neurodeploy.flow.routes import Routes
from neurodeploy.flow.streams import Unicasts, network_ends
from neurodeploy.ir.arrange import activity_there, arranged
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.run import RunActivity

#: When chips and host exchange messages: once a sample (its events beforehand, its result afterwards), every step, never.
BORDERS = ("sample", "step", "none")
WORDS = Phrases(
    core="core {core} of chip {chip}: {synops:,.0f} synops, {conv_synops:,.0f} of convolutions, {updates:,.0f} neurons, "
    "{sent:,.0f} messages a step",
    idle="",
    port="{port_messages:,.0f} messages a step at the busiest port",
    link="{port_messages:,.0f} messages a step at the busiest port",
    latency="",
)


@dataclass(frozen=True, slots=True, eq=False)
class NetworkWork:
    """The work of a run: `table` (shards, 8) of loads, by population what arrives at it and returns to the host.

    `phases` are the synchronised parts of a time step: one, one more where partial sums precede the neurons, one more for
    each projection without latency in a row.
    """

    table: Ints
    traffic: dict[str, Tally]
    phases: int


def network_loads(
    network: Network, mapping: Mapping, activity: RunActivity, system: SystemSpec, border: str = "sample"
) -> RunLoads:
    """The loads of one sample of a run, for the phase "sample".

    Parameters
    ----------
    activity : exact counts of the run (`RunResult.activity`), of any runner.
    border : "sample", one exchange with the host a sample: all its events in, then its outputs back; "step", one exchange
        a step; "none", no exchange: the input is on the chip and nobody reads the output.

    Raises
    ------
    UserError : ND3102, no step was run; ND3104, no such border; ND3106, a mapping for another system.
    InternalError : ND9031, the inputs contradict one another.
    """
    check_option("border", border, BORDERS)
    work = work_of(network, mapping, activity, system)
    open_border, every = border != "none", activity.steps * activity.samples
    parts = [
        PartCounts(name, number, _counts(work, mapping, name, open_border))
        for number, name in enumerate(network.populations)
    ]
    cores, index = np.unique([(s.chip, s.core) for s in mapping.shards], axis=0, return_inverse=True)
    table = np.zeros((len(cores), COLUMNS), np.int64)
    np.add.at(table, index.reshape(-1), work.table)
    traffic = list(work.traffic.values())
    parts.append(
        PartCounts(
            "",
            None,
            EventCounts.of(
                interchip=sum(t.interchip if open_border else t.interchip_least for t in traffic),
                interchip_least=sum(t.interchip_least for t in traffic),
                core_steps=len(cores) * every,
            ),
        )
    )
    ways = busiest(traffic, system, every, host=open_border)
    step = MeanStep("", cores, table / every, ways, activity.steps, work.phases * activity.steps)
    models = {p.model for p in network.populations.values()} - {INPUT, *system.chip.supports.neurons}
    return RunLoads(
        units=activity.samples,
        parts=tuple(parts),
        steps=(step,),
        whole=step,
        neurons=network.neurons,
        fullest=0,  # every neuron is updated in every step, so that none is idle
        exchanges={"sample": 1, "step": activity.steps, "none": 0}[border],
        opened=0.0,
        host=(),
        host_of_prompt=(),
        chips_used=mapping.chips_used,
        cores_used=mapping.cores_used,
        phases=("sample",),
        facts={
            "network": True,
            f"border {border}": True,
            "microcoded": ", ".join(sorted(models)),
            "delays": any(p.depth > 1 for p in network.projections),
            "phases": work.phases if work.phases > 1 else 0,
        },
        words=WORDS,
        assumed=False,
        layers=tuple(network.populations),
    )


def _counts(work: NetworkWork, mapping: Mapping, name: str, open_border: bool) -> EventCounts:
    traffic = work.traffic[name]
    own = np.array([shard.island == name for shard in mapping.shards])
    sums = work.table[own].sum(axis=0).tolist()
    return EventCounts.of(
        synops=sums[SYNOPS],
        conv_synops=sums[CONV_SYNOPS],
        partial_sums=sums[PARTIALS],
        fixed_updates=sums[FIXED_UPDATES],
        updates=sums[UPDATES],
        messages=traffic.deliveries - sums[PARTIALS],
        partial_messages=sums[PARTIALS],
        hops_ew=traffic.hops_ew,
        hops_ns=traffic.hops_ns,
        host_messages=traffic.entering + traffic.leaving if open_border else 0,
    )


def work_of(network: Network, mapping: Mapping, activity: RunActivity, system: SystemSpec) -> NetworkWork:
    """Everything that a run did on a mapping; parameters and errors of `network_loads`."""
    if activity.steps <= 0 or activity.samples <= 0:
        raise UserError("ND3102", network.name, "no time step was run", "run at least one sample for one step")
    if mapping.system != system.name or any(shard.chip >= system.chips for shard in mapping.shards):
        problem = f"the mapping is for {mapping.system} and the energy was asked of {system.name}"
        raise UserError("ND3106", network.name, problem, "map the network to that system first")
    _agree(network, mapping, activity)
    network, activity = arranged(network, mapping.orders), activity_there(activity, mapping.orders)
    chip, core = (np.array([getattr(shard, part) for shard in mapping.shards], np.int64) for part in ("chip", "core"))
    traffic = {name: Tally(Routes(system, chip, core), system.chips) for name in network.populations}
    streams = Unicasts(
        network,
        network_ends(network, system.chip),
        mapping.shards,
        activity.steps * activity.samples,
        activity.fired,
    )
    phases = 1 + any(shard.kind == "reducer" for shard in mapping.shards) + _instant_depth(network)
    return NetworkWork(derive(streams, traffic, system.chips), traffic, phases)


def _agree(network: Network, mapping: Mapping, activity: RunActivity) -> None:
    names = {name for name, population in network.populations.items() if population.model != INPUT}
    if {shard.island for shard in mapping.shards} != names:
        raise InternalError("ND9031", network.name, "populations and mapping do not agree")
    for name, ports in activity.fired.items():
        sizes = {counts.shape for counts in ports.values()}
        if name not in network.populations or sizes - {(network.populations[name].size,)}:
            raise InternalError("ND9031", name, "counts are not those of its neurons")


def _instant_depth(network: Network) -> int:
    """The most projections without latency in a row: each is a further phase of the step."""
    depth = dict.fromkeys(network.populations, 0)
    for name in network.order():
        for p in network.into(name):
            if not p.latency:
                depth[name] = max(depth[name], depth[p.source] + 1)
    return max(depth.values(), default=0)
