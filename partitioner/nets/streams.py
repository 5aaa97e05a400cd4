"""The messages between the tiles of a model, or the shards of its mapping."""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from math import lcm
from types import MappingProxyType

from neurodeploy.flow.streams import Sent, Streams
from neurodeploy.flow.words import Piece
from neurodeploy.ir.arrange import arranged, counts_there
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from partitioner.cost.population import views_of

#: Pairs of an axon and a tile in a projection from which on a sample stands for it.
PAIRS = 1 << 21


def sent_of(rates: RunActivity | None) -> tuple[Sent | None, int]:
    """`sent` and `per` of `streams_of` for a run that was counted; without one, or without a step, every neuron sends."""
    steps = 0 if rates is None else rates.steps * rates.samples
    return (rates.fired, steps) if rates is not None and steps else (None, 1)


def streams_of(
    program: Program,
    pieces: Sequence[Piece],
    chip: ChipSpec,
    *,
    orders: Table[str, Ints] = MappingProxyType({}),
    sent: Sent | None = None,
    per: int = 1,
    pairs: int | None = PAIRS,
) -> Streams:
    """At full activity, an expert at the part of the tokens that it works in; `Streams.per` is then the least number of
    tokens that makes all counts whole.

    orders : of the mapping.
    sent : what each neuron of a network sends in `per` steps, in the order of the network; None: each sends in every step.
    pairs : of an axon and a tile in one projection, from which on a sample stands for it; None: all are looked at.
    """
    network, placed = arranged(program.network, orders), {piece.island for piece in pieces}
    hosted = [name for name in program.network.populations if name not in placed]
    views = views_of(program, chip, orders=orders, hosted=hosted)
    if sent is None:
        per = lcm(*(view.share.denominator for view in views.values()))
    return Streams(network, views, pieces, per, None if sent is None else counts_there(sent, orders), pairs)
