"""Moves and swaps of single cores between chips: to repair a division that overflows, to refine one that does not."""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from partitioner.chips.hypergraph import Hyper

#: Passes over all cores, at most.
PASSES = 4
#: Cores of a chip that are tried as the partner of a swap.
PARTNERS = 24


def repair(hyper: Hyper, chip: Ints, capacity: Ints, fixed: Ints) -> Ints:
    """Move cores out of chips that hold too many, each time the move that costs least. Needs room for all."""
    held = np.bincount(chip, minlength=len(capacity))
    if (held <= capacity).all():
        return chip
    state = _State(hyper, chip, capacity)
    for over in np.flatnonzero(held > capacity).tolist():
        movable = [core for core in np.flatnonzero(chip == over).tolist() if fixed[core] < 0]
        while state.left[over] < 0:
            room = [k for k in range(len(capacity)) if state.left[k] > 0]
            moves = []
            for core in movable:
                near = state.towards(core)
                targets = [k for k in near if k != over and state.left[k] > 0] or room[:1]
                moves.append(max((near.get(k, 0) - near.get(over, 0), -core, -k) for k in targets))
            _, core, target = max(moves)
            movable.remove(-core)
            state.move(-core, -target)
    return state.chip


def refine(hyper: Hyper, chip: Ints, capacity: Ints, fixed: Ints) -> Ints:
    """Move a core, or swap two, wherever that cuts less, until a pass finds nothing."""
    state = _State(hyper, chip, capacity)
    members: list[set[int]] = [set(np.flatnonzero((chip == k) & (fixed < 0)).tolist()) for k in range(len(capacity))]
    free = np.flatnonzero(fixed < 0).tolist()
    for _ in range(PASSES):
        changed = False
        for core in free:
            own = int(state.chip[core])
            near = state.towards(core)
            stay = near.pop(own, 0)
            gains = sorted(((weight - stay, -k) for k, weight in near.items() if weight > stay), reverse=True)
            for gain, target in gains[:2]:
                other = -1 if state.left[-target] > 0 else state.partner(core, -target, gain, members[-target])
                if state.left[-target] <= 0 and other < 0:
                    continue
                for who, where in ((core, -target), (other, own)):
                    if who >= 0:
                        members[int(state.chip[who])].discard(who)
                        state.move(who, where)
                        members[where].add(who)
                changed = True
                break
        if not changed:
            break
    return state.chip


class _State:
    """A division, what each chip has left, and for every wide edge how many of its pins each chip has."""

    def __init__(self, hyper: Hyper, chip: Ints, capacity: Ints) -> None:
        self.chip: Ints = chip.copy()
        self.left = (capacity - np.bincount(chip, minlength=len(capacity))).tolist()
        ends, others = np.concatenate((hyper.u, hyper.v)), np.concatenate((hyper.v, hyper.u))
        by = np.argsort(ends, kind="stable")
        self.others, self.weights = others[by].tolist(), np.concatenate((hyper.weight, hyper.weight))[by].tolist()
        self.begin = np.searchsorted(ends[by], np.arange(hyper.cores + 1)).tolist()
        by = np.argsort(hyper.pins, kind="stable")
        self.edges = hyper.edge[by].tolist()
        self.edge_begin = np.searchsorted(hyper.pins[by], np.arange(hyper.cores + 1)).tolist()
        self.wide = hyper.wide.tolist()
        self.count: list[dict[int, int]] = [{} for _ in self.wide]
        for k, part in zip(hyper.edge.tolist(), chip[hyper.pins].tolist(), strict=True):
            self.count[k][part] = self.count[k].get(part, 0) + 1

    def towards(self, core: int) -> dict[int, int]:
        """By chip: the weight of what would not be cut for this core's sake if it were there."""
        found: dict[int, int] = {}
        for at in range(self.begin[core], self.begin[core + 1]):
            part = int(self.chip[self.others[at]])
            found[part] = found.get(part, 0) + self.weights[at]
        own = int(self.chip[core])
        for at in range(self.edge_begin[core], self.edge_begin[core + 1]):
            edge = self.edges[at]
            for part, pins in self.count[edge].items():
                if part != own or pins > 1:
                    found[part] = found.get(part, 0) + self.wide[edge]
        return found

    def partner(self, core: int, target: int, gain: int, members: set[int]) -> int:
        """The core of `target` that is worth most in place of `core`; -1 where none makes the swap a gain."""
        own, between = int(self.chip[core]), {}
        for at in range(self.begin[core], self.begin[core + 1]):
            between[self.others[at]] = self.weights[at]
        best, found, edges = 0, -1, set(self.edges[self.edge_begin[core] : self.edge_begin[core + 1]])
        for other in sorted(members)[:PARTNERS]:
            near = self.towards(other)
            worth = gain + near.get(own, 0) - near.get(target, 0) - 2 * between.get(other, 0)
            # Edges that both touch change less than counted here; such a swap is judged when it is done.
            if worth > best and not edges & set(self.edges[self.edge_begin[other] : self.edge_begin[other + 1]]):
                best, found = worth, other
        return found

    def move(self, core: int, target: int) -> None:
        own = int(self.chip[core])
        for at in range(self.edge_begin[core], self.edge_begin[core + 1]):
            count = self.count[self.edges[at]]
            count[own] -= 1
            if not count[own]:
                del count[own]
            count[target] = count.get(target, 0) + 1
        self.left[own] += 1
        self.left[target] -= 1
        self.chip[core] = target
