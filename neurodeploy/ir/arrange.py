"""`arranged`: the same network with the neurons of some populations in another order, as a mapping lays them on cores.

An order of a population of n neurons is a permutation: ``order[r]`` is the neuron at row r. With the orders P of the target
and Q of the source a synapse matrix becomes ``W'[r, c] = W[P[r], Q[c]]``, delays likewise, parameters ``p'[r] = p[P[r]]``.
Sums are exact, so the arranged network computes the same integers neuron by neuron; `result_back` puts them back
into the order of the network, `state_there`, `probes_there` and `counts_there` the other way.

Inputs keep their order, and so do populations that a direct connection touches (`Synapse.movable`). Every other kind says
what it is in another order (`Synapse.arranged`): a convolution keeps its kernel and remembers both orders.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.run import Probe, RunResult, RunState

Orders = Table[str, Ints]
AS_IT_IS: Any = slice(None)

#: Networks that were arranged, by their origin, with the orders of the last time; and what each came from.
_LAST: WeakKeyDictionary[Network, tuple[Orders, Network]] = WeakKeyDictionary()
_DONE: WeakKeyDictionary[Network, Orders] = WeakKeyDictionary()


def inverse(order: Ints) -> Ints:
    found = np.empty_like(order)
    found[order] = np.arange(len(order), dtype=np.int64)
    return found


def laid_out(starts: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """(indptr, positions): the positions ``starts[i] + range(lengths[i])`` of every run, one run after the other."""
    indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    return indptr, np.repeat(starts - indptr[:-1], lengths) + np.arange(int(indptr[-1]), dtype=np.int64)


def fixed_populations(network: Network) -> set[str]:
    """Populations whose order may not change."""
    found = set(network.inputs)
    for p in network.projections:
        if not p.synapse.movable:
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
            name: value if isinstance(value, int) or value.size == 1 or value.ndim > 1 else value[order]
            for name, value in values.items()
        }

    return replace(population, params=moved(population.params), initial=moved(population.initial), sections=())


def _projection(p: Projection, rows: Ints | None, columns: Ints | None) -> Projection:
    """`p` between populations in these orders."""
    if rows is None and columns is None:
        return p
    synapse, moved = p.synapse.arranged(rows, columns)
    by_axon = slice(None) if columns is None else columns
    delay = None if p.delay is None else p.delay[moved if p.delay_by == "synapse" else by_axon]
    exponents, sums = None if p.axon_exp is None else p.axon_exp[by_axon], p.block_sums if columns is None else None
    return replace(p, synapse=synapse, delay=delay, axon_exp=exponents, block_sums=sums)


def counts_there(fired: Table[str, Table[str, Ints]], orders: Orders) -> dict[str, dict[str, Ints]]:
    """Counts by neuron (population -> port -> (size,)) in the order of the rows."""
    return {
        name: {port: counts[orders.get(name, AS_IT_IS)] for port, counts in ports.items()}
        for name, ports in fired.items()
    }


def state_there(state: RunState, network: Network, orders: Orders) -> RunState:
    """A state of the network in the order of the rows, as a new value."""
    neurons = {
        name: {key: array[:, orders.get(name, AS_IT_IS)] for key, array in values.items()}  # memories have no order
        for name, values in state.neurons.items()
    }
    targets = {p.name: p.target for p in network.projections}
    pending = {name: array[:, :, orders.get(targets[name], AS_IT_IS)] for name, array in state.pending.items()}
    return RunState(state.step, neurons, pending)


def probes_there(probes: Sequence[Probe], orders: Orders) -> tuple[Probe, ...]:
    """Probes of chosen neurons name their rows."""
    places = {name: inverse(order) for name, order in orders.items()}
    return tuple(
        probe
        if probe.neurons is None or probe.population not in places
        else replace(probe, neurons=tuple(int(places[probe.population][n]) for n in probe.neurons))
        for probe in probes
    )


def result_back(result: RunResult, network: Network, probes: Sequence[Probe], orders: Orders) -> RunResult:
    """What a run of the arranged network left, in the order of `network`; `probes` are those that were asked for."""
    back = {name: inverse(order) for name, order in orders.items()}
    outputs = {name: array[:, :, back.get(name, AS_IT_IS)] for name, array in result.outputs.items()}
    whole = {probe.name: probe.population for probe in probes if probe.neurons is None}
    recorded = {name: array[:, :, back.get(whole.get(name, ""), AS_IT_IS)] for name, array in result.probes.items()}
    done = result.activity
    raster = None if done.raster is None else done.raster.moved(back)
    activity = replace(done, fired=counts_there(done.fired, back), raster=raster)
    return RunResult(outputs, recorded, activity, state_there(result.state, network, back))
