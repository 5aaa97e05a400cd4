"""`energy`: joules and seconds, per token or per step and sample, from a run whose events were counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Table
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from neurodeploy.accounting.account import account
from neurodeploy.accounting.coefficients import read as read_coefficients
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.accounting.neurobench import metrics
from neurodeploy.accounting.program import check_border, loads
from neurodeploy.accounting.report_json import report_json
from neurodeploy.accounting.whatif import AskedChange, read_changes, what_if
from neurodeploy.bundle import AnyPath, Bundle
from neurodeploy.errors import UserError
from neurodeploy.frontends.streams import Stream
from neurodeploy.frontends.text import read_text
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, RunActivity
from neurodeploy.pipeline.checkpoint import DEFAULT_CALIBRATION
from neurodeploy.pipeline.counts import counts_of, left_to_host
from neurodeploy.pipeline.hollow import assumed_counts, told
from neurodeploy.pipeline.session import STREAM, TEXT, Progress, read_mapping, suited
from neurodeploy.pipeline.stepping import advance
from neurodeploy.pipeline.streams import fed
from neurodeploy.pipeline.texts import after_prefix, encode_text, hybrid, tokenizer_of
from neurodeploy.pipeline.verbs import verb
from neurodeploy.pipeline.without_chip import BATCH, without_chip

#: Priced where the user names no text: enough to be typical, short enough to take a second.
DEFAULT_PROMPT_TOKENS = 128
#: Tokens of the prompt that are shown before what was generated.
SHOWN = 64


class Counts(NamedTuple):
    """Exact counts by phase, the one that headlines are of last: of a prefill and the generation after it, or of a sample.

    told : what was read, in which unit, how much of it. questions : what the input leaves open. sample : the end of the
    prompt and the text that was generated after it. rates : of a stream, at which messages are counted.
    """

    phases: dict[str, ActivityCounts | RunActivity]
    told: dict[str, Any]
    questions: list[str]
    sample: dict[str, str] | None = None
    rates: RunActivity | None = None

    @property
    def first(self) -> ActivityCounts | RunActivity:
        """Of what was read."""
        return next(iter(self.phases.values()))


@verb
def energy(
    bundle: AnyPath,
    *,
    text: str | Path | None = None,
    input: Any = None,
    prompt_tokens: int | None = None,
    tokens: int | None = None,
    steps: int | None = None,
    layout: str | None = None,
    host: str = "cpu-generic",
    measure_host: bool = False,
    powered: str = "used",
    coefficients: str | Path | None = None,
    border: str | None = None,
    changes: str | None = None,
    batch: int = BATCH,
    beside: Sequence[AnyPath] | None = None,
    compare: bool = False,
    runner: str = "fast",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Price what the mapped bundle does; the dictionary is what ``energy --json`` prints.

    `host` is a profile of `targets.hosts`, `measure_host` measures this machine in its place (its card where the profile is
    of one) and keeps what cannot be measured; `powered` is one of `accounting.account.POWERED`; `runner` that of
    `run`; `coefficients` a file that `calibrate` has written. `border` says when chips and host exchange messages
    (`accounting.program.BORDERS`; by default what the input suggests): "sample", all events of a sample beforehand and its
    outputs afterwards; "calls", in every time step, or call of the chip; "none", never. `changes` are those of
    `accounting.whatif`, "gate,link=1e-6": each phase has the account with all of them, and what each alone would save,
    under "what_if".

    "without_chip" of each phase has the same on the host alone, by itself and `batch` at once, of a spiking network its
    quantised twin too, at the wall: whether the chip pays, and else with what it would (`accounting.paying`).

    Of a language model: prefill and generation. `text` is the prompt (default: the embedded prose), of which
    `prompt_tokens` are read (default: 128, or as many as the model has positions for); `tokens` is how many are generated
    (default: 16). `beside` are mapped bundles of the same model (ND3293) with other parts of it on the chip, which are
    priced too, beside the host alone: "variants". With `compare` what none of them has there is planned from shapes, as by
    `fit`.

    Of a spiking network: a step and a sample of `input`, with `steps` and `layout` of `run`.
    """
    opened, data, own = suited(bundle, text, input, {
        TEXT: {
            "prompt_tokens": prompt_tokens, "tokens": tokens, "beside": beside or None, "compare": compare or None
        },
        STREAM: {"steps": steps, "layout": layout},
    }, optional=True)  # fmt: skip
    others, plan = own.pop("beside", ()), own.pop("compare", False)
    counted: Callable[..., Counts] = count_stream if opened.program.streamed else count_text
    mapping, system = read_mapping(opened)  # before the run: what is not mapped cannot be priced
    if coefficients is not None:
        system = replace(system, chip=read_coefficients(Path(coefficients), system.chip))
    check_border(opened.program, border or "")
    asked = read_changes(changes or "", system)
    if batch < 1:
        raise UserError("ND3005", "energy", f"a batch of {batch} is not possible", "give at least one")
    profile = host_profile(host, measure_host)
    counts = counted(opened, data, runner, progress, **own)
    found = price(opened.program, mapping, system, counts.phases, profile, powered, border or "", asked, batch)
    found |= {**counts.told, **counts_of(opened, counts.first), "text": counts.sample}
    if others or plan:
        found["variants"] = variants(
            opened, text, runner, counts, (mapping, system, found), profile, powered, others, plan=plan,
            border=border or "",
        )  # fmt: skip
    return {"open_questions": counts.questions, **found, "system": system.name, "host": profile.name}


def variants(
    opened: Bundle, text: str | Path | None, runner: str, counts: Counts, own: tuple[Mapping, SystemSpec, Any],
    profile: HostSpec, powered: str, beside: Sequence[AnyPath], *, plan: bool,
    accuracy: dict[str, Any] | None = None, border: str = "",
) -> list[dict[str, Any]]:  # fmt: skip
    """The host alone, this bundle, others of the same model that read and generate as many tokens of the same text, and
    with `plan` what is in none of them. own : mapping, system and account of this bundle;
    accuracy : its evaluation, where one is at hand."""
    from neurodeploy.pipeline.variants import opened_beside, row_of, side_by_side

    prompt, tokens = (int(counts.told[f"{name}_tokens"]) for name in ("prefill", "generated"))
    others = []
    for other in opened_beside(opened, beside):
        mapping, system = read_mapping(other)
        done = count_text(other, text, runner, None, prompt, tokens)
        priced = price(other.program, mapping, system, done.phases, profile, powered, border)
        others.append((other, row_of(other, mapping, system, priced)))
    return side_by_side(row_of(opened, *own, accuracy), opened, others, counts.first, prompt, profile, plan=plan)


def host_profile(host: str, measured: bool) -> HostSpec:
    """The profile of that name, or this machine measured, with what cannot be measured from that profile."""
    from targets import hosts
    from targets.measured_host import measure_host

    base = hosts.get_host(host)
    return measure_host(base) if measured else base


def count_text(
    opened: Bundle, text: str | Path | None, runner: str, progress: Progress | None = None,
    prompt_tokens: int | None = None, tokens: int = 16,
) -> Counts:  # fmt: skip
    """Of a prefill, and of the generation after it (greedy)."""
    if tokens < 1 or (prompt_tokens is not None and prompt_tokens < 1):
        problem = f"{prompt_tokens} prompt tokens and {tokens} new ones are not possible"
        raise UserError("ND3005", "energy", problem, "give at least one of each")
    if prompt_tokens is None:  # a model of few positions needs room for the new tokens
        prompt_tokens = max(1, min(DEFAULT_PROMPT_TOKENS, opened.program.info.max_positions - tokens - 1))
    if opened.hollow:
        prefill, generated = assumed_counts(opened.program, left_to_host(opened), prompt_tokens, tokens)
        name, sample = told(opened.program), None
    else:
        prompt = read_text(text or DEFAULT_CALIBRATION)
        prefill, generated, sample = _generated(opened, prompt, prompt_tokens, tokens, runner)
        name = Path(text).name if text else "embedded prose"
    read = {"input": name, "unit": "token", "steps": prefill.tokens, "samples": 1, "notes": list[str]()}
    read |= {"prefill_tokens": prefill.tokens, "generated_tokens": generated.tokens}
    return Counts({"prefill": prefill, "generate": generated}, read, [], sample)


def _generated(
    opened: Bundle, text: str, prompt_tokens: int, tokens: int, runner: str
) -> tuple[ActivityCounts, ActivityCounts, dict[str, str]]:
    """Exact counts of a prefill and of the generation after it (greedy), and both texts."""
    from neurodeploy.generation import check_positions, generate

    tokenizer = tokenizer_of(opened)
    info = opened.program.info
    prompt = after_prefix(info, encode_text(tokenizer, text, prompt_tokens))
    check_positions("energy", len(info.prefix) + len(prompt), tokens, info.max_positions)
    model = hybrid(opened, runner)
    taken: list[ActivityCounts] = []
    # The last token is chosen and not fed back: `tokens` are.
    done = generate(model, prompt, tokens + 1, after_prefill=lambda: taken.append(model.take_counts()))
    texts = {"prompt": tokenizer.decode(prompt[-SHOWN:]), "text": tokenizer.decode(list(done.tokens))}
    return taken[0], model.take_counts(), texts


def count_stream(
    opened: Bundle, input: str | Path, runner: str, progress: Progress | None = None, steps: int | None = None,
    layout: str | None = None,
) -> Counts:  # fmt: skip
    """Of all samples of an input."""
    stream, engine = fed(input, opened, runner, steps, layout)
    activity = advance(opened.program.network, engine, stream, progress=progress).activity
    return counts_of_stream(input, stream, activity)


def counts_of_stream(input: str | Path, stream: Stream, activity: RunActivity) -> Counts:
    read = {"input": Path(input).name, "unit": "step", "steps": stream.steps, "samples": stream.samples}
    return Counts({"sample": activity}, {**read, "notes": stream.notes}, stream.questions, rates=activity)


def ledgers_of(
    program: Program, mapping: Mapping, system: SystemSpec, phases: Table[str, ActivityCounts | RunActivity],
    profile: HostSpec, powered: str = "used", border: str = "",
) -> tuple[dict[str, RunLoads], dict[str, EnergyLedger]]:  # fmt: skip
    """What cores, links and host do in each phase, and its account."""
    worked = {phase: loads(program, counts, mapping, system, border) for phase, counts in phases.items()}
    return worked, {phase: account(each, system, profile, phase, powered=powered) for phase, each in worked.items()}


def price(
    program: Program, mapping: Mapping, system: SystemSpec, phases: Table[str, ActivityCounts | RunActivity],
    profile: HostSpec, powered: str = "used", border: str = "", asked: Sequence[AskedChange] | None = None,
    batch: int = BATCH,
) -> dict[str, Any]:  # fmt: skip
    """The account of counts on a mapping that was read and verified; of a sample also of its mean step. With what would be
    with the changes that are `asked`, and others that help, and with ways to do without the chip, one by one and in a
    batch; asked is None: nobody wants to know."""
    worked, ledgers = ledgers_of(program, mapping, system, phases, profile, powered, border)
    last = list(phases)[-1]
    measured = metrics(program, phases[last], exact=program.streamed)
    found = report_json(ledgers, worked[last], system.chip, measured)
    if system.origin is not None:
        found["system_file"] = system.origin.to_json()
    if asked is None:
        return found
    for phase, each in worked.items():
        told: Any = found[phase]
        told["what_if"] = what_if(each, system, profile, ledgers[phase], asked, powered=powered)
    for phase, ways in without_chip(program, worked, ledgers, system, profile, powered, batch).items():
        told = found[phase]
        told["without_chip"] = ways
    return found
