"""Chips and systems from a user's own TOML or JSON file: what differs from one that is known (``like``), or all of it.

A file of a system has ``name``, ``like``, ``chips``, ``grid``, ``source`` and a table ``[chip]``; a file of a chip has what
stands in that table: ``name``, ``like``, ``cores``, ``mesh``, ``cores_per_router``, ``source`` and the tables ``budget``,
``formats``, ``costs`` and ``supports``, with the keys of `targets`. A number is a number, of ``costs`` also [low, nominal,
high], or a table with its ``source``, ``basis`` and ``unit``. Without these it is guessed, and its source the file.

Errors: ND4007 a file that cannot be read, ND4008 a key, type or unit that is none, ND4009 a value that cannot be.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from math import isqrt
from pathlib import Path
from typing import Any

from neurodeploy.errors import UserError
from neurodeploy.ir.chip import ChipSpec, CoreBudget, Origin, Pacing, SystemSpec
from neurodeploy.storage.opening import read_bounded
from targets.own_values import Part, abilities, budget, costs, formats

MOST_BYTES = 1 << 20
OF_SYSTEM = ("name", "like", "chips", "grid", "source", "chip")
OF_CHIP = (
    "name", "like", "cores", "mesh", "cores_per_router", "source", "budget", "formats", "costs", "supports",
)  # fmt: skip
Known = Mapping[str, SystemSpec]


def read_system(system: str, chip: Path | None, known: Known) -> SystemSpec:
    """The system of a file, or a known one with the chip of the file `chip`. `known` : the systems that may be named."""
    names = [] if system in known else [Path(system).name]
    data: dict[str, Any] = _read(Path(system)) if names else {"like": system}
    if chip is not None:
        if "chip" in data:
            raise UserError("ND4008", chip, f"is a second chip: {names[0]} has a [chip]", "leave one of them out")
        data |= {"chip": _read(chip)}
        data.setdefault("name", f"{Path(system).stem}, {data['chip'].get('name', chip.stem)}")
        names.append(chip.name)
    else:
        data.setdefault("name", Path(system).stem)
    if chip is not None:
        data["chip"].setdefault("name", chip.stem)
    return system_of(Origin(" and ".join(names), json.dumps(data, sort_keys=True)), known)


def system_of(origin: Origin, known: Known) -> SystemSpec:
    """The system that the data of a file says; `origin` is kept in it, and in every mapping to it."""
    top = Part(origin.file, "", json.loads(origin.data))
    top.only(OF_SYSTEM)
    name = top.text("name")
    if name in known:
        raise top.impossible("name", f"is {name}, a system that is known", "give it a name of its own")
    like = _named(top, known, "a system") if "like" in top.data else None
    chip = like.chip if like is not None and "chip" not in top.data else _chip(top.part("chip"), like, name, known)
    chips = top.whole("chips", None if like is None else like.chips)
    kept = like is not None and chips == like.chips
    grid = top.pair("grid", like.grid if like is not None and kept else _square(chips))
    if grid[0] * grid[1] < chips:
        raise top.impossible("grid", f"has {grid[0]} x {grid[1]} places for {chips} chips", "give it more")
    source = top.text("source", f"user's file {origin.file}")
    return SystemSpec(name, chip, chips, grid, source, origin)


def _chip(part: Part, system: SystemSpec | None, system_name: str, known: Known) -> ChipSpec:
    part.only(OF_CHIP)
    chips = {spec.chip.name: spec for spec in known.values()}
    like = system.chip if system is not None else None
    if "like" in part.data:
        found = _named(part, {**chips, **known}, "a chip or a system").chip
        if like is not None and found.name != like.name:
            raise part.impossible(
                "like", f"is {found.name}, and the system's chip {like.name}", "leave one of them out"
            )
        like = like or found
    name = part.text("name", system_name)
    if name in chips:
        raise part.impossible("name", f"is {name}, a chip that is known", "give it a name of its own")
    words = like or next(iter(known.values())).chip  # whose keys and units they are
    tables = {key: part.part(key, like is not None) for key in ("budget", "formats", "costs", "supports")}
    spent, changed = costs(tables["costs"], words, like)
    made = ChipSpec(
        name=name,
        cores=part.whole("cores", None if like is None else like.cores),
        mesh=part.pair("mesh", None if like is None else like.mesh),
        cores_per_router=part.whole("cores_per_router", None if like is None else like.cores_per_router),
        budget=CoreBudget(**budget(tables["budget"], words, like)),
        formats=formats(tables["formats"], words, like),
        costs=spent,
        supports=abilities(tables["supports"], like),
        source=part.text("source", f"user's file {part.file}" + (f", like {like.name}" if like is not None else "")),
        errs={} if like is None else {key: row for key, row in like.errs.items() if key not in changed},
        pace=Pacing() if like is None else like.pace,
    )
    room = made.mesh[0] * made.mesh[1] * made.cores_per_router
    if room < made.cores:
        raise part.impossible(
            "mesh", f"has routers for {room} cores, the chip has {made.cores}", "give it more routers"
        )
    return made


def _named(part: Part, known: Mapping[str, SystemSpec], what: str) -> SystemSpec:
    name = part.text("like")
    if name not in known:
        raise part.wrong("like", f"is {name!r:.60}, no name of {what}", f"choose one of {', '.join(known)}")
    return known[name]


def _square(chips: int) -> tuple[int, int]:
    """The nearest grid to a square that holds so many."""
    rows = max(number for number in range(1, isqrt(chips) + 1) if chips % number == 0)
    return chips // rows, rows


def _read(path: Path) -> dict[str, Any]:
    """The tables of a file."""
    fix = "name a .toml or .json file that you may read (docs/chips.md)"
    try:
        data = read_bounded(path, MOST_BYTES)
    except OSError as error:
        raise UserError("ND4007", path, f"cannot be read: {error.strerror or error}", fix) from None
    if data is None:
        raise UserError("ND4007", path, f"is larger than {MOST_BYTES} bytes: no chip is", fix)
    try:
        found = _toml(data) if path.suffix.lower() == ".toml" else json.loads(data, object_pairs_hook=_once)
        json.dumps(found)
    except (ValueError, TypeError, RecursionError) as error:  # no TOML, no JSON, no UTF-8, dates
        raise UserError("ND4007", path, f"is no {path.suffix[1:].upper()}: {error!s:.200}", fix) from None
    if not isinstance(found, dict):
        raise UserError("ND4007", path, "is no table of keys and values", fix)
    return found


def _toml(data: bytes) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(data.decode("utf-8"))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found
