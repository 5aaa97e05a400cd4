"""How far a converted network may be from its float original: a bound from units and widths, for every number.

Where x is the float value, e its error so far and u the unit of the result, a neuron (`neurons.graded_rectified`) is off by

    |W| e + d (|x| + e)         its inputs, and weights that are rounded to steps of 2 d: |W - W'| <= d
    + c (1 + 2**acc_shift) / 2  its bias and its state, both whole numbers of c, the real worth of 1 in its sum
    + 2**-15 |y|                its multiplier of 15 bits
    + u / 2                     the payload that it sends

before limits, which shorten no error. The formulas of the other neurons are beside them below. Nothing here is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from neurodeploy.conversion.tensors.calibrate import Seen, walk
from neurodeploy.conversion.tensors.passes import fused
from neurodeploy.conversion.tensors.units import Bits, ValueUnits
from neurodeploy.ir.program import Program
from neurodeploy.ir.tensors import Node, TensorGraph
from neurodeploy.ops.tensors import FORMS
from neurodeploy.ops.tensors.asking import BIAS_BITS
from neurodeploy.ops.tensors.conv import by_output

Tensors = dict[str, torch.Tensor]
#: Of each curve the largest slope, and the largest curvature between the ends of pieces.
CURVED = {
    "sigmoid": (0.25, 0.0963), "tanh": (1.0, 0.77), "silu": (1.1, 0.5), "gelu": (1.13, 0.8), "gelu_tanh": (1.13, 0.81),
    "hard_swish": (1.5, 0.34), "hard_sigmoid": (0.17, 0.0), "softplus": (1.0, 0.25), "elu": (1.0, 1.0),
    "mish": (1.09, 0.65), "softsign": (1.0, 2.0), "erf": (1.13, 0.97),
}  # fmt: skip
#: What a curve is off by beyond its table (`ops.host.pieces`).
BEYOND = 3e-3
MULTIPLIER = 2.0**-15
#: Float32, in which the original is computed too.
FLOAT = 2e-6


class Errors:
    """Bounds by value, as the nodes are walked."""

    def __init__(self, program: Program, graph: TensorGraph, seen: Mapping[str, Seen], bits: Bits) -> None:
        self.program, self.bits, self.units = program, bits, ValueUnits(graph, seen, bits)
        self.values, self.errors = Tensors(), Tensors()

    def unit(self, name: str) -> float:
        """That of its population, which may be coarser than what was asked for."""
        rows: Any = self.program.conversion["operations"]
        made = [row["unit"] for row in rows if row.get("value") == name]
        return float(made[0]) if made else self.units.of(name).scale.value

    def sent(self, node: Node, name: str, carried: torch.Tensor, worth: torch.Tensor | float) -> torch.Tensor:
        """A population of `graded_rectified`: the formula above. carried : |W| e + d (|x| + e); worth : c."""
        params = self.program.network.populations[node.name].params
        state = 2.0 ** int(params["acc_shift"]) if int(params["acc_shift"]) else 0.0  # type: ignore[arg-type]
        bias = 1.0 if "bias" in params else 0.0
        before = carried + worth * (state + bias) / 2
        slope = max(1.0, abs(_slope(self.bend_of.get(node.name))))
        value = self.values[node.name].abs()
        if node.form == "rectify":  # a neuron of its own multiplies what comes before its limits and slopes
            value = torch.maximum(value, self.values[node.inputs[0]].abs())
        return slope * (before + (value + before) * MULTIPLIER) + self.unit(name) / 2

    def of(self, graph: TensorGraph, inputs: Tensors) -> Tensors:
        """Of each output, (samples, *shape); inputs are taken as they are, on the grid of their units."""
        walk(graph, inputs, self.values.__setitem__)
        whole, bends = fused(graph)
        self.bend_of = {name: bend for name, (bend, _) in bends.items()}
        self.errors.update({name: torch.zeros_like(x) for name, x in inputs.items()})
        for node in whole.nodes:
            name = bends[node.name][1] if node.name in bends else node.name
            if node.name in self.program.network.populations or node.form in ("take", "max_pool"):
                self.errors[name] = CHIP[node.form](self, node, name)
            else:
                self.errors[name] = self._hosted(node) + self.unit(name) / 2
            self.errors[name] = self.errors[name] + FLOAT * self.values[name].abs().max()
        # an output that is an input, or that the host makes, passes one more population
        return {name: self.errors[name] + self.unit(name) for name in graph.outputs}

    def given(self, node: Node) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [(self.values[name].float().abs(), self.errors[name]) for name in node.inputs]

    def _hosted(self, node: Node) -> torch.Tensor:
        """The host computes in float: its inputs alone are off."""
        given = self.given(node)
        if not any(e.any() for _, e in given):
            return torch.zeros_like(self.values[node.name]).float()
        if node.form == "log_softmax":
            return torch.full_like(self.values[node.name], 2 * float(given[0][1].max()))
        if node.form == "softmax":  # each weight is off by a factor of exp(2 e) at most
            e = given[0][1].max()
            y = self.values[node.name]
            return y * (torch.exp(2 * e) - 1)
        return HOSTED[node.form](self, node, given)


def _slope(bend: Any) -> float:
    return 1.0 if bend is None else float(abs(torch.as_tensor(bend.slope)).max())


def _through(node: Node, x: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """The form on other numbers, with other weights and without a bias."""
    arrays = {role: a for role, a in node.arrays.items() if role != "bias"}
    if weight is not None:
        arrays["weight"] = weight.numpy()
    made = Node(node.name, node.form, node.inputs, node.shape, node.settings, arrays)
    return FORMS[node.form].run(made, [x])


def weighted(on: Errors, node: Node, name: str) -> torch.Tensor:
    """Convolutions and matrices: each output has weights in steps of its own."""
    (x, e), (weight, top) = on.given(node)[0], (torch.tensor(node.arrays["weight"]), 2 ** (on.bits.weight - 1) - 1)
    rows = torch.tensor(by_output(node)).abs().flatten(1).amax(dim=1)
    step = torch.where(rows > 0, rows, torch.ones(())) / top
    if "bias" in node.arrays:
        least = on.unit(node.inputs[0]) * 2.0 ** (on.bits.payload + BIAS_BITS)
        step = torch.maximum(step, torch.tensor(node.arrays["bias"]).abs() / least)
    side = (1, -1, *[1] * (len(node.shape) - 1)) if node.form == "conv" else (1, *[1] * (len(node.shape) - 1), -1)
    ones = torch.ones_like(weight)
    carried = _through(node, e, weight.abs()) + _through(node, x + e, ones) * step.reshape(side) / 2
    return on.sent(node, name, carried, step.reshape(side) * on.unit(node.inputs[0]))


def added(on: Errors, node: Node, name: str) -> torch.Tensor:
    """A value in a unit too fine for a weight comes in a coarser one first."""
    (_, a), (_, b) = on.given(node)
    units = [on.unit(n) for n in node.inputs]
    least = max(units) * 2.0 ** (2 - on.bits.weight)
    return on.sent(node, name, a + b + (least if min(units) < least else 0.0), max(min(units), least))


def scaled(on: Errors, node: Node, name: str) -> torch.Tensor:
    """A factor too small for the multiplier leaves a constant alone, in the unit of the result."""
    ((_, e),), scale = on.given(node), torch.tensor(node.arrays["scale"]).abs()
    worth = torch.maximum(scale * on.unit(node.inputs[0]), torch.tensor(on.unit(name)))
    return on.sent(node, name, scale * e, worth)


def passed(on: Errors, node: Node, name: str) -> torch.Tensor:
    """Numbers that are moved, averaged or bent."""
    given = on.given(node)
    moved = FORMS[node.form].run(node, [e for _, e in given])
    if node.form in ("take", "max_pool"):
        return moved
    if node.form == "rectify":
        moved = given[0][1]
    return on.sent(node, name, moved, max(on.unit(n) for n in node.inputs))


def multiplied(on: Errors, node: Node, name: str) -> torch.Tensor:
    """`neurons.graded_product`: the state keeps 7 bits below the unit."""
    (a, ea), (b, eb) = on.given(node)
    off = a * eb + b * ea + ea * eb
    return off + (a * b + off) * MULTIPLIER + on.unit(name) * (0.5 + 2.0**-8)


def curved(on: Errors, node: Node, name: str) -> torch.Tensor:
    """`neurons.graded_curve`: a piece of length h is off by h**2 / 8 times the curvature."""
    ((_, e),), (slope, curvature) = on.given(node), CURVED[node.settings["act"]]
    width = int(on.program.network.populations[node.name].params["width"])  # type: ignore[arg-type]
    piece = on.unit(node.inputs[0]) * 2.0**width
    off = slope * e + piece**2 / 8 * curvature + BEYOND
    return off + (on.values[node.name].abs() + off) * MULTIPLIER + on.unit(name) * (0.5 + 2.0**-8)


def summed(on: Errors, node: Node, name: str) -> torch.Tensor:
    """Sums and means of an axis: weights of 1."""
    return on.sent(node, name, reduced(on, node, on.given(node)), on.unit(node.inputs[0]))


def normal(on: Errors, node: Node, name: str) -> torch.Tensor:
    """`ops.host.norms`, by group: c = x - m is off by what x is, twice, by 2**-15 of the mean and by units that hold four
    times the largest; its root mean square s by no more than c is, by the root's 4e-5 and by half a unit a square."""
    x, e = on.values[node.inputs[0]].double(), on.errors[node.inputs[0]].double()
    group = x[0].numel() // int(node.settings.get("groups", 1))
    if node.form != "group_norm":
        group = int(torch.tensor(node.settings["axes"]).prod())
    rows, off = x.reshape(-1, group), e.reshape(-1, group).amax(dim=1, keepdim=True)
    if node.form != "rms_norm":
        mean = rows.mean(dim=1, keepdim=True)
        rows = rows - mean
        off = 2 * off + mean.abs() * MULTIPLIER + 2 * on.unit(node.inputs[0])
        off = off + 2.0**-19 * (rows.abs().max() + mean.abs().max())
    power = rows.square().sum(dim=1, keepdim=True)
    s = (power / group + float(node.settings["eps"])).sqrt()
    squares = group / 2 * max(float(power.max()) * 9 * 2.0**-31, on.unit(node.inputs[0]) ** 2) / power.clamp_min(1e-30)
    gain = _by_number(node, torch.tensor(node.arrays.get("weight", [1.0]))).abs().reshape(-1)
    gain = gain.repeat(len(x)).reshape(-1, group)
    y = gain * rows.abs() / s
    found = gain * off * (1 + rows.abs() / s) / (s - off).clamp_min(1e-9) + y * (squares + 1e-4 + 2 * MULTIPLIER)
    return (found.reshape(x.shape) + on.unit(name) * 1.01).float()


def _by_number(node: Node, array: torch.Tensor) -> torch.Tensor:
    side = (-1, *[1] * (len(node.shape) - 1)) if node.form == "group_norm" and array.numel() > 1 else array.shape
    return array.reshape(side).expand(node.shape)


def shared(on: Errors, node: Node, name: str) -> torch.Tensor:
    """Softmax: each exponential is off by a factor of exp(2 e), its piece by 2e-4, the reciprocal by 1e-4, and by units."""
    e = on.errors[node.inputs[0]].max() + (on.unit(node.inputs[0]) if "mask" in node.arrays else 0.0)
    y, n = on.values[node.name].float(), node.shape[int(node.settings["axis"])]
    own = y * (torch.exp(2 * e) - 1) + y * (5e-4 + MULTIPLIER)
    return own + (n + 1) * 2.0**-21 + on.unit(name) * 0.51


def product_on_chip(on: Errors, node: Node, name: str) -> torch.Tensor:
    """A neuron a product, in units that hold the largest that its inputs can make."""
    (a, _), (b, _) = given = on.given(node)
    reach = [on.unit(n) * 2.0 ** (on.units.of(n).bits - 1) for n in node.inputs]
    unit = reach[0] * reach[1] * 2.0**-22
    off = product(on, node, given)
    return on.sent(node, name, off + (a @ b + off) * MULTIPLIER + a.shape[-1] * unit, unit)


def product(on: Errors, node: Node, given: Any) -> torch.Tensor:
    (a, ea), (b, eb) = given
    return a @ eb + ea @ b + ea @ eb


def divided(on: Errors, node: Node, given: Any) -> torch.Tensor:
    (_, ea), (b, eb) = given
    return (ea + on.values[node.name].abs() * eb) / (b - eb).clamp_min(1e-9)


def reduced(on: Errors, node: Node, given: Any) -> torch.Tensor:
    """A mean, a sum or a maximum is off by no more than that of the errors."""
    return FORMS["reduce"].run(node, [given[0][1]])


def rooted(on: Errors, node: Node, name: str) -> torch.Tensor:
    """sqrt(x + e) - sqrt(x) <= min(e / sqrt(x), sqrt(e)); the reciprocal root is off by 4e-5 of itself."""
    ((x, e),) = on.given(node)
    e = e + on.unit(node.inputs[0]) / 2
    off = torch.minimum(e / x.clamp_min(1e-30).sqrt(), (2 * e).sqrt())
    return off + (x.sqrt() + off) * (4e-5 + 2 * MULTIPLIER) + on.unit(name) * 0.51


CHIP: Mapping[str, Callable[[Errors, Node, str], torch.Tensor]] = {
    "conv": weighted, "linear": weighted, "add": added, "affine": scaled, "mul": multiplied, "curve": curved,
    "sqrt": rooted, "sum": summed, "softmax": shared, "matmul": product_on_chip,
    **dict.fromkeys(("layer_norm", "group_norm", "rms_norm"), normal),
    **dict.fromkeys(("rectify", "avg_pool", "max_pool", "take", "concat", "pad"), passed),
}  # fmt: skip
HOSTED: Mapping[str, Callable[[Errors, Node, Any], torch.Tensor]] = {
    "matmul": product, "reduce": reduced, "divide": divided,
    "rectify": lambda on, node, given: given[0][1] * max(1.0, float(node.settings.get("slope", 1.0))),
}  # fmt: skip
