from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.population import Section
from tests.islands import Island, island


def make_island(
    rows: int, columns: int, *, bits: int = 16, wide: int = 0, seed: int = 0, bias: bool = False, acc_shift: int = 6,
    shifts: tuple[int, int] = (12, 22), extreme: bool = False,
) -> Island:  # fmt: skip
    random = np.random.default_rng(seed)
    weight = random.integers(-127, 128, (rows, columns)).astype(np.int8)
    if extreme:
        weight[:] = np.where(random.random((rows, columns)) < 0.5, 127, -127)
        weight[0] = 127
    axon_shift = np.zeros(columns, np.uint8)
    axon_shift[random.permutation(columns)[:wide]] = 8
    params: dict[str, Any] = {
        "multiplier": random.integers(1 << 14, 1 << 15, rows).astype(np.int16),
        "shift": random.integers(*shifts, rows).astype(np.uint8),
        "acc_shift": acc_shift,
    }
    if bias:
        params["bias"] = random.integers(-(10**7), 10**7, rows)
    middle = rows // 2
    sections = (Section("a", 0, middle), Section("b", middle, rows)) if middle else (Section("a", 0, 1),)
    scales = Dyadic(3, -9), Dyadic(5, -20)
    return island("island", weight, params, axon_exp=axon_shift, sections=sections, scales=scales, payload_bits=bits)


def payload_for(island: Island, tokens: int, seed: int = 0) -> np.ndarray:
    """Random payloads with the extremes, silence and sparse rows among them."""
    random = np.random.default_rng(seed)
    limit = island.payload_max
    payload = random.integers(-limit, limit + 1, (tokens, island.columns))
    payload[random.random(payload.shape) < 0.3] = 0
    for row, value in zip(range(tokens), (limit, -limit, 0), strict=False):
        payload[row] = value
    return payload.astype(np.int16)
