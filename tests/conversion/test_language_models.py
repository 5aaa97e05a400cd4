"""Language models as integers: rounding, codes of inputs, whole programs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurodeploy.conversion.codes import InputMoments, choose_code, least_square_range
from neurodeploy.conversion.presets import PRESETS, Preset, get_preset
from neurodeploy.conversion.quantize import group_projections, quantize
from neurodeploy.conversion.rounding import compensation, round_compensated, round_nearest, row_scales
from neurodeploy.errors import UserError
from neurodeploy.frontends.families import read_graph
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.copies import island_name
from neurodeploy.ir.graph import Graph, Projection
from neurodeploy.ops.host.executor import Executor
from simulators import get_runner
from tests import models
from tests.islands import islands_of
from tests.refusals import refused


def correlated(tokens: int, columns: int, seed: int = 0) -> torch.Tensor:
    """Inputs like those of a language model: correlated, a few channels far above the rest."""
    mix = torch.randn(columns, columns, generator=torch.Generator().manual_seed(99)) / columns**0.5
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(tokens, columns, generator=generator) @ (mix + 0.5 * torch.eye(columns))
    x[:, :3] *= 40
    return x


def output_error(x: torch.Tensor, weight: torch.Tensor, integers: torch.Tensor, scale: torch.Tensor) -> float:
    real = integers.float() * scale[:, None]
    return float((x @ (real - weight).T).square().sum() / (x @ weight.T).square().sum())


@pytest.mark.parametrize(("block", "share"), [(2048, 0.2), (32, 0.95)])
def test_compensated_rounding_beats_rounding_to_nearest(block: int, share: float) -> None:
    x, held = correlated(2000, 96), correlated(500, 96, seed=1)
    weight = torch.randn(40, 96, generator=torch.Generator().manual_seed(2))
    parts = [x[:, start : start + block] for start in range(0, 96, block)]
    moments = [part.T @ part for part in parts]
    scale = row_scales(weight, 127, None)
    blocks = compensation(moments, x.shape[0], 0.01)
    nearest = output_error(held, weight, round_nearest(weight, scale, 127), scale)
    better = output_error(held, weight, round_compensated(weight, scale, 127, blocks), scale)
    assert better < share * nearest


@pytest.mark.parametrize(
    ("rows", "columns", "moments", "tokens"),
    [(8, 50, torch.eye(50) * 100, 100), (4, 10, torch.zeros(10, 10), 0)],
    ids=["uncorrelated inputs", "silent inputs"],
)
def test_where_nothing_is_to_compensate_it_is_rounding_to_nearest(
    rows: int, columns: int, moments: torch.Tensor, tokens: int
) -> None:
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
    scale = row_scales(weight, 127, None if tokens else torch.zeros(columns))
    blocks = compensation([moments], tokens, 0.01)
    assert torch.equal(round_compensated(weight, scale, 127, blocks), round_nearest(weight, scale, 127))


def test_row_scales_hold_the_row_and_survive_zero_rows() -> None:
    weight = torch.tensor([[0.0, 0.0], [1.0, -2.54]])
    scale = row_scales(weight, 127, None)
    assert bool((scale > 0).all())
    assert float(scale[1]) == pytest.approx(2.54 / 127)
    integers = round_nearest(weight, scale, 127)
    np.testing.assert_array_equal(integers.numpy(), [[0, 0], [50, -127]])


TIGHT = Preset("t", headroom=1.0)


def peaks(loud: dict[int, float]) -> np.ndarray:
    """Of 64 channels, 1 but for the loud ones."""
    return np.array([loud.get(channel, 1.0) for channel in range(64)], np.float32)


@pytest.mark.parametrize(
    ("ranges", "preset", "wide", "narrow_scale"),
    [
        (np.linspace(1, 2, 64, dtype=np.float32), TIGHT, [], 2 / 32767),
        (peaks({5: 200.0, 40: 200.0}), TIGHT, [5, 40], 1 / 32767),
        (peaks({0: 200.0}), PRESETS["naive"], [], 200 / 32767),
    ],
    ids=["no outliers", "outliers become wide axons and free the rest", "wide axons turned off"],
)
def test_codes_of_inputs(ranges: np.ndarray, preset: Preset, wide: list[int], narrow_scale: float) -> None:
    code = choose_code(ranges, preset)
    assert np.flatnonzero(code.axon_shift).tolist() == wide
    assert code.scale.value == pytest.approx(narrow_scale)
    assert all(code.steps()[channel] == np.float32(256 * code.scale.value) for channel in wide)


def test_codes_at_the_ends_of_the_range() -> None:
    """With an outlier 1000 times the rest the narrow scale grows until 8 bits of exponent hold it; silence has a scale."""
    assert choose_code(peaks({0: 1000.0}), TIGHT).steps()[0] * 32767 >= 1000 * (1 - 1e-6)
    code = choose_code(np.zeros(64, np.float32), Preset("t"))
    assert code.scale.value > 0 and not code.axon_shift.any()


def test_least_square_range_clips_what_is_rare() -> None:
    random = np.random.default_rng(0)
    sample = np.abs(random.standard_normal(20000)).astype(np.float32)
    sample[0] = 30.0
    assert least_square_range(sample, 7) < 10 < least_square_range(sample, 32767)


def test_range_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = InputMoments(4, 2)
    x = torch.tensor([[1.0, -2.0, 0.5, 100.0]] + [[0.1, 0.1, 0.1, 0.1]] * 999)
    moments.add(x, moments=True)
    assert moments.tokens == 1000
    np.testing.assert_array_equal(moments.channel_range(Preset("t")), [1.0, 2.0, 0.5, 100.0])
    clipped = moments.channel_range(Preset("t", input_range="percentile", percentile=90.0))
    assert clipped.max() == pytest.approx(0.1)
    assert moments.blocks[0].shape == (2, 2)
    np.testing.assert_allclose(moments.blocks[1].numpy(), (x[:, 2:].T @ x[:, 2:]).numpy())


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("default", {"payload_bits": 25}, ""), ("default", {"weight_bits": 9}, ""), ("default", {"rounding": "up"}, ""),
        ("default", {"headroom": 0.5}, ""), ("default", {"input_range": "x"}, ""), ("best", {}, "graded-12"),
        ("default", {"site_error": 0.0}, ""),
    ],
)  # fmt: skip
def test_impossible_choices_are_refused(name: str, change: dict[str, object], says: str) -> None:
    refused(UserError, f"ND1101 .*{says}", get_preset, name, **change)


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


@pytest.mark.parametrize("input_range", ["percentile", "mse", "axon"])
def test_other_ranges_run(graphs: dict[str, Graph], input_range: str) -> None:
    assert sqnr(graphs["llama"], "default", input_range=input_range) > 20


def test_same_input_same_program(graphs: dict[str, Graph]) -> None:
    first, second = (quantize(graphs["llama4"], TEXT, get_preset("default", window=100)) for _ in range(2))
    for name, island in islands_of(first).items():
        other = islands_of(second)[name]
        np.testing.assert_array_equal(island.synapses.synapse.weight, other.synapses.synapse.weight)
        np.testing.assert_array_equal(island.neurons.params["multiplier"], other.neurons.params["multiplier"])
        assert (island.encode.scale, island.decode.scale) == (other.encode.scale, other.decode.scale)
    assert first.conversion == second.conversion


def test_every_projection_is_on_an_island_once_and_a_store_sees_it(graphs: dict[str, Graph]) -> None:
    for graph in graphs.values():
        seen: list[str] = []
        options = {"store": lambda name, build, seen=seen: seen.append(name) or build()}
        program = quantize(graph, TEXT[:64], get_preset("quick", window=32), **options)
        assert seen == list(islands_of(program))
        parts = [part.path for island in islands_of(program).values() for part in island.neurons.sections]
        assert sorted(parts) == sorted(p.path for p in graph.projections())
        assert len(program.conversion["sites"]) == len(parts)  # type: ignore[arg-type]


def test_experts_without_tokens_are_calibrated_on_borrowed_ones(graphs: dict[str, Graph]) -> None:
    program = quantize(graphs["llama4"], TEXT[:40], get_preset("default", window=40))
    assert program.conversion["borrowed_expert_inputs"]
    for island in islands_of(program).values():
        assert island.encode.scale.value > 0


def test_projections_of_one_population_share_an_island(graphs: dict[str, Graph]) -> None:
    groups = [unit for unit in group_projections(graphs["llama"]) if isinstance(unit, list)]
    names = [island_name([p.path for p in unit]) for unit in groups]
    assert names[:4] == [
        "layers.0.self_attn.q_k_v", "layers.0.self_attn.o_proj", "layers.0.mlp.gate_up", "layers.0.mlp.down_proj",
    ]  # fmt: skip
    assert all(len({p.input for p in unit}) == 1 for unit in groups)
    assert all(isinstance(p, Projection) for unit in groups for p in unit)


def test_a_short_text_is_refused(graphs: dict[str, Graph]) -> None:
    refused(UserError, "ND1102", quantize, graphs["llama"], TEXT[:15], get_preset("default"))
