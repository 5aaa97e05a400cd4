"""`energy`: joules and seconds, per token or per step and sample, from a run whose events were counted."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Table
from pathlib import Path
from typing import Any, NamedTuple

from neurodeploy.accounting.account import account
from neurodeploy.accounting.neurobench import metrics
from neurodeploy.accounting.program import loads
from neurodeploy.accounting.report_json import report_json
from neurodeploy.bundle import Bundle
from neurodeploy.errors import UserError
from neurodeploy.frontends.text import read_text
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, RunActivity
from neurodeploy.pipeline.checkpoint import DEFAULT_CALIBRATION
from neurodeploy.pipeline.hollow import assumed_counts, told
from neurodeploy.pipeline.session import MODEL, NETWORK, Progress, read_mapping, suited
from neurodeploy.pipeline.stepping import advance
from neurodeploy.pipeline.streams import runner_for, stream_of
from neurodeploy.pipeline.texts import encode_text, hybrid, left_to_host, summary_counts, summary_host, tokenizer_of

#: Priced where the user names no text: enough to be typical, short enough to take a second.
DEFAULT_PROMPT_TOKENS = 128


class Counts(NamedTuple):
    """Exact counts by phase: of prefill and generation, or of a sample; before and after the account, what is told of the
    run."""

    phases: dict[str, ActivityCounts | RunActivity]
    first: dict[str, Any]
    last: dict[str, Any]


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
    counted: Callable[..., Counts] = count_stream if opened.program.streamed else count_text
    mapping, system = read_mapping(opened)  # before the run: what is not mapped cannot be priced
    profile = host_profile(host, measure_host)
    counts = counted(opened, data, runner, progress, **own)
    found = price(opened.program, mapping, system, counts.phases, profile, powered)
    return {**counts.first, **found, "system": system.name, "host": profile.name, **counts.last}


def host_profile(host: str, measure_host: bool) -> HostSpec:
    from targets import hosts

    return hosts.measure_host() if measure_host else hosts.get_host(host)


def count_text(
    opened: Bundle, text: str | Path | None, runner: str, progress: Progress | None = None,
    prompt_tokens: int | None = None, tokens: int = 16,
) -> Counts:  # fmt: skip
    """Of a prefill, and of the generation after it (greedy)."""
    if tokens < 1 or (prompt_tokens is not None and prompt_tokens < 1):
        problem = f"{prompt_tokens} prompt tokens and {tokens} new ones are not possible"
        raise UserError("ND3005", "energy", problem, "give at least one of each")
    if prompt_tokens is None:
        prompt_tokens = default_prompt_tokens(opened, tokens)
    if opened.hollow:
        prefill, generated = assumed_counts(opened.program, left_to_host(opened), prompt_tokens, tokens)
        sample = ""
    else:
        prompt = read_text(text) if text else default_text()
        prefill, generated, sample = _generated(opened, prompt, prompt_tokens, tokens, runner)
    return Counts({"prefill": prefill, "generate": generated}, {}, {
        "text": told(opened.program) if opened.hollow else Path(text).name if text else "embedded prose",
        "prefill_tokens": prefill.tokens,
        "generated_tokens": generated.tokens,
        "activity": summary_counts(opened, prefill),
        "host_islands": summary_host(prefill),
        "sample": sample,
    })  # fmt: skip


def _generated(
    opened: Bundle, text: str, prompt_tokens: int, tokens: int, runner: str
) -> tuple[ActivityCounts, ActivityCounts, str]:
    """Exact counts of a prefill and of the generation after it, and the text that was generated (greedy)."""
    from neurodeploy.generation import check_positions, generate

    tokenizer = tokenizer_of(opened)
    prompt = encode_text(tokenizer, text, prompt_tokens)
    check_positions("energy", len(prompt), tokens, opened.program.info.max_positions)
    model = hybrid(opened, runner)
    taken: list[ActivityCounts] = []
    # The last token is chosen and not fed back: `tokens` are.
    done = generate(model, prompt, tokens + 1, after_prefill=lambda: taken.append(model.take_counts()))
    return taken[0], model.take_counts(), tokenizer.decode(list(done.tokens))


def count_stream(
    opened: Bundle, input: str | Path, runner: str, progress: Progress | None = None, steps: int | None = None,
    layout: str | None = None,
) -> Counts:  # fmt: skip
    """Of all samples of an input."""
    network = opened.program.network
    stream = stream_of(input, opened, network, steps, layout)
    engine = runner_for(runner, opened, network, stream.steps, stream.samples)
    activity = advance(network, engine, stream, progress=progress).activity
    first, last = {"open_questions": stream.questions}, {"input": Path(input).name, "notes": stream.notes}
    return Counts({"sample": activity}, first, last)


def price(
    program: Program, mapping: Mapping, system: SystemSpec, phases: Table[str, ActivityCounts | RunActivity],
    profile: HostSpec, powered: str = "used",
) -> dict[str, Any]:  # fmt: skip
    """The account of counts on a mapping that was read and verified. Of a sample also of its mean step, both with `joules`
    by boundary and `seconds`."""
    worked = {phase: loads(program, counts, mapping, system) for phase, counts in phases.items()}
    ledgers = {phase: account(each, system, profile, phase, powered=powered) for phase, each in worked.items()}
    last = list(phases)[-1]
    measured = metrics(program, phases[last], exact=program.streamed)
    found: dict[str, Any] = report_json(ledgers, worked[last], system.chip, measured)
    for unit in found.keys() & {"step", "sample"}:
        phase = found[unit]
        found[unit] = {**phase, "joules": phase["joules_per_token"], "seconds": phase["seconds_per_token"]}
    return {**found, "bound_by": found["sample"]["bound_by"]} if "sample" in found else found


def default_prompt_tokens(bundle: Bundle, new_tokens: int) -> int:
    """`DEFAULT_PROMPT_TOKENS`, or what a model of few positions has room for beside the new tokens."""
    return max(1, min(DEFAULT_PROMPT_TOKENS, bundle.program.info.max_positions - new_tokens - 1))


def default_text() -> str:
    return DEFAULT_CALIBRATION.read_text(encoding="utf-8")
