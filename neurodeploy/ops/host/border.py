"""Encode and decode at the border between host and chip: the only places where a real number meets a payload.

encode: ``x_j = clip(rint(v_j * inverse_step_j), +-limit)`` with ``inverse_step_j = float32(1 / (scale * 2**axon_shift_j))``,
half to even, then 0 where ``|x_j| <= vth_j`` (`neurons/registers.py`) or where `keep` others of its group of `of` are ahead
(`neurons/graded_choice.py`); decode: ``out = float32(y) * float32(scale)``, exact to half a unit because |y| < 2**24. Both
work token by token, so that their bits do not depend on how many tokens a call has.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.machine.jit import jit
from neurodeploy.machine.threads import parts_of, split

#: Work of one element, in units of a multiply-add of the attention kernel (see `machine.threads`).
WORK_BORDER = 6


class Code(NamedTuple):
    """How an input is encoded: ``1 / step`` and threshold of each axon, the largest payload, and that of each `of` axons the
    `keep` largest are sent (all where `keep` is not below `of`)."""

    inverse_step: NDArray[np.float32]
    limit: int
    vth: NDArray[np.float32]
    keep: int = 1
    of: int = 1


@jit
def _choose(row: Any, keep: int, of: int, silent: Any) -> None:
    """Zeros in a row of payloads but for the `keep` largest magnitudes of each `of`, of equal ones the first; silent (of,):
    room."""
    for first in range(0, row.shape[0], of):
        last = min(first + of, row.shape[0])
        for j in range(first, last):
            ahead = 0
            for k in range(first, last):
                ahead += abs(row[k]) > abs(row[j]) or (abs(row[k]) == abs(row[j]) and k < j)
            silent[j - first] = ahead >= keep
        for j in range(first, last):
            if silent[j - first]:
                row[j] = 0


@jit
def _encode(
    part: int, parts: int, x: Any, inverse_step: Any, limit: Any, vth: Any, keep: int, of: int, payload: Any, lost: Any
) -> None:
    """Adds to lost[part]: values clipped, values that are not finite."""
    silent = np.zeros(of, np.bool_)
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
            sent = finite & (abs(inside) > vth[j])
            payload[t, j] = payload.dtype.type(inside if sent else np.float32(0))
        if keep < of:
            _choose(payload[t], keep, of, silent)
    lost[part, 0] = clipped
    lost[part, 1] = broken


@jit
def _decode(part: int, parts: int, y: Any, start: int, scale: Any, out: Any) -> None:
    tokens, rows = out.shape
    for t in range(tokens * part // parts, tokens * (part + 1) // parts):
        for i in range(rows):
            out[t, i] = np.float32(y[t, start + i]) * scale


def encode(x: torch.Tensor, code: Code, path: str) -> tuple[NDArray[Any], int]:
    """(tokens, columns) float32 -> payloads, of 16 bits where the limit has them, and how many saturated; NaN or infinity is
    ND3002, naming the segment."""
    values = x.contiguous().numpy()
    payload = np.empty(values.shape, np.int16 if code.limit < 2**15 else np.int32)
    work = values.size * WORK_BORDER
    lost = np.zeros((parts_of(work), 2), np.int64)
    split(_encode, work, values, *code, payload, lost)
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
