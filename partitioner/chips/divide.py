"""Chips: cores to as few chips as hold them, so that few messages pass between chips and kept groups stay whole.

Divisions are compared by (chips that kept groups touch beyond the least, messages between chips): groups first, because a
chip without events can be gated. Candidates:

- "runs": cores in order, cut into the best runs of all (`chips.runs`).
- "runs with receivers": the same with cores that add up partial sums moved to the middle of those that send them.
- "runs of listeners": the same with the cores that listen to one broadcast side by side.
- "runs of layers": the same in an order of breadth-first layers, for cores that come in no useful order.
- "groups first": whole groups in order, each on a new chip where the rest of the present one is too short, while there
  are cores to waste; single cores fill the rests.
- "improved" and "hypergraph": Mt-KaHyPar's V-cycles from the best of these, or a division from nothing, with whole groups
  as vertices; what overflows a chip is repaired.
- "refined": moves and swaps of single cores.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from partitioner.chips import hypergraph
from partitioner.chips.hypergraph import Hyper, make_hyper
from partitioner.chips.refine import refine, repair
from partitioner.chips.runs import best_runs, layers, listeners, receivers

#: V-cycles in a row, while each gains a hundredth.
CYCLES = 4
#: Up to so many pins a hypergraph is also cut from nothing; up to the second only where the user asks for little traffic, or
#: where V-cycles improve the best run by a quarter: then cores come in no good order.
FEW_PINS, MOST_PINS = 120_000, 1_000_000
#: Beyond so many Mt-KaHyPar is left out: its V-cycles alone take minutes.
TOO_MANY_PINS = 3_000_000
#: Seconds that Mt-KaHyPar takes a pin, measured at 13 to 17 microseconds on an idle core, doubled.
SECONDS_A_PIN = 35e-6
#: More cores than this are not refined by moves and swaps of single cores.
MOST_REFINED = 6000


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What is to be divided: cores, messages, kept groups (the cores of each), the room of each chip, pinned cores.

    capacity : (chips,) cores. fixed : (cores,) chip or -1. together : (groups, groups, weight) messages that two groups
    exchange elsewhere, saved where they share a chip.
    """

    hyper: Hyper
    groups: tuple[Ints, ...]
    capacity: Ints
    fixed: Ints
    together: tuple[tuple[int, int, int], ...] = ()

    @property
    def chips(self) -> int:
        return len(self.capacity)


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """A chip for every core; `torn` chips more than the kept groups need, `cut` messages between chips."""

    chip: Ints
    torn: int
    cut: int
    name: str


def filled(task: Task) -> Division:
    """Cores in order, one chip after another: no search. Pinned cores are where they belong."""
    none = np.zeros(0, np.int64)
    nothing = Hyper(task.hyper.cores, none, none, none, np.zeros(1, np.int64), none, none)
    return _judged(task, task.hyper, _runs(task, nothing, np.arange(task.hyper.cores)), "filling order")


def divide(
    task: Task, seed: int, deadline: float | None = None, *, thorough: bool = False
) -> tuple[Division, tuple[str, ...]]:
    """The best division found, and notes. Needs ``sum(capacity) >= cores`` and room for what is pinned.

    thorough : search for fewer messages for minutes where the system is large.
    """
    if task.chips == 1:
        return Division(np.zeros(task.hyper.cores, np.int64), 0, 0, "one chip"), ()
    full = _with_affinity(task)
    notes: list[str] = []
    weighted, everything = _weighted(task, full), np.arange(full.cores)
    best = _judged(task, full, _runs(task, weighted, everything), "runs")
    floor = full.floor(int(task.capacity.max()))

    def settled() -> bool:
        return best.torn == 0 and best.cut <= floor

    def attempt(name: str, seconds: float, make: Callable[[], Ints]) -> None:
        nonlocal best
        if settled():
            return
        if deadline is not None and time.monotonic() + seconds > deadline:
            notes.append(f"chips were cut without {name!r}: no time was left for it")
            return
        found = _judged(task, full, make(), name)
        if (found.torn, found.cut) < (best.torn, best.cut):
            best = found

    attempt("runs with receivers", 1e-6 * full.pin_count, lambda: _runs(task, weighted, receivers(task.hyper)))
    attempt("runs of listeners", 1e-6 * full.pin_count, lambda: _runs(task, weighted, listeners(task.hyper)))
    near = full.chain()
    if len(near[0]) and int((near[1] - near[0]).max()) > int(task.capacity.max()):  # else the order is one of layers
        attempt("runs of layers", 1e-5 * full.pin_count, lambda: _runs(task, weighted, layers(weighted)))
    if task.groups:
        waste = int(task.capacity.sum()) - task.hyper.cores
        attempt("groups first", 0.0, lambda: _groups_first(task, 2**62))
        attempt("groups first", 0.0, lambda: _groups_first(task, waste))
    if settled():
        return best, tuple(notes)
    if not hypergraph.library():
        notes.append(hypergraph.NO_LIBRARY)
    elif full.pin_count > TOO_MANY_PINS:
        notes.append(f"the hypergraph of {full.pin_count} pins was left alone: more than {TOO_MANY_PINS} take minutes")
    else:
        pins, before = full.pin_count, best.cut

        quick = pins > FEW_PINS and not thorough

        def loose() -> bool:
            return 4 * best.cut < 3 * before

        def improve() -> None:
            for _ in range(CYCLES):
                last = best
                attempt("improved", 0.2 * SECONDS_A_PIN * pins, partial(_hypergraph, task, weighted, seed, last.chip))
                if best is last or 100 * (last.cut - best.cut) < last.cut or (quick and loose()):
                    break

        improve()
        if pins <= FEW_PINS or (pins <= MOST_PINS and (thorough or loose())):
            order = best
            attempt("hypergraph", SECONDS_A_PIN * pins, lambda: _hypergraph(task, weighted, seed, quick=quick))
            if (best is order) == quick:  # the V-cycles that were not waited for, or those of a better beginning
                improve()
        else:
            notes.append(f"the hypergraph of {pins} pins was only improved from the best runs, not cut from nothing")
    if full.cores <= MOST_REFINED:
        attempt("refined", 1e-3 * full.cores, lambda: refine(weighted, best.chip, task.capacity, task.fixed))
    return best, tuple(notes)


def _with_affinity(task: Task) -> Hyper:
    """The messages, with those that pairs of groups exchange elsewhere between their first cores."""
    hyper = task.hyper
    if not task.together:
        return hyper
    first = np.array([group[0] for group in task.groups], np.int64)
    a, b, weight = np.array(task.together, np.int64).T
    u, v, weight = (np.concatenate(both) for both in ((hyper.u, first[a]), (hyper.v, first[b]), (hyper.weight, weight)))
    return make_hyper(hyper.cores, u, v, weight, hyper.edge, hyper.pins, hyper.wide)


def _weighted(task: Task, full: Hyper) -> Hyper:
    """One sum for both parts of the comparison: an edge over each kept group that outweighs all messages together."""
    if not task.groups:
        return full
    heavy = 1 + int(full.weight.sum()) + int((full.wide * (np.diff(full.indptr) - 1)).sum())
    shift = max(0, (heavy * (1 + sum(map(len, task.groups)))).bit_length() - 61)
    kept = np.repeat(np.arange(len(task.groups)) + len(full.wide), [len(group) for group in task.groups])
    edge, pins = np.concatenate((full.edge, kept)), np.concatenate((full.pins, *task.groups))
    wide = np.concatenate((full.wide >> shift, np.full(len(task.groups), (heavy >> shift) + 1, np.int64)))
    return make_hyper(full.cores, full.u, full.v, full.weight >> shift, edge, pins, wide)


def _judged(task: Task, full: Hyper, chip: Ints, name: str) -> Division:
    most = int(task.capacity.max())
    torn = sum(len(np.unique(chip[group])) - -(-len(group) // most) for group in task.groups)
    return Division(chip, torn, full.cut(chip), name)


def _room(task: Task) -> Ints:
    """Cores that each chip has left beside what is pinned to it."""
    pinned = task.fixed[task.fixed >= 0]
    return task.capacity - np.bincount(pinned, minlength=task.chips).astype(np.int64)


def _runs(task: Task, hyper: Hyper, order: Ints) -> Ints:
    return best_runs(hyper, order[task.fixed[order] < 0], _room(task), task.fixed)


def _blocks(task: Task) -> Ints:
    """(cores,) the number of the group that each core belongs to, -1 of single cores and of groups larger than a chip."""
    block = np.full(task.hyper.cores, -1, np.int64)
    most = int(task.capacity.max())
    for index, group in enumerate(task.groups):
        own = group[(block[group] < 0) & (task.fixed[group] < 0)]
        if len(group) <= most:
            block[own] = index
    return block


def _groups_first(task: Task, waste: int) -> Ints:
    """Cores in order; a whole group may leave cores empty, `waste` in all, to start on a new chip."""
    block, left = _blocks(task), _room(task).tolist()
    chip: Ints = task.fixed.copy()
    members: dict[int, list[int]] = {}
    for core in np.flatnonzero(task.fixed < 0).tolist():
        members.setdefault(int(block[core]) if block[core] >= 0 else -1 - core, []).append(core)
    now, last = 0, task.chips - 1
    rests: list[int] = []
    for name, cores in members.items():
        while now < last and not left[now]:
            now += 1
        fresh = now + 1
        if name >= 0 and len(cores) > left[now] and fresh <= last and len(cores) <= left[fresh] and left[now] <= waste:
            waste -= left[now]
            rests.append(now)
            now = fresh
        for core in cores:
            while rests and not left[rests[0]]:
                rests.pop(0)
            target = rests[0] if rests and name < 0 else now
            while not left[target]:
                now = target = next((k for k in range(now, task.chips) if left[k]), -1)
                if target < 0:
                    now = last
                    target = next(k for k in range(task.chips) if left[k])
            chip[core] = target
            left[target] -= 1
    return chip


def _hypergraph(task: Task, hyper: Hyper, seed: int, start: Ints | None = None, quick: bool = False) -> Ints:
    """Mt-KaHyPar's division of whole groups and single cores, or its V-cycle from `start`; overflow moves on."""
    block = _blocks(task)
    if start is not None:  # torn groups are no vertices
        for index in range(len(task.groups)):
            own = np.flatnonzero(block == index)
            if len(np.unique(start[own])) > 1:
                block[own] = -1
    _, number = np.unique(np.where(block >= 0, block, len(task.groups) + np.arange(hyper.cores)), return_inverse=True)
    number = number.astype(np.int64)
    count = int(number.max()) + 1
    fixed = None
    if (task.fixed >= 0).any():
        fixed = np.full(count, -1, np.int64)
        fixed[number] = task.fixed
    begin = None
    if start is not None:
        begin = np.empty(count, np.int64)
        begin[number] = start
    sizes = np.bincount(number, minlength=count).astype(np.int64)
    part = hypergraph.partition(hyper.renumbered(number, count), sizes, task.capacity, fixed, seed, begin, quick)
    return repair(hyper, part[number], task.capacity, task.fixed)
