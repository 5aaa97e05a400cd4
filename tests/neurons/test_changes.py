"""Neurons between changes and between spikes, over many steps: against Python's integers, and what the schemes promise."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.neurons.registry import MODELS
from tests.neurons.stepping import Cells, population

STEPS, SIZE, REGISTER = 12, 7, 2**31 - 1


def halves(x: Fraction) -> int:
    return int((2 * x + 1) // 2)


def clip(x: int, most: int) -> int:
    return max(-most, min(most, x))


class ByHand:
    """One neuron of each model in the words of its file; `lost`: states and payloads that were clipped."""

    def __init__(self, model: str, params: dict[str, int], start: int) -> None:
        self.model, self.p, self.lost = model, params, [0, 0]
        self.sigma, self.act, self.v, self.i = [0] * 4, 0, start, 0

    def kept(self, x: int, most: int, what: int = 0) -> int:
        self.lost[what] += clip(x, most) != x
        return clip(x, most)

    def sent(self, x: int, changes: int) -> int:
        p = self.p
        d = self.kept(x, 2 ** (p["value_bits"] - 1) - 1, 1) - changes * self.act
        s = self.kept(d if abs(d) > p["vth"] else 0, 2 ** (p["out_bits"] - 1) - 1, 1)
        self.act = changes * (self.act + s)
        return s

    def step(self, arrives: list[int]) -> int:
        p = self.p
        if self.model == "graded_sigma_delta":
            self.sigma[0] = self.kept(p["sums"] * self.sigma[0] + arrives[0], REGISTER)
            v = self.kept(
                halves(Fraction(self.sigma[0] + p["bias"], 2 ** p["acc_shift"])), 2 ** (p["state_bits"] - 1) - 1
            )
            x = halves(Fraction(v * p["multiplier" if v >= 0 else "falling"], 2 ** p["shift"]))
            return self.sent(min(max(x, p["low"]), p["high"]), p["changes"])
        if self.model == "graded_max_delta":
            self.sigma = [self.kept(s + a, REGISTER) for s, a in zip(self.sigma, arrives, strict=True)]
            return self.sent(max(self.sigma[: p["inputs"]]), 1)
        self.i = self.kept(arrives[0] + p["sums"] * self.i, REGISTER)
        self.v = self.kept(self.v + self.i + p["bias"], REGISTER)
        s = 1 if self.v >= p["vth"] else -1 if p["signed"] and self.v <= -p["vth"] else 0
        self.v -= s * p["vth"]
        return s


def drawn(name: str, rng: np.random.Generator) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, param in MODELS[name].params.items():
        low, high = max(param.low, -(2**20)), min(param.high, 2**20 if rng.random() < 0.5 else param.high)
        found[key] = rng.integers(low, high + 1, SIZE) if param.per_neuron else int(rng.integers(low, high + 1))
    return found


@pytest.mark.parametrize("name", ["graded_sigma_delta", "graded_max_delta", "graded_rate"])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_step_is_that_of_exact_integers(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    params, ports = drawn(name, rng), list(MODELS[name].ports)
    start = rng.integers(-999, 999, SIZE)
    cells = Cells(population(name, SIZE, {"v": start} if name == "graded_rate" else {}, **params))
    size = 10.0 ** rng.integers(1, 10)
    own = [{key: int(np.ravel(x)[i if np.size(x) > 1 else 0]) for key, x in params.items()} for i in range(SIZE)]
    hands = [ByHand(name, own[i], int(start[i])) for i in range(SIZE)]
    clipped = [0, 0]
    for _ in range(STEPS):
        arrives = (rng.standard_normal((4, SIZE)) * size).astype(np.int64)
        stepped = cells.step(**{port: arrives["abcd".index(port)] for port in ports})
        assert stepped.outputs["s"][0].tolist() == [hand.step(arrives[:, i].tolist()) for i, hand in enumerate(hands)]
        clipped = [clipped[0] + stepped.saturated, clipped[1] + stepped.saturated_out]
    assert clipped == [sum(hand.lost[what] for hand in hands) for what in (0, 1)]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), vth=st.integers(0, 40))
def test_receivers_have_the_value_but_for_the_threshold(seed: int, vth: int) -> None:
    """Sums of changes are what `graded_rectified` makes of the same sums; within vth where there is one."""
    rng = np.random.default_rng(seed)
    line = {"multiplier": rng.integers(1, 2**15, SIZE), "falling": rng.integers(0, 2**15, SIZE), "shift": 16}
    line |= {"bias": rng.integers(-99, 99, SIZE), "acc_shift": 1, "low": -300, "high": 900}
    plain, coded = Cells(population("graded_rectified", SIZE, **line)), Cells(
        population("graded_sigma_delta", SIZE, vth=vth, **line)
    )  # fmt: skip
    changes = rng.integers(-500, 500, (STEPS, SIZE)) * (rng.random((STEPS, SIZE)) < 0.3)
    total = np.zeros(SIZE, np.int64)
    for t in range(STEPS):
        wanted = plain.step(a=changes[: t + 1].sum(axis=0)).outputs["s"][0]
        total += coded.step(a=changes[t]).outputs["s"][0]
        assert np.abs(total - wanted).max() <= vth


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_count_of_a_maximum_is_the_largest_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = Cells(population("graded_max_delta", SIZE, inputs=3, value_bits=8, out_bits=2))
    counts, total = np.zeros((3, SIZE), np.int64), np.zeros(SIZE, np.int64)
    for _ in range(STEPS):
        spikes = (rng.random((3, SIZE)) < rng.random((3, 1))).astype(np.int64)
        counts += spikes
        sent = cells.step(**dict(zip("abc", spikes, strict=True))).outputs["s"][0]
        assert set(sent.tolist()) <= {0, 1}
        total += sent
        assert np.array_equal(total, counts.max(axis=0))


@settings(max_examples=60, deadline=None)
@given(current=st.integers(-3000, 3000), steps=st.integers(1, 64), held=st.booleans())
def test_spikes_of_a_constant_current_round_its_rate(current: int, steps: int, held: bool) -> None:
    """``min(max(T i / vth, 0), T)`` to the nearest integer; a signed neuron is within one of ``T i / vth``."""
    vth = 1000
    bent = Cells(population("graded_rate", 1, {"v": vth // 2}, vth=vth, sums=int(held)))
    line = Cells(population("graded_rate", 1, vth=vth, sums=int(held), signed=1))
    gives = [current if t == 0 or not held else 0 for t in range(steps)]
    spikes, signed = (sum(int(cells.step(a=a).outputs["s"][0, 0]) for a in gives) for cells in (bent, line))
    assert spikes == min(max(halves(Fraction(steps * current, vth)), 0), steps)
    assert abs(signed - min(max(Fraction(steps * current, vth), -steps), steps)) <= 1
