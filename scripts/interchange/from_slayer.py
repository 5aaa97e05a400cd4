"""lava-dl SLAYER: networks of its blocks, the .net of their own export, their own spikes; all by `neurodeploy.convert`.

Writes ``slayer/<case>.net``, ``<case>.npz`` with `input` and `output` in SLAYER's axes (samples, C, .., steps), and
``index.json`` with the check that `convert` made. Its package imports libraries of pictures that its blocks do not use:
stand-ins take their place.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.modules.update({name: MagicMock() for name in ("cv2", "torchvision", "torchvision.ops", "torchvision.transforms")})

import lava.lib.dl.slayer as slayer  # noqa: E402

from neurodeploy import convert  # noqa: E402
from neurodeploy.frontends.modules.export import export_slayer  # noqa: E402

STEPS, SAMPLES, RATE = 60, 3, 0.3
CUBA = {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.1}
RESONATOR = {"threshold": 1.0, "period": 10, "decay": 0.1}
block = slayer.block.cuba


class Network(torch.nn.Module):
    """As lava-dl's tutorials write one."""

    def __init__(self, *blocks: torch.nn.Module) -> None:
        super().__init__()
        self.blocks = torch.nn.ModuleList(blocks)

    def forward(self, spike: torch.Tensor) -> torch.Tensor:
        for part in self.blocks:
            spike = part(spike)
        return spike


def dense(inputs: int, outputs: int, scale: float, **more: object) -> torch.nn.Module:
    return block.Dense(CUBA, inputs, outputs, weight_scale=scale, **more)


def delayed() -> torch.nn.Module:
    net = Network(dense(12, 8, 2.0, delay=True), dense(8, 5, 3.0))
    net(torch.zeros(1, 12, 5))  # makes the delays
    net.blocks[0].delay.delay.data = torch.arange(8.0).reshape(net.blocks[0].delay.delay.shape)
    return net


#: name -> (network in words, what makes it, shape of its input)
CASES = {
    "dense": ("cuba.Dense, cuba.Dense", lambda: Network(dense(12, 8, 2.0), dense(8, 5, 3.0)), (12,)),
    "dense_norm": (
        "the same with weight_norm",
        lambda: Network(dense(12, 8, 2.0, weight_norm=True), dense(8, 5, 3.0, weight_norm=True)),
        (12,),
    ),
    "sequential": (
        "torch.nn.Sequential of the same",
        lambda: torch.nn.Sequential(dense(12, 8, 2.0), dense(8, 5, 3.0)),
        (12,),
    ),
    "delay": ("cuba.Dense with axonal delays, cuba.Dense", delayed, (12,)),
    "recurrent": (
        "cuba.Dense, cuba.Recurrent",
        lambda: Network(dense(12, 8, 2.0), block.Recurrent(CUBA, 8, 8, weight_scale=1.0)),
        (12,),
    ),
    "conv": ("cuba.Conv(padding=1)", lambda: Network(block.Conv(CUBA, 2, 3, 3, padding=1, weight_scale=3.0)), (2, 6, 8)),
    "conv_pool": (
        "cuba.Conv, cuba.Pool, Flatten, cuba.Dense",
        lambda: Network(
            block.Conv(CUBA, 2, 3, 3, weight_scale=3.0), block.Pool(CUBA, 2, weight_scale=2.0), block.Flatten(),
            dense(18, 5, 3.0),
        ),
        (2, 6, 8),
    ),
    "resonators": ("rf.Dense", lambda: Network(slayer.block.rf.Dense(RESONATOR, 12, 8, weight_scale=2.0)), (12,)),
}  # fmt: skip


def record(name: str, folder: Path) -> dict[str, object]:
    """Run and convert one network."""
    network, build, shape = CASES[name]
    torch.manual_seed(1)
    net = build()
    fed = (torch.rand(SAMPLES, *shape, STEPS) < RATE).float()
    export_slayer(net, fed, folder / f"{name}.net")
    with tempfile.TemporaryDirectory() as out:
        found = convert(net, Path(out) / "case.nd", example_inputs=fed)
    with torch.no_grad():
        given = net.eval()(fed)
    np.savez_compressed(folder / f"{name}.npz", input=fed.numpy().astype(np.int8), output=given.numpy().astype(np.int8))
    check = {key: value for key, value in found["check"].items() if key != "told"}
    print("slayer", name, int(given.sum()), check["result"])
    return {
        "case": name, "network": network, "file": f"{name}.net", "options": found["check"]["told"],
        "open_questions": found["open_questions"], "check": check,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    folder = parser.parse_args().out / "slayer"
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    entries = [record(name, folder) for name in CASES]
    versions = {name: version(name) for name in ("lava-dl", "torch")}
    index = {"framework": "lava-dl", "versions": {"python": sys.version.split()[0], **versions}, "cases": entries}
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
