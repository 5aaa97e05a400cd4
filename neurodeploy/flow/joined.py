"""`Stream`, and the streams of axons of which several are read by the same rows (`ir.synapse.Synapse.joined`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from neurodeploy.flow.words import Range
from neurodeploy.ir.arrange import laid_out
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Projection


class Stream(NamedTuple):
    """Events of one kind, equal lengths: ``messages[i]`` of axon ``axon[i]`` from the tile ``source[i]`` (or `HOST`) to the
    tile ``target[i]``, where they drive ``synops[i]`` synapses. Axons are numbered within `name`."""

    name: str
    axon: Ints
    source: Ints
    target: Ints
    messages: Ints
    synops: Ints
    shared_kernels: bool


def joined_streams(
    p: Projection, fired: Ints, home: Ints, tiles: Ints, rows: Ints, parts: Sequence[Range], step: int
) -> Iterator[Stream]:
    """A run of columns counts as one axon, cut where the home of its neurons changes and where only a part of it is looked
    at.

    fired : (columns,) messages of each axon, of which one in `step` is in the `parts`. home : (columns,) where its neuron
    lives. tiles : the numbers of the tiles with these columns, by rows; rows : (all tiles, 2) of each.
    """
    joined = p.synapse.joined
    assert joined is not None  # callers have asked
    total = np.concatenate(([0], np.cumsum(fired)))
    moved = np.flatnonzero(np.diff(home)) + 1
    starts = np.unique(np.concatenate((joined, moved, np.array(parts, np.int64).reshape(-1))))
    of = np.searchsorted([part[0] for part in parts], starts, "right") - 1
    kept = (of >= 0) & (starts < np.array([part[1] for part in parts], np.int64)[of])
    ends = np.append(starts[1:], len(home))[kept]
    starts = starts[kept]
    messages = (total[ends] - total[starts]) * step
    runs = np.searchsorted(starts, np.append(joined, len(home)))
    for run, tile, fan in p.synapse.joined_touches(rows[tiles]):
        sizes = runs[run + 1] - runs[run]
        axon = laid_out(runs[run], sizes)[1]
        tile, fan, sent = np.repeat(tile, sizes), np.repeat(fan, sizes), messages[axon]
        yield Stream(p.name, starts[axon], home[starts[axon]], tiles[tile], sent, sent * fan, p.synapse.shared)
