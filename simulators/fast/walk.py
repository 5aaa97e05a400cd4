"""A network without state within one step, such as a block of a decoder, walked once for each block of tokens.

Populations come in order, each for all tokens of the block, so that what one sends is still in the cache when the next reads
it. A `Dense` of int8 into `graded_affine` is a lane, most others a kernel of `kernels.registers`, some what other runs have
(`simulators.fast.neurons`); what reaches them is read where it was sent (`simulators.fast.feeds`). Payloads are int32; a
lane gets them in the 16 bits that hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.raster import Raster, packed
from neurodeploy.ir.run import RunActivity, RunState
from neurodeploy.neurons import registry
from neurodeploy.neurons.model import Values
from simulators.fast.attention import neurons
from simulators.fast.feeds import Added, Feed, Gathered, Summed, Taken, feed
from simulators.fast.kernels import feeds
from simulators.fast.links import INT32_END, exact_sums
from simulators.fast.memory import Arena, Slot, Slots, array_of
from simulators.fast.registers import INT64_MAX, REGISTERS, place, prepared
from simulators.fast.wiring import Wiring

#: Tokens of a block: a product wants many, the cache few.
TOKENS = 128
#: Does its part for the first n tokens of a block.
Step = Callable[[int], None]
Arrays = Mapping[str, NDArray[Any]]
NO_BITS = np.zeros((0, 0), np.uint8)


def walkable(network: Network, lanes: Mapping[str, Any]) -> bool:
    """Whether nothing in it lasts longer than a step but what a population remembers, and nothing can wrap."""
    own = [p for p in network.populations.values() if p.model != INPUT]
    known = all(p.name in lanes or p.model in REGISTERS or _plain(network, p) for p in own)
    return bool(own) and known and not any(p.latency for p in network.projections)


def _plain(network: Network, population: Population) -> bool:
    """Whether it sends on one port, and no sum that reaches it can wrap."""
    model, sums = registry.get_model(population.model), dict.fromkeys(registry.input_ports(population), 0)
    for p in network.into(population.name):
        most = p.largest_arrival(registry.largest_payload(network.populations[p.source]))
        sums[p.target_port] += most if most < 1 << (p.wrap_bits - 1) else INT32_END
    fits = all(model.ports[port].exact or most < INT32_END for port, most in sums.items())
    return fits and set(model.state) <= set(model.memories) and model.outputs == ("s",)


class Arrived(NamedTuple):
    """What a `simulators.fast.ports.Port` has."""

    arrived: NDArray[Any]


class Own:
    """A population that is neither lane nor kernel. ports : name -> (array, first, repeat): neuron i of a port gets element
    ``first + i // repeat``."""

    def __init__(
        self, population: Population, ports: Mapping[str, tuple[NDArray[Any], int, int]], out: NDArray[Any],
        fired: Ints, lost: Ints,
    ) -> None:  # fmt: skip
        self.population, self._ports, self._out, self._fired, self._lost = population, ports, out, fired, lost
        self._neurons, self._first = neurons(population, {}), 1

    def begin(self, state: Values, first: int) -> None:
        """Tokens begin at time step `first` in this state, which it owns."""
        self._neurons, self._first = neurons(self.population, state), first

    def left(self) -> Values:
        return self._neurons.states(last=True)

    def __call__(self, n: int) -> None:
        size, ports = self.population.size, dict[str, Any]()
        for name, (array, first, repeat) in self._ports.items():
            given = array[:, :n, first : first + size // repeat]
            ports[name] = Arrived(given if repeat == 1 else np.repeat(given, repeat, axis=2))
        self._neurons.advance(0, n, self._first, ports, {"s": self._out[:, :n]})
        self._first += n
        feeds.count_events(n, self._out, self._fired)
        self._lost += self._neurons.counts()
        self._neurons.lost[:] = 0


class EventBits:
    """Which payloads of a population are events, token by token."""

    def __init__(self, name: str, out: NDArray[Any]) -> None:
        self.name, self._out, self._bits, self._done = name, out, NO_BITS, 0

    def begin(self, raster: Raster | None) -> None:
        self._bits, self._done = NO_BITS if raster is None else raster.bits(self.name, "s")[0], 0

    def __call__(self, n: int) -> None:
        if len(self._bits):
            self._bits[self._done : self._done + n] = packed(self._out[0, :n])
            self._done += n


class Walker:
    """A network that is `walkable`, ready to be walked. It holds nothing of the network itself.

    steps : all that is done. inputs, outputs : where the payloads of a block are. fired, lost, named : counts of all
    populations one after another, and under which names they are told: (population, clipped payloads, where in `fired`).
    own : populations that are neither lanes nor kernels. kept : those of `steps` that keep events.
    """

    def __init__(
        self, arena: Arena, steps: Sequence[Step], inputs: Arrays, outputs: Arrays, fired: NDArray[np.int64],
        lost: NDArray[np.int64], named: Sequence[tuple[str, str, slice]], own: Sequence[Own], kept: Sequence[EventBits],
    ) -> None:  # fmt: skip
        self._lock, self._steps, self._inputs, self._outputs = arena.lock, steps, inputs, outputs
        self._kept = kept
        self._fired, self._lost, self._named, self._own = fired, lost, named, own
        self.neurons = max(1, len(fired))
        #: Whether it remembers anything: tokens are then the steps of one sample.
        self.remembers = any(registry.get_model(one.population.model).memories for one in own)

    def __call__(
        self,
        inputs: Mapping[str, NDArray[Any]],
        tokens: int,
        state: RunState,
        block: int = TOKENS,
        raster: bool = True,
    ) -> tuple[dict[str, NDArray[np.int32]], RunActivity]:
        """Payloads (tokens, size) of all inputs to those of the outputs, and the counts; `state` becomes what is left."""
        found = {name: np.empty((tokens, array.shape[1]), np.int32) for name, array in self._outputs.items()}
        block = min(block, TOKENS)
        with self._lock:
            self._fired[:], self._lost[:] = 0, 0
            when = Raster.blank({name: {"s": self._fired[span]} for name, _, span in self._named}, 1, tokens)
            when = when if raster else None
            for kept in self._kept:
                kept.begin(when)
            for one in self._own:
                one.begin(state.neurons[one.population.name], state.step + 1)
            for begin in range(0, tokens, block):
                n = min(block, tokens - begin)
                for name, array in self._inputs.items():
                    array[:n] = inputs[name][begin : begin + n]
                for step in self._steps:
                    step(n)
                for name, array in self._outputs.items():
                    found[name][begin : begin + n] = array[:n]
            for one in self._own:
                state.neurons[one.population.name] = one.left()
            return found, self._activity(tokens, when)

    def _activity(self, tokens: int, raster: Raster | None) -> RunActivity:
        fired, saturated = self._fired.copy(), dict[str, int]()
        for (name, sent, _), (_, states, payloads) in zip(self._named, self._lost.tolist(), strict=True):
            saturated |= {at: count for at, count in ((name, states), (sent, payloads)) if count}
        wrapped = {name: int(count) for (name, _, _), count in zip(self._named, self._lost[:, 0], strict=True) if count}
        by_name = {name: {"s": fired[span]} for name, _, span in self._named}
        return RunActivity(tokens, 1, by_name, saturated, wrapped, raster)


class Making:
    """How a walk is made: first a place in memory for everything, then the steps, which have the arrays of these places.

    lanes : by population. wiring : of a projection that is a sum like any other.
    """

    def __init__(
        self, network: Network, lanes: Mapping[str, Any], wiring: Callable[[Projection], Wiring | None], arena: Arena
    ) -> None:
        self._network, self._lanes, self._wiring, self._order = network, lanes, wiring, network.order()
        sizes = {name: network.populations[name].size for name in self._order}
        ends = np.cumsum([0, *sizes.values()]).tolist()
        self._spans = {name: slice(*ends[i : i + 2]) for i, name in enumerate(self._order)}
        self._fired, self._lost = np.zeros(ends[-1], np.int64), np.zeros((len(ends) - 1, 3), np.int64)
        self._feeds = {name: self._feeds_of(name) for name in self._order if name not in lanes}
        self._own: list[Own] = []
        layout = Slots(TOKENS)
        slots = self._slots(layout, sizes)
        memory = arena.of(layout)
        self._arrays = {key: array_of(memory, slot, TOKENS) for key, slot in slots.items()}

    def walk(self, arena: Arena) -> Walker:
        kept = [EventBits(name, self._arrays[name, ""]) for name in self._order]
        steps: list[Step] = []
        for i, name in enumerate(self._order):
            steps += [*self._steps(i, name), kept[i]]
        inputs, outputs = (
            {name: self._arrays[name, ""][0] for name in names}
            for names in (self._network.inputs, self._network.outputs)
        )
        populations = self._network.populations
        named = [(name, registry.sent_name(populations[name]), self._spans[name]) for name in self._order]
        return Walker(arena, steps, inputs, outputs, self._fired, self._lost, named, self._own, kept)

    def _feeds_of(self, name: str) -> dict[str, Feed]:
        into, ports = self._network.into(name), registry.input_ports(self._network.populations[name])
        return {port: feed([p for p in into if p.target_port == port]) for port in ports}

    def _slots(self, layout: Slots, sizes: Mapping[str, int]) -> dict[tuple[str, str], Slot]:
        """Places of payloads (population, ""), and of what is brought to a port (population, port). They are given up after
        the last population that reads them."""
        last = {p.source: name for name in self._order for p in self._network.into(name)}
        slots = {(name, ""): layout.slot(sizes[name], np.int32) for name in self._network.inputs}
        for name in self._order:
            if name in self._lanes:
                brought = {(name, "a"): layout.slot(self._lanes[name].columns, np.int16)}
            else:
                brought = {
                    (name, port): layout.slot(sizes[name], np.int64)
                    for port, found in self._feeds[name].items()
                    if not isinstance(found, Taken)
                }
            slots |= brought
            if (name, "") not in slots:
                slots[name, ""] = layout.slot(sizes[name], np.int32)
            done = [source for source, reader in last.items() if reader == name] + [name] * (name not in last)
            for key in [*brought, *((one, "") for one in done if one not in self._network.outputs)]:
                layout.free(slots[key])
        return slots

    def _steps(self, number: int, name: str) -> list[Step]:
        population, out = self._network.populations[name], self._arrays[name, ""]
        fired, lost = self._fired[self._spans[name]], self._lost[number]
        if population.model == INPUT:
            return [lambda n: feeds.count_events(n, out, fired)]
        if name in self._lanes:
            source = self._arrays[self._network.into(name)[0].source, ""]
            return [_lane(self._lanes[name], source, self._arrays[name, "a"], out, fired, lost)]
        steps, ports = list[Step](), dict[str, tuple[NDArray[Any], int, int]]()
        largest = dict[str, int]()
        for port, found in self._feeds[name].items():
            if isinstance(found, Taken):
                ports[port] = self._arrays[found.source, ""], found.first, found.repeat
                largest[port] = registry.largest_payload(self._network.populations[found.source])
            else:
                ports[port] = self._arrays[name, port], 0, 1
                steps.append(self._brought(found, self._arrays[name, port]))
        if population.model not in REGISTERS:
            self._own.append(Own(population, ports, out, fired, lost))
            return [*steps, self._own[-1]]
        places = [
            place(population.model, port, first, repeat, largest.get(port, INT64_MAX))
            for port, (_, first, repeat) in ports.items()
        ]
        run, *own = prepared(population)
        given = tuple(array for array, *_ in ports.values()), np.array(places, np.int64), *own, out, fired, lost
        return [*steps, lambda n: run(0, n, *given)]

    def _brought(self, found: Gathered | Summed | Added, to: NDArray[Any]) -> Step:
        if isinstance(found, Added):
            terms = [(p, self._arrays[p.source, ""][0], self._wiring) for p in found.projections]
            return lambda n: _add(n, terms, to[0, :n])
        source = self._arrays[found.source, ""]
        if isinstance(found, Gathered):
            runs = found.runs()
            return lambda n: feeds.gathered(n, source, found.order, found.weight, runs, to)
        return lambda n: feeds.block_sums(n, source, to)


def _lane(lane: Any, source: NDArray[Any], narrow: NDArray[Any], out: NDArray[Any], fired: Ints, lost: Ints) -> Step:
    narrow, flat, bounds = narrow[0], out.reshape(-1), np.array([0, lane.rows])
    messages = slice(lane.columns, lane.columns + lane.rows)

    def step(n: int) -> None:
        feeds.narrowed(n, source, narrow)
        found = lane.run(narrow[:n], flat[: n * lane.rows], bounds, 1.0)
        np.add(fired, found[messages], out=fired)
        lost[1:] += found[-3:-1]

    return step


def _add(n: int, terms: Sequence[Any], to: NDArray[np.int64]) -> None:
    """Exact sums of projections, from arrays of payloads."""
    if not terms:
        to[:] = 0
    for number, (p, payload, wiring) in enumerate(terms):
        term = payload[:n] if p.synapse.wire else exact_sums(p, wiring(p), payload[:n])[:, 0]
        if number:
            to += term
        else:
            to[:] = term
