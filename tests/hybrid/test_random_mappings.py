"""Random islands with random weights, cut by random options onto random small cores: the same integers as unmapped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.chip import Basis, Limit
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.network import BLOCK
from neurodeploy.ir.population import Section
from neurodeploy.ir.run import ActivityCounts
from neurodeploy.synapses.linear import LinearLayer, linear_layer, program_of_layers
from partitioner.mapper import map_model
from partitioner.options import OBJECTIVES, Options, Pin
from partitioner.verify.violations import verify
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.islands import payload_max
from tests.networks.equality import same_result
from tests.prices import shard_counts, works

INFO = ModelInfo("random", "test", 10, 10, 1, 10, "made by a test")
OPTIONS = st.builds(
    Options,
    objective=st.sampled_from(OBJECTIVES),
    max_rows=st.one_of(st.none(), st.integers(1, 40)),
    spread=st.booleans(),
    pins=st.sampled_from([{}, {}, {"i0": Pin(rows=5)}, {"i0": Pin(blocks=2)}]),
    seed=st.integers(0, 3),
)


def island(name: str, rows: int, columns: int, payload_bits: int, draw: np.random.Generator) -> LinearLayer:
    weight = draw.integers(-128, 128, (rows, columns)).astype(np.int8)
    shift = draw.choice(np.array([0, 8], np.uint8), columns, p=[0.95, 0.05])
    size = np.abs(weight.astype(np.int64)) << shift.astype(np.int64)
    sums = np.array([size[:, at : at + BLOCK].sum(axis=1).max() for at in range(0, columns, BLOCK)], np.int64)
    params = {
        "multiplier": draw.integers(-3000, 3000, rows).astype(np.int16),
        "shift": draw.integers(0, 20, rows).astype(np.uint8),
        "acc_shift": int(draw.integers(0, 12)),
    }
    if draw.integers(2):
        params["bias"] = draw.integers(-(1 << 30), 1 << 30, rows)
    one = Dyadic(1, 0)
    return linear_layer(
        name, weight, params, scales=(one, one), values=("x", (name,)), payload_bits=payload_bits, axon_exp=shift,
        block_sums=sums, sections=[Section(name, 0, rows)],
    )  # fmt: skip


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sizes=st.lists(st.tuples(st.integers(1, 90), st.integers(1, 700)), min_size=1, max_size=4),
    payload_bits=st.sampled_from([8, 16]),
    memory=st.integers(300, 8000),
    axons=st.one_of(st.none(), st.integers(20, 400)),
    options=OPTIONS,
    seed=st.integers(0, 99),
)
def test_any_cut_gives_the_same_integers(
    sizes: list[tuple[int, int]], payload_bits: int, memory: int, axons: int | None, options: Options, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    islands = {f"i{n}": island(f"i{n}", *size, payload_bits, draw) for n, size in enumerate(sizes)}
    program = program_of_layers(INFO, list(islands.values()), {})
    system = get_system("kapoho-point")
    budget = replace(
        system.chip.budget,
        synapse_bytes=Limit(memory, Basis.GUESSED, "test"),
        in_axons=Limit(axons, Basis.GUESSED, "test"),
    )
    system = replace(system, chip=replace(system.chip, budget=budget, cores=60))
    try:
        mapping = map_model(program, system, options)
    except DoesNotFit:
        return
    assert verify(mapping, program, system) == []
    runner, reference = PartitionedRunner(mapping, system.chip), ReferenceRunner()
    counts = ActivityCounts({}, 3, 0, 0, {})
    for name, item in islands.items():
        most = payload_max(item)
        payload = (
            draw.integers(-most, most + 1, (3, item.source.size)) * draw.integers(0, 2, (3, item.source.size))
        ).astype(np.int16)
        network = next(segment for segment in program.segments if segment.name == name).network
        given = {network.inputs[0]: payload[:, None]}
        wanted, found = (one.run(network, given, 1) for one in (reference, runner))
        np.testing.assert_array_equal(found.outputs[name], wanted.outputs[name])
        same_result(found.activity, wanted.activity)
        counts.segments[name] = wanted.activity
    for work in works(program, counts, mapping, system):
        shards = mapping.by_island()[work.name]
        for shard, derived in shard_counts(work.table, shards).items():
            assert runner.shard_counts[shard].synops == derived.synops
            assert runner.shard_counts[shard].messages_out == derived.messages_out
