"""`energy`: joules and seconds, per token or per step and sample, from a run whose events were counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurodeploy.accounting.account import account
from neurodeploy.accounting.neurobench import metrics
from neurodeploy.accounting.program import loads
from neurodeploy.accounting.report_json import report_json
from neurodeploy.bundle import Bundle, open_bundle
from neurodeploy.errors import UserError
from neurodeploy.frontends.text import read_text
from neurodeploy.frontends.tokenizer import Tokenizer
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, RunActivity
from neurodeploy.pipeline.checkpoint import DEFAULT_CALIBRATION
from neurodeploy.pipeline.hollow import assumed_counts, told
from neurodeploy.pipeline.session import MODEL, NETWORK, Progress, read_mapping, suited
from neurodeploy.pipeline.stepping import advance
from neurodeploy.pipeline.streams import open_network, runner_for, stream_of
from neurodeploy.pipeline.texts import encode_text, hybrid, left_to_host, summary_counts, summary_host, tokenizer_of

#: Priced where the user names no text: enough to be typical, short enough to take a second.
DEFAULT_PROMPT_TOKENS = 128


def energy(
    bundle: str | Path,
    *,
    text: str | Path | None = None,
    input: str | Path | None = None,
    prompt_tokens: int | None = None,
    tokens: int | None = None,
    steps: int | None = None,
    layout: str | None = None,
    host: str = "cpu-generic",
    measure_host: bool = False,
    powered: str = "used",
    runner: str = "fast",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Price what the mapped bundle does; the dictionary is what ``energy --json`` prints.

    `host` is a profile of `targets.hosts`, `measure_host` measures this machine instead; `powered` "used" or "system";
    `runner` that of `run`.

    Of a language model: prefill and generation. `text` is the prompt (default: the embedded prose), of which
    `prompt_tokens` are read (default: 128, or as many as the model has positions for); `tokens` is how many are generated
    (default: 16).

    Of a spiking network: a step and a sample of `input`, with `steps` and `layout` of `run`.
    """
    opened, data, own = suited(bundle, text, input, {
        MODEL: {"prompt_tokens": prompt_tokens, "tokens": tokens}, NETWORK: {"steps": steps, "layout": layout}
    }, optional=True)  # fmt: skip
    rest: dict[str, Any] = {"host": host, "measure_host": measure_host, "powered": powered, "runner": runner}
    return _ENERGY[opened.kind](bundle, data, **rest, progress=progress, **own)


def _text(
    bundle: str | Path, text: str | Path | None, *, host: str, measure_host: bool, powered: str, runner: str,
    progress: Progress | None, prompt_tokens: int | None = None, tokens: int = 16,
) -> dict[str, Any]:  # fmt: skip
    from targets import hosts

    if tokens < 1 or (prompt_tokens is not None and prompt_tokens < 1):
        problem = f"{prompt_tokens} prompt tokens and {tokens} new ones are not possible"
        raise UserError("ND3005", "energy", problem, "give at least one of each")
    opened = open_bundle(bundle)
    if prompt_tokens is None:
        prompt_tokens = default_prompt_tokens(opened, tokens)
    mapping, system = read_mapping(opened)
    profile = hosts.measure_host() if measure_host else hosts.get_host(host)
    if opened.hollow:
        prefill, generated = assumed_counts(opened.program, left_to_host(opened), prompt_tokens, tokens)
        sample = ""
    else:
        prompt = read_text(text) if text else default_text()
        prefill, generated, sample = count_phases(opened, tokenizer_of(opened), prompt, prompt_tokens, tokens, runner)
    ledgers = {
        phase: account(loads(opened.program, counts, mapping, system), system, profile, phase, powered=powered)
        for phase, counts in (("prefill", prefill), ("generate", generated))
    }
    found = report_json(ledgers, metrics=metrics(opened.program, generated, exact=False))
    return {
        **found,
        "system": system.name,
        "host": profile.name,
        "text": told(opened.program) if opened.hollow else Path(text).name if text else "embedded prose",
        "prefill_tokens": prefill.tokens,
        "generated_tokens": generated.tokens,
        "activity": summary_counts(opened, prefill),
        "host_islands": summary_host(prefill),
        "sample": sample,
    }


def _stream(
    bundle: str | Path, input: str | Path, *, host: str, measure_host: bool, powered: str, runner: str,
    progress: Progress | None, steps: int | None = None, layout: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    from targets import hosts

    opened, network = open_network(bundle)
    mapping, system = read_mapping(opened)  # before the run: what is not mapped cannot be priced
    if not measure_host:
        hosts.get_host(host)
    stream = stream_of(input, opened, network, steps, layout)
    engine = runner_for(runner, opened, network, stream.steps, stream.samples)
    result = advance(network, engine, stream, progress=progress)
    found = price(opened.program, mapping, system, result.activity, host, measure_host, powered)
    return {"open_questions": stream.questions, **found, "input": Path(input).name, "notes": stream.notes}


def price(
    program: Program, mapping: Mapping, system: SystemSpec, activity: RunActivity, host: str, measure_host: bool,
    powered: str,
) -> dict[str, Any]:  # fmt: skip
    """The account of counts on a mapping that was read and verified; each phase has `joules` by boundary and `seconds`."""
    from targets import hosts

    profile = hosts.measure_host() if measure_host else hosts.get_host(host)
    worked = loads(program, activity, mapping, system)
    ledgers = {"sample": account(worked, system, profile, "sample", powered=powered)}
    found: dict[str, Any] = report_json(ledgers, worked, system.chip, metrics(program, activity))
    for unit in ("step", "sample"):
        phase = found[unit]
        found[unit] = {**phase, "joules": phase["joules_per_token"], "seconds": phase["seconds_per_token"]}
    return {**found, "bound_by": found["sample"]["bound_by"], "system": system.name, "host": profile.name}


def default_prompt_tokens(bundle: Bundle, new_tokens: int) -> int:
    """`DEFAULT_PROMPT_TOKENS`, or what a model of few positions has room for beside the new tokens."""
    return max(1, min(DEFAULT_PROMPT_TOKENS, bundle.program.info.max_positions - new_tokens - 1))


def default_text() -> str:
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


_ENERGY: dict[str, Callable[..., dict[str, Any]]] = {MODEL: _text, NETWORK: _stream}
