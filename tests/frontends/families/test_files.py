"""Files of the families: tensors and shards of folders; GGUF files as llama.cpp's converter writes them.

Every refusal names the tensor, the file or the setting. The packaged real models are read by transformers too, from the
same GGUF files, with its own code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families import read_graph
from neurodeploy.frontends.packaged import resolve
from neurodeploy.frontends.tokenizer_choice import read_tokenizer
from tests import gguf_files
from tests.frontends.families.conftest import eager
from tests.refusals import refused

transformers = pytest.importorskip("transformers")
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


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """``write(model, keys beside the converter's)``."""
    return lambda model, settings: gguf_files.save(tmp_path / "model.gguf", model, settings=settings)


LINEAR = {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}}
#: A model, and keys beside those of the converter that leave it as it is.
EQUAL: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "one value for each layer": ("llama", {}, {
        "attention.head_count_kv": [2, 2], "feed_forward_length": [96, 96], "attention.head_count": [4, 4],
        "attention.sliding_window_pattern": [False, False],
    }),
    "files of 2023": ("llama", {}, {"tensor_data_layout": "Meta AI original pth", "rope.scale_linear": 1.0}),
    "neutral factors": ("llama", {}, {
        "rope.scaling.type": "linear", "rope.scaling.factor": 1.0, "rope.scaling.attn_factor": 1.0, "residual_scale": 1.0,
        "logit_scale": 1.0, "attention.scale": 0.25, "final_logit_softcapping": 0.0,
    }),
    "yarn by 1": ("llama", {}, {
        "rope.scaling.type": "yarn", "rope.scaling.factor": 1.0, "rope.scaling.original_context_length": 64,
    }),
    "what is off": ("llama", {}, {
        "use_parallel_residual": False, "attention.causal": True, "expert_count": 0, "expert_used_count": 0,
        "rope.scaling.finetuned": False, "attention.sliding_window": 128, "attention.max_alibi_bias": 0.0,
    }),
    "nothing known": ("llama", {}, {"quantized_by_label": "someone", "comment": "x", "list.of.things": [1, 2, 3]}),
    # A factor without a type is linear, as llama.cpp takes files of 2023; the older key counts where the newer is not set.
    **{f"factor {new}, once {old}": ("llama", LINEAR, {
        "rope.scaling.type": None, "rope.scaling.factor": new, "rope.scale_linear": old,
    }) for new, old in [(4.0, None), (None, 4.0), (4.0, 8.0)]},
    "which layers have windows": (
        "gemma3",
        {"head_dim": 16, "query_pre_attn_scalar": 16,
         "layer_types": ["full_attention", "sliding_attention", "sliding_attention"]},
        {"attention.head_count_kv": [2, 2, 2], "attention.sliding_window_pattern": [False, True, True]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EQUAL)
def test_keys_that_change_nothing(name, made, write, agrees):
    family, changes, keys = EQUAL[name]
    model = made(family, **changes)[1]
    agrees(write(model, keys), model)


def test_all_keys_that_change_are_named_at_once(llama, write):
    unknown = {
        "attention.sliding_window_pattern": [True, False], "rope.dimension_sections": [8, 8, 0, 0], "expert_count": 8,
        "attention.clamp_kqv": 8.0, "some.norm_types": ["a", "b"], "ssm.state_size": 16,
        "mixture.gate_scale": 0.5, "attention.causal": False,
    }  # fmt: skip
    error = refused(ModelError, "ND1012", read_graph, write(llama[1], unknown))
    assert error.problem.split(": ")[0] == "8 settings"
    assert all(f"{key} = " in error.problem for key in unknown)


YARN = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0}


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"attention.head_count_kv": [2, 1]}, "the same for every layer"),
        ({"feed_forward_length": [96]}, "feed_forward_length"),
        ({"attention.head_count_kv": [2, 2, 2]}, "attention.head_count_kv"),
        ({"expert_count": 8}, "expert_count"),
        ({"rope.scaling.type": "yarn"}, "rope.scaling.factor"),
        ({**YARN, "rope.scaling.yarn_attn_factor": 2.0}, "yarn_attn_factor"),
        ({**YARN, "rope.scaling.yarn_ext_factor": 0.5}, "yarn_ext_factor"),
        ({"rope.scaling.type": "dynamo"}, "rope_type"),
        ({"rope.dimension_count": 8}, "rope.dimension_count"),
        ({"attention.scale": 0.5}, "attention.scale"),
        ({"attention.head_count_kv": 3}, "attention.head_count_kv"),
    ],
)
def test_refuses_settings(llama, write, settings, field):
    assert field in refused(ModelError, "ND1012", read_graph, write(llama[1], settings)).problem


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "smollm3", "gpt2"])
def test_a_window_of_a_family_that_has_none(family, made, write):
    """A window of one of these would be of some layers only, and the file does not say which."""
    path = write(made(family)[1], {"attention.sliding_window": 8})
    refused(ModelError, r"ND1012 .*attention\.sliding_window", read_graph, path)


def test_refuses_other_architectures(tmp_path):
    error = refused(ModelError, "ND1011", read_graph, gguf_files.write(tmp_path / "model.gguf", "falcon", {}, {}))
    assert "'falcon'" in error.problem
    assert "llama, qwen2, qwen3, phi3, smollm3, gpt2, gemma3 are" in error.problem


def test_refuses_a_tensor_left_over(llama, tmp_path):
    tensors = {**gguf_files.tensors_of(llama[1]), "blk.0.attn_sinks.weight": np.ones(4, np.float32)}
    path = gguf_files.write(tmp_path / "model.gguf", "llama", gguf_files.settings_of(llama[1].config), tensors)
    assert refused(ModelError, "ND1006", read_graph, path).subject == "blk.0.attn_sinks.weight"


def test_the_rows_are_interleaved_as_the_format_says():
    """Row (s, i) of a head of 4 goes to (i, s)."""
    assert gguf_files.interleave(np.arange(8), 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert torch.arange(8).view(2, 2, 2).transpose(1, 2).reshape(8).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


TEXT = """A chip of this kind has many small cores. Each of them keeps the weights of the synapses that end in it, and
works only when an event arrives: it fetches a row of weights, adds them to the state of its neurons, and sends an event
of its own where a neuron has something to say. Nothing is read from a distant memory, and a neuron that is silent costs
next to nothing. What the cores cannot do well is to look back over everything that was said before, since that grows
with the length of the text; so the attention of a language model stays on the host, and the two exchange messages.
"""


# What float32 is good for on these models: against float64, transformers itself is off by up to 7e-5 and 5e-4.
@pytest.mark.real
@pytest.mark.parametrize(("name", "most"), [("smollm2-135m", 1e-4), ("gemma3-270m", 5e-4)])
def test_packaged_models(name, most, run):
    try:
        path = resolve(name)
    except ModelError as error:
        pytest.skip(str(error))
    graph = read_graph(path)
    ids = np.array(read_tokenizer(path, graph.info.vocab_size).encode(TEXT, bos=True))
    ours = run(graph).forward(ids)
    graph.weights.release()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    with torch.no_grad():
        expected = model(torch.from_numpy(ids)[None]).logits[0]
    error = float((ours - expected).abs().max())
    same = float((ours.argmax(1) == expected.argmax(1)).float().mean())
    largest = float(expected.abs().max())
    print(f"{name}: max |logit - transformers| = {error:.2e}, logits up to {largest:.1f}, top-1 equal {same:.4f}")
    assert error <= most
