"""A recurrent network of the size that wakes devices: two layers of GRU over log-mel frames of one second, twelve words.

    python benchmarks/keyword_gru.py          # trains, and says how many words of unseen voices it knows

Words are spoken by `espeak-ng` in several voices, speeds and pitches, placed anywhere in a second, with noise over them (5
to 30 dB below the speech). Voices of the test are not those of the training. Everything follows from seeds; about a minute
of one processor.
"""

from __future__ import annotations

import io
import subprocess
import wave
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Floats = NDArray[np.float32]

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "open", "close")
RATE, WINDOW, HOP, BANDS = 16_000, 640, 320, 20
FRAMES = (RATE - WINDOW) // HOP + 1
#: Voices, speeds (words a minute) and pitches of `espeak-ng`; those of the test are others.
SPOKEN = [
    (f"{accent}+{variant}", speed, pitch)
    for accent in ("en-us", "en-gb", "en-gb-scotland")
    for variant in ("m1", "m3", "m5", "m7", "f1", "f3")
    for speed, pitch in ((120, 40), (150, 60), (185, 50))
]
UNSEEN = [
    (f"{accent}+{variant}", speed, pitch)
    for accent in ("en-us", "en-gb-x-rp")
    for variant in ("m2", "m4", "f2", "f4")
    for speed, pitch in ((135, 45), (170, 55))
]
HIDDEN, BATCH, STEPS, RATE_OF_LEARNING = 128, 64, 700, 3e-3
#: Inputs that a conversion is shown.
SHOWN = 48


def said(word: str, voice: str, speed: int, pitch: int) -> Floats:
    """One word at `RATE`, its silent ends cut off, the largest sample 1."""
    call = ["espeak-ng", "--stdout", "-v", voice, "-s", str(speed), "-p", str(pitch), word]
    with wave.open(io.BytesIO(subprocess.run(call, check=True, capture_output=True).stdout)) as file:
        rate = file.getframerate()
        x = np.frombuffer(file.readframes(1 << 24), np.int16)[: rate * 2].astype(np.float32)
    x = np.interp(np.arange(int(len(x) * RATE / rate)) / RATE, np.arange(len(x)) / rate, x).astype(np.float32)
    loud = np.flatnonzero(np.abs(x) > 0.02 * np.abs(x).max())
    cut: Floats = x[loud[0] : loud[-1] + 1][:RATE]
    return cut / np.abs(cut).max()


def library(voices: Sequence[tuple[str, int, int]]) -> list[tuple[int, Floats]]:
    """Each word in each voice, with its number."""
    asked = [(number, *voice) for number in range(len(WORDS)) for voice in voices]
    with ThreadPoolExecutor(2) as pool:
        spoken = list(pool.map(lambda row: said(WORDS[row[0]], *row[1:]), asked))
    return [(row[0], x) for row, x in zip(asked, spoken, strict=True)]


def scene(x: Floats, rng: np.random.Generator) -> Floats:
    """A second with the word somewhere in it, noise of a colour between white and red over all, and any loudness."""
    whole = np.zeros(RATE, np.float32)
    start = rng.integers(0, RATE - len(x) + 1)
    whole[start : start + len(x)] = x
    spectrum = np.fft.rfft(rng.normal(size=RATE)) / np.maximum(1, np.arange(RATE // 2 + 1)) ** rng.uniform(0, 0.7)
    noise = np.fft.irfft(spectrum, RATE)
    noise *= np.sqrt(np.square(x).mean() / np.square(noise).mean()) * 10 ** (-rng.uniform(5, 30) / 20)
    return np.asarray((whole + noise) * 10 ** rng.uniform(-1, 0), np.float32)


def mel_filters() -> Floats:
    """(bins, BANDS) triangles with equal steps of ``2595 log10(1 + f / 700)`` from 60 Hz to 7.6 kHz."""
    ends = 2595 * np.log10(1 + np.array([60, 7600]) / 700)
    centres = 700 * (10 ** (np.linspace(*ends, BANDS + 2) / 2595) - 1)
    f = np.fft.rfftfreq(WINDOW, 1 / RATE)[:, None]
    rise, fall = (f - centres[:-2]) / np.diff(centres)[:-1], (centres[2:] - f) / np.diff(centres)[1:]
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


def log_mel(x: Floats, filters: Floats) -> Floats:
    """(FRAMES, BANDS) of seconds (.., RATE): log of the power in each band, without its mean over the second."""
    rows = np.lib.stride_tricks.sliding_window_view(x, WINDOW, axis=-1)[..., ::HOP, :]
    power = np.square(np.abs(np.fft.rfft(rows * np.hanning(WINDOW).astype(np.float32)))) @ filters
    levels = np.log(power + 1e-6)
    return np.asarray((levels - levels.mean(axis=-2, keepdims=True)) / 4, np.float32)


def examples(spoken: Sequence[tuple[int, Floats]], each: int, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    """`each` scenes of every recording: (n, FRAMES, BANDS) and the numbers of their words."""
    rng, filters = np.random.default_rng(seed), mel_filters()
    rows = [(log_mel(scene(x, rng), filters), number) for number, x in spoken for _ in range(each)]
    return np.stack([row[0] for row in rows]), np.array([row[1] for row in rows])


class Keywords(nn.Module):
    """(samples, FRAMES, BANDS) -> (samples, words): two layers of GRU, and a matrix behind the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.GRU(BANDS, HIDDEN, 2, batch_first=True)
        self.words = nn.Linear(HIDDEN, len(WORDS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.words(self.recurrent(x)[0][:, -1])
        return found


def trained(x: Floats, words: NDArray[np.int64], steps: int = STEPS) -> Keywords:
    torch.manual_seed(0)
    net, order = Keywords(), np.random.default_rng(0)
    optimiser = torch.optim.AdamW(net.parameters(), RATE_OF_LEARNING, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE_OF_LEARNING, steps)
    inputs, wanted = torch.from_numpy(x), torch.from_numpy(words)
    for _ in range(steps):
        chosen = torch.from_numpy(order.integers(0, len(x), BATCH))
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(net(inputs[chosen]), wanted[chosen], label_smoothing=0.05)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return net.eval()


@cache
def network() -> tuple[Keywords, Floats]:
    """Trained, and inputs of the training to convert it with."""
    x, words = examples(library(SPOKEN), 6, 1)
    return trained(x, words), x[:: len(x) // SHOWN][:SHOWN]


@cache
def unseen() -> tuple[Floats, NDArray[np.int64]]:
    return examples(library(UNSEEN), 5, 2)


def main() -> None:
    net, (x, words) = network()[0], unseen()
    with torch.no_grad():
        right = float((net(torch.from_numpy(x)).argmax(1).numpy() == words).mean())
    print(f"{sum(p.numel() for p in net.parameters())} weights, {right:.2%} of {len(x)} words of unseen voices right")


if __name__ == "__main__":
    main()
