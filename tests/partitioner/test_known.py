"""What the mapper keeps of earlier cuts changes none, and what cannot fit is said without a search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import DoesNotFit
from neurodeploy.flow.words import Range
from neurodeploy.ir.program import Program
from partitioner.cost.budget import Demand, most_rows
from partitioner.cut.known import KnownCuts
from partitioner.cut.pour import OPEN, Pour
from partitioner.job import Job
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.order import search
from partitioner.order.plan import deliveries, make_plan
from tests.networks.random_networks import random_network
from tests.partitioner import make
from tests.partitioner.make import shrunken


@pytest.mark.parametrize("seed", range(24))
def test_cuts_are_the_same_with_what_is_known(seed: int) -> None:
    """Plans of one job, the columns of one population after another cut into more blocks: tile by tile as without."""
    system, known = shrunken(seed), KnownCuts()
    job = Job(Program.of(random_network(seed)[0]), system, Options(), system.chips)
    for name in [None, *list(job.rules)[:4], None]:
        rules = job.rules if name is None else job.rules | {name: replace(job.rules[name], blocks=2)}
        try:
            wanted = make_plan(job, {}, rules)
        except DoesNotFit as error:
            with pytest.raises(DoesNotFit, match=error.code):
                make_plan(job, {}, rules, known=known)
            continue
        found = make_plan(job, {}, rules, known=known)
        assert found.tiles == wanted.tiles and found.apart == wanted.apart and found.stopped == wanted.stopped
        assert deliveries(job, found, known) == deliveries(job, wanted)


def as_said(pieces: list[tuple[int, int, int]], limits: tuple[int, int]) -> list[list[Range]]:
    """`pour` in words: whole into the first open core with room, else as much as goes into the one that takes most."""
    free: list[list[int]] = []
    found = []
    for rows, each, least in pieces:
        ranges, start = [], 0
        while start < rows:
            left, fits = rows - start, [min(room[0], room[1] // each, rows - start) for room in free]
            whole = [index for index, n in enumerate(fits) if n == left]
            part = [(n, -index) for index, n in enumerate(fits) if n >= least and left - n >= least and n]
            if whole:
                at, taken = whole[0], left
            elif part:
                taken, at = max(part)[0], -max(part)[1]
            else:
                free.append(list(limits))
                free = free[-OPEN:]
                at, taken = len(free) - 1, min(limits[0], limits[1] // each, left)
            free[at] = [free[at][0] - taken, free[at][1] - taken * each]
            ranges.append((start, start + taken))
            start += taken
        found.append(ranges)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_pour_is_what_it_says(seed: int) -> None:
    """Pieces of so many rows of so many bytes; `most_rows` finds the same as a division."""
    rng = np.random.default_rng(seed)
    limits = (64, 1000)
    pieces = [(int(rng.integers(1, 120)), int(rng.integers(1, 60)), int(rng.integers(1, 9))) for _ in range(60)]
    pour, found = Pour((*limits, None, None, None)), []
    for rows, each, least in pieces:

        def demand(n: int, each: int = each) -> Demand:
            return n, n * each, 0, 0, 0

        assert most_rows(demand, rows, (*limits, None, None, None)) == min(rows, limits[0], limits[1] // each)
        found.append(pour.cut((0, rows), demand, least))
    assert found == as_said(pieces, limits)


def test_what_cannot_fit_is_not_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound says so; the error names what the first plan takes, in the words of all such errors."""

    def never(*_: object) -> None:
        raise AssertionError("searched")

    program = make.llama(6)
    monkeypatch.setattr(search, "_Search", never)
    with pytest.raises(
        DoesNotFit, match=r"ND2001 .*needs \d+ chips \(\d+ cores\) at 8-bit weights, testboard offers 2 \(240 cores\)"
    ):
        map_model(program, make.system(make.chip(), 2))
    with pytest.raises(AssertionError, match="searched"):
        map_model(program, make.system(make.chip(), 100))
    assert map_model(program, make.system(make.chip(), 100), Options(search=False)).cores_used > 240
