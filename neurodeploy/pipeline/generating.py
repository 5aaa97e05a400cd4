"""`generate`: a prompt continued token by token, on the simulated chip and the host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurodeploy.pipeline.session import executed
from neurodeploy.pipeline.texts import encode_text, float_model, hybrid, open_model


def generate(
    bundle: str | Path,
    prompt: str,
    tokens: int = 64,
    *,
    temperature: float = 0.0,
    top_k: int = 0,
    seed: int = 0,
    runner: str = "fast",
    compare_float: bool = False,
    on_text: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Continue `prompt` on the chip. With `compare_float` the float model continues it too, greedily or with the same seed.

    `on_text` receives the text as it grows.
    """
    from neurodeploy.generation import generate as continue_prompt

    opened, tokenizer = open_model(bundle)
    info = opened.program.info
    ids = encode_text(tokenizer, prompt)
    grown: list[int] = []
    shown = ""

    def on_token(token: int) -> None:
        nonlocal shown
        grown.append(token)
        text = tokenizer.decode([*ids, *grown])[len(tokenizer.decode(ids)) :]
        if on_text and not text.endswith("�"):
            on_text(text[len(shown) :])
            shown = text

    settings: dict[str, Any] = {
        "temperature": temperature, "top_k": top_k, "seed": seed,
        "end_tokens": tokenizer.eos or info.eos_tokens, "max_positions": info.max_positions,
    }  # fmt: skip
    model = hybrid(opened, runner)
    done = continue_prompt(model, ids, tokens, on_token=on_token, **settings)
    found: dict[str, Any] = {
        "prompt": prompt,
        "text": tokenizer.decode([*ids, *done.tokens])[len(tokenizer.decode(ids)) :],
        "tokens": list(done.tokens),
        "margins": list(done.margins),
        "stopped": done.stopped,
        "seed": seed,
        **executed(opened, runner),
        "saturations": model.take_counts().saturations,
    }
    if compare_float:
        other = continue_prompt(float_model(opened), ids, tokens, **settings)
        pairs = zip(done.tokens, other.tokens, strict=False)
        part = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        found["float"] = {
            "text": tokenizer.decode(list(other.tokens)),
            "tokens": list(other.tokens),
            "first_difference": part,
            "float_margin_there": None if part is None else other.margins[part],
        }
    return found
