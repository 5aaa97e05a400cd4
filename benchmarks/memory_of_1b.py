"""Peak resident memory of converting and mapping a random checkpoint of Llama-3.2-1B shape (2.5 GB in bfloat16).

Each verb runs in its own process; the figure is the peak resident set of that process, file pages included.

    python benchmarks/memory_of_1b.py [--folder DIR] [--preset NAME] [--system NAME]
"""

from __future__ import annotations

import argparse
import json
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HIDDEN, FFN, LAYERS, VOCABULARY, HEADS, KV_HEADS, HEAD_DIM = 2048, 8192, 16, 128256, 32, 8, 64
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": FFN,
    "num_hidden_layers": LAYERS, "vocab_size": VOCABULARY, "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM, "hidden_act": "silu", "rms_norm_eps": 1e-5,
    "max_position_embeddings": 131072, "tie_word_embeddings": True, "rope_theta": 500000.0,
    "rope_scaling": {
        "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
    "torch_dtype": "bfloat16", "attention_bias": False, "mlp_bias": False, "bos_token_id": 128000, "eos_token_id": 128001,
}  # fmt: skip


def shapes() -> dict[str, tuple[int, ...]]:
    table: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCABULARY, HIDDEN),
        "model.norm.weight": (HIDDEN,),
    }
    for layer in range(LAYERS):
        base = f"model.layers.{layer}"
        for name, rows, columns in (
            ("self_attn.q_proj", HEADS * HEAD_DIM, HIDDEN), ("self_attn.k_proj", KV_HEADS * HEAD_DIM, HIDDEN),
            ("self_attn.v_proj", KV_HEADS * HEAD_DIM, HIDDEN), ("self_attn.o_proj", HIDDEN, HEADS * HEAD_DIM),
            ("mlp.gate_proj", FFN, HIDDEN), ("mlp.up_proj", FFN, HIDDEN), ("mlp.down_proj", HIDDEN, FFN),
        ):  # fmt: skip
            table[f"{base}.{name}.weight"] = (rows, columns)
        table[f"{base}.input_layernorm.weight"] = table[f"{base}.post_attention_layernorm.weight"] = (HIDDEN,)
    return table


def write_checkpoint(folder: Path) -> None:
    """Gaussian weights of standard deviation 0.02, norms of one, written tensor by tensor."""
    random = np.random.default_rng(0)
    header, offset = {}, 0
    for name, shape in shapes().items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for shape in shapes().values():
            for start in range(0, shape[0], 4096):
                rows = (min(4096, shape[0] - start), *shape[1:])
                values = (
                    random.standard_normal(rows, np.float32) * 0.02 if len(shape) > 1 else np.ones(rows, np.float32)
                )
                file.write((values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes())
    (folder / "config.json").write_text(json.dumps(CONFIG))


def measured(arguments: list[str]) -> tuple[float, float, str]:
    """Peak resident MB, seconds and output of one verb in a process of its own."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--child", *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode not in (0, 3) or not lines:
        sys.exit(f"{arguments} failed with {done.returncode}")
    return float(lines[-1]), time.perf_counter() - began, "\n".join(lines[:-1])


def child(arguments: list[str]) -> None:
    from neurodeploy.cli import main as verb

    status: object = 0
    try:
        verb(arguments)
    except SystemExit as stop:
        status = stop.code
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    sys.exit(status)  # type: ignore[arg-type]


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="keep the checkpoint and the bundle here")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--system", default="hala-point")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        model, bundle = folder / "llama-1b-random", folder / "llama-1b-random.nd"
        if not (model / "config.json").exists():
            write_checkpoint(model)
        for name, arguments in (
            ("convert", ["convert", str(model), "--out", str(bundle), "--preset", options.preset]),
            ("map", ["map", str(bundle), "--system", options.system]),
        ):
            peak, seconds, text = measured(arguments)
            print(text)
            print(f"{name}: peak {peak:.0f} MB resident, {seconds:.0f} s")


if __name__ == "__main__":
    main()
