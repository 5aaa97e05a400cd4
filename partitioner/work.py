"""What each core of a mapping does in a step or for a token, for its metrics: synaptic operations and updates of neurons.

Counted as `neurodeploy.accounting` does, tile by tile: a message that reaches a tile drives the axon's stored synapses in
its rows; all neurons are updated in every step; a partial sum costs its reducer one operation. Of a projection of very
many messages a sample of axons stands for all, as in `streams`.
"""

from __future__ import annotations

import numpy as np

from .metrics import CoreWork, Places
from .streams import Streams


def work_of(streams: Streams, places: Places) -> CoreWork:
    """The work of each logical core in `streams.per` steps."""
    core = places.of_shard
    synops, conv_synops, updates, microcoded = (np.zeros(places.cores) for _ in range(4))
    for stream in streams.events():
        np.add.at(conv_synops if stream.shared_kernels else synops, core[stream.target], stream.synops)
    _, reducer, messages = streams.partial_sums().T
    np.add.at(synops, core[reducer], messages)
    for index, piece in enumerate(streams.pieces):
        if streams.home(piece):
            into = microcoded if streams.views[piece.island].microcoded else updates
            into[core[index]] += (piece.rows[1] - piece.rows[0]) * streams.ticks(piece)
    return CoreWork(synops, conv_synops, updates, microcoded)
