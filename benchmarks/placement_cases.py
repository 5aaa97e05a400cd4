"""The placer against known optima, planted solutions, published rivals, null models and bounds.

    python benchmarks/placement_cases.py [--only nug30 mesh cnn64 dnn16 layers chips] [--seeds N] [--json FILE]

* nug30: QAPLIB's 30 facilities on a 5 x 6 grid, optimum 6124; bound: Gilmore-Lawler.
* mesh: 32 x 32 nodes in hidden order, none, 2 or 10 of 100 links missing; where they were each link costs one hop.
* cnn64, dnn16: energy of CNN_64 and DNN_16 of Jin et al. (ASPLOS 2023), in the order given and with the order of cores
  hidden by a permutation. Rivals are figures of their code (Hilbert curve and force-directed swaps), run by us.
* layers: 10 000 cores in layers of 16, each net feeding the whole next layer, order hidden, on 64 chips of an 8 x 8 grid:
  the order of levels is recovered, `partitioner.chips.divide` cuts it (km1), the chips are placed; HPWL: half
  perimeters of nets.
* chips: how long one call takes: a chip of 120 cores, 1024 and 4096 cores, 1152 chips on 36 x 32.

Processor time of the process, without compiling. METIS-RB stands beside where pymetis is installed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.placement_bounds import gilmore_lawler, ring_bound, spectral_bound  # noqa: E402
from partitioner.chips.divide import Task, divide  # noqa: E402
from partitioner.chips.hypergraph import make_hyper  # noqa: E402
from partitioner.place.bisection import metis_bisection  # noqa: E402
from partitioner.place.links import placed_loads, relieve  # noqa: E402
from partitioner.place.portfolio import Placed, place_cores  # noqa: E402
from partitioner.place.problem import Problem  # noqa: E402
from partitioner.place.randomness import hashes, shuffled  # noqa: E402
from partitioner.place.starts import levels  # noqa: E402
from tests.placement.instances import NUGENT, UNIT, Case, energy, grid, mesh, nugent, planted, problem_of  # noqa: E402

Row = dict[str, Any]
NULLS = ("row-major", "column-major", "snake", "hilbert", "random")
#: Figures of the code of Jin et al. on these nets (Hilbert; Hilbert and force-directed, default; its best variant).
RIVALS = {"cnn64": (88_217, 52_933, 44_176), "dnn16": (10_541, 9_082, 9_082)}


def timed(case: Case, **options: Any) -> tuple[Placed, float]:
    """A placement and its processor time."""
    begin = time.process_time()
    placed = place_cores(problem_of(case), **options)
    return placed, time.process_time() - begin


def nulls(case: Case, placed: Placed) -> dict[str, int]:
    """The costs of the null models; METIS-RB where it is installed."""
    found = {name: dict(placed.nulls)[name] for name in NULLS}
    problem = problem_of(case)
    site = metis_bisection(problem)
    if site is not None:
        found["METIS-RB"] = problem.cost(site)
    return found


def nug30(seeds: int) -> list[Row]:
    case, rows = nugent("nug30"), []
    problem = problem_of(case)
    optimum, bound = NUGENT["nug30"][1], gilmore_lawler(problem)
    for seed in range(seeds):
        placed, seconds = timed(case, seed=seed)
        rows.append({
            "case": "nug30", "seed": seed, "cost": placed.cost, "over optimum": placed.cost / optimum, "start": placed.start,
            "seconds": seconds, "bound (Gilmore-Lawler)": bound, "nulls": nulls(case, placed),
        })  # fmt: skip
    return rows


def meshes(seeds: int) -> list[Row]:
    rows = []
    for missing in (0, 2, 10):
        case = mesh(32, 32, 1, missing)
        for seed in range(seeds):
            placed, seconds = timed(case, seed=seed)
            rows.append({
                "case": "mesh", "missing": missing, "seed": seed, "over planted": placed.cost / len(case[0][2]),
                "start": placed.start, "annealings": len(placed.log), "seconds": seconds, "nulls": nulls(case, placed),
            })  # fmt: skip
    return rows


def network(name: str, size: int, fan: int | None, seeds: int) -> list[Row]:
    rows = []
    for hidden in (None, 1):
        case, weight = planted(size, fan, hidden)
        problem = problem_of(case)
        bound = max(ring_bound(problem), spectral_bound(problem) if case[2] <= 256 else 0)
        for seed in range(seeds):
            placed, seconds = timed(case, seed=seed)
            loads = placed_loads(problem, placed.site, case[0][2])
            relieved = placed_loads(problem, relieve(problem, placed.site, case[0][2]), case[0][2])
            value = energy(placed.cost, weight)
            rows.append({
                "case": name, "order": "given" if hidden is None else "hidden", "seed": seed, "energy": value,
                "start": placed.start, "seconds": seconds, "bound (rings)": energy(bound, weight),
                "bound (1 hop)": energy(int(problem.weight.sum()) // 2, weight),
                "nulls": {k: energy(v, weight) for k, v in nulls(case, placed).items()},
                "rivals": {f"best rival / ours ({RIVALS[name][2]})": RIVALS[name][2] / value},
                "links": {
                    "max": loads.most / UNIT, "p99": int(np.quantile(loads.flat(), 0.99, method="inverted_cdf")) / UNIT,
                    "max after relief": relieved.most / UNIT, "bound": loads.cut / UNIT,
                },
            })  # fmt: skip
    return rows


def layers(seeds: int, count: int = 10_000, width: int = 16, chips: int = 64, capacity: int = 160) -> list[Row]:
    """Each of 16 cores a layer sends one net of weight 1 to 20 to the whole next layer; the order is hidden."""
    source = np.arange(count - width)
    pins = (source // width + 1)[:, None] * width + np.arange(width)
    weight = (hashes(len(source), 1) % np.uint64(20)).astype(np.int64) + 1
    hide, none = shuffled(count, 7), np.zeros(0, np.int64)
    edge = np.repeat(np.arange(len(source)), width + 1)
    hyper = make_hyper(count, none, none, none, edge, hide[np.concatenate((source[:, None], pins), 1).ravel()], weight)
    naive = np.empty(count, np.int64)
    naive[hide] = np.arange(count) * chips // count
    least = _aligned(np.add.reduceat(weight, np.arange(0, len(weight), width)), chips, capacity // width)
    rows = []
    for seed in range(seeds):
        begin = time.process_time()
        task = Task(hyper, (), np.full(chips, capacity, np.int64), np.full(count, -1, np.int64))
        plain, _ = divide(task, seed)
        order = np.argsort(levels(_graph(hide[source], hide[pins], count)), kind="stable")
        number = np.empty(count, np.int64)
        number[order] = np.arange(count)
        task = Task(hyper.renumbered(number, count), (), task.capacity, task.fixed)
        division, notes = divide(task, seed)
        chip = division.chip[number]
        cut_seconds = time.process_time() - begin
        begin = time.process_time()
        origin, indptr, pin, value = nets = _chip_nets(source, pins, weight, chip[hide], chips)
        fan = np.diff(indptr)
        pairs = (np.repeat(origin, fan), pin, np.repeat(value, fan))
        placed = place_cores(problem_of((pairs, grid(8, 8), chips)), seed=seed)
        perimeters = half_perimeter(*nets, grid(8, 8)[placed.site])
        rows.append({
            "case": "layers", "seed": seed, "km1": division.cut, "cut by": division.name,
            "km1 without the order of levels": plain.cut, "HPWL": perimeters,
            "HPWL / km1": perimeters / division.cut, "km1 / best cut between layers": division.cut / least,
            "start": placed.start, "seconds": time.process_time() - begin, "seconds of the cut": cut_seconds,
            "nulls": {
                "equal chunks of the true order, row-major": _row_major(source, pins, weight, naive[hide], chips),
                "same cut, row-major": _row_major(source, pins, weight, chip[hide], chips),
                "equal chunks, km1": hyper.cut(naive),
            },
            "notes": notes,
        })  # fmt: skip
    return rows


def _graph(source: Any, pins: Any, count: int) -> Problem:
    """The pairs of the nets as a problem, for their levels."""
    pairs = (np.repeat(source, pins.shape[1]), pins.ravel(), np.ones(pins.size, np.int64))
    return problem_of((pairs, grid(count, 1), count))


def _aligned(layer: Any, chips: int, most: int) -> int:
    """The least km1 of a division into runs of at most `most` whole layers; `layer` (layers - 1,) weights sent onwards."""
    total = len(layer) + 1
    best = np.full((chips + 1, total + 1), 2**60, np.int64)
    best[0, 0] = 0
    cut = np.concatenate((layer, [0]))
    for chip in range(chips):
        for length in range(1, most + 1):
            best[chip + 1, length:] = np.minimum(best[chip + 1, length:], best[chip, :-length] + cut[length - 1 :])
    return int(best[chips, total])


def _chip_nets(source: Any, pins: Any, weight: Any, chip: Any, chips: int) -> tuple[Any, Any, Any, Any]:
    """Nets between chips: the chip of each source and the other chips that it reaches."""
    key = np.unique(np.arange(len(source))[:, None] * chips + chip[pins])
    net, pin = np.divmod(key, chips)
    outside = pin != chip[source[net]]
    used, number = np.unique(net[outside], return_inverse=True)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(number, minlength=len(used)))))
    return chip[source[used]], indptr, pin[outside], weight[used]


def half_perimeter(origin: Any, indptr: Any, pin: Any, value: Any, where: Any) -> int:
    """The boxes around all nets: ``sum of value * (width + height)``; `where` (chips, 2)."""
    points = where[np.insert(pin, indptr[:-1], origin)]
    starts = (indptr + np.arange(len(indptr)))[:-1]
    spread = np.maximum.reduceat(points, starts) - np.minimum.reduceat(points, starts)
    return int((value * spread.sum(1)).sum())


def _row_major(source: Any, pins: Any, weight: Any, chip: Any, chips: int) -> int:
    return half_perimeter(*_chip_nets(source, pins, weight, chip, chips), grid(8, 8))


def speed(seeds: int) -> list[Row]:
    rows = []
    for name, count, sites in (
        ("16 cores of a chip", 16, grid(8, 4, 4)), ("120 cores of a chip", 120, grid(8, 4, 4)),
        ("1024 cores", 1024, grid(32, 32)), ("4096 cores", 4096, grid(64, 64)), ("1152 chips", 1152, grid(36, 32)),
    ):  # fmt: skip
        source = np.repeat(np.arange(count), 8)
        away = (hashes(len(source), 3) % np.uint64(24)).astype(np.int64) - 8
        pairs = (
            source,
            np.clip(source + away, 0, count - 1),
            (hashes(len(source), 4) % np.uint64(50)).astype(np.int64),
        )
        timed((pairs, sites, count), moves=1000)
        for seed in range(seeds):
            wall = time.perf_counter()
            placed, seconds = timed((pairs, sites, count), seed=seed)
            wall = time.perf_counter() - wall
            rows.append({"case": name, "seed": seed, "cost": placed.cost, "start": placed.start, "seconds": seconds,
            "wall": wall,
                         "nulls": {k: v for k, v in placed.nulls if k in NULLS}})  # fmt: skip
    return rows


def show(row: Row) -> None:
    words = [f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items() if not isinstance(v, dict)]
    print("  ".join(words))
    for key, table in row.items():
        if isinstance(table, dict):
            print(f"    {key}: " + ", ".join(f"{name} {value:.5g}" for name, value in table.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=["nug30", "mesh", "cnn64", "dnn16", "layers", "chips"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    timed(planted(5, None)[0])  # compiles
    cases = {
        "nug30": lambda: nug30(asked.seeds),
        "mesh": lambda: meshes(asked.seeds),
        "cnn64": lambda: network("cnn64", 64, 4, asked.seeds),
        "dnn16": lambda: network("dnn16", 16, None, asked.seeds),
        "layers": lambda: layers(asked.seeds),
        "chips": lambda: speed(asked.seeds),
    }
    rows: list[Row] = []
    for name in asked.only:
        found = cases[name]()
        for row in found:
            show(row)
        rows += found
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1, default=str) + "\n")


if __name__ == "__main__":
    main()
