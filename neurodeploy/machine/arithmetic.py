"""What the last bits of float32 sums depend on beside their inputs: results of two runs are mixed only where it is equal."""

from __future__ import annotations

import platform

import numba
import numpy as np
import torch


def arithmetic() -> str:
    """Versions of the libraries, threads, and what the processor can do, in words."""
    capability = torch.backends.cpu.get_cpu_capability()
    versions = f"torch {torch.__version__} numpy {np.__version__} numba {numba.__version__}"
    return f"{versions} {platform.machine()} {capability} {torch.get_num_threads()} threads"
