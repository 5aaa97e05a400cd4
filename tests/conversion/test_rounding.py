from __future__ import annotations

import numpy as np
import pytest
import torch

from neurodeploy.conversion.rounding import compensation, round_compensated, round_nearest, row_scales


def correlated(tokens: int, columns: int, seed: int = 0) -> torch.Tensor:
    """Inputs like those of a language model: correlated, a few channels far above the rest."""
    mix = torch.randn(columns, columns, generator=torch.Generator().manual_seed(99)) / columns**0.5
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(tokens, columns, generator=generator) @ (mix + 0.5 * torch.eye(columns))
    x[:, :3] *= 40
    return x


def output_error(x: torch.Tensor, weight: torch.Tensor, integers: torch.Tensor, scale: torch.Tensor) -> float:
    real = integers.float() * scale[:, None]
    return float((x @ (real - weight).T).square().sum() / (x @ weight.T).square().sum())


@pytest.mark.parametrize(("block", "share"), [(2048, 0.2), (32, 0.95)])
def test_compensated_rounding_beats_rounding_to_nearest(block: int, share: float) -> None:
    x, held = correlated(2000, 96), correlated(500, 96, seed=1)
    weight = torch.randn(40, 96, generator=torch.Generator().manual_seed(2))
    parts = [x[:, start : start + block] for start in range(0, 96, block)]
    moments = [part.T @ part for part in parts]
    scale = row_scales(weight, 127, None)
    blocks = compensation(moments, x.shape[0], 0.01)
    nearest = output_error(held, weight, round_nearest(weight, scale, 127), scale)
    better = output_error(held, weight, round_compensated(weight, scale, 127, blocks), scale)
    assert better < share * nearest


def test_with_uncorrelated_inputs_it_is_rounding_to_nearest() -> None:
    weight = torch.randn(8, 50, generator=torch.Generator().manual_seed(0))
    scale = row_scales(weight, 127, None)
    blocks = compensation([torch.eye(50) * 100], 100, 0.01)
    assert torch.equal(round_compensated(weight, scale, 127, blocks), round_nearest(weight, scale, 127))


def test_silent_inputs_are_no_trouble() -> None:
    weight = torch.randn(4, 10)
    scale = row_scales(weight, 127, torch.zeros(10))
    blocks = compensation([torch.zeros(10, 10)], 0, 0.01)
    assert torch.equal(round_compensated(weight, scale, 127, blocks), round_nearest(weight, scale, 127))


def test_row_scales_hold_the_row_and_survive_zero_rows() -> None:
    weight = torch.tensor([[0.0, 0.0], [1.0, -2.54]])
    scale = row_scales(weight, 127, None)
    assert bool((scale > 0).all())
    assert float(scale[1]) == pytest.approx(2.54 / 127)
    integers = round_nearest(weight, scale, 127)
    np.testing.assert_array_equal(integers.numpy(), [[0, 0], [50, -127]])
