"""Train a 64-64-10 network on scikit-learn's digits in snnTorch, export it with snnTorch's own exporter, record its spikes.

    python scripts/interchange/digits_snntorch.py --out tests/interchange/digits

Needs the environment of `record.py` for snnTorch and scikit-learn. Everything is snnTorch's default but what its exporter
asks for: a vector of betas instead of a scalar (see `lif_scalar_beta` in `docs/interchange.md`). The file holds

* ``snntorch.nir``: what ``export_to_nir`` made of the trained network;
* ``input.npz``: spikes (steps, samples, 64), time first as snnTorch has them, a Bernoulli spike for each pixel and step;
* ``labels.npy``: the digits; ``spikes.npz``: the output spikes that snnTorch itself computed, time first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nir
import numpy as np
import snntorch as snn
import torch
from sklearn.datasets import load_digits
from snntorch import functional
from snntorch.export_nir import export_to_nir

SEED, STEPS, HIDDEN, EPOCHS, SAMPLES = 1, 25, 64, 60, 150
BETA = 0.95


def network() -> torch.nn.Sequential:
    """Leaky with every default of snnTorch: the threshold is taken off, one step later."""
    return torch.nn.Sequential(
        torch.nn.Linear(64, HIDDEN),
        snn.Leaky(beta=torch.full((HIDDEN,), BETA), threshold=torch.ones(HIDDEN), init_hidden=True),
        torch.nn.Linear(HIDDEN, 10),
        snn.Leaky(beta=torch.full((10,), BETA), threshold=torch.ones(10), init_hidden=True),
    )


def spikes_of(net: torch.nn.Sequential, spikes: torch.Tensor) -> torch.Tensor:
    """(steps, samples, 10) of (steps, samples, 64)."""
    for layer in net:
        if isinstance(layer, snn.Leaky):
            layer.reset_mem()
    return torch.stack([net(row) for row in spikes])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    digits = load_digits()
    pixels = torch.from_numpy(digits.data / 16).float()
    labels = torch.from_numpy(digits.target)
    order = torch.randperm(len(labels))
    test, train = order[:SAMPLES], order[SAMPLES:]
    net = network()
    loss, optimiser = functional.ce_rate_loss(), torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(EPOCHS):
        for some in torch.randperm(len(train)).split(128):
            chosen = train[some]
            out_spikes = spikes_of(net, torch.bernoulli(pixels[chosen].expand(STEPS, -1, -1)))
            optimiser.zero_grad()
            loss(out_spikes, labels[chosen]).backward()
            optimiser.step()
    fed = torch.bernoulli(pixels[test].expand(STEPS, -1, -1))
    with torch.no_grad():
        got = spikes_of(net, fed)
        for layer in net:
            if isinstance(layer, snn.Leaky):
                layer.reset_mem()
        nir.write(out / "snntorch.nir", export_to_nir(net, torch.zeros(1, 64), ignore_dims=[0]))
    np.savez_compressed(out / "input.npz", input=fed.numpy().astype(np.uint8))
    np.savez_compressed(out / "spikes.npz", output=got.numpy().astype(np.uint8))
    np.save(out / "labels.npy", labels[test].numpy())
    right = int((got.sum(0).argmax(1) == labels[test]).sum())
    print(f"{right} of {SAMPLES} right, {int(got.sum())} output spikes in {got.numel()} bins")


if __name__ == "__main__":
    main()
