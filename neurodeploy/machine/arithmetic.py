"""What the last bits of float32 sums depend on beside their inputs: results of two runs are mixed only where it is equal."""

from __future__ import annotations

import hashlib
import platform
from functools import lru_cache

import numba
import numpy as np
import torch

#: (rows, inner, columns) of the products that are tried: a library blocks small, tall and wide ones in different ways.
PRODUCTS = ((8, 4096, 8), (128, 576, 512), (512, 160, 96))


def arithmetic() -> str:
    """Versions of the libraries, threads, what the processor can do, in words, and a digest of what it makes of floats."""
    capability = torch.backends.cpu.get_cpu_capability()
    versions = f"torch {torch.__version__} numpy {np.__version__} numba {numba.__version__}"
    threads = torch.get_num_threads()
    return f"{versions} {platform.machine()} {capability} {threads} threads {_sums(threads)}"


@lru_cache(maxsize=4)
def _sums(threads: int) -> str:
    """8 hex digits of products, a Cholesky factor and exponentials: two processors of one capability differ in them."""
    found = hashlib.sha256(str(threads).encode())
    for rows, inner, columns in PRODUCTS:
        a, b = (
            torch.arange(first * inner, dtype=torch.float32).mul_(0.618034).frac_().reshape(first, inner) - 0.5
            for first in (rows, columns)
        )
        found.update((a @ b.T).numpy().tobytes())
        gram = b @ b.T + columns * torch.eye(columns)
        found.update(torch.linalg.cholesky(gram.double()).numpy().tobytes())
        found.update(a[0].exp().numpy().tobytes())
    return found.hexdigest()[:8]
