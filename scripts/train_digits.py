"""Train the spiking example of `examples/digits`: handwritten digits of 8 x 8 pixels, one convolution, two layers of LIF.

    pip install scikit-learn        # for its copy of the UCI digits (E. Alpaydin and C. Kaynak, 1998; CC BY 4.0)
    python scripts/train_digits.py

Network (NIR 1.0.8, dt = 1 ms): Input (1, 8, 8) -> Conv2d 12 x 3 x 3 -> LIF -> SumPool2d 2 x 2 -> Flatten -> Affine 10
-> LIF. Surrogate gradients through time (Neftci et al. 2019, arXiv 1901.09948) in plain torch; forward Euler as NIR's
reference. A pixel of value p of 16 spikes with probability p / 20 in each of 32 steps. Writes digits.nir, and input.npz
with the spikes of 200 digits that were not trained on, and labels.npy. About two minutes on one core; the same seed gives
the same network.
"""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import torch
from sklearn.datasets import load_digits

FOLDER = Path(__file__).parent.parent / "examples" / "digits"
STEPS, CHANNELS, TEST, DT, TAU = 32, 12, 200, 1e-3, 10e-3
EPOCHS, BATCH, RATE = 30, 64, 4e-3


class Spike(torch.autograd.Function):
    """Step forward, fast sigmoid backward."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return (x > 0).float()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grad / (1 + 5 * x.abs()) ** 2


class Digits(torch.nn.Module):
    """The network above; gain r dt / tau = 1, so that a weight is what a spike adds to the voltage."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, CHANNELS, 3, padding=1, bias=False)
        self.out = torch.nn.Linear(CHANNELS * 16, 10)

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        """(batch, steps, 1, 8, 8) -> spikes of the last layer (batch, steps, 10)."""
        keep, sent = 1 - DT / TAU, []
        v = w = torch.zeros(())
        for t in range(spikes.shape[1]):
            v = keep * v + self.conv(spikes[:, t])
            z = Spike.apply(v - 1)
            v = v * (1 - z)
            w = keep * w + self.out(torch.nn.functional.avg_pool2d(z, 2).flatten(1) * 4)
            y = Spike.apply(w - 1)
            w = w * (1 - y)
            sent.append(y)
        return torch.stack(sent, 1)


def encode(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, 8, 8) values 0..16 -> (n, steps, 1, 8, 8) bool."""
    shape = (images.shape[0], STEPS, 1, 8, 8)
    return np.asarray(rng.random(shape) < images[:, None, None] / 20)


def lif(size: tuple[int, ...]) -> nir.LIF:
    return nir.LIF(
        tau=np.full(size, TAU), r=np.full(size, TAU / DT), v_leak=np.zeros(size), v_threshold=np.ones(size),
        v_reset=np.zeros(size),
    )  # fmt: skip


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    data = load_digits()
    order = rng.permutation(len(data.target))
    images, labels = data.images[order], data.target[order]
    train = torch.from_numpy(labels[TEST:])
    net = Digits()
    optimiser = torch.optim.Adam(net.parameters(), RATE)
    for epoch in range(EPOCHS):
        spikes = torch.from_numpy(encode(images[TEST:], rng)).float()
        for part in torch.randperm(len(train)).split(BATCH):
            counts = net(spikes[part]).sum(1)
            loss = torch.nn.functional.cross_entropy(counts / 4, train[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}", flush=True)
    test = encode(images[:TEST], rng)
    with torch.no_grad():
        found = net(torch.from_numpy(test).float()).sum(1).argmax(1).numpy()
    print(f"{(found == labels[:TEST]).mean():.3f} of {TEST} unseen digits right in float32")
    graph = nir.NIRGraph(
        nodes={
            "input": nir.Input(input_type={"input": np.array([1, 8, 8])}),
            "conv": nir.Conv2d((8, 8), net.conv.weight.detach().numpy(), 1, 1, 1, 1, np.zeros(CHANNELS, np.float32)),
            "edges": lif((CHANNELS, 8, 8)),
            "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
            "flatten": nir.Flatten({"input": np.array([CHANNELS, 4, 4])}, 0, -1),
            "affine": nir.Affine(net.out.weight.detach().numpy(), net.out.bias.detach().numpy()),
            "digits": lif((10,)),
            "output": nir.Output(output_type={"output": np.array([10])}),
        },
        edges=[
            ("input", "conv"), ("conv", "edges"), ("edges", "pool"), ("pool", "flatten"), ("flatten", "affine"),
            ("affine", "digits"), ("digits", "output"),
        ],
    )  # fmt: skip
    FOLDER.mkdir(parents=True, exist_ok=True)
    nir.write(FOLDER / "digits.nir", graph)
    np.savez_compressed(FOLDER / "input.npz", input=test)
    np.save(FOLDER / "labels.npy", labels[:TEST].astype(np.int8))


if __name__ == "__main__":
    main()
