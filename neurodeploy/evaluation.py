"""How good a model is on a text: bits per byte, perplexity, agreement of two models, tokens per second.

The text is read in windows; the window that begins at token s predicts tokens s + 1 .. s + window, so every token but the
first is predicted exactly once. Bits per byte = total bits / bytes of the predicted tokens: it does not depend on the
tokenizer. Perplexity = exp(total nats / predicted tokens).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.hostops.memory import give_back
from neurodeploy.hybrid import Model, not_finite

#: Values of logits held at a time: 64 MB of float32, whatever the vocabulary.
LOGIT_VALUES = 1 << 24


@dataclass(slots=True)
class Score:
    """Sums over the predicted tokens of one model.

    `seconds` is forward time without the first window, which reads weights and compiles kernels; a text of one window has
    only that, in `first_seconds`.
    """

    nats: float = 0.0
    tokens: int = 0
    bytes: int = 0
    seconds: float = 0.0
    timed_tokens: int = 0
    first_seconds: float = 0.0
    choices: list[NDArray[np.int64]] = field(default_factory=list)

    @property
    def bits_per_byte(self) -> float:
        return self.nats / math.log(2) / self.bytes

    @property
    def perplexity(self) -> float:
        return math.exp(min(self.nats / self.tokens, 700.0))

    @property
    def tokens_per_s(self) -> float:
        """Tokens per second of forward time, after warming up where the text is longer than one window."""
        return self.timed_tokens / self.seconds if self.seconds else self.tokens / self.first_seconds

    def to_json(self) -> dict[str, float]:
        return {
            "bits_per_byte": self.bits_per_byte,
            "perplexity": self.perplexity,
            "tokens_per_s": self.tokens_per_s,
            "nats": self.nats,
        }


def evaluate(
    models: Mapping[str, Model],
    tokens: Sequence[int],
    count_bytes: Callable[[Sequence[int]], int],
    window: int = 512,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Score]:
    """Score all models on the same windows. `count_bytes` says how many bytes of text a run of tokens stands for.

    Fewer than two tokens are ND1107, logits that are not finite ND3002.
    """
    ids = np.asarray(tokens, dtype=np.int64)
    if ids.size < 2:
        raise UserError("ND1107", "text", f"has {ids.size} tokens, needs at least 2", "give a longer text")
    scores = {name: Score() for name in models}
    predicted_bytes = count_bytes(ids[1:].tolist())
    for start in range(0, ids.size - 1, window):
        if progress:
            progress("evaluate", start, ids.size - 1)
        stop = min(start + window, ids.size - 1)
        inputs, targets = ids[start:stop], torch.from_numpy(ids[start + 1 : stop + 1])
        for name, model in models.items():
            _window(model, inputs, targets, scores[name], timed=start > 0)
            if start == 0:  # weights have been read: their temporaries are no longer needed
                give_back()
    for score in scores.values():
        score.bytes = predicted_bytes
    if progress:
        progress("evaluate", ids.size - 1, ids.size - 1)
    return scores


def _window(model: Model, inputs: NDArray[np.int64], targets: torch.Tensor, score: Score, timed: bool) -> None:
    began = time.perf_counter()
    chunk = 64
    for first, logits in model.logits_chunks(inputs, chunk=chunk):
        elapsed = time.perf_counter() - began
        if timed:
            score.seconds += elapsed
        else:
            score.first_seconds += elapsed
        wanted = targets[first : first + logits.shape[0]]
        step = max(1, LOGIT_VALUES // logits.shape[1])
        for at in range(0, logits.shape[0], step):
            part = logits[at : at + step]
            nats = torch.logsumexp(part, dim=1) - part.gather(1, wanted[at : at + step, None])[:, 0]
            total = float(nats.double().sum())
            if not math.isfinite(total):
                raise not_finite("logits")
            score.nats += total
            score.choices.append(part.argmax(dim=1).numpy())
        began = time.perf_counter()
    score.tokens += inputs.size
    score.timed_tokens += inputs.size if timed else 0


def agreement(a: Score, b: Score) -> float:
    """Share of tokens for which both models have the same most likely token."""
    return float(np.mean(np.concatenate(a.choices) == np.concatenate(b.choices)))
