"""`View`: a population as every stage of the mapper sees it, whether it is an island of a language model or of a network.

A population is a rectangle. Its rows are neurons, its columns the axons of all projections into it, one after another
(`cost.lists.Segment`). An island is a population with one dense projection, whose source and whose readers are the host::

                      island                                      population of a network
    bytes a neuron    neuron_state_bytes of the chip              state, own parameters, 4 for each delay slot of its ports
    outputs           messages of a value of `out_bits`           1 where the host reads it
    destinations      -                                           a message to each shard that a unit of its columns reaches
    partial sum       messages by its proven bound                likewise, 1 at a port that wraps, for each delay slot and
                                                                  projection
    state of one      as a neuron                                 4 bytes a message

Weights are never looked at: an island's `Dense` is a view of a single zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType

import numpy as np

from neurodeploy.flow.words import PartialSums, messages_of
from neurodeploy.ir.arrange import arranged
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.copies import ALONE, Copies
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Island, Program, Slice
from neurodeploy.ir.synapse import Units
from neurodeploy.neurons.registry import get_model, state_bytes
from neurodeploy.synapses import Dense
from partitioner.classify import activity_of, group_of
from partitioner.cost.budget import Demand
from partitioner.cost.lists import Format, Range, Segment, format_of
from partitioner.cost.sums import SUM_BYTES, ProvenSums, SlotSums, Sums

#: What is mapped.
Model = Program | Network


@dataclass(frozen=True, slots=True, eq=False)
class Sends:
    """The out-axons of a population: `always` a neuron, and for each projection its entries summed up unit by unit.

    `reserve` per cent are counted on top while targets are not cut for good.
    """

    always: int
    sums: tuple[tuple[Units, Ints], ...] = ()
    reserve: int = 0

    def count(self, rows: Range) -> int:
        """Entries of the neurons `rows`: a unit that is cut by the range has its entry on both cores."""
        found = 0
        for own, total in self.sums:
            first, last = own.span(*rows)
            found += int(total[last] - total[first])
        return self.always * (rows[1] - rows[0]) + found + -(-found * self.reserve // 100)

    def most(self, rows: int) -> int:
        """Entries of the neuron that has most, of so many."""
        each = np.zeros(rows, np.int64)
        for own, total in self.sums:
            each += np.diff(total)[own.of(np.arange(rows))]
        found = int(each.max(initial=0))
        return self.always + found + -(-found * self.reserve // 100)


@dataclass(frozen=True, eq=False)
class View:
    """A population. neuron : bytes of one. outputs : messages of a neuron to the host. outgoing : projections from it.

    group : what is kept on one chip where that can be. layer : what it is counted under. share : of the ticks in which it
    works. microcoded : whether its neurons are. slices : heads that should stay whole.
    expert : whether a token may pass it by. copies : what it stands for.
    """

    name: str
    rows: int
    segments: tuple[Segment, ...]
    form: Format
    sums: Sums
    neuron: int
    outputs: int
    outgoing: tuple[Projection, ...] = ()
    group: str = ""
    layer: str = ""
    share: Fraction = Fraction(1)
    microcoded: bool = True
    slices: tuple[Slice, ...] = ()
    expert: bool = False
    copies: Copies = ALONE

    @cached_property
    def columns(self) -> int:
        """Axons; one where it has none, so that a shard has a range of columns."""
        return max(1, self.segments[-1].stop if self.segments else 0)

    @cached_property
    def uniform(self) -> bool:
        """Whether its rows are alike: all synapses all-to-all and stored in the same bits."""
        bits = {self.form.bits(part.projection) for part in self.segments}
        return len(bits) == 1 and all(part.projection.synapse.uniform for part in self.segments)

    @cached_property
    def row_bits(self) -> int:
        """Bits of a synapse where rows are alike."""
        return self.form.bits(self.segments[0].projection)

    @property
    def whole(self) -> Range:
        return 0, self.columns

    def words(self, columns: Range) -> int:
        return self.sums.words(columns)

    def values(self, columns: Range) -> int:
        return self.sums.count(columns)

    @property
    def stored_bits(self) -> int:
        """The widest weight that it stores; 0 where it stores none."""
        stored = [part.projection.weight_bits for part in self.segments if not part.projection.synapse.wire]
        return max(stored, default=0) if self.form.weight_bits is None else self.form.weight_bits

    def sends(self, reached: Table[str, Ints]) -> Sends:
        """`reached`: projection -> destinations of each unit (`cost.lists.destinations` over all column blocks)."""
        sums = [(p.units, np.concatenate(([0], np.cumsum(reached[p.name])))) for p in self.outgoing]
        return Sends(self.outputs, tuple(sums))

    def tile(self, rows: int, columns: int, words: int) -> Demand:
        """A shard with so many of the columns, all of whose synapses are all-to-all, and `words` messages a row."""
        lists = columns * (self.form.header + -(-rows * self.row_bits // 8))
        if columns == self.columns:
            return self.home(rows, lists, columns, rows * words)
        return self.partial(rows, lists, columns, words)

    def home(self, rows: int, stored: int, axons: int, out: int) -> Demand:
        """A shard where neurons live, with `stored` bytes of synapses and `out` entries for destinations."""
        return rows, stored, axons, out, rows * self.neuron + self.form.axon * (axons + out)

    def partial(self, rows: int, stored: int, axons: int, words: int) -> Demand:
        """A shard with a part of the columns, whose sums have `words` messages."""
        out = rows * words
        return rows, stored, axons, out, rows * self.sums.state(words) + self.form.axon * (axons + out)

    def reducer(self, rows: int, words: int, out: int) -> Demand:
        """The home of rows that receive `words` messages each."""
        axons = rows * words
        return self.home(rows, axons * (self.form.header + -(-self.sums.bits // 8)), axons, out)


def unwrapped(model: Model) -> Model:
    """The network of a program that is one, else the model itself."""
    return model.network if isinstance(model, Program) and model.streamed else model


def view_of(
    island: Island,
    chip: ChipSpec,
    weight_bits: int | None = None,
    share: Fraction = Fraction(1),
    copies: Copies = ALONE,
) -> View:
    """An island of a language model."""
    bits = island.synapses.weight_bits if weight_bits is None else weight_bits
    synapse = Dense(np.broadcast_to(np.zeros((), np.int8), (island.rows, island.columns)))
    into = Projection(island.name, "", island.name, synapse, graded=True, weight_bits=bits)
    neuron = chip.formats["neuron_state_bytes"]
    return View(
        name=island.name,
        rows=island.rows,
        segments=(Segment(into, 0),),
        form=format_of(chip, weight_bits),
        sums=ProvenSums(island, chip, bits, neuron),
        neuron=neuron,
        outputs=messages_of(island.neurons.out_bits, chip),
        group=group_of(island),
        layer=island.name if island.layer is None else f"layers.{island.layer}",
        share=share,
        slices=island.slices,
        expert=island.expert is not None,
        copies=copies,
    )


def views_of(
    model: Model, chip: ChipSpec, weight_bits: int | None = None, orders: Table[str, Ints] = MappingProxyType({})
) -> dict[str, View]:
    """All populations that can live on cores, in their order, neurons in the order of the mapping."""
    model = unwrapped(model)
    if isinstance(model, Network):
        return _of_network(arranged(model, orders), chip, weight_bits)
    shares = activity_of(model)
    return {
        name: view_of(island, chip, weight_bits, shares[name], model.copies.get(name, ALONE))
        for name, island in model.islands.items()
    }


def _of_network(network: Network, chip: ChipSpec, weight_bits: int | None) -> dict[str, View]:
    form, found = format_of(chip, weight_bits), {}
    for name, population in network.populations.items():
        if population.model == INPUT:
            continue
        into = network.into(name)
        found[name] = View(
            name=name,
            rows=population.size,
            segments=segments(into),
            form=form,
            sums=SlotSums(PartialSums.into(network, name, chip), chip.formats["weight_bits"]),
            neuron=state_bytes(population) + SUM_BYTES * sum(slots(network, name).values()),
            outputs=int(name in network.outputs),
            outgoing=tuple(p for p in network.projections if p.source == name),
            group=name,
            layer=name,
            microcoded=population.model not in chip.supports.neurons,
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
