"""Pins by island or population: what the user fixes by its name or by that of its group, resolved and checked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import fields

from neurodeploy.errors import UserError
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from partitioner.classify import group_of
from partitioner.cost.population import Model
from partitioner.options import Pin

DEVICES = ("chip", "host")


def pins_of(model: Model, pins: Table[str, Pin]) -> dict[str, Pin]:
    """One pin for every island or population that is pinned, by itself or through its group; what both say must agree.

    Raises
    ------
    UserError ND2063 : a name that is neither one of them nor a group. ND2064 : a device that cannot run it. ND2065 : a
        number out of range. ND2066 : an island and its group contradict.
    """
    if not pins:
        return {}
    names, groups = members_of(model)
    found: dict[str, Pin] = {}
    for name, pin in pins.items():
        members = [name] if name in names else groups.get(name)
        if members is None:
            raise unknown(name, [*names, *groups])
        for member in members:
            found[member] = merged(member, found.get(member, Pin()), pin)
    for name, pin in found.items():
        check(name, pin)
        if isinstance(model, Network):
            check_population(model, name, pin)
    return {name: found[name] for name in names if name in found}


def members_of(model: Model) -> tuple[list[str], dict[str, list[str]]]:
    """Islands or populations, and the groups of islands."""
    if isinstance(model, Network):
        return list(model.populations), {}
    groups: dict[str, list[str]] = {}
    for name, island in model.islands.items():
        groups.setdefault(group_of(island), []).append(name)
    return list(model.islands), groups


def check_population(network: Network, name: str, pin: Pin) -> None:
    """Raises ND2064 for an input, ND2065 for more blocks than axons."""
    if network.populations[name].model == INPUT:
        raise UserError("ND2064", name, "is an input: its payloads come from outside", "leave the pin out")
    most = max(1, sum(p.synapse.columns for p in network.into(name)))
    if pin.blocks is not None and pin.blocks > most:
        raise UserError("ND2065", name, f"has blocks {pin.blocks}, the most is {most}", f"give at most {most}")


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


def check(name: str, pin: Pin) -> None:
    """Values on their own: a device that there is, counts of at least one, nothing of a core for the host.

    Raises
    ------
    UserError ND2064 : an unknown device. ND2065 : a number out of range. ND2066 : cores for something on the host.
    """
    if pin.device is not None and pin.device not in DEVICES:
        raise UserError("ND2064", name, f"has the device {pin.device[:40]!r}", "give chip or host")
    for what, value, least in (("rows", pin.rows, 1), ("blocks", pin.blocks, 1), ("chip", pin.chip, 0)):
        if value is not None and value < least:
            raise UserError(
                "ND2065", name, f"has {what} {value}, the least is {least}", "give a whole number from there"
            )
        if value is not None and pin.device == "host":
            problem = f"is on the host and has {what} {value}"
            raise UserError("ND2066", name, problem, f"empty its {what}, or set its device to chip")
