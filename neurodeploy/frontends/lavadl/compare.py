"""Whether two networks mean the same: what `write_net` asks of the network that `read_net` makes of its file."""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.neurons.registry import prepared_params
from neurodeploy.synapses import Conv, Sparse
from neurodeploy.synapses.conv import PAIRS


def difference(one: Network, other: Network) -> tuple[str, str] | None:
    """(population, what differs), or None where every population, synapse and delay is the same.

    The weights of a dense or sparse projection count with their exponent: 10 and 80 * 2**-3 are equal, as their sums are.
    """
    for name, population in one.populations.items():
        if name not in other.populations:
            return name, "is not in the file"
        reason = _populations(population, other.populations[name])
        if reason:
            return name, reason
    for name in other.populations:
        if name not in one.populations:
            return name, "is only in the file"
    if one.outputs != other.outputs:
        return one.outputs[0], f"is an output, those of the file are {', '.join(other.outputs)}"
    if one.dt != other.dt:
        return one.outputs[0], "has another time step in the file"
    left = list(other.projections)
    for p in one.projections:
        match = next((q for q in left if _ends(q) == _ends(p) and _projections(p, q) == ""), None)
        if match is None:
            near = next((q for q in left if _ends(q) == _ends(p)), None)
            return p.target, f"projection {p.name} " + (_projections(p, near) if near else "is not in the file")
        left.remove(match)
    return (left[0].target, f"projection {left[0].name} is only in the file") if left else None


def _ends(p: Projection) -> tuple[str, str, str, str]:
    return p.source, p.source_port, p.target, p.target_port


def _populations(a: Population, b: Population) -> str:
    if (a.shape, a.model) != (b.shape, b.model):
        return f"is {a.model} {a.shape}, in the file {b.model} {b.shape}"
    if a.initial:
        return "starts from states of its own"
    mine, its = prepared_params(a), prepared_params(b)
    for key, value in mine.items():
        if key == "bias_exp" and not mine["bias_mant"].any() and not its["bias_mant"].any():
            continue
        if bool((value != its[key]).any()):
            return f"differs in {key}"
    return ""


def _scaled(p: Projection, weight: Ints, low: int) -> Ints:
    return weight.astype(np.int64) << (p.weight_exp - low)


def _window(a: Projection, b: Projection) -> str:
    names = (*PAIRS, "input_shape", "groups", "transposed")
    same = all(getattr(a.synapse, name) == getattr(b.synapse, name) for name in names) and a.weight_exp == b.weight_exp
    return "" if same else "differs in its geometry"


def _targets(a: Projection, b: Projection) -> str:
    one, other = a.synapse.coo(), b.synapse.coo()
    same = np.array_equal(one.row, other.row) and np.array_equal(one.column, other.column)
    return "" if same else "has other synapses"


#: What differs in the layout of synapses of one kind, where a kind has more than weights.
LAYOUT = {Conv: _window, Sparse: _targets}


def _projections(a: Projection, b: Projection) -> str:
    s, t = a.synapse, b.synapse
    if type(s) is not type(t) or (s.rows, s.columns) != (t.rows, t.columns):
        return "is of another kind in the file"
    if a.beyond_lava:
        return a.beyond_lava
    if a.graded != b.graded:
        return "differs in whether payloads count"
    problem = LAYOUT[type(s)](a, b) if type(s) in LAYOUT else ""
    if problem:
        return problem
    low = min(a.weight_exp, b.weight_exp)
    if s.weight.shape != t.weight.shape or not np.array_equal(_scaled(a, s.weight, low), _scaled(b, t.weight, low)):
        return "has weights that change"
    return "" if _same_delays(a, b) else "has delays that change"


def _same_delays(a: Projection, b: Projection) -> bool:
    """As they act: for each axon, or for each synapse where one of the two has them so."""
    if "synapse" in (a.delay_by, b.delay_by):
        coo = a.synapse.coo()
        return np.array_equal(a.delays_of(coo), b.delays_of(coo))
    used = a.synapse.axons()
    one, other = (np.zeros(len(used), np.uint8) if p.delay is None else p.delay for p in (a, b))
    return np.array_equal(one[used], other[used])
