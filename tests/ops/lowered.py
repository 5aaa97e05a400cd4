"""An operation's populations by themselves: real numbers in, integers on the reference runner, real numbers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Dyadic, signed_max
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.network import Network
from neurodeploy.ir.payloads import Unit
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ops import lookup
from neurodeploy.ops.host.kvcache import State
from neurodeploy.ops.host.lowering import Made, Measured, Remembered, Signal, ToLower
from simulators.reference import ReferenceRunner
from tests.ops.conftest import compute

Real = NDArray[np.float64]


class Found(NamedTuple):
    """Values of each output, what was clipped, and the populations."""

    values: list[Real]
    clipped: int
    network: Network


def unit_of(x: Real, bits: int, binary: bool) -> Unit:
    """Of so many bits that hold the largest value; its own power of two for each channel where `binary`."""
    if not binary:
        return Unit(Dyadic.nearest(float(np.abs(x).max()) / signed_max(bits)), bits)
    peak = np.maximum(np.abs(x).max(axis=0), np.abs(x).max() * 2.0**-16)
    return Unit.of_logs(np.ceil(np.log2(peak / signed_max(bits))).astype(np.int64), bits)


def run_lowered(
    name: str, inputs: Sequence[Real], expected: Sequence[Real], bits: int = 24, out_bits: int = 24, *,
    binary: bool = False, weights: Mapping[str, Real] | None = None, room: float = 1.0, position: int = 0, **attrs: Any,
) -> Found:  # fmt: skip
    """The operation `name` on inputs (tokens, neurons) of so many bits; what is expected gives the units of its outputs, and
    with the inputs, `room` times as large, what calibration has seen. The first token is at `position`."""
    tensors = dict(weights or {})
    op = HostOp("op", name, tuple(f"x{i}" for i in range(len(inputs))), tuple(f"y{i}" for i in range(len(expected))), attrs,
                {role: role for role in tensors})  # fmt: skip
    populations: dict[str, Population] = {}
    payloads: dict[str, NDArray[np.int64]] = {}
    signals = []
    for key, x in zip(op.inputs, inputs, strict=True):
        unit = unit_of(x, bits, binary)
        populations[key] = Population(key, (x.shape[1],), INPUT, {"bits": bits})
        payloads[key] = np.rint(x / unit.steps(x.shape[1])).astype(np.int64)[:, None]
        signals.append(Signal(populations[key], 0, x.shape[1], unit))
    group = int(attrs.get("group", inputs[0].shape[1]))
    power = float(np.square(inputs[0]).reshape(-1, group).sum(axis=1).max()) * room**2
    seen = Measured(*([np.abs(x).max(axis=0) * room for x in given] for given in (inputs, expected)), power)
    wanted = [Made(key, unit_of(1.001 * y, out_bits, binary)) for key, y in zip(op.outputs, expected, strict=True)]
    store: Any = SimpleNamespace(get=tensors.__getitem__)

    def by_position(name: str, attrs: Mapping[str, Any], size: int, unit: Unit) -> Signal:
        said = compute(name, torch.zeros(len(inputs[0]), dtype=torch.int64), state=State(position), **attrs)
        populations[name] = Population(name, (size,), INPUT, {"bits": unit.bits})
        payloads[name] = np.rint(said.double().numpy() / unit.scale.value).astype(np.int64)[:, None]
        return Signal(populations[name], 0, size, unit)

    lowering = lookup(op).lowering
    assert lowering is not None
    aligned = lambda number, unit: signals[number]  # noqa: E731
    made = lowering(ToLower(op, signals, store, seen, wanted, aligned, by_position, Remembered(16, 16)))
    assert made is not None
    populations |= {population.name: population for population in made.populations}
    network = Network(
        "op", populations, tuple(made.projections), tuple(signal.population.name for signal in made.outputs)
    )
    result = ReferenceRunner().run(network, payloads, 1)
    values = [
        result.outputs[signal.population.name][:, 0] * signal.unit.steps(signal.population.size)
        for signal in made.outputs
    ]
    return Found(values, sum(result.activity.saturated.values()), network)


def off(found: Real, expected: Real) -> float:
    """Root mean square of what is wrong over that of what is right."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
