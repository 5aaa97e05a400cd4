"""Matrices on the host: a float projection ``y = W x + b``, and a population that the host computes in integers."""

from __future__ import annotations

from collections.abc import Sequence

from neurodeploy.ir.graph import Projection
from neurodeploy.ir.network import Network
from neurodeploy.ir.synapse import Synapse
from neurodeploy.ops.host.operation import FLOAT, Work

#: Of a value that is encoded: multiply, round, two comparisons. Of one that a population sends: add the bias, round and
#: shift the sum, saturate, multiply, round and shift, saturate, scale to a real number.
ENCODE, NEURON = 4, 10


def projection_work(op: Projection, tokens: int) -> Work:
    """``2 T in out`` flops; weights, inputs and outputs in float32. Nothing without tokens: no weight is read then."""
    if not tokens:
        return Work(0, 0)
    bias = op.out_features if op.bias else 0
    weights = op.in_features * op.out_features
    return Work(tokens * (2 * weights + bias), FLOAT * (weights + bias + tokens * (op.in_features + op.out_features)))


def population_work(network: Network, name: str, ticks: int, calls: int) -> Work:
    """A population that the host computes, in so many calls for so many ticks together: see `island_work`."""
    rows, synapses = network.populations[name].size, [p.synapse for p in network.into(name)]
    columns, weights = sum(s.columns for s in synapses), sum(s.weight.size for s in synapses)
    return _work(rows, columns, sum(s.work for s in synapses), weights, ticks, calls)


def quantised_work(rows: int, synapses: Sequence[Synapse], digits: int, ticks: int, calls: int) -> Work:
    """A layer of 8-bit integers with these synapses, in so many calls for so many dense passes together.

    ``ops = T (2 D synapses + NEURON rows)`` with payloads of D digits of 8 bits, each a product of its own;
    ``bytes = calls (weights + 3 rows) + T D (columns + rows)``: payloads are read and written as bytes.
    """
    columns, weights = sum(s.columns for s in synapses), sum(s.weight.size for s in synapses)
    flops = ticks * (2 * digits * sum(s.work for s in synapses) + NEURON * rows)
    return Work(flops, calls * (weights + 3 * rows) + ticks * digits * (columns + rows))


def island_work(rows: int, columns: int, ticks: int) -> Work:
    """A matrix (rows, columns) that the host computes for so many ticks in one call.

    ``flops = T (2 synapses + ENCODE columns + NEURON rows)``: a multiply and an add of integers are charged as two
    floating-point operations. ``bytes = weights + 3 rows + columns + T (4 columns + 4 rows)``: each weight (one byte, of any
    width), multiplier, shift and exponent once a call, float32 values read and written once.
    """
    return _work(rows, columns, rows * columns, rows * columns, ticks, int(ticks > 0))


def _work(rows: int, columns: int, synapses: int, weights: int, ticks: int, calls: int) -> Work:
    flops = ticks * (2 * synapses + ENCODE * columns + NEURON * rows)
    return Work(flops, calls * (weights + 3 * rows + columns) + ticks * FLOAT * (columns + rows))
