"""What conversion loses on real models: bits per byte, perplexity, agreement and greedy text, against float and a rival.

The rival is the preset `naive`: weights rounded to nearest with a scale per row, one activation scale for all channels
from the absolute maximum, no headroom. Both are calibrated on the same embedded text and scored on two texts that neither
has seen: prose, the beginning of the cached Britannica article, and technical text, what ten packages say of themselves.

    python benchmarks/accuracy_of_models.py [--models smollm2-135m gemma3-270m] [--presets default naive] [--tokens 4097]
"""

from __future__ import annotations

import argparse
import tempfile
from importlib.metadata import metadata
from pathlib import Path

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


def technical(folder: Path) -> Path:
    """A file with the beginnings of the descriptions of `PACKAGES`."""
    path = folder / "technical.txt"
    parts = [str(metadata(name).get_payload())[:BEGINNING] for name in PACKAGES]
    path.write_text("\n\n".join(parts), encoding="utf-8")
    return path


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
    from neurodeploy.pipeline import convert, eval, generate

    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for model in options.models:
            for preset in options.presets:
                bundle = folder / f"{model}-{preset}.nd"
                if not bundle.exists():
                    print(f"{model} {preset}: converted in {convert(model, bundle, preset=preset)['seconds']:.0f} s")
                for text in options.texts or [fetched("britannica"), technical(folder)]:
                    found = eval(bundle, text, max_tokens=options.tokens)
                    lost = found["chip"]["perplexity"] / found["float"]["perplexity"] - 1
                    print(
                        f"{model} {preset} {text.name} {found['tokens']} tokens: float "
                        f"{found['float']['bits_per_byte']:.4f} bits per byte, change "
                        f"{found['bits_per_byte_change']:+.3%}, perplexity {lost:+.3%}, same next token "
                        f"{found['top1_agreement']:.4f}, saturations {found['saturations']}",
                        flush=True,
                    )
                for prompt in PROMPTS if preset == "default" and options.greedy else ():
                    done = generate(bundle, prompt, options.greedy, compare_float=True)
                    part, margin = done["float"]["first_difference"], done["float"]["float_margin_there"]
                    same = "same as float" if part is None else f"parts at token {part}, float margin {margin:.3f}"
                    print(f"  {prompt!r} -> {done['text']!r}: {len(done['tokens'])} tokens, {same}", flush=True)


if __name__ == "__main__":
    main()
