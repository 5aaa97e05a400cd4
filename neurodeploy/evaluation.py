"""How good a model is on a text: bits per byte, perplexity, agreement of two models, tokens per second.

The text is read in windows; the window that begins at token s predicts tokens s + 1 .. s + window, so every token but the
first is predicted exactly once. Bits per byte = total bits / bytes of the predicted tokens: it does not depend on the
tokenizer. Perplexity = exp(total nats / predicted tokens).

How far a model is from the first one, the baseline, beyond its luck on one text: the mean over predicted tokens of the
Kullback-Leibler divergence ``KL = sum_v p_v (log p_v - log q_v)`` in nats, with p the baseline's and q the model's softmax
over the vocabulary. It is summed in float64.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.hybrid import Model, not_finite
from neurodeploy.machine.memory import give_back
from neurodeploy.storage.stage_files import Result, StageFiles, digest

#: Values of logits looked at in one piece: 64 MB of float32, whatever the vocabulary.
LOGIT_VALUES = 1 << 24
#: The same for divergences, which are computed in float64.
DIVERGENCE_VALUES = 1 << 21
#: Tokens whose logits are held at a time, of each model.
CHUNK = 64


@dataclass(slots=True)
class Score:
    """Sums over the predicted tokens of one model.

    `seconds` is forward time without the first window of a process, which reads weights and compiles kernels; a text of one
    window has only that, in `first_seconds`. `saturations` is what `evaluate` was told to count.
    `kl_nats` is the divergence from the first model, 0 for that itself.
    """

    nats: float = 0.0
    kl_nats: float = 0.0
    tokens: int = 0
    bytes: int = 0
    seconds: float = 0.0
    timed_tokens: int = 0
    first_seconds: float = 0.0
    saturations: int = 0
    choices: list[NDArray[np.int64]] = field(default_factory=list)

    @property
    def bits_per_byte(self) -> float:
        return self.nats / math.log(2) / self.bytes

    @property
    def perplexity(self) -> float:
        return math.exp(min(self.nats / self.tokens, 700.0))

    @property
    def kl_per_token(self) -> float:
        """Mean divergence from the first model, in nats."""
        return self.kl_nats / self.tokens

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

    def sums(self) -> dict[str, Any]:
        """What has been added up so far: all but `bytes` and `choices`."""
        return {name: getattr(self, name) for name in _SUMS}

    def take(self, sums: Mapping[str, Any], choices: NDArray[np.int64]) -> None:
        """Be as an earlier call was after a window: its sums so far, and the choices of that window."""
        for name in _SUMS:
            setattr(self, name, sums[name])
        self.choices.append(choices)


_SUMS = ("nats", "kl_nats", "tokens", "seconds", "timed_tokens", "first_seconds", "saturations")


def evaluate(
    models: Mapping[str, Model],
    tokens: Sequence[int],
    count_bytes: Callable[[Sequence[int]], int],
    window: int = 512,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    saturations: Mapping[str, Callable[[], int]] | None = None,
    stages: StageFiles | None = None,
    key: str = "",
) -> dict[str, Score]:
    """Score all models on the same windows, all but the first against the first. `count_bytes` says how many bytes of text
    a run of tokens stands for.

    saturations : model -> its saturations since the last call, asked after every window.
    stages, key : where finished windows are kept, and the digest of all that they depend on: windows of an earlier call are
        not run again, and the scores come out with the same bits.

    Fewer than two tokens are ND1107, logits that are not finite ND3002.
    """
    ids = np.asarray(tokens, dtype=np.int64)
    if ids.size < 2:
        raise UserError("ND1107", "text", f"has {ids.size} tokens, needs at least 2", "give a longer text")
    scores = {name: Score() for name in models}
    stages = stages or StageFiles(None)
    run = _Windows(models, saturations or {}, scores)
    predicted_bytes = count_bytes(ids[1:].tolist())
    for start in range(0, ids.size - 1, window):
        if progress:
            progress("evaluate", start, ids.size - 1)
        stop = min(start + window, ids.size - 1)
        name = partial(digest, f"{key} {_SUMS}", str(start))
        choices, facts = stages.run("window", name, partial(run.window, ids[start:stop], ids[start + 1 : stop + 1]))
        for chosen, (model, score) in zip(choices, scores.items(), strict=True):
            score.take(facts[model], chosen)
    for score in scores.values():
        score.bytes = predicted_bytes
    if progress:
        progress("evaluate", ids.size - 1, ids.size - 1)
    return scores


class _Windows:
    """Runs the models over one window after another."""

    def __init__(
        self, models: Mapping[str, Model], saturations: Mapping[str, Callable[[], int]], scores: Mapping[str, Score]
    ) -> None:
        self.models, self.saturations, self.scores = models, saturations, scores
        self.warm = False

    def window(self, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> Result:
        """(models, tokens) choices of each model, and its sums up to here by its name."""
        scores = {name: replace(self.scores[name], choices=[]) for name in self.models}
        parts = [self._logits(name, inputs, scores[name]) for name in self.models]
        for chunk in zip(*parts, strict=True):  # all models chunk by chunk: the logits of a whole window are never held
            baseline = chunk[0][1]
            for (first, logits), score in zip(chunk, scores.values(), strict=True):
                _add(score, logits, torch.from_numpy(targets[first : first + len(logits)]))
                if logits is not baseline:
                    score.kl_nats += divergence(baseline, logits)
        for name, score in scores.items():
            score.tokens += inputs.size
            score.timed_tokens += inputs.size if self.warm else 0
            if name in self.saturations:
                score.saturations += self.saturations[name]()
        self.warm = True
        chosen = [np.concatenate(score.choices) for score in scores.values()]
        return np.stack(chosen), {name: score.sums() for name, score in scores.items()}

    def _logits(self, name: str, inputs: NDArray[np.int64], score: Score) -> Iterator[tuple[int, torch.Tensor]]:
        """First token and logits of each chunk; the time that the model itself takes is added to its score."""
        chunks = iter(self.models[name].logits_chunks(inputs, chunk=CHUNK))
        while True:
            began = time.perf_counter()
            found = next(chunks, None)
            elapsed = time.perf_counter() - began
            if found is None:
                return
            if self.warm:
                score.seconds += elapsed
            else:
                score.first_seconds += elapsed
                if not found[0]:  # weights have been read: their temporaries are no longer needed
                    give_back()
            yield found


def _add(score: Score, logits: torch.Tensor, wanted: torch.Tensor) -> None:
    for start, stop in _pieces(logits, LOGIT_VALUES):
        part = logits[start:stop]
        nats = torch.logsumexp(part, dim=1) - part.gather(1, wanted[start:stop, None])[:, 0]
        total = float(nats.double().sum())
        if not math.isfinite(total):
            raise not_finite("logits")
        score.nats += total
        score.choices.append(part.argmax(dim=1).numpy())


def divergence(baseline: torch.Tensor, logits: torch.Tensor) -> float:
    """Sum over rows of ``KL(softmax(baseline) || softmax(logits))`` in nats; both (tokens, vocabulary) float32."""
    total = 0.0
    for start, stop in _pieces(logits, DIVERGENCE_VALUES):
        ours, theirs = logits[start:stop].double(), baseline[start:stop].double()
        difference = theirs - ours
        gap = ours.logsumexp(dim=1) - theirs.logsumexp(dim=1)  # log p - log q = difference + gap
        total += float(theirs.softmax(dim=1).mul_(difference).sum(dim=1).add_(gap).sum())
    return total


def _pieces(logits: torch.Tensor, values: int) -> list[tuple[int, int]]:
    """First and last row + 1 of pieces of at most so many values."""
    rows, step = logits.shape[0], max(1, values // logits.shape[1])
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


def agreement(a: Score, b: Score) -> float:
    """Share of tokens for which both models have the same most likely token."""
    return float(np.mean(np.concatenate(a.choices) == np.concatenate(b.choices)))
