"""A small convolutional network on Fashion-MNIST: trained here with fixed steps, converted, compared on all 10 000 test
images.

    python benchmarks/fashion_mnist.py --data FOLDER [--steps 1500] [--bits 16 8]

FOLDER holds the four files of Fashion-MNIST (Xiao et al. 2017, arXiv 1708.07747, MIT), such as Debian's package
dataset-fashion-mnist installs them. Nothing is fetched.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import neurodeploy as nd
from neurodeploy.bundle import open_bundle
from neurodeploy.pipeline.tensor_check import finished
from neurodeploy.pipeline.tensor_runs import payloads, ran
from simulators import get_runner

BATCH, CHUNK = 64, 500


def images(folder: Path, part: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images (n, 1, 28, 28) from 0 to 1 and their classes; part "train" or "t10k"."""
    found = []
    for what, head in (("images-idx3", 16), ("labels-idx1", 8)):
        (file,) = folder.rglob(f"{part}-{what}-ubyte*")
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        found.append(np.frombuffer(data, np.uint8, offset=head))
    return (found[0].reshape(-1, 1, 28, 28) / np.float32(255)).astype(np.float32), found[1].astype(np.int64)


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def trained(folder: Path, steps: int) -> nn.Module:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, y = (torch.from_numpy(array) for array in images(folder, "train"))
    net, order = network(), np.random.default_rng(0)
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.from_numpy(order.integers(0, len(x), BATCH))
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--bits", type=int, nargs="+", default=[16, 8])
    asked = parser.parse_args()
    net = trained(asked.data, asked.steps)
    train, (x, y) = images(asked.data, "train")[0][:64], images(asked.data, "t10k")
    with torch.no_grad():
        want = np.concatenate([net(torch.from_numpy(x[n : n + CHUNK])).numpy() for n in range(0, len(x), CHUNK)])
    print(f"float: {(want.argmax(1) == y).mean():.2%} of {len(x)} test images")
    with TemporaryDirectory() as folder:
        for bits in asked.bits:
            out = Path(folder) / f"fashion{bits}.nd"
            found = nd.convert(net, out, example_inputs=train, payload_bits=bits)
            opened, runner = open_bundle(out), get_runner("fast")
            (name,) = opened.program.conversion["shapes"]  # type: ignore[misc]
            rows = []
            for n in range(0, len(x), CHUNK):
                given, _ = payloads(opened.program, {name: x[n : n + CHUNK]})
                sent = ran(opened.program, runner, given).outputs
                rows.append(next(iter(finished(opened.program.conversion, sent).values())))
            got = np.concatenate(rows)
            same, right = (got.argmax(1) == want.argmax(1)).mean(), (got.argmax(1) == y).mean()
            share = found["multiply_adds"]["on_chip"]
            print(
                f"W8A{bits}: {right:.2%}, the same class as float {same:.2%}, {share:.1%} of multiply-adds on the chip"
            )


if __name__ == "__main__":
    main()
