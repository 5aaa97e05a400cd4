"""Curved functions of one value, by the name that an operation's attribute ``act`` gives them.

``silu(x) = x / (1 + e**-x)`` (Elfwing et al. 2017, arXiv 1702.03118); ``gelu_tanh(x) = x (1 + tanh z) / 2`` with
``z = sqrt(2 / pi) (x + 0.044715 x**3)`` (Hendrycks and Gimpel 2016, arXiv 1606.08415). ``sigmoid(x) = 1 / (1 + e**-x)`` is
part of other operations only.
"""

from __future__ import annotations

from neurodeploy.machine.jit import jit
from neurodeploy.ops.host.kernels import EXP, F, exp32
from neurodeploy.ops.host.operation import Tensor

#: Flops of each, one value.
CURVES = {"silu": EXP + 3, "gelu_tanh": EXP + 8}
#: Work of one value in units of a multiply-add, for `threads.split`.
WORK_CURVE = 12


def known(act: object) -> bool:
    return act in CURVES


@jit
def silu32(x):  # type: ignore[no-untyped-def]
    """``x / (1 + e**-x)``."""
    return x / (F(1.0) + exp32(-x))


@jit
def gelu_tanh32(x):  # type: ignore[no-untyped-def]
    """``0.5 x (1 + tanh z) = x / (1 + e**(-2 z))``."""
    z = F(-2.0 * 0.7978845608028654) * (x + F(0.044715) * (x * x * x))
    return x / (F(1.0) + exp32(z))


def on_torch(x: Tensor, act: str) -> Tensor:
    from torch.nn import functional

    if act == "sigmoid":
        return x.sigmoid()
    return functional.silu(x) if act == "silu" else functional.gelu(x, approximate="tanh")
