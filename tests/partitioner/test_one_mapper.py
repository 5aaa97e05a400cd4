"""The same matrix as an island of a language model and as a population of a network."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.mapper_models import program_of
from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.program import Program
from partitioner import mapper
from partitioner.cost.usage import core_demands
from partitioner.mapper import map_model
from partitioner.nets.traffic import traffic
from partitioner.options import OBJECTIVES, Options
from partitioner.verify.recount import recount
from partitioner.verify.violations import verify
from targets.systems import get_system
from tests.islands import hollow_island, hollow_program
from tests.partitioner.make import dense, join, lif, network, shrunken, source


@pytest.mark.parametrize("shape", [(640, 8192), (1000, 5000), (2048, 2048), (512, 6000)])
def test_a_matrix_takes_the_same_cores_however_it_arrives(shape: tuple[int, int]) -> None:
    """640 x 8192 took 42 cores as an island and 44 as a population."""
    rows, columns = shape
    info, system = ModelInfo("a", "test", 1, 1, 1, 1, "made by a test"), get_system("hala-point")
    island = map_model(hollow_program(info, [hollow_island("p", rows, columns)]), system)
    net = Program.of(network([source("i", columns), lif("p", rows)], join("w", "i", "p", dense(rows, columns))))
    population = map_model(net, system)
    assert not verify(population, net, system)
    assert population.cores_used == island.cores_used
    assert population.lower_bound <= population.cores_used <= 1.03 * population.lower_bound


def test_neurons_of_few_bytes_never_lie_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many cores with neurons of 11 bytes as with the chip's 16, but the larger pieces sent 5.6 % more hops."""
    program, system = program_of("matmulfree-370m", 2), get_system("hala-point")
    found = map_model(program, system)
    assert not verify(found, program, system)
    monkeypatch.setattr(mapper, "TWICE", 0)
    tight = map_model(program, system)
    assert found.cores_used == tight.cores_used
    assert traffic(found, program, system).spike_hops < traffic(tight, program, system).spike_hops


def test_bands_of_random_networks_hold() -> None:
    """All-to-all layers on small cores, recurrent and with delays: bands are taken, and two recounts agree."""
    reduced = 0
    for seed in range(40):
        rng = np.random.default_rng([seed, 11])
        sizes = rng.integers(5, 60, 4).tolist()
        names = ["i", "a", "b", "c"]
        ends = [("i", "a"), ("a", "b"), ("b", "b"), ("b", "c"), ("i", "c")]
        made = [
            join(f"{x}{y}", x, y, dense(sizes[names.index(y)], sizes[names.index(x)]))
            for x, y in ends[: int(rng.integers(3, 6))]
        ]
        parts = [source("i", sizes[0]), *(lif(name, size) for name, size in zip(names[1:], sizes[1:], strict=True))]
        net, system = Program.of(network(parts, *made)), shrunken(seed)
        options = Options(objective=OBJECTIVES[seed % 4], weight_bits=8, place=False)
        try:
            mapping = map_model(net, system, options)
        except DoesNotFit:
            continue
        reduced += any(shard.kind == "reducer" for shard in mapping.shards)
        assert verify(mapping, net, system, weight_bits=8) == [], seed
        assert recount(mapping, net, system, weight_bits=8) == core_demands(mapping, net, system, weight_bits=8), seed
        assert mapping.lower_bound <= mapping.cores_used, seed
    assert reduced >= 5
