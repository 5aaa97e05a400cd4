"""States at step 0, so that a population is in phase with the float network when its first input can arrive.

A neuron on the chip computes from step 1 on, and its first input comes k steps later than in the float network, k being the
synapses before it. A bias (or a leak towards another voltage) moves it in the meantime, so it starts where k steps without
input lead to the state of the float network::

    u_j = a u_(j-1)      v_j = c v_(j-1) + u_j + bias      a = 1 - rate_u      c = 1 - rate_v

    v_k = c**k v_0 + S_k = v_float      S_j = sum_(i <= j) c**(j-i) (u_i + bias)

v_0 itself is compared with no threshold, but v_1 .. v_k are: v_0 is lowered where one of them would fire. Both are clipped
to 24 bits; what u_k then has too much, v_k gets less, so that the voltages that follow are right. What is left is told.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.spiking.membranes import Membrane
from neurodeploy.conversion.spiking.scales import STATE_MAX
from neurodeploy.ir.float_network import Floats, Loss

Longs = NDArray[np.int64]
#: How the line about a population that starts out of phase begins.
LATE = "cannot start"
#: A voltage that is off by less than this share of the threshold is a start in phase.
NEAR = 0.01
#: How far a voltage stays below a threshold on the way, as a share of it: decays have 12 bits.
MARGIN = 2.0**-10


#: Below every voltage, so that nothing is divided by 0.
TINY = 1e-300
#: Steps after the start in which a voltage must be right.
AFTER = 3


class Start(NamedTuple):
    """u, v : (size,) integers at step 0. missed : (size,) of the threshold, by how much v is off in the steps after k."""

    u: Longs
    v: Longs
    missed: Floats


def start(m: Membrane, unit: float, steps: int) -> Start:
    """The start of a population. unit : integers of one volt. steps : k."""
    u, v, missed = _solved(m, steps, STATE_MAX / unit)
    return Start(_whole(u * unit), _whole(v * unit), missed)


def reach(m: Membrane, steps: int) -> float:
    """The largest magnitude, in volts, of the u and v that a start wants."""
    u, v, _ = _solved(m, steps, np.inf)
    return max(float(np.abs(one[np.isfinite(one)]).max(initial=0.0)) for one in (u, v))


def _solved(m: Membrane, steps: int, most: float) -> tuple[Floats, Floats, Floats]:
    """u_0 and v_0 in volts, none beyond `most`, and what is missed."""
    a, c = 1 - m.rate_u, 1 - m.rate_v
    top = np.full(m.node.size, np.inf) if m.threshold is None else m.threshold
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        u = _within(np.where(a > 0, m.u0 / a**steps, 0.0), most)
        decayed = c**steps
        path, highest = np.zeros(m.node.size), np.full(m.node.size, np.inf)
        for j in range(1, steps + 1):
            path = c * path + a**j * u + m.bias
            quiet = top * (1 - MARGIN) if j < steps else np.maximum(top * (1 - MARGIN), m.v0)
            highest = np.minimum(highest, np.where(c > 0, (quiet - path) / c**j, np.inf))
        over = a**steps * u - m.u0
        taken = over * np.where(a < c, a / (c - a), np.where(c > 0, a / c, 0.0))  # of v, for what u hands on later
        v = _within(np.where(decayed > 0, np.minimum((m.v0 - taken - path) / decayed, highest), 0.0), most)
        off_v, off_u, off = decayed * v + path - m.v0, over, np.zeros(m.node.size)
        for _ in range(AFTER):
            off_u = a * off_u
            off_v = c * off_v + off_u
            off = np.maximum(off, np.abs(off_v))
        return u, v, off / np.where(np.isfinite(top) & (top > 0), top, np.abs(m.v0) + np.abs(m.bias) + TINY)


def told(m: Membrane, found: Start, steps: int) -> Loss | None:
    """The line about neurons that could not start in phase."""
    late = found.missed > NEAR
    if not late.any():
        return None
    what = f"{LATE} {steps} {'step' if steps == 1 else 'steps'} before its first input in phase"
    which = (
        f"{int(late.sum())} of {late.size} neurons would fire, or do not fit, and begin {found.missed.max():.3g} of the"
    )
    done = "where a bias drives them their spikes come at other steps at the same rate; eval counts the bins"
    return Loss(m.node.name, f"{what}: {which} threshold too low", done)


def _within(values: Floats, most: float) -> Floats:
    """No larger than `most`; what is no number (0 times infinity: lost at once) is 0."""
    return np.clip(np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf), -most, most)


def _whole(values: Floats) -> Longs:
    found: Longs = np.clip(np.rint(values), -STATE_MAX, STATE_MAX).astype(np.int64)
    return found
