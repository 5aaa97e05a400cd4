"""The messages between the cores of a language model in one token, as `Nets`.

In this strategy the host encodes the input of every island. So there are three kinds of nets::

    host -> all cores that read a column block     one net for each island and block, weight = columns of the block
    core -> core of the reducer                    a row's partial sum, weight = rows * messages of a partial sum
    core -> host                                   outputs, weight = rows * messages of an output

Weights are those of a token at full activity (one event for each column, one message for each row), which is what the
budgets are made for. An island that sees only a fraction of the tokens (an expert) counts with that fraction: `Nets.per`
is the least number of tokens that makes all counts whole.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from math import lcm

import numpy as np

from neurodeploy.flow.nets import Nets, merge_pairs
from neurodeploy.flow.routes import HOST
from neurodeploy.flow.words import Piece, Range, island_words
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Island, Program

from .classify import activity_of


def nets_of_tiles(program: Program, pieces: Sequence[Piece], system: SystemSpec) -> Callable[[Ints], Nets]:
    """A function from the logical core of every piece (pieces,) to the nets between these cores."""
    activity = activity_of(program)
    per = lcm(*(share.denominator for share in activity.values())) if activity else 1
    blocks: dict[tuple[str, Range], int] = {}
    widths: list[int] = []
    readers, read, sources, targets, sent = [], [], [], [], []
    for name, members in _by_island(pieces).items():
        island, share = program.islands[name], int(activity[name] * per)
        for index in members:
            piece = pieces[index]
            if piece.kind != "synapses":
                continue
            number = blocks.setdefault((name, piece.cols), len(blocks))
            if number == len(widths):
                widths.append((piece.cols[1] - piece.cols[0]) * share)
            readers.append(index)
            read.append(number)
        for source, target, messages in _sends(island, pieces, members, system.chip):
            sources.append(source)
            targets.append(target)
            sent.append(messages * share)
    reader_of, block_of = np.array(readers, np.int64), np.array(read, np.int64)
    source_of, target_of = np.array(sources, np.int64), np.array(targets, np.int64)
    weight, width_of = np.array(sent, np.int64), np.array(widths, np.int64)

    def nets(core: Ints) -> Nets:
        cores = int(core.max(initial=-1)) + 1
        places = np.append(core, HOST)  # the last one is where target -1 looks
        events = _broadcasts(block_of, core[reader_of], width_of, cores)
        source, target, messages = merge_pairs(places[source_of], places[target_of], weight, cores)
        return Nets(
            cores,
            np.concatenate([np.full(len(events), HOST, np.int64), source]),
            np.concatenate([[0], np.cumsum([*(len(pins) for pins in events), *([1] * len(source))])]).astype(np.int64),
            np.concatenate([*events, target]).astype(np.int64),
            np.concatenate([np.array(list(events.values()), np.int64), messages]),
            per,
        )

    return nets


def mapping_nets(mapping: Mapping, program: Program, system: SystemSpec) -> tuple[Nets, Ints, Ints]:
    """The nets of a mapping, and the chip and the core of each logical core, in the order of (chip, core)."""
    places = sorted({(shard.chip, shard.core) for shard in mapping.shards})
    number = {place: index for index, place in enumerate(places)}
    core = np.array([number[shard.chip, shard.core] for shard in mapping.shards], np.int64)
    where = np.array(places, np.int64).reshape(-1, 2)
    return nets_of_tiles(program, mapping.shards, system)(core), where[:, 0], where[:, 1]


def _by_island(pieces: Iterable[Piece]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for index, piece in enumerate(pieces):
        found.setdefault(piece.island, []).append(index)
    return found


def _sends(
    island: Island, pieces: Sequence[Piece], members: list[int], chip: ChipSpec
) -> Iterable[tuple[int, int, int]]:
    """(sender, receiver or -1 for the host, messages a token) of every piece of an island."""
    reducers = sorted((i for i in members if pieces[i].kind == "reducer"), key=lambda i: pieces[i].rows)
    starts = [pieces[i].rows[0] for i in reducers]
    words = island_words(island, [pieces[i] for i in members], chip)
    for index in members:
        piece = pieces[index]
        low, high = piece.rows
        if piece.kind == "reducer" or piece.cols == (0, island.columns):
            yield index, -1, (high - low) * words.output
            continue
        for reducer in reducers[max(0, bisect_right(starts, low) - 1) :]:
            first, last = pieces[reducer].rows
            if first >= high:
                break
            if last > low:
                yield index, reducer, (min(high, last) - max(low, first)) * words.partial[piece.cols]


def _broadcasts(block: Ints, core: Ints, width: Ints, cores: int) -> dict[tuple[int, ...], int]:
    """Events of each set of cores: blocks that are read by the same cores are one net."""
    keys = np.unique(block * cores + core)
    number, place = keys // cores, keys % cores
    starts = np.searchsorted(number, np.arange(len(width) + 1))
    found: dict[tuple[int, ...], int] = {}
    for index, (start, stop) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        pins = tuple(place[start:stop].tolist())
        found[pins] = found.get(pins, 0) + int(width[index])
    return found
