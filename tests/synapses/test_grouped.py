"""Grouped weights: those of the equation, on every runner, cut anywhere, counted, priced, kept and exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from neurodeploy.bundle.linear_files import file_names, row_scales, rows_of, write_image, write_nir
from neurodeploy.bundle.populations import Arrays, network_from_json, network_to_json, projection_of, write_arrays
from neurodeploy.ir.chip import Basis, Limit
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts
from neurodeploy.ir.synapse import ListFormat
from neurodeploy.synapses import Grouped
from neurodeploy.synapses.linear import LinearLayer, linear_layer, program_of_layers
from partitioner.cost.usage import core_demands
from partitioner.mapper import map_model
from partitioner.options import Options, Pin
from partitioner.verify.recount import recount
from partitioner.verify.violations import verify
from simulators.fast import grouped as lanes
from simulators.fast.lane import Lane, Room
from simulators.fast.runner import FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.networks.equality import same_result
from tests.prices import shard_counts, works

INFO = ModelInfo("grouped", "test", 10, 10, 1, 10, "made by a test")
ONE = Dyadic(1, 0)


def drawn(
    rows: int, columns: int, group: int, *, factors: int = 127, offsets: int = 900, codes: tuple[int, int] = (0, 15)
) -> Grouped:
    draw, groups = np.random.default_rng(rows + columns), -(-columns // group)
    return Grouped(
        draw.integers(codes[0], codes[1] + 1, (rows, columns)).astype(np.int8),
        draw.integers(1, factors + 1, (rows, groups)).astype(np.int32),
        draw.integers(-offsets, offsets + 1, (rows, groups)).astype(np.int32), group,
    )  # fmt: skip


def weights(s: Grouped) -> list[list[int]]:
    """w, one by one, in integers of Python."""
    return [
        [
            int(s.multiplier[i, (j + s.phase) // s.group]) * int(s.weight[i, j]) + int(s.offset[i, (j + s.phase) // s.group])
            for j in range(s.columns)
        ]
        for i in range(s.rows)
    ]  # fmt: skip


def layer(s: Grouped, wide: int = 0, bits: int = 4, name: str = "a") -> LinearLayer:
    """With `wide` axons of the exponent 8, a bias, and shifts that leave outputs of all sizes."""
    exponents = np.zeros(s.columns, np.uint8)
    exponents[np.random.default_rng(1).permutation(s.columns)[:wide]] = 8
    draw = np.random.default_rng(2)
    params: dict[str, Any] = {
        "multiplier": draw.integers(1 << 14, 1 << 15, s.rows).astype(np.int16), "acc_shift": 13,
        "shift": np.full(s.rows, 15, np.uint8), "bias": draw.integers(-(10**9), 10**9, s.rows),
    }  # fmt: skip
    return linear_layer(name, s, params, scales=(ONE, ONE), values=("x", (name,)), weight_bits=bits, axon_exp=exponents)


def payloads(columns: int, tokens: int = 5) -> np.ndarray:
    draw = np.random.default_rng(3)
    found = draw.integers(-(2**15) + 1, 2**15, (tokens, columns)) * draw.integers(0, 2, (tokens, columns))
    found[0] = 2**15 - 1
    return found.astype(np.int16)


CASES = {
    "factors of 7 bits": drawn(37, 200, 64),
    "groups of 5, the last of 3": drawn(9, 43, 5),
    "no offset, codes of either sign": drawn(20, 96, 32, offsets=0, codes=(-8, 7)),
    "factors and offsets of a file": drawn(12, 128, 32, factors=2**22, offsets=2**26),
    "one column a group": drawn(6, 7, 1),
}


@pytest.mark.parametrize("name", CASES)
def test_weights_and_sums_are_those_of_the_equation(name: str) -> None:
    s = CASES[name]
    assert not s.problem()
    w, x = weights(s), payloads(s.columns).astype(np.int64)
    np.testing.assert_array_equal(s.matrix(), w)
    exact = [[sum(int(v) * row[j] for j, v in enumerate(token)) for row in w] for token in x]
    np.testing.assert_array_equal(s.sums(x), exact)
    row, column, weight, _ = s.coo((2, 6))
    np.testing.assert_array_equal(weight, np.array(w)[row, column])
    assert len(row) == 4 * s.columns and set(row.tolist()) == {2, 3, 4, 5}
    positive, negative = s.one_sided()
    assert positive.tolist() == [sum(max(v, 0) for v in line) for line in w]
    assert negative.tolist() == [sum(min(v, 0) for v in line) for line in w]
    assert s.nonzero_fan_out().tolist() == [sum(line[j] != 0 for line in w) for j in range(s.columns)]


def test_parts_are_cut_anywhere_and_add_up() -> None:
    s, x = drawn(11, 50, 8), payloads(50).astype(np.int64)
    for cut in (8, 11, 1, 49):
        first, second = s.part((0, 11), (0, cut)), s.part((0, 11), (cut, 50))
        np.testing.assert_array_equal(first.sums(x[:, :cut]) + second.sums(x[:, cut:]), s.sums(x))
        again = second.part((3, 9), (2, second.columns)) if second.columns > 2 else None
        if again is not None:
            np.testing.assert_array_equal(again.matrix(), s.matrix()[3:9, cut + 2 :])


def test_what_a_core_keeps_and_does_by_hand() -> None:
    """10 rows; columns 6:20 of groups of 8 touch three groups; lists of 11 synapses of 4 bits with 2 bytes before them."""
    s, form = replace(drawn(30, 24, 8), constant_bits=12), ListFormat(2, 4, 13)
    lists, constants, sums = 14 * (2 + 6), 10 * 3 * 12 // 8, 4 * (10 + 1) * 3
    assert s.cost((5, 15), (6, 20), form, False) == (lists + constants + sums, 14)
    stored, axons = s.costs(np.array([[5, 15], [15, 16]]), (6, 20), form, False)
    assert (stored[0], axons[0]) == (lists + constants + sums, 14) and stored[1] == 14 * 3 + 5 + 4 * 2 * 3
    assert s.inner(10, (6, 20)) == 11 * 3 and s.fan_out((5, 15)).tolist() == [11] * 24
    plain = replace(s, offset=np.zeros_like(s.offset))
    assert plain.inner(10, (6, 20)) == 30 and plain.fan_out((5, 15)).tolist() == [10] * 24
    assert s.bits_a_weight(4) == 4 + 12 / 8 and s.shared_bits == 30 * 3 * 12


@pytest.mark.parametrize("wide", [0, 3])
@pytest.mark.parametrize("name", CASES)
def test_the_lane_is_the_reference(name: str, wide: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "SUMS_PER_BLOCK", 1)
    monkeypatch.setattr(lanes, "ELEMENTS", 300)
    network = program_of_layers(INFO, [layer(CASES[name], wide)], {}).network
    assert isinstance(Lane.of(network, "a", Room()), lanes.GroupedLane)
    given = {"a.input": payloads(CASES[name].columns)[:, None]}
    wanted = ReferenceRunner().run(network, given, 1)
    assert np.unique(wanted.outputs["a"]).size > 10
    same_result(FastRunner().run(network, given, 1), wanted)


@pytest.mark.parametrize("blocks", [None, 3])
def test_mapped_it_is_the_same_and_counted_twice(blocks: int | None) -> None:
    """Cut into blocks of columns that end within groups, too."""
    item = program_of_layers(INFO, [layer(drawn(90, 320, 64), 2)], {})
    system = get_system("kapoho-point")
    budget = replace(system.chip.budget, synapse_bytes=Limit(9000, Basis.GUESSED, "test"))
    system = replace(system, chip=replace(system.chip, budget=budget))
    mapping = map_model(item, system, Options(pins={} if blocks is None else {"a": Pin(blocks=blocks)}))
    assert verify(mapping, item, system) == []
    assert recount(mapping, item, system) == core_demands(mapping, item, system)
    columns = {shard.cols for shard in mapping.shards if shard.kind == "synapses"}
    assert len(columns) == (blocks or 1) and len(mapping.shards) > 2
    assert blocks is None or any(start % 64 for start, _ in columns)
    network = item.segments[0].network
    given = {"a.input": payloads(320)[:, None]}
    runner = PartitionedRunner(mapping, system.chip)
    wanted = ReferenceRunner().run(network, given, 1)
    same_result(runner.run(network, given, 1), wanted)
    (work,) = works(item, ActivityCounts({"a": wanted.activity}, 5, 0, 0, {}), mapping, system)
    derived = shard_counts(work.table, [mapping.by_island()["a"][i] for i in np.argsort(np.argsort(work.shards))])
    for shard, count in derived.items():
        found = runner.shard_counts[shard]
        assert (found.synops, found.neuron_updates) == (count.synops, count.neuron_updates)
    events = int(np.count_nonzero(payloads(320)))
    tiles = (
        len(mapping.shards) if blocks is None else sum(shard.kind == "synapses" for shard in mapping.shards) / blocks
    )
    synops = sum(runner.shard_counts[s].synops for s in mapping.shards if s.kind == "synapses")
    assert synops == events * (90 + tiles)  # one more in each tile of rows: the sum of the group


def test_both_files_of_a_layer_and_the_arrays_of_a_network(tmp_path: Path) -> None:
    made = layer(drawn(20, 96, 32, codes=(-8, 7)), 2, name="a")
    (tmp_path / "islands").mkdir()
    for write, file in zip((lambda *a: write_nir(*a, "note"), write_image), file_names("a"), strict=True):
        write(tmp_path / "islands" / file, made)
    _, row = rows_of("islands", made)
    read = projection_of(row, Arrays(tmp_path, [f"islands/{file}" for file in file_names("a")]))
    structure, arrays = network_to_json(program_of_layers(INFO, [made], {}).network)
    write_arrays(tmp_path / "network.h5", arrays)
    again = network_from_json(structure, Arrays(tmp_path, ["network.h5"])).projections[0]
    for found in (read, again):
        assert type(found.synapse) is Grouped and found.weight_bits == 4
        for key, value in made.synapses.synapse.record().items():
            np.testing.assert_equal(found.synapse.record()[key], value)
        np.testing.assert_array_equal(found.block_sums, made.synapses.block_sums)
    graph = nir.read(tmp_path / "islands" / "a.nir")
    np.testing.assert_array_equal(graph.nodes["synapses"].weight, weights(made.synapses.synapse))
    np.testing.assert_array_equal(graph.nodes["scale"].scale, row_scales(made))
    with h5py.File(tmp_path / "islands" / "a.q.h5") as file:
        np.testing.assert_array_equal(file["synapse.weight"], made.synapses.synapse.weight)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"multiplier": np.ones((6, 3), np.int32)}, "multiplier"),
        ({"offset": np.ones((6, 2), np.int64)}, "offset"),
        ({"group": 0}, "at least one column"),
        ({"phase": 8}, "at least one column"),
        ({"weight": np.ones((6, 12), np.int16)}, "int8"),
        ({"multiplier": np.full((6, 2), 2**23, np.int32)}, "may reach"),
    ],
)
def test_what_is_no_grouped_matrix(change: dict[str, Any], problem: str) -> None:
    good = drawn(6, 12, 8)
    assert not good.problem() and problem in replace(good, **change).problem()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """Axes are counted before anything is asked of them."""
    structure, arrays = network_to_json(program_of_layers(INFO, [layer(drawn(20, 96, 32))], {}).network)
    structure["projections"][0]["synapse"]["weight"]["array"] = ["int8", [20]]
    write_arrays(tmp_path / "network.h5", arrays | {"j0.weight": np.zeros(20, np.int8)})
    with pytest.raises(ValueError, match="two are needed"):
        network_from_json(structure, Arrays(tmp_path, ["network.h5"]))


def test_a_program_of_them_is_exact_by_its_bound() -> None:
    """The bound on partial sums is that of the weights that count."""
    item = layer(drawn(10, 300, 64))
    w = np.array(weights(item.synapses.synapse), object)
    blocks = [abs(w[:, at : at + 256]).sum(axis=1).max() for at in (0, 256)]
    assert item.synapses.block_sums.tolist() == blocks
    assert Program.of(program_of_layers(INFO, [item], {}).network).network.check() is None
