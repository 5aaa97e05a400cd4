"""Which chips hold what: units laid over chips in the order of the layers, experts on whole chips where there is room.

An expert that shares a chip with nothing that every token meets lets its chips idle, and be gated, for all tokens that go
elsewhere. Its last chip is rarely full: the rests of several experts of a layer share chips. That takes more chips than
filling them one after the other, so it is done only where the chips are there. Which experts of neighbouring layers follow
one another is not in a configuration: affinity between layers is not used.

Chips are numbered along the rows of a board; a model that needs several boards has a host port at chip 0 of each. A copy
takes one event for each column into every chip that holds it, which is delivered to every core that holds it, and sends one
message for each word of a row's output. Partial sums stay between cores and are not counted here (`accounting` counts them).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import comb

import numpy as np

from neurodeploy.flow.border import BorderLoads, Entries
from neurodeploy.flow.streams import Streams
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Encode
from partitioner.fit.plan import Unit


@dataclass(frozen=True, slots=True)
class Spot:
    """One copy of a unit: `unit` is its index, cores ``start : start + cores`` counted over all chips in order.

    `tail` : where an expert's rest stands, if apart from the chips before: (first core, cores), else None.
    """

    unit: int
    layer: int
    start: int
    cores: int
    tail: tuple[int, int] | None = None

    def places(self, core: Ints) -> Ints:
        """Where these cores of the unit are among all."""
        after = self.start if self.tail is None else self.tail[0] - self.cores
        return np.where(core < self.cores, self.start, after) + core

    def chips(self, per_chip: int) -> list[int]:
        """The chips that hold it."""
        found = list(range(self.start // per_chip, -(-(self.start + self.cores) // per_chip))) if self.cores else []
        if self.tail is not None:
            found.append(self.tail[0] // per_chip)
        return found


@dataclass(frozen=True, slots=True)
class Layout:
    """Where every copy stands. whole : experts have chips without anything that every token meets."""

    spots: tuple[Spot, ...]
    chips: int
    whole: bool
    per_chip: int

    def awake(self, units: Sequence[Unit]) -> tuple[int, float]:
        """(chips that every token wakes, expected further chips of the chosen experts).

        A chip with n of a layer's E experts, of which k are chosen, all sets of them equally often, sleeps with the
        probability C(E - n, k) / C(E, k); layers choose independently.
        """
        always: set[int] = set()
        experts: dict[int, Counter[tuple[int, int]]] = {}
        for spot in self.spots:
            for chip in set(spot.chips(self.per_chip)):
                if units[spot.unit].expert:
                    experts.setdefault(chip, Counter())[spot.layer, spot.unit] += 1
                else:
                    always.add(chip)
        expected = 0.0
        for chip in sorted(experts.keys() - always):
            asleep = Fraction(1)
            for (_, unit), count in experts[chip].items():
                of = units[unit].views[0].copies
                asleep *= Fraction(comb(of.experts - count, of.chosen), comb(of.experts, of.chosen))
            expected += float(1 - asleep)
        return len(always), expected

    def flows(self, program: Program, units: Sequence[Unit]) -> list[list[list[BorderLoads]]]:
        """By unit and population the flow of every copy over the host border, at full activity. Copies that begin
        at the same place of a chip differ in the numbers of their chips alone."""
        found: list[list[list[BorderLoads]]] = [[[] for _ in unit.views] for unit in units]
        known: dict[tuple[int, int, int], list[BorderLoads]] = {}
        for spot in self.spots:
            chips = np.array(spot.chips(self.per_chip), np.int64)
            tail = spot.tail[0] % self.per_chip if spot.tail is not None else -1
            key = (spot.unit, spot.start % self.per_chip, tail)
            if key not in known:
                shards = units[spot.unit].mapping.shards
                core = np.array([shard.chip * self.per_chip + shard.core for shard in shards], np.int64)
                chip = np.searchsorted(chips, spot.places(core) // self.per_chip)
                known[key] = _flows(program, units[spot.unit], chip)
            for copies, flow in zip(found[spot.unit], known[key], strict=True):
                copies.append(flow._replace(chips=chips[flow.chips]))
        return found


def _flows(program: Program, unit: Unit, chip: Ints) -> list[BorderLoads]:
    """Of each population of a unit whose shards are on these chips. What only the first layer gets from the host is none."""
    alone = {view.name: replace(view, share=Fraction(1)) for view in unit.views}
    shards, network = unit.mapping.shards, program.network
    repeated = any(view.name in program.copies for view in unit.views)
    encoded = {s.population for s in program.host if isinstance(s, Encode)}
    given = {name for name in encoded if name in program.copies or not repeated}
    entering = {p.name for p in network.projections if p.source in given}
    streams, first = Streams(network, alone, shards, 1), Entries(int(chip.max()) + 1)
    names, found = np.array([shard.island for shard in shards]), dict[str, BorderLoads]()
    for name in alone:
        chips = np.unique(chip[names == name])
        found[name] = BorderLoads(chips, *np.zeros((3, len(chips)), np.int64))

    def add(flow: BorderLoads, to: Ints, shard: Ints, messages: Ints) -> None:
        np.add.at(to, np.searchsorted(flow.chips, chip[shard]), messages)

    for stream in streams.events(entering):
        flow = found[str(names[stream.target[0]])]
        new = first.fresh(stream.name, stream.axon, chip[stream.target])
        add(flow, flow.entering, stream.target[new], stream.messages[new])
        add(flow, flow.delivered, stream.target, stream.messages)
    for name, flow in found.items():
        shard, _, messages = streams.outputs[names[streams.outputs[:, 0]] == name].T
        add(flow, flow.leaving, shard, messages)
    return list(found.values())


def place(units: Sequence[Unit], per_chip: int, available: int) -> Layout:
    """Experts on whole chips if `available` has room for that, else chips filled one after the other."""
    filled = _filled(units, per_chip)
    if any(unit.expert for unit in units):
        whole = _whole(units, per_chip)
        if whole.chips <= max(available, filled.chips):
            return whole
    return filled


def _by_layer(units: Sequence[Unit]) -> Iterator[tuple[int, list[int]]]:
    """Layers in order with the units that stand in them, parts for every token first."""
    where: dict[int, list[int]] = {}
    for index, unit in enumerate(units):
        for layer in unit.layers:
            where.setdefault(layer, []).append(index)
    for layer in sorted(where):
        yield layer, sorted(where[layer], key=lambda index: (units[index].expert, index))


def _filled(units: Sequence[Unit], per_chip: int) -> Layout:
    """One copy after the other; copies of a unit that share cores overlap by what they share."""
    spots, at, seen = [], 0, [0] * len(units)
    for layer, found in _by_layer(units):
        for index in found:
            unit = units[index]
            for _ in range(unit.per_layer):
                before, after = (n * unit.all_cores // unit.copies for n in (seen[index], seen[index] + 1))
                spots.append(Spot(index, layer, at, max(unit.cores, after - before)))
                at, seen[index] = at + after - before, seen[index] + 1
    total = sum(unit.all_cores for unit in units)
    # The last copy may reach beyond the cores that it shares with its neighbours: it is moved back among them.
    moved = (replace(spot, start=min(spot.start, max(0, total - spot.cores))) for spot in spots)
    return Layout(tuple(moved), -(-total // per_chip), False, per_chip)


def _whole(units: Sequence[Unit], per_chip: int) -> Layout:
    """Parts for every token fill chips one after the other; experts start on chips of their own."""
    numbers = [index for index, unit in enumerate(units) if not unit.expert]
    filled = _filled([units[index] for index in numbers], per_chip)
    spots, at = [replace(spot, unit=numbers[spot.unit]) for spot in filled.spots], filled.chips
    for layer, found in _by_layer(units):
        for index in (i for i in found if units[i].expert):
            unit = units[index]
            full, rest = divmod(unit.cores, per_chip)
            together = per_chip // rest if rest else 0
            first_rest = at + full * unit.per_layer
            for copy in range(unit.per_layer):
                tail = None
                if rest:
                    chip, place = divmod(copy, together)
                    tail = ((first_rest + chip) * per_chip + place * rest, rest)
                spots.append(Spot(index, layer, (at + copy * full) * per_chip, full * per_chip, tail))
            at = first_rest + (-(-unit.per_layer // together) if rest else 0)
    return Layout(tuple(spots), at, True, per_chip)
