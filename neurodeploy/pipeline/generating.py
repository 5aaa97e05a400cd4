"""`generate`: a prompt continued token by token, on the simulated chip and the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle import AnyPath, Bundle
from neurodeploy.bundle.files import check_place
from neurodeploy.bundle.state_files import damaged_state, read_kept, write_state
from neurodeploy.errors import Interrupted, UserError
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunState
from neurodeploy.ops.host.kvcache import State
from neurodeploy.pipeline.keeping import Pace
from neurodeploy.pipeline.session import executed
from neurodeploy.pipeline.texts import after_prefix, encode_text, float_model, hybrid, open_model
from neurodeploy.pipeline.verbs import verb


@verb
def generate(
    bundle: AnyPath,
    prompt: str | None = None,
    tokens: int = 64,
    *,
    temperature: float = 0.0,
    top_k: int = 0,
    seed: int | None = None,
    runner: str = "fast",
    compare_float: bool = False,
    checkpoint: str | Path | None = None,
    resume: str | Path | None = None,
    on_text: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Continue `prompt` on the chip. With `compare_float` the float model continues it too, greedily or with the same seed.

    `seed` (default: 0) draws where the `temperature` is not 0. `on_text` receives the text as it grows. `checkpoint` takes
    the state every half minute and at the end, also where it is interrupted (ND3266). `resume` is such a state, in place of
    a prompt: it holds what was said before, and the seed; tokens are then those of a call that was never interrupted.

    Raises ND3290 where not one of `prompt` and `resume` is given, or a seed beside a state.
    """
    from neurodeploy.generation import generate as continue_prompt

    opened, tokenizer = open_model(bundle)
    info = opened.program.info
    _check_choice(opened.program, temperature, top_k)
    if (prompt is None) == (resume is None):
        problem = "were given both" if prompt is not None else "are both missing"
        fix = "give a text to begin with, or a state to go on from"
        raise UserError("ND3290", "--prompt and --resume", problem, fix)
    if resume is not None and seed is not None:
        raise UserError("ND3290", "--seed", "is in the state that is resumed", "leave it out")
    if checkpoint is not None:
        check_place(Path(checkpoint))
    if resume is None:
        said = _Said(opened, [*info.prefix, *after_prefix(info, encode_text(tokenizer, prompt or ""))], seed or 0)
    else:
        said = _Said.resumed(opened, Path(resume))
    before, random, shown = list(said.tokens), said.random.bit_generator.state, ""

    def text_of(new: Sequence[int]) -> str:
        return tokenizer.decode([*before, *new])[len(tokenizer.decode(before)) :]

    def on_token(token: int) -> None:
        nonlocal shown
        said.tokens.append(token)
        if checkpoint is not None:
            said.keep(Path(checkpoint), last=False)
        text = text_of(said.tokens[len(before) :])
        if on_text and not text.endswith("�"):
            on_text(text[len(shown) :])
            shown = text

    settings: dict[str, Any] = {
        "temperature": temperature, "top_k": top_k, "seed": said.seed,
        "end_tokens": tokenizer.eos or info.eos_tokens, "max_positions": info.max_positions,
    }  # fmt: skip
    model = hybrid(opened, runner)
    said.state = model.begin(said.state)
    fed = before[said.state.position :]
    try:
        done = continue_prompt(model, fed, tokens, on_token=on_token, random=said.random, state=said.state, **settings)
    except KeyboardInterrupt:
        new = len(said.tokens) - len(before)
        if checkpoint is None or not new:
            raise
        said.keep(Path(checkpoint))
        fix = f"go on with --resume {checkpoint} --tokens {max(1, tokens - new)}"
        raise Interrupted("ND3266", "generate", f"was interrupted after {new} tokens; its state is kept", fix) from None
    if checkpoint is not None:
        said.keep(Path(checkpoint))
    found: dict[str, Any] = {
        "prompt": tokenizer.decode(before[len(info.prefix) :]) if prompt is None else prompt,
        "text": text_of(done.tokens),
        "tokens": list(done.tokens),
        "margins": [margin if np.isfinite(margin) else None for margin in done.margins],
        "stopped": done.stopped,
        "seed": said.seed,
        "checkpoint": str(checkpoint) if checkpoint else None,
        **executed(opened, runner),
        "saturations": model.take_counts().saturations,
    }
    if compare_float:
        real = float_model(opened)
        other = continue_prompt(
            real, before[len(info.prefix) :], tokens, random=_drawing(random), state=real.begin(), **settings
        )
        pairs = zip(done.tokens, other.tokens, strict=False)
        part = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        found["float"] = {
            "text": tokenizer.decode(list(other.tokens)),
            "tokens": list(other.tokens),
            "first_difference": part,
            "float_margin_there": None if part is None else other.margins[part],
        }
    return found


def _check_choice(program: Program, temperature: float, top_k: int) -> None:
    """ND3005 where more tokens are to be drawn from than leave the chip."""
    most = program.candidates
    if not program.ids or (top_k <= most and (most > 1 or not temperature)):
        return
    asked = f"top_k {top_k}" if top_k > most else f"a temperature of {temperature:g}"
    fix = "leave it out" if most == 1 else f"ask for at most {most}"
    problem = f"{asked} needs more tokens to draw from than the {most} that leave the chip"
    raise UserError("ND3005", "generate", problem, f"{fix}, or convert the model with a larger --head-top")


class _Said:
    """A text as far as it goes: its tokens, the state after all but the last of them, and where the next is drawn from."""

    def __init__(self, opened: Bundle, tokens: list[int], seed: int) -> None:
        self._opened, self.tokens, self.seed = opened, tokens, seed
        self.state, self.random = State(), np.random.default_rng(max(0, seed))
        self._pace = Pace()

    @classmethod
    def resumed(cls, opened: Bundle, path: Path) -> _Said:
        """Raises what `read_kept` does, and ND5011 where the file is no state of a text."""
        program = opened.program
        state, known = read_kept(path, program.network, opened.digest, program.operations)
        try:
            tokens, seed, drawn = ((known or {})[key] for key in ("tokens", "seed", "random"))
            ids = all(type(token) is int and 0 <= token < program.info.vocab_size for token in tokens)
            if not ids or type(seed) is not int or len(tokens) != state.step + 1:
                raise ValueError("its tokens are not those of a text")
            said = cls(opened, list(tokens), seed)
            caches = (host.caches for host in state.host if isinstance(host, State))
            said.state = State(state.step, next(caches), replace(state, host=()))
            said.random = _drawing(drawn)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise damaged_state(path, str(error)) from None
        return said

    def keep(self, path: Path, last: bool = True) -> None:
        """Write the state; in the middle only where it is time."""
        if not (last or self._pace.due):
            return
        known = {"tokens": self.tokens, "seed": self.seed, "random": self.random.bit_generator.state}
        state = replace(self.state.chip or RunState(0, {}, {}), step=self.state.position, host=(self.state,))
        with self._pace.spent():
            write_state(path, state, self._opened.digest, known)


def _drawing(state: Any) -> np.random.Generator:
    """A generator in that state. `ValueError`, `TypeError` or `KeyError` for what is none."""
    random = np.random.default_rng(0)
    random.bit_generator.state = state
    return random
