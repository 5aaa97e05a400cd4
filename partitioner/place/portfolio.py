"""`place_cores`: try every start, anneal the best, keep the best of all."""

from __future__ import annotations

from dataclasses import dataclass

from neurodeploy.ir.fixedpoint import Ints
from partitioner.place.problem import Problem
from partitioner.place.randomness import late, shuffled
from partitioner.place.small import SMALL, Tables, default_steps, small_starts

#: Stands for the start by METIS among the ranks of `PLANS`.
BISECTION = -1

#: (most items, exchanges proposed an item, annealings). An annealing: which start (0 the best, `BISECTION`), first
#: temperature as a fraction of the mean cost change of a random exchange, share of the moves in sixteenths. Few items get
#: many short, hot searches, many items few long ones. METIS pays where the network is large and irregular: annealed with
#: 2500 exchanges an item it led to 19.0 k against 21.9 k on CNN_64 with order and directions hidden, and lost by 3 % on
#: DNN_16 (256 items).
PLANS = (
    (64, 32_000, tuple((number % 4, (1, 4), 2) for number in range(8))),
    (512, 4500, ((0, (1, 8), 5), (1, (1, 12), 5), (0, (1, 30), 4), (2, (1, 15), 2))),
    (2**62, 6000, ((BISECTION, (1, 8), 7), (BISECTION, (1, 30), 4), (0, (1, 8), 5))),
)

#: No more exchanges than this by default before it is asked whether more would pay, however many items.
MOST_MOVES = 48_000_000

#: A large problem is then annealed on from the best placement, with these first temperatures in turn and `SHARE`
#: sixteenths of the moves each, until none of them lowers the cost by a part of `WORTH`.
AGAIN, SHARE, WORTH = ((1, 30), (1, 100)), 4, 100

#: A placement: its cost, the start that it began from, the site of each item.
Ranked = tuple[int, str, Ints]


@dataclass(frozen=True, slots=True)
class Trial:
    """One search: the start it began from, the cost before and after, the exchanges proposed."""

    start: str
    before: int
    after: int
    moves: int


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The site of every item (an index into `sites`), the cost, the start that led there, what was tried.

    nulls : the cost of each start as it was, by name: what a mapper without a search would have paid.
    complete : False where the deadline ended the search early; the result then depends on the clock.
    notes : what else decided: a library that is missing.
    """

    site: Ints
    cost: int
    start: str
    log: tuple[Trial, ...]
    nulls: tuple[tuple[str, int], ...] = ()
    complete: bool = True
    notes: tuple[str, ...] = ()


def place_cores(problem: Problem, *, seed: int = 0, moves: int | None = None, deadline: float | None = None) -> Placed:
    """Put n communicating items on the m >= n sites of a mesh so that ``sum weight * distance`` is small.

    seed : of every random choice. Equal arguments give equal results on every machine.
    moves : exchanges to propose before it is asked whether more would pay (`AGAIN`); by default as `PLANS` says. 0 keeps the
        best start.
    deadline : a value of `time.monotonic` at which the best placement so far is returned. At least one start is tried.

    The result is never worse than the best start. Problems of up to `small.SMALL` items are searched with NumPy alone.
    """
    result = (_place_few if problem.n <= SMALL else _place_many)(problem, seed, moves, deadline)
    problem.check(result.site)
    return result


def _place_few(problem: Problem, seed: int, moves: int | None, deadline: float | None) -> Placed:
    """Every start descends; a tabu search goes on from the best end."""
    if problem.n == 0:
        return Placed(shuffled(0, seed), 0, "nothing to place", ())
    tables = Tables(problem)
    starts = small_starts(problem, tables, shuffled(problem.n, seed))
    ranked = sorted(((problem.cost(site), name, site) for name, site in starts), key=lambda entry: entry[0])
    nulls = tuple((name, cost) for cost, name, _ in ranked)
    best = ranked[0]
    log: list[Trial] = []
    steps = default_steps(problem) if moves is None else min(default_steps(problem), moves)
    distinct = {cost: (name, site) for cost, name, site in reversed(ranked)}
    for cost in sorted(distinct) if moves != 0 else ():
        if late(deadline):
            return Placed(best[2], best[0], best[1], tuple(log), nulls, False)
        name, site = distinct[cost]
        after = tables.descend(site)
        log.append(Trial(name, cost, problem.cost(after), 0))
        if log[-1].after < best[0]:
            best = (log[-1].after, name, after)
    site, cost, complete = tables.tabu(best[2], best[0], steps, seed, deadline)
    log.append(Trial(best[1], best[0], cost, steps))
    return Placed(site, cost, best[1], tuple(log), nulls, complete)


def _place_many(problem: Problem, seed: int, moves: int | None, deadline: float | None) -> Placed:
    """The starts that differ in cost, best first, annealed as in `TRIALS`."""
    from partitioner.place.anneal import State, anneal, make_mesh
    from partitioner.place.bisection import NO_METIS, metis_bisection
    from partitioner.place.starts import MANY, all_starts

    distinct: dict[int, tuple[str, Ints]] = {}
    nulls, complete = [], True
    for name, site in all_starts(problem, seed):
        cost = problem.cost(site)
        nulls.append((name, cost))
        distinct.setdefault(cost, (name, site))
        if late(deadline):
            complete = False
            break
    ranked = sorted((cost, name, site) for cost, (name, site) in distinct.items())
    each, trials = next(plan[1:] for plan in PLANS if problem.n <= plan[0])
    notes: tuple[str, ...] = ()
    if complete and BISECTION in [trial[0] for trial in trials]:
        halves = metis_bisection(problem)
        if halves is None:
            notes = (NO_METIS,)
            ranked.append(ranked[min(2, len(ranked) - 1)])
        else:
            ranked.append((problem.cost(halves), "METIS-RB", halves))
            nulls.append(("METIS-RB", ranked[-1][0]))
    best = min(ranked, key=lambda entry: entry[0])
    log: list[Trial] = []
    mesh = make_mesh(problem)
    budget = min(each * problem.n, MOST_MOVES) if moves is None else moves

    def annealed(start: Ranked, number: int, heat: tuple[int, int], share: int) -> bool:
        """Whether there was time for all of it; the best of all is kept."""
        nonlocal best
        cost, name, site = start
        state, proposals = State(problem, mesh, site, number), budget * share // 16
        done = anneal(state, proposals, heat, deadline)
        if done:
            state.polish(1)
        log.append(Trial(name, cost, state.cost, proposals))
        best = min(best, (state.cost, name, state.place), key=lambda entry: entry[0])
        return done

    if budget and complete:  # something better than a start at once, should the deadline be near
        state = State(problem, mesh, best[2], seed)
        state.polish(1, rounds=1)
        log.append(Trial(best[1], best[0], state.cost, 0))
        best = (state.cost, best[1], state.place)
    for number, (rank, heat, share) in enumerate(trials):
        if budget and complete and rank < len(ranked):  # BISECTION is the last
            complete = annealed(ranked[rank], seed * len(trials) + number, heat, share)
    stale = 0 if problem.n > MANY and budget else len(AGAIN)
    while complete and stale < len(AGAIN):
        before, number = best[0], len(log)
        complete = annealed(best, seed + number, AGAIN[number % len(AGAIN)], SHARE)
        stale = stale + 1 if (before - best[0]) * WORTH < before else 0
    return Placed(best[2], best[0], best[1], tuple(log), tuple(nulls), complete, notes)
