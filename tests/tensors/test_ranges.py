"""Values and weights of very different sizes, and narrow widths: what is small leaves the others their bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from neurodeploy.conversion.tensors.calibrate import calibrate, walk
from neurodeploy.conversion.tensors.units import Bits
from neurodeploy.frontends.tensors.making import NodeMaker, Ref
from neurodeploy.frontends.tensors.torch_module import read_module
from neurodeploy.ir.tensors import TensorGraph
from simulators.reference import ReferenceRunner
from tests.tensors.cases import Of
from tests.tensors.test_operations import SAMPLES, Converted, converted, outputs, run, same_on_all, within_bounds

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


def made(module: nn.Module, shape: tuple[int, ...], bits: Bits | None = None) -> Converted:
    torch.manual_seed(2)
    samples = torch.randn(SAMPLES, *shape)
    return converted(read_module(module, [samples]), [samples.numpy()], bits)


def shifts(program: Converted) -> int:
    found = [int(p.params.get("acc_shift", 0)) for p in program.program.network.populations.values()]  # type: ignore[arg-type]
    return max(found)


def dead(kind: str, tiny: float) -> tuple[nn.Module, tuple[int, ...]]:
    """A layer with a channel whose weights are tiny and whose bias is not."""
    torch.manual_seed(1)
    if kind == "linear":
        linear = nn.Linear(8, 4)
        linear.weight.data[1] *= tiny
        linear.bias.data[1] = 1.0
        return linear, (8,)
    if kind == "sequence":
        linear = nn.Linear(8, 4, bias=False)
        linear.weight.data[1] *= tiny
        return linear, (3, 8)
    norm = nn.BatchNorm2d(4)
    norm.weight.data[2], norm.bias.data[2] = tiny, 0.5
    if kind == "norm behind":
        return nn.Sequential(nn.Conv2d(2, 4, 3), norm), (2, 6, 6)
    return nn.Sequential(norm, nn.ReLU()), (4, 3, 3)


@pytest.mark.parametrize("tiny", [1e-3, 1e-6, 1e-9, 0.0])
@pytest.mark.parametrize("kind", ["linear", "sequence", "norm behind", "norm before"])
def test_a_dead_channel(kind: str, tiny: float) -> None:
    program = made(*dead(kind, tiny))
    assert shifts(program) <= 6
    result = run(program, ReferenceRunner())
    within_bounds(program, result)
    same_on_all(program, result)


@pytest.mark.parametrize("ratio", [1e-9, 1e-4, 1.0, 1e4, 1e9])
def test_sums_of_values_of_different_sizes(ratio: float) -> None:
    """All on the chip, whose weights reach no further than 64 units."""
    program = made(Of(lambda x: (x + x.tanh() * ratio, torch.cat([x.relu() * ratio, x - 1], 1), x * (x * ratio))), (5,))
    assert not program.program.operations
    result = run(program, ReferenceRunner())
    within_bounds(program, result)
    same_on_all(program, result)


@pytest.mark.parametrize("bits", [Bits(16, 4), Bits(12, 8), Bits(12, 2), Bits(8, 8), Bits(8, 4), Bits(4, 2)])
def test_narrow_widths(bits: Bits) -> None:
    """The same bits on every runner; from 12 bits on within the bounds, below values may be clipped."""
    torch.manual_seed(1)
    layers = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 5))
    for module, shape in ((layers, (2, 6, 6)), (Of(lambda x: x + 0.02 * x.relu() + torch.sigmoid(x) * x), (6,))):
        program = made(module, shape, bits)
        result = run(program, ReferenceRunner())
        same_on_all(program, result)
        if bits.payload >= 12 and bits.weight >= 4:
            within_bounds(program, result, bits)


def test_what_stays_on_the_host_crosses_no_border_for_it() -> None:
    """A clip beyond 0 is the host's, and so is what it reads: inputs of the chip for it would be crossings for nothing."""
    program = made(Of(lambda x: x.exp().clamp(0.5, 2.0)), (4,)).program
    assert [type(step).__name__ for step in program.host] == ["Decode", "HostOp", "HostOp", "Encode"]
    assert len(program.network.populations) == 2


def test_a_mask_leaves_the_scores_their_bits() -> None:
    """-1e9 in a sum on the chip would."""
    mask = torch.triu(torch.full((3, 3), -1e9), 1)
    program = made(Of(lambda x: ((x @ x.transpose(1, 2)) + mask).softmax(-1)), (3, 4))
    (found,) = outputs(program, run(program, ReferenceRunner())).values()
    (wanted,) = walk(program.graph, {name: torch.as_tensor(x) for name, x in program.samples.items()}).values()
    assert np.abs(found - wanted.numpy().reshape(SAMPLES, -1)).max() < 2.0**-14


@pytest.mark.parametrize("scale", [1.0, 20.0, 1000.0])
def test_softsign_far_out(scale: float) -> None:
    """A file's curve that no line follows: by a table where that reaches, else on the host."""
    making = NodeMaker()
    made_of = making.curve("y", Ref("x", (1, 64)), "softsign")
    graph = TensorGraph("net", {"x": (64,)}, tuple(making.nodes), (made_of.name,))
    samples = np.linspace(-scale, scale, SAMPLES * 64, dtype=np.float32).reshape(SAMPLES, 64)
    program = converted(graph, [samples])
    assert calibrate(program.graph, program.samples)
    (found,) = outputs(program, run(program, ReferenceRunner())).values()
    assert np.abs(found - samples / (1 + np.abs(samples))).max() < 0.005 + scale * 2.0**-15
