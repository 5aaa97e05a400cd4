"""`Fields`: settings of a foreign configuration, each read with its type; what matters and was not read is refused."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.changing import CONFIG, Listed
from neurodeploy.frontends.families.neutral import Settings, off

_Value = TypeVar("_Value")

#: Largest natural number that a size can be: far above any model, far below what breaks arithmetic.
LARGEST = 1 << 40
#: Largest number of layers, or of experts in a layer: what is built here grows with it.
MOST_LAYERS = 4096
#: What remains to be said of a model that is not supported.
ANOTHER = "give a checkpoint of a supported kind"
#: What helps against a value that none of this name can have.
CORRECT = "correct it, or fetch the model's configuration again"
_MISSING: Any = object()


class Fields:
    """A table of settings; every access marks a name as read, `finish` refuses what matters and was never read.

    Parameters
    ----------
    values : the settings. None means "not set", as in transformers.
    subject : the file, for error texts.
    defaults : what transformers assumes where a setting is missing.
    prefix : what stands before each name in the file, for error texts.
    aliases : name in the file -> the name that a family reads. Two names of one setting must agree (ND1012).

    Raises `ModelError` ND1012 with the field's name in the file and its value where it is missing, of a wrong type or not
    supported.
    """

    def __init__(
        self, values: Mapping[str, Any], subject: object, defaults: Mapping[str, Any] | None = None, prefix: str = "",
        aliases: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.subject, self.prefix, aliases = subject, prefix, aliases or {}
        self._given: dict[str, Any] = {}
        #: Of a name that is read: what the file calls it, or would call it where it has one name alone.
        self._called = {name: own for own, name in aliases.items() if [*aliases.values()].count(name) == 1}
        for own, value in values.items():
            name = aliases.get(own, own)
            if value is None:
                continue
            if self._given.get(name, value) != value:
                one, other = self._given[name], self._called[name]
                problem = f"{prefix}{other} = {one!r:.60} and {prefix}{own} = {value!r:.60} are the same setting"
                raise ModelError("ND1012", subject, problem, "remove the one that is wrong")
            if name not in self._given:
                self._called[name], self._given[name] = own, value
        # null is a value: where it counts, it goes before a default
        self.nulls = {aliases.get(own, own) for own in values} - self._given.keys()
        self.values = {**(defaults or {}), **self._given}
        self._read: dict[str, Any] = {}
        self._ignored: set[str] = set()
        self._refused: dict[str, str] = {}
        self._also: list[str] = []

    def called(self, name: str) -> str:
        """The name that the file has for a setting."""
        return self._called.get(name, name)

    def refuse(self, name: str, need: str, fix: str = ANOTHER) -> ModelError:
        """The error for a value that is not supported."""
        value = self.values.get(name)
        problem = f"{self.prefix}{self.called(name)} = {value!r:.200} is not supported: {need}"
        return ModelError("ND1012", self.subject, problem, fix)

    def get(self, name: str, default: Any = _MISSING) -> Any:
        """A value of any type."""
        value = self._read[name] = self.values.get(name, default)
        if value is _MISSING:
            problem = f"{self.prefix}{self.called(name)} is missing"
            raise ModelError("ND1012", self.subject, problem, "use the model's complete configuration")
        return value

    def natural(self, name: str, default: Any = _MISSING, least: int = 1, most: int = LARGEST) -> int:
        value = self.get(name, default)
        if type(value) is not int or not least <= value <= most:
            every, fix = (", the same for every layer,", ANOTHER) if isinstance(value, list) else ("", CORRECT)
            raise self.refuse(name, f"a whole number from {least} to {most}{every} is needed", fix)
        return value

    def positive(self, name: str, default: Any = _MISSING) -> float:
        value = self.get(name, default)
        if type(value) not in (int, float) or not (math.isfinite(value) and value > 0):
            raise self.refuse(name, "a positive number is needed", CORRECT)
        return float(value)

    def natural_or_null(self, name: str) -> int | None:
        """A whole number; None where the file says null, which goes before a default, or where nobody says anything."""
        if name in self.nulls or name not in self.values:
            self._read[name] = None
            return None
        return self.natural(name)

    def positives(self, name: str, count: int) -> list[float]:
        """A list of `count` positive numbers."""
        value = self.get(name)
        numbers = isinstance(value, list) and all(type(item) in (int, float) for item in value)
        if not numbers or len(value) != count or not all(math.isfinite(item) and item > 0 for item in value):
            raise self.refuse(name, f"a list of {count} positive numbers is needed", CORRECT)
        return [float(item) for item in value]

    def flag(self, name: str, default: Any = _MISSING) -> bool:
        """True or False; old files write 0 or another number."""
        value = self.get(name, default)
        if not isinstance(value, (bool, int)):
            raise self.refuse(name, "true or false is needed", CORRECT)
        return bool(value)

    def table(self, name: str) -> dict[str, Any]:
        """An object, empty where it is not set."""
        value = self.get(name, {})
        if not isinstance(value, dict):
            raise self.refuse(name, "an object is needed", CORRECT)
        return value

    def naturals(self, name: str, count: int, least: int = 0) -> list[int] | None:
        """A list of whole numbers, at least `count` of them; None where it is not set or empty."""
        value = self.get(name, None)
        if value is None or value == []:
            return None
        if not isinstance(value, list) or not all(isinstance(item, int) and item >= least for item in value):
            raise self.refuse(name, f"a list of whole numbers of at least {least} is needed", CORRECT)
        if len(value) < count:
            raise self.refuse(name, f"{count} entries are needed, it has {len(value)}", CORRECT)
        return [int(item) for item in value]

    def choice(self, name: str, table: Mapping[str, _Value]) -> _Value:
        value = self.get(name)
        if not isinstance(value, str) or value not in table:
            raise self.refuse(name, f"one of {', '.join(map(repr, table))} is needed")
        return table[value]

    def layer_types(self, layers: int, known: Collection[str]) -> list[str] | None:
        """A kind of attention for each layer; None where it is not set."""
        value = self.get("layer_types", None)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) < layers or not all(kind in known for kind in value):
            raise self.refuse("layer_types", f"a list of {layers} out of {', '.join(map(repr, known))} is needed")
        return [str(kind) for kind in value]

    def only(self, name: str, *allowed: Any) -> None:
        """Not set, or one of the values that change nothing; `finish` refuses another."""
        value = self.get(name, None)
        if value is not None and not any(type(value) is type(good) and value == good for good in allowed):
            self._refused[name] = " or ".join(map(repr, allowed)) or "null"

    def ignore(self, names: Collection[str]) -> None:
        """Settings that do not change what the network computes, whatever their values."""
        self._ignored.update(names)

    def unsupported(self, listed: Listed = CONFIG) -> list[str]:
        """What `finish` refuses, each as "name = value (neutral: ...)"."""
        found = {self.called(name): need for name, need in self._refused.items()}
        found |= listed.changing(self._left(), Settings(self._given, self._read))
        values = {self.called(name): value for name, value in self.values.items()}
        return [
            f"{self.prefix}{name:.80} = {values[name]!r:.80} (neutral: {need})" for name, need in sorted(found.items())
        ]

    def _left(self) -> dict[str, Any]:
        """What is set and nobody has read, by the file's names."""
        left = self._given.keys() - self._read.keys() - self._ignored
        return {self.called(name): self._given[name] for name in left}

    def unknown(self, listed: Listed = CONFIG) -> list[str]:
        """Names that are set, that nobody has read and that no list has: `finish` takes them to change nothing."""
        left = self._left()
        return [f"{self.prefix}{name:.80}" for name in listed.unknown_to(left) if not off(left[name])]

    def also(self, found: Collection[str]) -> None:
        """What `finish` refuses as well: the `unsupported` of an object inside or around this one."""
        self._also.extend(found)

    def finish(self, listed: Listed = CONFIG) -> None:
        """Refuse, all in one error, what changes the arithmetic and nobody has read: see `changing`."""
        found = [*self._also, *self.unsupported(listed)]
        if found:
            change = "changes what is computed and is" if len(found) == 1 else "change what is computed and are"
            head = "" if len(found) == 1 else f"{len(found)} settings: "
            raise ModelError("ND1012", self.subject, f"{head}{', '.join(found)} {change} not supported", listed.fix)
