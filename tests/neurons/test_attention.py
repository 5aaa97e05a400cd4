"""Attention that remembers: against plain Python integers and floats, its softmax, its rings, its counts, its bounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.errors import UserError
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import Population
from neurodeploy.neurons.graded_attention import CHUNK, EXP, FULL, WINDOW, reciprocal, weights
from neurodeploy.neurons.registry import check_population, memory_shape, state_at_rest, state_bytes
from tests.neurons.stepping import Cells, population
from tests.refusals import refused

KINDS = {FULL: "full", WINDOW: "window", CHUNK: "chunk"}


def attending(
    heads: int, kv_heads: int, dim: int, slots: int = 64, kind: int = FULL, kv_bits: int = 16, **more: Any
) -> Cells:
    """Coded inputs are those given; a score is a sum of products times 2**-15 in units of log2(e) / 2**8."""
    params: dict[str, Any] = {f"{port}_{key}": 14 for port in "qkv" for key in ("shift", "multiplier")}
    params |= {f"{port}_multiplier": 2**14 for port in "kv"} | {"q_multiplier": np.full(heads * dim, 2**14)}
    params |= {"score_shift": 15, "pre_shift": 16, "multiplier": 2**14, "shift": 29, "out_bits": 16}
    shape = {"heads": heads, "kv_heads": kv_heads, "head_dim": dim, "slots": slots, "kind": kind, "kv_bits": kv_bits}
    return Cells(population("graded_attention", heads * dim, **(params | shape | more)))


def run(cells: Cells, kv_heads: int, dim: int, tokens: int, seed: int = 0) -> tuple[dict[str, Any], Any]:
    """Random tokens: what was given, by port (tokens, heads, dim), and what was sent (tokens, size)."""
    rng = np.random.default_rng(seed)
    heads = cells.size // dim
    given = {
        port: rng.integers(-20_000, 20_000, (tokens, n, dim))
        for port, n in zip("qkv", (heads, kv_heads, kv_heads), strict=True)
    }
    sent = []
    for i in range(tokens):
        spread = {port: np.zeros((kv_heads, heads // kv_heads, dim), np.int64) for port in "kv"}
        for port, at in spread.items():
            at[:, 0] = given[port][i]
        sent.append(cells.step(q=given["q"][i].ravel(), **{port: at.ravel() for port, at in spread.items()}))
    return given, sent


def by_hand(q: list[int], keys: list[list[int]], values: list[list[int]]) -> list[int]:
    """One head of one token, in Python's own integers: half rounds up, the table is that of powers of two."""

    def shifted(x: int, bits: int) -> int:
        return (x + (1 << bits >> 1)) >> bits

    scores = [shifted(sum(a * b for a, b in zip(q, key, strict=True)), 15) for key in keys]
    top = max(score >> 8 for score in scores)
    p = [shifted(32 * round(2 ** (15 + score % 256 / 256)), top - (score >> 8)) for score in scores]
    z = sum(p)
    c = z.bit_length() - 16
    m = z >> c
    y = round(2**31 / (128 * (m >> 7) + 64))
    inverse = (y * (2**32 - m * y)) >> 31
    sums = [sum(weight * value[d] for weight, value in zip(p, values, strict=True)) for d in range(len(q))]
    return [shifted(shifted(shifted(a, c) * inverse, 16) * 2**14, 29) for a in sums]


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 2), (3, 3), (3, 1)])
@pytest.mark.parametrize(("kind", "slots"), [(FULL, 64), (WINDOW, 5), (CHUNK, 7)])
def test_against_plain_integers(kind: int, slots: int, heads: int, kv_heads: int) -> None:
    dim, tokens = 4, 18
    given, sent = run(attending(heads, kv_heads, dim, slots, kind), kv_heads, dim, tokens)
    for i in range(tokens):
        seen = [
            j for j in range(i + 1)
            if kind == FULL or (i - j < slots if kind == WINDOW else j // slots == i // slots)
        ]  # fmt: skip
        for head in range(heads):
            group = head // (heads // kv_heads)
            keys, values = ([given[port][j, group].tolist() for j in seen] for port in "kv")
            wanted = by_hand(given["q"][i, head].tolist(), keys, values)
            assert sent[i].outputs["s"][0, head * dim : (head + 1) * dim].tolist() == wanted
        assert (sent[i].wrapped, sent[i].saturated, sent[i].saturated_out) == (0, 0, 0)


@pytest.mark.parametrize("kv_bits", [8, 16])
def test_against_torch(kv_bits: int) -> None:
    """Softmax attention in float64 on the same coded numbers, grouped heads; 2e-4 of the values' spread."""
    heads, kv_heads, dim, tokens = 6, 2, 16, 40
    scale = 2.0 ** (kv_bits - 16)  # keys of 8 bits are 256 times as coarse
    coarse = {f"{port}_shift": 14 + 16 - kv_bits for port in "kv"} | {"score_shift": 15 - 16 + kv_bits}
    cells = attending(heads, kv_heads, dim, kv_bits=kv_bits, shift=29 - 16 + kv_bits, **coarse)
    given, sent = run(cells, kv_heads, dim, tokens)
    q, k, v = (torch.from_numpy(given[port]).double().transpose(0, 1) for port in "qkv")
    k, v = ((torch.floor(x * scale + 0.5) / scale).repeat_interleave(heads // kv_heads, 0) for x in (k, v))
    unit = math.log(2) / 2**8 / 2**15
    wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=unit)
    found = torch.tensor(np.array([step.outputs["s"][0] for step in sent])).view(tokens, heads, dim).transpose(0, 1)
    error = (found - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()
    assert error < 2e-4


def test_softmax() -> None:
    """Acceptance: KL <= 1e-3 and rows that add up to 1 +- 1e-3 (sigma = 2, n = 256); here a tenth of it."""
    x = np.random.default_rng(5).normal(0.0, 2.0, (200, 256))
    p = weights(np.rint(x * math.log2(math.e) * 2**8).astype(np.int64))
    z = p.sum(axis=1)
    c = np.array([int(total).bit_length() - 16 for total in z])
    found = p * (reciprocal(z >> c) / 2.0 ** (31 + c))[:, None]
    exact = np.exp(x - x.max(axis=1, keepdims=True))
    exact /= exact.sum(axis=1, keepdims=True)
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-4
    assert (exact * np.log(exact / np.maximum(found, 1e-9))).sum(axis=1).max() < 1e-4


def test_bounds_that_the_module_states() -> None:
    m = np.arange(2**15, 2**16)
    assert np.abs(reciprocal(m) * m / 2.0**31 - 1).max() < 5e-5
    assert np.abs(EXP / 2.0 ** (20 + np.arange(256) / 256) - 1).max() <= 2.0**-16
    x = np.stack([np.zeros(1 << 16), np.linspace(-4, 0, 1 << 16)], axis=1)
    p = weights(np.rint(x * 2**8).astype(np.int64))
    error = np.abs(p[:, 1] / p[:, 0] / np.exp2(x[:, 1]) - 1)
    assert error.max() < 1.4e-3 + 2.0**-11 and error.mean() < 8e-4


def test_any_order_of_positions_is_the_same_sum() -> None:
    x = np.random.default_rng(2).integers(-4000, 4000, (3, 50))
    order = np.random.default_rng(3).permutation(50)
    assert np.array_equal(weights(x)[:, order], weights(x[:, order]))


def test_a_full_memory_gives_way_and_is_counted() -> None:
    """A full population of 5 positions does what a window of 5 does, and says so from the sixth on."""
    full, window = attending(4, 2, 4, 5, FULL), attending(4, 2, 4, 5, WINDOW)
    sent, wanted = (run(cells, 2, 4, 9)[1] for cells in (full, window))
    assert [step.outputs["s"].tolist() for step in sent] == [step.outputs["s"].tolist() for step in wanted]
    assert [step.wrapped for step in sent] == [0] * 5 + [2 * 2 * 4] * 4
    assert not any(step.wrapped for step in wanted)
    assert full.state["key"].shape == (1, 5, 8) and full.state["key"].dtype == np.int16


def test_a_window_as_long_as_the_text_hides_nothing() -> None:
    sent = [[step.outputs["s"].tolist() for step in run(attending(4, 2, 4, 20, kind), 2, 4, 20)[1]] for kind in KINDS]
    assert sent[0] == sent[1] == sent[2]


def test_extremes_are_clipped_and_counted() -> None:
    cells = attending(2, 1, 4, q_multiplier=np.full(8, 2**15 - 1), score_shift=0)
    top = 2**31 - 1
    given = {"q": top, "k": [top] * 4 + [0] * 4, "v": [-top] * 4 + [0] * 4}
    stepped = cells.step(**given)
    assert (stepped.wrapped, stepped.saturated) == (0, 8 + 4 + 4 + 2)  # q', k', v' and a score of each head
    assert np.abs(stepped.outputs["s"] + 2**15 - 1).max() <= 2


def test_what_it_takes() -> None:
    cells = population(
        "graded_attention", 12, heads=3, kv_heads=1, head_dim=4, slots=100, kv_bits=8, score_shift=0, shift=0, multiplier=1,
        q_multiplier=np.full(12, 3), **{f"{p}_{k}": 1 for p in "qkv" for k in ("shift", "multiplier") if p + k[0] != "qm"},
    )  # fmt: skip
    assert state_bytes(cells) == math.ceil(2 * 100 * 4 / 12)  # keys and values of one head, shared by three
    assert memory_shape(cells, 7) == (7, 4) and memory_shape(cells, 700) == (100, 4)


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"kv_heads": 2}, "in 2 groups"), ({"head_dim": 5}, "3 heads of 5"), ({"heads": 6}, "6 heads of 4")],
)
def test_heads_that_do_not_fit(changed: dict[str, int], says: str) -> None:
    shape = {"heads": 3, "kv_heads": 3, "head_dim": 4, "slots": 9, "score_shift": 0, "shift": 0, "multiplier": 1}
    coded = {f"{p}_{k}": 1 for p in "qkv" for k in ("shift", "multiplier")} | {"q_multiplier": np.full(12, 3)}
    bad = population("graded_attention", 12, **{**shape, **coded, **changed})  # type: ignore[arg-type]
    assert says in str(refused(UserError, "ND3246", check_population, bad))


def beginning(**rows: Any) -> Population:
    """A head of 4 neurons with 3 positions of 8 bits, and what its memories hold before anything runs."""
    shape = {"heads": 1, "kv_heads": 1, "head_dim": 4, "slots": 3, "kv_bits": 8, "score_shift": 0, "shift": 0}
    coded = {f"{p}_{k}": 1 for p in "qkv" for k in ("shift", "multiplier")} | {"q_multiplier": np.ones(4, np.int64)}
    return population("graded_attention", 4, rows, multiplier=1, **shape, **coded)  # type: ignore[arg-type]


def test_a_memory_may_begin_with_rows() -> None:
    """They are positions: the first step that runs is the one after them, in a ring they give way like others."""
    rows = {name: np.arange(8, dtype=np.int16).reshape(2, 4) for name in ("key", "value")}
    network = Network("net", {"o": beginning(**rows)}, (), ())
    state = state_at_rest(network, 2)
    assert state.step == 2 and state.neurons["o"]["key"].tolist() == [rows["key"].tolist()] * 2
    assert state_at_rest(Network("net", {"o": beginning()}, (), ()), 1).step == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (np.zeros((2, 4), np.int16), np.zeros((1, 4), np.int16)),
        (np.zeros((2, 3), np.int16), np.zeros((2, 3), np.int16)),
        (np.zeros((4, 4), np.int16), np.zeros((4, 4), np.int16)),
        (np.full((1, 4), 128, np.int16), np.zeros((1, 4), np.int16)),
        (np.zeros((1, 4)), np.zeros((1, 4), np.int16)),
    ],
)
def test_rows_that_no_memory_begins_with(key: Any, value: Any) -> None:
    refused(UserError, "ND3246", check_population, beginning(key=key, value=value))
