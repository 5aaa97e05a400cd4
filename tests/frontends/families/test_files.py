"""What a folder may hold beside its settings, in shards or in one file: every refusal names the tensor or the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families import read_graph
from tests.frontends.families.conftest import eager
from tests.refusals import refused

pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")


@pytest.fixture
def tensors(llama) -> Any:
    """Change the tensors of the file: ``tensors(name=None)`` drops one, ``tensors(name=array)`` sets one."""

    def change(**changes: Any) -> Path:
        path = llama[0] / "model.safetensors"
        found = {**safetensors.load_file(path), **changes}
        kept = {name: value for name, value in found.items() if value is not None}
        safetensors.save_file(kept, path, metadata={"format": "pt"})
        return llama[0]

    return change


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.layers.1.mlp.up_proj.weight", None),
        ("lm_head.weight", None),  # of a model that is not tied
        ("model.embed_tokens.weight", None),
        ("model.layers.0.self_attn.q_norm.weight", torch.ones(16)),  # left over
        ("model.layers.0.mlp.up_proj.weight", torch.ones(95, 64)),
    ],
    ids=str,
)
def test_tensors(tensors, name, value):
    error = refused(ModelError, "ND1006", read_graph, tensors(**{name: value}))
    assert error.subject == name
    if value is not None and value.ndim == 2:
        assert "(95, 64)" in error.problem and "(96, 64)" in error.problem


def test_saved_rotary_tables_are_left_alone(tensors):
    assert read_graph(tensors(**{"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)})).info.layers == 2


def test_a_tied_head_that_is_stored_twice(tensors, edited, agrees):
    table = torch.randn(97, 64)
    folder = tensors(**{"model.embed_tokens.weight": table, "lm_head.weight": table.clone()})
    agrees(edited(folder, tie_word_embeddings=True), eager(folder))
    other = table.clone()
    other[96, 63] += 1.0
    error = refused(ModelError, "ND1012", read_graph, tensors(**{"lm_head.weight": other}))
    assert "tie_word_embeddings" in error.problem


def test_remedies_of_the_head_can_be_followed(llama, tensors, edited, agrees):
    """Each message says what to set; set so, the folder is what transformers reads from it."""
    folder, _ = llama
    says = "ND1012 .*set tie_word_embeddings to false in config.json"
    refused(ModelError, says, read_graph, edited(folder, tie_word_embeddings=True))
    edited(folder, tie_word_embeddings=False)
    agrees(folder, eager(folder))
    tensors(**{"lm_head.weight": None})
    refused(ModelError, "ND1006 .*set tie_word_embeddings to true in config.json", read_graph, folder)
    edited(folder, tie_word_embeddings=True)
    agrees(folder, eager(folder))


INDEX = "model.safetensors.index.json with its shards"


@pytest.mark.parametrize(
    ("present", "says"),
    [
        (["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"], ""),
        (["pytorch_model-00001-of-00002.safetensors", "pytorch_model-00002-of-00002.safetensors"], ""),
        (["model-00001-of-00001.safetensors"], ""),
        (["model-00002-of-00002.safetensors"], "ND1005 .*1 of 2 shards .*no model.safetensors.index.json; fetch"),
        (["weights.safetensors"], "ND1001 .*name weights.safetensors model.safetensors"),
        (["a.safetensors", "b.safetensors"], f"ND1001 .*fetch model.safetensors, or {INDEX}"),
        (["m-00001-of-00003.safetensors", "m-00003-of-00003.safetensors"], "ND1005 .*fetch the missing shards"),
        (["m-00001-of-00001.safetensors", "n-00001-of-00001.safetensors"], f"ND1001 .*{INDEX}"),
        (["m-00000-of-00001.safetensors"], "ND1005 .*fetch the missing shards"),
        (["adapter_config.json"], "ND1003 .*merge it into its base model"),
    ],
)  # fmt: skip
def test_folders_without_an_index(present, says, llama, agrees):
    """Complete shards are read under any name; otherwise the remedy names the file to fetch, to rename or to make."""
    folder, model = llama
    tensors = safetensors.load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    if "adapter_config.json" in present:
        (folder / "config.json").unlink()
    for index, name in enumerate(present):
        chosen = {tensor: tensors[tensor] for tensor in sorted(tensors)[index :: len(present)]}
        safetensors.save_file(chosen, folder / name)
    if says:
        refused(ModelError, says, read_graph, folder)
    else:
        agrees(folder, model)


def test_many_shards(llama, agrees):
    folder, model = llama
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    agrees(folder, model)


def test_a_tensor_in_two_shards(llama):
    folder, _ = llama
    raw = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    for part in (1, 2):
        (folder / f"model-{part:05d}-of-00002.safetensors").write_bytes(raw)
    error = refused(ModelError, "ND1004", read_graph, folder)
    assert "model-00001-of-00002.safetensors and again in model-00002" in error.problem
