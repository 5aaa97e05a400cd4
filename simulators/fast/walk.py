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
from neurodeploy.ir.run import Probe, RunActivity, RunState
from neurodeploy.machine.threads import split
from neurodeploy.neurons import registry
from neurodeploy.neurons.model import Values
from simulators.fast.attention import neurons
from simulators.fast.feeds import Added, Feed, Gathered, Taken, feed
from simulators.fast.kernels import feeds
from simulators.fast.links import INT32_END
from simulators.fast.memory import Arena, Slot, Slots, array_of
from simulators.fast.registers import INT64_MAX, REGISTERS, place
from simulators.fast.walk_steps import KernelStep, Step, either, lane_step, sums_into
from simulators.fast.windows import Windows
from simulators.fast.wiring import Wiring

#: Tokens of a block: a product wants many, the cache few.
TOKENS = 128
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


class KeptTokens:
    """What is kept of a population token by token: which payloads are events, and the payloads that probes want."""

    def __init__(self, name: str, out: NDArray[Any]) -> None:
        self.name, self._out, self._bits, self._done = name, out, NO_BITS, 0
        self._probes: Sequence[tuple[Probe, Ints]] = ()

    def begin(self, raster: Raster | None, probes: Sequence[tuple[Probe, Ints]]) -> None:
        """probes : those of this population, each with room (tokens, width)."""
        self._bits, self._done = NO_BITS if raster is None else raster.bits(self.name, "s")[0], 0
        self._probes = probes

    def __call__(self, n: int) -> None:
        tokens = slice(self._done, self._done + n)
        if len(self._bits):
            self._bits[tokens] = packed(self._out[0, :n])
        for probe, to in self._probes:
            to[tokens] = probe.of(self._out[0, :n])
        self._done += n


class Walker:
    """A network that is `walkable`, ready to be walked. It holds nothing of the network itself.

    steps : all that is done. inputs, outputs : where the payloads of a block are. fired, lost, named : counts of all
    populations one after another, and under which names they are told: (population, clipped payloads, where in `fired`).
    own : populations that are neither lanes nor kernels. kept : those of `steps` that keep events and payloads.
    """

    def __init__(
        self, arena: Arena, steps: Sequence[Step], inputs: Arrays, outputs: Arrays, fired: NDArray[np.int64],
        lost: NDArray[np.int64], named: Sequence[tuple[str, str, slice]], own: Sequence[Own], kept: Sequence[KeptTokens],
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
        probes: Sequence[tuple[Probe, Ints]] = (),
    ) -> tuple[dict[str, NDArray[np.int32]], RunActivity]:
        """Payloads (tokens, size) of all inputs to those of the outputs, and the counts; `state` becomes what is left, and
        each probe's room (tokens, width) has the payloads that it wants."""
        found = {name: np.empty((tokens, array.shape[1]), np.int32) for name, array in self._outputs.items()}
        block = min(block, TOKENS)
        with self._lock:
            self._fired[:], self._lost[:] = 0, 0
            blank = {name: {"s": self._fired[span]} for name, _, span in self._named}
            when = Raster.blank(blank, 1, tokens) if raster else None
            for kept in self._kept:
                kept.begin(when, [(probe, to) for probe, to in probes if probe.population == kept.name])
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
        made = {name: Windows.of(network, name, wiring) for name in self._feeds}
        self._windows = {name: one for name, one in made.items() if one is not None}
        self._own: list[Own] = []
        layout = Slots(TOKENS)
        slots = self._slots(layout, sizes)
        memory = arena.of(layout)
        self._arrays = {key: array_of(memory, slot, TOKENS) for key, slot in slots.items()}

    def walk(self, arena: Arena) -> Walker:
        kept = [KeptTokens(name, self._arrays[name, ""]) for name in self._order]
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
            if name in self._windows:
                source = self._network.into(name)[0].source
                brought[name, "narrow"] = layout.slot(sizes[source], np.int16)
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
            return [lane_step(self._lanes[name], source, self._arrays[name, "a"], out, fired, lost)]
        steps, ports = list[Step](), dict[str, tuple[NDArray[Any], int, int]]()
        largest = dict[str, int]()
        for port, found in self._feeds[name].items():
            if isinstance(found, Taken):
                ports[port] = self._arrays[found.source, ""], found.first, found.repeat
                largest[port] = registry.largest_payload(self._network.populations[found.source])
            else:
                ports[port] = self._arrays[name, port], 0, 1
                steps += self._brought(found, self._arrays[name, port])
        if population.model not in REGISTERS:
            self._own.append(Own(population, ports, out, fired, lost))
            return [*steps, self._own[-1]]
        places = [
            place(population.model, port, first, repeat, largest.get(port, INT64_MAX))
            for port, (_, first, repeat) in ports.items()
        ]
        given = tuple(array for array, *_ in ports.values()), np.array(places, np.int64)
        steps.append(KernelStep(population, given, (out, fired, lost)))
        if name in self._windows:
            source = self._arrays[self._network.into(name)[0].source, ""]
            return [either(self._windows[name], (source, self._arrays[name, "narrow"], out, fired, lost), steps)]
        return steps

    def _brought(self, found: Feed, to: NDArray[Any], fresh: bool = True) -> list[Step]:
        """What writes the sums of a feed, or adds them to what is there unless `fresh`."""
        if isinstance(found, Added):
            return self._added(found.projections, to, fresh)
        source, work = self._arrays[found.source, ""], to.shape[2]
        if isinstance(found, Gathered):
            given = source, found.order, found.weight, found.runs()
            return [lambda n: split(feeds.gathered, n * work, n, *given, fresh, to)]
        if isinstance(found, Taken):
            first, repeat = found.first, found.repeat
            return [lambda n: split(feeds.taken, n * work, n, source, first, repeat, fresh, to)]
        return [lambda n: feeds.block_sums(n, source, fresh, to)]

    def _added(self, projections: Sequence[Projection], to: NDArray[Any], fresh: bool) -> list[Step]:
        """Projection by projection, each in the simplest way that it has."""
        if not projections:
            return [lambda n: to[0, :n].fill(0)]
        if len(projections) > 1:
            parts = [self._brought(feed([p]), to, fresh and not i) for i, p in enumerate(projections)]
            return [step for part in parts for step in part]
        (p,), payload = projections, self._arrays[projections[0].source, ""][0]
        return [lambda n: sums_into(n, p, self._wiring, payload, fresh, to[0, :n])]
