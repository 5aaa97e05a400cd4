"""Whole blocks on the chip: reference = fast = token by token = partitioned over any number of chips. No tolerance."""

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
from neurodeploy.frontends.packaged import resolve
from neurodeploy.frontends.tokenizer_choice import read_tokenizer
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.chip import Limit
from neurodeploy.ir.graph import Graph
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, Runner
from neurodeploy.ops.host.kvcache import State
from neurodeploy.pipeline.checkpoint import DEFAULT_CALIBRATION
from partitioner.mapper import map_model
from partitioner.verify.violations import verify
from simulators import get_runner
from simulators.partitioned import PartitionedRunner
from targets.systems import get_system
from tests import models
from tests.hybrid.test_identity import small_system
from tests.networks.equality import same_result

FAMILIES = ("llama", "gemma3", "llama4", "qwen3", "gpt2")
TOKENS = np.random.default_rng(7).integers(3, 256, 40)
REAL = ("smollm2-135m", "gemma3-270m")
#: What reads the norm behind the first block: it stands for the head.
NEXT = "layers.1.self_attn.q_proj"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@lru_cache(maxsize=8)
def converted(folder: Path, family: str) -> tuple[Graph, Program]:
    graph = read_graph(models.save(family, folder / family))
    text = np.random.default_rng(1).integers(3, 256, 300)
    return graph, quantize(graph, text, get_preset("default", on_chip="block", window=100))


@lru_cache(maxsize=8)
def expected(folder: Path, family: str) -> tuple[torch.Tensor, ActivityCounts]:
    return run(*converted(folder, family), get_runner("reference"))


def run(graph: Graph, program: Program, runner: Runner, parts: int = 1) -> tuple[torch.Tensor, ActivityCounts]:
    """All tokens at once, or in so many parts with the state between them."""
    hybrid, state = Hybrid(program, graph.weights, runner), State()
    found = torch.cat([hybrid.forward(part, state) for part in np.array_split(TOKENS, parts)])
    return found, hybrid.take_counts()


def same(one: tuple[torch.Tensor, ActivityCounts], other: tuple[torch.Tensor, ActivityCounts]) -> None:
    """Logits, and events, wraps and clips of every population."""
    assert torch.equal(one[0], other[0])
    assert one[1].saturations == other[1].saturations
    for name, activity in one[1].segments.items():
        same_result(activity, other[1].segments[name])


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_on_the_chip(folder: Path, family: str) -> None:
    """The residual stream passes the border with no norm, gate or sum: such a model would hide what these tests are for."""
    graph, program = converted(folder, family)
    left = {op.op for op in program.operations}
    norms = (
        {"layernorm"} if family == "llama4" else {"layernorm", "rmsnorm"}
    )  # Llama 4 has norms between RoPE and attention
    assert not left & {"glu", "add", "activation", *norms}
    assert len(program.operations) < len([op for op in graph.ops if hasattr(op, "op")]) - 4


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("parts", [1, 3, TOKENS.size])
def test_fast_at_once_in_parts_and_token_by_token(folder: Path, family: str, parts: int) -> None:
    same(expected(folder, family), run(*converted(folder, family), get_runner("fast"), parts))


@pytest.mark.parametrize("family", FAMILIES)
def test_any_mapping(folder: Path, family: str) -> None:
    """Over 1, 8 and 32 chips whose cores hold little, so that populations are cut, columns too."""
    graph, program = converted(folder, family)
    one = small_system(get_system("oheo-gulch"), 1, 48)
    cores = map_model(program, one).cores_used
    for chips in (1, 8, 32):
        few = replace(one, chips=chips, grid=(chips, 1), chip=replace(one.chip, cores=cores // chips + 2))
        mapping = map_model(program, few)
        assert verify(mapping, program, few) == []
        assert mapping.chips_used > chips // 2 and any(shard.kind == "reducer" for shard in mapping.shards)
        same(expected(folder, family), run(graph, program, PartitionedRunner(mapping, few.chip)))


def test_two_threads_give_the_bits_of_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurodeploy.machine.threads.GRAIN", 1)
    torch.set_num_threads(2)
    try:
        found = run(*converted(folder, "llama4"), get_runner("fast"))
    finally:
        torch.set_num_threads(1)
    same(expected(folder, "llama4"), found)


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize(
    ("kept", "left"),
    [
        ({"on_chip": "block"}, {"embedding", "rope", "attention"}),
        ({"on_chip": "all", "context": 64, "kv_bits": 8}, {"embedding", "rope_angles"}),
    ],
    ids=["block", "all"],
)
def test_a_block_of_a_real_model(name: str, kept: dict[str, object], left: set[str]) -> None:
    """Its first, and a matrix behind it; the first token, which has massive activations, included."""
    path = resolve(name)
    graph = read_graph(path)
    last = next(i for i, op in enumerate(graph.ops) if op.path == NEXT)
    graph = replace(graph, ops=graph.ops[: last + 1], output=graph.ops[last].outputs[0])
    tokenizer = read_tokenizer(path, graph.info.vocab_size)
    tokens = np.array(tokenizer.encode(DEFAULT_CALIBRATION.read_text(), bos=tokenizer.adds_bos)[:1024])
    program = quantize(graph, tokens, get_preset("default", **kept))
    assert {op.op for op in program.operations} <= left
    text = tokens[:12]
    wanted = Hybrid(program, graph.weights, get_runner("reference")).forward(text)
    fast = Hybrid(program, graph.weights, get_runner("fast"))
    assert torch.equal(wanted, fast.forward(text))
    state = State()
    assert torch.equal(wanted, torch.cat([fast.forward(text[i : i + 1], state) for i in range(text.size)]))
    one = get_system("oheo-gulch")
    little = replace(one.chip.budget, synapse_bytes=Limit(1 << 15, one.chip.budget.synapse_bytes.basis, "test"))
    whole = replace(one, chip=replace(one.chip, cores=4096, budget=little))
    cores = map_model(program, whole).cores_used
    for chips in (1, 8, 32):
        spread = replace(whole, chips=chips, grid=(chips, 1), chip=replace(whole.chip, cores=cores // chips + 2))
        mapping = map_model(program, spread)
        assert verify(mapping, program, spread) == [] and mapping.chips_used > chips // 2
        runner = PartitionedRunner(mapping, spread.chip)
        assert torch.equal(wanted, Hybrid(program, graph.weights, runner).forward(text))
