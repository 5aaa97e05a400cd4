"""What each shard does: the one count of the mapper's metrics and of the account."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from neurodeploy.flow.routes import HOST
from neurodeploy.flow.streams import Stream, Streams
from neurodeploy.flow.words import Piece
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import registry

#: Columns of a table of loads, a row a shard or core; the first six take time on a core. `PARTIALS` are partial sums added
#: (an operation each), `SENT` messages that leave, `EVENTS` messages that reach synapses, `SPIKES` non-zero outputs.
SYNOPS, CONV_SYNOPS, PARTIALS, FIXED_UPDATES, UPDATES, SENT, EVENTS, SPIKES = range(8)
COLUMNS = 8


def loads_of(streams: Streams, events: Iterable[Stream] | None = None) -> Ints:
    """(pieces, 8) of `streams.per` steps: a message that reaches a piece drives the axon's stored synapses in its rows, all
    neurons are updated in every step in which their population works. A partial sum is a microcoded neuron where it is made,
    and so is a sum of a group. What a population remembers is charged as if it were full (`neurons.model.Memory`).

    events : those of the streams, where somebody else looks at them too.
    """
    table = np.zeros((len(streams.pieces), COLUMNS), np.int64)
    for stream in streams.events() if events is None else events:
        inside = stream.source != HOST
        np.add.at(table[:, CONV_SYNOPS if stream.shared_kernels else SYNOPS], stream.target, stream.synops)
        np.add.at(table[:, EVENTS], stream.target, stream.messages)
        np.add.at(table[:, SENT], stream.source[inside], stream.messages[inside])
    np.add.at(table[:, PARTIALS], streams.partial_sums[:, 1], streams.partial_sums[:, 2])
    for sent in (streams.partial_sums, streams.outputs):
        np.add.at(table[:, SENT], sent[:, 0], sent[:, 2])
    for index, piece in enumerate(streams.pieces):
        ends, home = streams.ends[piece.island], streams.home(piece)
        kind = UPDATES if ends.microcoded or not home else FIXED_UPDATES
        table[index, kind] = streams.neurons(piece) * streams.ticks(piece.island)
        table[index, UPDATES] += streams.inner(piece) * streams.ticks(piece.island)
        if home and registry.get_model(streams.network.populations[piece.island].model).memories:
            table[index] += remembering(streams, piece)
        table[index, SPIKES] = streams.spikes(piece) if home else 0
    return table


def remembering(streams: Streams, piece: Piece) -> Ints:
    """(8,) what a piece does beside its neurons for what they remember, its even share of it, in every step of its
    population: each number is one synaptic operation, each value of a row an update. Where several pieces share a
    memory, each has a block of its rows, gets all inputs, and sends what it sums, two messages a value, which somebody adds.
    """
    population = streams.network.populations[piece.island]
    model, rows = registry.get_model(population.model), piece.rows[1] - piece.rows[0]
    kept = model.memory(registry.prepared_params(population))
    numbers = len(model.memories) * kept.rows * kept.numbers * kept.readers
    found = np.zeros(COLUMNS, np.int64)
    found[SYNOPS] = numbers * rows // population.size
    found[UPDATES] = kept.rows * kept.values * rows // population.size
    if rows < population.size:
        found[SENT] = 2 * (population.size + kept.values)
        found[UPDATES] += 2 * (population.size + kept.values)
    found *= streams.ticks(piece.island)
    return found
