"""Axons that the same rows read, counted together or one by one: the same nets, loads and traffic."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from neurodeploy.flow import streams
from neurodeploy.flow.loads import loads_of
from neurodeploy.flow.routes import Routes
from neurodeploy.flow.tally import Tally, tallied
from neurodeploy.ir.mapping import Shard
from neurodeploy.ir.program import Program
from neurodeploy.synapses import Conv
from partitioner.cost.budget import room_of
from partitioner.nets.streams import streams_of
from partitioner.nets.tiles import nets_of_tiles
from partitioner.order.first_fit import first_fit_loop
from tests.partitioner import make

CORES = 8


def two_convolutions(seed: int) -> tuple[Program, list[Shard], dict[str, Any]]:
    """An input, two convolutions one behind the other, cut anywhere, some with neurons in other orders."""
    rng = np.random.default_rng(seed)
    groups = (1, 1, 2)[seed % 3]
    first = make.conv((6, 5, 2), 4, padding=(1, 1), groups=groups)
    second = make.conv(first.output_shape, 6, stride=(2, 1), groups=groups)
    populations = [make.source("i", 6, 5, 2), make.lif("p", *first.output_shape), make.lif("q", *second.output_shape)]
    joins = make.join("a", "i", "p", first), make.join("b", "p", "q", second)
    program = Program.of(make.network(populations, *joins))
    orders = {} if seed % 2 else {name: rng.permutation(s.rows) for name, s in (("p", first), ("q", second))}
    shards = list[Shard]()
    for name, synapse in (("p", first), ("q", second)):
        cuts = [0, *np.sort(rng.choice(np.arange(1, synapse.rows), 4, replace=False)).tolist(), synapse.rows]
        for rows in pairwise(cuts):
            shards.append(Shard(name, "synapses", rows, (0, synapse.columns), len(shards) % 2, len(shards) // 2 % 4))
    return program, shards, orders


def counted(program: Program, shards: list[Shard], orders: dict[str, Any], pairs: int | None) -> list[Any]:
    system = make.system(make.chip(cores=CORES), 2)
    chip, core = (np.array([getattr(s, what) for s in shards], np.int64) for what in ("chip", "core"))

    def made() -> Any:
        return streams_of(program, shards, system.chip, orders=orders, pairs=pairs)

    own = Tally(Routes(system, chip, core), 2)
    for _ in tallied(made(), dict.fromkeys(("p", "q"), own), system):
        pass
    nets = nets_of_tiles(made())(chip * CORES + core)
    kept = [own.deliveries, own.crossing, own.entering, own.hops_ew, own.hops_ns, own.interchip, own.interchip_least]
    arrays = [nets.source, nets.indptr, nets.pins, nets.weight, own.ports, loads_of(made())]
    return [kept, own.direct, own.hosts, [array.tolist() for array in arrays]]


@pytest.mark.parametrize("pairs", [None, 40])
def test_joined_axons_count_as_single_ones(monkeypatch: pytest.MonkeyPatch, pairs: int | None) -> None:
    joined = 0
    monkeypatch.setattr(streams, "STRETCH", 7)  # parts end within pixels
    for seed in range(12):
        given = two_convolutions(seed)
        together = counted(*given, pairs)
        joined += sum(p.synapse.joined is not None for p in given[0].network.projections)
        with monkeypatch.context() as patch:
            patch.setattr(Conv, "joined", None)
            assert counted(*given, pairs) == together, seed
    assert joined == 16


def test_first_fit_looks_at_the_last_cores() -> None:
    """Against lists of what is left, core by core."""
    rng = np.random.default_rng(0)
    limits = (9, 9, None, 9, 9)
    for window in (1, 3, 96):
        demand = rng.integers(0, 8, (200, 5))
        demand[:, 2] = 0
        room = np.array(room_of(limits), np.int64)
        left: dict[int, tuple[int, Any]] = {}
        cores = 0
        for need in demand:
            at = next((place for place, have in sorted(left.items()) if (have[1] >= need).all()), None)
            if at is None:
                at, cores = cores % window, cores + 1
                left[at] = cores, room.copy()
            left[at] = left[at][0], left[at][1] - need
        assert first_fit_loop(demand, room, window) == cores
