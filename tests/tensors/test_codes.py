"""Codes of a network of tensors: what each promises beside graded values, on every runner."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from neurodeploy.conversion.tensors.build import build
from neurodeploy.conversion.tensors.calibrate import calibrate
from neurodeploy.conversion.tensors.coding import Coding
from neurodeploy.conversion.tensors.passes import simplified
from neurodeploy.conversion.tensors.units import Bits
from neurodeploy.errors import ModelError, UserError
from neurodeploy.frontends.tensors.torch_module import read_module
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import Runner
from neurodeploy.pipeline.tensor_check import finished
from neurodeploy.pipeline.tensor_runs import in_steps, payloads, ran
from simulators.fast.runner import FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.networks.cuts import random_mapping
from tests.networks.equality import same_result

SAMPLES = 10


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a, self.b = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.b(torch.relu(self.a(x))))


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), Residual(4), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(36, 16), nn.ReLU(), nn.Linear(16, 5),
    ).eval()  # fmt: skip


def curved() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(144, 24), nn.Sigmoid(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 5)).eval()


def stream(seed: int, shape: tuple[int, ...] = (1, 12, 12)) -> NDArray[np.float32]:
    """Images that change a little, some of their pixels, from one to the next."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((SAMPLES, *shape)) * 0.1 * (rng.random((SAMPLES, *shape)) < 0.3)
    return (rng.random(shape) + steps.cumsum(axis=0)).clip(0, 1).astype(np.float32)


def made(module: nn.Module, x: NDArray[np.float32], coding: Coding, bits: Bits | None = None) -> Program:
    graph = simplified(read_module(module, [torch.from_numpy(x)]))
    seen = calibrate(graph, dict.fromkeys(graph.inputs, x), bits=(bits or Bits(8, 8)).payload, some=True)
    return build(graph, seen, bits or Bits(8, 8), ModelInfo("n", "tensors", 0, 0, 1, 0, ""), {}, coding)[0]


def run(program: Program, x: NDArray[np.float32], runner: Runner | None = None) -> tuple[NDArray[np.float64], Any]:
    (name,) = program.conversion["shapes"]  # type: ignore[misc]
    given, clipped = payloads(program, {name: x})
    assert not clipped
    result = ran(program, runner or FastRunner(), given)
    return next(iter(finished(program.conversion, result.outputs).values())), result


def events(program: Program, result: Any) -> int:
    """Weights that messages meet."""
    found = 0
    for p in program.network.projections:
        if not p.synapse.wire:
            fan = np.bincount(p.synapse.coo().column, minlength=p.synapse.columns)
            found += int(result.activity.fired[p.source][p.source_port] @ fan)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_changes_of_every_size_give_the_bits_of_values(seed: int) -> None:
    module, x = network(seed), stream(seed)
    plain, coded = (made(module, x, Coding(kind)) for kind in ("graded", "sigma_delta"))
    values, of_values = run(plain, x)
    changes, of_changes = run(coded, x)
    assert np.array_equal(values, changes)
    lost = of_values.activity.saturated  # values that are clipped to their width are clipped in both
    assert {name: count for name, count in of_changes.activity.saturated.items() if name in lost} == lost
    assert events(coded, of_changes) < 0.8 * events(plain, of_values)


def test_some_sites_alone_and_curves_between_them() -> None:
    """What is no sum, a sigmoid, gets values; each mixture has the same bits."""
    x = stream(4, (144,))
    program = made(curved(), x, Coding())
    wanted, sites = run(program, x)[0], [row["path"] for row in program.conversion["operations"]]  # type: ignore[attr-defined]
    for coding in (
        Coding("sigma_delta"),
        Coding(sites={sites[2]: "sigma_delta"}),
        Coding("sigma_delta", sites={"input": "graded"}),
    ):
        coded = made(curved(), x, coding)
        models = {population.model for population in coded.network.populations.values()}
        assert "graded_sigma_delta" in models and "graded_curve" in models
        assert np.array_equal(run(coded, x)[0], wanted)


@pytest.mark.parametrize("coding", [Coding("sigma_delta"), Coding("rate", 9)], ids=["sigma_delta", "rate"])
def test_every_runner_has_the_bits_of_the_reference(coding: Coding) -> None:
    x = stream(7)[:4]
    program = made(network(7), x, coding)
    if coding.kind == "sigma_delta":
        names = [n for n, p in program.network.populations.items() if p.params.get("changes")]
        program = made(network(7), x, Coding("sigma_delta", thresholds=dict.fromkeys(names, 3)))
    (name,) = program.conversion["shapes"]  # type: ignore[misc]
    given = {name: in_steps(coding, payloads(program, {name: x})[0][name])}
    steps = given[name].shape[1]
    wanted = ReferenceRunner().run(program.network, given, steps)
    chip = get_system("oheo-gulch").chip
    for runner in (FastRunner(), FastRunner("events"), PartitionedRunner(random_mapping(program.network, 3), chip)):
        same_result(runner.run(program.network, given, steps), wanted)
    parts: list[Any] = []
    for start, stop in ((0, 1), (1, steps)):
        state = parts[-1].state if parts else None
        parts.append(FastRunner().run(program.network, {name: given[name][:, start:stop]}, stop - start, state=state))
    for out, whole in wanted.outputs.items():
        assert np.array_equal(np.concatenate([part.outputs[out] for part in parts], axis=1), whole)


def test_what_a_threshold_holds_back_is_sent_when_it_is_enough() -> None:
    """A matrix alone: the error of an output is at most threshold x the weights that it meets, however long it runs."""
    torch.manual_seed(3)
    wide = Bits(16, 8)
    module, x = nn.Linear(144, 6).eval(), stream(3, (144,))
    names = [
        n
        for n, p in made(module, x, Coding("sigma_delta"), wide).network.populations.items()
        if p.params.get("changes")
    ]
    coded = made(module, x, Coding("sigma_delta", thresholds=dict.fromkeys(names, 500)), wide)
    (weights,) = (p.synapse for p in coded.network.projections if not p.synapse.wire)
    plain, found = run(made(module, x, Coding(), wide), x)[0], run(coded, x)[0]
    coo, scale = weights.coo(), np.abs(module.weight.detach().numpy()).max(axis=1) / 127
    unit = coded.conversion["inputs"]["input"]["unit"]  # type: ignore[index, call-overload]
    reach = np.bincount(coo.row, np.abs(coo.weight), 6) * scale * unit * 500
    row = coded.conversion["outputs"]["linear"]  # type: ignore[index, call-overload]
    assert (np.abs(found - plain) <= reach + row["unit"]).all()
    assert np.abs(found - plain).max() > 0


def test_rates_come_nearer_as_steps_grow() -> None:
    module, x = network(5), stream(5)
    with torch.no_grad():
        wanted = module(torch.from_numpy(x)).numpy()
    errors = {}
    for steps in (4, 32, 256):
        found, result = run(made(module, x, Coding("rate", steps)), x)
        assert not any(result.activity.saturated.values())
        errors[steps] = float(np.abs(found - wanted).max() / np.abs(wanted).max())
    assert errors[256] < errors[32] / 2 < errors[4] / 4 and errors[256] < 0.05


def test_rates_of_one_layer_are_within_a_spike_a_step() -> None:
    """ReLU of a matrix, read as a mean: off by half a spike of a step, what rounds the threshold, and the weights."""
    torch.manual_seed(2)
    module, x = nn.Sequential(nn.Linear(144, 8), nn.ReLU(), nn.Linear(8, 8, bias=False)).eval(), stream(2, (144,))
    with torch.no_grad():
        module[2].weight.copy_(torch.eye(8))  # type: ignore[union-attr]
        wanted = module(torch.from_numpy(x)).numpy()
    steps = 64
    program = made(module, x, Coding("rate", steps))
    (row,) = [r for r in program.conversion["operations"] if r.get("code") == "rate" and r["value"] == "relu"]  # type: ignore[attr-defined]
    assert wanted.max() <= row["unit"]
    found = run(program, x)[0]
    assert np.abs(found - wanted).max() <= row["unit"] * (0.5 / steps + 2.0**-7) + 0.01 * np.abs(wanted).max()


@pytest.mark.parametrize(
    "module",
    [nn.Sequential(nn.Linear(9, 9), act, nn.Linear(9, 2)) for act in (nn.Sigmoid(), nn.LeakyReLU(), nn.ReLU6())]
    + [nn.Sequential(nn.Linear(9, 9), nn.LayerNorm(9), nn.Linear(9, 2))],
    ids=["sigmoid", "leaky", "relu6", "norm"],
)
def test_rates_refuse_what_spikes_cannot_say(module: nn.Module) -> None:
    x = np.random.default_rng(0).standard_normal((4, 9)).astype(np.float32) * 9
    with pytest.raises(ModelError, match="rates cannot do") as told:
        made(module.eval(), x, Coding("rate", 8))
    assert told.value.code == "ND1317"


@pytest.mark.parametrize(
    "coding",
    [Coding("bursts"), Coding("rate", 0), Coding("rate", 9, {"linear": "graded"}), Coding(sites={"linear": "rate"})],
)
def test_what_is_no_code(coding: Coding) -> None:
    with pytest.raises(UserError) as told:
        coding.check()
    assert told.value.code == "ND1316"
