"""Sites: the values that the same weights multiply, and what calibration has shown of all of them together.

q, k and v read one value, and each step of a recurrent layer one more with the same weights: each is a site. Second moments
of what a matrix reads say how its weights are rounded (`conversion.tensors.weights`). Of narrow payloads a site says how
they are written (`Written`)::

    number = base + scale * 2**exponent * payload

- exponent: by column (of a matrix; of a convolution by channel), that of `conversion.codes.AxonCodes`, by the error on what
  ranges were not measured on.
- A column that is often 0, as behind a ReLU, is not trusted with a range far below that of the others.
- An input of the network whose samples are of very different sizes, such as sound, comes in two payloads of this width.
- What is never negative has payloads without a sign: of 8 bits 0 to 255.

And for matrices:

- A column that is nearly all on one side of 0 has steps half as long, and its payloads begin at the other end.
- A number that is far out in its column and hardly changes from sample to sample, such as what a first token makes, has a
  base of its own, so that its column need not hold it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from neurodeploy.conversion.codes import AxonCodes, InputMoments
from neurodeploy.conversion.rounding import Block, compensation
from neurodeploy.ir.fixedpoint import SCALE_MIN, Dyadic, Ints, signed_max
from neurodeploy.ir.payloads import Floats, Unit
from neurodeploy.ir.tensors import Node, TensorGraph
from neurodeploy.ops.tensors.conv import by_output

#: Forms whose weights multiply what they read.
WEIGHING = ("conv", "linear")
#: Rows of inputs from which moments say more than that all are alike.
ENOUGH = 64
#: Moments of wider inputs are taken in blocks of so many columns.
COLUMNS = 2048
#: Numbers of a value that are kept to choose a code, and of one sample of a map.
KEPT, KEPT_OF_MAP = 1 << 21, 1 << 16
#: Samples from which a number is known to be steady.
SAMPLES = 8
#: A number with a base of its own: its mean is so many times its deviation, and the root mean square of its column, and so
#: much of the column's peak.
STEADY, FAR, SHARE = 4.0, 4.0, 0.25
#: Range of a column on the side of 0 where little is, over what was seen there, at least.
MARGIN = 1.25
#: How much more a clipped value costs than its square says: less than in a text (`conversion.codes.CLIPPED`), whose meaning
#: hangs on a few values.
CLIPPED = 8.0
#: A column is on one side where the other is so many times smaller.
ONE_SIDED = 4
#: A column that is other than 0 in less than this share of all rows has at least the range of `OTHERS` of the columns.
SELDOM, OTHERS = 0.5, 0.9
#: A value that is 0 so often sends nothing there, and keeps its 0.
SILENT = 0.25
#: Share of its power that a sample of a network's input may lose in the mean; beyond, the input comes in two payloads.
UNEVEN = 1e-3
#: Bits of a payload beside the exponent of its axon.
RAISED = 16
#: What is never negative: by form, or by what the form computes; and what passes that on.
POSITIVE = ("softmax", "sigmoid", "hard_sigmoid", "softplus", "sqrt", "abs", "exp")
PASSING = ("take", "concat", "pad", "max_pool", "avg_pool")


class Written(NamedTuple):
    """How the payloads of a value are written, as above: unit (exponents by number of the value), base by number or None.
    columns : the exponents by column."""

    unit: Unit
    base: Floats | None
    columns: Ints


@dataclass(slots=True, eq=False)
class Site:
    """power : (columns,) squared norms of all columns of weights. moments : of a matrix. signed : whether any of its values
    may be negative. values : by name, (places, columns) of each sample."""

    power: torch.Tensor
    moments: InputMoments | None
    signed: bool = True
    values: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    _blocks: list[Block] | None = None
    _codings: dict[str, Written] = field(default_factory=dict)
    _losses: dict[str, float] = field(default_factory=dict)

    @property
    def enough(self) -> bool:
        """Whether moments say how to round."""
        return self.moments is not None and self.moments.tokens >= ENOUGH

    def blocks(self, damping: float) -> list[Block]:
        """For `conversion.rounding`; the same for all who ask."""
        assert self.moments is not None
        if self._blocks is None:
            self._blocks = compensation(self.moments.blocks, self.moments.tokens, damping)
        return self._blocks

    def see(self, name: str, x: torch.Tensor, *, keep: bool) -> None:
        """A sample of a value: (.., columns), of a map (columns, ..)."""
        columns = len(self.power)
        if self.moments is not None:
            rows = x.reshape(-1, columns)
            self.moments.add(rows, moments=True, ranges=False)
        else:
            rows = x.reshape(columns, -1).T
            rows = rows[:: max(1, rows.numel() // KEPT_OF_MAP)]
        kept = self.values.setdefault(name, [])
        if keep and (len(kept) + 1) * rows.numel() <= max(KEPT, rows.numel()):
            kept.append(rows.clone())

    def coding(self, name: str, size: int, bits: int) -> Written:
        """Of a value of so many numbers in so many bits; all of a site in the same."""
        if not self._codings:
            self._choose(bits)
        found = self._codings[name]
        by = np.tile if self.moments is not None else np.repeat
        exponent = by(found.columns, size // len(found.columns))
        return found._replace(unit=found.unit._replace(exponent=exponent if exponent.any() else None))

    def uneven(self, name: str, size: int, bits: int) -> bool:
        """Whether samples are of so different sizes that the small ones are lost in a code for all."""
        self.coding(name, size, bits)
        return self._losses[name] > UNEVEN

    def _choose(self, bits: int) -> None:
        seen = {name: torch.stack(rows) for name, rows in self.values.items()}
        based = self.moments is not None and self.signed
        bases = {name: _steady(x) if based else torch.zeros_like(x[0]) for name, x in seen.items()}
        samples = [x for name, value in seen.items() for x in value - bases[name]]
        bits += not self.signed
        code, _ = AxonCodes(samples, self.power, CLIPPED).best(bits)
        scale = code.scale
        exponent = np.maximum(code.axon_shift.astype(np.int64), _least(samples, scale.value * signed_max(bits)))
        exponent = np.minimum(exponent, max(0, RAISED - bits))
        low = torch.stack([x.amin(dim=0) for x in samples]).amin(dim=0).double().numpy()
        high = torch.stack([x.amax(dim=0) for x in samples]).amax(dim=0).double().numpy()
        silent = float(torch.stack([(x == 0).float().mean() for x in samples]).mean())
        shift, halved = _one_sided(low, high, np.ldexp(scale.value * signed_max(bits), exponent))
        if based and halved.any() and silent < SILENT:
            exponent = exponent + np.where(halved, 0, 1)
            over = max(0, int(exponent.max()) - (RAISED - bits))  # then the shortest steps stay as long as they are
            scale, exponent = Dyadic(scale.mantissa, scale.exponent - 1 + over), np.maximum(exponent - over, 0)
        else:
            shift = np.zeros_like(shift)
        for name in seen:
            base = (bases[name].double().numpy() + shift).reshape(-1)
            self._codings[name] = Written(Unit(scale, bits), base if base.any() else None, exponent)
            steps = torch.from_numpy(np.ldexp(scale.value, exponent)).float()
            self._losses[name] = _loss(seen[name], steps)
        self.values.clear()


def _least(samples: list[torch.Tensor], reach: float) -> Ints:
    """The exponents that columns have at least: one that is often 0 says little of its range, and has room for that of nine
    columns in ten. reach : the largest number of a column without an exponent."""
    rows = torch.cat([x.reshape(-1, x.shape[-1]) for x in samples])
    peaks = rows.abs().amax(dim=0).double().numpy()
    seldom = (rows != 0).float().mean(dim=0).numpy() < SELDOM
    typical = float(np.quantile(peaks[peaks > 0], OTHERS)) if (peaks > 0).any() else reach
    most = np.where(seldom, np.maximum(peaks, typical), SCALE_MIN)
    return np.maximum(np.ceil(np.log2(most / reach)), 0).astype(np.int64)


def _loss(x: torch.Tensor, steps: torch.Tensor) -> float:
    """The share of its power that a sample loses by rounding, in the mean of all samples."""
    power, lost = (y.square().flatten(1).sum(dim=1) for y in (x, (x / steps).round() * steps - x))
    return float((lost[power > 0] / power[power > 0]).mean()) if bool((power > 0).any()) else 0.0


def _steady(x: torch.Tensor) -> torch.Tensor:
    """(places, columns) bases of numbers that are far out and hardly change, else 0."""
    if len(x) < SAMPLES:
        return torch.zeros_like(x[0])
    mean, deviation = x.mean(dim=0), x.std(dim=0, correction=0)
    peak, rms = x.abs().amax(dim=(0, 1)), x.square().mean(dim=(0, 1)).sqrt()
    far = (mean.abs() > STEADY * deviation) & (mean.abs() > SHARE * peak) & (mean.abs() > FAR * rms)
    return torch.where(far, mean, torch.zeros_like(mean))


def _one_sided(low: Floats, high: Floats, reach: Floats) -> tuple[Floats, Ints]:
    """Where 0 is for the payloads of each column, and whether its steps can be half as long; reach : the largest magnitude
    that the column's code holds. The lesser side keeps the headroom of the other."""
    sides = np.maximum(high, 0), np.maximum(-low, 0)
    most, least = np.maximum(*sides), np.minimum(*sides)
    least = least * np.maximum(MARGIN, reach / np.maximum(most, SCALE_MIN))
    halved = (most > 0) & (least * ONE_SIDED <= reach) & (most + least <= reach)
    return np.where(halved, np.where(sides[0] == most, 1.0, -1.0) * (reach / 2 - least), 0.0), halved


def _weights(node: Node) -> tuple[int, tuple[int, ...]]:
    """What two nodes with the same weights have in common."""
    weight = node.arrays["weight"]
    return int(weight.__array_interface__["data"][0]), weight.shape


def _power(node: Node) -> torch.Tensor:
    """(columns,) squared norms of the weights that multiply each column of a matrix, each channel of a convolution."""
    weight, groups = np.asarray(by_output(node), np.float64), int(node.settings.get("groups", 1))
    by_group = np.square(weight).reshape(groups, len(weight) // groups, weight.shape[1], -1).sum(axis=(1, 3))
    return torch.from_numpy(by_group.reshape(-1))


def sites_of(graph: TensorGraph) -> dict[tuple[str, str], Site]:
    """By the name of a value and the form, one of `WEIGHING`, that reads it."""
    joined: dict[tuple[str, str], tuple[str, str]] = {}

    def root(key: tuple[str, str]) -> tuple[str, str]:
        while joined.setdefault(key, key) != key:
            key = joined[key]
        return key

    readers = [(node, (node.inputs[0], node.form)) for node in graph.nodes if node.form in WEIGHING]
    first: dict[tuple[int, tuple[int, ...]], tuple[str, str]] = {}
    for node, key in readers:
        joined[root(key)] = root(first.setdefault(_weights(node), key))
    made: dict[tuple[str, str], Site] = {}
    counted, positive = set[tuple[int, tuple[int, ...]]](), never_negative(graph)
    for node, key in readers:
        power = _power(node)
        if root(key) not in made:
            moments = InputMoments(len(power), COLUMNS) if node.form == "linear" else None
            made[root(key)] = Site(torch.zeros_like(power), moments, signed=False)
        site = made[root(key)]
        site.signed |= node.inputs[0] not in positive
        if _weights(node) not in counted:
            counted.add(_weights(node))
            site.power += power
    return {key: made[root(key)] for _, key in readers}


def never_negative(graph: TensorGraph) -> set[str]:
    """Values that no input makes negative."""
    found = set[str]()
    for node in graph.nodes:
        what = node.settings.get("act", node.settings.get("by", node.form))
        ends = node.settings.get("low", -1.0), -node.settings.get("slope", 1.0)
        bent = node.form == "rectify" and max(ends) >= 0
        passed = node.form in PASSING and all(name in found for name in node.inputs)
        if bent or passed or what in POSITIVE:
            found.add(node.name)
    return found
