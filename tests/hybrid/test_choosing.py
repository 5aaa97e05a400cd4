"""The head chooses on the chip: ids of the largest logits leave, the same tokens as the host would take, on every runner."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from neurodeploy.conversion.choosing import choose, read_out
from neurodeploy.conversion.hollow import raised
from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import quantize
from neurodeploy.errors import UserError
from neurodeploy.frontends.families import read_graph
from neurodeploy.generation import generate
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.fixedpoint import STATE_MAX, Dyadic
from neurodeploy.ir.graph import Graph, ModelInfo
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population, Section
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode
from neurodeploy.neurons.registry import check_network
from neurodeploy.synapses import Dense
from partitioner.classify import CHOOSES, crossings
from partitioner.mapper import map_model
from partitioner.verify.violations import verify
from simulators import get_runner
from simulators.partitioned import PartitionedRunner
from targets.systems import get_system
from tests import models
from tests.hybrid.test_identity import small_system

TOKENS = np.random.default_rng(5).integers(3, 256, 24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@lru_cache(maxsize=16)
def converted(folder: Path, family: str, on_chip: str) -> tuple[Graph, Program]:
    """With all logits; an odd vocabulary, so that some nodes have fewer inputs."""
    path = folder / family
    if not path.exists():
        models.save(family, path, vocab_size=251)
    text = np.random.default_rng(1).integers(3, 251, 300)
    chosen = get_preset("default", on_chip=on_chip, rounding="nearest", window=100)
    graph = read_graph(path)
    return graph, quantize(graph, text, chosen)


def logits_of(graph: Graph, program: Program, name: str = "fast") -> torch.Tensor:
    return Hybrid(program, graph.weights, get_runner(name)).forward(TOKENS % 251)


CASES = [("llama", "all"), ("gemma3", "block"), ("llama4", "projections"), ("gpt2", "block")]


@pytest.mark.parametrize(("family", "on_chip"), CASES)
@pytest.mark.parametrize("count", [1, 3])
def test_what_leaves_are_the_largest_logits(folder: Path, family: str, on_chip: str, count: int) -> None:
    graph, program = converted(folder, family, on_chip)
    whole, chosen = logits_of(graph, program), choose(program, count)
    chosen.check()
    check_network(chosen.network)
    for runner in ("reference", "fast"):
        found = logits_of(graph, chosen, runner)
        order = whole.sort(dim=1, descending=True, stable=True)
        assert torch.equal(found.argmax(dim=1), whole.argmax(dim=1))
        kept = torch.isfinite(found)
        assert torch.equal(kept, torch.zeros_like(kept).scatter(1, order.indices[:, :count], True))
        if count > 1:
            assert torch.equal(found[kept], whole[kept])
    said = [
        generate(Hybrid(p, graph.weights, get_runner("fast")), TOKENS[:5].tolist(), 12).tokens
        for p in (program, chosen)
    ]
    assert said[0] == said[1]


def test_drawing_from_the_few_is_drawing_from_the_largest(folder: Path) -> None:
    graph, program = converted(folder, "llama", "all")
    few = choose(program, 4)
    said = [
        generate(
            Hybrid(p, graph.weights, get_runner("fast")), TOKENS[:5].tolist(), 12, temperature=2.0, top_k=k, seed=3
        ).tokens
        for p, k in ((program, 4), (few, 0), (few, 4))
    ]
    assert said[0] == said[1] == said[2] != generate(
        Hybrid(few, graph.weights, get_runner("fast")), TOKENS[:5].tolist(), 12
    ).tokens  # fmt: skip


@pytest.mark.parametrize("count", [1, 3])
def test_any_mapping_and_one_message_a_token(folder: Path, count: int) -> None:
    """The tree is cut over cores and chips; a token's crossing out is as many messages as ids, and logits, leave."""
    graph, program = converted(folder, "llama", "all")
    chosen = choose(program, count)
    wanted = logits_of(graph, chosen)
    one = small_system(get_system("oheo-gulch"), 1, 48)
    cores = map_model(chosen, one).cores_used
    for chips in (1, 8):
        few = replace(one, chips=chips, grid=(chips, 1), chip=replace(one.chip, cores=cores // chips + 4))
        mapping = map_model(chosen, few)
        assert verify(mapping, chosen, few) == [] and crossings(chosen, mapping.assignments) == 2
        runner = PartitionedRunner(mapping, few.chip)
        assert torch.equal(Hybrid(chosen, graph.weights, runner).forward(TOKENS % 251), wanted)
    behind = [a for a in mapping.assignments if a.reason == CHOOSES]
    assert len(behind) == len(chosen.behind_head)
    leaving = sum(a.bytes_per_token for a in behind)
    assert leaving == one.chip.formats["message_bytes"] * (1 if count == 1 else 2 * count)


def test_read_out_is_what_it_was_made_of(folder: Path) -> None:
    graph, program = converted(folder, "gemma3", "block")
    again = read_out(choose(program, 2))
    again.check()
    assert again.host == program.host and again.sizes == program.sizes and again.units == program.units
    assert again.network.populations == program.network.populations
    assert [p.name for p in again.network.projections] == [p.name for p in program.network.projections]
    assert torch.equal(logits_of(graph, again), logits_of(graph, program))
    assert read_out(program) is program
    assert raised(choose(program, 1)).network.populations.keys() == raised(program).network.populations.keys()


def test_it_is_refused_where_nothing_is_chosen(folder: Path) -> None:
    _, program = converted(folder, "gemma3", "block")
    with pytest.raises(UserError, match="ND1112"):
        choose(program, 251)
    with pytest.raises(UserError, match="ND1101"):
        get_preset("default", head_top=9)


def head_of(size: int) -> Program:
    """A head whose logits are its inputs."""
    source = Population("x", (size,), INPUT, {"bits": 24})
    part = (Section("head", 0, size, "head"),)
    head = Population("head", (size,), "graded_affine", {"multiplier": 1 << 14, "shift": 14}, sections=part)
    weights = Projection("x->head", "x", "head", Dense(np.eye(size, dtype=np.int8)), graded=True, instant=True)
    host = (Encode("given", "x", Dyadic(1, 0)), Decode("head", Dyadic(1, 0), ("logits",)))
    network = Network("head", {"x": source, "head": head}, (weights,), ("head",))
    info = ModelInfo("head", "", size, size, 1, 16, "")
    return Program(info, network, host, {"given": size, "logits": size}, "given", "logits")


@pytest.mark.parametrize("size", [2, 3, 5, 8, 13, 33])
def test_ties_zeros_and_extremes(size: int) -> None:
    """Of equal logits the lowest ids win; zeros send nothing and are compared all the same."""
    program = head_of(size)
    rng = np.random.default_rng(size)
    rows = [
        np.zeros(size), np.full(size, -STATE_MAX + 1), np.full(size, STATE_MAX), -np.arange(size), np.arange(size),
        *rng.integers(-2, 3, (20, size)), *rng.integers(-STATE_MAX, STATE_MAX, (20, size)),
    ]  # fmt: skip
    given = np.stack(rows).astype(np.int64)[:, None]
    for count in (1, min(3, size - 1)):
        chosen = choose(program, count)
        wanted = np.argsort(-given[:, 0], axis=1, kind="stable")[:, :count]
        for runner in ("reference", "fast"):
            result = get_runner(runner).run(chosen.network, {"x": given}, 1)
            outputs = [result.outputs[s.population][:, 0] for s in chosen.host if isinstance(s, Decode)]
            np.testing.assert_array_equal(outputs[0], wanted)
            if count > 1:
                np.testing.assert_array_equal(outputs[1], np.take_along_axis(given[:, 0], wanted, axis=1))
