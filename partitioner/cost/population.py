"""`View`: a population as every stage of the mapper sees it.

A population is a rectangle. Its rows are neurons, its columns the axons of all projections into it, one after another
(`cost.lists.Segment`)::

    bytes a neuron    its state and own parameters, 4 for each delay slot of its ports, payloads that wait (`flow.waits`)
    bytes of a table  beside neurons, once for each shard
    outputs           messages of a payload where the host reads it, or computes a population that it feeds
    destinations      a message to each shard that a unit of its columns reaches
    partial sum       `flow.words.PartialSums`: 4 bytes a message where it is made

Weights are never looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np

from neurodeploy.flow.streams import Ends, ends_of
from neurodeploy.flow.waits import waiting_bytes, waits
from neurodeploy.flow.words import Range
from neurodeploy.ir.arrange import arranged
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.copies import ALONE, Copies
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Section
from neurodeploy.ir.program import Program
from neurodeploy.ir.synapse import Synapse
from neurodeploy.ir.units import Units
from neurodeploy.neurons.registry import get_model, memory_of, state_bytes, table_bytes
from partitioner.classify import activity_of, group_of
from partitioner.cost.budget import Demand
from partitioner.cost.lists import Destinations, Format, Segment, format_of
from partitioner.cost.sums import SUM_BYTES, Sums


@dataclass(frozen=True, slots=True, eq=False)
class Sends:
    """The out-axons of a population: `always` a neuron, and for each projection those of its units.

    `reserve` per cent are counted on top while targets are not cut for good.
    """

    always: int
    sums: tuple[tuple[Units, Destinations], ...] = ()
    reserve: int = 0

    @property
    def key(self) -> tuple[object, ...]:
        """Equal where every neuron has as many."""
        starts = (None if own.starts is None else own.starts.tobytes() for own, _ in self.sums)
        sums = ((own.size, start, fed.key) for (own, fed), start in zip(self.sums, starts, strict=True))
        return self.always, self.reserve, *sums

    def count(self, rows: Range) -> int:
        """Entries of the neurons `rows`: a unit that is cut by the range has its entry on both cores."""
        found = 0
        for own, fed in self.sums:
            first, last = own.span(*rows)
            found += int(fed.before[last] - fed.before[first])
        return self.always * (rows[1] - rows[0]) + found + -(-found * self.reserve // 100)

    def counts(self, rows: Sequence[Range]) -> list[int]:
        """`count` of each."""
        first, stop = np.array(rows, np.int64).reshape(-1, 2).T
        found = np.zeros(len(rows), np.int64)
        for own, fed in self.sums:
            found += fed.before[own.of(stop - 1) + 1] - fed.before[own.of(first)]
        return (self.always * (stop - first) + found + -(-found * self.reserve // 100)).tolist()  # type: ignore[no-any-return]

    def edges(self, rows: int) -> tuple[Ints, Ints]:
        """(rows + 1,) twice: a range of rows has ``end[last] - begin[first]`` entries beside `always` and `reserve`."""
        begin, end, row = np.zeros(rows + 1, np.int64), np.zeros(rows + 1, np.int64), np.arange(rows)
        for own, fed in self.sums:
            unit = own.of(row)
            begin[:-1] += fed.before[unit]
            end[1:] += fed.before[unit + 1]
        return begin, end

    def most(self, rows: int) -> int:
        """Entries of the neuron that has most, of so many."""
        each = np.zeros(rows, np.int64)
        for own, fed in self.sums:
            each += fed.each[own.of(np.arange(rows))]
        found = int(each.max(initial=0))
        return self.always + found + -(-found * self.reserve // 100)


@dataclass(frozen=True, eq=False)
class View(Ends):
    """A population. neuron : bytes of one. table : bytes of its tables. outgoing : projections from it.

    group : what is kept on one chip where that can be. layer : what it is counted under. sections : heads that should stay
    whole. expert : whether a token may pass it by. copies : what it stands for. remembers : whether it has a memory.
    """

    sums: Sums
    name: str
    rows: int
    segments: tuple[Segment, ...]
    form: Format
    neuron: int
    table: int
    outgoing: tuple[Projection, ...]
    group: str
    layer: str
    sections: tuple[Section, ...]
    expert: bool
    copies: Copies
    remembers: bool

    @property
    def columns(self) -> int:
        """Axons; one where it has none, so that a shard has a range of columns."""
        return self.whole[1]

    @cached_property
    def uniform(self) -> bool:
        """Whether its rows are alike: all synapses all-to-all and stored in the same bits."""
        bits = {self.form.bits(part.projection) for part in self.segments}
        return len(bits) == 1 and all(part.projection.synapse.uniform for part in self.segments)

    @cached_property
    def row_bits(self) -> int:
        """Bits of a synapse where rows are alike."""
        return self.form.bits(self.segments[0].projection)

    @cached_property
    def inner(self) -> tuple[int, tuple[Synapse, ...]]:
        """Where rows are alike: the most synapses of an axon beside those into its neurons, and the kinds that keep sums
        beside them."""
        kinds = [part.projection.synapse for part in self.segments]
        return max(kind.beside for kind in kinds), tuple(kind for kind in kinds if kind.inner_bytes(1, 1))

    @property
    def stored_bits(self) -> int:
        """The widest weight that it stores; 0 where it stores none."""
        stored = [part.projection.weight_bits for part in self.segments if not part.projection.synapse.wire]
        return max(stored, default=0) if self.form.weight_bits is None else self.form.weight_bits

    def roomy(self, state: int) -> View:
        """The same with at least so many bytes set aside for each neuron, and for each row where its sums are made."""
        return replace(self, neuron=max(self.neuron, state), sums=replace(self.sums, least=state))

    def sends(self, reached: Table[str, Destinations]) -> Sends:
        """`reached`: by projection."""
        return Sends(self.outputs, tuple((p.units, reached[p.name]) for p in self.outgoing))

    def tile(self, rows: int, columns: int, words: int) -> Demand:
        """A shard with so many of the columns, all of whose synapses are all-to-all, and `words` messages a row."""
        beside, kinds = self.inner
        lists = columns * (self.form.header + -(-(rows + beside) * self.row_bits // 8))
        for kind in kinds:
            lists += kind.inner_bytes(rows, min(columns, kind.columns))
        if columns == self.columns:
            return self.home(rows, lists, columns, rows * words)
        return self.partial(rows, lists, columns, words)

    def home(self, rows: int, stored: int, axons: int, out: int) -> Demand:
        """A shard where neurons live, with `stored` bytes of synapses and `out` entries for destinations."""
        return rows, stored, axons, out, self.table + rows * self.neuron + self.form.axon * (axons + out)

    def partial(self, rows: int, stored: int, axons: int, words: int) -> Demand:
        """A shard with a part of the columns, whose sums have `words` messages."""
        out = rows * words
        return rows, stored, axons, out, rows * self.sums.state(words) + self.form.axon * (axons + out)

    def reducer(self, rows: int, words: int, out: int) -> Demand:
        """The home of rows that receive `words` messages each."""
        axons = rows * words
        return self.home(rows, axons * (self.form.header + -(-self.sums.bits // 8)), axons, out)


def views_of(
    program: Program,
    chip: ChipSpec,
    weight_bits: int | None = None,
    orders: Table[str, Ints] = MappingProxyType({}),
    hosted: Collection[str] = (),
) -> dict[str, View]:
    """All populations that can live on cores, in their order, neurons in the order of the mapping; those in `hosted` are
    computed by the host."""
    form, found = format_of(chip, weight_bits), dict[str, View]()
    network, shares, waiting = arranged(program.network, orders), activity_of(program), waits(program)
    living = {n: shares[n] for n, p in network.populations.items() if p.model != INPUT and n not in hosted}
    for name, ends in ends_of(program, network, chip, living).items():
        population = network.populations[name]
        found[name] = View(
            whole=ends.whole,
            outputs=ends.outputs,
            sums=Sums(ends.sums.parts, chip.formats["weight_bits"]),
            microcoded=ends.microcoded,
            share=ends.share,
            name=name,
            rows=population.size,
            segments=segments(network.into(name)),
            form=form,
            neuron=state_bytes(population)
            + SUM_BYTES * sum(slots(network, name).values())
            + waiting_bytes(population, waiting),
            table=table_bytes(population),
            outgoing=tuple(p for p in network.out_of(name) if p.target in living),
            group=group_of(population),
            layer=name if population.layer is None else f"layers.{population.layer}",
            sections=population.sections,
            expert=population.expert is not None,
            copies=program.copies.get(name, ALONE),
            remembers=memory_of(population).rows > 0,
        )
    return found


def segments(into: Iterable[Projection]) -> tuple[Segment, ...]:
    found, start = [], 0
    for projection in into:
        found.append(Segment(projection, start))
        start = found[-1].stop
    return tuple(found)


def slots(network: Network, name: str) -> dict[str, int]:
    """Sums that a neuron of a population keeps for each port: one, or one for each delay slot."""
    found = dict.fromkeys(get_model(network.populations[name].model).ports, 1)
    for projection in network.into(name):
        found[projection.target_port] = max(found.get(projection.target_port, 1), projection.depth)
    return found
