"""`--state`: what a step leaves is what the next one begins with, on the chip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import neurodeploy as nd
from neurodeploy.bundle import open_bundle
from neurodeploy.errors import NeurodeployError
from tests.tensors.onnx_files import model, node, written

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
STEPS, FED, KEPT = 30, 5, 8


class Gated(nn.Module):
    """A cell of one state, and what is made of it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.cell, self.head = nn.GRUCell(FED, KEPT), nn.Linear(KEPT, 3)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.cell(x, h)
        return self.head(h), h


class Long(nn.Module):
    """A cell of two states, and a norm."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.cell, self.norm = nn.LSTMCell(FED, KEPT), nn.LayerNorm(KEPT)

    def forward(
        self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        h, c = self.cell(x, (h, c))
        return self.norm(h), h, c


class Adding(nn.Module):
    """A map that is added to what was left of it."""

    def forward(self, x: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + 0.5 * kept)


def frames() -> torch.Tensor:
    return torch.randn(STEPS, FED, generator=torch.Generator().manual_seed(1))


def kept(count: int = STEPS) -> torch.Tensor:
    return torch.zeros(count, KEPT)


def by_hand(module: nn.Module, x: torch.Tensor, states: list[torch.Tensor]) -> list[torch.Tensor]:
    """The first output of every step, in torch."""
    found = []
    with torch.no_grad():
        for row in x:
            first, *states = module(row[None], *states)
            found.append(first)
    return found


def sent(bundle: nd.Bundle, x: np.ndarray[Any, Any], folder: Path, **options: Any) -> np.ndarray[Any, Any]:
    """Of the first output of a run, the numbers (steps, size)."""
    bundle.run(input=x, out=folder / "run.npz", **options)
    told: Any = open_bundle(bundle.path).program.conversion
    row = next(iter(told["outputs"].values()))
    with np.load(folder / "run.npz") as file:
        return np.asarray(file[f"out.{row['population']}"][0] * row["unit"])


@pytest.mark.parametrize("code", [None, "sigma_delta"])
@pytest.mark.parametrize("bits", [16, 8])
def test_a_cell_follows_torch_step_by_step(code: str | None, bits: int, tmp_path: Path) -> None:
    x, module = frames(), Gated()
    made = nd.convert(
        module, tmp_path / "a.nd", example_inputs=(x, kept() + 7), state={"h": 1}, payload_bits=bits, code=code
    )
    assert made["inputs"] == {"x": [FED]} and list(made["states"]) == ["h"]
    wanted = torch.cat(by_hand(module, x, [kept(1)])).numpy()
    got = sent(made.bundle, x.numpy(), tmp_path)
    assert np.abs(got - wanted).max() < (0.05 if bits == 8 or code else 0.005) * np.abs(wanted).max()
    assert made["check"]["outputs"][next(iter(made["check"]["outputs"]))]["largest_relative"] < 0.05


def test_two_states_on_every_runner(tmp_path: Path) -> None:
    """The same bits, and one copy of the weights."""
    made = nd.convert(Long(), tmp_path / "a.nd", example_inputs=(frames(), kept(), kept()), state="h=1, c=2")
    bundle, x = made.bundle, frames().numpy()
    bundle.map("oheo-gulch")
    runs = {runner: sent(bundle, x, tmp_path, runner=runner) for runner in ("fast", "reference", "partitioned")}
    assert all((run == runs["reference"]).all() for run in runs.values())
    network = open_bundle(bundle.path).program.network
    weights = sum(int(p.synapse.fan_out().sum()) for p in network.projections if p.target in ("linear", "linear_1"))
    assert weights == 4 * KEPT * (FED + KEPT)
    assert bundle.energy(input=x)["step"]["joules_per_token"]["board"]["nominal"] > 0
    assert not made["on_host"]


def test_a_map_by_its_name_in_a_file(tmp_path: Path) -> None:
    """Of ONNX, with the names of the file; the state lies as a map."""
    net = model(
        [node("Mul", "kept half", "less"), node("Add", "x less", "sum"), node("Relu", "sum", "next")],
        {"x": (1, 2, 3, 4), "kept": (1, 2, 3, 4)}, "next", {"half": np.array(0.5, np.float32)},
    )  # fmt: skip
    path = written(tmp_path / "net.onnx", net)
    x = np.random.default_rng(2).normal(size=(12, 2, 3, 4)).astype(np.float32)
    zeros = np.zeros_like(x)
    np.savez(tmp_path / "x.npz", x=x, kept=zeros)
    made = nd.convert(path, tmp_path / "a.nd", calibration=tmp_path / "x.npz", state="kept=next")
    wanted = torch.cat(by_hand(Twice(), torch.from_numpy(x), [torch.zeros(1, 2, 3, 4)])).reshape(12, -1).numpy()
    assert made["check"]["outputs"]["next"]["largest_relative"] < 1e-3
    got = sent(made.bundle, x, tmp_path)
    assert np.abs(np.sort(got, axis=1) - np.sort(wanted, axis=1)).max() < 1e-3  # the chip has its own order


class Twice(Adding):
    """Its output is its state."""

    def forward(self, x: torch.Tensor, kept: torch.Tensor) -> Any:
        found = super().forward(x, kept)
        return found, found


def test_a_state_behind_an_operation_of_the_host(tmp_path: Path) -> None:
    """abs and exp are the host's; the state is still the chip's."""

    class Step(nn.Module):
        def forward(self, x: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
            return torch.exp(-x.abs()) * 1.0 + 0.5 * kept

    x = frames()
    made = nd.convert(Step(), tmp_path / "a.nd", example_inputs=(x, torch.zeros(STEPS, FED)), state={"kept": 0})
    assert {row["form"] for row in made["on_host"]} == {"plain"}
    assert made["check"]["largest_relative"] < 1e-3


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("g=1", "--state g: is no input; inputs are x, h"), ("h=5", "--state 5: is no output"),
        ("h=0", r"has the shapes \(8,\) and \(3,\)"), ("h", "is no output"), ("x=1", "has the shapes"),
    ],
)  # fmt: skip
def test_what_is_no_state(state: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(NeurodeployError, match=words) as told:
        nd.convert(Gated(), tmp_path / "a.nd", example_inputs=(frames(), kept()), state=state)
    assert told.value.code == "ND1318" and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("options", "code"), [({"code": "rate:8"}, "ND1317"), ({}, "ND1318")])
def test_states_that_cannot_be(options: dict[str, Any], code: str, tmp_path: Path) -> None:
    """Of rates, or made by the host."""

    class Step(nn.Module):
        def forward(self, x: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
            return torch.relu(x + kept) if options else torch.exp(-(x + kept))

    x = frames()
    with pytest.raises(NeurodeployError) as told:
        nd.convert(Step(), tmp_path / "a.nd", example_inputs=(x, x), state={"kept": 0}, **options)
    assert told.value.code == code


def test_a_state_of_whole_numbers_would_be_cut(tmp_path: Path) -> None:
    x = frames()
    with pytest.raises(NeurodeployError, match="whole numbers") as told:
        nd.convert(Adding(), tmp_path / "a.nd", example_inputs=(x, torch.zeros(STEPS, FED).long()), state={"kept": 0})
    assert told.value.code == "ND1318" and told.value.fix == "give it as floats"


def test_all_inputs_are_states(tmp_path: Path) -> None:
    with pytest.raises(NeurodeployError, match="nothing is left to be given"):
        nd.convert(nn.ReLU(), tmp_path / "a.nd", example_inputs=frames(), state={"input": 0})


def test_states_that_a_bundle_does_not_have(tmp_path: Path) -> None:
    bundle = nd.convert(Gated(), tmp_path / "a.nd", example_inputs=(frames(), kept()), state={"h": 1}).bundle
    path = bundle.path / "conversion.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "states": {"g": told["states"]["h"]}}))
    with pytest.raises(NeurodeployError):
        open_bundle(bundle.path)
