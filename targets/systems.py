"""The systems by name: every file of this folder that has `SYSTEMS` brings those of its chip, and nothing else is asked."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import targets
from neurodeploy.errors import UserError
from neurodeploy.ir.chip import Origin, SystemSpec


def read_systems() -> dict[str, SystemSpec]:
    """Every system by name, those of the chip whose file is last by name first."""
    files = sorted((file.name for file in iter_modules(targets.__path__)), reverse=True)
    modules = [import_module(f"targets.{name}") for name in files if f"targets.{name}" != __name__]
    return {system.name: system for module in modules for system in getattr(module, "SYSTEMS", ())}


SYSTEMS: Mapping[str, SystemSpec] = read_systems()

#: Other names that people use for the same board.
ALIASES: Mapping[str, str] = {"one-chip": "oheo-gulch", "loihi2": "oheo-gulch"}


def get_system(name: str, chip: str | Path | None = None) -> SystemSpec:
    """The system of that name; case, spaces and underscores do not matter. Or of a user's file, .toml or .json, and with
    the chip of the file `chip` in place of its own (`targets.own`).

    Raises
    ------
    UserError ND4001 : unknown name; lists the known ones. ND4007 to ND4009 : of a file.
    """
    name = str(name)
    if not is_file(name):
        found = _known(name)
        if chip is None:
            return found
        name = found.name
    from targets.own import read_system

    return read_system(name, None if chip is None else Path(chip), SYSTEMS)


def is_file(name: str) -> bool:
    """Whether the name of a system is that of a user's file."""
    return name.lower().endswith((".toml", ".json"))


def kept_system(origin: Origin) -> SystemSpec:
    """The system that a mapping has kept of a user's file. Raises as `get_system` where this version cannot read it."""
    from targets.own import system_of

    return system_of(origin, SYSTEMS)


def _known(name: str) -> SystemSpec:
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    key = ALIASES.get(key, key)
    if key in SYSTEMS:
        return SYSTEMS[key]
    known = ", ".join([*SYSTEMS, *ALIASES])
    near = difflib.get_close_matches(key, [*SYSTEMS, *ALIASES], n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UserError(
        "ND4001",
        name,
        "is not a system that we know",
        f"{hint}systems: {known}; or a file of your own, .toml or .json (docs/chips.md)",
    )
