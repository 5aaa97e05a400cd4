"""Text from a model: greedy or sampled with a seed, one token at a time with a KV cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from neurodeploy.errors import UserError
from neurodeploy.hybrid import Model, not_finite
from neurodeploy.ops.host.kvcache import State


@dataclass(frozen=True, slots=True)
class Generated:
    """New tokens, the margin of each choice (largest logit minus the second, inf where none is known), and why it
    stopped."""

    tokens: tuple[int, ...]
    margins: tuple[float, ...]
    stopped: str


def generate(
    model: Model,
    prompt: Sequence[int],
    count: int,
    *,
    temperature: float = 0.0,
    top_k: int = 0,
    seed: int = 0,
    random: np.random.Generator | None = None,
    state: State | None = None,
    end_tokens: Sequence[int] = (),
    max_positions: int | None = None,
    on_token: Callable[[int], None] | None = None,
    after_prefill: Callable[[], None] | None = None,
) -> Generated:
    """Continue `prompt` by `count` tokens. Temperature 0 takes the most likely token (the lowest id of equals), any other
    draws from `random`, or from what `seed` gives.

    `state` is what came before the prompt (default: nothing); it moves on by all tokens but the last, which is not fed back.

    Errors: ND1107 empty prompt, ND3002 logits that are not finite, ND3005 impossible count, temperature, top_k or seed,
    ND3006 more positions than the model has.
    `after_prefill` is called between the prompt and the first new token, for separate accounts.
    """
    if not prompt:
        raise UserError("ND1107", "prompt", "has no tokens", "give a prompt of at least one character")
    if count < 1 or temperature < 0 or not np.isfinite(temperature) or top_k < 0 or seed < 0:
        problem = f"tokens {count}, temperature {temperature}, top_k {top_k}, seed {seed} are not possible"
        raise UserError("ND3005", "generate", problem, "give tokens >= 1, and temperature, top_k and seed >= 0")
    random, state = random or np.random.default_rng(seed), State() if state is None else state
    if max_positions is not None:
        check_positions("generate", state.position + len(prompt), count, max_positions)
    logits = model.forward(np.asarray(prompt, np.int64), state, last_only=True)[-1].numpy()
    if after_prefill:
        after_prefill()
    tokens: list[int] = []
    margins: list[float] = []
    stopped = "length"
    while True:
        if np.isnan(logits).any() or not np.isfinite(logits.max()):  # -inf: what the chip has not chosen
            raise not_finite("the logits of the next token")
        best = np.partition(logits, -2)[-2:] if logits.size > 1 else np.array([0.0, 0.0])
        margins.append(float(best[1] - best[0]))
        token = _choose(logits, temperature, top_k, random)
        tokens.append(token)
        if on_token:
            on_token(token)
        if token in end_tokens:
            stopped = "end token"
            break
        if len(tokens) == count:
            break
        logits = model.forward(np.array([token]), state, last_only=True)[-1].numpy()
    return Generated(tuple(tokens), tuple(margins), stopped)


def check_positions(verb: str, prompt: int, count: int, positions: int) -> None:
    """Raise ND3006 where `prompt` tokens and `count` new ones do not fit; the message says which numbers of each do."""
    if prompt + count <= positions:
        return
    fix = f"shorten the prompt to at most {positions - count} tokens"
    if count >= positions:
        least = f"shorten the prompt to 1 to {positions - 1} tokens and " if prompt >= positions else ""
        fix = f"{least}ask for at most {positions - (1 if least else prompt)} tokens"
    elif prompt < positions:
        fix = f"{fix}, or ask for at most {positions - prompt} new ones"
    problem = f"{prompt} prompt tokens and {count} new ones exceed the model's {positions} positions"
    raise UserError("ND3006", verb, problem, fix)


def _choose(logits: np.ndarray, temperature: float, top_k: int, random: np.random.Generator) -> int:
    if temperature == 0:
        return int(logits.argmax())
    with np.errstate(over="ignore"):  # a temperature near 0 leaves only the best token, and that is meant
        scaled = (logits.astype(np.float64) - logits.max()) / temperature
    if 0 < top_k < scaled.size:
        scaled = np.where(scaled >= np.partition(scaled, -top_k)[-top_k], scaled, -np.inf)
    weights = np.exp(scaled)
    return int(random.choice(scaled.size, p=weights / weights.sum()))
