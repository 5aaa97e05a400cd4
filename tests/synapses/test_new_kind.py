"""A kind of synapses is one class: a diagonal, defined here, runs, is mapped, verified, priced and kept like any other.

It answers for itself only what has no general answer (`coo`) and what a file holds; its twin is the same matrix, sparse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from neurodeploy.bundle.populations import ARRAYS, Arrays, network_from_json, network_to_json, write_arrays
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.synapse import Coo, ListFormat, Range, Synapse, within
from neurodeploy.ir.typed import Row, array
from neurodeploy.synapses import KINDS, build
from partitioner.cost.usage import core_demands
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.verify.recount import recount
from partitioner.verify.violations import verify
from simulators.fast.runner import PATHS, FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from tests.networks.equality import same_result
from tests.partitioner.make import conv, dense, join, lif, network, source, tiny
from tests.prices import shard_counts, work_of


@dataclass(frozen=True, eq=False)
class Diagonal(Synapse):
    """Neuron i to neuron i over one synapse each: `weight` (neurons,)."""

    weight: NDArray[np.signedinteger]

    kind: ClassVar[str] = "diagonal"

    @property
    def rows(self) -> int:
        return len(self.weight)

    @property
    def columns(self) -> int:
        return len(self.weight)

    def coo(self, rows: Range | None = None) -> Coo:
        neuron = np.arange(*within(rows, self), dtype=np.int64)
        return Coo(neuron, neuron, self.weight[neuron].astype(np.int64), neuron)

    def record(self) -> dict[str, Any]:
        return {"weight": self.weight}

    @classmethod
    def from_record(cls, row: Row) -> Diagonal:
        return cls(array(row, "weight"))


WEIGHT = np.array([3, -2, 0, 7, 5, -4, 1, 6, 9, -8, 2, 4], np.int8)


def twin(synapse: Any) -> Any:
    """The same matrix, sparse; other kinds as they are."""
    neuron = np.arange(synapse.rows)
    own = isinstance(synapse, Diagonal)
    return build.sparse_from_coo(len(neuron), len(neuron), neuron, neuron, synapse.weight) if own else synapse


def net(delay: list[int] | None = None) -> Network:
    """Through the diagonal in a loop and between a matrix and a convolution."""
    made = network(
        [source("i", 7), lif("p", 2, 3, 2, du=400, dv=100, vth=3), lif("q", 2, 3, 1, vth=2)],
        join("in", "i", "p", dense(12, 7)),
        join("d", "p", "p", Diagonal(WEIGHT), delay=None if delay is None else np.array(delay, np.uint8)),
        join("out", "p", "q", conv((2, 3, 2), 1, padding=(1, 1))),
        outputs=("p", "q"),
    )
    made.check()
    return made


def sparse(made: Network) -> Network:
    """With the twin."""
    return replace(made, projections=tuple(replace(p, synapse=twin(p.synapse)) for p in made.projections))


DELAYS = [None, [0, 3, 1, 0, 2, 0, 5, 0, 0, 1, 4, 0]]


def test_what_follows_from_its_synapses() -> None:
    own, other = Diagonal(WEIGHT), twin(Diagonal(WEIGHT))
    rows, form = np.array([[1, 4], [6, 12]]), ListFormat(2, 8, 4)
    x = np.random.default_rng(0).integers(-9, 9, (3, 12))
    for name, arguments in {
        "sums": (x,), "coo": ((2, 9),), "count": (), "stored_weights": ((2, 9),), "fan_out": ((2, 9),),
        "nonzero_fan_out": (), "axons": ((2, 9),), "one_sided": (), "largest_sum": (True, 5),
        "cost": ((2, 9), (1, 8), form, False), "costs": (rows, (1, 8), form, False),
        "destinations": (rows, (1, 8), False),
    }.items():  # fmt: skip
        np.testing.assert_equal(getattr(own, name)(*arguments), getattr(other, name)(*arguments), name)
    (mine,), (its,) = own.touches(rows, (1, 8)), other.touches(rows, (1, 8))
    np.testing.assert_equal(tuple(mine), tuple(its))


@pytest.mark.parametrize("delay", DELAYS)
def test_it_runs_and_is_mapped_as_its_twin(delay: list[int] | None) -> None:
    made = net(delay)
    inputs = {"i": (np.random.default_rng(1).random((2, 9, 7)) < 0.5).astype(np.int64)}
    result = ReferenceRunner().run(made, inputs, 9)
    assert result.activity.fired["p"]["s"].sum() > 20
    same_result(result, ReferenceRunner().run(sparse(made), inputs, 9))
    same_result(result, FastRunner(steps=4).run(made, inputs, 9))
    for path in PATHS:
        same_result(FastRunner(path).run(made, inputs, 9), result)
    system = tiny(neurons=5, synapse_bytes=150, in_axons=20)
    mapping = map_model(Program.of(made), system, Options(place=False))
    assert len(mapping.shards) > 4 and not verify(mapping, Program.of(made), system)
    assert recount(mapping, Program.of(made), system) == core_demands(mapping, Program.of(made), system)
    assert mapping.shards == map_model(Program.of(sparse(made)), system, Options(place=False)).shards
    cores = PartitionedRunner(mapping, system.chip)
    same_result(cores.run(made, inputs, 9), result)
    priced = shard_counts(work_of(made, mapping, result.activity, system).table, mapping.shards)
    assert all(priced[shard] == cores.shard_counts[shard] for shard in mapping.shards)


def test_it_is_kept_in_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, Diagonal.kind, Diagonal)
    structure, arrays = network_to_json(net(DELAYS[1]))
    write_arrays(tmp_path / ARRAYS, arrays)
    again = network_from_json(structure, Arrays(tmp_path, [ARRAYS])).projections[1]
    assert type(again.synapse) is Diagonal and again.depth == 6
    np.testing.assert_array_equal(again.synapse.weight, WEIGHT)
