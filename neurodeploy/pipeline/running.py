"""`run`, `generate` and `eval`: the program on a runner, with its activity counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.pipeline.session import (
    Progress,
    byte_counter,
    encode_text,
    executed,
    float_model,
    hybrid,
    kept_as,
    open_model,
    summary_counts,
    summary_host,
    window_of,
)


def run(
    bundle: str | Path,
    text: str | Path,
    *,
    max_tokens: int | None = 512,
    runner: str = "fast",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Prefill a text file through the program and count what happened: events, synaptic operations, saturations."""
    from neurodeploy.frontends.text import read_text
    from neurodeploy.ops.host.kvcache import State

    opened, tokenizer = open_model(bundle)
    tokens = encode_text(tokenizer, read_text(text), max_tokens)
    model, window = hybrid(opened, runner), window_of(opened)
    for start in range(0, len(tokens), window):
        if progress:
            progress("run", start, len(tokens))
        model.forward(np.asarray(tokens[start : start + window]), State(), last_only=True)
    if progress:
        progress("run", len(tokens), len(tokens))
    counts = model.take_counts()
    return {
        "tokens": counts.tokens,
        "runner": runner,
        **executed(opened, runner),
        "saturations": counts.saturations,
        "host_flops": counts.host_flops,
        "host_bytes": counts.host_bytes,
        "islands": summary_counts(opened, counts),
        "host_islands": summary_host(counts),
    }


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


def eval(
    bundle: str | Path,
    text: str | Path,
    *,
    max_tokens: int | None = 4096,
    runner: str = "fast",
    source: str | Path | None = None,
    with_float: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Bits per byte, perplexity and agreement of the chip's program against the float model on a text.

    The dictionary is what ``eval --json`` prints. `source` is the checkpoint, if it has moved since conversion;
    `with_float` False leaves the float model out (its fields are None).

    Interrupted (ND3009), it keeps finished windows in the cache folder (`kept.kept_folder`). The same call goes on with them
    and finds the same, but for the tokens per second.
    """
    from neurodeploy.evaluation import agreement, evaluate
    from neurodeploy.frontends.text import read_text
    from neurodeploy.ops.host.arithmetic import arithmetic
    from neurodeploy.pipeline.kept import interrupted, kept_folder
    from neurodeploy.storage.stage_files import StageFiles, digest
    from neurodeploy.version import __version__

    opened, tokenizer = open_model(bundle)
    tokens = encode_text(tokenizer, read_text(text), max_tokens)
    chip = hybrid(opened, runner)
    models: dict[str, Any] = {"float": float_model(opened, source)} if with_float else {}
    models["chip"] = chip
    window = window_of(opened)
    words = (
        f"{__version__} {opened.manifest['sha256']} {list(models)} {kept_as(opened, runner)} {window} {arithmetic()}"
    )
    key = digest(words, np.asarray(tokens, np.int64))
    with kept_folder(key) as folder:
        stages = StageFiles(folder, asked=False)
        try:
            scores = evaluate(
                models, tokens, byte_counter(tokenizer), window, progress, stages=stages, key=key,
                saturations={"chip": lambda: chip.take_counts().saturations},
            )  # fmt: skip
        except KeyboardInterrupt:
            if not stages.kept or stages.folder is None:
                raise
            raise interrupted(f"{stages.kept * window} of {len(tokens)} tokens", stages.folder) from None
    baseline = scores.get("float")
    return {
        "text": Path(text).name,
        "tokens": scores["chip"].tokens,
        "bytes": scores["chip"].bytes,
        "window": window,
        "float": baseline.to_json() if baseline else None,
        "chip": scores["chip"].to_json(),
        "bits_per_byte_change": scores["chip"].bits_per_byte / baseline.bits_per_byte - 1 if baseline else None,
        "top1_agreement": agreement(baseline, scores["chip"]) if baseline else None,
        "saturations": scores["chip"].saturations,
        "windows_resumed": stages.reused,
        "notes": stages.notes,
        "runner": runner,
        **executed(opened, runner),
    }
