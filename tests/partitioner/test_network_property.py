"""Random networks on random small cores: no violation, two recounts that agree, the same bits, or an error with numbers."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from partitioner.cost.budget import RESOURCES
from partitioner.cost.usage import core_demands
from partitioner.files.json_form import mapping_from_json, mapping_to_json
from partitioner.judge.summary import summary
from partitioner.mapper import map_model
from partitioner.options import OBJECTIVES, Options
from partitioner.verify.recount import recount
from partitioner.verify.violations import verify
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from tests.networks.equality import same_result
from tests.networks.random_networks import all_probes, random_network
from tests.partitioner.make import shrunken

QUICK, ALL = 60, 500
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
        return net, system, map_model(net, system, random_options(seed))
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
    assert verify(mapping, net, system, weight_bits=8) == [], seed
    assert recount(mapping, net, system, weight_bits=8) == core_demands(mapping, net, system, weight_bits=8), seed
    again = mapping_from_json(mapping_to_json(mapping))
    assert again.shards == mapping.shards and mapping_to_json(again) == mapping_to_json(mapping), seed
    _, inputs, steps = random_network(seed, instant=instant)
    probes = all_probes(net)
    wanted = ReferenceRunner().run(net, inputs, steps, probes=probes)
    same_result(PartitionedRunner(mapping, system.chip).run(net, inputs, steps, probes=probes), wanted)


@pytest.mark.parametrize(("start", "instant"), [*((start, False) for start in range(0, QUICK, 20)), (0, True)])
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
            mapping = map_model(net, system, Options(weight_bits=8))
        except DoesNotFit:
            continue
        found = summary(mapping, net, system, weight_bits=8)
        assert found["fits"] and found["cores_used"] >= found["cores_lower_bound"]
        assert sum(entry["neurons"] for entry in found["populations"] if entry["device"] == "chip") == net.neurons
