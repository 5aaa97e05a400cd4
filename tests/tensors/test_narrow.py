"""Narrow payloads of what weights multiply, and weights that are rounded with what calibration has shown of the inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from neurodeploy.conversion.tensors.calibrate import calibrate, walk
from neurodeploy.conversion.tensors.passes import simplified
from neurodeploy.conversion.tensors.sites import ENOUGH, never_negative, sites_of
from neurodeploy.conversion.tensors.units import Bits
from neurodeploy.frontends.tensors.torch_module import read_module
from neurodeploy.ir.fixedpoint import signed_max
from simulators.reference import ReferenceRunner
from tests.tensors.cases import Of
from tests.tensors.test_operations import SAMPLES, Converted, converted, outputs, run, same_on_all

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


def made(module: nn.Module, samples: torch.Tensor, bits: Bits) -> Converted:
    return converted(read_module(module, [samples]), [samples.numpy()], bits)


def off(program: Converted) -> float:
    """The error's share of the norm of the first output; every runner has the same bits."""
    result = run(program, ReferenceRunner())
    wanted = walk(program.graph, {name: torch.as_tensor(x) for name, x in program.samples.items()})
    (name, got), *_ = outputs(program, result).items()
    want = wanted[name].numpy().reshape(got.shape)
    few = {name: x[:SAMPLES] for name, x in program.samples.items()}
    same_on_all(program._replace(samples=few), run(program._replace(samples=few), ReferenceRunner()), 1)
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


def uneven(count: int, *shape: int) -> torch.Tensor:
    """Columns of very different sizes."""
    torch.manual_seed(3)
    return torch.randn(count, *shape) * torch.exp2(torch.arange(shape[-1]) % 7 - 3.0)


@pytest.mark.parametrize("shape", [(16,), (5, 16)])
def test_columns_of_any_size_keep_their_bits(shape: tuple[int, ...]) -> None:
    """Where each column counts the same at the output, one unit for all would lose the small ones: 1 / 127 of the largest is
    a tenth of them."""
    torch.manual_seed(0)
    linear = nn.Linear(16, 8)
    linear.weight.data /= torch.exp2(torch.arange(16) % 7 - 3.0)
    assert off(made(linear, uneven(40, *shape), Bits(8, 16))) < 0.012


def test_what_is_added_stays_wide() -> None:
    """Of a residual stream only what the matrix reads has 8 bits."""
    torch.manual_seed(0)
    linear = nn.Linear(16, 16)
    linear.weight.data *= 1e-3
    program = made(Of(lambda x: x + linear(x)), torch.randn(20, 16), Bits(8, 8))
    assert off(program) < 2e-4
    told = program.program.conversion["payloads"]
    assert told == {"weighed": {"8": 16}, "others": {"16": 16, "24": 32}}


def test_one_side_of_0_takes_all_payloads() -> None:
    """Values from -0.2 to 10: steps are half of what a sign would leave. What is never negative has no sign."""
    torch.manual_seed(0)
    linear, samples = nn.Linear(12, 6), torch.rand(60, 12) * 10
    shifted = off(made(Of(lambda x: linear(x - 0.2)), samples, Bits(8, 16)))
    mirrored = off(made(Of(lambda x: linear(x - 5.1)), samples, Bits(8, 16)))
    both = (torch.rand(60, 12) - 0.5) * 20
    signed = off(made(Of(lambda x: linear(x * 1.0)), both, Bits(8, 16)))
    assert shifted < 0.6 * signed and mirrored < signed * 1.3
    program = made(nn.Sequential(nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 3)), torch.randn(60, 12), Bits(8, 8))
    relu = [p for name, p in program.program.network.populations.items() if name == "linear"]
    assert relu[0].params["out_bits"] == 9 and relu[0].params["low"] == 0
    assert "8 without a sign" in program.program.conversion["payloads"]["weighed"]  # type: ignore[index]


def test_a_steady_number_far_out_leaves_its_column_alone() -> None:
    """The first place always makes 500 in one column: the others of it are told apart all the same."""
    torch.manual_seed(0)
    linear, samples = nn.Linear(8, 4), torch.randn(40, 20, 8)
    samples[:, 0, 3] = 500 + torch.randn(40) * 0.1
    graph = simplified(read_module(linear, [samples]))
    (name,) = graph.inputs
    site = calibrate(graph, {name: samples.numpy()}, bits=8)[name].sites["linear"]
    coding = site.coding(name, 160, 8)
    assert coding.base is not None and np.flatnonzero(coding.base).tolist() == [3]
    assert coding.base[3] == pytest.approx(500, abs=0.1)
    assert (coding.unit.steps(160) * signed_max(8)).max() < 20


def test_sound_comes_in_two_payloads() -> None:
    """Loud and quiet samples, the quietest a hundredth: of 8 bits the quiet ones are less than a step, of 15 their error is
    2**-11 / sqrt(12), 1.4 % of them."""
    torch.manual_seed(0)
    loud = torch.logspace(0, -2, 40)[:, None, None]
    program = made(nn.Conv1d(1, 4, 9), torch.randn(40, 1, 64) * loud, Bits(8, 16))
    result = run(program, ReferenceRunner())
    (wanted,) = walk(program.graph, {name: torch.as_tensor(x) for name, x in program.samples.items()}).values()
    (got,) = outputs(program, result).values()
    want = wanted.numpy().reshape(got.shape)
    bias = program.graph.nodes[0].arrays["bias"].repeat(56)
    lost = np.linalg.norm(got - want, axis=1) / np.linalg.norm(want - bias, axis=1)
    assert lost.max() < 0.02 and np.median(lost) < 0.002
    assert program.program.conversion["payloads"]["weighed"] == {"8": 128}  # type: ignore[index]
    assert not any(result.activity.saturated.values())
    even = made(nn.Conv1d(1, 4, 9), torch.randn(40, 1, 64), Bits(8, 16))
    assert even.program.conversion["payloads"]["weighed"] == {"8": 64}  # type: ignore[index]


def correlated(count: int, columns: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(6, columns, generator=torch.Generator().manual_seed(9))
    return torch.randn(count, 6, generator=generator) @ mix + 0.05 * torch.randn(count, columns, generator=generator)


@pytest.mark.parametrize("bits", [8, 4])
def test_rounding_errors_compensate_each_other(bits: int) -> None:
    """On inputs that lie near a plane, known ones and others: less than half of the error of rounding to the nearest, which
    is what too few samples leave."""
    torch.manual_seed(0)
    linear, known, new = nn.Linear(48, 32), correlated(400, 48, 1), correlated(200, 48, 2)

    def error(samples: torch.Tensor) -> float:
        program = made(linear, samples, Bits(16, bits))
        units = {name: row["unit"] for name, row in program.program.conversion["inputs"].items()}  # type: ignore[attr-defined]
        (unit,) = units.values()
        laid = {name: (np.rint(new.numpy() / unit) * unit).astype(np.float32) for name in units}
        return off(program._replace(samples=laid))

    assert error(known) < 0.5 * error(known[: ENOUGH - 1])


def test_steps_of_a_recurrent_layer_share_what_was_seen() -> None:
    graph = simplified(read_module(Of(lambda x: nn.GRU(4, 5, batch_first=True)(x)[0]), [torch.randn(3, 6, 4)]))
    sites = sites_of(graph)
    assert len(sites) > 2 * 5 and len({id(site) for site in sites.values()}) <= 4


def test_what_is_never_negative() -> None:
    module = Of(
        lambda x: (x.relu().reshape(-1, 4), x.sigmoid(), x.abs(), x.log_softmax(-1), x.softmax(-1), x.tanh(), -x.relu())
    )
    graph = read_module(module, [torch.randn(3, 2, 2)])
    found = never_negative(graph)
    forms = {node.settings.get("by", node.settings.get("act", node.form)) for node in graph.nodes if node.name in found}
    assert forms == {"rectify", "take", "sigmoid", "softmax"}
    assert sum(node.form == "rectify" and node.name in found for node in graph.nodes) == 3  # two of ReLU, a magnitude
    assert (
        not {node.name for node in graph.nodes if node.form == "log_softmax" or node.settings.get("act") == "tanh"}
        & found
    )
