"""Record what slayer's blocks (lava-dl 0.6.0) export and compute on the CPU, for the tests of `frontends.lavadl`.

Run with a Python that has lava-dl 0.6.0 and torch, from the project's root::

    python scripts/record_slayer_networks.py tests/frontends/lavadl/fixtures

One ``slayer_NAME.npz`` a network: ``net`` the bytes of its .net file, ``x`` the spikes that go in and ``y0``, ``y1``, ...
what each block sends, as int32 in slayer's order (channel, y, x, step) or (neuron, step). All states stay below 2**24,
where float32 is exact.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import torch

# lava-dl imports its object detection with all of slayer, and that needs OpenCV; nothing here does.
sys.modules["lava.lib.dl.slayer.object_detection"] = ModuleType("object_detection")
from lava.lib.dl.slayer import block  # noqa: E402
from lava.lib.dl.slayer.neuron import norm  # noqa: E402

SEED, STEPS = 5, 30
#: Payloads of sigma-delta neurons are whole in these units (netx: spike_exp 6 of weights in 1 / 64).
GRADED_UNIT = 4096
CUBA = {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.1}
ALIF = {
    "threshold": 0.75, "threshold_step": 0.5, "current_decay": 0.3, "voltage_decay": 0.2, "threshold_decay": 0.15,
    "refractory_decay": 0.25,
}  # fmt: skip
RF = {"threshold": 0.6, "period": 7.3, "decay": 0.08}
SDNN = {"threshold": 0.25, "activation": torch.nn.functional.relu}


def with_bias(layer: torch.nn.Module, features: int, rng: np.random.Generator) -> torch.nn.Module:
    """A block whose neurons have a bias: the mean that a normalisation subtracts."""
    layer.neuron.norm = norm.MeanOnlyBatchNorm(num_features=features, pre_hook_fx=layer.neuron.quantize_8bit)
    layer.neuron.norm.running_mean.data = torch.tensor(rng.uniform(-0.2, 0.2, features), dtype=torch.float32)
    return layer


def networks(rng: np.random.Generator) -> dict[str, tuple[tuple[int, ...], list[torch.nn.Module]]]:
    """Name -> (shape of the input in slayer's order, blocks)."""
    c, a, s = block.cuba, block.alif, block.sigma_delta
    return {
        "convt": ((4, 3, 5), [
            with_bias(c.ConvT(CUBA, 4, 6, (2, 3), (1, 2), (0, 1), (2, 1), groups=2, weight_scale=3), 6, rng),
            c.Conv(CUBA, 6, 5, (3, 2), stride=(2, 1), padding=(1, 0), weight_scale=3),
        ]),
        "pool": ((3, 7, 8), [
            c.Pool(CUBA, (2, 3), weight_scale=0.55),
            c.Unpool(CUBA, (3, 2), weight_scale=0.6),
            c.Flatten(),
            c.Dense(CUBA, 3 * 12 * 6, 4, weight_scale=3),
        ]),
        "delayed": ((2, 4, 5), [
            c.Conv(CUBA, 2, 3, 2, weight_scale=4, delay=True),
            c.Pool(CUBA, (3, 2), weight_scale=1.5, delay=True),
            c.Flatten(),
            c.Dense(CUBA, 6, 5, weight_scale=4, delay=True),
            c.Dense(CUBA, 5, 4, weight_scale=4),
        ]),
        "recurrent": ((6,), [
            c.Recurrent(CUBA, 6, 7, weight_scale=3, delay=True),
            c.Dense(CUBA, 7, 4, weight_scale=3),
        ]),
        "alif": ((6,), [a.Dense(ALIF, 6, 8, weight_scale=3), a.Dense(ALIF, 8, 5, weight_scale=4)]),
        "rf": ((6,), [block.rf.Dense(RF, 6, 8, weight_scale=3), block.rf_iz.Dense(RF, 8, 5, weight_scale=6)]),
        "sdnn": ((2, 4, 6), [
            s.Conv(SDNN, 2, 3, 3, weight_scale=2),
            s.Flatten(),
            s.Dense(SDNN, 24, 5, weight_scale=3),
            s.Output(SDNN, 5, 3, weight_scale=3),
        ]),
    }  # fmt: skip


def record(
    name: str, shape: tuple[int, ...], blocks: list[torch.nn.Module], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """The file and what every block sends."""
    unit = GRADED_UNIT if name == "sdnn" else 1
    x = (rng.random((1, *shape, STEPS)) < 0.3).astype(np.float32)
    if name == "sdnn":
        x = np.round(rng.uniform(-1, 1, (1, *shape, STEPS)) * 16).astype(np.float32) * (x > 0) / 16
    stored = {"x": np.rint(x[0] * unit).astype(np.int32)}
    signal = torch.tensor(x)
    for layer in blocks:
        layer.eval()
    with torch.no_grad():
        for layer in blocks:  # shapes, and random delays, are made in the first pass
            signal = layer(signal)
        for layer in blocks:
            if getattr(layer, "delay", None) is not None:
                layer.delay.delay.data = torch.tensor(rng.integers(0, 9, layer.delay.delay.shape), dtype=torch.float32)
        signal = torch.tensor(x)
        for k, layer in enumerate(blocks):
            for part in layer.modules():
                for key in ("current_state", "voltage_state", "real_state", "imag_state", "pre_state", "spike_state"):
                    if isinstance(getattr(part, key, None), torch.Tensor):
                        setattr(part, key, torch.zeros_like(getattr(part, key)))
            signal = layer(signal)
            fine = 64 if isinstance(layer, block.sigma_delta.Output) else 1  # sums, not messages
            scaled = signal[0].numpy().astype(np.float64) * unit * fine
            assert (scaled == np.rint(scaled)).all()
            stored[f"y{k}"] = scaled.astype(np.int32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "n.net"
        with h5py.File(path, "w") as file:
            for k, layer in enumerate(blocks):
                layer.export_hdf5(file.create_group(f"layer/{k}"))
        stored["net"] = np.frombuffer(path.read_bytes(), np.uint8)
    print(name, [int((stored[f"y{k}"] != 0).sum()) for k in range(len(blocks))])
    return stored


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("folder", type=Path)
    folder = options.parse_args().folder
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    for name, (shape, blocks) in networks(rng).items():
        np.savez_compressed(folder / f"slayer_{name}.npz", **record(name, shape, blocks, rng))


if __name__ == "__main__":
    main()
