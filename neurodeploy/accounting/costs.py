"""Unit costs by name out of a chip's table, as it has them (`cost`) and as draws (`priced`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from neurodeploy.accounting.band import Band, Floats, Sampled, of
from neurodeploy.errors import UserError
from neurodeploy.ir.chip import Basis, ChipSpec, HostSpec, Quantity

#: Weakest last: a number made of two has the weaker basis.
_STRENGTH = (Basis.MEASURED, Basis.PUBLISHED, Basis.DERIVED, Basis.GUESSED)

#: A message that a neuron sends to one core: the spike and its delivery.
SENT_J = "spike_out_j + message_j"
#: One update of a microcoded neuron.
MICROCODED_J = "neuron_update_j * microcode_factor"


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


def priced(chip: ChipSpec, key: str) -> Band:
    """`cost`, drawn: a product or a sum draw by draw of what it is made of."""
    if " + " in key:
        first, rest = key.split(" + ", 1)
        return priced(chip, first) + priced(chip, rest)
    if " * " in key:
        first, rest = key.split(" * ", 1)
        return priced(chip, first) * priced(chip, rest)
    return of(cost(chip, key), chip.errs.get(key, key))


def host_priced(host: HostSpec, key: str) -> Band:
    """A quantity of a host, drawn: it errs by itself."""
    quantity: Quantity = getattr(host, key)
    return of(quantity, f"{host.name} {key}")


def with_values(chip: ChipSpec, values: Mapping[str, float | Floats]) -> ChipSpec:
    """The chip with these nominal coefficients, and no bands to them; of an array, with its values in place of draws."""
    return replace(chip, costs={**chip.costs, **{name: _at(chip.costs[name], value) for name, value in values.items()}})


def plain_chip(chip: ChipSpec) -> ChipSpec:
    """The chip without bands."""
    return with_values(chip, {name: quantity.nominal for name, quantity in chip.costs.items()})


def plain(host: HostSpec) -> HostSpec:
    """The host without bands."""
    found: dict[str, Any] = {entry.name: getattr(host, entry.name) for entry in fields(host)}
    still: dict[str, Any] = {name: _at(q, q.nominal) if isinstance(q, Quantity) else q for name, q in found.items()}
    return HostSpec(**still)


def _at(quantity: Quantity, value: float | Floats) -> Quantity:
    if isinstance(value, np.ndarray):
        ends = float(value.min()), float(value[0]), float(value.max())
        return Sampled(*ends, quantity.unit, quantity.basis, quantity.source, value)
    return Quantity(value, value, value, quantity.unit, quantity.basis, quantity.source)


def _sum(a: Quantity, b: Quantity) -> Quantity:
    basis = max(a.basis, b.basis, key=_STRENGTH.index)
    return Quantity(a.low + b.low, a.nominal + b.nominal, a.high + b.high, a.unit, basis, f"{a.source}; {b.source}")


def _product(a: Quantity, b: Quantity) -> Quantity:
    basis = max(a.basis, b.basis, key=_STRENGTH.index)
    source = f"{a.source}; times {b.nominal:g}: {b.source}"
    return Quantity(a.low * b.low, a.nominal * b.nominal, a.high * b.high, a.unit, basis, source)
