"""How much a unit of input moves a membrane: NIR does not fix the time step, so files follow one of two conventions.

"physical": forward Euler with R in ohm, a gain of ``R dt / tau`` (or ``R dt`` without a leak). "per-step": the file was
made for one particular time step, ``R = tau / dt`` (then the physical gain is 1, at that time step alone), and an `IF`
or `I` has R = 1 and means one unit a step, as sinabs writes it. Thus the two differ for `IF` and `I` alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from neurodeploy.frontends.nir.shapes import Draft
from neurodeploy.ir.float_network import Note

GAINS = ("physical", "per-step", "auto")


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
    notes.append(
        Note(made.raw.where, found, f"gain {chosen}: an input of 1 adds {_range(low * unit, high * unit)} a step")
    )
    return chosen


def steps_meant(drafts: Iterable[Draft]) -> dict[float, list[str]]:
    """Time steps ``tau / R`` (``tau_syn / w_in``) that give a gain of 1, with the nodes that agree on each."""
    found: dict[str, tuple[float, list[str]]] = {}
    for made in drafts:
        for tau, r in (("tau", "r"), ("tau_mem", "r"), ("tau_syn", "w_in")):
            if tau not in made.values or r not in made.values:
                continue
            with np.errstate(divide="ignore", over="ignore"):
                ratio = made.values[tau].reshape(-1) / made.values[r].reshape(-1)
            first = float(ratio[0]) if ratio.size else 0.0
            plain = bool((made.values[r] == 1).all())  # R = 1 means nothing about the time step
            if not plain and np.isfinite(first) and first > 0 and np.allclose(ratio, first, rtol=1e-3):
                found.setdefault(f"{first:.3g}", (first, []))[1].append(made.raw.where)
    return dict(found.values())


def check_step(drafts: Iterable[Draft], dt: float, notes: list[Note]) -> None:
    """Note where R and tau speak of another time step than the one that was given."""
    for meant, where in steps_meant(drafts).items():
        agrees = abs(meant - dt) <= 1e-3 * dt
        told = (
            "unit gain at the time step given" if agrees else f"kept: the gain is {dt / meant:.4g} at dt = {dt:.6g} s"
        )
        names = where[0] if len(where) == 1 else f"{where[0]} and {len(where) - 1} more"
        notes.append(Note(names, f"R = tau / dt for dt = {meant:.6g} s", told))


def _range(low: float, high: float) -> str:
    return f"{low:.6g}" if low == high else f"{low:.6g}..{high:.6g}"
