"""The embedded demo: a tiny Llama-4-style mixture of experts trained on Shakespeare, and text to run it on.

Bytes in, bytes out: one ASCII character is one token and the token's id is the character's code. Three layers of width
128: dense, 4 experts (top-1) with a shared expert, dense; the first two with RoPE, QK-norm and chunked attention, the
last one without positions. `model/README.md` is the model card; `scripts/train_demo.py` makes every file here again.
"""

from __future__ import annotations

from pathlib import Path

#: Hugging Face model folder: config.json, model.safetensors (bfloat16), tokenizer.json.
MODEL = Path(__file__).parent / "model"
#: First 40 kB of The Tempest, which training never saw: for bits per byte.
TEXT = Path(__file__).parent / "heldout.txt"
#: 40 kB of the training text: for the ranges that a conversion measures.
CALIBRATION = Path(__file__).parent / "calibration.txt"

__all__ = ["CALIBRATION", "MODEL", "TEXT"]
