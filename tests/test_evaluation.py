"""Scores and generation on models whose answers are known by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.errors import UserError
from neurodeploy.evaluation import agreement, evaluate
from neurodeploy.generation import generate
from tests.refusals import refused


class Constant:
    """Gives the same logits after every token; remembers what it was asked."""

    def __init__(self, logits: list[float]) -> None:
        self.logits, self.asked = torch.tensor(logits), list[list[int]]()

    def forward(self, tokens: Any, state: Any = None, last_only: bool = False) -> torch.Tensor:
        self.asked.append(np.asarray(tokens).tolist())
        return self.logits.repeat(1 if last_only else len(self.asked[-1]), 1)

    def logits_chunks(self, tokens: Any, chunk: int = 128) -> Iterator[tuple[int, torch.Tensor]]:
        whole = self.forward(tokens)
        for start in range(0, whole.shape[0], 2):
            yield start, whole[start : start + 2]


def test_bits_per_byte_and_windows_by_hand() -> None:
    """Probabilities 1/2, 1/4, 1/4; every token but the first is predicted once, whatever the window."""
    probabilities = [0.5, 0.25, 0.25]
    tokens = [1, 0, 0, 2, 1, 0, 2]
    bits = sum(-math.log2(probabilities[t]) for t in tokens[1:])
    for window in (2, 3, 100):
        model = Constant([math.log(p) for p in probabilities])
        found = evaluate({"m": model}, tokens, lambda ids: 3 * len(ids), window)["m"]
        assert [t for asked in model.asked for t in asked] == tokens[:-1]
        assert found.tokens == 6 and found.bytes == 18
        assert found.bits_per_byte == pytest.approx(bits / 18)
        assert found.perplexity == pytest.approx(2 ** (bits / 6))
        assert found.tokens_per_s > 0


def test_agreement_counts_equal_choices() -> None:
    scores = evaluate({"a": Constant([0, 1, 2]), "b": Constant([2, 1, 0])}, [0, 1, 2], len)
    assert agreement(scores["a"], scores["a"]) == 1.0
    assert agreement(scores["a"], scores["b"]) == 0.0


def test_divergence_by_its_definition() -> None:
    """Probabilities of one model against another's, over windows and chunks; a model is at 0 from itself."""
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.1, 0.3, 0.6])
    models = {
        "a": Constant(np.log(p).tolist()),
        "b": Constant((np.log(q) + 3).tolist()),
        "c": Constant(np.log(p).tolist()),
    }
    scores = evaluate(models, [0] * 8, len, 3)
    assert scores["b"].kl_per_token == pytest.approx(float(np.sum(p * np.log(p / q))), rel=1e-6)
    assert scores["a"].kl_per_token == scores["c"].kl_per_token == 0.0


def test_one_token_is_no_text() -> None:
    refused(UserError, "ND1107", evaluate, {"a": Constant([0, 1])}, [0], len)


def test_greedy_takes_the_best_and_says_the_margin() -> None:
    done = generate(Constant([0.0, 3.0, 2.5]), [0], 4)
    assert done.tokens == (1, 1, 1, 1)
    assert done.margins == pytest.approx((0.5,) * 4)
    assert done.stopped == "length"
    assert generate(Constant([0.0, 3.0, 2.5]), [0], 4, end_tokens=[1]).stopped == "end token"


def test_sampling_is_seeded_and_top_k_cuts() -> None:
    model = Constant([1.0, 1.0, 1.0, -9.0])
    first = generate(model, [0], 40, temperature=1.0, seed=3)
    assert first.tokens == generate(model, [0], 40, temperature=1.0, seed=3).tokens
    assert first.tokens != generate(model, [0], 40, temperature=1.0, seed=4).tokens
    assert set(generate(Constant([5.0, 4.9, 0.0]), [0], 60, temperature=5.0, top_k=2).tokens) == {0, 1}


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("ND3005", {"count": 0}), ("ND3005", {"temperature": -1.0}), ("ND3005", {"temperature": math.nan}),
        ("ND3006", {"max_positions": 3}), ("ND1107", {"prompt": []}),
    ],
)  # fmt: skip
def test_impossible_requests(code: str, change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"prompt": [0], "count": 5, **change}
    refused(UserError, code, generate, Constant([0.0, 1.0]), given.pop("prompt"), given.pop("count"), **given)


@pytest.mark.parametrize(
    ("length", "count", "followed"),
    [
        (60_001, 4, (508, 4)),  # the prompt alone is too long: no number of tokens helps
        (512, 4, (508, 4)), (510, 4, (508, 4)), (510, 4, (510, 2)), (1, 512, (1, 511)), (9, 9000, (9, 503)),
        (600, 600, (511, 1)),
    ],
)  # fmt: skip
def test_the_remedy_for_too_many_positions_can_be_followed(length: int, count: int, followed: tuple[int, int]) -> None:
    """The message names the numbers of `followed`, and a call with them runs."""
    model = Constant([0.0, 1.0])
    error = refused(UserError, "ND3006", generate, model, [0] * length, count, max_positions=512)
    said = {int(number) for number in re.findall(r"[0-9]+", error.fix)}
    assert {new for new, old in zip(followed, (length, count), strict=True) if new != old} <= said
    assert 0 not in said
    assert len(generate(model, [0] * followed[0], followed[1], max_positions=512).tokens) == followed[1]
