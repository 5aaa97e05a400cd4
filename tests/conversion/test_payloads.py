"""Narrow payloads: an exponent for each axon, a prefix of constants, columns that a norm takes the size of."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.conversion.balance import balanced
from neurodeploy.conversion.codes import AxonCodes
from neurodeploy.conversion.prefix import first_token, with_prefix
from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import quantize
from neurodeploy.frontends.families import read_graph
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.graph import Graph, HostOp, ModelInfo
from neurodeploy.ops.host.executor import Executor
from neurodeploy.ops.host.kvcache import State
from neurodeploy.pipeline.texts import float_model
from simulators import get_runner
from tests import models

TOKENS = np.random.default_rng(0).integers(3, 256, 96)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: models.save(name, tmp_path_factory.mktemp(name)) for name in ("llama", "gemma3", "llama4", "gpt2")}


def executor(graph: Graph) -> Executor:
    sizes = {name: population.size for name, population in graph.populations.items()}
    return Executor(graph.ops, graph.weights, sizes, input=graph.input, output=graph.output)


def same(found: torch.Tensor, wanted: torch.Tensor) -> None:
    """But for the order in which float products add up."""
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-4, atol=1e-5)


def brute(x: torch.Tensor, steps: np.ndarray, bits: int) -> torch.Tensor:
    limit = 2 ** (bits - 1) - 1
    return (x / torch.from_numpy(steps)).round().clamp(-limit, limit) * torch.from_numpy(steps)


def test_an_exponent_for_each_axon_carries_channels_of_any_size() -> None:
    """Of 8 bits: within a decibel or two of a scale for each channel, where one scale for all loses nearly everything."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.exp2(torch.randint(-3, 4, (64,), generator=generator).float())
    x, held = (torch.randn(n, 64, generator=generator) * sizes for n in (1000, 500))
    power = (1 / sizes.double()) ** 2  # every channel counts the same
    code, told = AxonCodes([x[:500], x[500:]], power).best(8)
    assert 4 <= code.axon_shift.max() <= 8 and code.axon_shift.min() == 0

    def error(steps: np.ndarray) -> float:
        return float(
            ((brute(held, steps, 8) - held).square().double() @ power).sum() / (held.square().double() @ power).sum()
        )

    own, one = error(x.abs().amax(dim=0).numpy() / 127), error(np.full(64, float(x.abs().max()) / 127, np.float32))
    assert error(code.steps()) < 1.5 * own < one / 20
    assert told == pytest.approx(error(code.steps()), rel=0.35)


def test_channels_that_were_quiet_by_luck_get_what_others_need() -> None:
    """Rare, large values anywhere: ranges of each channel's own peak would clip most of them on another text."""
    generator = torch.Generator().manual_seed(0)

    def text() -> torch.Tensor:
        x = torch.randn(600, 64, generator=generator)
        x[torch.rand(600, 64, generator=generator) < 0.001] *= 30
        return x

    code, _ = AxonCodes([text() for _ in range(4)], torch.ones(64).double()).best(12)
    held = text()
    assert code.axon_shift.max() <= 2
    assert float((held.abs() > torch.from_numpy(code.steps()) * 2047).float().mean()) < 2e-4


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_raised_payloads_have_16_bits(bits: int) -> None:
    sizes = torch.logspace(-8, 8, 32)
    code, _ = AxonCodes([torch.randn(100, 32) * sizes], sizes.double() ** -2).best(bits)
    assert code.axon_shift.max() == min(8, 16 - bits)


def test_a_silent_input_has_a_code() -> None:
    code, error = AxonCodes([torch.zeros(10, 4)], torch.ones(4).double()).best(8)
    assert code.scale.value > 0 and error == 0.0 and not code.axon_shift.any()


@pytest.mark.parametrize("family", ["llama", "gemma3", "llama4", "gpt2"])
def test_the_prefix_is_a_token_that_was_read(family: str, folders: dict[str, Path]) -> None:
    """Behind the constants a text has the logits that it has behind the token itself."""
    graph = read_graph(folders[family])
    start = first_token(graph.info)
    whole = executor(graph).forward(np.array([start, *TOKENS[:40]]))
    model = executor(with_prefix(graph, [start]))
    assert model.prefix == 1
    same(model.forward(TOKENS[:40]), whole[1:])
    state = State()  # an empty state is a new text too; a later call goes on
    parts = [model.forward(TOKENS[a:b], state) for a, b in ((0, 7), (7, 8), (8, 40))]
    same(torch.cat(parts), whole[1:])
    assert state.position == 41


def test_what_begins_a_text() -> None:
    info = ModelInfo("m", "f", 9, 1, 1, 9, "")
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, 0),
        ({"eos_tokens": (4, 5)}, 4),
        ({"bos_token": 7, "eos_tokens": (4,)}, 7),
    ]
    assert [first_token(replace(info, **change)) for change, _ in cases] == [token for _, token in cases]


@pytest.fixture(scope="module", params=["projections", "all"])
def bundle(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The constants are in caches of the host, or in memories of the chip."""
    out = tmp_path_factory.mktemp("narrow") / "narrow.nd"
    pipeline.convert(folders["gemma3"], out, preset="a8", calibration_tokens=96, on_chip=request.param)
    return out


def test_a_bundle_keeps_the_prefix(bundle: Path, folders: dict[str, Path]) -> None:
    opened = open_bundle(bundle)
    assert opened.program.info.prefix == (2,)
    real = executor(read_graph(folders["gemma3"])).forward(np.array([2, *TOKENS]))[1:]
    same(float_model(opened).forward(TOKENS), real)
    assert opened.host_weights is not None
    outs = []
    for runner in ("fast", "reference"):
        chip = Hybrid(opened.program, opened.host_weights, get_runner(runner))
        at_once, state = chip.forward(TOKENS[:20]), chip.begin()
        alone = torch.cat([chip.forward(TOKENS[i : i + 1], state) for i in range(20)])
        np.testing.assert_array_equal(at_once.numpy(), alone.numpy())
        outs.append(at_once.numpy())
    np.testing.assert_array_equal(*outs)
    assert float(np.corrcoef(outs[0].ravel(), real[:20].numpy().ravel())[0, 1]) > 0.99


def test_texts_begin_behind_the_prefix_in_every_verb(bundle: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("what is it that reads a text from its beginning?")
    found = pipeline.eval(bundle, text)
    assert 0 <= found["kl_per_token"] < 0.1 and found["top1_agreement"] > 0.7
    assert pipeline.verify(bundle)["violations"] == []
    whole = pipeline.generate(bundle, "what is", 8, compare_float=True)
    kept = tmp_path / "kept"
    pipeline.generate(bundle, "what is", 3, checkpoint=kept)
    rest = pipeline.generate(bundle, tokens=5, resume=kept)
    assert [*pipeline.generate(bundle, "what is", 3)["tokens"], *rest["tokens"]] == whole["tokens"]
    assert len(whole["float"]["tokens"]) == len(whole["tokens"])
    assert rest["prompt"].startswith("what is")


def uneven(folder: Path, out: Path) -> Path:
    """The same function: three gains of a norm 60 times as large, the columns behind them 60 times as small."""
    shutil.copytree(folder, out)
    with models.tensors(out) as tensors:
        for layer in (0, 1):
            for norm, readers in (("input_layernorm", ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")),
                                  ("post_attention_layernorm", ("mlp.gate_proj", "mlp.up_proj"))):  # fmt: skip
                key = f"model.layers.{layer}."
                tensors[f"{key}{norm}.weight"] = tensors[f"{key}{norm}.weight"].float()
                tensors[f"{key}{norm}.weight"][[3, 20, 41]] *= 60
                for reader in readers:
                    weight = tensors[f"{key}{reader}.weight"].float()
                    weight[:, [3, 20, 41]] /= 60
                    tensors[f"{key}{reader}.weight"] = weight
    return out


@pytest.mark.parametrize("on_chip", ["projections", "block"])
def test_uneven_columns_cost_nothing_once_balanced(on_chip: str, folders: dict[str, Path], tmp_path: Path) -> None:
    """Also where the norm that takes their size is on the chip."""
    even, other = read_graph(folders["llama"]), read_graph(uneven(folders["llama"], tmp_path / "uneven"))
    assert balanced(even) is even
    real = executor(even).forward(TOKENS)
    np.testing.assert_array_equal(
        executor(balanced(other)).forward(TOKENS).numpy(), executor(other).forward(TOKENS).numpy()
    )

    def error(graph: Graph) -> float:
        program = quantize(graph, TOKENS, get_preset("a12", calibration_tokens=96, on_chip=on_chip))
        assert ("rmsnorm" in {op.op for op in program.operations}) == (on_chip == "projections")
        found = Hybrid(program, graph.weights, get_runner("fast")).forward(TOKENS)
        return float((found - real).square().mean() / real.square().mean())

    assert error(balanced(other)) < 1.3 * error(even) < error(other) / 3


def test_a_norm_that_others_read_is_left_alone(folders: dict[str, Path], tmp_path: Path) -> None:
    graph = balanced(read_graph(uneven(folders["llama"], tmp_path / "uneven")))
    changed = {op.path for op in graph.ops if isinstance(op, HostOp) and "balanced" in str(op.weights)}
    assert len(changed) == 4  # two norms in each of two layers, not the last one
