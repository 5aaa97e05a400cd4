"""Which device runs each step of a program, why, and what crosses the host border because of it.

Bytes a token, or a time step in which every neuron sends. A population on the chip is charged with all that crosses for it:
one message for each neuron of the encoded inputs that it is the first to read, which is the most that their events can be,
and one for each of its own that the host reads; an expert only for the tokens that are routed to it, on average the
fraction top_k / E. *The sum over the populations on the chip is the traffic of the border*, but for inputs that streams
feed, which show their own. A host operation shows the part of these same bytes for which it stands at the other end: it
made the value that is encoded, or it is the first operation of the host to read a value that was decoded. Each byte is
shown by one host operation at most, so neither column counts a byte twice; they are two views of the same bytes and must
not be added.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple, cast

from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.devices import hosted_populations, population_paths, steps_of
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.mapping import Assignment, Reason
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode, Segment
from neurodeploy.neurons.graded_choice import CHOICE
from neurodeploy.neurons.registers import THRESHOLD
from neurodeploy.neurons.registry import model_of
from neurodeploy.ops import experts_of, lookup

CHIP_REASON = Reason("static-projection", "static weights and one sum a neuron: synapses and neurons of one island", "")

#: What finds the largest logits, so that ids leave in place of logits.
CHOOSES = Reason("chooses-tokens", "compares logits: the ids of the largest leave the chip in place of all logits", "")
#: Of a population on the chip, and of one that is fed from outside.
NEURONS = Reason("neurons", "its neurons and the synapses into them live on cores", "")
OUTSIDE = Reason("outside", "its payloads come from outside and enter over the host border", "")
#: Of a population whose input does not send everything, by a parameter of that.
FEWER = {
    "vth": (THRESHOLD, "payloads up to the thresholds of its axons are not sent"),
    "of": (CHOICE["of"], "of consecutive payloads only the largest are sent"),
}
#: A population that the user put on the host.
PINNED = Reason("pinned-to-host", "the plan puts it on the host", "set its device to chip in the plan")


def lowered_by(program: Program) -> dict[str, Reason]:
    """By population which operation of the model it does, or is a part of, where conversion has put one on the chip."""
    told = cast(Sequence[Mapping[str, Any]], program.conversion.get("lowered", ()))
    return dict.fromkeys(program.behind_head, CHOOSES) | {
        name: Reason(f"lowered-{row['op']}", f"does {row['op']} {row['path']} in integers, or a part of it", "")
        for row in told
        for name in row["populations"]
    }


def fewer(source: Population) -> list[str]:
    """What is said of an input that does not send every payload that is not zero."""
    params = model_of(source).params
    return [text for name, (param, text) in FEWER.items() if name in source.params and params.get(name) is param]


def group_of(population: Population) -> str:
    """What the mapper keeps on one chip where it can: an expert, the projections of an attention layer, a population."""
    if population.expert is not None:
        return f"layers.{population.layer}.experts.{population.expert}"
    if population.layer is not None and {part.role for part in population.sections} & {"q", "k", "v", "o"}:
        return f"layers.{population.layer}.attention"
    return population.name


def activity_of(program: Program) -> dict[str, Fraction]:
    """Expected fraction of tokens that each population sees: top_k / E for an expert, otherwise 1; of copies their own.

    An expert in a layer whose host operations say neither counts as seeing every token.
    """
    experts, top_k = experts_of(program.operations)
    found = {}
    for name, population in program.network.populations.items():
        layer = population.layer
        if name in program.copies:
            found[name] = program.copies[name].share
        elif population.expert is not None and experts.get(layer) and top_k.get(layer):
            found[name] = min(Fraction(top_k[layer], experts[layer]), Fraction(1))
        elif population.model != INPUT:
            found[name] = Fraction(1)
    return found


def crossings(program: Program, assignments: Sequence[Assignment]) -> float:
    """Crossings of the host border a token or a step: one in and one out for each segment with a population on the chip,
    which is one exchange, but for what a segment reads of another on the chip, or leaves there; an expert's for the tokens
    that it sees. What a run counts is the same number where every token has its `top_k`."""
    return float(sum(part.crossings for part in passages(program, assignments)))


class Passage(NamedTuple):
    """A segment with populations on the chip: the first of them, the share of ticks in which it works, its crossings in all
    ticks over their number."""

    segment: Segment
    first: str
    share: Fraction
    crossings: Fraction


def passages(program: Program, assignments: Sequence[Assignment]) -> Iterator[Passage]:
    """Every segment with a population on the chip."""
    hosted, shares = hosted_populations(program, assignments), activity_of(program)
    for segment in program.segments:
        inside = segment.network.populations
        own = [name for name in inside if name in shares and name not in hosted and name not in segment.reads]
        if own:
            read = bool((segment.decodes or not program.host) and segment.network.outputs)
            yield Passage(segment, own[0], shares[own[0]], shares[own[0]] * (segment.fed + read))


def assign(program: Program, chip: ChipSpec, on_host: Mapping[str, Reason] | None = None) -> tuple[Assignment, ...]:
    """One `Assignment` for every host operation and population, in order: the steps of the host, then populations that it
    neither encodes nor decodes. Fractions of a byte are rounded up. What the chip has a note for is said.

    on_host : populations that the host computes, with the reason.
    """
    on_host, paths, does = on_host or {}, population_paths(program), lowered_by(program)
    crossing = _crossing(program, chip, on_host)

    def entry(step: HostOp | Population) -> Assignment:
        if isinstance(step, HostOp):
            amount = math.ceil(crossing.get(step.path, 0))
            return Assignment(step.path, step.op, "host", lookup(step).reason_of(step), amount)
        amount, decoded = math.ceil(crossing.get(step.name, 0)), paths[step.name] == step.name
        op = "island" if decoded else step.model
        if step.name in on_host or step.model == INPUT:
            return Assignment(paths[step.name], op, "host", on_host.get(step.name, OUTSIDE), amount)
        reason = does.get(step.name, CHIP_REASON if decoded else NEURONS)
        ability = chip.supports.neuron(step.model)
        if ability is not None and ability.note:
            reason = replace(reason, text=f"{reason.text}; {ability.note}")
        sources = [program.network.populations[p.source] for p in program.network.into(step.name)]
        for said in dict.fromkeys(text for source in sources for text in fewer(source)):
            reason = replace(reason, text=f"{reason.text}; {said}")
        return Assignment(paths[step.name], op, "chip", reason, amount)

    return tuple(entry(step) for step in steps_of(program))


def _crossing(program: Program, chip: ChipSpec, on_host: Mapping[str, Reason]) -> dict[str, Fraction]:
    """Bytes by host operation and population. What the host reads of an input is its own."""
    network, message, activity = program.network, chip.formats["message_bytes"], activity_of(program)
    maker = {name: step.path for step in program.operations for name in step.outputs}
    reader = {name: step.path for step in reversed(program.operations) for name in step.inputs}
    found: dict[str, Fraction] = {}

    def charge(path: str | None, amount: Fraction) -> None:
        if path is not None:
            found[path] = found.get(path, Fraction(0)) + amount

    def chip_readers(name: str) -> list[str]:
        return [p.target for p in network.out_of(name) if p.target not in on_host]

    away = {step.population for step in program.host if not isinstance(step, HostOp)}
    for step in program.host:
        if isinstance(step, Encode) and (targets := chip_readers(step.population)):
            amount = activity[targets[0]] * message * network.populations[step.population].size
            charge(targets[0], amount)
            charge(maker.get(step.value), amount)
        elif isinstance(step, Decode) and step.population in activity and step.population not in on_host:
            population, share = network.populations[step.population], activity[step.population] * message
            charge(population.name, share * population.size)
            sizes = [part.rows for part in population.sections] or [population.size]
            for name, rows in zip(step.values, sizes, strict=True):
                charge(reader.get(name), share * rows)
    for name, population in network.populations.items():
        outside = population.model == INPUT or name in on_host
        given = any(p.target in on_host for p in network.out_of(name)) or name in network.outputs
        if name not in away and (chip_readers(name) if outside else given):
            charge(name, Fraction(population.size * message))
    return found
