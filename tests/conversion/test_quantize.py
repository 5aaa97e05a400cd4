from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import group_projections, layer_name, quantize
from neurodeploy.errors import UserError
from neurodeploy.frontends.families import read_graph
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.graph import Graph, Projection
from neurodeploy.ops.host.executor import Executor
from simulators import get_runner
from tests import models

TEXT = np.random.default_rng(0).integers(3, 256, 400)
OTHER = np.random.default_rng(1).integers(3, 256, 80)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Graph]:
    folder = tmp_path_factory.mktemp("models")
    changes = {"llama": {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False}}
    families = ("llama", "gemma3", "llama4")
    return {f: read_graph(models.save(f, folder / f, **changes.get(f, {}))) for f in families}


def float_logits(graph: Graph, tokens: np.ndarray) -> torch.Tensor:
    sizes = {name: population.size for name, population in graph.populations.items()}
    with torch.no_grad():
        return Executor(graph.ops, graph.weights, sizes).forward(tokens)


def sqnr(graph: Graph, preset: str, **changes: object) -> float:
    program = quantize(graph, TEXT, get_preset(preset, window=100, **changes))
    hybrid = Hybrid(program, graph.weights, get_runner("fast"))
    wanted, found = float_logits(graph, OTHER), hybrid.forward(OTHER)
    assert hybrid.take_counts().saturations < 20
    return float(10 * torch.log10(wanted.square().sum() / (wanted - found).square().sum()))


@pytest.mark.parametrize("family", ["llama", "gemma3", "llama4"])
def test_the_default_beats_the_naive_trial_and_more_bits_beat_fewer(graphs: dict[str, Graph], family: str) -> None:
    graph = graphs[family]
    default = sqnr(graph, "default")
    assert default > 30
    assert default > sqnr(graph, "naive") - 0.5
    assert default > sqnr(graph, "graded-8") + 3
    assert sqnr(graph, "default", weight_bits=4) < default - 6


@pytest.mark.parametrize("input_range", ["percentile", "mse"])
def test_other_ranges_run(graphs: dict[str, Graph], input_range: str) -> None:
    assert sqnr(graphs["llama"], "default", input_range=input_range) > 20


def test_same_input_same_program(graphs: dict[str, Graph]) -> None:
    first, second = (quantize(graphs["llama4"], TEXT, get_preset("default", window=100)) for _ in range(2))
    for name, island in first.islands.items():
        other = second.islands[name]
        np.testing.assert_array_equal(island.synapses.weight, other.synapses.weight)
        np.testing.assert_array_equal(island.neurons.multiplier, other.neurons.multiplier)
        assert (island.input_scale, island.output_scale) == (other.input_scale, other.output_scale)
    assert first.conversion == second.conversion


def test_every_projection_is_on_an_island_once(graphs: dict[str, Graph]) -> None:
    for graph in graphs.values():
        program = quantize(graph, TEXT[:64], get_preset("quick", window=32))
        parts = [part.path for island in program.islands.values() for part in island.slices]
        assert sorted(parts) == sorted(p.path for p in graph.projections())
        assert len(program.conversion["sites"]) == len(parts)  # type: ignore[arg-type]


def test_experts_without_tokens_are_calibrated_on_borrowed_ones(graphs: dict[str, Graph]) -> None:
    program = quantize(graphs["llama4"], TEXT[:40], get_preset("default", window=40))
    assert program.conversion["borrowed_expert_inputs"]
    for island in program.islands.values():
        assert island.input_scale.value > 0


def test_projections_of_one_population_share_an_island(graphs: dict[str, Graph]) -> None:
    groups = [unit for unit in group_projections(graphs["llama"]) if isinstance(unit, list)]
    names = [layer_name(unit) for unit in groups]
    assert names[:4] == [
        "layers.0.self_attn.q_k_v", "layers.0.self_attn.o_proj", "layers.0.mlp.gate_up", "layers.0.mlp.down_proj",
    ]  # fmt: skip
    assert all(len({p.input for p in unit}) == 1 for unit in groups)
    assert all(isinstance(p, Projection) for unit in groups for p in unit)


def test_a_store_sees_every_island(graphs: dict[str, Graph], tmp_path: Path) -> None:
    seen = []
    program = quantize(
        graphs["gemma3"],
        TEXT[:64],
        get_preset("quick", window=32),
        store=lambda name, build: seen.append(name) or build(),
    )
    assert seen == list(program.islands)


def test_a_short_text_is_refused(graphs: dict[str, Graph]) -> None:
    with pytest.raises(UserError, match="ND1102"):
        quantize(graphs["llama"], TEXT[:15], get_preset("default"))
