"""A graded value where few of its neighbours are larger, else nothing: N of each M (Amber pruner, arXiv 2508.02128).

Equation, a the exact sum at port a and p_k those at ports p1 to p15, the values of the k-th neuron further on in the group
of `of` = M neurons, from the first one again behind the last; i is the neuron's own place in its group::

    ahead[t] = sum over 0 < k < of of (|p_k| > |a|, or |p_k| = |a| and i + k >= of)        equal ones: the first is ahead
    s[t]     = a[t]  where ahead[t] < keep,   else 0

Every value goes to its own neuron and to the others of its group, so that a group may lie on several cores. Ports that are
not of the group get nothing. `choose` says the same of a whole row.

A neuron of our own: magnitudes are compared as in `graded_winner`, whose comparisons are neurons of their own; here they are
M - 1 instructions. Counted in `saturated`: inputs beyond 32 bits; in `saturated_out`: payloads beyond `out_bits`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS, Ints
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values
from neurodeploy.neurons.registers import REGISTER_BITS, held, largest_held

#: Neurons of a group at most.
GROUP_MAX = 16
#: How many of how many are sent; all where they are equal.
CHOICE = {
    "keep": Param(1, GROUP_MAX, "how many of a group are sent", 1, per_neuron=False),
    "of": Param(1, GROUP_MAX, "neurons of a group, one after another", 1, per_neuron=False),
}
PARAMS = {
    **CHOICE,
    "place": Param(0, GROUP_MAX - 1, "place in its group"),
    "state_bits": Param(2, REGISTER_BITS, "width of an input that is held", REGISTER_BITS, per_neuron=False),
    "out_bits": Param(2, STATE_BITS, "width of a payload", STATE_BITS, per_neuron=False),
}
OTHERS = tuple(f"p{k}" for k in range(1, GROUP_MAX))


def choose(x: Ints, keep: int, of: int) -> Ints:
    """Rows (.., size) with zeros but for the `keep` largest magnitudes of each `of` consecutive ones."""
    found = np.zeros_like(x)
    for first in range(0, x.shape[-1], of):
        part = x[..., first : first + of]
        order = np.argsort(-np.abs(part), axis=-1, kind="stable")[..., :keep]
        chosen = np.take_along_axis(part, order, axis=-1)
        np.put_along_axis(found[..., first : first + of], order, chosen, axis=-1)
    return found


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    a, of = held(on, inputs["a"]), int(params["of"].item())
    ahead = np.zeros(a.shape, np.int64)
    for k, port in enumerate(OTHERS[: of - 1], 1):
        other = np.abs(held(on, inputs[port]))
        ahead += (other > np.abs(a)) | ((other == np.abs(a)) & (params["place"] + k >= of))
    return {"s": on.saturate_payload(np.where(ahead < params["keep"], a, 0), int(params["out_bits"].item()))}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of the inputs and of s, from the largest sums."""
    return {"a, p": max(largest.values()), "s": largest_held(largest["a"])}


MODEL = NeuronModel(
    name="graded_choice",
    params=PARAMS,
    equation=equation,
    ports=dict.fromkeys(("a", *OTHERS), Port(exact=True)),
    out_bits=STATE_BITS,
    reach=reach,
)
