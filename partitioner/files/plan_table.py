"""The plan as a table that people edit: one line an operation, `device` and hints to change, the other columns to read.

========  =============================================================================================================
name      operation of the model (an island, a host operation), a population of a spiking network, or a group of islands
device    chip or host; empty: the mapper's choice
rows      neurons a core at most; empty: the mapper's choice
blocks    column blocks (1: columns are never cut); empty: the mapper's choice
chip      all of it on this chip, from 0; empty: the mapper's choice
kind, group, on_chips, cores, joules_per_token, bytes_per_token, reason    written to be read, not read back
========  =============================================================================================================

Only `name` and one column to change are needed. A line that names a group holds for all its islands. Separated by commas,
or by semicolons as some spreadsheets write; UTF-8. A name that a spreadsheet would run as a formula has an apostrophe
before it, which is taken away when it is read. Everything is checked: nothing of a table with an error is used.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Table
from dataclasses import replace
from pathlib import Path

from neurodeploy.errors import UserError
from neurodeploy.ir.devices import population_paths
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.program import Program
from neurodeploy.ops import lookup
from neurodeploy.storage.opening import read_bounded
from neurodeploy.storage.tables import csv_text, marked
from partitioner.options import Pin
from partitioner.pins import LEAST, check, inputs_of, members_of, merged, pins_of, unknown

#: What a user may change, and what is there to be read.
EDITED = ("device", *LEAST)
READ = ("kind", "group", "on_chips", "cores", "joules_per_token", "bytes_per_token", "reason")
#: Larger tables are no plans: a model of a hundred layers with a hundred experts each has 50 000 operations.
MOST_BYTES, MOST_LINES, MOST_NUMBER = 1 << 26, 1 << 20, 1 << 31


def read_plan(path: str | Path) -> dict[str, Pin]:
    """The pins of a table by name, each line checked by itself; `pins_of_plan` checks them against a model.

    Raises
    ------
    UserError ND2061 : the file cannot be read, is too large or is not UTF-8. ND2062 : it is no table, a column is missing,
        unknown or there twice, a line is longer than the header. ND2064 to ND2066 : a value that cannot be.
    """
    path = Path(path)
    found: dict[str, Pin] = {}
    lines: dict[str, int] = {}
    for number, row in _rows(path, _text(path)):
        name = row.get("name", "").strip()
        if not name:
            if any(value.strip() for value in row.values()):
                raise _bad(path, number, "names no operation", "fill its name, or remove the line")
            continue
        if name in lines:
            problem = f"line {number} names {name[:100]!r} again, after line {lines[name]}"
            raise UserError("ND2066", path, problem, "remove one of them")
        lines[name] = number
        found[name] = _pin(f"{path} line {number}", name, {key: row.get(key, "").strip() for key in EDITED})
    return found


def parse_pin(text: str) -> tuple[str, Pin]:
    """``NAME=rows:64,blocks:1,chip:2,device:host``, as `--pin` takes it. Raises ND2067 where it is not of that form."""
    name, equals, rest = text.rpartition("=")
    values: dict[str, str] = {}
    for part in rest.split(","):
        key, colon, value = (piece.strip() for piece in part.partition(":"))
        if not equals or not name.strip() or not colon or key not in EDITED or key in values or not value:
            fix = f"write NAME=KEY:VALUE,... with {', '.join(EDITED)}: --pin layers.0.attention=rows:64,chip:2"
            raise UserError("ND2067", "--pin", f"{text[:200]!r} cannot be read", fix)
        values[key] = value
    return name.strip(), _pin("--pin", name.strip(), values)


def all_pins(plan: Table[str, Pin], hints: Iterable[tuple[str, Pin]]) -> dict[str, Pin]:
    """A table and hints of the command line together. Raises ND2066 where they contradict one another."""
    found = dict(plan)
    for name, pin in hints:
        found[name] = merged(name, found.get(name, Pin()), pin)
    for name, pin in found.items():
        check(name, pin)
    return found


def pins_of_plan(program: Program, pins: Table[str, Pin], chips: int) -> dict[str, Pin]:
    """The pins of islands, groups and populations, checked against it; lines of host operations and of inputs, which
    get no cores, are checked and left out.

    Raises
    ------
    UserError ND2063 : an unknown name. ND2064 : a device that cannot run it. ND2065 : a number that the object or the
        system does not have. ND2066 : lines that contradict one another.
    """
    names = {path: name for name, path in population_paths(program).items() if path != name}
    operations = {step.path: step for step in program.operations}
    populations, groups = members_of(program)
    streams = inputs_of(program)
    found: dict[str, Pin] = {}
    for name, pin in pins.items():
        own = names.get(name, name)
        if own not in populations and (own in operations or own in streams):
            if pin.device == "chip":
                why = "is an input: its payloads come from outside"
                if own in operations:
                    why = f"cannot run on the chip: {lookup(operations[own]).reason_of(operations[own]).text}"
                raise UserError("ND2064", name, why, "set its device to host")
            check(name, replace(pin, device="host"))
            continue
        if own not in populations and own not in groups:
            raise unknown(name, [*populations, *groups, *operations, *streams])
        found[own] = merged(own, found.get(own, Pin()), pin)
    pins_of(program, found, chips)
    return found


def write_plan(
    mapping: Mapping, names: Table[str, str], groups: Table[str, str], joules: Table[str, float], pins: Table[str, Pin]
) -> str:
    """The table of a mapping. `names`: the island of a call; `groups`, `joules` and `pins` (hints that stay) by island."""
    rows = []
    placed = mapping.by_island()
    for entry in mapping.assignments:
        name = names.get(entry.path, entry.path)
        shards, pin = placed.get(name, []), pins.get(name, Pin())
        hints = ["" if value is None else value for value in (pin.rows, pin.blocks, pin.chip)]
        price = f"{joules[name]:.4g}" if name in joules else ""
        rows.append([
            name, entry.device, *hints, entry.op, groups.get(name, ""), _chips(shards),
            len({(shard.chip, shard.core) for shard in shards}) or "", price, entry.bytes_per_token, entry.reason.text,
        ])  # fmt: skip
    return csv_text(["name", *EDITED, *READ], rows)


def _chips(shards: Iterable[Shard]) -> str:
    """ "0-2 5" """
    runs: list[list[int]] = []
    for chip in sorted({shard.chip for shard in shards}):
        if runs and chip == runs[-1][1] + 1:
            runs[-1][1] = chip
        else:
            runs.append([chip, chip])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _pin(where: str, name: str, values: Table[str, str]) -> Pin:
    numbers: dict[str, int] = {}
    for key in LEAST:
        text = values.get(key, "")
        if text:
            if not (text.isascii() and text.isdigit() and int(text[:12]) < MOST_NUMBER and len(text) <= 12):
                problem = f"has {text[:40]!r} for the {key} of {name[:100]}"
                raise UserError("ND2065", where, problem, "give a whole number, or nothing")
            numbers[key] = int(text)
    pin = Pin(device=values.get("device", "").lower() or None, **numbers)
    check(name, pin)
    return pin


def _text(path: Path) -> str:
    try:
        data = read_bounded(path, MOST_BYTES)
    except OSError as error:
        raise UserError("ND2061", path, f"cannot be read: {error.strerror}", "check the path") from None
    if data is None:
        raise UserError("ND2061", path, f"is larger than {MOST_BYTES} bytes: no plan is", "give a table of operations")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text: byte {error.start} is {data[error.start]:#04x}"
        raise UserError("ND2061", path, problem, "save it as CSV UTF-8") from None


def _rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    first = text.split("\n", 1)[0]
    delimiter = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    try:
        for row in reader:
            if reader.line_num > MOST_LINES:
                raise _bad(
                    path, reader.line_num, f"is beyond the {MOST_LINES} that are read", "leave out what is not pinned"
                )
            if not header:
                header = _header(path, row)
                continue
            if len(row) > len(header) and any(value.strip() for value in row[len(header) :]):
                raise _bad(
                    path, reader.line_num, f"has {len(row)} fields, the header {len(header)}", "quote its commas"
                )
            yield reader.line_num, dict(zip(header, map(marked, row), strict=False))
    except csv.Error as error:
        raise _bad(path, reader.line_num, f"is no line of a table: {error}", "save it as CSV") from None
    if not header:
        raise UserError("ND2062", path, "is empty", f"begin with the line: name,{','.join(EDITED)}")


def _header(path: Path, row: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in row]
    while names and not names[-1]:
        names.pop()
    twice = sorted({name for name in names if names.count(name) > 1})
    strange = [name for name in names if name not in ("name", *EDITED, *READ)]
    if twice:
        problem = f"has the column {twice[0][:40]!r} twice"
    elif strange:
        problem = f"has the column {strange[0][:40]!r}, which no plan has"
    elif "name" not in names:
        problem = "has no column 'name'"
    elif not set(names) & set(EDITED):
        problem = f"has none of the columns {', '.join(EDITED)}"
    else:
        return names
    raise UserError("ND2062", path, problem, f"begin with the line: name,{','.join(EDITED)}")


def _bad(path: Path, line: int, problem: str, fix: str) -> UserError:
    return UserError("ND2062", path, f"line {line} {problem}", fix)
