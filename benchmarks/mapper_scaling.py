"""Time, memory and quality of the mapper's tail (pack, chips, place) on synthetic tiles of growing number.

    python benchmarks/mapper_scaling.py [--sizes 1000 10000 100000] [--kinds host chain small] [--json FILE]

Each case runs in a process of its own with one thread. Columns: tiles, cores and their lower bound, chips of 120 cores,
messages between chips beside those of filling order, wall and processor seconds of `finish`, peak resident memory of the
process, interpreter and inputs included.

    host    layers of 16 tiles in two column blocks; the host sends to all tiles of a block, partial sums go to a reducer
    chain   layers of 16 tiles, each sends to all 16 of the next layer
    small   like host, every tenth tile asks for a random part of a core, so that tiles share cores
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from neurodeploy.flow.nets import Nets
from neurodeploy.flow.routes import HOST
from neurodeploy.ir.fixedpoint import Ints
from partitioner.cost.budget import Demand, core_limits
from partitioner.cut.stamp import Tile
from partitioner.options import Options
from partitioner.stages import finish
from targets.systems import get_system
from tests.nets import make_nets

WIDTH = 16
SYSTEM = get_system("hala-point")
FULL: Demand = (100, 125_000, 1200, 100, 20_000)


class Case(NamedTuple):
    tiles: list[Tile]
    nets_of: Callable[[Ints], Nets]


def layered(count: int, demands: list[Demand], kinds: list[str]) -> list[Tile]:
    found = []
    for index in range(count):
        layer, place = divmod(index, WIDTH)
        rows = (100 * (place // 2), 100 * (place // 2) + 100)
        found.append(Tile(f"layers.{layer}", kinds[index], rows, (0, 1200), f"layers.{layer}", demands[index]))
    return found


def host(count: int, demands: list[Demand] | None = None) -> Case:
    """Tiles 0 to 14 of a layer in two column blocks, tile 15 adds their partial sums and answers the host."""
    index = np.arange(count)
    place = index % WIDTH
    last = np.minimum(index - place + WIDTH - 1, count - 1)
    works, adds = np.flatnonzero(index != last), np.unique(last)
    kinds = np.where(index == last, "reducer", "synapses").tolist()

    def nets_of(core: Ints) -> Nets:
        outside = np.full(len(works), HOST)
        source = np.concatenate((outside, core[works], core[adds]))
        target = np.concatenate((core[works], core[last[works]], np.full(len(adds), HOST)))
        block = 2 * (works // WIDTH) + place[works] % 2
        axon = np.concatenate((block, 2 * count + works, 2 * count + adds))
        weight = np.concatenate((np.full(len(works), 1200), np.full(len(works), 100), np.full(len(adds), 800)))
        return make_nets(int(core.max()) + 1, source, target, axon, weight)

    return Case(layered(count, demands or [FULL] * count, kinds), nets_of)


def chain(count: int) -> Case:
    """Every tile sends its 100 neurons to each tile of the next layer."""
    source = np.repeat(np.arange(count - WIDTH), WIDTH)
    target = (source // WIDTH + 1) * WIDTH + np.tile(np.arange(WIDTH), count - WIDTH)
    kept = target < count
    source, target = source[kept], target[kept]
    first = np.arange(WIDTH)

    def nets_of(core: Ints) -> Nets:
        ends = np.concatenate((np.full(WIDTH, HOST), core[source]))
        others = np.concatenate((core[first], core[target]))
        axon = np.concatenate((np.full(WIDTH, count), source))
        weight = np.concatenate((np.full(WIDTH, 1200), np.full(len(source), 100)))
        return make_nets(int(core.max()) + 1, ends, others, axon, weight)

    return Case(layered(count, [FULL] * count, ["synapses"] * count), nets_of)


def small(count: int) -> Case:
    draw = np.random.default_rng(0)
    part = np.where(np.arange(count) % 10 == 0, draw.integers(3, 90, count), 95)
    demands = [(int(p), int(1300 * p), int(30 * p), int(p), int(300 * p)) for p in part]
    return host(count, demands)


CASES: dict[str, Callable[[int], Case]] = {"host": host, "chain": chain, "small": small}


def measure(kind: str, size: int) -> dict[str, Any]:
    case = CASES[kind](size)
    limits = core_limits(SYSTEM.chip)
    wall, cpu = time.perf_counter(), time.process_time()
    places = finish(case.tiles, case.nets_of, limits, SYSTEM, SYSTEM.chips, Options())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    simple = finish(case.tiles, case.nets_of, limits, SYSTEM, SYSTEM.chips, Options(place=False))
    return {
        "kind": kind,
        "tiles": len(case.tiles),
        "cores": places.cores,
        "bound": places.bound,
        "chips": places.chips,
        "cut": places.cut,
        "filling_cut": simple.cut,
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "peak_mib": round(peak),
        "won": [places.strategy, places.division],
        "notes": list(places.notes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 10_000, 100_000])
    parser.add_argument("--kinds", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one[0], int(chosen.one[1]))))
        return
    rows = []
    single = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    print(
        f"{'kind':7}{'tiles':>8}{'cores':>8}{'bound':>8}{'chips':>6}{'cut':>12}{'filling':>12}"
        f"{'wall s':>8}{'cpu s':>8}{'MiB':>6}"
    )
    for kind in chosen.kinds:
        for size in chosen.sizes:
            command = [sys.executable, __file__, "--one", kind, str(size)]
            done = subprocess.run(command, env={**os.environ, **single}, capture_output=True, text=True, check=True)
            row = json.loads(done.stdout)
            rows.append(row)
            print(
                f"{kind:7}{row['tiles']:8}{row['cores']:8}{row['bound']:8}{row['chips']:6}{row['cut']:12}"
                f"{row['filling_cut']:12}{row['wall_s']:8}{row['cpu_s']:8}{row['peak_mib']:6}",
                *row["notes"],
                flush=True,
            )
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
