"""The neurons between linear layers of a language model against their formulas, told once more in Python's own integers, one
neuron at a time; at the ends of every width, and what they count there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import floor, isqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.neurons.graded_choice import choose
from neurodeploy.neurons.graded_root import TABLE
from neurodeploy.neurons.registry import MODELS
from tests.neurons.stepping import Cells, population

END = 2**31 - 1
#: What comes in: small, around the widths, far beyond them.
INPUTS = [0, 1, -1, 7, 1000, -(2**15), 2**23 - 1, 2**23, -(2**24), 2**30, END, -END, END + 1, -(2**33), 2**40]
CURVE = [-900, -850, -200, 15, 0, 4, 700, 2_000_000, -3_000_000]
#: Told again in tests of their own.
ELSEWHERE = {
    "graded_affine",
    "graded_choice",
    "graded_rotation",
    "graded_attention",
    "graded_largest",
    "graded_sigma_delta",
    "graded_max_delta",
    "graded_rate",
}


class Count:
    """One neuron in Python's integers, and what it clips."""

    def __init__(self) -> None:
        self.state = self.payload = 0

    def clip(self, x: int, bits: int, what: str = "state") -> int:
        end = 2 ** (bits - 1) - 1
        setattr(self, what, getattr(self, what) + (abs(x) > end))
        return max(-end, min(end, x))

    def held(self, x: int) -> int:
        return self.clip(x, 32)

    def requantised(self, x: int, p: dict[str, int]) -> int:
        v = self.clip(halves(Fraction(x, 2 ** p["pre_shift"])), p["state_bits"])
        s = halves(Fraction(v * p["multiplier"], 2 ** p["shift"])) + p["offset"]
        s = self.clip(s, p["out_bits"], "payload")
        return s if abs(s) > p["vth"] else 0

    def curve(self, x: int, p: dict[str, int], table: list[int]) -> int:
        """The straight line through the two entries around x, or through the last two."""
        half = len(table) // 2
        ends = [(n - half) * 2 ** p["width"] for n in range(len(table))]
        n = max(0, min(bisect_right(ends, x) - 1, len(table) - 2))
        on_line = table[n] + halves(Fraction((table[n + 1] - table[n]) * (x - ends[n]), ends[n + 1] - ends[n]))
        return self.held(on_line)


def halves(x: Fraction) -> int:
    """The nearest integer, half up."""
    return floor(x + Fraction(1, 2))


def root(x: int) -> int:
    """``2**30 / sqrt(x)`` by table and one step of Newton, on a mantissa between 1 and 4 in 30 fraction bits."""
    twice = 0
    while x * 4 ** (twice + 1) < 2**32:
        twice += 1
    m = x * 4**twice
    first = int(TABLE[m // 2**24 - 64])
    better = first * (3 * 2**30 - (m // 4) * first**2 // 2**30) // 2**16
    return halves(Fraction(better, 2 ** (16 - twice)))


def added(c: Count, p: dict[str, int], table: list[int], a: int, b: int) -> int:
    total = c.held(a) * 2 ** p["a_exp"] + c.held(b) * 2 ** p["b_exp"]
    return c.clip(halves(Fraction(total, 2 ** p["shift"])), p["out_bits"], "payload")


def squared(c: Count, p: dict[str, int], table: list[int], a: int, b: int) -> int:
    return c.clip(halves(Fraction(c.held(a) ** 2, 2 ** p["shift"])), p["out_bits"], "payload")


def rooted(c: Count, p: dict[str, int], table: list[int], a: int, b: int) -> int:
    x = c.held(a + p["bias"])
    c.state += x < 0
    return root(x) if x > 0 else 0


def won(c: Count, p: dict[str, int], table: list[int], a: int, b: int) -> int:
    s = c.requantised(c.curve(c.held(a), p, table), p)
    return s if b < p["winners"] else 0


def but(c: Count, p: dict[str, int], table: list[int], a: int, b: int) -> int:
    return -(2 ** (p["out_bits"] - 1) - 1) if b == p["own"] else c.clip(a, p["out_bits"], "payload")


def bent(c: Count, p: dict[str, int], table: list[int], a: int, b: int) -> int:
    v = c.clip(halves(Fraction(a + p["bias"], 2 ** p["acc_shift"])), p["state_bits"], "state")
    s = halves(Fraction(v * p["multiplier" if v >= 0 else "falling"], 2 ** p["shift"]))
    return c.clip(min(max(s, p["low"]), p["high"]), p["out_bits"], "payload")


def highest(c: Count, p: dict[str, int], table: list[int], a: int, b: int) -> int:
    """Two ports of four are fed, the others have 0."""
    return c.clip(max([a, b, 0, 0][: p["inputs"]]), p["out_bits"], "payload")


RULES: dict[str, Callable[[Count, dict[str, int], list[int], int, int], int]] = {
    "graded_sum": added,
    "graded_square": squared,
    "graded_root": rooted,
    "graded_product": lambda c, p, table, a, b: c.requantised(c.held(a) * c.held(b), p),
    "graded_curve": lambda c, p, table, a, b: c.requantised(c.curve(c.held(a), p, table), p),
    "graded_gate": lambda c, p, table, a, b: c.requantised(c.curve(c.held(a), p, table) * c.held(b), p),
    "graded_winner": won,
    "graded_but": but,
    "graded_rectified": bent,
    "graded_max": highest,
}


def drawn(name: str, rng: np.random.Generator) -> Iterator[tuple[str, Any]]:
    for key, param in MODELS[name].params.items():
        if param.table:
            yield key, np.array([CURVE])
        elif key in ("state_bits", "out_bits"):
            most = MODELS[name].params[key].high
            yield key, int(rng.integers(8, most + 1)) if rng.random() < 0.5 else most
        elif key == "width":
            yield key, int(rng.integers(0, 25))
        elif key == "vth":
            yield key, rng.integers(param.low, param.high + 1, len(INPUTS)) * (rng.random(len(INPUTS)) < 0.3)
        elif param.per_neuron:
            yield key, rng.integers(param.low, param.high + 1, len(INPUTS))
        else:
            yield key, int(rng.integers(param.low, min(param.high, 9) + 1))


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_integers_and_counts_are_those_of_the_formula(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    params = dict(drawn(name, rng))
    a, b = (rng.permutation(np.array(INPUTS)) for _ in range(2))
    b = np.where(rng.random(b.size) < 0.5, b, rng.integers(0, 12, b.size))
    ports = MODELS[name].ports
    stepped = Cells(population(name, len(INPUTS), **params)).step(
        **{port: x for port, x in zip("ab", (a, b), strict=True) if port in ports}
    )
    counts, wanted = Count(), []
    for i in range(len(INPUTS)):
        own = {key: int(np.ravel(x)[i if np.size(x) > 1 else 0]) for key, x in params.items() if key != "table"}
        wanted.append(RULES[name](counts, own, CURVE, int(a[i]), int(b[i])))
    assert stepped.outputs["s"][0].tolist() == wanted
    assert (stepped.wrapped, stepped.saturated, stepped.saturated_out) == (0, counts.state, counts.payload)


def test_every_graded_neuron_of_ours_has_a_formula() -> None:
    ours = {name for name, model in MODELS.items() if any(port.exact for port in model.ports.values())}
    assert ours <= set(RULES) | ELSEWHERE


@pytest.mark.parametrize("bits", range(31))
def test_how_far_a_root_is_off(bits: int) -> None:
    """From that of exact integers: 4e-5 of itself and a unit, at both ends of every power of two and between."""
    rng = np.random.default_rng(bits)
    x = np.unique(np.concatenate([[2**bits, 2 ** (bits + 1) - 1], rng.integers(2**bits, 2 ** (bits + 1), 300)]))
    found = Cells(population("graded_root", x.size)).step(a=x).outputs["s"][0]
    exact = np.array([isqrt(2**100 // int(one)) / 2**20 for one in x])
    assert np.abs(found - exact).max() <= 0.5 + 4e-5 * exact.max()
    assert np.abs(found / exact - 1).max() <= 4e-5 + 0.5 / exact.min()


@pytest.mark.parametrize("part", [0, 1, 2**21])
def test_the_largest_and_its_place(part: int) -> None:
    """The first of equal ones, of those that are there; both outputs are clipped to 24 bits, and counted."""
    rows = [[0, 0, 0, 0], [5, 4, 6, 6], [-7, -7, -9, -8], [-3, -2, -1, 4], [END, 0, 0, 2**30], [1, 2, 3, 4]]
    there, places = [4, 4, 4, 3, 4, 1], [[3, 1, 2, 5]] * 4 + [[2**24, 1, 1, 1], [9, 1, 1, 1]]
    sent = {port: [row[n] for row in rows] for n, port in enumerate("abcd")}
    sent |= {port: [row[n] for row in places] for n, port in enumerate("ijkl")}
    stepped = Cells(population("graded_largest", 6, part=part, inputs=np.array(there))).step(**sent)
    most = 2**23 - 1
    assert stepped.outputs["s"][0].tolist() == [0, 6, -7, -1, most, 1]
    assert stepped.outputs["id"][0].tolist() == [3, 2 + 2 * part, 3, 2 + 2 * part, most, 9]
    assert (stepped.wrapped, stepped.saturated, stepped.saturated_out) == (0, 0, 2)


def test_losers_send_nothing_and_ties_do_not_win_twice() -> None:
    """A gate of one winner, and of two."""
    for winners, wanted in ((1, [0, 0, 50, 0]), (2, [40, 0, 50, 0])):
        table = np.array([[-1000, 0, 1000]])
        cells = population("graded_winner", 4, winners=winners, table=table, width=10, multiplier=2**14, shift=14)
        stepped = Cells(cells).step(a=[41, 3, 51, -7], b=[1, 2, 0, 3])
        assert [abs(s - w) <= 2 for s, w in zip(stepped.outputs["s"][0], wanted, strict=True)] == [True] * 4


@pytest.mark.parametrize("keep, of", [(1, 2), (2, 4), (3, 5), (15, 16), (16, 16)])
def test_a_choice_is_that_of_the_whole_row(keep: int, of: int) -> None:
    """The last group is not whole; many values are equal."""
    size, rng = 37, np.random.default_rng(of)
    x, place = rng.integers(-4, 5, (3, size)), np.arange(size) % of
    others = {}
    for k in range(1, of):
        source = np.arange(size) - place + (place + k) % of
        others[f"p{k}"] = np.where(source < size, x[:, np.minimum(source, size - 1)], 0)
    cells = Cells(population("graded_choice", size, keep=keep, of=of, place=place), samples=3)
    stepped = cells.step(a=x, **others)
    assert np.array_equal(stepped.outputs["s"], choose(x, keep, of))
    for row, sent in zip(x.tolist(), stepped.outputs["s"].tolist(), strict=True):
        for first in range(0, size, of):
            order = sorted(range(first, min(first + of, size)), key=lambda j: (-abs(row[j]), j))
            assert [sent[j] for j in order] == [row[j] for j in order[:keep]] + [0] * len(order[keep:])


def test_small_payloads_of_an_affine_neuron_are_not_sent() -> None:
    cells = Cells(population("graded_affine", 5, multiplier=1, shift=0, out_bits=8, vth=np.array([0, 3, 3, 4, 200])))
    stepped = cells.step(a=np.array([1, -3, 4, -1000, 100]))
    assert stepped.outputs["s"][0].tolist() == [1, 0, 4, -127, 0]
    assert stepped.saturated_out == 1
