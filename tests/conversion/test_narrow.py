"""Weights of few bits and those of a quantised file, against gguf-py and float64, through the whole chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize, quantize

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.bundle.nir_graph import scales_of
from neurodeploy.conversion.bits import GRIDS, Choice, allocate
from neurodeploy.conversion.groups import CONSTANT_BITS, GroupGrid, InGroups, ranges, relative_error
from neurodeploy.conversion.keep import kept_grid, units_of
from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import quantize as convert
from neurodeploy.conversion.rounding import compensation
from neurodeploy.errors import UserError
from neurodeploy.frontends.families import read_graph
from neurodeploy.frontends.gguf_blocks import LAYOUTS, grid_of
from neurodeploy.frontends.packaged import resolve
from neurodeploy.ir.graph import Graph, Projection
from neurodeploy.synapses import Dense, Grouped
from neurodeploy.synapses.linear import linear_layers
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.verify.violations import verify
from simulators.fast.runner import FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests import gguf_files, models
from tests.networks.equality import same_result
from tests.refusals import refused

IDS = np.random.default_rng(4).integers(0, 256, 96)
ANY = Projection("p", "x", "y", 96, 24, "w")


def drawn(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    """With rows and groups of very different size."""
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, generator=draw)
    return weight * torch.exp(torch.randn(rows, 1, generator=draw)) * (1 + torch.arange(columns) // 32)


def in_groups(
    weight: torch.Tensor, grid: GroupGrid, blocks: list[Any] | None = None
) -> tuple[torch.Tensor, Grouped, torch.Tensor]:
    """Real weights, synapses, units; of all rows at once."""
    form = InGroups(tuple(weight.shape), grid, None, blocks or [])
    unit = form.units(ANY, 0, weight)
    real, synapse = form.rounded(ANY, 0, weight, unit), form.synapse()
    assert isinstance(synapse, Grouped)
    return real, synapse, unit


@pytest.mark.parametrize("columns", [96, 80])
def test_a_group_is_a_factor_and_an_offset_of_few_bits(columns: int) -> None:
    weight = drawn(24, columns)
    real, synapse, unit = in_groups(weight, GroupGrid(4, 32))
    assert not synapse.problem() and synapse.groups == 3
    assert synapse.multiplier.min() >= 1 and synapse.multiplier.max() == 127
    lowest = np.gcd.reduce(synapse.offset.astype(np.int64), axis=1)
    assert np.abs(synapse.offset).max(axis=1).max() > 255 and CONSTANT_BITS == 16
    for offsets, step in zip(synapse.offset, lowest, strict=True):
        power = int(step) & -int(step)
        assert np.abs(offsets).max() <= 255 * power
    assert synapse.weight.min() == 0 and synapse.weight.max() == 15
    again = synapse.matrix().astype(np.float64) * unit.double().numpy()[:, None]
    np.testing.assert_allclose(real.numpy(), again, rtol=1e-6, atol=0)
    step = synapse.multiplier.repeat(32, axis=1)[:, :columns] * unit.numpy()[:, None]
    inside = np.abs(real.numpy() - weight.numpy()) <= 0.51 * step
    assert inside.mean() > 0.9  # the others were clipped because that lowers the error


def test_compensation_helps_groups_too() -> None:
    draw = torch.Generator().manual_seed(1)
    mix = torch.randn(96, 96, generator=draw) / 10 + torch.eye(96)
    x, held = (torch.randn(n, 96, generator=draw) @ mix for n in (3000, 500))
    weight = drawn(24, 96)
    errors = []
    for blocks in ([], compensation([x.T @ x], 3000, 0.01)):
        real = in_groups(weight, GroupGrid(4, 32), blocks)[0]
        errors.append(float((held @ (real - weight).T).square().sum()))
    assert errors[1] < 0.85 * errors[0]


def test_the_grid_of_a_file_is_found_again() -> None:
    """Weights that were rounded as Q4_1 lie on a grid of the same groups; the integers are found, constants have 7 bits."""
    blocks = quantize(drawn(16, 128).numpy(), GGMLQuantizationType.Q4_1)
    weight = torch.from_numpy(dequantize(blocks, GGMLQuantizationType.Q4_1))
    step, low, error = ranges(weight, GroupGrid(4, 32), torch.ones(128))
    held = grid_of("Q4_1", blocks)
    assert held is not None and float(error.max()) < 1e-6 * float(weight.square().sum())
    np.testing.assert_allclose(step.numpy(), held.scale, rtol=1e-3)
    np.testing.assert_allclose(low.numpy(), held.offset, rtol=1e-3, atol=1e-6)
    assert relative_error(weight.numpy(), GroupGrid(4, 32)) < 1e-6 < relative_error(weight.numpy(), GroupGrid(4, 64))


def test_a_budget_is_kept_and_spent_where_it_saves_most() -> None:
    """By hand: b saves a hundred times what a does, c is too large for what is left."""
    halves = 2.0 ** -np.arange(len(GRIDS))
    choices = [
        Choice("a", 1000, tuple(halves)),
        Choice("b", 1000, tuple(100 * halves)),
        Choice("c", 10**6, tuple(halves)),
    ]
    least, extra = GRIDS[0].bits_a_weight, GRIDS[-1].bits_a_weight - GRIDS[0].bits_a_weight
    budget = least + extra * 1000 / 1_002_000
    found = allocate(choices, budget)
    spent = sum(choice.size * found[choice.path].bits_a_weight for choice in choices)
    assert spent <= budget * 1_002_000 and found["c"] == GRIDS[0]
    assert found["b"] == GRIDS[-1] and found["a"] == GRIDS[0]
    assert set(allocate(choices, 4.0).values()) == {GRIDS[0]}
    assert set(allocate(choices, 8.0).values()) == {GRIDS[-1]}


def random_blocks(kind: str, rows: int, count: int) -> np.ndarray:
    """Bytes of any content, with real constants that are ordinary numbers."""
    layout, draw = LAYOUTS[kind], np.random.default_rng(7)
    assert GGML_QUANT_SIZES[GGMLQuantizationType[kind]] == (layout.weights, layout.bytes)
    data = draw.integers(0, 256, (rows, count, layout.bytes)).astype(np.uint8)
    places = {"Q4_1": (0, 2), "Q5_1": (0, 2), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}.get(kind, (0,))
    for place in places:
        real = draw.uniform(-0.3, 0.3, (rows, count, 1)).astype(np.float16)
        data[:, :, place : place + 2] = real.view(np.uint8)
    return data.reshape(rows, -1)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_integers_and_constants_of_blocks_are_those_that_the_library_multiplies_out(kind: str) -> None:
    data = random_blocks(kind, 5, 3)
    grid = grid_of(kind, data)
    assert grid is not None and grid.codes.shape == (5, 3 * LAYOUTS[kind].weights)
    of = np.arange(grid.codes.shape[1]) // grid.group
    exact = grid.scale[:, of] * grid.codes + grid.offset[:, of]
    wanted = dequantize(data, GGMLQuantizationType[kind])
    largest = np.abs(grid.scale[:, of] * grid.codes) + np.abs(grid.offset[:, of])
    assert (np.abs(exact - wanted) <= 2.0**-23 * largest).all()
    each = 8 * LAYOUTS[kind].bytes / LAYOUTS[kind].weights
    assert grid.bits + grid.constant_bits / grid.group == each


#: What each matrix of the tiny model is stored as; of no entry as real numbers.
TYPES = {
    "attn_q": "Q4_1", "attn_k": "Q5_0", "attn_v": "Q8_0", "attn_output": "Q4_0", "ffn_gate": "Q5_1", "ffn_up": "Q5_1",
    "token_embd": "Q8_0",
}  # fmt: skip


def quantised(path: Path) -> Path:
    """A tiny Llama as llama.cpp would quantise it, ffn_down left in real numbers."""
    model = models.make("llama")
    writer = GGUFWriter(path, "llama")
    for key, value in {**gguf_files.settings_of(model.config)}.items():
        (writer.add_float32 if isinstance(value, float) else writer.add_uint32)(f"llama.{key}", value)
    writer.add_uint32("tokenizer.ggml.bos_token_id", 2)
    for name, array in gguf_files.tensors_of(model).items():
        part = next((part for part in TYPES if part in name), None)
        if part is None or array.ndim < 2:
            writer.add_tensor(name, array)
        else:
            kind = GGMLQuantizationType[TYPES[part]]
            writer.add_tensor(name, quantize(array, kind), raw_dtype=kind)
    return gguf_files.finish(path, writer, {})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quantised(tmp_path_factory.mktemp("kept") / "tiny.gguf")


def converted(graph: Graph, preset: str) -> tuple[Any, dict[str, Any]]:
    program = convert(graph, IDS, get_preset(preset, calibration_tokens=96, window=48))
    return program, {site["path"]: site for site in program.conversion["sites"]}


def test_what_is_kept_is_exactly_what_the_file_holds(file: Path) -> None:
    """Weights times their units, in float64, are scale times integer plus offset of each block; q and k are interleaved in
    the file. The layer of three types has the widest integers of them."""
    graph = read_graph(file)
    program, sites = converted(graph, "keep")
    seen = set()
    for layer in linear_layers(program):
        synapse, neurons = layer.synapses.synapse, layer.neurons
        real = {part.path: (part.start, part.stop) for part in neurons.sections}
        if not isinstance(synapse, Grouped):
            assert all(path.endswith("down_proj") for path in real)
            continue
        multiplier = np.broadcast_to(np.asarray(neurons.params["multiplier"]).astype(np.int64), (neurons.size,))
        assert ((multiplier & (multiplier - 1)) == 0).all()  # powers of two: a shift, and nothing is rounded
        unit = np.ldexp(
            multiplier.astype(float), -neurons.params["shift"].astype(int) - int(neurons.params["acc_shift"])
        )
        unit *= layer.decode.scale.value / layer.encode.scale.value
        weight = synapse.matrix() * unit[:, None]
        for path, (start, stop) in real.items():
            projection = next(p for p in graph.projections() if p.path == path)
            np.testing.assert_array_equal(weight[start:stop].astype(np.float32), graph.weights.get(projection.weight))
            assert sites[path]["rounding"].startswith("kept Q"), path
            seen.add(sites[path]["rounding"])
    assert seen == {f"kept {kind}" for kind in TYPES.values()}
    assert sites["layers.0.self_attn.o_proj"]["bits_a_weight"] == 4.5
    assert sites["layers.0.mlp.gate_proj"]["bits_a_weight"] == 6.0
    assert sites["layers.0.self_attn.q_proj"]["weight_bits"] == 8  # with v
    assert sites["layers.0.mlp.down_proj"]["weight_bits"] == 8
    assert isinstance(next(x for x in linear_layers(program) if "down" in x.name).synapses.synapse, Dense)


def test_a_matrix_of_real_numbers_beside_quantised_ones_is_rounded_by_row_and_named(tmp_path: Path) -> None:
    types = dict(TYPES)
    TYPES.pop("attn_v")
    try:
        graph = read_graph(quantised(tmp_path / "mixed.gguf"))
    finally:
        TYPES.clear()
        TYPES.update(types)
    program, sites = converted(graph, "keep")
    assert sites["layers.1.self_attn.v_proj"]["rounding"] == "gptq, not quantised in the file"
    assert 35 < sites["layers.1.self_attn.v_proj"]["weight_sqnr_db"] < 60
    assert sites["layers.1.self_attn.k_proj"]["weight_sqnr_db"] is None  # nothing is lost
    layer = next(layer for layer in linear_layers(program) if "q_proj" in layer.neurons.sections[0].path)
    assert isinstance(layer.synapses.synapse, Grouped) and layer.synapses.weight_bits == 8


def test_a_model_without_integers_has_none_to_keep(tmp_path: Path) -> None:
    graph = read_graph(models.save("llama", tmp_path / "model"))
    refused(UserError, "ND1110.*no quantised matrix", converted, graph, "keep")


def test_presets_say_what_they_cannot_be() -> None:
    for change in ({"weight_bits": 8}, {"body_bits": 3.0}, {"weights": "columns"}):
        refused(UserError, f"ND1101.*{next(iter(change))}", get_preset, "w4", **change)


@pytest.mark.parametrize("preset", ["w4", "keep"])
def test_the_whole_chain(preset: str, file: Path, tmp_path: Path) -> None:
    """Bundle, NIR, runners, mapping."""
    out = tmp_path / "model.nd"
    answer = pipeline.convert(file, out, preset=preset, calibration_tokens=96)
    bundle = open_bundle(out)
    program = bundle.program
    sites = bundle.program.conversion["sites"]
    kinds = {layer.synapses.synapse.kind for layer in linear_layers(program)}
    assert "grouped" in kinds and answer["bits_a_weight"]["with_head"] > 4
    if preset == "w4":
        sizes = {p.path: p.out_features * p.in_features for p in read_graph(file).projections()}
        bits = {site["path"]: site["bits_a_weight"] for site in sites}
        body = [path for path in sizes if path != "lm_head"]
        mean = sum(sizes[path] * bits[path] for path in body) / sum(sizes[path] for path in body)
        every = sum(sizes[path] * bits[path] for path in sizes) / sum(sizes.values())
        assert answer["bits_a_weight"] == {"body": pytest.approx(mean), "with_head": pytest.approx(every)}
        assert mean <= 4.5 and every <= 5.0
    assert pipeline.verify(out)["layers_read_by_nir"] == len(linear_layers(program))
    system = get_system("kapoho-point")
    mapping = map_model(program, system, Options(max_rows=20))
    assert verify(mapping, program, system) == []
    for segment in program.segments[:4]:
        network = segment.network
        draw = np.random.default_rng(0)
        given = {name: draw.integers(-9999, 9999, (3, 1, network.populations[name].size)) for name in network.inputs}
        wanted = ReferenceRunner().run(network, given, 1)
        same_result(FastRunner().run(network, given, 1), wanted)
        same_result(PartitionedRunner(mapping, system.chip).run(network, given, 1), wanted)
    for layer in linear_layers(program):
        unit = scales_of(layer.neurons, layer.decode.scale.value, layer.encode.scale.value)
        assert np.isfinite(unit).all() and (unit > 0).any()


@pytest.mark.real
@pytest.mark.parametrize("name", ["smollm2-135m", "gemma3-270m"])
def test_every_matrix_of_a_real_file_comes_as_integers_of_its_rows(name: str) -> None:
    """The first rows of each, in the model's order: units are powers of two, constants whole, the product exact."""
    graph = read_graph(resolve(name))
    for projection in graph.projections():
        grid = kept_grid(graph.weights, projection, 0, 64)
        assert grid is not None, projection.path
        unit = units_of(grid, projection.path)
        of = np.arange(projection.in_features) // grid.group
        factor, offset = grid.scale / unit[:, None], grid.offset / unit[:, None]
        assert (
            (np.frexp(unit)[0] == 0.5).all() and (factor == np.rint(factor)).all() and (offset == np.rint(offset)).all()
        )
        real = (factor[:, of] * grid.codes + offset[:, of]) * unit[:, None]
        np.testing.assert_array_equal(real.astype(np.float32), graph.weights.get(projection.weight, 0, 64))
