"""Any curve of a graded input by a table of straight pieces, requantised.

Equation, a the exact sum at its port kept in 32 bits, n = entries of the table - 1, half = n / 2 * 2**width::

    i    = clip((a + half) >> width, 0, n - 1)
    f(a) = table[i] + round_shift((table[i + 1] - table[i]) * (a - (i << width) + half), width)
    s[t] = requantised(held(f(a)))                                              (`neurons/registers.py`)

The table has the curve at the ends of n pieces of 2**width units each, 0 in the middle; beyond them the first and the last
piece go on. The largest error of a piece of length h is h**2 / 8 times the largest curvature in it. One table serves all
neurons of a population; it is kept once in each core.

A neuron of our own: tables in a core's memory are read by neuron programs (Intel, Loihi 2 technology brief, 2021). Counted
in `saturated`: inputs and results beyond 32 bits, states; in `saturated_out`: each s that was clipped.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import STATE_BITS, Ints
from neurodeploy.neurons.arithmetic import Reals
from neurodeploy.neurons.model import Arrays, NeuronModel, Param, Port, Values
from neurodeploy.neurons.registers import REQUANTISE, held, largest_held, reach_requantised, requantised

#: Parameters of a table of straight pieces.
PIECES = {
    "table": Param(-(2**31), 2**31 - 1, "the curve at the ends of its pieces", table=True),
    "width": Param(0, 24, "length of a piece: 2 to this power", per_neuron=False),
}


def piecewise(on: Reals, a: Ints, params: Arrays) -> Ints:
    """f(a) of the module, held."""
    table, width = params["table"].reshape(-1), int(params["width"].item())
    half = (table.size - 1) // 2 << width
    i = np.clip((a + half) // (1 << width), 0, table.size - 2).astype(np.int64)
    start, rise = table[i], table[i + 1] - table[i]
    return held(on, start + on.rounded(rise * (a - (i << width) + half), width))


def wrong_pieces(params: Arrays) -> tuple[str, str] | None:
    """A table has two pieces or more, as many on either side of 0, and none rises by more than 2**30."""
    table = params["table"].reshape(-1)
    if table.size < 3 or table.size % 2 == 0:
        return f"has a table of {table.size} entries", "give an odd number of entries, at least 3"
    steepest = int(np.abs(np.diff(table)).max())
    if steepest > 1 << 30:
        return f"has a table that rises by {steepest} in one piece", f"choose a unit in which it is {1 << 30} at most"
    return None


def largest_piecewise(largest: int, params: Arrays) -> int:
    """The largest magnitude of f of inputs up to `largest`, before it is held."""
    ends = np.array([-largest_held(largest), largest_held(largest)], np.int64)
    table, width = params["table"].reshape(-1), int(params["width"].item())
    half = (table.size - 1) // 2 << width
    inside = table[np.abs(np.arange(table.size) * 2**width - half) <= largest_held(largest)]
    i = np.clip((ends + half) >> width, 0, table.size - 2)
    beyond = table[i] + ((table[i + 1] - table[i]) * (ends - (i << width) + half) >> width)
    return int(max(np.abs(inside).max(initial=0), np.abs(beyond).max() + 1))


def equation(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    return {"s": requantised(on, piecewise(on, held(on, inputs["a"]), params), params)}


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of input, result, state and payload, from the largest sum."""
    found = largest_piecewise(largest["a"], params)
    return {"a, f": max(largest["a"], found), **reach_requantised(largest_held(found), params)}


MODEL = NeuronModel(
    name="graded_curve",
    params={**PIECES, **REQUANTISE},
    equation=equation,
    ports={"a": Port(exact=True)},
    out_bits=STATE_BITS,
    consistent=wrong_pieces,
    reach=reach,
)
