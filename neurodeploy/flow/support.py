"""What of a model a chip does not have: one question for `map`, `fit`, `verify` and `explain`, answered by the chip's data.

A model is a list of needs, a chip a table of what it has (`ir.chip.Supports`, `ChipSpec.formats`)::

    need                of                         the chip has it where
    neuron model        a population               `Supports.neuron` has an entry
    synapses            a projection, as kept      `Supports.synapses` has an entry
    weight bits         a projection with weights  formats["weight_bits"] are as many
    payload bits        a population               formats["payload_bits"] are as many
    state bits          the widest variable of a   formats["state_bits"] are as many
                        population
    delay               a projection               formats["delay_steps"] are as many

An input that does not say how wide its payloads are (parameter "bits") sends what the data hold: a chip with narrower
payloads gets a note, no refusal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.chip import Ability, ChipSpec, SystemSpec
from neurodeploy.ir.fixedpoint import STATE_BITS
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.neurons.registry import get_model, payload_bits

#: Width -> how a sentence names it, and what makes a model need less of it.
WIDTHS = {
    "weight_bits": ("weights of {} bits", "quantise them to {} bits and a weight exponent"),
    "payload_bits": ("graded payloads of {} bits", "scale its payloads down to {} bits"),
    "state_bits": ("neuron state of {} bits", "convert with states of {} bits"),
    "delay_steps": ("delays of {} steps", "shorten them to {} steps"),
}


class Need(NamedTuple):
    """`of`: the population or projection. what : "neurons", "synapses" or a key of `WIDTHS`. value : a name, or a number.

    at : the population whose cores must meet it.
    """

    of: str
    what: str
    value: str | int
    at: str


@dataclass(frozen=True, slots=True)
class Lack:
    """A need that a chip does not meet: what of it there is, in words."""

    need: Need
    chip: str
    have: str | int

    @property
    def problem(self) -> str:
        what, value = self.need.what, self.need.value
        if what == "neurons":
            return f"needs the neuron model {value}, which {self.chip} does not have ({self.have})"
        if what == "synapses":
            return f"keeps its weights as a {value}, which {self.chip} does not have ({self.have})"
        return f"{WIDTHS[what][0].format(value)}, {self.chip} has {self.have}"

    def __str__(self) -> str:
        return f"{self.need.of}: {self.problem}"


def needs_of(network: Network, weight_bits: int | None = None) -> Iterator[Need]:
    """All that a network asks of a chip; `weight_bits`: the width to store weights in, None: their own."""
    for name, population in network.populations.items():
        if population.model != INPUT:
            yield Need(name, "neurons", population.model, name)
            yield Need(name, "payload_bits", payload_bits(population), name)
            yield Need(name, "state_bits", _state_bits(population), name)
    for p in network.projections:
        source = network.populations[p.source]
        if p.valued and source.model == INPUT and "bits" in source.params:
            yield Need(p.source, "payload_bits", payload_bits(source), p.target)
        yield Need(p.name, "synapses", p.synapse.kept, p.target)
        yield Need(p.name, "delay_steps", max(0, p.depth - 1), p.target)
        if not p.synapse.wire:
            yield Need(p.name, "weight_bits", p.weight_bits if weight_bits is None else weight_bits, p.target)


def _state_bits(population: Population) -> int:
    """Of its widest variable, or what its parameter says."""
    model = get_model(population.model)
    if "state_bits" in model.params:
        return int(np.max(population.params.get("state_bits", STATE_BITS)))
    return max((variable.bits for variable in model.state.values()), default=0)


def lacking(chip: ChipSpec, needs: Iterable[Need]) -> Iterator[Lack]:
    """The needs that the chip does not meet, in order."""
    for need in needs:
        have = _have(chip, need)
        if have is not None:
            yield Lack(need, chip.name, have)


def _have(chip: ChipSpec, need: Need) -> str | int | None:
    """What the chip has instead; None where it meets the need."""
    if need.what in WIDTHS:
        limit = chip.formats[need.what]
        return limit if int(need.value) > limit else None
    if _ability(chip, need) is not None:
        return None
    if need.what == "synapses":
        return "it has " + ", ".join(chip.supports.synapses)
    return chip.supports.without.get(str(need.value)) or "it has " + ", ".join(chip.supports.neurons)


def _ability(chip: ChipSpec, need: Need) -> Ability | None:
    find = chip.supports.neuron if need.what == "neurons" else chip.supports.synapses.get
    return find(str(need.value))


def refuse(chip: ChipSpec, needs: Iterable[Need], others: Iterable[SystemSpec] = ()) -> None:
    """Refuse a model that needs what a chip does not have.

    Raises
    ------
    DoesNotFit ND2090 : a neuron model or a way of keeping synapses. ND2004 : numbers wider than the chip's. Both name the
        population or projection, the need, what the chip has, and the systems of `others` whose chip meets all needs.
    """
    asked = list(needs)
    lack = next(lacking(chip, asked), None)
    if lack is None:
        return
    able: dict[str, list[str]] = {}
    for other in others:
        if next(lacking(other.chip, asked), None) is None:
            able.setdefault(other.chip.name, []).append(other.name)
    fixes = [f"{name} has it ({', '.join(systems)})" for name, systems in able.items()]
    if lack.need.what in WIDTHS:
        fixes.append(WIDTHS[lack.need.what][1].format(lack.have))
        raise DoesNotFit("ND2004", lack.need.of, lack.problem, ", or ".join(fixes))
    fix = ", or ".join(fixes) or ("no known system has it" if others else "choose a system whose chip has it")
    raise DoesNotFit("ND2090", lack.need.of, lack.problem, fix)


def notes_of(network: Network, chip: ChipSpec) -> tuple[str, ...]:
    """What a mapping to this chip must tell: abilities that have a note, and inputs whose payloads it must be spared."""
    found = dict.fromkeys(
        ability.note
        for need in needs_of(network)
        if need.what not in WIDTHS and (ability := _ability(chip, need)) is not None and ability.note
    )
    have = chip.formats["payload_bits"]
    valued = {p.source for p in network.projections if p.valued}
    for name in network.inputs:
        bits = payload_bits(network.populations[name])
        if name in valued and bits > have:
            found[f"input {name} may send graded payloads of {bits} bits, {chip.name} has {have}"] = None
    return tuple(found)
