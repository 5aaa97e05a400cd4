"""Tiles that grow in a kernel against tiles whose cost is asked for one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.program import Program
from neurodeploy.ir.units import Units
from neurodeploy.synapses import Direct
from partitioner.cost.lists import Destinations
from partitioner.cost.population import Sends, View, segments, views_of
from partitioner.cut.grown import grows
from partitioner.cut.rows import Cut, Cutter
from partitioner.cut.rules import Rule
from partitioner.order.conv import block_order
from tests.partitioner.make import join, lif, network, source, tiny
from tests.synapses.test_build import draw, of_torch


def view_of(seed: int, rng: np.random.Generator) -> View:
    """A convolution or two, some of them between neurons in other orders, and sometimes a direct connection."""
    made = of_torch(*draw(seed, bool(seed % 3 == 0)), bool(seed % 3 == 0))
    shape: Any = made.output_shape
    kinds: list[Any] = [made] * int(rng.integers(1, 3))
    net = network(
        [source("i", *made.input_shape), source("j", *shape), lif("p", *shape)],
        *(join(f"c{k}", "i", "p", kind) for k, kind in enumerate(kinds)),
        *([join("d", "j", "p", Direct(made.rows))] if rng.integers(2) else ()),
    )
    view = views_of(Program.of(net), tiny().chip)["p"]
    if rng.integers(2):
        sides = [int(rng.integers(1, side + 1)) for side in shape]
        rows = block_order(shape, *sides).order
        columns = block_order(made.input_shape, *(int(rng.integers(1, n + 1)) for n in made.input_shape)).order
        parts = [part.projection for part in view.segments]
        laid = [
            p if isinstance(p.synapse, Direct) else replace(p, synapse=p.synapse.arranged(rows, columns)[0])
            for p in parts
        ]
        view = replace(view, segments=segments(laid))
    return view


def cut(view: View, rule: Rule, sends: Sends, grown: bool) -> tuple[Cut, list[tuple[Any, Any]], list[tuple[str, int]]]:
    cutter = Cutter(view, rule)
    assert (cutter.growth is not None) == grows(view)
    if not grown:
        cutter.__dict__["growth"] = None
    found = cutter.cut(sends)
    return found, list(found.demands.items()), list(found.stopped.items())


def test_a_tile_that_grows_costs_what_it_costs_at_once() -> None:
    counted, several = 0, 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        view = view_of(seed, rng)
        counted += grows(view)
        stops: Ints | None = np.unique(rng.integers(1, view.rows + 1, 4)) if rng.integers(2) else None
        limits = tuple(int(rng.integers(*span)) if rng.integers(3) else None for span in (
            (2, 60), (200, 4000), (20, 200), (40, 400), (800, 9000),
        ))  # fmt: skip
        rule = Rule(limits, rows=int(rng.integers(1, 90)) if rng.integers(2) else None, stops=stops)
        size = int(rng.integers(1, 4))
        units = Units(-(-view.rows // size), size) if rng.integers(2) else Units(2, 1, np.array([0, view.rows // 2]))
        sums = ((units, Destinations(rng.integers(0, 3, units.count))),)
        sends = Sends(int(rng.integers(2)), sums if rng.integers(2) else (), int(rng.integers(0, 5)))
        results: list[Any] = []
        for grown in (True, False):
            try:
                found, demands, stopped = cut(view, rule, sends, grown)
            except DoesNotFit as error:
                results.append(str(error))
            else:
                blocks = {columns: rows.tolist() for columns, rows in found.blocks.items()}
                results.append((blocks, found.reducers.tolist(), demands, stopped))
                several += len(demands) > 1 and len(blocks) == 1
        assert results[0] == results[1], seed
    assert counted > 60 and several > 60
