"""Null models: the same packed cores, placed without looking at what they send (or, METIS, with a standard tool).

- *random*: cores at random places of the fewest chips that hold them, the mean of several seeds;
- *sequential*: chip after chip, router after router in row-major order, cores in the order in which they were packed;
- *snake* and *Hilbert*: the same order along these curves, over the grid of chips and on each mesh;
- *METIS-RB*: the places are halved again and again (chips first), and METIS cuts the cores to match, few messages over
  each cut (recursive bisection; Karypis & Kumar 1998).

A mapper that is worth its name beats the best of them. Compared is the transport energy: hops and chip-to-chip links at
the chip's own prices, the host's messages included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from neurodeploy.flow.links import Routed, route
from neurodeploy.flow.nets import Nets
from neurodeploy.flow.routes import HOST, nodes, routers
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from partitioner.bound.traffic import HopCost
from partitioner.judge.figures import Places, transport
from partitioner.place.bisection import metis_bisection
from partitioner.place.curves import hilbert, strips
from partitioner.place.problem import make_problem

#: Random placements whose mean is reported.
SEEDS = 5
#: Pairs of source and destination beyond which null models are left out, and cores beyond which METIS is.
MOST_PAIRS, MOST_METIS = 2_000_000, 2_048
#: Where a chip's table has no energies: hops count one, a chip-to-chip link as many as cross a mesh.
UNPRICED = HopCost(1, 1, 12)

Sites = tuple[Ints, Ints]


def null_models(nets: Nets, places: Places, system: SystemSpec, seed: int = 0) -> dict[str, Any]:
    """Our transport energy (J a step), that of each null model, and the ratios.

    Every ``ratio`` is our figure over that of the null model: below 1 ours is better. `notes` say what was left out.
    """
    cost, per, notes = HopCost.of(system.chip), nets.per, list[str]()
    unit, scale = ("J", 1e-15 / per) if cost else ("weighted hops", 1.0 / per)
    ours = transport(route(nets, places.chip, places.core, system), cost or UNPRICED)
    found: list[dict[str, Any]] = []
    if not places.cores or len(nets.pins) > MOST_PAIRS:
        notes.append(f"null models left out: {len(nets.pins)} pairs of cores, at most {MOST_PAIRS} are looked at")
    else:
        for name, options in _models(nets, places.cores, system, seed, notes):
            routed = [route(nets, chip, core, system) for chip, core in options]
            found.append(_row(name, routed, [transport(r, cost or UNPRICED) for r in routed], ours, scale, per))
    best = min(found, key=lambda row: float(row["transport"]), default=None)
    return {
        "ours": ours * scale,
        "unit": unit,
        "models": found,
        "best": best["name"] if best else None,
        "ratio_to_best": _ratio(ours * scale, best["transport"]) if best else None,
        "notes": notes,
    }


def _ratio(value: float, base: float) -> float | None:
    return value / base if base else None


def _row(name: str, routed: list[Routed], costs: list[int], ours: int, scale: float, per: int) -> dict[str, Any]:
    count = len(routed)
    mean = sum(costs) / count
    return {
        "name": name,
        "runs": count,
        "transport": mean * scale,
        "least": min(costs) * scale,
        "most": max(costs) * scale,
        "hops": sum(r.mesh.hops_ew + r.mesh.hops_ns for r in routed) / count / per,
        "interchip_packets": sum(r.packets for r in routed) / count / per,
        "max_link_load": sum(r.mesh.busiest()[3] for r in routed) / count / per,
        "ratio": _ratio(ours, mean),
    }


def _models(
    nets: Nets, cores: int, system: SystemSpec, seed: int, notes: list[str]
) -> Iterator[tuple[str, list[Sites]]]:
    yield "random", [random_sites(cores, system, seed + number) for number in range(SEEDS)]
    yield "sequential", [curve_sites(cores, system, None)]
    yield "snake", [curve_sites(cores, system, partial(strips, height=1, upright=False, zigzag=False))]
    yield "hilbert", [curve_sites(cores, system, hilbert)]
    if cores > MOST_METIS:
        notes.append(f"METIS-RB left out: {cores} cores, at most {MOST_METIS} are cut")
        return
    placed = metis_sites(nets, cores, system)
    if placed is None:
        notes.append("METIS-RB left out: pymetis is not installed")
    else:
        yield "metis-rb", [placed]


def chips_needed(cores: int, system: SystemSpec) -> int:
    return -(-cores // system.chip.cores)


def random_sites(cores: int, system: SystemSpec, seed: int) -> Sites:
    """Chip and core of each logical core: places drawn from the first chips that are needed."""
    size = system.chip.cores
    drawn = np.random.default_rng(seed).permutation(chips_needed(cores, system) * size)[:cores].astype(np.int64)
    return drawn // size, drawn % size


def curve_sites(cores: int, system: SystemSpec, curve: Callable[[Ints], Ints] | None) -> Sites:
    """Logical cores one after another along a curve through the chips and, on each, its routers; None: in index order."""
    size, chips = system.chip.cores, np.arange(system.chips, dtype=np.int64)
    inner = np.arange(size, dtype=np.int64)
    if curve is not None:
        chips = chips[curve(nodes(system, chips))]
        inner = inner[curve(routers(system.chip, inner))]
    count = chips_needed(cores, system)
    return np.repeat(chips[:count], size)[:cores], np.tile(inner, count)[:cores]


def metis_sites(nets: Nets, cores: int, system: SystemSpec) -> Sites | None:
    """Recursive bisection of places and cores together, chips first; None where pymetis is not installed."""
    source, target, weight = nets.pairs()
    keep = (source != HOST) & (target != HOST)
    chip, core = _compact(cores, system)
    sites = 2 * max(system.chip.mesh) * nodes(system, chip) + routers(system.chip, core)
    pairs = (source[keep], target[keep], weight[keep])
    site = metis_bisection(make_problem(pairs, sites, np.zeros((cores, 0), np.int64)), gaps=True)
    return None if site is None else (chip[site], core[site])


def _compact(cores: int, system: SystemSpec) -> Sites:
    """Whole chips in index order; on the last one the routers around its port, in growing squares."""
    size = system.chip.cores
    x, y = routers(system.chip, np.arange(size, dtype=np.int64)).T
    near = np.lexsort((np.arange(size), y, x, np.maximum(x, y)))
    chip = np.arange(cores, dtype=np.int64) // size
    core = np.arange(cores, dtype=np.int64) % size
    last = chip == chips_needed(cores, system) - 1
    core[last] = near[: int(last.sum())]
    return chip, core
