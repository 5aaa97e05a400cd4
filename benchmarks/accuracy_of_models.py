"""What conversion loses on real models, one row a preset, and greedy text.

All presets of a model and the float model read the same windows in one run. Those with a prefix (`conversion.prefix`) are
compared with the float model that begins with it too. All are calibrated on the same embedded text and scored on two texts
that none has seen: prose, the beginning of the cached Britannica article, and technical text, what ten packages say of
themselves. A mean of bits is one over events, in brackets one over sites.

    python benchmarks/accuracy_of_models.py [--models smollm2-135m gemma3-270m] [--presets default naive] [--tokens 4097]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import metadata
from itertools import groupby
from pathlib import Path
from typing import Any

#: The beginnings of their descriptions, one after another, are the technical text; constraints.txt fixes their versions.
PACKAGES = ("torch", "transformers", "safetensors", "tokenizers", "numba", "numpy", "h5py", "pydantic", "typer", "rich")
BEGINNING = 2_500  # characters

PROMPTS = (
    "The capital of France is",
    "Once upon a time, there was a",
    "Water boils at a temperature of",
    "The three primary colours are",
    "In the year 1605, Shakespeare",
)
COLUMNS = (
    "text", "preset", "float bits per byte", "change", "KL", "same next token", "saturations", "payload bits",
    "bits a weight", "events a token", "synaptic events a token",
)  # fmt: skip


def technical(folder: Path) -> Path:
    """A file with the beginnings of the descriptions of `PACKAGES`."""
    path = folder / "technical.txt"
    parts = [str(metadata(name).get_payload())[:BEGINNING] for name in PACKAGES]
    path.write_text("\n\n".join(parts), encoding="utf-8")
    return path


def table(text: Path, bundles: Mapping[str, Any], most: int) -> None:
    """Print a row for each bundle, by name of its preset."""

    def begins(name: str) -> tuple[int, ...]:
        return bundles[name].program.info.prefix

    for _, names in groupby(sorted(bundles, key=begins), begins):
        for row in compared(text, {name: bundles[name] for name in names}, most):
            print("| " + " | ".join([text.stem, *row]) + " |", flush=True)


def compared(text: Path, bundles: Mapping[str, Any], most: int) -> list[list[str]]:
    """Rows of bundles that begin a text in the same way, in one run with their float model."""
    from neurodeploy.evaluation import agreement, evaluate
    from neurodeploy.frontends.text import read_text
    from neurodeploy.ir.run import ActivityCounts
    from neurodeploy.pipeline import texts

    first = next(iter(bundles.values()))
    tokenizer = texts.tokenizer_of(first)
    tokens = texts.after_prefix(first.program.info, texts.encode_text(tokenizer, read_text(text), most))
    chips = {name: texts.hybrid(bundle) for name, bundle in bundles.items()}
    counts = {name: ActivityCounts.zero() for name in bundles}

    def counting(name: str) -> Callable[[], int]:
        def take() -> int:
            new = chips[name].take_counts()
            counts[name].add(new)
            return new.saturations

        return take

    scores = evaluate(
        {"float": texts.float_model(first), **chips}, tokens, lambda ids: len(tokenizer.decode(ids).encode("utf-8")),
        texts.window_of(first), saturations={name: counting(name) for name in bundles},
    )  # fmt: skip
    real = scores["float"]
    return [
        [
            name, f"{real.bits_per_byte:.4f}", f"{score.bits_per_byte / real.bits_per_byte - 1:+.3%}",
            f"{score.kl_per_token:.5f}", f"{agreement(real, score):.4f}", str(score.saturations),
            *sizes(bundles[name], counts[name]),
        ]
        for name, score in scores.items() if name != "float"
    ]  # fmt: skip


def sizes(bundle: Any, counts: Any) -> list[str]:
    """Payload bits, bits a weight, events and synaptic events a token."""
    from neurodeploy.neurons.registry import payload_bits
    from neurodeploy.pipeline.counts import counts_of
    from neurodeploy.synapses.linear import linear_layers

    found = counts_of(bundle, counts)["projections"].values()
    populations = bundle.program.network.populations
    bits = [(row["events"], payload_bits(populations[row["source"]])) for row in found if row["synops"]]
    events = sum(count for count, _ in bits)
    stored = {site["path"]: site["bits_a_weight"] for site in bundle.program.conversion["sites"]}
    weights = [
        (part.rows * layer.source.size, stored[part.path])
        for layer in linear_layers(bundle.program)
        for part in layer.neurons.sections
    ]
    return [
        f"{sum(count * width for count, width in bits) / events:.2f} ({sum(b for _, b in bits) / len(bits):.2f})",
        f"{sum(n * b for n, b in weights) / max(1, sum(n for n, _ in weights)):.2f}",
        f"{events / counts.tokens:.0f}", f"{sum(row['synops'] for row in found) / counts.tokens:.4g}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["smollm2-135m", "gemma3-270m"])
    parser.add_argument("--presets", nargs="+", default=["default", "naive"])
    parser.add_argument("--texts", nargs="+", type=Path, help="default: prose and technical text")
    parser.add_argument("--tokens", type=int, default=4097)
    parser.add_argument("--greedy", type=int, default=20, help="greedy tokens for each of five prompts")
    parser.add_argument("--folder", type=Path, help="keep the bundles here")
    options = parser.parse_args()

    from benchmarks.texts import fetched
    from neurodeploy.bundle import open_bundle
    from neurodeploy.pipeline import convert, generate

    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for model in options.models:
            paths = {preset: folder / f"{model}-{preset}.nd" for preset in options.presets}
            for preset, path in paths.items():
                if not path.exists():
                    print(f"{model} {preset}: converted in {convert(model, path, preset=preset)['seconds']:.0f} s")
            print(f"\n{model}\n\n| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|", flush=True)
            for text in options.texts or [fetched("britannica"), technical(folder)]:
                table(text, {preset: open_bundle(path) for preset, path in paths.items()}, options.tokens)
            for prompt in PROMPTS if "default" in paths and options.greedy else ():
                done = generate(paths["default"], prompt, options.greedy, compare_float=True)
                part, margin = done["float"]["first_difference"], done["float"]["float_margin_there"]
                same = "same as float" if part is None else f"parts at token {part}, float margin {margin:.3f}"
                print(f"  {prompt!r} -> {done['text']!r}: {len(done['tokens'])} tokens, {same}", flush=True)


if __name__ == "__main__":
    main()
