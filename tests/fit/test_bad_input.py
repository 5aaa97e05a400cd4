"""Configurations of strangers: every bad one is an error with a code and a fix, quickly, and nothing large is made of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFWriter

import neurodeploy as nd
from neurodeploy.errors import NeurodeployError
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.ir.segments import Encode
from neurodeploy.synapses.hollow import columns_of, layers_of, shown, weights_of
from neurodeploy.synapses.written_out import written_out
from tests import effort
from tests.fit.configs import config
from tests.refusals import refused
from tests.tiny import Cli

LLAMA = config("llama")


def changed(kind: str = "llama", **fields: Any) -> str:
    return json.dumps({**config(kind), **fields})


#: Name -> (content of config.json, code, what the error says).
CASES: dict[str, tuple[str, str, str]] = {
    "empty": ("", "ND1004", "JSON"),
    "truncated": (json.dumps(LLAMA)[:60], "ND1004", "JSON"),
    "no object": ("[1, 2]", "ND1004", "list"),
    "twice": ('{"model_type": "llama", "model_type": "gpt2"}', "ND1004", "twice"),
    "nested": ("[" * 100_000, "ND1004", "JSON"),
    "not a number": (changed(hidden_size="NaN"), "ND1012", "hidden_size"),
    "endless number": ('{"model_type": "llama", "hidden_size": ' + "9" * 400 + "}", "ND1004", "400 digits"),
    "huge hidden": (changed(hidden_size=10**12), "ND2041", "hidden_size"),
    "huge as a float": (changed(hidden_size=1e300), "ND2041", "hidden_size"),
    "infinite": ('{"model_type": "llama", "hidden_size": Infinity}', "ND2041", "hidden_size"),
    "huge head": (changed(head_dim=2**40), "ND2041", "head_dim"),
    "huge vocabulary": (changed(vocab_size=10**10), "ND2041", "vocab_size"),
    "many layers": (changed(num_hidden_layers=10**9), "ND1012", "num_hidden_layers"),
    "no layer": (changed(num_hidden_layers=0), "ND1012", "num_hidden_layers"),
    "negative": (changed(intermediate_size=-96), "ND1012", "intermediate_size"),
    "text": (changed(num_attention_heads="four"), "ND1012", "num_attention_heads"),
    "fraction": (changed(hidden_size=64.5), "ND1012", "hidden_size"),
    "a list": (changed(vocab_size=[1, 2]), "ND1012", "vocab_size"),
    "an object": (changed(hidden_size={"a": 1}), "ND1012", "hidden_size"),
    "true": (changed(hidden_size=True), "ND1012", "hidden_size"),
    "heads that do not divide": (changed(num_attention_heads=5, num_key_value_heads=2), "ND1012", "num_key_value_heads"),
    "more heads than neurons": (changed(num_attention_heads=128, num_key_value_heads=128), "ND1012", "head_dim"),
    "no model type": (json.dumps({k: v for k, v in LLAMA.items() if k != "model_type"}), "ND2040", "none"),
    "model type a number": (changed(model_type=7), "ND2040", "none"),
    "unknown": (changed(model_type="brand_new"), "ND2040", "brand_new"),
    "long unknown": (changed(model_type="x" * 10**6), "ND2040", "xxx"),
    "an encoder": (json.dumps({"model_type": "bert", "hidden_size": 64}), "ND2040", "are missing"),
    "text part a string": (json.dumps({"model_type": "gemma3", "text_config": "here"}), "ND1012", "text_config"),
    "text part within": (
        json.dumps({"model_type": "gemma3", "text_config": {"text_config": LLAMA, "model_type": "gemma3_text"},
                    "vision_config": "?"}), "", ""),
    "more chosen than experts": (changed("mixtral", num_experts_per_tok=9), "ND1012", "num_experts_per_tok"),
    "many experts": (changed("mixtral", num_local_experts=10**7), "ND1012", "num_local_experts"),
    "most layers and experts": (
        changed("llama4_text", num_hidden_layers=4096, num_local_experts=4096, interleave_moe_layer_step=1), "ND2041",
        "experts in all layers"),
    "many kinds of layers": (
        changed("gemma3_text", num_hidden_layers=1024, layer_types=["sliding_attention", "full_attention"] * 512), "", ""),
    "list of layers too short": (changed("gemma3_text", layer_types=["full_attention"]), "ND1012", "layer_types"),
    "gpt2 that cannot be split": (changed("gpt2", n_head=5), "ND1012", "n_embd"),
    "state of a giant": (changed("mamba", state_size=2**60), "ND2041", "state_size"),
    "rank in words": (changed("mamba", time_step_rank="many"), "ND1012", "time_step_rank"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CASES))
def test_bad_configurations(name: str, tmp_path: Path) -> None:
    content, code, said = CASES[name]
    file = tmp_path / "config.json"
    file.write_text(content)
    with effort.at_most(1500):
        if code:
            error = refused(NeurodeployError, f"{code}.*{re.escape(said)}", nd.fit, file, "hala-point", bits=(8,))
            assert len(str(error)) < 1500
        else:
            found = nd.fit(file, "hala-point", bits=(8,))
            assert found["fits"] in (True, False) and found["answer"]


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        *(("bits", bits, "ND2045") for bits in ((), (0,), (8, 9), ("8",))),
        *(("activity", part, "ND2045") for part in (0.0, 1.5, float("nan"))),
        *(("context", tokens, "ND2045") for tokens in (0, 10**9)),
        *(("chips", chips, "ND2045") for chips in (0, 9)), ("memory_kib", (0,), "ND2045"), ("head", "moon", "ND2045"),
        ("system", "kapoho", "ND4001"), ("host", "abacus", "ND4003"),
    ],
)  # fmt: skip
def test_bad_options(option: str, value: Any, code: str) -> None:
    """9 chips are more than the system has."""
    given = {"system": "kapoho-point", option: value}
    refused(NeurodeployError, f"{code}.*{value if code != 'ND2045' else option}", nd.fit, "gpt2", **given)


def test_files_that_are_no_models(tmp_path: Path, cli: Cli) -> None:
    """A wrong file, a wrong name, an empty folder, damaged GGUF: one line with a code, exit 2."""
    (tmp_path / "empty").mkdir()
    for name, content, code in (
        ("a.txt", b"text", "ND1003"), ("empty", None, "ND1003"), ("short.gguf", b"GGUF\x03\0\0\0", "ND1004"),
        ("other.gguf", b"PK\x03\x04 and more", "ND1003"), ("gone", None, "ND2042"), ("broken.nir", b"no hdf5", "ND"),
    ):  # fmt: skip
        if content:
            (tmp_path / name).write_bytes(content)
        answer = cli("fit", tmp_path / name)
        assert answer.status == 2 and answer.code.startswith(code)
        assert answer.err.count("\n") == 1


def test_a_name_that_is_nearly_right(cli: Cli) -> None:
    answer = cli("fit", "gpt22")
    assert (answer.status, answer.out) == (2, "")
    assert "ND2042 gpt22" in answer.err
    assert "did you mean gpt2?" in answer.err
    assert cli("fit").status == 2


def gguf(path: Path, tensors: dict[str, tuple[int, ...]], **settings: int) -> Path:
    writer = GGUFWriter(path, "new")
    for name, value in {"context_length": 128, "attention.head_count": 4, **settings}.items():
        writer.add_uint32(f"new.{name}", value)
    for name, shape in tensors.items():
        writer.add_tensor(name, np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


LAYER = {"attn_q": (64, 64), "attn_k": (32, 64), "attn_v": (32, 64), "attn_output": (64, 64), "attn_norm": (64,)}
DENSE = {"ffn_gate": (96, 64), "ffn_up": (96, 64), "ffn_down": (64, 96)}
SPARSE = {"ffn_gate_inp": (4, 64), "ffn_gate_exps": (4, 32, 64), "ffn_up_exps": (4, 32, 64)}
SPARSE |= {"ffn_down_exps": (4, 64, 32)}


def tensors(*layers: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {"token_embd.weight": (256, 64)}
    for index, layer in enumerate(layers):
        found |= {f"blk.{index}.{name}.weight": shape for name, shape in layer.items()}
    return found


def test_gguf_of_any_architecture(tmp_path: Path) -> None:
    """Shapes come from the table of tensors; what reads one population is one class; rank 3 is experts."""
    file = gguf(
        tmp_path / "m.gguf", tensors({**LAYER, **DENSE}, {**LAYER, **SPARSE}), **{"expert_used_count": 2, "head_kv": 2}
    )
    found = read_hollow(file)
    made = [(p, found.copies[p.name]) for p in layers_of(found) if p.layer is not None]
    assert [(shown(p), p.size, columns_of(found, p)) for p, copies in made if copies.layers == (0,)] == [
        ("attn_k_attn_q_attn_v", 128, 64), ("attn_output", 64, 64), ("ffn_down", 64, 96), ("ffn_gate_ffn_up", 192, 64),
    ]  # fmt: skip
    experts = [(p.size, columns_of(found, p), c.layers, c.experts, c.chosen) for p, c in made if c.experts > 1]
    assert sorted(experts) == [(64, 32, (1,), 4, 2), (64, 64, (1,), 4, 2)]
    assert found.info.tied_embeddings
    weights = weights_of(found)
    assert weights.body == 2 * (128 * 64 + 64 * 64) + 3 * 96 * 64 + 4 * 64 + 4 * 3 * 32 * 64
    assert weights.small == 2 * 64
    assert weights.total == weights.body + 256 * 64 + 2 * 64  # every tensor of the file
    every = written_out(found)
    every.check()
    assert sum(p.expert is not None for p in layers_of(every)) == 2 * 4


def test_gguf_matrices_that_no_name_tells(tmp_path: Path) -> None:
    """They read values of their own, one that is called as another is but has another size too."""
    odd = {"odd": (5, 17), "ffn_up_shexp": (96, 48)}
    found = read_hollow(gguf(tmp_path / "m.gguf", tensors({**LAYER, **DENSE, **odd})))
    read = {step.population: step.value for step in found.host if isinstance(step, Encode)}
    assert {name: read[f"layers.0.{name}.input"] for name in odd} == {n: f"layers.0.{n}.input" for n in odd}
    assert weights_of(found).body == 128 * 64 + 64 * 64 + 3 * 96 * 64 + 5 * 17 + 96 * 48


def test_gguf_with_what_it_should_not_have(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, tuple[int, ...]], dict[str, int], str]] = [
        ({"blk.0.ffn_up.weight": (96, 64)}, {}, "ND1006"),
        ({"token_embd.weight": (256, 64)}, {}, "ND1006"),
        (tensors(DENSE) | {"blk.5.ffn_up.weight": (96, 64)}, {}, "ND1006"),
        (tensors(LAYER), {"attention.head_count": 10**9 % 2**31}, "ND1012"),
        (tensors({**LAYER, **SPARSE}), {"expert_used_count": 9}, "ND1012"),
        (tensors(LAYER), {"context_length": 0}, "ND1012"),
    ]
    for content, settings, code in cases:
        file = gguf(tmp_path / "m.gguf", content, **settings)
        refused(NeurodeployError, code, nd.fit, file, "hala-point", bits=(8,))
