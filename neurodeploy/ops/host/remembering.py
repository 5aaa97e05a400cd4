"""Attention on the chip, *hypothetical* (`convert --on-chip all`): one population that remembers its keys and values
(`neurons/graded_attention.py`).

It holds as many positions as a window or a chunk has, or as the conversion was told. Keys and values have a unit for each
channel; that of a key is in the query, so that a score is a sum of products of integers::

    score_hij = scale q_hi . k_j = sum_d q'_hid k'_jd * 2**-shift_h / (log2(e) 2**8)
    q'_hid = q_hid * unit of k_d * scale * log2(e) 2**8 * 2**shift_h,     k'_jd = k_jd / unit of k_d

with the largest shift for which a head's queries fit 16 bits. Ranges are calibrated to `HEADROOM` times the largest that was
seen, those of narrow keys and values to `NARROW_HEADROOM`, and what exceeds them is clipped and counted. Keys and values of
tokens that stand before every text (`conversion.prefix`) are rows that the memory begins with, at the same codes.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from neurodeploy.ir.fixedpoint import multiply_shift, signed_max
from neurodeploy.ir.population import Population, Section
from neurodeploy.neurons.graded_attention import CHUNK, FRACTION_BITS, FULL, QUERY_BITS, RESULT_EXP, WINDOW
from neurodeploy.ops.host.checks import Attrs
from neurodeploy.ops.host.lowering import Lowered, Signal, ToLower, requantise

#: Range of queries, keys and values over the largest that calibration saw, where bits are plenty, and where they are few.
HEADROOM, NARROW_HEADROOM, PLENTY = 2.0, 1.1, 12
#: The least range of a channel beside the largest, and of all.
FAINTEST, LEAST_PEAK = 2.0**-10, 2.0**-60


def lower(asked: ToLower) -> Lowered | None:
    """None where units are beyond a multiplier, or both a window and chunks hide keys."""
    op, attrs = asked.op, cast(Attrs, asked.op.attrs)
    heads, kv_heads, dim, window, chunk = (attrs[key] for key in ("heads", "kv_heads", "head_dim", "window", "chunk"))
    q, k, v = asked.inputs
    if window and chunk:
        return None
    before = (
        [asked.weights.get(op.weights[role]) for role in ("prefix_key", "prefix_value")] if attrs.get("prefix") else []
    )
    seen: Any = [peak.reshape(-1, dim) for peak in asked.measured.inputs]
    for number, rows in enumerate(before):  # every text attends to them: nothing of them is clipped
        seen[1 + number] = np.maximum(seen[1 + number], np.abs(rows).max(axis=0))
    limit = signed_max(asked.kept.bits)
    room = HEADROOM if asked.kept.bits >= PLENTY else NARROW_HEADROOM
    key, value = (np.maximum(x, x.max() * FAINTEST + LEAST_PEAK) * room / limit for x in seen[1:])
    keys, values = (np.repeat(x, heads // kv_heads, axis=0) for x in (key, value))  # (heads, dim): of each query head
    factors = keys * (float(attrs["scale"]) * math.log2(math.e) * 2.0**FRACTION_BITS)
    most = np.maximum((seen[0] * np.abs(factors)).max(axis=1, keepdims=True), LEAST_PEAK) * HEADROOM
    shift = np.clip(np.floor(np.log2(signed_max(QUERY_BITS) / most)), 0, 62)
    given = {
        "q": q.steps() * (factors * 2.0**shift).ravel(),
        "k": np.repeat((k.steps().reshape(-1, dim) / key), heads // kv_heads, axis=0).ravel(),
        "v": np.repeat((v.steps().reshape(-1, dim) / value), heads // kv_heads, axis=0).ravel(),
    }
    (wanted,) = asked.wanted
    params = requantise(values.ravel() * 2.0**-RESULT_EXP, wanted.unit.steps(heads * dim), wanted.unit.bits)
    if params is None:
        return None
    for port, ratio in given.items():
        params[f"{port}_multiplier"], right = multiply_shift(ratio)
        if (right < 0).any():
            return None
        params[f"{port}_shift"] = right.astype(np.uint8)
    slots, kind = asked.kept.context, FULL
    if (window or chunk or slots + 1) <= slots:
        slots, kind = window or chunk, WINDOW if window else CHUNK
    params |= {
        "heads": heads, "kv_heads": kv_heads, "head_dim": dim, "slots": slots, "kind": kind, "kv_bits": asked.kept.bits,
        "score_shift": np.repeat(shift.astype(np.int64), dim),
    }  # fmt: skip
    sections = (Section(op.path, 0, heads * dim, "attention", kv_heads),)
    codes = [np.rint(rows / unit).reshape(len(rows), -1) for rows, unit in zip(before, (key, value), strict=False)]
    initial = {name: rows.astype(np.int16) for name, rows in zip(("key", "value"), codes, strict=False)}
    out = Population(wanted.name, (heads * dim,), "graded_attention", params, initial, sections, op.layer)
    places = np.arange(kv_heads * dim)
    rows = places // dim * (heads // kv_heads) * dim + places % dim
    inputs = [q.into(out, "q"), k.onto(out, "k", rows, places), v.onto(out, "v", rows, places)]
    return Lowered([out], inputs, [Signal(out, 0, out.size, wanted.unit)])
