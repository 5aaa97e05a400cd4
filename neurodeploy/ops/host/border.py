"""Encode and decode at the border between host and chip: the only places where a real number meets a payload.

encode: ``x_j = clip(rint(v_j * inverse_step_j), +-limit)`` with ``inverse_step_j = float32(1 / (scale * 2**axon_shift_j))``,
half to even; decode: ``out = float32(y) * float32(scale)``, exact to half a unit because |y| < 2**24. Both work token by
token, so that their bits do not depend on how many tokens a call has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.machine.jit import jit
from neurodeploy.machine.threads import parts_of, split

#: Work of one element, in units of a multiply-add of the attention kernel (see `machine.threads`).
WORK_BORDER = 6


@jit
def _encode(part: int, parts: int, x: Any, inverse_step: Any, limit: Any, payload: Any, lost: Any) -> None:
    """Adds to lost[part]: values clipped, values that are not finite."""
    tokens, columns = x.shape
    top = np.float32(limit)
    clipped = 0
    broken = 0
    for t in range(tokens * part // parts, tokens * (part + 1) // parts):
        for j in range(columns):
            scaled = np.rint(x[t, j] * inverse_step[j])
            inside = min(max(scaled, -top), top)
            finite = abs(x[t, j]) <= np.float32(3.4028235e38)
            clipped += (inside != scaled) & finite
            broken += not finite
            payload[t, j] = payload.dtype.type(inside if finite else np.float32(0))
    lost[part, 0] = clipped
    lost[part, 1] = broken


@jit
def _decode(part: int, parts: int, y: Any, start: int, scale: Any, out: Any) -> None:
    tokens, rows = out.shape
    for t in range(tokens * part // parts, tokens * (part + 1) // parts):
        for i in range(rows):
            out[t, i] = np.float32(y[t, start + i]) * scale


def encode(x: torch.Tensor, inverse_step: NDArray[np.float32], limit: int, path: str) -> tuple[NDArray[Any], int]:
    """(tokens, columns) float32 -> payloads, of 16 bits where the limit has them, and how many saturated; NaN or infinity is
    ND3002, naming the segment."""
    values = x.contiguous().numpy()
    payload = np.empty(values.shape, np.int16 if limit < 2**15 else np.int32)
    work = values.size * WORK_BORDER
    lost = np.zeros((parts_of(work), 2), np.int64)
    split(_encode, work, values, inverse_step, limit, payload, lost)
    clipped, broken = (lost[0] if len(lost) == 1 else lost.sum(axis=0)).tolist()
    if broken:
        raise UserError(
            "ND3002", path, f"{broken} of {values.size} input activations are not finite",
            "the model overflows on this text: check it in its own framework",
        )  # fmt: skip
    return payload, clipped


def decode(y: NDArray[np.int32], start: int, stop: int, scale: float) -> torch.Tensor:
    """Rows ``start:stop`` of an island's outputs as real numbers (tokens, stop - start)."""
    out = np.empty((y.shape[0], stop - start), np.float32)
    split(_decode, out.size * WORK_BORDER, y, start, np.float32(scale), out)
    return torch.from_numpy(out)
