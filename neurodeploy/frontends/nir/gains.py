"""How much a unit of input moves a membrane: NIR does not fix the time step, so files follow one of two conventions.

"physical": forward Euler with R in ohm, a gain of ``R dt / tau`` (or ``R dt`` without a leak). "per-step": the file was
made for one particular time step, ``R = tau / dt`` (then the physical gain is 1, at that time step alone), and an `IF`
or `I` has R = 1 and means one unit a step, as sinabs writes it. Thus the two differ for `IF` and `I` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from neurodeploy.frontends.nir.frameworks import COUNTED, INWARD, TAUS
from neurodeploy.frontends.nir.raw import Draft
from neurodeploy.ir.float_network import Floats, Note

GAINS = ("physical", "per-step", "auto")
#: Time constants and the gains that belong to them.
PAIRS = (("tau", "r"), ("tau_mem", "r"), ("tau_syn", "w_in"))
#: From this R on, that of an integrator is taken for ``1 / dt``: a step of at most 0.1 s.
IMPULSE = 10.0
#: Seconds that anybody means by a time step; sinabs counts in steps of 1 s.
STEPS = (1e-7, 10.0)
#: A step this near to the one that a file speaks of changes a gain by as little.
NEAR = 0.1


def decide(made: Draft, dt: float, gain: str, notes: list[Note]) -> str:
    """The gain of one node. "auto": per-step where every R is 1 and dt is not, which nobody means physically."""
    if made.kind not in ("if", "i"):
        return "physical"
    r = made.values["r"]
    low, high = float(r.min()), float(r.max())
    chosen = gain
    if gain == "auto":
        chosen = "per-step" if low == high == 1.0 and dt != 1.0 else "physical"
    unit = 1.0 if chosen == "per-step" else dt
    found = f"R = {_range(low, high)} without a leak"
    notes.append(Note(made.where, found, f"gain {chosen}: an input of 1 adds {_range(low * unit, high * unit)} a step"))
    return chosen


class Spoken(NamedTuple):
    """A time step that a file speaks of: at `step` seconds a unit of input moves a membrane by 1. why, where : in it."""

    step: float
    why: str
    where: list[str]


def steps_meant(drafts: Iterable[Draft]) -> list[Spoken]:
    """Time steps ``tau / R`` (``tau_syn / w_in``, ``1 / R`` without a leak), with the nodes that agree on each."""
    found: dict[tuple[str, str], Spoken] = {}
    for made in drafts:
        for step, why in _spoken(made):
            found.setdefault((f"{step:.3g}", why), Spoken(step, why, [])).where.append(made.where)
    return list(found.values())


def _spoken(made: Draft) -> Iterator[tuple[float, str]]:
    values = made.values
    taus = [values[key] for key in TAUS if key in values]
    for tau, r in PAIRS:
        if tau in values and r in values and not bool((values[r] == 1).all()):  # R = 1 means nothing about the step
            with np.errstate(divide="ignore", over="ignore"):
                ratio = values[tau].reshape(-1) / values[r].reshape(-1)
            if (step := _common(ratio)) is not None:
                yield step, "R = tau / dt"
    whole = _common(values["r"].reshape(-1)) if made.kind in ("if", "i") else None
    if whole is not None and whole >= IMPULSE:
        yield 1.0 / whole, "R = 1 / dt"
    unit = all(bool((values[key] == 1).all()) for key in INWARD if key in values)
    if taus and unit and all(bool((tau >= COUNTED).all()) for tau in taus):
        yield 1.0, "R = 1 with tau counted in steps of 1 s"


def _common(values: Floats) -> float | None:
    """The positive number that all values are, within a thousandth."""
    first = float(values[0]) if values.size else 0.0
    return first if np.isfinite(first) and first > 0 and np.allclose(values, first, rtol=1e-3) else None


def step_meant(drafts: Iterable[Draft]) -> Spoken | None:
    """The one time step that all R of a file speak of; None where they speak of none, of several, or of one beyond a tau or
    beyond `STEPS`."""
    drafts = list(drafts)
    taus = [float(made.values[key].min()) for made in drafts for key in TAUS if key in made.values]
    spoken = steps_meant(drafts)
    if not spoken or max(one.step for one in spoken) > min(taus, default=np.inf) * (1 + 1e-3):
        return None
    first = spoken[0]
    if not STEPS[0] <= first.step <= STEPS[1]:
        return None
    return first if all(abs(one.step - first.step) <= 2e-3 * first.step for one in spoken) else None


def contradicts(meant: Spoken, drafts: Iterable[Draft], dt: float) -> bool:
    """Whether `dt` is another step than the one that a file speaks of, by more than `NEAR`.

    Rockpool's files agree too: their ``R = tau / dt exp(-dt / tau)`` (rockpool 3.1.0) is below ``tau / dt`` by the decay
    of a step.
    """
    if abs(meant.step - dt) <= NEAR * meant.step:
        return False
    pairs = [(d.values[tau], d.values[r]) for d in drafts for tau, r in PAIRS if tau in d.values and r in d.values]
    with np.errstate(over="ignore", under="ignore"):
        decayed = [bool(np.allclose(r * dt / tau, np.exp(-dt / tau), rtol=1e-3)) for tau, r in pairs]
    return not (decayed and all(decayed))


def check_step(drafts: Iterable[Draft], dt: float, notes: list[Note]) -> None:
    """Note where R and tau speak of another time step than the one that was given."""
    for meant, why, where in steps_meant(drafts):
        agrees = abs(meant - dt) <= 1e-3 * dt
        told = (
            "unit gain at the time step given" if agrees else f"kept: the gain is {dt / meant:.4g} at dt = {dt:.6g} s"
        )
        names = where[0] if len(where) == 1 else f"{where[0]} and {len(where) - 1} more"
        notes.append(Note(names, f"{why} for dt = {meant:.6g} s", told))


def _range(low: float, high: float) -> str:
    return f"{low:.6g}" if low == high else f"{low:.6g}..{high:.6g}"
