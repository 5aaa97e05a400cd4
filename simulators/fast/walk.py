"""A network without state within one step, such as a block of a decoder, walked once for each block of tokens.

Populations come in order, each for all tokens of the block, so that what one sends is still in the cache when the next reads
it. A `Dense` of int8 into `graded_affine` is a lane, every other population a kernel of `kernels.registers`; what reaches it
is read where it was sent (`simulators.fast.feeds`). Payloads are int32; a lane gets them in the 16 bits that hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.run import RunActivity
from neurodeploy.neurons import registry
from simulators.fast.feeds import Added, Feed, Gathered, Summed, Taken, feed
from simulators.fast.kernels import registers
from simulators.fast.links import exact_sums
from simulators.fast.memory import Arena, Slot, Slots, array_of
from simulators.fast.registers import REGISTERS, prepared
from simulators.fast.wiring import Wiring

#: Tokens of a block: a product wants many, the cache few.
TOKENS = 128
#: Does its part for the first n tokens of a block.
Step = Callable[[int], None]
Arrays = Mapping[str, NDArray[Any]]


def walkable(network: Network, lanes: Mapping[str, Any]) -> bool:
    """Whether every population is an input, a lane or a kernel, and nothing lasts longer than a step."""
    own = [p for p in network.populations.values() if p.model != INPUT]
    known = all(p.name in lanes or p.model in REGISTERS for p in own)
    return bool(own) and known and not any(p.latency for p in network.projections)


class Walker:
    """A network that is `walkable`, ready to be walked. It holds nothing of the network itself.

    steps : all that is done. inputs, outputs : where the payloads of a block are. fired, lost, named : counts of all
    populations one after another, and under which names they are told: (population, clipped payloads, where in `fired`).
    """

    def __init__(
        self, arena: Arena, steps: Sequence[Step], inputs: Arrays, outputs: Arrays, fired: NDArray[np.int64],
        lost: NDArray[np.int64], named: Sequence[tuple[str, str, slice]],
    ) -> None:  # fmt: skip
        self._lock, self._steps, self._inputs, self._outputs = arena.lock, steps, inputs, outputs
        self._fired, self._lost, self._named = fired, lost, named

    def __call__(
        self, inputs: Mapping[str, NDArray[Any]], tokens: int, block: int = TOKENS
    ) -> tuple[dict[str, NDArray[np.int32]], RunActivity]:
        """Payloads (tokens, size) of all inputs to those of the outputs, and the counts."""
        found = {name: np.empty((tokens, array.shape[1]), np.int32) for name, array in self._outputs.items()}
        block = min(block, TOKENS)
        with self._lock:
            self._fired[:], self._lost[:] = 0, 0
            for begin in range(0, tokens, block):
                n = min(block, tokens - begin)
                for name, array in self._inputs.items():
                    array[:n] = inputs[name][begin : begin + n]
                for step in self._steps:
                    step(n)
                for name, array in self._outputs.items():
                    found[name][begin : begin + n] = array[:n]
            return found, self._activity(tokens)

    def _activity(self, tokens: int) -> RunActivity:
        fired, saturated = self._fired.copy(), dict[str, int]()
        for (name, sent, _), (_, states, payloads) in zip(self._named, self._lost.tolist(), strict=True):
            saturated |= {at: count for at, count in ((name, states), (sent, payloads)) if count}
        return RunActivity(tokens, 1, {name: {"s": fired[span]} for name, _, span in self._named}, saturated, {})


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
        layout = Slots(TOKENS)
        slots = self._slots(layout, sizes)
        memory = arena.of(layout)
        self._arrays = {key: array_of(memory, slot, TOKENS) for key, slot in slots.items()}

    def walk(self, arena: Arena) -> Walker:
        steps = [step for i, name in enumerate(self._order) for step in self._steps(i, name)]
        inputs, outputs = (
            {name: self._arrays[name, ""][0] for name in names}
            for names in (self._network.inputs, self._network.outputs)
        )
        populations = self._network.populations
        named = [(name, registry.sent_name(populations[name]), self._spans[name]) for name in self._order]
        return Walker(arena, steps, inputs, outputs, self._fired, self._lost, named)

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
                    (name, port): layout.slot(sizes[name], np.int32 if isinstance(found, Gathered) else np.int64)
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
            return [lambda n: registers.count_events(n, out, fired)]
        if name in self._lanes:
            source = self._arrays[self._network.into(name)[0].source, ""]
            return [_lane(self._lanes[name], source, self._arrays[name, "a"], out, fired, lost)]
        steps, inputs, places = list[Step](), list[NDArray[Any]](), list[tuple[int, int, bool]]()
        for port, found in self._feeds[name].items():
            if isinstance(found, Taken):
                inputs.append(self._arrays[found.source, ""])
                wide = registry.largest_payload(self._network.populations[found.source]) > registers.REGISTER
                places.append((found.first, found.repeat, wide))
            else:
                inputs.append(self._arrays[name, port])
                places.append((0, 1, True))
                steps.append(self._brought(found, inputs[-1]))
        run, *own = prepared(population)
        given = tuple(inputs), np.array(places, np.int64), *own, out, fired, lost
        return [*steps, lambda n: run(0, n, *given)]

    def _brought(self, found: Gathered | Summed | Added, to: NDArray[Any]) -> Step:
        if isinstance(found, Added):
            terms = [(p, self._arrays[p.source, ""][0], self._wiring) for p in found.projections]
            return lambda n: _add(n, terms, to[0, :n])
        source = self._arrays[found.source, ""]
        if isinstance(found, Gathered):
            return lambda n: registers.gathered(n, source, found.order, to)
        return lambda n: registers.block_sums(n, source, to)


def _lane(lane: Any, source: NDArray[Any], narrow: NDArray[Any], out: NDArray[Any], fired: Ints, lost: Ints) -> Step:
    narrow, flat, bounds = narrow[0], out.reshape(-1), np.array([0, lane.rows])
    messages = slice(lane.columns, lane.columns + lane.rows)

    def step(n: int) -> None:
        registers.narrowed(n, source, narrow)
        found = lane.run(narrow[:n], flat[: n * lane.rows], bounds, 1.0)
        np.add(fired, found[messages], out=fired)
        lost[1:] += found[-3:-1]

    return step


def _add(n: int, terms: Sequence[Any], to: NDArray[np.int64]) -> None:
    """Exact sums of projections, from arrays of payloads."""
    to[:] = 0
    for p, payload, wiring in terms:
        to += payload[:n] if p.synapse.wire else exact_sums(p, wiring(p), payload[:n])[:, 0]
