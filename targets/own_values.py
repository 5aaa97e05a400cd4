"""The values of a user's file, one by one: text, counts, budgets, formats, costs with bands, what a chip supports."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

from neurodeploy.errors import UserError
from neurodeploy.ir.chip import Ability, Basis, ChipSpec, Limit, Quantity, Supports

#: No count of a file is larger.
MOST_COUNT = 1 << 40
#: No cost is larger, by its unit: what is has another unit than the key says.
MOST = {"J": 1.0, "s": 100.0, "W": 1e6, "B/s": 1e18, "B": 2.0**50, "1": 1e9}
#: Widest formats.
WIDEST = {"weight_bits": 16, "payload_bits": 32, "state_bits": 64}
#: Budgets whose limit need not be known.
UNKNOWN, MAY_BE_UNKNOWN = "unknown", ("in_axons", "out_axons")
KEPT = ("list", "kernel", "wire")


class Part:
    """A table of a file. `where` : what leads to it, such as "chip.costs."."""

    def __init__(self, file: str, where: str, data: Any) -> None:
        self.file, self.where, self.data = file, where, data
        if not isinstance(data, dict):
            raise self.wrong("", f"is {data!r:.40}, no table", "write keys and values")

    def wrong(self, key: str, problem: str, fix: str) -> UserError:
        """ND4008: a key, type or unit that is none."""
        return UserError("ND4008", f"{self.file}: {self.where}{key}".rstrip(".: "), problem, fix)

    def impossible(self, key: str, problem: str, fix: str) -> UserError:
        """ND4009: a value that cannot be."""
        return UserError("ND4009", f"{self.file}: {self.where}{key}", problem, fix)

    def only(self, keys: Collection[str]) -> None:
        for key in self.data:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                raise self.wrong(str(key)[:60], "is no key of this table", f"{hint}keys: {', '.join(keys)}")

    def part(self, key: str, optional: bool = False) -> Part:
        if key not in self.data and not optional:
            raise self.missing(key)
        return Part(self.file, f"{self.where}{key}.", self.data.get(key, {}))

    def text(self, key: str, default: str | None = None) -> str:
        found = self.data.get(key, default)
        if found is None:
            raise self.missing(key)
        if not isinstance(found, str) or not found.strip() or len(found) > 500 or not found.isprintable():
            raise self.wrong(key, f"is {found!r:.40}, no line of text", "write text in quotes")
        return found

    def whole(self, key: str, default: int | None, least: int = 1, most: int = MOST_COUNT) -> int:
        found = self.data.get(key, default)
        if found is None:
            raise self.missing(key)
        return self._count(key, found, least, most)

    def _count(self, key: str, found: Any, least: int, most: int) -> int:
        if type(found) is not int:
            raise self.wrong(key, f"is {found!r:.40}, no whole number", "write a number without a point or quotes")
        if not least <= found <= most:
            raise self.impossible(key, f"is {found}, {least} to {most} are possible", "correct it")
        return found

    def pair(self, key: str, default: tuple[int, int] | None) -> tuple[int, int]:
        found = self.data.get(key, None if default is None else list(default))
        if found is None:
            raise self.missing(key)
        if not isinstance(found, list) or len(found) != 2:
            raise self.wrong(key, f"is {found!r:.40}, no pair of numbers", "write [columns, rows]")
        columns, rows = (self._count(key, each, 1, 1 << 20) for each in found)
        return columns, rows

    def missing(self, key: str) -> UserError:
        return self.wrong(key, "is missing", 'give it, or say like = "NAME" of what is known')

    def origin(self) -> tuple[Basis, str]:
        """Basis and source of a number in a table of its own."""
        basis = self.text("basis", Basis.GUESSED.value)
        if basis not in [each.value for each in Basis]:
            fix = f"choose one of {', '.join(each.value for each in Basis)}"
            raise self.wrong("basis", f"is {basis!r:.40}, no basis", fix)
        return Basis(basis), self.text("source", f"user's file {self.file}")


def budget(part: Part, words: ChipSpec, like: ChipSpec | None) -> dict[str, Limit]:
    """The limits of a core: whole numbers, of axons also "unknown"."""
    names = words.budget.limits()
    part.only(names)
    known = {} if like is None else like.budget.limits()
    found = {}
    for name in names:
        if name not in part.data and name in known:
            found[name] = known[name]
            continue
        if name not in part.data:
            raise part.missing(name)
        given, said = part.data[name], Part(part.file, f"{part.where}{name}.", {})
        if isinstance(given, dict):
            said = Part(part.file, f"{part.where}{name}.", given)
            said.only(("value", "basis", "source"))
            given = given.get("value")
        value = None if given == UNKNOWN and name in MAY_BE_UNKNOWN else part._count(name, given, 1, MOST_COUNT)
        found[name] = Limit(value, *said.origin())
    return found


def formats(part: Part, words: ChipSpec, like: ChipSpec | None) -> dict[str, int]:
    """Whole numbers: bytes and bits of what a core stores."""
    part.only(words.formats)
    known = {} if like is None else like.formats
    return {
        name: part.whole(name, known.get(name), least=int(name in WIDEST), most=WIDEST.get(name, 1 << 20))
        for name in words.formats
    }


def costs(part: Part, words: ChipSpec, like: ChipSpec | None) -> tuple[dict[str, Quantity], set[str]]:
    """Energies, times, powers and bandwidths, and which of them the file says."""
    part.only(words.costs)
    known = {} if like is None else dict(like.costs)
    found = {name: _quantity(part, name, given, words.costs[name].unit) for name, given in part.data.items()}
    for name in words.costs:
        if name not in known and name not in found:
            raise part.missing(name)
    return {**known, **found}, set(found)


def _quantity(part: Part, name: str, given: Any, unit: str) -> Quantity:
    said = Part(part.file, f"{part.where}{name}.", given if isinstance(given, dict) else {})
    said.only(("value", "low", "nominal", "high", "unit", "basis", "source"))
    if isinstance(given, dict):
        if said.text("unit", unit) != unit:
            raise said.wrong("unit", f"is {given['unit']!r:.20}, {name} is in {unit}", f"convert it to {unit}")
        ends = [given.get(end) for end in ("low", "nominal", "high")]
        if ("value" in given) == any(end is not None for end in ends):
            raise part.wrong(name, "needs either value, or low, nominal and high", "write one of the two")
        given = given.get("value", ends)
    values = given if isinstance(given, list) else [given] * 3
    if len(values) != 3 or any(type(each) not in (int, float) for each in values):
        raise part.wrong(
            name, f"is {given!r:.60}, no number of {unit}", f"write a number, or [low, nominal, high], in {unit}"
        )
    low, nominal, high = (float(each) for each in values)
    if not all(isfinite(each) for each in (low, nominal, high)) or not 0 <= low <= nominal <= high:
        raise part.impossible(name, f"is {values}: low, nominal and high must be 0 or more, in order", "correct it")
    if low == 0 and unit in ("B/s", "1"):
        raise part.impossible(name, f"is 0 {unit}", "give what is above 0")
    if high > MOST[unit]:
        raise part.impossible(name, f"is {high:g} {unit}, more than {MOST[unit]:g}", f"its unit is {unit}: convert it")
    return Quantity(low, nominal, high, unit, *said.origin())


def abilities(part: Part, like: ChipSpec | None) -> Supports:
    """Neuron models that its own circuit has, whether programs compute all others, ways of keeping synapses."""
    from neurodeploy.neurons.registry import MODELS

    part.only(("neurons", "synapses", "program", "without"))
    source = Ability(f"user's file {part.file}")
    known = None if like is None else like.supports
    neurons = _names(part, "neurons", MODELS, None if known is None else known.neurons)
    synapses = _names(part, "synapses", KEPT, None if known is None else known.synapses)
    program = part.data.get("program", None if known is None else known.program is not None)
    if type(program) is not bool:
        raise part.wrong("program", f"is {program!r:.20}, neither true nor false", "say whether it has programs")
    without = part.part("without", True)
    without.only(MODELS)
    refused = {name: without.text(name) for name in without.data}
    made = known or Supports({}, None, {})
    return replace(
        made, neurons={name: (known.neurons.get(name, source) if known else source) for name in neurons},
        synapses={name: (known.synapses.get(name, source) if known else source) for name in synapses},
        program=((known.program if known else None) or source) if program else None, without={**made.without, **refused},
        hypothetical=made.hypothetical if program else {},
    )  # fmt: skip


def _names(part: Part, key: str, possible: Collection[str], known: Mapping[str, Ability] | None) -> list[str]:
    found = part.data.get(key, None if known is None else list(known))
    if found is None:
        raise part.missing(key)
    if not isinstance(found, list):
        raise part.wrong(key, f"is {found!r:.40}, no list of names", 'write ["lif", "cuba"]')
    for name in found:
        if name not in possible:
            raise part.wrong(
                key, f"has {name!r:.40}, which is none of them", f"choose of {', '.join(sorted(possible))}"
            )
    return found
