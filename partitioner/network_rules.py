"""What the options say of each population of a network: the limits of its cores, its pins. One `Rule` for each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.errors import UserError
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import INPUT, Network

from .budget import Limits, core_limits
from .network_cut import Rule
from .options import Options, Pin


def core_limits_of(chip: ChipSpec, options: Options) -> Limits:
    """The limits of a core in the order of `RESOURCES`: the chip's, lowered by `caps` and `max_rows`. None: unknown."""
    return core_limits(chip, options.max_rows, options.caps)


def rules_of(network: Network, system: SystemSpec, options: Options, available: int) -> dict[str, Rule]:
    """Raises ND2014 where a pin does not belong to the network or the system."""
    limits = core_limits_of(system.chip, options)
    for name, pin in options.pins.items():
        _check(network, system, name, pin, available)
    found = {}
    for name, population in network.populations.items():
        if population.model != INPUT:
            pin = options.pins.get(name, Pin())
            found[name] = Rule(limits, rows=pin.rows, blocks=pin.blocks, most_blocks=pin.blocks)
    return found


def with_stops(rules: dict[str, Rule], stops: dict[str, Ints]) -> dict[str, Rule]:
    return {name: replace(rule, stops=stops[name]) if name in stops else rule for name, rule in rules.items()}


def with_rows(rules: dict[str, Rule], rows: dict[str, int]) -> dict[str, Rule]:
    """At most so many rows a tile, and what was pinned before."""
    return {
        name: replace(rule, rows=int(np.minimum(rows[name], rule.rows or rows[name]))) if name in rows else rule
        for name, rule in rules.items()
    }


def _check(network: Network, system: SystemSpec, name: str, pin: Pin, available: int) -> None:
    def wrong(problem: str, fix: str) -> UserError:
        return UserError("ND2014", name, problem, fix)

    if name not in network.populations:
        known = ", ".join(list(network.populations)[:8])
        raise wrong("is pinned and is no population of this network", f"pin one of its populations: {known}")
    if network.populations[name].model == INPUT:
        raise wrong("is pinned and comes from outside: it has no cores", "leave the pin out")
    if pin.device not in (None, "chip"):
        raise wrong(f"is pinned to {pin.device!r}, its neurons can only live on cores", "leave the device out")
    for what, value, most in (
        ("rows", pin.rows, None),
        ("blocks", pin.blocks, max(1, sum(p.synapse.columns for p in network.into(name)))),
    ):
        if value is not None and not (value >= 1 and (most is None or value <= most)):
            reach = f"between 1 and {most}" if most else "at least 1"
            raise wrong(f"is pinned to {what} = {value}, possible is {reach}", "give such a value")
    if pin.chip is not None and not 0 <= pin.chip < available:
        raise wrong(
            f"is pinned to chip {pin.chip} of {available} of {system.name}", f"name a chip of 0..{available - 1}"
        )
