"""Random programs and networks on random small cores: no violation, two recounts that agree, the same bits, or an error
with numbers."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from partitioner.cost.budget import RESOURCES, core_limits, fits
from partitioner.cost.usage import core_demands
from partitioner.files.json_form import mapping_from_json, mapping_to_json
from partitioner.judge.summary import summary
from partitioner.mapper import map_model
from partitioner.options import OBJECTIVES, Options, Pin
from partitioner.verify.recount import recount
from partitioner.verify.violations import verify
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.loihi2 import LOIHI2
from tests.islands import islands_of
from tests.networks.equality import same_result
from tests.networks.random_networks import all_probes, random_network
from tests.partitioner import make
from tests.partitioner.make import shrunken

QUICK = settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(QUICK, max_examples=25)
MANY = settings(QUICK, max_examples=500)

PARTS = st.lists(
    st.tuples(st.sampled_from(["q", "k", "v", "up", "router"]), st.integers(1, 96), st.integers(0, 4)),
    min_size=1,
    max_size=3,
    unique_by=lambda part: part[0],
)
ISLANDS = st.lists(
    st.fixed_dictionaries(
        {
            "parts": PARTS,
            "columns": st.integers(1, 900),
            "layer": st.sampled_from([None, 0, 1]),
            "expert": st.sampled_from([None, None, 0, 1]),
            "bits": st.sampled_from([8, 4, 3]),
            "payload_bits": st.sampled_from([8, 16]),
            "abs_sum": st.sampled_from([0, 300, 127 * 256, 127 * 256 << 8]),
        }
    ),
    min_size=1,
    max_size=6,
)
BUDGETS = st.fixed_dictionaries(
    {
        "neurons": st.one_of(st.none(), st.integers(1, 128)),
        "synapse_bytes": st.integers(8, 20000),
        "in_axons": st.one_of(st.none(), st.integers(2, 1000)),
        "out_axons": st.one_of(st.none(), st.integers(1, 200)),
        "state_bytes": st.one_of(st.none(), st.integers(64, 20000)),
        "cores": st.integers(1, 12),
        "synapse_row_header_bytes": st.integers(0, 8),
        "axon_entry_bytes": st.sampled_from([0, 8]),
        "message_bytes": st.sampled_from([4, 8]),
    }
)


OPTIONS = st.builds(
    Options,
    objective=st.sampled_from(OBJECTIVES),
    max_rows=st.one_of(st.none(), st.integers(1, 64)),
    caps=st.sampled_from([{}, {}, {"synapse_bytes": 60}, {"in_axons": 80, "state_bytes": 90}]),
    spread=st.booleans(),
    weight_bits=st.sampled_from([None, None, 2]),
    pins=st.sampled_from([{}, {}, {"i0": Pin(rows=2)}, {"i0": Pin(blocks=3)}, {"i0": Pin(blocks=1)}]),
    seed=st.integers(0, 3),
    place=st.just(False),
)


def build(items: list[dict[str, Any]], budget: dict[str, int], chips: int) -> tuple[Program, SystemSpec]:
    program = make.of_islands([make.island(f"i{n}", **item) for n, item in enumerate(items)])
    return program, make.system(replace(make.chip(**budget), costs=LOIHI2.costs), chips)


def try_map(program: Program, board: SystemSpec, options: Options) -> Mapping | None:
    """The mapping, or None where it does not fit: then object, resource or width, need, limit and remedy are said."""
    try:
        return map_model(program, board, options)
    except DoesNotFit as error:
        assert error.code in ("ND2001", "ND2002")
        assert error.subject in (*islands_of(program), program.info.name)
        assert error.problem and error.fix
        assert re.search(r"needs? .*\d+ .*\d+|as pinned", error.problem), error.problem
        return None


def holds(program: Program, board: SystemSpec, options: Options) -> None:
    """No violation, every weight on one core, within the limits that the options lower; or it does not fit."""
    mapping = try_map(program, board, options)
    if mapping is None:
        return
    assert verify(mapping, program, board, weight_bits=options.weight_bits) == []
    for name, island in islands_of(program).items():
        covered = np.zeros((island.neurons.size, island.source.size), np.int8)
        for shard in mapping.by_island()[name]:
            if shard.kind == "synapses":
                covered[slice(*shard.rows), slice(*shard.cols)] += 1
        assert (covered == 1).all()
    assert mapping.lower_bound <= mapping.cores_used
    limits = core_limits(board.chip, options.max_rows, options.caps)
    used = core_demands(mapping, program, board, weight_bits=options.weight_bits).values()
    assert all(fits(demand, limits) for demand in used)
    blocks = options.pins.get("i0", Pin()).blocks
    if blocks is not None:
        first = mapping.by_island()["i0"]
        assert len({shard.cols for shard in first if shard.kind == "synapses"}) == min(blocks, len(first))
    again = mapping_from_json(mapping_to_json(mapping))
    assert again.shards == mapping.shards
    assert (again.objective, again.seed, again.notes) == (options.objective, options.seed, mapping.notes)


@QUICK
@given(items=ISLANDS, budget=BUDGETS, chips=st.sampled_from([1, 4, 64, 4000]), options=OPTIONS)
def test_a_mapping_holds_or_does_not_fit(
    items: list[dict[str, Any]], budget: dict[str, int], chips: int, options: Options
) -> None:
    holds(*build(items, budget, chips), options)


@pytest.mark.real
@MANY
@given(items=ISLANDS, budget=BUDGETS, chips=st.sampled_from([1, 4, 64, 4000]), options=OPTIONS, place=st.booleans())
def test_500_mappings_hold_or_do_not_fit(
    items: list[dict[str, Any]],
    budget: dict[str, int],
    chips: int,
    options: Options,
    place: bool,
) -> None:
    holds(*build(items, budget, chips), replace(options, place=place and chips < 100))


SEEDS, ALL = 60, 500
OVER = rf"(\d+) (?:{'|'.join(RESOURCES)}) \(a core has (\d+)\)"


def random_options(seed: int) -> Options:
    """Any objective; sometimes a cap, tiles of few rows, all cores of the chips."""
    rng = np.random.default_rng([seed, 5])
    return Options(
        weight_bits=8,
        chips=1 if rng.random() < 0.3 else None,
        objective=OBJECTIVES[int(rng.integers(len(OBJECTIVES)))],
        max_rows=int(rng.integers(1, 12)) if rng.random() < 0.2 else None,
        caps={"state_bytes": 80} if rng.random() < 0.2 else {},
        spread=bool(rng.random() < 0.15),
        place=bool(rng.random() < 0.8),
        seed=seed,
    )


def mapped_or_refused(seed: int, instant: bool) -> tuple[Network, SystemSpec, Mapping] | str:
    """The mapping, or the code of an error that says what was needed."""
    net, system = random_network(seed, instant=instant)[0], shrunken(seed)
    try:
        return net, system, map_model(Program.of(net), system, random_options(seed))
    except DoesNotFit as error:
        assert error.code in ("ND2001", "ND2002", "ND2013"), seed
        assert error.fix and re.search(r"\d", error.problem), seed
        if error.code != "ND2001":
            assert error.subject in net.populations, seed
        if error.code == "ND2002":
            used, limit = re.findall(OVER, error.problem)[0]
            assert int(used) > int(limit), seed
        return error.code


def check(seed: int, seen: Counter[str], instant: bool = False) -> None:
    found = mapped_or_refused(seed, instant)
    if isinstance(found, str):
        seen[found] += 1
        return
    net, system, mapping = found
    seen["mapped"] += 1
    seen["reducers"] += any(shard.kind == "reducer" for shard in mapping.shards)
    seen["orders"] += bool(mapping.orders)
    places = Counter((shard.chip, shard.core) for shard in mapping.shards)
    seen["shared cores"] += max(places.values()) > 1
    assert verify(mapping, Program.of(net), system, weight_bits=8) == [], seed
    assert recount(mapping, Program.of(net), system, weight_bits=8) == core_demands(
        mapping, Program.of(net), system, weight_bits=8
    ), seed
    again = mapping_from_json(mapping_to_json(mapping))
    assert again.shards == mapping.shards and mapping_to_json(again) == mapping_to_json(mapping), seed
    _, inputs, steps = random_network(seed, instant=instant)
    probes = all_probes(net)
    wanted = ReferenceRunner().run(net, inputs, steps, probes=probes)
    same_result(PartitionedRunner(mapping, system.chip).run(net, inputs, steps, probes=probes), wanted)


@pytest.mark.parametrize(("start", "instant"), [*((start, False) for start in range(0, SEEDS, 20)), (0, True)])
def test_mapped_or_refused(start: int, instant: bool) -> None:
    seen: Counter[str] = Counter()
    for seed in range(start, start + 20):
        check(seed, seen, instant)
    assert seen["mapped"] >= 5 and seen["reducers"] >= 1


@pytest.mark.real
def test_five_hundred_networks() -> None:
    seen: Counter[str] = Counter()
    for seed in range(ALL):
        check(seed, seen)
    assert min(seen[kind] for kind in ("mapped", "reducers", "orders", "shared cores", "ND2001", "ND2002")) >= 10, seen


def test_reports_of_random_networks() -> None:
    for seed in range(15):
        net, system = random_network(seed)[0], shrunken(1000 + seed)
        try:
            mapping = map_model(Program.of(net), system, Options(weight_bits=8))
        except DoesNotFit:
            continue
        found = summary(mapping, Program.of(net), system, weight_bits=8)
        assert found["fits"] and found["cores_used"] >= found["cores_lower_bound"]
        assert sum(entry["neurons"] for entry in found["populations"] if entry["device"] == "chip") == net.neurons
