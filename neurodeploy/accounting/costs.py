"""Unit costs by name out of a chip's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from neurodeploy.errors import UserError
from neurodeploy.ir.chip import Basis, ChipSpec, Quantity

#: Weakest last: a number made of two has the weaker basis.
_STRENGTH = (Basis.MEASURED, Basis.PUBLISHED, Basis.DERIVED, Basis.GUESSED)

#: A message that a neuron sends to one core: the spike and its delivery.
SENT_J = "spike_out_j + message_j"
#: One update of a microcoded neuron: energy (J), and time (s) on its core.
MICROCODED_J, MICROCODED_S = "neuron_update_j * microcode_factor", "t_neuron_s * microcode_factor"

#: Loss of the power supply as a fraction of the energy it delivers. No published run states its own.
SUPPLY_LOSS = Quantity(
    0.05, 0.10, 0.20, "1", Basis.GUESSED, "assumed: board converters and a wall supply of 83 to 95 % efficiency"
)


def cost(chip: ChipSpec, key: str) -> Quantity:
    """The chip's cost `key`; of ``a * b`` the product, in the unit of `a`, of ``a + b`` the sum, with the weaker basis and
    both sources.

    Raises
    ------
    UserError : ND3103, the chip's table does not have it: nothing is filled in.
    """
    if " + " in key:
        return _sum(*(cost(chip, part) for part in key.split(" + ")))
    name, *others = key.split(" * ")
    if name not in chip.costs:
        raise UserError(
            "ND3103", chip.name, f"has no cost {name!r}, which the energy model needs", "add it with its source"
        )
    found = chip.costs[name]
    return _product(found, cost(chip, " * ".join(others))) if others else found


def with_values(chip: ChipSpec, values: Mapping[str, float]) -> ChipSpec:
    """The chip with these nominal coefficients, and no bands to them."""
    costs = {
        name: Quantity(value, value, value, chip.costs[name].unit, chip.costs[name].basis, chip.costs[name].source)
        for name, value in values.items()
    }
    return replace(chip, costs={**chip.costs, **costs})


def _sum(a: Quantity, b: Quantity) -> Quantity:
    basis = max(a.basis, b.basis, key=_STRENGTH.index)
    return Quantity(a.low + b.low, a.nominal + b.nominal, a.high + b.high, a.unit, basis, f"{a.source}; {b.source}")


def _product(a: Quantity, b: Quantity) -> Quantity:
    basis = max(a.basis, b.basis, key=_STRENGTH.index)
    source = f"{a.source}; times {b.nominal:g}: {b.source}"
    return Quantity(a.low * b.low, a.nominal * b.nominal, a.high * b.high, a.unit, basis, source)
