"""Random values of one shape after the other, the same in every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch


@pytest.fixture
def noise() -> Callable[..., torch.Tensor]:
    generator = torch.Generator().manual_seed(0)

    def make(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return scale * torch.randn(shape, generator=generator)

    return make


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Every kernel call is split, however small, over this many threads."""
    from neurodeploy.ops.host import threads as module

    count: int = request.param
    monkeypatch.setattr(module, "GRAIN", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield count
    torch.set_num_threads(before)
