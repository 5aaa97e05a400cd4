"""What each shard does: the one count of the mapper's metrics and of the account."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from neurodeploy.flow.joined import Stream
from neurodeploy.flow.routes import HOST
from neurodeploy.flow.streams import Sent, Streams
from neurodeploy.flow.words import Piece
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons import registry

#: Columns of a table of loads, a row a shard or core. `PARTIALS` are partial sums added (an operation each), `SENT` messages
#: that leave, `WRITES` numbers written to a memory, `EVENTS` messages that arrive, `SPIKES` non-zero outputs.
SYNOPS, CONV_SYNOPS, PARTIALS, FIXED_UPDATES, UPDATES, SENT, WRITES, EVENTS, SPIKES = range(9)
COLUMNS = 9
#: What these columns are called, and behind them what only some chips ask about: neurons that nothing reached (`IDLE`), and
#: the columns of `ways_out.WaysOut.table`.
WORK = (
    "synops", "conv_synops", "partial_sums", "fixed_updates", "updates", "messages", "writes", "events", "spikes", "idle",
    "first_messages", "first_updates", "first_ew", "first_ns", "waits_events", "waits_synops", "waits_conv_synops",
)  # fmt: skip
IDLE = COLUMNS


def loads_of(streams: Streams, events: Iterable[Stream] | None = None) -> Ints:
    """(pieces, 9) of `streams.per` steps: a message that reaches a piece drives the axon's stored synapses in its rows, all
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


def rests_of(streams: Streams, resting: Sent) -> Ints:
    """(pieces,) how often a neuron that lives there was at rest, of those that are updated at a fixed cost. `resting`: by
    population, one entry each, (size,)."""
    found = np.zeros(len(streams.pieces), np.int64)
    for index, piece in enumerate(streams.pieces):
        if piece.island in resting and streams.home(piece) and not streams.ends[piece.island].microcoded:
            (at_rest,) = resting[piece.island].values()
            found[index] = at_rest[slice(*piece.rows)].sum()
    return found


def remembering(streams: Streams, piece: Piece) -> Ints:
    """(9,) what a piece does beside its neurons for what they remember, its even share of it, in every step of its
    population: each number is one synaptic operation, each value of a row an update, each number of a new row a write. Where
    several pieces share a memory, each has a block of its rows, gets what is asked of them all (`Streams.events`), and sends
    what it sums, two messages a value, which somebody adds.
    """
    population = streams.network.populations[piece.island]
    model, rows = registry.get_model(population.model), piece.rows[1] - piece.rows[0]
    kept = registry.memory_of(population)
    row = len(model.memories) * kept.numbers
    found = np.zeros(COLUMNS, np.int64)
    found[SYNOPS] = row * kept.rows * kept.readers * rows // population.size
    found[UPDATES] = kept.rows * kept.values * rows // population.size
    found[WRITES] = row * piece.rows[1] // population.size - row * piece.rows[0] // population.size
    if rows < population.size:
        found[SENT] = 2 * (population.size + kept.values)
        found[UPDATES] += 2 * (population.size + kept.values)
    found *= streams.ticks(piece.island)
    return found
