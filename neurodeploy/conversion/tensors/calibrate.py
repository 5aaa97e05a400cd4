"""What a network of tensors is seen to do on samples: how large each value becomes, and in which unit it is written.

Units are powers of two, ``unit = 2**e``, so that sums shift and never multiply: e is the least that holds the largest
magnitude seen, times `HEADROOM`. Narrow payloads of what weights multiply have units by column (`conversion.tensors.sites`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.tensors.sites import WEIGHING, Site, sites_of
from neurodeploy.errors import ModelError
from neurodeploy.ir.fixedpoint import signed_max
from neurodeploy.ir.payloads import Floats
from neurodeploy.ir.tensors import Node, TensorGraph
from neurodeploy.ops.tensors import FORMS
from neurodeploy.ops.tensors.asking import NormSeen

#: Range of a value over the largest that was seen.
HEADROOM = 1.25
#: Widths from here on have room for the largest in one unit.
WIDE_BITS = 12
#: Numbers of a value that are kept of a sample, and samples.
KEPT, SAMPLES = 4096, 16
#: A value beyond this is no value of a working network.
LARGEST = 2.0**60

Progress = Callable[[str, int, int], None]


@dataclass(slots=True, eq=False)
class Seen:
    """Of one value: largest magnitude by channel (its first axis; of a vector, by number), its sites by the form that
    reads it, some of its numbers where they were asked for; of what a norm makes, the groups that it read."""

    peaks: Floats
    sites: dict[str, Site] = field(default_factory=dict)
    some: list[NDArray[np.float32]] = field(default_factory=list)
    grouped: NormSeen | None = None

    @property
    def peak(self) -> float:
        return float(self.peaks.max(initial=0.0))


def walk(
    graph: TensorGraph, inputs: Mapping[str, torch.Tensor], see: Callable[[str, torch.Tensor], None] | None = None
) -> dict[str, torch.Tensor]:
    """The outputs in float; `see` is shown every value. inputs : (samples, *shape) by name."""
    values = dict(inputs)
    last: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        last.update(dict.fromkeys(node.inputs, index))
    for name, value in inputs.items():
        if see is not None:
            see(name, value)
    with torch.no_grad():
        for index, node in enumerate(graph.nodes):
            found = FORMS[node.form].run(node, [values[name] for name in node.inputs])
            values[node.name] = found
            if see is not None:
                see(node.name, found)
            for name in set(node.inputs):
                if last[name] == index and name not in graph.outputs:
                    values.pop(name, None)
    return {name: values[name] for name in graph.outputs}


def calibrate(
    graph: TensorGraph, inputs: Mapping[str, NDArray[np.floating]], progress: Progress | None = None, *, bits: int = 16,
    some: bool = False,
) -> dict[str, Seen]:  # fmt: skip
    """Run all samples, one at a time; bits : of the payloads that are to come; some : numbers are kept, as codes other than
    graded need them. ND1103 for a value that is not finite."""
    seen: dict[str, Seen] = {}
    sites = sites_of(graph)
    count = len(next(iter(inputs.values())))
    wheres = {node.name: node for node in graph.nodes}
    norms: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if FORMS[node.form].group is not None:
            norms.setdefault(node.inputs[0], []).append(node)
    groups = dict[str, NormSeen]()

    def see(name: str, value: torch.Tensor) -> None:
        x = value.detach()[0].float()
        flat = x.reshape(x.shape[0] if x.ndim > 1 else x.numel(), -1).abs()
        peaks = (flat.amax(dim=1) if flat.numel() else flat.new_zeros(len(flat))).double().numpy()
        if not peaks.max(initial=0.0) <= LARGEST:  # NaN is not
            raise _beyond(wheres.get(name), name)
        if name in seen:
            seen[name].peaks = np.maximum(seen[name].peaks, peaks)
        else:
            own = {form: sites[name, form] for form in WEIGHING if (name, form) in sites}
            seen[name] = Seen(peaks, own)
        if some and len(seen[name].some) < SAMPLES:
            seen[name].some.append(x.reshape(-1)[:: max(1, x.numel() // KEPT)][:KEPT].numpy().copy())
        for node in norms.get(name, ()):
            groups[node.name] = _groups(node, x, groups.get(node.name))
        for site in seen[name].sites.values():
            site.see(name, x, keep=bits < WIDE_BITS)

    for sample in range(count):
        if progress:
            progress("calibrate", sample, count)
        walk(graph, {name: torch.as_tensor(array[sample : sample + 1]) for name, array in inputs.items()}, see)
    for name, found in groups.items():
        seen[name].grouped = found
    return seen


def _groups(node: Node, x: torch.Tensor, before: NormSeen | None) -> NormSeen:
    """What a norm reads of one sample, and of those before."""
    form = FORMS[node.form]
    assert form.group is not None
    rows = x.reshape(-1, form.group(node, tuple(x.shape))).double()
    mean = rows.mean(dim=1, keepdim=True) if form.about_mean else rows.new_zeros(len(rows), 1)
    rows = rows - mean
    own = rows.square().sum(dim=1), rows.abs(), mean.abs()
    found = NormSeen(*(float(part.amax()) if part.numel() else 0.0 for part in own))
    return found if before is None else NormSeen(*map(max, found, before))


def _beyond(node: Node | None, name: str) -> ModelError:
    where = f" ({node.where})" if node is not None and node.where else ""
    problem = "becomes infinite or no number on the samples"
    return ModelError("ND1103", f"{name}{where}", problem, "check samples and weights in the network's own framework")


def exponent_of(seen: Seen, bits: int) -> int:
    """The unit's exponent, by the rule of the module."""
    return math.ceil(math.log2(seen.peak * HEADROOM / signed_max(bits))) if seen.peak else -bits
