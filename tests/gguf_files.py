"""GGUF files written the way llama.cpp's converter (convert_hf_to_gguf.py) writes them, from models of transformers.

Names of tensors are looked up in gguf-py's own table; what the converter does to tensors and which settings it writes is
said here, by family.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

#: ``model_type`` of transformers -> architecture of the file, where the two differ.
ARCHITECTURES = {"mistral": "llama", "gemma3_text": "gemma3"}
INTERLEAVED = ("llama", "smollm3")


def interleave(rows: np.ndarray, heads: int) -> np.ndarray:
    """What the converter does to q and k: row (h, s, i) goes to (h, i, s)."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def architecture_of(config: Any) -> str:
    return ARCHITECTURES.get(config.model_type, config.model_type)


def settings_of(config: Any) -> dict[str, Any]:
    """The keys that the converter writes for a model, without the architecture's name."""
    if config.model_type == "gpt2":
        return {
            "block_count": config.n_layer, "context_length": config.n_positions, "embedding_length": config.n_embd,
            "feed_forward_length": 4 * config.n_embd, "attention.head_count": config.n_head,
            "attention.layer_norm_epsilon": config.layer_norm_epsilon,
        }  # fmt: skip
    rope = config.rope_parameters.get("full_attention", config.rope_parameters)
    found = {
        "block_count": config.num_hidden_layers, "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size, "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads, "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": config.rms_norm_eps, "rope.freq_base": float(rope["rope_theta"]),
    }  # fmt: skip
    head_dim = getattr(config, "head_dim", None)
    if config.model_type == "phi3":
        dim = config.hidden_size // config.num_attention_heads
        original = config.original_max_position_embeddings
        found["rope.scaling.original_context_length"] = original
        found["rope.dimension_count"] = int(rope["partial_rotary_factor"] * dim)
        found["attention.sliding_window"] = config.sliding_window or 0
        scale = config.max_position_embeddings / original
        if "long_factor" in rope and scale > 1:
            found["rope.scaling.attn_factor"] = float(np.sqrt(1 + np.log(scale) / np.log(original)))
        return found
    if head_dim:
        found.update({"attention.key_length": head_dim, "attention.value_length": head_dim})
    if architecture_of(config) in INTERLEAVED:
        found["vocab_size"] = config.vocab_size
        found["rope.dimension_count"] = head_dim or config.hidden_size // config.num_attention_heads
    if rope["rope_type"] in ("linear", "yarn"):
        found.update({"rope.scaling.type": rope["rope_type"], "rope.scaling.factor": float(rope["factor"])})
    if rope["rope_type"] == "yarn":
        found["rope.scaling.original_context_length"] = rope["original_max_position_embeddings"]
        for key in ("beta_fast", "beta_slow"):
            if key in rope:
                found[f"rope.scaling.yarn_{key}"] = float(rope[key])
    if config.model_type == "gemma3_text":
        found["attention.sliding_window"] = config.sliding_window
    return found


def tensors_of(model: Any) -> dict[str, np.ndarray]:
    """Names and arrays of the file."""
    import gguf

    config = model.config
    architecture = architecture_of(config)
    kind = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": getattr(config, "num_key_value_heads", 0)}
    found = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        array = tensor.float().numpy()
        part, suffix = name.split(".")[-2:]
        if architecture in INTERLEAVED and part in heads:
            array = interleave(array, heads[part])
        if architecture == "gemma3" and "norm" in part:
            array = array + 1.0
        if architecture == "gpt2" and suffix == "weight" and part in ("c_attn", "c_proj", "c_fc"):
            array = array.T
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert stored is not None, name
        found[stored] = np.ascontiguousarray(array)
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") == "llama3":
        inv_freq = model.model.rotary_emb.inv_freq.numpy()
        dim = 2 * inv_freq.size
        divisors = (float(rope["rope_theta"]) ** -(np.arange(0, dim, 2) / dim) / inv_freq).astype(np.float32)
        assert (divisors.min(), divisors.max()) == (1.0, rope["factor"])
        found["rope_freqs.weight"] = divisors
    for length in ("long", "short"):
        if f"{length}_factor" in rope:
            found[f"rope_factors_{length}.weight"] = np.array(rope[f"{length}_factor"], np.float32)
    return found


def write(
    path: Path,
    architecture: str,
    settings: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    tokenizer: Mapping[str, Any] | None = None,
) -> Path:
    """A file of these settings, tensors, and keys ``tokenizer.ggml.*``."""
    import gguf

    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("A tiny model")
    writer.add_license("mit")
    add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string,
           list: writer.add_array}  # fmt: skip
    keys = {f"{architecture}.{key}": value for key, value in settings.items()}
    keys.update((f"tokenizer.ggml.{key}", value) for key, value in (tokenizer or {}).items())
    for key, value in keys.items():
        add[type(value)](key, value)
    return finish(path, writer, tensors)


def finish(path: Path, writer: Any, tensors: Mapping[str, np.ndarray], **options: Any) -> Path:
    """Write what the writer was given, and the tensors."""
    for name, array in tensors.items():
        writer.add_tensor(name, array, **options)
    for part in ("header", "kv_data", "tensors"):
        getattr(writer, f"write_{part}_to_file")()
    writer.close()
    return path


#: Tokens that the tests' models begin and end a text with.
ENDS = {"bos_token_id": 2, "eos_token_id": 1}


def save(
    path: Path, model: Any, tokenizer: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
) -> Path:
    """`model` as the converter writes it; `settings` are keys beside its own, without the architecture's name, or None for
    one that is left out."""
    keys = {key: value for key, value in {**settings_of(model.config), **(settings or {})}.items() if value is not None}
    return write(path, architecture_of(model.config), keys, tensors_of(model), tokenizer or ENDS)
