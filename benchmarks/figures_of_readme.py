"""Print every figure of README.md and docs/start.md that their commands give; others are printed by scripts named there.

The language models (`make test-real` installs them) take a quarter of an hour of one core each; `--only` names the parts.

    python benchmarks/figures_of_readme.py [--only language block spiking fit] [--models smollm2-135m gemma3-270m]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

from neurodeploy import pipeline

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "examples" / "digits"
TOKENS = 4097


def band(found: Mapping[str, float], scale: float = 1e3) -> str:
    return f"{found['nominal'] * scale:.3g} ({found['low'] * scale:.2g} to {found['high'] * scale:.3g})"


def language(folder: Path, model: str) -> None:
    """One column of the table: accuracy on unseen prose, cores and chips, joules and seconds a token."""
    from benchmarks.texts import fetched

    bundle = folder / f"{model}.nd"
    converted = pipeline.convert(model, bundle)
    print(f"{model}: converted in {converted['seconds']:.0f} s")
    text = fetched("britannica")
    seen = pipeline.eval(bundle, text, max_tokens=TOKENS)
    print(
        f"  {seen['tokens']} tokens: {seen['float']['bits_per_byte']:.4f} bits per byte, "
        f"{seen['bits_per_byte_change']:+.3%}, same next token {seen['top1_agreement']:.4f}"
    )
    mapped = pipeline.map(bundle, "alia-point")
    print(
        f"  cores {mapped['cores_used']} (least {mapped['cores_lower_bound']}), "
        f"chips {mapped['chips_used']} of {mapped['chips_available']}, "
        f"{mapped['metrics']['fallback']['crossings']:.0f} crossings of the host border a token"
    )
    priced = pipeline.energy(bundle)
    for phase in ("generate", "prefill"):
        joules, seconds = priced[phase]["joules_per_token"], priced[phase]["seconds_per_token"]
        print(f"  {phase}: chip {band(joules['chip'])} mJ, wall {band(joules['wall'])} mJ, {band(seconds)} ms a token")
    said = pipeline.generate(bundle, "The capital of France is", 20)
    print(f"  generate: {said['text']!r}")


def blocks(folder: Path, model: str) -> None:
    """What is said of blocks, and of everything, on the chip: loss, and a generated token at the board."""
    from benchmarks.texts import fetched

    for on_chip in ("block", "all"):
        bundle = folder / f"{model}-{on_chip}.nd"
        pipeline.convert(model, bundle, on_chip=on_chip)
        seen = pipeline.eval(bundle, fetched("britannica"), max_tokens=TOKENS)
        mapped, phase = pipeline.map(bundle, "alia-point"), pipeline.energy(bundle)["generate"]
        loss = f"{seen['bits_per_byte_change']:+.3%} bits per byte, {seen['kl_per_token']:.4f} nats a token"
        print(
            f"{model}, {on_chip}: {loss}, same next token {seen['top1_agreement']:.4f}, {seen['saturations']} clipped"
        )
        moved = " ".join(f"{mapped[f'{what}_per_token']:.0f} {what}," for what in ("crossings", "steps"))
        joules = phase["joules_per_token"]["board"]
        print(f"  {moved} {mapped['chips_used']} chips; generate: board {band(joules, 1)} J, ", end="")
        print(f"{band(phase['seconds_per_token'])} ms a token")


def spiking(folder: Path) -> None:
    """The six commands of the digits."""
    bundle = folder / "digits.nd"
    pipeline.convert(DIGITS / "digits.nir", bundle, dt=1e-3, reset="value")
    mapped = pipeline.map(bundle, "oheo-gulch")
    print(f"digits: {mapped['cores_used']} cores on {mapped['chips_used']} chips")
    found = pipeline.eval(bundle, input=DIGITS / "input.npz", labels=DIGITS / "labels.npy")
    for output in found["comparison"]:
        print(f"  {output}")
    priced = pipeline.energy(bundle, input=DIGITS / "input.npz")
    for unit in ("step", "sample"):
        joules, seconds = priced[unit]["joules_per_token"]["chip"], priced[unit]["seconds_per_token"]
        print(f"  a {unit}: chip {band(joules, 1e6)} uJ, {band(seconds, 1e6)} us")


def fits() -> None:
    """The answers of `fit`."""
    for model, system in (("gemma3-1b", "hala-point"), ("spikingbrain-7b", None), ("llama4-scout", "hala-point")):
        found = pipeline.fit(model, system, bits=(8,))
        print(f"fit {model}: {found['answer']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=["language", "block", "spiking", "fit"])
    parser.add_argument("--models", nargs="+", default=["smollm2-135m", "gemma3-270m"])
    parser.add_argument("--folder", type=Path, help="keep the bundles here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if "spiking" in options.only:
            spiking(folder)
        if "fit" in options.only:
            fits()
        for model in options.models if "language" in options.only else ():
            language(folder, model)
        if "block" in options.only:
            blocks(folder, options.models[0])


if __name__ == "__main__":
    main()
