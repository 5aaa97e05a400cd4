"""What rounding lost entirely: not a value that is a little off, but one that is gone. Told before anything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.spiking.links import Link
from neurodeploy.conversion.spiking.membranes import Membrane
from neurodeploy.ir.float_network import NO_LEAK, FloatNode, Floats, Loss

Flags = NDArray[np.bool_]
#: A row that keeps less than this share of its weights (sum of magnitudes) is no longer the row that it was.
KEPT = 0.5
#: A bias that moves a voltage by less than this share of the threshold decides next to nothing.
FELT = 0.01
#: Neurons that a line names.
NAMED = 5


def of_projection(link: Link, wanted: Floats, got: Floats) -> Iterator[Loss]:
    """Rows whose weights are gone, or most of them. wanted, got : of the operator's values, in steps of the mantissa."""
    row, rows = link.operator.row_of_values, link.operator.rows_of_values
    asked = np.bincount(row, np.abs(wanted), rows)
    off = np.bincount(row, np.abs(wanted - got), rows)
    any_kept = np.bincount(row, got != 0, rows) > 0
    gone = (asked > 0) & ~any_kept
    thinned = (off > (1 - KEPT) * asked) & ~gone
    largest = float(np.abs(link.operator.values).max(initial=0.0))
    why = f"they are small beside the largest weight of the layer, {largest:.3g} V a spike"
    for lost, what in ((gone, "all"), (thinned, "more than half")):
        if lost.any():
            found = f"loses {what} of the weights of {_count(lost, 'row')}: {why}"
            yield Loss(link.name, found, "nothing else scales single rows: mend the outlier or split the layer")


def of_population(m: Membrane, values: Mapping[str, NDArray[np.int64]]) -> Iterator[Loss]:
    """Decays, thresholds and biases that became 0. `values`: the integers of a population by name."""
    name = m.node.name
    dv = values.get("dv")
    if dv is not None and (lost := (m.rate_v > 2 * NO_LEAK) & (dv == 0)).any():
        slowest = float(m.rate_v[lost].max())
        found = f"loses the decay of v of {_count(lost, 'neuron')}: {slowest:.3g} in a step, and 1/4096 is the least"
        yield Loss(name, found, "they never forget: use a longer time step or shorter time constants")
    if m.threshold is not None and not m.whole:  # without a leak, v > x is v > floor(x)
        lost = (m.threshold > 0) & (values["vth"] == 0)
        if lost.any():
            found = f"loses the threshold of {_count(lost, 'neuron')}: it is below half a step of the weights"
            yield Loss(name, found, "any input fires them: mend weights or thresholds that are out of scale")
    if "bias_mant" in values:
        lost = (m.bias != 0) & (values["bias_mant"] == 0)
        felt = lost & _felt(m)
        if felt.any() or (lost.any() and not values["bias_mant"].any()):
            found = f"loses the bias of {_count(lost, 'neuron')}: up to {float(np.abs(m.bias[lost]).max()):.3g} a step"
            yield Loss(name, found, "they are small beside the largest bias or weight of the layer")


def of_delays(node: FloatNode, dt: float) -> Iterator[Loss]:
    """Delays of less than half a step."""
    lost = ((node.params["delay"] > 0) & (np.rint(node.params["delay"] / dt) == 0)).reshape(-1)
    if lost.any():
        found = f"loses the delay of {_count(lost, 'value')}: it is below half a time step of {dt:.6g} s"
        yield Loss(node.name, found, "use a shorter time step")


def _felt(m: Membrane) -> Flags:
    """Where a bias alone moves a voltage (to ``bias / rate``, without a leak without end) by a share of the threshold."""
    if m.threshold is None:
        return np.zeros(m.bias.shape, bool)
    return np.abs(m.bias) > FELT * m.threshold * m.rate_v


def _count(lost: Flags, thing: str) -> str:
    """ "2 of 10 rows (3, 7)"."""
    where = np.flatnonzero(lost)
    named = ", ".join(str(i) for i in where[:NAMED]) + (", .." if len(where) > NAMED else "")
    return f"{len(where)} of {lost.size} {thing}s ({named})"
