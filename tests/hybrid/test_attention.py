"""Attention on the chip: two crossings a token, the same bits whoever runs it and however, resumed too; its memory."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from neurodeploy.bundle.state_files import read_kept, write_state
from neurodeploy.conversion.prefix import with_prefix
from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import quantize
from neurodeploy.frontends.families import read_graph
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.graph import Graph
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts
from neurodeploy.neurons.registry import state_bytes
from neurodeploy.ops.host.executor import Executor
from neurodeploy.ops.host.kvcache import State
from partitioner.classify import crossings
from partitioner.mapper import map_model
from partitioner.verify.violations import verify
from simulators import get_runner
from simulators.partitioned import PartitionedRunner
from targets.systems import get_system
from tests import models
from tests.hybrid.test_blocks import TOKENS, run, same
from tests.hybrid.test_identity import small_system

FAMILIES = ("llama", "gemma3", "llama4", "qwen3", "gpt2")
#: Shorter than the text, so that full layers give way.
CONTEXT = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@lru_cache(maxsize=8)
def converted(folder: Path, family: str, context: int = CONTEXT, kv_bits: int = 16) -> tuple[Graph, Program]:
    graph = read_graph(models.save(family, folder / f"{family}{context}{kv_bits}"))
    text = np.random.default_rng(1).integers(3, 256, 300)
    chosen = get_preset("default", on_chip="all", context=context, kv_bits=kv_bits, rounding="nearest", window=100)
    return graph, quantize(graph, text, chosen)


@lru_cache(maxsize=8)
def expected(folder: Path, family: str) -> tuple[torch.Tensor, ActivityCounts]:
    return run(*converted(folder, family), get_runner("reference"))


@pytest.mark.parametrize("family", FAMILIES)
def test_two_crossings_a_token(folder: Path, family: str) -> None:
    graph, program = converted(folder, family)
    left = {op.op for op in program.operations}
    assert left <= {"embedding", "position_embedding", "rope_angles", "position_factor"}
    mapping = map_model(program, small_system(get_system("oheo-gulch"), 1, 48))
    assert crossings(program, mapping.assignments) == 2
    assert program.info.max_positions == CONTEXT < graph.info.max_positions


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("parts", [1, 3, TOKENS.size])
def test_fast_at_once_in_parts_and_token_by_token(folder: Path, family: str, parts: int) -> None:
    same(expected(folder, family), run(*converted(folder, family), get_runner("fast"), parts))


@pytest.mark.parametrize("family", FAMILIES)
def test_any_mapping(folder: Path, family: str) -> None:
    """Over 1, 8 and 32 chips whose cores hold little: heads are cut, and what they remember with them."""
    graph, program = converted(folder, family)
    one = small_system(get_system("oheo-gulch"), 1, 48)
    cores = map_model(program, one).cores_used
    for chips in (1, 8, 32):
        few = replace(one, chips=chips, grid=(chips, 1), chip=replace(one.chip, cores=cores // chips + 2))
        mapping = map_model(program, few)
        assert verify(mapping, program, few) == [] and mapping.chips_used > chips // 2
        same(expected(folder, family), run(graph, program, PartitionedRunner(mapping, few.chip)))


def test_a_context_that_is_too_short_is_counted(folder: Path) -> None:
    """Each key and value that gave way, in the layers that see all: none of Gemma's sliding one."""
    for family, layers in (("llama", 2), ("gemma3", 1)):
        wrapped = [activity.wrapped for activity in expected(folder, family)[1].segments.values()]
        assert sum(sum(found.values()) for found in wrapped) == layers * (TOKENS.size - CONTEXT) * 2 * 2 * 16


@pytest.mark.parametrize(("kv_bits", "most"), [(8, 3e-4), (16, 1e-4)])
def test_it_costs_no_accuracy(folder: Path, kv_bits: int, most: float) -> None:
    """The divergence from float, in nats a token: weights rounded to nearest cost 3e-5 to 9e-5 here."""
    graph, program = converted(folder, "gemma3", 128, kv_bits)
    sizes = {name: population.size for name, population in graph.populations.items()}
    wanted = Executor(graph.ops, graph.weights, sizes).forward(TOKENS).double().log_softmax(1)
    found = Hybrid(program, graph.weights, get_runner("fast")).forward(TOKENS).double().log_softmax(1)
    assert float((wanted.exp() * (wanted - found)).sum(1).mean()) < most


@pytest.mark.parametrize("family", FAMILIES)
def test_a_state_on_the_disk_goes_on_with_the_same_bits(folder: Path, family: str, tmp_path: Path) -> None:
    graph, program = converted(folder, family)
    hybrid, state = Hybrid(program, graph.weights, get_runner("fast")), State()
    first = hybrid.forward(TOKENS[:35], state)
    assert state.chip is not None
    write_state(tmp_path / "state.npz", replace(state.chip, host=(state,)), "digest")
    kept, _ = read_kept(tmp_path / "state.npz", program.network, "digest", program.operations)
    again = State(kept.step, {}, replace(kept, host=()))
    rest = Hybrid(program, graph.weights, get_runner("reference")).forward(TOKENS[35:], again)
    assert torch.equal(torch.cat([first, rest]), expected(folder, family)[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prefix_is_what_a_memory_begins_with(folder: Path, family: str, tmp_path: Path) -> None:
    """Constant tokens before every text: rows of the image, at the same codes; one bits for all, and what a token gives that
    was read instead (to the rounding of its key and value)."""
    graph = read_graph(models.save(family, folder / f"{family} prefix"))
    begun, text = with_prefix(graph, [5, 9]), np.random.default_rng(1).integers(3, 256, 300)
    chosen = get_preset("default", on_chip="all", context=64, rounding="nearest", window=100)
    program = quantize(begun, text, chosen)
    rows = {len(p.initial["key"]) for p in program.network.populations.values() if p.model == "graded_attention"}
    assert rows == {2} and not any(op.op == "attention" for op in program.operations)
    wanted = run(begun, program, get_runner("reference"))
    for parts in (1, 3, TOKENS.size):
        same(wanted, run(begun, program, get_runner("fast"), parts))
    mapping = map_model(program, small_system(get_system("oheo-gulch"), 1, 48))
    same(wanted, run(begun, program, PartitionedRunner(mapping, get_system("oheo-gulch").chip)))
    whole = Executor(graph.ops, graph.weights, program.sizes).forward(np.array([5, 9, *TOKENS]))[2:]
    alone = Executor(graph.ops, graph.weights, program.sizes).forward(TOKENS)
    assert (wanted[0] - whole).square().mean() < 0.05 * (alone - whole).square().mean()
    hybrid, state = Hybrid(program, begun.weights, get_runner("fast")), State()
    hybrid.forward(TOKENS[:7], state)
    assert state.chip is not None and state.position == state.chip.step == 9
    write_state(tmp_path / "state.npz", replace(state.chip, host=(state,)), "digest")
    kept, _ = read_kept(tmp_path / "state.npz", program.network, "digest", program.operations)
    assert torch.equal(hybrid.forward(TOKENS[7:], State(kept.step, {}, replace(kept, host=()))), wanted[0][7:])


def test_longer_contexts_take_more_memory(folder: Path) -> None:
    """K and V of 2 heads of 16, of 2 bytes, shared by 64 neurons: 2 bytes a position and neuron; a window takes its own."""
    of = {
        context: {
            name: state_bytes(population)
            for name, population in converted(folder, "gemma3", context)[1].network.populations.items()
            if population.model == "graded_attention"
        }
        for context in (CONTEXT, 128)
    }
    sliding, full = sorted(of[128])
    assert of[128][sliding] - of[CONTEXT][sliding] == 0
    assert of[128][full] - of[CONTEXT][full] == 2 * (128 - CONTEXT)
