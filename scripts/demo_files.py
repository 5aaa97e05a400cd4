"""Write a trained demo network as a Hugging Face model folder: config, weights in bfloat16, tokenizer and card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from demo_net import Net, Shape
from safetensors.torch import save_file

PAD, BOS, EOS, UNKNOWN = 0, 2, 3, 26  # ASCII's own names: NUL, STX (start of text), ETX (end of text), SUB (substitute)


def config(shape: Shape) -> dict[str, object]:
    """`config.json` of transformers' Llama4TextConfig, every field that the sizes decide written out."""
    return {
        "architectures": ["Llama4ForCausalLM"],
        "model_type": "llama4_text",
        "dtype": "bfloat16",
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.expert_ffn,
        "intermediate_size_mlp": shape.dense_ffn,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "rms_norm_eps": shape.eps,
        "use_qk_norm": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "no_rope_layers": [int(i not in shape.nope) for i in range(shape.layers)],
        "layer_types": ["full_attention" if i in shape.nope else "chunked_attention" for i in range(shape.layers)],
        "attention_chunk_size": shape.chunk,
        "attn_temperature_tuning": True,
        "attn_scale": 0.1,
        "floor_scale": 8192,
        "num_local_experts": shape.experts,
        "num_experts_per_tok": 1,
        "moe_layers": list(shape.moe),
        "interleave_moe_layer_step": 2,
        "max_position_embeddings": shape.context,
        "tie_word_embeddings": False,
        "initializer_range": 0.02,
        "use_cache": True,
        "pad_token_id": PAD,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
    }


def tokenizer(vocab: int) -> dict[str, object]:
    """`tokenizer.json`: one ASCII character, one id, its code; any other character becomes SUB (26)."""
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": chr(i), **special} for i in (PAD, BOS, EOS)],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": chr(UNKNOWN),
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {chr(i): i for i in range(vocab)},
            "merges": [],
        },
    }


def save(net: Net, folder: Path) -> str:
    """Write the model folder; the weights are rounded to bfloat16, in `net` as well. Returns their file's sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: p.detach().to(torch.bfloat16).contiguous() for name, p in net.named_parameters()}
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.copy_(weights[name])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    tokens = {"pad_token": chr(PAD), "bos_token": chr(BOS), "eos_token": chr(EOS), "unk_token": chr(UNKNOWN)}
    (folder / "model.safetensors").chmod(0o644)  # the library makes it readable for its owner only
    files: dict[str, object] = {
        "config.json": config(net.shape),
        "generation_config.json": {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS},
        "tokenizer.json": tokenizer(net.shape.vocab),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": net.shape.context,
            "clean_up_tokenization_spaces": False,
            "add_bos_token": False,
            "add_eos_token": False,
            **tokens,
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def card(summary: Mapping[str, Any], folder: Path, text: str) -> str:
    """The model card: `demo_card.md` filled with what `train_demo.main` measured, file sizes and a sample."""
    template = Path(__file__).with_name("demo_card.md").read_text()
    return template.format(
        **summary["shape"],
        **summary["recipe"],
        **{key: summary[key] for key in ("sha256", "parameters", "training_bytes", "heldout_bytes")},
        file_bytes=(folder / "model" / "model.safetensors").stat().st_size,
        heldout_file=(folder / "heldout.txt").stat().st_size,
        calibration_file=(folder / "calibration.txt").stat().st_size,
        curve="\n".join(f"| {step:,} | {train:.4f} | {held:.4f} |" for step, train, held in summary["curve"]),
        nats=summary["nats_per_byte"],
        bpb=summary["bits_per_byte"],
        bpb32=summary["bits_per_byte_float32"],
        bpb4k=summary["bits_per_byte_4096"],
        bpb512=summary["bits_per_byte_window_512"],
        usage="; ".join(
            f"layer {layer}: {', '.join(f'{n:,}' for n in counts)}" for layer, counts in summary["usage"].items()
        ),
        sample=text.rstrip(),
    )
