"""Tiny random models of each family, made by transformers, saved as people save them, and compared with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.frontends.families import read_graph
from neurodeploy.ir.graph import Graph, HostOp
from neurodeploy.ops.host.executor import Executor
from neurodeploy.ops.host.kvcache import State
from tests import models
from tests.invariant import invariant_linear

#: What the tests' models have in common; each test says what differs.
SMALL = {**models.COMMON, "vocab_size": 97, "max_position_embeddings": 128}
GPT2 = {
    "vocab_size": 97, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64, "bos_token_id": 2, "eos_token_id": 1,
}  # fmt: skip
#: family -> what its models have beside `SMALL` where a test says nothing else
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "gemma3": {
        "num_hidden_layers": 3, "head_dim": 32, "sliding_window": 8, "query_pre_attn_scalar": 24,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "rope_parameters": models.FAMILIES["gemma3"][1]["rope_parameters"],
    },
    "llama4": {
        "num_hidden_layers": 4, "intermediate_size": 48, "intermediate_size_mlp": 96, "head_dim": 32,
        "num_local_experts": 4, "num_experts_per_tok": 1, "interleave_moe_layer_step": 2, "use_qk_norm": True,
        "no_rope_layers": [1, 1, 1, 0], "attention_chunk_size": 8, "attn_temperature_tuning": True,
        "floor_scale": 8, "attn_scale": 0.1, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5},
    },
    "qwen2": {"tie_word_embeddings": False},
    "qwen3": {"tie_word_embeddings": False, "head_dim": 16},
    "mistral": {"tie_word_embeddings": False},
    "phi3": {"tie_word_embeddings": False, "original_max_position_embeddings": 64},
    "smollm3": {"tie_word_embeddings": True, "num_hidden_layers": 5},
    "gpt2": {},
}  # fmt: skip


def settings_of(family: str, **changes: Any) -> Any:
    """A configuration of transformers' own class."""
    usual = GPT2 if family == "gpt2" else SMALL
    return models.classes(family)[0](**{**usual, **FAMILIES[family], **changes})


def _randomise(model: Any) -> None:
    """Weights large enough that every part matters: a norm of ones or a bias of zeros would hide a mistake."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name:
                parameter.add_(0.3 * noise)
            elif parameter.ndim == 1:
                parameter.copy_(0.3 * noise)
            else:
                parameter.copy_(1.5 * noise / parameter.shape[-1] ** 0.5)


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., tuple[Path, Any]]:
    """``made(family, dtype, **changes) -> (folder, model in float32 with eager attention)``."""

    def make(family: str, dtype: torch.dtype = torch.float32, **changes: Any) -> tuple[Path, Any]:
        kind, config = models.classes(family)[1], settings_of(family, **changes)
        config._attn_implementation = "eager"
        model = kind(config).eval()
        _randomise(model)
        folder = tmp_path / "model"
        model.to(dtype).save_pretrained(folder)
        # Eager again: transformers falls back to another attention when it reads a model.
        return folder, kind.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()

    return make


@pytest.fixture
def edited() -> Callable[..., Path]:
    """``edited(folder, **settings)``: the same checkpoint with other settings in its config.json."""

    def edit(folder: Path, **settings: Any) -> Path:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
        return folder

    return edit


@pytest.fixture
def llama(made: Callable[..., tuple[Path, Any]]) -> tuple[Path, Any]:
    return made("llama")


def eager(folder: Path) -> Any:
    """The Llama that transformers reads from a folder."""
    import transformers

    return transformers.LlamaForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()


def windows(path: Path) -> list[int | None]:
    """Of the attention of each layer, as a model is read."""
    return [op.attrs["window"] for op in read_graph(path).ops if isinstance(op, HostOp) and op.op == "attention"]


@pytest.fixture
def run() -> Callable[..., Executor]:
    """``run(graph, **options) -> Executor``."""

    def make(graph: Graph, **options: Any) -> Executor:
        return Executor(graph.ops, graph.weights, {name: p.size for name, p in graph.populations.items()}, **options)

    return make


@pytest.fixture
def agrees(run: Callable[..., Executor]) -> Callable[..., float]:
    """``agrees(folder, model)``: logits as transformers has them, and the same bits whatever the size of the calls."""

    def compare(folder: Path, model: Any, tokens: int = 50) -> float:
        graph = read_graph(folder)
        ids = np.random.default_rng(1).integers(0, graph.info.vocab_size, tokens)
        with torch.no_grad():
            expected = model(torch.from_numpy(ids)[None]).logits[0]
        error = float((run(graph).forward(ids) - expected).abs().max())
        print(f"max |logit - transformers| = {error:.2e}, logits up to {float(expected.abs().max()):.1f}")
        assert float(expected.std()) > 0.1
        assert error <= 1e-4

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.nn.functional, "linear", invariant_linear)
            exact = run(graph)
            whole = exact.forward(ids)
            for sizes in ([1] * tokens, [7, 1, 4, 17, 2, tokens - 31]):
                state, at, parts = State(), 0, []
                for size in sizes:
                    parts.append(exact.forward(ids[at : at + size], state))
                    at += size
                assert torch.equal(whole, torch.cat(parts))
        return error

    return compare
