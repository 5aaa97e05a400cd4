"""Which device runs each step of a program, why, and what crosses the host border because of it.

Bytes a token. A chip step is charged with all that crosses for it: one message for each column, which is the most that
its events can be, and one for each row; an expert's only for the tokens that are routed to it, on average the fraction
top_k / E. *The sum over the chip steps is the traffic of the border.* A host operation shows the part of these same
bytes for which it stands at the other end: it made the value that an island encodes, or it is the first operation of
the host to read a value that an island returned. Each crossing is shown by one host operation at most, so neither
column counts a byte twice; they are two views of the same bytes and must not be added.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from neurodeploy.errors import InternalError
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.mapping import Assignment, Reason
from neurodeploy.ir.program import Island, IslandCall, Program, Step

CHIP_REASON = Reason("static-projection", "static weights and one sum a neuron: synapses and neurons of one island", "")

#: Why each operation of `HOST_OPS` runs on the host: rule, text, what would put it on the chip.
REASONS: Mapping[str, Reason] = {
    "embedding": Reason(
        "row-lookup",
        "one row of a table is read by token id: no sum over synapses, and the table would fill cores that idle",
        "a one-hot event into vocabulary x hidden synapses would do it at the price of the table's memory in cores",
    ),
    "position_embedding": Reason(
        "position-lookup",
        "one row of a table is read by the number of the token in the text: no sum over synapses",
        "a one-hot event into positions x hidden synapses would do it at the price of the table's memory in cores",
    ),
    "rmsnorm": Reason(
        "needs-reciprocal-root",
        "a mean of squares over all neurons and a reciprocal square root: the integer contract has no such neuron",
        "a reducing neuron with an integer reciprocal root, then a broadcast: two more time steps a norm",
    ),
    "layernorm": Reason(
        "needs-reciprocal-root",
        "a mean, a mean of squares and a reciprocal square root over all neurons: the integer contract has no such neuron",
        "the mean folds into the projection before it; then what an RMS norm needs",
    ),
    "rope": Reason(
        "position-dependent",
        "the factors change with the position of the token; synapses are static",
        "microcoded neurons with integer sine and cosine tables indexed by position",
    ),
    "temperature": Reason(
        "position-dependent",
        "the factor changes with the position of the token; synapses are static",
        "microcoded neurons with an integer table indexed by position",
    ),
    "attention": Reason(
        "dynamic-operands",
        "both operands of q k and p v change with every token and the cache grows; synapses are not rewritten so fast",
        "linear attention or a recurrence with elementwise state; a short window with keys and values as neuron state",
    ),
    "glu": Reason(
        "product-of-two-values",
        "a product of two values that both change: the integer contract has neurons of one input sum",
        "a microcoded neuron with two input compartments beside the gate and up rows",
    ),
    "activation": Reason(
        "curved-function",
        "a curved function of one value: the integer contract has neurons that multiply, shift and saturate",
        "a microcoded neuron with a table of the function, or line segments of it",
    ),
    "add": Reason(
        "residual-on-host",
        "the residual stream stays in float on the host, where its other operand is",
        "an accumulator neuron with one scale for the whole stream, once the norm after it is on the chip",
    ),
    "moe_route": Reason(
        "data-dependent-selection",
        "a choice among all logits of a token",
        "winner-take-all neurons for one expert a token (top_k = 1)",
    ),
    "moe_dispatch": Reason(
        "data-dependent-routing",
        "tokens go to the experts that were chosen: the destination of an event is data",
        "gate neurons at the inputs of every expert, driven by the winner of the router",
    ),
    "moe_combine": Reason(
        "data-dependent-routing",
        "adds the outputs of the experts that a token was given to",
        "an accumulator neuron with one scale for all experts of the layer",
    ),
}


def group_of(island: Island) -> str:
    """What the mapper keeps on one chip where it can: an expert, the projections of an attention layer, an island."""
    if island.expert is not None:
        return f"layers.{island.layer}.experts.{island.expert}"
    if island.layer is not None and {part.role for part in island.slices} & {"q", "k", "v", "o"}:
        return f"layers.{island.layer}.attention"
    return island.name


def activity_of(program: Program) -> dict[str, Fraction]:
    """Expected fraction of tokens that each island sees: top_k / E for an expert, otherwise 1.

    Reads top_k from the layer's `moe_route` and E from the outputs of its `moe_dispatch`; an expert in a layer that has
    neither counts as seeing every token.
    """
    top_k: dict[int | None, int] = {}
    experts: dict[int | None, int] = {}
    for step in program.steps:
        if isinstance(step, HostOp) and step.op == "moe_route":
            top_k[step.layer] = int(str(step.attrs["top_k"]))
        elif isinstance(step, HostOp) and step.op == "moe_dispatch":
            experts[step.layer] = len(step.outputs)
    found = {}
    for name, island in program.islands.items():
        known = island.expert is not None and experts.get(island.layer) and top_k.get(island.layer)
        fraction = Fraction(top_k[island.layer], experts[island.layer]) if known else Fraction(1)
        found[name] = min(fraction, Fraction(1))
    return found


def assign(program: Program, message_bytes: int, on_host: Mapping[str, Reason] | None = None) -> tuple[Assignment, ...]:
    """One `Assignment` for every step, in order. Fractions of a byte are rounded up.

    on_host : islands that the host computes, with the reason; nothing of them crosses the border.
    """
    on_host = on_host or {}
    activity = activity_of(program)
    hosts = [step for step in program.steps if isinstance(step, HostOp)]
    maker = {name: step.path for step in hosts for name in step.outputs}
    reader = {name: step.path for step in reversed(hosts) for name in step.inputs}
    crossing: dict[str, Fraction] = {}

    def charge(path: str | None, amount: Fraction) -> None:
        if path is not None:
            crossing[path] = crossing.get(path, Fraction(0)) + amount

    for step in program.steps:
        if isinstance(step, IslandCall) and step.island not in on_host:
            island, share = program.islands[step.island], activity[step.island] * message_bytes
            charge(step.path, share * (island.columns + island.rows))
            charge(maker.get(step.input), share * island.columns)
            for name, part in zip(step.outputs, island.slices, strict=True):
                charge(reader.get(name), share * part.rows)
    return tuple(_assignment(step, math.ceil(crossing.get(step.path, 0)), on_host) for step in program.steps)


def _assignment(step: Step, amount: int, on_host: Mapping[str, Reason]) -> Assignment:
    if isinstance(step, IslandCall) and step.island in on_host:
        return Assignment(step.path, "island", "host", on_host[step.island], 0)
    if isinstance(step, IslandCall):
        return Assignment(step.path, "island", "chip", CHIP_REASON, amount)
    if step.op not in REASONS:
        raise InternalError("ND9008", step.path, f"host operation {step.op!r} has no reason", "add one to REASONS")
    return Assignment(step.path, step.op, "host", REASONS[step.op], amount)
