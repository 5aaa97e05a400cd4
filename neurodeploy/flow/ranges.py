"""How wide the numbers of a network are: proven by a bound that is propagated through it, or calibrated and counted.

From what a population sends at most follows the largest sum at every port, and from that what its neurons hold and send::

    largest(port)  = sum over projections of `Projection.largest_arrival`(largest payload of the source)
    largest(value) = `NeuronModel.reach` of the largest sums, where the model has one

A width is *proven* where no number can exceed it. Else it was calibrated, or is the chip's own: what exceeds it wraps or is
clipped, and a run counts it (`ir.run.RunActivity.wrapped`, `saturated`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from neurodeploy.ir.fixedpoint import signed_max
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.neurons.model import EXACT_END
from neurodeploy.neurons.registry import get_model, largest_payload, model_of, payload_bits, prepared_params

#: Bits of a number without a width of its own.
WORD = 32


class Width(NamedTuple):
    """A port, a state or a payload of a population. need : bits that hold every value, sign included; None where nothing
    bounds it. have : its bits. beyond : what happens to larger values."""

    population: str
    name: str
    need: int | None
    have: int
    beyond: str

    @property
    def proven(self) -> bool:
        return self.need is not None and self.need <= self.have

    def __str__(self) -> str:
        if self.proven:
            return f"{self.name}: proven {self.need} bits"
        return f"{self.name}: calibrated to {self.have} bits, what exceeds them {self.beyond} and is counted"


def widths(network: Network) -> Iterator[Width]:
    """Population by population: what a host encodes, sums at ports, states, graded payloads."""
    largest: dict[str, int] = {}
    for name in network.order():
        population = network.populations[name]
        largest[name] = largest_payload(population)
        if population.model == INPUT:
            if "bits" in population.params:
                yield Width(name, "s", None, payload_bits(population), "is clipped")
            continue
        sums = {}
        for port, rule in get_model(population.model).ports.items():
            into = [p for p in network.into(name) if p.target_port == port]
            bounds = (
                p.largest_arrival(largest.get(p.source, largest_payload(network.populations[p.source]))) for p in into
            )
            sums[port] = sum(bounds)
            have = EXACT_END.bit_length() if rule.exact else min((p.wrap_bits for p in into), default=WORD)
            yield Width(name, port, sums[port].bit_length() + 1, have, "wraps")
        for width in _own(population, sums):
            if width.name == "s" and width.need is not None:
                largest[name] = min(largest[name], signed_max(width.need))
            yield width


def _own(population: Population, sums: dict[str, int]) -> Iterator[Width]:
    """What its neurons hold and send."""
    model, name, bits = get_model(population.model), population.name, payload_bits(population)
    if model.reach is None:
        if model.state:
            yield Width(name, ", ".join(model.state), None, WORD, "wraps")
        if model.graded:
            yield Width(name, "s", None, bits, "wraps")
        return
    params = prepared_params(population)
    for value, most in model.reach(params, sums).items():
        own = f"{value}_bits" if f"{value}_bits" in params else "state_bits"
        kept = model.state[value].bits if value in model.state else 0
        have = bits if value in model.outputs else kept or int(params[own].item())
        yield Width(name, value, most.bit_length() + 1, have, "is clipped")


def summary(network: Network) -> dict[str, int]:
    """How many widths are proven, and how many calibrated and counted."""
    found = [width.proven for width in widths(network)]
    return {"proven": sum(found), "counted": len(found) - sum(found)}


def beyond_chip(population: Population) -> tuple[str, ...]:
    """Parameters that Lava computes with but that the chip's registers cannot hold, one line each; for a report."""
    found = []
    params = prepared_params(population)
    for name, param in model_of(population).params.items():
        low, high = param.chip or (param.low, param.high)
        outside = (params[name] < low) | (params[name] > high)
        if outside.any():
            worst = int(params[name][outside][0])
            found.append(
                f"population {population.name}: {name} = {worst} is outside the chip's register of {low}..{high}"
            )
    return tuple(found)
