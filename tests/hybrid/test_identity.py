"""Whole tiny models: reference = fast = token by token = partitioned over any number of chips. No tolerance."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import quantize
from neurodeploy.frontends.families import read_graph
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.chip import Limit, SystemSpec
from neurodeploy.ir.graph import Graph
from neurodeploy.ir.program import Program
from neurodeploy.ops.host.kvcache import State
from partitioner.mapper import map_model
from partitioner.verify.violations import verify
from simulators import get_runner
from simulators.partitioned import PartitionedRunner
from targets.systems import get_system
from tests import models
from tests.islands import islands_of
from tests.networks.equality import same_result
from tests.prices import shard_counts, works

FAMILIES = ("llama", "gemma3", "llama4")
RELATIVES = ("qwen2", "qwen3", "mistral", "phi3", "smollm3", "gpt2")
#: Relatives of Llama are tried at one width of payloads: what differs is on the host.
WIDTHS = [(family, bits) for bits in (16, 12, 8) for family in FAMILIES] + [(family, 16) for family in RELATIVES]
MAPPED = [(family, name) for family in FAMILIES for name in ("oheo-gulch", "kapoho-point", "alia-point")]
MAPPED += [(family, "kapoho-point") for family in RELATIVES]
TOKENS = np.random.default_rng(7).integers(3, 256, 70)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@lru_cache(maxsize=8)
def converted(folder: Path, family: str, payload_bits: int) -> tuple[Graph, Program]:
    path = folder / f"{family}-{payload_bits}"
    graph = read_graph(models.save(family, path))
    text = np.random.default_rng(1).integers(3, 256, 300)
    return graph, quantize(graph, text, get_preset("default", payload_bits=payload_bits, window=100))


def logits(graph: Graph, program: Program, runner: str) -> torch.Tensor:
    return Hybrid(program, graph.weights, get_runner(runner)).forward(TOKENS)


@pytest.mark.parametrize(("family", "bits"), WIDTHS)
def test_runners_and_token_by_token_agree(folder: Path, family: str, bits: int) -> None:
    graph, program = converted(folder, family, bits)
    expected = Hybrid(program, graph.weights, get_runner("reference"))
    whole = expected.forward(TOKENS)
    fast = Hybrid(program, graph.weights, get_runner("fast"))
    assert torch.equal(whole, fast.forward(TOKENS))
    at_once, state = fast.take_counts(), State()
    single = torch.cat([fast.forward(TOKENS[i : i + 1], state) for i in range(TOKENS.size)])
    assert torch.equal(whole, single)
    one_by_one = fast.take_counts()
    for counts in (expected.take_counts(), one_by_one):
        assert counts.saturations == at_once.saturations
        for name, activity in at_once.segments.items():
            same_result(activity, counts.segments[name])


def test_two_threads_give_the_bits_of_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, program = converted(folder, "llama4", 16)
    one = logits(graph, program, "fast")
    monkeypatch.setattr("neurodeploy.machine.threads.GRAIN", 1)
    torch.set_num_threads(2)
    try:
        assert torch.equal(one, logits(graph, program, "fast"))
    finally:
        torch.set_num_threads(1)


def small_system(system: SystemSpec, chips: int, in_axons: int) -> SystemSpec:
    """A system whose cores are small enough that a tiny model spreads over many of them, columns split too."""
    budget = replace(
        system.chip.budget,
        synapse_bytes=Limit(2048, system.chip.budget.synapse_bytes.basis, "test"),
        in_axons=Limit(in_axons, system.chip.budget.in_axons.basis, "test"),
    )
    cores = 12 if chips > 1 else 4096
    chip = replace(system.chip, budget=budget, cores=cores)
    return replace(system, chips=chips, grid=(chips, 1), chip=chip)


@pytest.mark.parametrize(("family", "name"), MAPPED)
def test_any_mapping_gives_the_same_bits(folder: Path, family: str, name: str) -> None:
    """And counts taken shard by shard are those that the ledger derives from the island's own counts."""
    graph, program = converted(folder, family, 16)
    expected, system = logits(graph, program, "reference"), get_system(name)
    few = small_system(system, 32, 4096) if name == "kapoho-point" else small_system(system, system.chips, 40)
    for target in (system, few):
        mapping = map_model(program, target)
        assert verify(mapping, program, target) == []
        if target is few and name != "kapoho-point":
            assert any(shard.kind == "reducer" for shard in mapping.shards)
        runner = PartitionedRunner(mapping, target.chip)
        hybrid = Hybrid(program, graph.weights, runner)
        assert torch.equal(expected, hybrid.forward(TOKENS))
        counts = hybrid.take_counts()
        for work in works(program, counts, mapping, target):
            for shard, derived in shard_counts(work.table, mapping.by_island()[work.name]).items():
                direct = runner.shard_counts.get(shard)
                if direct is None:  # an expert without tokens
                    assert counts.segments[shard.island].ticks == 0
                    continue
                for count in ("synops", "neuron_updates", "messages_out"):
                    assert getattr(direct, count) == getattr(derived, count)


def test_experts_that_are_not_chosen_get_no_event(folder: Path) -> None:
    graph, program = converted(folder, "llama4", 16)
    hybrid = Hybrid(program, graph.weights, get_runner("fast"))
    hybrid.forward(TOKENS[:1])
    counts = hybrid.take_counts().segments
    inputs = [
        name for name, island in islands_of(program).items() if island.neurons.expert is not None and "gate" in name
    ]
    assert len(inputs) == 4
    chosen = [name for name in inputs if counts[name].ticks]
    assert len(chosen) == 1
    assert all(not counts[name].fired[f"{name}.input"]["s"].any() for name in inputs if name not in chosen)
