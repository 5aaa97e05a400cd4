"""Executes a mapping shard by shard, and counts what each core did.

A shard holds the synapses of its rows and columns; its columns run over the axons of all projections into its population,
one projection after another (`Network.into`). Where the columns of some rows are cut, each shard sends the exact sums of
its part, before the shift, one value for each row, projection and delay slot; the reducer of the rows adds them and then
does what a whole shard does: wrap, shift, wait, update the neurons. Integer addition does not care for order, so outputs,
probes, states and counts equal those of `reference` bit for bit, whatever the cut. Where the mapping has orders, the
arranged network runs, and what it leaves is put back into the order of the network.

Counted for each shard, over samples and steps (`ShardCounts`):

- events: payloads that are not zero on axons that have a synapse here; of a reducer the partial sums.
- synops: synapses that such an event drives, none of a direct connection; of a reducer one for each partial sum.
- neuron_updates: neurons that live here, or the partial sums that leave, and sums of groups, every step.
- messages_out: payloads of its neurons that are not zero, on all output ports; or the partial sums.

Partial sums go to the reducer in each step in which an event reaches the shard that makes them: in the others they are
zeros, and what does not come is a zero where it is added.

A payload, and a partial sum, is as many messages as `flow.words` says, and each of them is an event where it arrives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from collections.abc import Mapping as Table
from dataclasses import replace
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.flow.words import PartialSums, output_words
from neurodeploy.ir.arrange import Orders, arranged, probes_there, result_back, state_there
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.devices import POPULATION
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.run import Given, Probes, RunResult, RunState, ShardCounts
from neurodeploy.neurons import registry
from neurodeploy.neurons.model import Stepped, Values
from simulators.checks import check_probes, check_state
from simulators.reference import Machine, cell_sums, prepared, reference_sums, run_with


class Part(NamedTuple):
    """What a shard holds of a projection.

    axons : which bring a message here, bool (columns,). fan : synapses that each drives here, (columns,). sums : payloads
    (samples, columns) -> their exact sums (samples, delay slots, rows of the shard), trailing slots may be missing.
    """

    shard: Shard
    axons: NDArray[np.bool_]
    fan: Ints
    sums: Callable[[Ints], Ints]


class PartitionedRunner:
    """`Runner` over the shards of a mapping on cores of `chip`. `shard_counts` grows with every run.

    A population that the mapping leaves to the host has no shard, and gives the same integers by the formulas of the
    reference. A mapping whose shards do not hold every other synapse and neuron exactly once is ND9015: the mapper's
    verifier says so before anything runs.
    """

    name = "partitioned"

    def __init__(self, mapping: Mapping, chip: ChipSpec) -> None:
        self._shards, self._orders, self._chip = mapping.by_island(), mapping.orders, chip
        self._on_host = {e.path.removeprefix(POPULATION) for e in mapping.assignments if e.device == "host"}
        self._parts: WeakKeyDictionary[Network, Orders] = WeakKeyDictionary()
        self.shard_counts: dict[Shard, ShardCounts] = {}

    def run(
        self, network: Network, inputs: Given, steps: int, *, state: RunState | None = None, probes: Probes = (),
        raster: bool = True,
    ) -> RunResult:  # fmt: skip
        check_probes(network, probes)
        orders = self._orders_in(network)
        if state is not None and orders:
            check_state(network, state)
            state = state_there(state, network, orders)
        laid = arranged(network, orders)
        machine = _Cores(laid, self._shards, self._chip, self._on_host)
        result = run_with(machine, laid, inputs, steps, state, probes_there(probes, orders), raster)
        self._count(machine, result)
        return result_back(result, network, probes, orders) if orders else result

    def _orders_in(self, network: Network) -> Orders:
        """The orders of the mapping, of a segment those of its own populations: what it reads comes as it is."""
        if self._shards.keys() <= network.populations.keys():
            return self._orders
        if network not in self._parts:
            own = {name for name, population in network.populations.items() if population.model != INPUT}
            self._parts[network] = {name: order for name, order in self._orders.items() if name in own}
        return self._parts[network]

    def _count(self, machine: _Cores, result: RunResult) -> None:
        for shard, new in machine.counts(result.activity.samples * result.activity.steps).items():
            old = self.shard_counts.get(shard, ShardCounts(0, 0, 0, 0))
            self.shard_counts[shard] = ShardCounts(
                old.events + new.events,
                old.synops + new.synops,
                old.neuron_updates + new.neuron_updates,
                old.messages_out + new.messages_out,
            )


class _Cores(Machine):
    """The shards of one network, and the events that they saw in one run."""

    def __init__(
        self, network: Network, shards: Table[str, list[Shard]], chip: ChipSpec, on_host: Collection[str]
    ) -> None:
        self.chip = chip
        self.parts: dict[str, list[Part]] = defaultdict(list)
        self.homes: dict[str, list[Shard]] = {}
        #: Of a shard that is not whole the values that it makes in a step, and for each projection whether an event reaches
        #: it, (samples,) step by step. Of all shards the messages of partial sums that they send or get, by who makes them.
        self.leaving: dict[Shard, int] = {}
        self.heard: dict[Shard, dict[str, list[NDArray[np.bool_]]]] = {}
        self.partial: dict[Shard, list[tuple[Shard, int]]] = defaultdict(list)
        #: Sums that it updates beside its neurons.
        self.inner: dict[Shard, int] = {}
        self.events: dict[Shard, int] = defaultdict(int)
        self.synops: dict[Shard, int] = defaultdict(int)
        self.sent: dict[Shard, int] = defaultdict(int)
        for name, population in network.populations.items():
            if population.model != INPUT and name not in on_host:
                self._place(network, name, shards.get(name, []))

    def _place(self, network: Network, name: str, shards: list[Shard]) -> None:
        size, into = network.populations[name].size, network.into(name)
        starts = np.cumsum([0, *(p.synapse.columns for p in into)])
        columns = max(1, int(starts[-1]))
        holding = [shard for shard in shards if shard.kind == "synapses"]
        _need_cover(name, holding, size, columns)
        self.homes[name] = _homes(name, shards, size, columns)
        sums = PartialSums.into(network, name, self.chip)
        for shard in holding:
            self.inner[shard] = sums.inner(shard.row_count, shard.cols)
            for p, start in zip(into, starts, strict=False):
                first, last = max(shard.cols[0] - start, 0), min(shard.cols[1] - start, p.synapse.columns)
                if first < last:
                    self.parts[p.name].append(_part(p, shard, int(first), int(last)))
            if shard not in self.homes[name]:
                messages, self.heard[shard] = sums.words(shard.cols), defaultdict(list)
                self.leaving[shard] = sums.count(shard.cols) * shard.row_count
                self.partial[shard].append((shard, messages * shard.row_count))
                for home in self.homes[name]:
                    shared = min(home.rows[1], shard.rows[1]) - max(home.rows[0], shard.rows[0])
                    self.partial[home].append((shard, messages * max(shared, 0)))

    def messages(self, p: Projection, x: Ints) -> None:
        events = np.count_nonzero(x, axis=0)
        for part in self.parts[p.name]:
            self.events[part.shard] += int(events[part.axons].sum())
            self.synops[part.shard] += int(events @ part.fan)
            if part.shard in self.heard:
                self.heard[part.shard][p.name].append((x[:, part.axons] != 0).any(axis=1))

    def sums(self, p: Projection, x: Ints) -> Ints:
        if p.target not in self.homes:
            return super().sums(p, x)
        total = np.zeros((x.shape[0], p.depth, p.synapse.rows), np.int64)
        for part in self.parts[p.name]:
            sums = part.sums(x)
            total[:, : sums.shape[1], slice(*part.shard.rows)] += sums
        return total

    def update(self, network: Network, name: str, state: Values, inputs: Values, t: int) -> Stepped:
        if name not in self.homes:
            return super().update(network, name, state, inputs, t)
        population, params = network.populations[name], prepared(network)[name]
        model = registry.get_model(population.model)
        if model.memories:
            return self._remembering(network, name, state, inputs, t)
        shape = next((array.shape for array in (*state.values(), *inputs.values())), (1, population.size))
        outputs: Values = {port: np.zeros(shape, np.int64) for port in model.outputs}
        after = {variable: np.zeros_like(array) for variable, array in state.items()}
        lost = np.zeros(3, np.int64)
        words = output_words(population, self.chip)
        for shard in self.homes[name]:
            rows = slice(*shard.rows)
            own = {variable: array[:, rows] for variable, array in state.items()}
            arrived = {port: array[:, rows] for port, array in inputs.items()}
            here = {key: value if value.size == 1 or value.ndim > 1 else value[rows] for key, value in params.items()}
            stepped = model.step(here, own, arrived, t)
            for variable, array in own.items():
                after[variable][:, rows] = array
            for port, payload in stepped.outputs.items():
                outputs[port][:, rows] = payload
                self.sent[shard] += words * int(np.count_nonzero(payload))
            lost += stepped[1:]
        state.update(after)
        return Stepped(outputs, *(int(count) for count in lost))

    def _remembering(self, network: Network, name: str, state: Values, inputs: Values, t: int) -> Stepped:
        """Neurons that read one memory: whichever core holds which part of it, the sums are the same."""
        stepped = super().update(network, name, state, inputs, t)
        words = output_words(network.populations[name], self.chip)
        for shard in self.homes[name]:
            for payload in stepped.outputs.values():
                self.sent[shard] += words * int(np.count_nonzero(payload[:, slice(*shard.rows)]))
        return stepped

    def counts(self, steps: int) -> dict[Shard, ShardCounts]:
        """`steps`: of all samples together."""
        counts: dict[Shard, ShardCounts] = {}
        homes = {shard for shards in self.homes.values() for shard in shards}
        sent = {shard: np.count_nonzero(np.any([*by.values()], axis=0)) for shard, by in self.heard.items()}
        for shard in (*homes, *self.leaving):
            every = steps * shard.row_count
            partial = sum(messages * int(sent[other]) for other, messages in self.partial.get(shard, []))
            inner = steps * self.inner.get(shard, 0)
            if shard.kind == "reducer":
                counts[shard] = ShardCounts(partial, partial, every, self.sent[shard])
            elif shard in homes:
                counts[shard] = ShardCounts(self.events[shard], self.synops[shard], every + inner, self.sent[shard])
            else:
                updates = steps * self.leaving[shard] + inner
                counts[shard] = ShardCounts(self.events[shard], self.synops[shard], updates, partial)
        return counts


def _part(p: Projection, shard: Shard, first: int, last: int) -> Part:
    column = np.arange(p.synapse.columns)
    mine = (first <= column) & (column < last)
    axons, fan = p.synapse.axons(shard.rows) & mine, p.synapse.fan_out(shard.rows) * mine
    own = None if p.delay_by == "synapse" else p.synapse.part(shard.rows, (first, last))
    if own is not None:  # a view: a matrix one synapse after another is large
        delay = None if p.delay is None else p.delay[first:last]
        tile = replace(p, synapse=own, delay=delay)
        return Part(shard, axons, fan, lambda x: reference_sums(tile, x[:, first:last]))
    coo = p.synapse.coo(shard.rows)
    chosen = np.flatnonzero((first <= coo.column) & (coo.column < last))
    cell = p.delays_of(coo)[chosen] * shard.row_count + coo.row[chosen] - shard.rows[0]
    listed = coo.column[chosen], cell, coo.weight[chosen], (p.depth, shard.row_count)
    return Part(shard, axons, fan, lambda x: cell_sums(x, *listed))


def _need_cover(name: str, shards: list[Shard], rows: int, columns: int) -> None:
    """Rectangles that lie within, do not overlap, and have the area of the whole."""
    edges = np.array([(*s.rows, *s.cols) for s in shards], np.int64).reshape(-1, 4)
    low_row, high_row, low_column, high_column = edges.T
    inside = (low_row >= 0) & (low_row < high_row) & (high_row <= rows)
    inside &= (low_column >= 0) & (low_column < high_column) & (high_column <= columns)
    overlaps = 0
    for i in range(len(shards)):
        rows_meet = (low_row[i] < high_row[i + 1 :]) & (low_row[i + 1 :] < high_row[i])
        columns_meet = (low_column[i] < high_column[i + 1 :]) & (low_column[i + 1 :] < high_column[i])
        overlaps += int(np.count_nonzero(rows_meet & columns_meet))
    area = int(((high_row - low_row) * (high_column - low_column)).sum())
    if not inside.all() or overlaps or area != rows * columns:
        raise InternalError("ND9015", name, "its shards do not hold every synapse exactly once")


def _homes(name: str, shards: list[Shard], rows: int, columns: int) -> list[Shard]:
    """Where the neurons live: on reducers, and on shards of all columns that no reducer follows."""
    reducers = [shard for shard in shards if shard.kind == "reducer"]
    homes = reducers + [
        shard
        for shard in shards
        if shard.kind == "synapses"
        and shard.cols == (0, columns)
        and not any(r.rows[0] <= shard.rows[0] < r.rows[1] for r in reducers)
    ]
    homes.sort(key=lambda shard: shard.rows)
    ends = [0, *(shard.rows[1] for shard in homes)]
    if [shard.rows[0] for shard in homes] != ends[:-1] or ends[-1] != rows:
        raise InternalError("ND9015", name, "its neurons do not live on exactly one core each")
    return homes
