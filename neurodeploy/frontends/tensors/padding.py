"""Padding, as both frontends read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodeploy.frontends.tensors.making import NodeMaker, Ref

#: What numpy calls the ways in which a map goes on beyond its edge.
MODES = {"reflect": "reflect", "replicate": "edge", "edge": "edge", "circular": "wrap", "wrap": "wrap"}


def padded(m: NodeMaker, name: str, x: Ref, widths: Sequence[tuple[int, int]], mode: str = "constant") -> Ref:
    """A value with numbers before and after it along each axis of its full shape: zeros, or its own by a mode of `MODES`.
    ND1310 for another mode, and for zeros that cut off."""
    m.room([size + sum(pair) for size, pair in zip(x.full, widths, strict=True)])
    if mode in MODES:
        return m.moved(name, x, lambda p: np.pad(p, widths, mode=MODES[mode]))  # type: ignore[call-overload,no-any-return]
    if mode != "constant" or any(width < 0 for pair in widths for width in pair):
        raise m.fail(f"pads with {mode} {tuple(widths)}", "pad with zeros, and slice what is to be cut off")
    full = tuple(size + sum(pair) for size, pair in zip(x.full, widths, strict=True))
    if x.lead and any(widths[0]):  # the one sample is to become several rows
        whole = m.moved(f"{name}.whole", x, lambda p: p[None])
        return m.moved(f"{name}.rows", padded(m, name, whole, [(0, 0), *widths]), lambda p: p.reshape(full))
    own = [n for pair in reversed(widths[x.lead :]) for n in pair]
    return m.node(name, "pad", [x], full, {"pads": tuple(own)})
