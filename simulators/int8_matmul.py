"""Exact products of int8 matrices into int32, by the fastest library routine that proves itself exact on this machine.

`torch._int_mm` runs on the 8-bit dot-product units where the processor has them. Without these units some libraries pass
through saturating 16-bit sums, so the routine is tried once on the extreme values that would show it; if it fails,
float32 products in slices of 1 024 columns take over (128 * 128 * 1024 = 2**24: every partial sum is exact).

With a single column `torch._int_mm` (2.13.0, CPU) returns wrong sums for a transposed right side of two rows or more,
so one column never goes there; the fuzz of `tests/simulators` found it and guards it.
"""

from __future__ import annotations

from functools import lru_cache

import torch

#: Columns of one exact float32 product: the sum of so many products of two int8 stays within 2**24.
FLOAT32_COLUMNS = 1024


def _by_float32(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    out = torch.zeros(a.shape[0], b.shape[1], dtype=torch.int32)
    for start in range(0, a.shape[1], FLOAT32_COLUMNS):
        part = slice(start, start + FLOAT32_COLUMNS)
        out += (a[:, part].float() @ b[part].float()).to(torch.int32)
    return out


@lru_cache(maxsize=1)
def backend() -> str:
    """Which routine to use: "int_mm" if it is exact on extreme and on random values here, else "float32"."""
    generator = torch.Generator().manual_seed(0)
    random = torch.randint(-128, 128, (3, 515), generator=generator, dtype=torch.int8)
    extremes = [(-128, -128), (127, -128), (-128, 127), (127, 127)]
    try:
        for left, right in extremes:
            a = torch.full((5, 515), left, dtype=torch.int8)
            b = torch.full((37, 515), right, dtype=torch.int8)
            if not torch.equal(torch._int_mm(a, b.t()), _by_float32(a, b.t())):
                return "float32"
        b = torch.randint(-128, 128, (515, 37), generator=generator, dtype=torch.int8)
        exact = (random.long() @ b.long()).int()
        return "int_mm" if torch.equal(torch._int_mm(random, b.t().contiguous().t()), exact) else "float32"
    except RuntimeError:
        return "float32"


def int8_matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(m, k) int8 times (k, n) int8 -> (m, n) int32, exact for k < 2**17."""
    use_int_mm = a.shape[1] > 1 and backend() == "int_mm"
    return torch._int_mm(a, b) if use_int_mm else _by_float32(a, b)
