from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.conversion.codes import choose_code, least_square_range
from neurodeploy.conversion.moments import InputMoments
from neurodeploy.conversion.presets import PRESETS, Preset, get_preset
from neurodeploy.errors import UserError
from tests.refusals import refused


def test_without_outliers_no_axon_is_wide() -> None:
    code = choose_code(np.linspace(1, 2, 64, dtype=np.float32), Preset("t", headroom=1.0))
    assert not code.axon_shift.any()
    assert code.scale.value == pytest.approx(2 / 32767)


def test_outliers_become_wide_axons_and_free_the_rest() -> None:
    peaks = np.full(64, 1.0, np.float32)
    peaks[[5, 40]] = 200.0
    code = choose_code(peaks, Preset("t", headroom=1.0))
    assert np.flatnonzero(code.axon_shift).tolist() == [5, 40]
    assert code.scale.value == pytest.approx(1 / 32767)
    assert code.steps()[5] == np.float32(256 * code.scale.value)


def test_a_range_beyond_the_exponent_is_still_carried() -> None:
    """With an outlier 1000 times the rest the narrow scale grows until 8 bits of exponent hold the outlier."""
    peaks = np.full(64, 1.0, np.float32)
    peaks[0] = 1000.0
    code = choose_code(peaks, Preset("t", headroom=1.0))
    assert code.steps()[0] * 32767 >= 1000 * (1 - 1e-6)


def test_wide_axons_can_be_turned_off() -> None:
    peaks = np.full(64, 1.0, np.float32)
    peaks[0] = 200.0
    code = choose_code(peaks, PRESETS["naive"])
    assert not code.axon_shift.any()
    assert code.scale.value == pytest.approx(200 / 32767)


def test_silence_has_a_scale() -> None:
    code = choose_code(np.zeros(64, np.float32), Preset("t"))
    assert code.scale.value > 0 and not code.axon_shift.any()


def test_least_square_range_clips_what_is_rare() -> None:
    random = np.random.default_rng(0)
    sample = np.abs(random.standard_normal(20000)).astype(np.float32)
    sample[0] = 30.0
    assert least_square_range(sample, 7) < 10 < least_square_range(sample, 32767)


def test_range_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    moments = InputMoments(4, 2)
    x = torch.tensor([[1.0, -2.0, 0.5, 100.0]] + [[0.1, 0.1, 0.1, 0.1]] * 999)
    moments.add(x, moments=True)
    assert moments.tokens == 1000
    np.testing.assert_array_equal(moments.channel_range(Preset("t")), [1.0, 2.0, 0.5, 100.0])
    clipped = moments.channel_range(Preset("t", input_range="percentile", percentile=90.0))
    assert clipped.max() == pytest.approx(0.1)
    assert moments.blocks[0].shape == (2, 2)
    np.testing.assert_allclose(moments.blocks[1].numpy(), (x[:, 2:].T @ x[:, 2:]).numpy())


@pytest.mark.parametrize(
    "change", [{"payload_bits": 13}, {"weight_bits": 9}, {"rounding": "up"}, {"headroom": 0.5}, {"input_range": "x"}]
)
def test_impossible_choices_are_refused(change: dict[str, object]) -> None:
    refused(UserError, "ND1101", get_preset, "default", **change)


def test_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="graded-12"):
        get_preset("best")
