"""Pins by population: what the user fixes by its name or by that of its group, resolved and checked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import fields
from types import MappingProxyType

from neurodeploy.errors import UserError
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Encode
from partitioner.classify import group_of
from partitioner.options import Pin

DEVICES = ("chip", "host")
#: What a pin counts, and the least that each can be.
LEAST = {"rows": 1, "blocks": 1, "chip": 0}


def pins_of(program: Program, pins: Table[str, Pin], chips: int | None = None) -> dict[str, Pin]:
    """One pin for every population that is pinned, by itself or through its group; what both say must agree. With the number
    of `chips` no pin asks for more than population and system have.

    Raises
    ------
    UserError ND2063 : a name that is neither one of them nor a group. ND2064 : a device that cannot run it. ND2065 : a
        number out of range. ND2066 : a population and its group contradict.
    """
    if not pins:
        return {}
    names, groups = members_of(program)
    inputs = inputs_of(program)
    found: dict[str, Pin] = {}
    for name, pin in pins.items():
        if name in inputs:
            raise UserError("ND2064", name, "is an input: its payloads come from outside", "leave the pin out")
        members = [name] if name in names else groups.get(name)
        if members is None:
            raise unknown(name, [*names, *groups])
        for member in members:
            found[member] = merged(member, found.get(member, Pin()), pin)
    for name, pin in found.items():
        most = {"blocks": max(1, sum(p.synapse.columns for p in program.network.into(name)))}
        if chips is not None:
            most |= {"rows": program.network.populations[name].size, "chip": chips - 1}
        check(name, pin, most if program.streamed or chips is not None else {})
    return {name: found[name] for name in names if name in found}


def inputs_of(program: Program) -> list[str]:
    """Inputs whose payloads come from outside: no step of the host fills them."""
    encoded = {step.population for step in program.host if isinstance(step, Encode)}
    return [name for name in program.network.inputs if name not in encoded]


def members_of(program: Program) -> tuple[list[str], dict[str, list[str]]]:
    """Populations with neurons, and the groups of those that are more than one or go by another name."""
    groups: dict[str, list[str]] = {}
    own = {name: population for name, population in program.network.populations.items() if population.model != INPUT}
    for name, population in own.items():
        groups.setdefault(group_of(population), []).append(name)
    return list(own), groups


def unknown(name: str, known: Iterable[str]) -> UserError:
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else "map with --write-plan FILE.csv to see the names"
    return UserError("ND2063", name[:200], "is no operation of this model, and no group of them", hint)


def merged(name: str, one: Pin, other: Pin) -> Pin:
    """Both together. Raises ND2066 where they fix the same thing differently."""
    values = {}
    for entry in fields(Pin):
        a, b = getattr(one, entry.name), getattr(other, entry.name)
        if a is not None and b is not None and a != b:
            problem = f"is pinned to {entry.name} {a} and to {entry.name} {b}"
            raise UserError("ND2066", name, problem, "leave one of them out")
        values[entry.name] = b if a is None else a
    return Pin(**values)


def check(name: str, pin: Pin, most: Table[str, int] = MappingProxyType({})) -> None:
    """A device that there is, counts from the `LEAST` to the `most` that is known, nothing of a core for the host.

    Raises
    ------
    UserError ND2064 : an unknown device. ND2065 : a number out of range. ND2066 : cores for something on the host.
    """
    if pin.device is not None and pin.device not in DEVICES:
        raise UserError("ND2064", name, f"has the device {pin.device[:40]!r}", "give chip or host")
    for what, least in LEAST.items():
        value = getattr(pin, what)
        if value is None:
            continue
        if value < least:
            problem = f"has {what} {value}, the least is {least}"
            raise UserError("ND2065", name, problem, "give a whole number from there")
        if pin.device == "host":
            problem = f"is on the host and has {what} {value}"
            raise UserError("ND2066", name, problem, f"empty its {what}, or set its device to chip")
        if value > (end := most.get(what, value)):
            fix = f"give at most {end}" + (f": the chips are numbered from 0 to {end}" if what == "chip" else "")
            raise UserError("ND2065", name, f"has {what} {value}, the most is {end}", fix)
