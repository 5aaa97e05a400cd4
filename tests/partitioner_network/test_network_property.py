"""Random networks on random small cores: no violation, two recounts that agree, or an error with numbers."""

from __future__ import annotations

import re

import pytest

from neurodeploy.errors import DoesNotFit
from partitioner.json_form import mapping_from_json, mapping_to_json
from partitioner.network_mapper import map_network
from partitioner.network_summary import summary
from partitioner.network_usage import core_demands
from partitioner.network_verify import recount, verify_network
from partitioner.usage import RESOURCES
from tests.networks.random_networks import random_network
from tests.partitioner_network.helpers import shrunken

SEEDS = 240
OVER = rf"(\d+) (?:{'|'.join(RESOURCES)}) \(a core has (\d+)\)"


@pytest.mark.parametrize("start", range(0, SEEDS, 20))
def test_mapped_or_refused(start: int) -> None:
    mapped = split = 0
    for seed in range(start, start + 20):
        net, system = random_network(seed)[0], shrunken(seed)
        try:
            mapping = map_network(net, system, weight_bits=8)
        except DoesNotFit as error:
            assert error.code in ("ND2010", "ND2011", "ND2013"), seed
            assert error.fix and re.search(r"\d", error.problem), seed
            if error.code == "ND2011":
                assert error.subject in net.populations, seed
                used, limit = re.findall(OVER, error.problem)[0]
                assert int(used) > int(limit), seed
            continue
        mapped += 1
        split += any(shard.kind == "reducer" for shard in mapping.shards)
        assert verify_network(mapping, net, system, weight_bits=8) == [], seed
        assert recount(mapping, net, system, weight_bits=8) == core_demands(mapping, net, system, weight_bits=8), seed
        assert mapping_from_json(mapping_to_json(mapping)).shards == mapping.shards, seed
    assert mapped >= 5 and split >= 1


def test_reports_of_random_networks() -> None:
    for seed in range(15):
        net, system = random_network(seed)[0], shrunken(1000 + seed)
        try:
            mapping = map_network(net, system, weight_bits=8)
        except DoesNotFit:
            continue
        found = summary(mapping, net, system, weight_bits=8)
        assert found["fits"] and found["cores_used"] >= found["cores_lower_bound"]
        assert sum(entry["neurons"] for entry in found["populations"] if entry["device"] == "chip") == net.neurons
