"""The LIF family of `neurodeploy.neurons.leaky`: current, voltage and what is sent, for all steps of a block.

One source for two widths: int32 states and parameters where the caller has proven that no exact sum leaves 32 bits
(`simulators.fast.neurons.Leaky`), otherwise int64. A product with a decay of 12 bits is taken in two parts,
the upper and the lower 12 bits of the magnitude, so that it fits 32 bits: ``|x| * f >> 12 = (|x| >> 12) * f + ((|x| &
4095) * f >> 12)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit

#: What is sent and what it does to the voltage. `SPIKE` sends 1 above `high` and -1 below `low` and clears the voltage;
#: `SUBTRACT` subtracts `high` instead; `VOLTAGE` sends the voltage, for thresholds out of reach.
SPIKE, SUBTRACT, VOLTAGE = 0, 1, 2
#: Neurons whose states and parameters stay in the first-level cache together.
TILE = 1024


@jit
def leaky(
    part: int, parts: int, mode: int, start: int, stop: int, due: Any, period: int, alike: bool, inputs: Any, u: Any,
    v: Any, keep_u: Any, keep_v: Any, bias: Any, high: Any, low: Any, out: Any, lost: Any, ) -> None:  # fmt: skip
    """Steps start..stop of the block for the neurons of this part.

    inputs (samples, steps.., size) int32; u, v (samples, size); keep_u = 4095 - du, keep_v = 4096 - dv, bias and the
    thresholds in units of the state: (size,), or (TILE,) where all neurons have the same (`alike`). Every `period`
    steps (0: never), first in step `due` of the block, u and v are cleared. lost[part] += (wrapped, saturated).

    Neurons go in tiles, all steps of a tile in a row: its states and parameters stay in the first-level cache.
    """
    kind = u.dtype.type
    end, turn, limit = kind(2**23), kind(2**24), kind(2**23 - 1)
    kept = kind(-1 if mode == SUBTRACT else 0)
    samples, size = u.shape
    tiles = (size + TILE - 1) // TILE
    wrapped, clipped = np.int64(0), np.int64(0)
    for tile in range(samples * tiles * part // parts, samples * tiles * (part + 1) // parts):
        s, first = tile // tiles, tile % tiles * TILE
        n = min(TILE, size - first)
        base = 0 if alike else first
        us, vs = u[s, first : first + n], v[s, first : first + n]
        fu, fv, b = keep_u[base : base + n], keep_v[base : base + n], bias[base : base + n]
        hi, lo = high[base : base + n], low[base : base + n]
        for t in range(start, stop):
            if period > 0 and t >= due and (t - due) % period == 0:
                us[:] = 0
                vs[:] = 0
            a, o = inputs[s, t, first : first + n], out[s, t, first : first + n]
            turned, cut = kind(0), kind(0)
            for i in range(n):
                x, f = us[i], fu[i]
                m = kind(abs(x))
                y = kind(kind(kind(m >> 12) * f) + kind(kind(kind(m & 4095) * f) >> 12))
                x = kind((-y if x < 0 else y) + kind(kind(a[i]) << 6))
                turned += kind((x > end) | (x <= -end))
                x = kind(np.int32(x))
                x = kind(x - turn) if x > end else (kind(x + turn) if x <= -end else x)
                us[i] = x
                w, f = vs[i], fv[i]
                m = kind(abs(w))
                y = kind(kind(kind(m >> 12) * f) + kind(kind(kind(m & 4095) * f) >> 12))
                exact = kind(kind((-y if w < 0 else y) + x) + b[i])
                w = kind(np.int32(exact))
                turned += kind(w != exact)
                z = min(max(w, -limit), limit)
                cut += kind(z != w)
                up, down = z > hi[i], z < lo[i]
                o[i] = kind(up) - kind(down)
                vs[i] = kind(z - hi[i]) & kept if up | down else z
            if mode == VOLTAGE:
                for i in range(n):
                    o[i] = vs[i]
            wrapped += turned
            clipped += cut
    lost[part, 0] += wrapped
    lost[part, 1] += clipped
