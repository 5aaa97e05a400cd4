"""`energy`: joules and seconds per token, from a run whose events were counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurodeploy.bundle import Bundle
from neurodeploy.frontends.tokenizer import Tokenizer
from neurodeploy.ir.result import ActivityCounts
from neurodeploy.pipeline.session import encode_text, hybrid, open_model, read_mapping, summary_counts, summary_host

#: Priced where the user names no text: enough to be typical, short enough to take a second.
DEFAULT_PROMPT_TOKENS = 128


def default_prompt_tokens(bundle: Bundle, new_tokens: int) -> int:
    """`DEFAULT_PROMPT_TOKENS`, or what a model of few positions has room for beside the new tokens."""
    return max(1, min(DEFAULT_PROMPT_TOKENS, bundle.program.info.max_positions - new_tokens - 1))


def default_text() -> str:
    from neurodeploy.pipeline.converting import DEFAULT_CALIBRATION

    return DEFAULT_CALIBRATION.read_text(encoding="utf-8")


def count_phases(
    bundle: Bundle, tokenizer: Tokenizer, text: str, prompt_tokens: int, new_tokens: int, runner: str = "fast"
) -> tuple[ActivityCounts, ActivityCounts, str]:
    """Exact counts of a prefill and of the generation after it, and the text that was generated (greedy)."""
    from neurodeploy.generation import check_positions, generate

    prompt = encode_text(tokenizer, text, prompt_tokens)
    check_positions("energy", len(prompt), new_tokens, bundle.program.info.max_positions)
    model = hybrid(bundle, runner)
    taken: list[ActivityCounts] = []
    # The last token is chosen and not fed back: `new_tokens` are.
    done = generate(model, prompt, new_tokens + 1, after_prefill=lambda: taken.append(model.take_counts()))
    return taken[0], model.take_counts(), tokenizer.decode(list(done.tokens))


def energy(
    bundle: str | Path,
    *,
    text: str | Path | None = None,
    prompt_tokens: int | None = None,
    tokens: int = 16,
    host: str = "cpu-generic",
    measure_host: bool = False,
    powered: str = "used",
    runner: str = "fast",
) -> dict[str, Any]:
    """Price prefill and generation of the mapped bundle; the dictionary is what ``energy --json`` prints.

    `text` is the prompt (default: the embedded prose), of which `prompt_tokens` are read (default: 128, or as many as the
    model has positions for); `tokens` is how many are generated; `host` a profile of
    `targets.hosts`, `measure_host` measures this machine instead; `powered` "used" or "system".
    """
    from neurodeploy.accounting.account import account
    from neurodeploy.accounting.islands import island_loads
    from neurodeploy.accounting.neurobench import island_metrics
    from neurodeploy.accounting.report_json import report_json
    from neurodeploy.errors import UserError
    from neurodeploy.frontends.text import read_text
    from targets import hosts

    if tokens < 1 or (prompt_tokens is not None and prompt_tokens < 1):
        problem = f"{prompt_tokens} prompt tokens and {tokens} new ones are not possible"
        raise UserError("ND3005", "energy", problem, "give at least one of each")
    opened, tokenizer = open_model(bundle)
    if prompt_tokens is None:
        prompt_tokens = default_prompt_tokens(opened, tokens)
    mapping, system = read_mapping(opened)
    profile = hosts.measure_host() if measure_host else hosts.get_host(host)
    prompt = read_text(text) if text else default_text()
    prefill, generated, sample = count_phases(opened, tokenizer, prompt, prompt_tokens, tokens, runner)
    islands = opened.program.islands
    ledgers = [
        account(island_loads(mapping, counts, islands, system), system, profile, phase, powered=powered)
        for phase, counts in (("prefill", prefill), ("generate", generated))
    ]
    found = report_json(ledgers[0], ledgers[1], island_metrics(generated, islands))
    return {
        **found,
        "system": system.name,
        "host": profile.name,
        "text": Path(text).name if text else "embedded prose",
        "prefill_tokens": prefill.tokens,
        "generated_tokens": generated.tokens,
        "activity": summary_counts(opened, prefill),
        "host_islands": summary_host(prefill),
        "sample": sample,
    }
