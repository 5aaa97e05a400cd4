"""`calibrate`: coefficients of a board from what was measured on it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from neurodeploy.accounting import coefficients
from neurodeploy.accounting.calibration import ERRORS
from neurodeploy.accounting.calibration import calibrate as calibrated
from neurodeploy.accounting.ledger import BOUNDARIES
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.accounting.measured import FIELDS, MEASUREMENTS, figures
from neurodeploy.accounting.measurement import PARTS, QUANTITIES, TIMES, Measurement
from neurodeploy.accounting.program import check_border, loads
from neurodeploy.bundle import Bundle, open_bundle
from neurodeploy.bundle.files import check_place, write_aside
from neurodeploy.errors import UserError
from neurodeploy.frontends.text import read_text
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping as Mapped
from neurodeploy.pipeline.pricing import Counts, count_stream, count_text, host_profile
from neurodeploy.pipeline.session import Progress, read_mapping
from neurodeploy.pipeline.verbs import verb

#: Columns of a file of measurements; each of `QUANTITIES` that a row has is a measurement, and what Lava's profiler calls
#: `FIELDS` says some of them too.
COLUMNS = (
    "bundle", "name", "input", "text", "prompt_tokens", "tokens", "steps", "phase", "border", "powered", "boundary",
    "part", *QUANTITIES, "error", *FIELDS,
)  # fmt: skip
#: Relative standard deviation of a figure of which none is said: what the model cannot say, more than what is measured.
ERROR = 0.1


class _Run(NamedTuple):
    """What ran once, of however many rows."""

    opened: Bundle
    mapping: Mapped
    system: SystemSpec
    counts: Counts


@verb
def calibrate(
    measurements: str | Path, out: str | Path, *, host: str = "cpu-generic", runner: str = "fast",
    progress: Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Fit the coefficients of the chip to a file of measurements and write those that change to `out`, for ``energy
    --coefficients``; the dictionary is what ``calibrate --json`` prints.

    A row names a mapped `bundle` (from the folder of the file on) and what ran: its `input` or `text`, `prompt_tokens`,
    `tokens`, `steps` as of `energy`, the `phase` ("generate", "prefill", "sample"; default: the last that it has), `border`,
    `powered`. Measured of a token or sample are `joules`, `watts` at a `boundary` (default "board"), all of them or a
    `part`, "static" or "dynamic"; `seconds`; of a prompt `first_token_seconds`; any of them; `error` is their relative
    standard deviation (default 0.1). Figures may have the names of Lava's profiler instead, which have boundaries of their
    own and times of a step (`accounting.measured`). A file that ends in .json is one that ``run --runner loihi2
    --measured`` has written, with the same columns. ND3110 says what is wrong with a row, and nothing is written.
    """
    path, place = Path(measurements), Path(out)
    check_place(place, "board.json")
    rows, runs = list[Measurement](), dict[tuple[str, ...], _Run]()
    table = _table(path)
    for number, row in enumerate(table, 1):
        if progress:
            progress("calibrate", number - 1, len(table))
        rows += _measured(path, number, row, runs, host, runner)
    if progress:
        progress("calibrate", len(table), len(table))
    names = list(dict.fromkeys(row.system.name for row in rows))
    if len(names) > 1:
        raise _wrong(path, f"has rows of several systems ({', '.join(names)})", "calibrate each board by itself")
    source = f"calibrated on {path.name} ({len(rows)} figures)"
    found = calibrated(rows, source)
    before, after = rows[0].system.chip, found.chip
    write_aside(place, coefficients.to_json(after, (*found.shrunk, *ERRORS), source).encode())
    return {
        "out": str(out), "chip": after.name, "figures": len(rows), "missed": found.missed, "rows": found.rows(rows),
        "coefficients": [
            {
                "name": name, "unit": after.costs[name].unit, "shrunk": share,
                **{when: {end: getattr(chip.costs[name], end) for end in ("low", "nominal", "high")}
                   for when, chip in (("before", before), ("after", after))},
            }
            for name, share in sorted(found.shrunk.items(), key=lambda item: item[1])
        ],
    }  # fmt: skip


def _table(path: Path) -> list[dict[str, str]]:
    text = read_text(path)
    names, rows = _of_json(path, text) if path.suffix.lower() == ".json" else _of_csv(path, text)
    if "bundle" not in names or len(set(names)) < len(names):
        raise _wrong(
            path, "is no table of measurements", f"give a CSV file with a line of heads, of {', '.join(COLUMNS)}"
        )
    if unknown := [name for name in names if name not in COLUMNS]:
        raise _wrong(path, f"has the columns {', '.join(unknown)}", f"leave them out; known are {', '.join(COLUMNS)}")
    return rows


def _of_csv(path: Path, text: str) -> tuple[list[str], list[dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text))
    names, found = [name.strip() for name in reader.fieldnames or ()], []
    for number, cells in enumerate(reader, 1):
        if None in cells or None in cells.values():
            raise _wrong(
                f"{path.name}, row {number}", f"has not as many cells as the {len(names)} heads", "add or remove some"
            )
        found.append({name.strip(): cell.strip() for name, cell in cells.items()})
    return names, found


def _of_json(path: Path, text: str) -> tuple[list[str], list[dict[str, str]]]:
    fix = "give a file that `run --runner loihi2 --measured` has written, or a CSV file"
    try:
        file = json.loads(text)
        if file["schema"] != MEASUREMENTS:
            raise ValueError(f"its schema is no {MEASUREMENTS}")
        rows = [{str(name): f"{value}" for name, value in row.items()} for row in file["rows"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _wrong(path, f"is no file of measurements ({type(error).__name__}: {error!s:.200})", fix) from None
    return list(dict.fromkeys(name for row in rows for name in row)), rows


def _measured(
    path: Path, number: int, row: Mapping[str, str], runs: dict[tuple[str, ...], _Run],
    host: str, runner: str,
) -> list[Measurement]:  # fmt: skip
    where = f"{path.name}, row {number}"
    given, lavas = ([name for name in names if row.get(name)] for names in (QUANTITIES, FIELDS))
    if not row.get("bundle") or not (given or lavas):
        raise _wrong(
            where, "has no bundle or no figure", f"give a bundle and one of {', '.join((*QUANTITIES, *FIELDS))}"
        )
    boundary = row.get("boundary") or "board"
    if boundary not in BOUNDARIES:
        raise _wrong(where, f"has the boundary {boundary!r}", f"give one of {', '.join(BOUNDARIES)}")
    part = row.get("part", "")
    if part not in PARTS:
        raise _wrong(where, f"has the part {part!r}", f"give {' or '.join(filter(None, PARTS))}, or nothing for all")
    key = tuple(row.get(name, "") for name in ("bundle", "input", "text", "prompt_tokens", "tokens", "steps"))
    if key not in runs:
        runs[key] = _run(path.parent, where, row, runner)
    opened, mapping, system, counts = runs[key]
    if lavas and not opened.program.streamed:
        raise _wrong(where, f"has {lavas[0]}, of a step, and its bundle runs tokens", f"give {', '.join(QUANTITIES)}")
    if (row.get("boundary") or part) and not given:
        raise _wrong(where, f"has a boundary or part for {lavas[0]}, which has its own", "leave it out")
    phase = row.get("phase") or list(counts.phases)[-1]
    if phase not in counts.phases:
        raise _wrong(where, f"has the phase {phase!r}", f"give one of {', '.join(counts.phases)}")
    check_border(opened.program, row.get("border", ""))
    values = {
        ((name, "", "") if name in TIMES else (name, boundary, part)): _number(where, row, name, 0.0) for name in given
    }
    try:
        told = figures({name: _number(where, row, name, 0.0) for name in lavas}, counts.told["steps"])
    except ValueError as error:
        raise _wrong(where, str(error), "give each figure once and whole") from None
    if twice := [key[0] for key in values if key in told]:
        raise _wrong(where, f"has {twice[0]} by our name and by Lava's", "leave one of them out")
    work: RunLoads = loads(opened.program, counts.phases[phase], mapping, system, row.get("border", ""))
    return [
        Measurement(
            row.get("name") or f"{row['bundle']} ({where})", work, system, host_profile(host, False), phase, name,
            at, value, _number(where, row, "error", ERROR), row.get("powered") or "used", of,
        )
        for (name, at, of), value in (values | told).items()
    ]  # fmt: skip


def _run(folder: Path, where: str, row: Mapping[str, str], runner: str) -> _Run:
    opened = open_bundle(folder / row["bundle"])
    mapping, system = read_mapping(opened)
    whole = {name: _whole(where, row, name) for name in ("prompt_tokens", "tokens", "steps") if row.get(name)}
    needs, other = ("input", "text") if opened.program.streamed else ("text", "input")
    if row.get(other):
        raise _wrong(where, f"has the {other} {row[other]}, which its bundle does not read", f"give {needs}")
    data = folder / row[needs] if row.get(needs) else None
    if opened.program.streamed:
        if data is None:
            raise _wrong(where, "has no input", "name the input that ran")
        return _Run(opened, mapping, system, count_stream(opened, data, runner, None, whole.get("steps")))
    done = count_text(opened, data, runner, None, whole.get("prompt_tokens"), whole.get("tokens", 16))
    return _Run(opened, mapping, system, done)


def _number(where: str, row: Mapping[str, str], name: str, otherwise: float) -> float:
    if not row.get(name):
        return otherwise
    try:
        return float(row[name])
    except ValueError:
        raise _wrong(where, f"has {name} {row[name]!r}", "give a number") from None


def _whole(where: str, row: Mapping[str, str], name: str) -> int:
    if not row[name].isdecimal():
        raise _wrong(where, f"has {name} {row[name]!r}", "give a whole number")
    return int(row[name])


def _wrong(subject: object, problem: str, fix: str) -> UserError:
    return UserError("ND3110", subject, problem, fix)
