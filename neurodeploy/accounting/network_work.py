"""From the exact counts of a run and a mapping to the work of each core, port and chip-to-chip link.

Counts are of neurons, so any mapping of the same run is priced without running it again. A neuron that fired f times sent
f messages to every shard that holds synapses of its axon (`neurodeploy.flow.flows`), and in that shard::

    events   = sum over touched axons of f                    synops = sum over touched axons of f * fan
    updates  = neurons * steps * samples                      partial sums = rows * words * steps * samples

with `fan` the axon's stored synapses in the shard's rows (stored zeros count; a direct connection has none). Partial
sums are sent every step, zeros included, and cost their reducer one operation each. The sums of synops, events and updates
over shards that hold neurons are those of the network whatever the mapping; deliveries grow with the number of cores.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass, fields

import numpy as np

from neurodeploy.accounting.routes import router
from neurodeploy.errors import InternalError, UserError
from neurodeploy.flow.flows import Entries, Flow, Homes, flows, partial_sums
from neurodeploy.flow.routes import HOST
from neurodeploy.ir.arrange import activity_there, arranged
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import INPUT, Network
from neurodeploy.ir.network_run import NetworkActivity
from neurodeploy.ir.result import ShardCounts
from neurodeploy.neurons.registry import FIXED, output_ports
from neurodeploy.synapses import Conv

#: Columns of `Work.loads`.
SYNOPS, CONV_SYNOPS, PARTIALS, FIXED_UPDATES, UPDATES, SENT, EVENTS, SPIKES = range(8)


class Routes:
    """Messages over the mesh, the chips' ports and the grid of chips: X-Y order, a port at router (0, 0) of each chip."""

    def __init__(self, system: SystemSpec, mapping: Mapping) -> None:
        self.system = system
        self.chip: Ints = np.array([shard.chip for shard in mapping.shards], np.int64)
        self.core: Ints = np.array([shard.core for shard in mapping.shards], np.int64)
        self.at: Ints = np.array([router(system.chip, shard.core) for shard in mapping.shards], np.int64).reshape(-1, 2)
        self.between: Ints = np.zeros((system.chips, system.chips), np.int64)
        self.from_host: Ints = np.zeros((system.chips, system.chips), np.int64)
        self.ports: Ints = np.zeros(system.chips, np.int64)

    def core_to_core(self, source: Ints, target: Ints, messages: Ints) -> Ints:
        """(east-west, north-south) hops; straight across one mesh, or from port to port between chips."""
        a, b = self.at[source], self.at[target]
        same = self.chip[source] == self.chip[target]
        steps = np.where(same[:, None], np.abs(a - b), a + b)
        far, count = ~same, messages[~same]
        np.add.at(self.between, (self.chip[source][far], self.chip[target][far]), count)
        for ends in (source, target):
            np.add.at(self.ports, self.chip[ends][far], count)
        return np.asarray(messages @ steps)

    def port_to_core(self, target: Ints, messages: Ints) -> Ints:
        """From a chip's port to its cores, or back: the same hops."""
        np.add.at(self.ports, self.chip[target], messages)
        return np.asarray(messages @ self.at[target])

    def to_chips(self, chips: Ints, messages: Ints) -> None:
        """From the host's chip 0 to the ports of other chips."""
        np.add.at(self.from_host, (np.zeros_like(chips), chips), messages)

    def to_host(self, source: Ints, messages: Ints) -> None:
        np.add.at(self.from_host, (self.chip[source], np.zeros_like(source)), messages)

    def links(self, pairs: Ints) -> Ints:
        """Messages over each directed link between neighbouring chips, flat: east, west, south, north."""
        columns, rows = self.system.grid
        source, target = np.nonzero(pairs)
        count = pairs[source, target]
        (ys, xs), (yt, xt) = np.divmod(source, columns), np.divmod(target, columns)
        found = []
        for start, stop, line, shape in ((xs, xt, ys, (rows, columns)), (ys, yt, xt, (columns, rows))):
            for low, high in ((start, stop), (stop, start)):
                ways = np.zeros((shape[0], shape[1] + 1), np.int64)
                on = low < high
                np.add.at(ways, (line[on], low[on]), count[on])
                np.add.at(ways, (line[on], high[on]), -count[on])
                found.append(ways.cumsum(axis=1).reshape(-1))
        return np.concatenate(found)


@dataclass(slots=True)
class Counts:
    """Totals of one population over the run: what arrives at it, what it computes, what it returns to the host."""

    synops: int
    conv_synops: int
    partials: int
    fixed_updates: int
    updates: int
    deliveries: int
    hops_ew: int
    hops_ns: int
    entering: int
    leaving: int

    @classmethod
    def zero(cls) -> Counts:
        return cls(*(0 for _ in fields(cls)))

    def hop(self, steps: Ints) -> None:
        self.hops_ew, self.hops_ns = self.hops_ew + int(steps[0]), self.hops_ns + int(steps[1])


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """The work of a run: `loads` (shards, 8) by the constants above, `populations` its totals by target, the routes.

    `phases` are the synchronised parts of a time step: one, one more where partial sums precede the neurons, one more for
    each direct connection in a row.
    """

    steps: int
    samples: int
    shards: tuple[Shard, ...]
    loads: Ints
    populations: dict[str, Counts]
    routes: Routes
    phases: int
    homes: Homes

    def cores(self) -> tuple[Ints, Ints, Ints]:
        """(cores, 2) chip and core, their loads (cores, 8), and how many neurons live on each."""
        places = np.stack([self.routes.chip, self.routes.core], axis=1)
        cores, index = np.unique(places, axis=0, return_inverse=True)
        loads, held = np.zeros((len(cores), self.loads.shape[1]), np.int64), np.zeros(len(cores), np.int64)
        np.add.at(loads, index.reshape(-1), self.loads)
        np.add.at(held, index.reshape(-1), [s.row_count if self.homes.whole(s) else 0 for s in self.shards])
        return cores, loads, held


def derive(network: Network, mapping: Mapping, activity: NetworkActivity, system: SystemSpec) -> Work:
    """Everything that a run did on a mapping.

    Raises
    ------
    UserError : ND3102, no step was run; ND3106, the mapping is for another system.
    InternalError : ND9031, counts, network and mapping contradict one another.
    """
    if activity.steps <= 0 or activity.samples <= 0:
        raise UserError("ND3102", network.name, "no time step was run", "run at least one sample for one step")
    if mapping.system != system.name or any(shard.chip >= system.chips for shard in mapping.shards):
        problem = f"the mapping is for {mapping.system} and the energy was asked of {system.name}"
        raise UserError("ND3106", network.name, problem, "map the network to that system first")
    _agree(network, mapping, activity)
    network, activity = arranged(network, mapping.orders), activity_there(activity, mapping.orders)
    homes = Homes(network, mapping)
    work = Work(
        activity.steps,
        activity.samples,
        mapping.shards,
        np.zeros((len(mapping.shards), 8), np.int64),
        {name: Counts.zero() for name in network.populations},
        Routes(system, mapping),
        1 + (1 if any(shard.kind == "reducer" for shard in mapping.shards) else 0) + _direct_depth(network),
        homes,
    )
    entries = Entries(system.chips)
    for flow in flows(network, mapping, activity.fired, homes):
        _spikes(work, flow, entries)
    every = activity.steps * activity.samples
    for source, target, messages in partial_sums(network, mapping, homes):
        _partials(work, source, target, messages * every)
    for index, shard in enumerate(mapping.shards):
        _neurons(work, network, activity, index, shard, every)
    return work


def shard_counts(work: Work) -> dict[Shard, ShardCounts]:
    """What each shard did, in the terms of `simulators.partitioned`: there a partial sum that leaves counts as an
    update, and one that arrives as an event and an operation."""
    found = {}
    for shard, load in zip(work.shards, work.loads.tolist(), strict=True):
        arrived = load[PARTIALS] if shard.kind == "reducer" else load[EVENTS]
        synops = load[SYNOPS] + load[CONV_SYNOPS] + load[PARTIALS]
        whole = work.homes.whole(shard)
        updates = load[FIXED_UPDATES] + load[UPDATES] if whole else load[SENT]
        found[shard] = ShardCounts(arrived, synops, updates, load[SPIKES] if whole else load[SENT])
    return found


def _agree(network: Network, mapping: Mapping, activity: NetworkActivity) -> None:
    names = {name for name, population in network.populations.items() if population.model != INPUT}
    if {shard.island for shard in mapping.shards} != names:
        raise InternalError("ND9031", network.name, "populations and mapping do not agree")
    for name, ports in activity.fired.items():
        sizes = {counts.shape for counts in ports.values()}
        if name not in network.populations or sizes - {(network.populations[name].size,)}:
            raise InternalError("ND9031", name, "counts are not those of its neurons")


def _direct_depth(network: Network) -> int:
    """The most direct connections in a row: each is a further phase of the step."""
    depth = dict.fromkeys(network.populations, 0)
    for name in network.order():
        for p in network.into(name):
            if p.depth == 0:
                depth[name] = max(depth[name], depth[p.source] + 1)
    return max(depth.values(), default=0)


def _spikes(work: Work, flow: Flow, entries: Entries) -> None:
    counts, routes = work.populations[flow.projection.target], work.routes
    conv = isinstance(flow.projection.synapse, Conv)
    np.add.at(work.loads[:, CONV_SYNOPS if conv else SYNOPS], flow.target, flow.synops)
    np.add.at(work.loads[:, EVENTS], flow.target, flow.messages)
    total = int(flow.synops.sum())
    if conv:
        counts.conv_synops += total
    else:
        counts.synops += total
    counts.deliveries += int(flow.messages.sum())
    outside = flow.source == HOST
    if not outside.all():
        inside = ~outside
        source, target, messages = flow.source[inside], flow.target[inside], flow.messages[inside]
        np.add.at(work.loads[:, SENT], source, messages)
        counts.hop(routes.core_to_core(source, target, messages))
    if outside.any():
        target, messages = flow.target[outside], flow.messages[outside]
        counts.hop(routes.port_to_core(target, messages))
        chips = routes.chip[target]
        first = entries.fresh(flow.projection.name, flow.axon[outside], chips)
        routes.to_chips(chips[first], messages[first])
        counts.entering += int(messages[first].sum())


def _partials(work: Work, source: int, target: int, messages: int) -> None:
    counts = work.populations[work.shards[source].island]
    work.loads[source, SENT] += messages
    work.loads[target, PARTIALS] += messages
    counts.partials += messages
    counts.deliveries += messages
    counts.hop(work.routes.core_to_core(np.array([source]), np.array([target]), np.array([messages])))


def _neurons(work: Work, network: Network, activity: NetworkActivity, index: int, shard: Shard, every: int) -> None:
    """Updates, spikes and what returns to the host; a core step for each core of a population."""
    population, counts = network.populations[shard.island], work.populations[shard.island]
    if work.homes.whole(shard):
        updates, fixed = shard.row_count * every, population.model in FIXED
        work.loads[index, FIXED_UPDATES if fixed else UPDATES] += updates
        if fixed:
            counts.fixed_updates += updates
        else:
            counts.updates += updates
        ports: Table[str, Ints] = activity.fired.get(shard.island, {})
        work.loads[index, SPIKES] = sum(int(fired[slice(*shard.rows)].sum()) for fired in ports.values())
        if shard.island in network.outputs:
            first = ports.get(output_ports(population)[0])
            leaving = 0 if first is None else int(first[slice(*shard.rows)].sum())
            here, messages = np.array([index]), np.array([leaving])
            work.loads[index, SENT] += leaving
            counts.leaving += leaving
            counts.deliveries += leaving
            counts.hop(work.routes.port_to_core(here, messages))
            work.routes.to_host(here, messages)
