"""Random values of one shape after the other, the same in every run; and one operation of the table on given values."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from neurodeploy.ir.graph import HostOp
from neurodeploy.ops import lookup
from neurodeploy.ops.host.kvcache import State
from neurodeploy.ops.host.operation import Call


def compute(name: str, *inputs: torch.Tensor, kernel: str = "on_cpu", state: State | None = None, **given: Any) -> Any:
    """What a kernel of the operation returns, on the CPU; `given` are its attributes, and its tensors by role."""
    tensors = {role: value for role, value in given.items() if isinstance(value, torch.Tensor)}
    attrs = {key: value for key, value in given.items() if key not in tensors}
    op = HostOp(name, name, (), (), attrs, {role: role for role in tensors})
    source: Any = SimpleNamespace(get=tensors.__getitem__)
    return getattr(lookup(op), kernel)(Call(op, inputs, source, state or State(), "cpu"))


@pytest.fixture
def noise() -> Callable[..., torch.Tensor]:
    generator = torch.Generator().manual_seed(0)

    def make(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return scale * torch.randn(shape, generator=generator)

    return make
