"""Cosine and sine of rotary positions, made once per set of frequencies, for as many positions as were asked for.

The angle is ``float32(position) * float32(inv_freq)`` rounded to float32, as transformers computes it, so that a model
sees the angles that it is published with; cosine and sine of that angle, times the factor, are taken in float64 and
rounded once.
"""

from __future__ import annotations

import numpy as np
import torch

#: Positions that a table holds at least.
LEAST = 256
#: Tables that are kept: a model has one to three sets of frequencies.
KEPT = 16

_tables: dict[tuple[tuple[float, ...], str, float], tuple[torch.Tensor, torch.Tensor]] = {}


def cos_sin(
    inv_freq: tuple[float, ...], first: int, stop: int, device: str, factor: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """`factor` times cosine and sine (stop - first, len(inv_freq)) float32 of the positions ``first:stop``."""
    key = (inv_freq, device, factor)
    found = _tables.get(key)
    if found is None or found[0].shape[0] < stop:
        if found is None and len(_tables) >= KEPT:
            _tables.clear()
        rows = max(LEAST, 1 << (stop - 1).bit_length())
        angle = np.arange(rows, dtype=np.float32)[:, None] * np.asarray(inv_freq, np.float32)[None, :]
        wide = angle.astype(np.float64)
        found = (
            torch.from_numpy((factor * np.cos(wide)).astype(np.float32)).to(device),
            torch.from_numpy((factor * np.sin(wide)).astype(np.float32)).to(device),
        )
        _tables[key] = found
    return found[0][first:stop], found[1][first:stop]
