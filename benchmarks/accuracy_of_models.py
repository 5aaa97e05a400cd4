"""What conversion loses on real models, one row a preset and what of it is on the chip, and greedy text.

All presets of a model and the float model read the same windows in one run, the default preset with projections alone on the
chip always among them. Those with a prefix (`conversion.prefix`) are compared with the float model that begins with it too.
All are calibrated on the same embedded text and scored on two texts that none has seen: prose, the beginning of the cached
Britannica article, and technical text, what ten packages say of themselves.

Payload bits are those of sites, the inputs of linear layers: a mean over events, in brackets one over sites. Other bits are
those of messages between populations that are no input of a linear layer: the residual stream, squares, roots, gates; what a
layer sends to the host alone is none. Joules are what `energy` says at the board, nominal, modelled, of a generated token
and of a prompt token, on the chips that `--system` names.

    python benchmarks/accuracy_of_models.py [--models smollm2-135m gemma3-270m] [--presets default naive] [--tokens 4097]
        [--on-chip projections block all] [--system alia-point]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import metadata
from itertools import groupby, product
from pathlib import Path
from typing import Any

from neurodeploy.conversion.presets import ON_CHIP

#: A preset, and what of the model is on the chip.
Kind = tuple[str, str]
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
    "text", "preset", "on the chip", "float bits per byte", "change", "KL", "same next token", "saturations", "payload bits",
    "other bits", "bits a weight, with head", "events a token", "other events", "synaptic events a token",
    "chips", "generated token, J", "prompt token, J",
)  # fmt: skip
#: The present preset.
PRESENT: Kind = ("default", "projections")


def technical(folder: Path) -> Path:
    """A file with the beginnings of the descriptions of `PACKAGES`."""
    path = folder / "technical.txt"
    parts = [str(metadata(name).get_payload())[:BEGINNING] for name in PACKAGES]
    path.write_text("\n\n".join(parts), encoding="utf-8")
    return path


def table(text: Path, bundles: Mapping[Kind, Any], most: int, priced: Mapping[Kind, list[str]]) -> None:
    """Print a row for each bundle."""

    def begins(kind: Kind) -> tuple[int, ...]:
        return bundles[kind].program.info.prefix

    for _, kinds in groupby(sorted(bundles, key=begins), begins):
        for kind, row in compared(text, {kind: bundles[kind] for kind in kinds}, most).items():
            print("| " + " | ".join([text.stem, *kind, *row, *priced[kind]]) + " |", flush=True)


def compared(text: Path, bundles: Mapping[Kind, Any], most: int) -> dict[Kind, list[str]]:
    """Rows of bundles that begin a text in the same way, in one run with their float model."""
    from neurodeploy.evaluation import agreement, evaluate
    from neurodeploy.frontends.text import read_text
    from neurodeploy.ir.run import ActivityCounts
    from neurodeploy.pipeline import texts

    first = next(iter(bundles.values()))
    tokenizer = texts.tokenizer_of(first)
    tokens = texts.after_prefix(first.program.info, texts.encode_text(tokenizer, read_text(text), most))
    chips = {kind: texts.hybrid(bundle) for kind, bundle in bundles.items()}
    counts = {kind: ActivityCounts.zero() for kind in bundles}

    def counting(kind: Kind) -> Callable[[], int]:
        def take() -> int:
            new = chips[kind].take_counts()
            counts[kind].add(new)
            return new.saturations

        return take

    names = {" ".join(kind): kind for kind in bundles}
    scores = evaluate(
        {"float": texts.float_model(first), **{name: chips[kind] for name, kind in names.items()}}, tokens,
        lambda ids: len(tokenizer.decode(ids).encode("utf-8")), texts.window_of(first),
        saturations={name: counting(kind) for name, kind in names.items()},
    )  # fmt: skip
    real = scores["float"]
    return {
        kind: [
            f"{real.bits_per_byte:.4f}", f"{scores[name].bits_per_byte / real.bits_per_byte - 1:+.3%}",
            f"{scores[name].kl_per_token:.5f}", f"{agreement(real, scores[name]):.4f}", str(scores[name].saturations),
            *sizes(bundles[kind], counts[kind]),
        ]
        for name, kind in names.items()
    }  # fmt: skip


def sizes(bundle: Any, counts: Any) -> list[str]:
    """Payload bits of sites and of other messages, bits a weight, events at sites and others, synaptic events a token."""
    from neurodeploy.neurons.registry import payload_bits
    from neurodeploy.pipeline.counts import counts_of

    found, network = counts_of(bundle, counts)["projections"].values(), bundle.program.network
    sites = {site["path"] for site in bundle.program.conversion["sites"]}
    inputs = {
        p.source for p in network.projections if sites & {part.path for part in network.populations[p.target].sections}
    }
    rows = [(row["source"], row["events"], payload_bits(network.populations[row["source"]])) for row in found]
    own, others = ([(n, b) for name, n, b in rows if n and (name in inputs) == site] for site in (True, False))
    bits = bundle.program.conversion["bits_a_weight"]
    return [
        f"{_mean(own):.2f} ({sum(b for _, b in own) / len(own):.2f}), {max(b for _, b in own)} at most",
        f"{_mean(others):.1f}" if others else "-", f"{bits['body']:.2f}, {bits['with_head']:.2f}",
        *(f"{sum(n for n, _ in each) / counts.tokens:.0f}" for each in (own, others)),
        f"{sum(row['synops'] for row in found) / counts.tokens:.4g}",
    ]  # fmt: skip


def _mean(bits: list[tuple[int, int]]) -> float:
    """Over events."""
    return sum(n * b for n, b in bits) / sum(n for n, _ in bits)


def joules(path: Path, system: str) -> list[str]:
    """Chips, and what a generated token and a prompt token take at the board."""
    from neurodeploy.bundle import open_bundle
    from neurodeploy.errors import DoesNotFit
    from neurodeploy.pipeline import energy, map

    try:
        if not open_bundle(path).is_mapped:
            map(path, system)
    except DoesNotFit as error:
        return [f"does not fit {system} ({error.code})", "-", "-"]
    found = energy(path)
    return [
        str(found["generate"]["chips"]["used"]),
        *(f"{found[phase]['joules_per_token']['board']['nominal']:.3g}" for phase in ("generate", "prefill")),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["smollm2-135m", "gemma3-270m"])
    parser.add_argument("--presets", nargs="+", default=["default", "naive"])
    parser.add_argument("--on-chip", nargs="+", default=[PRESENT[1]], choices=ON_CHIP)
    parser.add_argument("--system", default="alia-point", help="whose joules are told")
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
            kinds = dict.fromkeys([PRESENT, *product(options.presets, options.on_chip)])
            paths = {kind: folder / f"{'-'.join([model, *kind])}.nd" for kind in kinds}
            for (preset, on_chip), path in paths.items():
                if not path.exists():
                    done = convert(model, path, preset=preset, on_chip=on_chip)
                    print(f"{model} {preset}, {on_chip} on the chip: converted in {done['seconds']:.0f} s")
            priced = {kind: joules(path, options.system) for kind, path in paths.items()}
            print(f"\n{model}\n\n| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|", flush=True)
            for text in options.texts or [fetched("britannica"), technical(folder)]:
                table(text, {kind: open_bundle(path) for kind, path in paths.items()}, options.tokens, priced)
            for prompt in PROMPTS if options.greedy else ():
                done = generate(paths[PRESENT], prompt, options.greedy, compare_float=True)
                part, margin = done["float"]["first_difference"], done["float"]["float_margin_there"]
                same = "same as float" if part is None else f"parts at token {part}, float margin {margin:.3f}"
                print(f"  {prompt!r} -> {done['text']!r}: {len(done['tokens'])} tokens, {same}", flush=True)


if __name__ == "__main__":
    main()
