"""Record what Lava makes of weights: run with a Python that has lava-nc 0.10.0, then look at the difference.

    PYTHON tests/synapses/record_lava_weights.py

Writes fixtures/lava_weights.json: cases (weights, bits, mode given or inferred) and the outcome of Lava's `clip_weights`
and `truncate_weights`, one after the other as its fixed-point `Dense` does in its first step, on arrays and on a
compressed sparse matrix; and of its `Conv`'s arithmetic on small random images.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from lava.proc.conv.utils import conv, signed_clamp
from lava.utils.weightutils import SignMode, clip_weights, determine_sign_mode, truncate_weights
from scipy.sparse import csr_matrix

OUT = Path(__file__).parent / "fixtures" / "lava_weights.json"


def weights() -> list[dict[str, object]]:
    rng = np.random.default_rng(20261122)
    edges = [np.arange(5), np.arange(125, 131), np.arange(252, 260), np.arange(0, 301, 7)]
    every = np.unique([*np.concatenate(edges), *-np.concatenate(edges)])
    sets = [every, every[every >= 0], every[every <= 0], np.zeros(3, int), np.array([2**31 - 1, -(2**31) + 1, 5])]
    sets += [rng.integers(-2000, 2000, 40) for _ in range(3)]
    rows = []
    for values in sets:
        for bits in range(1, 9):
            for mode in (None, SignMode.MIXED, SignMode.EXCITATORY, SignMode.INHIBITORY):
                used = mode or determine_sign_mode(values)
                out = truncate_weights(clip_weights(values, used, num_bits=8), used, bits)
                sparse = csr_matrix(values.reshape(1, -1).astype(np.int32))
                again = truncate_weights(clip_weights(sparse, used, num_bits=8), used, bits).toarray()[0]
                assert (again == out).all()
                rows.append({
                    "weight": values.tolist(), "bits": bits, "mode": None if mode is None else mode.name.lower(),
                    "used": used.name.lower(), "effective": out.tolist(),
                })  # fmt: skip
    return rows


def convolutions() -> list[dict[str, object]]:
    rng = np.random.default_rng(20261123)
    rows = []
    for _ in range(24):
        groups = int(rng.integers(1, 3))
        channels, out = groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
        kernel = rng.integers(1, 4, 2)
        stride, dilation, padding = rng.integers(1, 4, 2), rng.integers(1, 3, 2), rng.integers(0, 3, 2)
        image = rng.integers(-100, 100, (*(dilation * (kernel - 1) + rng.integers(1, 6, 2)), channels))
        weight = rng.integers(-500_000, 500_000, (out, *kernel, channels // groups)).astype(np.int32)
        pairs = [tuple(int(v) for v in pair) for pair in (stride, padding, dilation)]
        got = signed_clamp(conv(image, weight, tuple(int(k) for k in kernel), *pairs, groups), 24)
        geometry = dict(zip(("stride", "padding", "dilation"), pairs, strict=True))
        rows.append({
            "input": image.tolist(), "weight": weight.tolist(), **geometry, "groups": groups, "output": got.tolist(),
        })  # fmt: skip
    return rows


if __name__ == "__main__":
    OUT.parent.mkdir(exist_ok=True)
    text = json.dumps({"source": "lava-nc 0.10.0", "weights": weights(), "convolutions": convolutions()})
    OUT.write_text(text.replace('}, {"', '},\n{"') + "\n", encoding="utf-8")
