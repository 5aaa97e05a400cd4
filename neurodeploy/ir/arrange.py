"""`arranged`: the same network with the neurons of some populations in another order, as a mapping lays them on cores.

An order of a population of n neurons is a permutation: ``order[r]`` is the neuron at row r. With the orders P of the target
and Q of the source a synapse matrix becomes ``W'[r, c] = W[P[r], Q[c]]``, delays likewise, parameters ``p'[r] = p[P[r]]``.
Sums are exact, so the arranged network computes the same integers neuron by neuron; `result_back` and `counts_back` put them
back into the order of the network, `state_there`, `probes_there` and `counts_there` the other way.

Inputs keep their order, and so do populations that a `Direct` connection touches. A convolution is not permuted: it
becomes an `ArrangedConv`, which keeps its kernel and remembers both orders.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import INPUT, Conv, Dense, Direct, Network, Population, Projection, Sparse
from neurodeploy.ir.network_run import NetworkActivity, NetworkResult, NetworkState, Probe
from neurodeploy.ir.packed import NARROW_ROWS

Orders = Table[str, Ints]


@dataclass(frozen=True, eq=False)
class ArrangedConv(Conv):
    """A `Conv` between populations in other orders: row r is the neuron ``row_order[r]`` of its output shape, column c the
    neuron ``column_order[c]`` of its input shape; None is the order of the shape."""

    row_order: Ints | None = None
    column_order: Ints | None = None

    @cached_property
    def row_place(self) -> Ints | None:
        """The row of each neuron of the output shape."""
        return None if self.row_order is None else inverse(self.row_order)

    @cached_property
    def column_place(self) -> Ints | None:
        return None if self.column_order is None else inverse(self.column_order)

    @cached_property
    def runs(self) -> Ints | None:
        """The first column of every run of columns that are channels of one pixel, one after another."""
        if self.column_order is None:
            return None
        first = np.diff(self.column_order, prepend=-2) != 1
        return np.flatnonzero(first | (self.column_order % self.input_shape[2] == 0))

    @cached_property
    def pixel_of_run(self) -> Ints:
        """The input pixel of each of `runs`."""
        if self.column_order is None or self.runs is None:
            return np.arange(self.input_shape[0] * self.input_shape[1], dtype=np.int64)
        return np.asarray(self.column_order[self.runs] // self.input_shape[2])


#: Networks that were arranged, by their origin, with the orders of the last time; and what each came from.
_LAST: WeakKeyDictionary[Network, tuple[Orders, Network]] = WeakKeyDictionary()
_DONE: WeakKeyDictionary[Network, Orders] = WeakKeyDictionary()


def inverse(order: Ints) -> Ints:
    found = np.empty_like(order)
    found[order] = np.arange(len(order), dtype=np.int64)
    return found


def fixed_populations(network: Network) -> set[str]:
    """Populations whose order may not change."""
    found = set(network.inputs)
    for p in network.projections:
        if isinstance(p.synapse, Direct):
            found |= {p.source, p.target}
    return found


def order_problems(network: Network, orders: Orders) -> list[str]:
    """What is wrong with orders, in words; nothing where they can be used."""
    found, fixed = [], fixed_populations(network)
    for name, order in orders.items():
        if name not in network.populations:
            found.append(f"{name}: has an order and is no population")
            continue
        size = network.populations[name].size
        if order.shape != (size,) or not np.array_equal(np.sort(order), np.arange(size)):
            found.append(f"{name}: its order is no permutation of its {size} neurons")
        elif name in fixed:
            found.append(f"{name}: is an input or touched by a direct connection, its neurons keep their order")
    return found


def arranged(network: Network, orders: Orders) -> Network:
    """The network in the orders of a mapping (`Mapping.orders`); the same object where there are none. Arranging an
    arranged network with the same orders changes nothing, so that every consumer of a mapping may ask for it.

    Raises ND9075 where the orders do not belong to the network: the mapper's verifier says so before.
    """
    if not orders or _DONE.get(network) is orders:
        return network
    last = _LAST.get(network)
    if last is not None and last[0] is orders:
        return last[1]
    problems = order_problems(network, orders)
    if problems:
        raise InternalError("ND9075", network.name, problems[0])
    found = replace(
        network,
        populations={name: _population(p, orders.get(name)) for name, p in network.populations.items()},
        projections=tuple(_projection(p, orders.get(p.target), orders.get(p.source)) for p in network.projections),
    )
    _DONE[found] = orders
    _LAST[network] = (orders, found)
    return found


def _population(population: Population, order: Ints | None) -> Population:
    if order is None or population.model == INPUT:
        return population

    def moved(values: Table[str, int | Ints]) -> dict[str, int | Ints]:
        return {
            name: value if isinstance(value, int) or value.size == 1 else value[order] for name, value in values.items()
        }

    return replace(population, params=moved(population.params), initial=moved(population.initial))


def _projection(p: Projection, rows: Ints | None, columns: Ints | None) -> Projection:
    """`p` between populations in these orders."""
    if rows is None and columns is None:
        return p
    s, delay = p.synapse, p.delay
    by_axon = delay if delay is None or columns is None or p.delay_by == "synapse" else delay[columns]
    if isinstance(s, Conv):
        shape = {name: getattr(s, name) for name in Conv.__dataclass_fields__}
        return replace(p, synapse=ArrangedConv(**shape, row_order=rows, column_order=columns), delay=by_axon)
    if isinstance(s, Dense):
        pick = np.ix_(_or_all(rows, s.rows), _or_all(columns, s.columns))
        each = delay[pick] if delay is not None and p.delay_by == "synapse" else by_axon
        return replace(p, synapse=Dense(np.asfortranarray(s.weight[pick])), delay=each)
    if isinstance(s, Sparse):
        made, taken = _sparse(s, rows, columns)
        each = delay[taken] if delay is not None and p.delay_by == "synapse" else by_axon
        return replace(p, synapse=made, delay=each)
    raise InternalError("ND9075", p.name, "is direct and its neurons are in another order")


def _or_all(order: Ints | None, size: int) -> Ints:
    return np.arange(size, dtype=np.int64) if order is None else order


def _sparse(s: Sparse, rows: Ints | None, columns: Ints | None) -> tuple[Sparse, Ints]:
    """The permuted synapses, and where each stood."""
    lengths = s.lengths()
    order = _or_all(columns, s.columns)
    indptr = np.zeros(s.columns + 1, np.int64)
    np.cumsum(lengths[order], out=indptr[1:])
    starts = s.indptr[:-1].astype(np.int64)[order]
    taken = np.repeat(starts - indptr[:-1], lengths[order]) + np.arange(int(indptr[-1]), dtype=np.int64)
    target = s.targets()[taken].astype(np.int64)
    if rows is not None:
        target = inverse(rows)[target]
        axon = np.repeat(np.arange(s.columns, dtype=np.int64), lengths[order])
        by_target = np.argsort(axon * s.rows + target, kind="stable")
        taken, target = taken[by_target], target[by_target]
    narrow: NDArray[Any] = target.astype(np.uint16 if s.rows <= NARROW_ROWS else np.int32)
    return Sparse(s.rows, s.columns, indptr, narrow, s.weight[taken]), taken


def counts_there(fired: Table[str, Table[str, Ints]], orders: Orders) -> dict[str, dict[str, Ints]]:
    """Counts by neuron (population -> port -> (size,)) in the order of the rows."""
    return {
        name: {port: counts if name not in orders else counts[orders[name]] for port, counts in ports.items()}
        for name, ports in fired.items()
    }


def counts_back(fired: Table[str, Table[str, Ints]], orders: Orders) -> dict[str, dict[str, Ints]]:
    """`counts_there` undone."""
    return counts_there(fired, {name: inverse(order) for name, order in orders.items()})


def activity_there(activity: NetworkActivity, orders: Orders) -> NetworkActivity:
    return replace(activity, fired=counts_there(activity.fired, orders)) if orders else activity


def state_there(state: NetworkState, network: Network, orders: Orders) -> NetworkState:
    """A state of the network in the order of the rows, as a new value."""
    neurons = {
        name: {key: array if name not in orders else array[:, orders[name]] for key, array in values.items()}
        for name, values in state.neurons.items()
    }
    targets = {p.name: p.target for p in network.projections}
    pending = {
        name: array if targets[name] not in orders else array[:, :, orders[targets[name]]]
        for name, array in state.pending.items()
    }
    return NetworkState(state.step, neurons, pending)


def probes_there(probes: Sequence[Probe], orders: Orders) -> tuple[Probe, ...]:
    """Probes of chosen neurons name their rows."""
    places = {name: inverse(order) for name, order in orders.items()}
    return tuple(
        probe
        if probe.neurons is None or probe.population not in places
        else replace(probe, neurons=tuple(int(places[probe.population][n]) for n in probe.neurons))
        for probe in probes
    )


def result_back(result: NetworkResult, network: Network, probes: Sequence[Probe], orders: Orders) -> NetworkResult:
    """What a run of the arranged network left, in the order of `network`; `probes` are those that were asked for."""
    back = {name: inverse(order) for name, order in orders.items()}
    outputs = {name: array[:, :, back[name]] if name in back else array for name, array in result.outputs.items()}
    whole = {probe.name: probe.population for probe in probes if probe.neurons is None}
    recorded = {
        name: array[:, :, back[whole[name]]] if whole.get(name) in back else array
        for name, array in result.probes.items()
    }
    activity = replace(result.activity, fired=counts_there(result.activity.fired, back))
    return NetworkResult(outputs, recorded, activity, state_there(result.state, network, back))
