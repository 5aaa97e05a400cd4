"""`calibrate`: coefficients of a board from what was measured on it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from neurodeploy.accounting import coefficients
from neurodeploy.accounting.calibration import calibrate as calibrated
from neurodeploy.accounting.ledger import BOUNDARIES
from neurodeploy.accounting.loads import RunLoads
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

#: Columns of a file of measurements; each of `QUANTITIES` that a row has is a measurement.
COLUMNS = (
    "bundle", "name", "input", "text", "prompt_tokens", "tokens", "steps", "phase", "border", "powered", "boundary",
    "part", *QUANTITIES, "error",
)  # fmt: skip
#: Relative standard deviation of a figure of which none is said: what the model cannot say, more than what is measured.
ERROR = 0.1


class _Run(NamedTuple):
    """What ran once, of however many rows."""

    opened: Bundle
    mapping: Mapped
    system: SystemSpec
    counts: Counts


def calibrate(
    measurements: str | Path, out: str | Path, *, host: str = "cpu-generic", runner: str = "fast",
    progress: Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Fit the coefficients of the chip to a CSV file of measurements and write those that change to `out`, for ``energy
    --coefficients``; the dictionary is what ``calibrate --json`` prints.

    A row names a mapped `bundle` (from the folder of the file on) and what ran: its `input` or `text`, `prompt_tokens`,
    `tokens`, `steps` as of `energy`, the `phase` ("generate", "prefill", "sample"; default: the last that it has), `border`,
    `powered`. Measured of a token or sample are `joules`, `watts` at a `boundary` (default "board"), all of them or a
    `part`, "static" or "dynamic"; `seconds`; of a prompt `first_token_seconds`; any of them; `error` is their relative
    standard deviation (default 0.1). ND3110 says what is wrong with a row, and nothing is written.
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
    source = f"calibrated on {path.name} ({len(rows)} figures)"
    found = calibrated(rows, source)
    before, after = rows[0].system.chip, found.chip
    write_aside(place, coefficients.to_json(after, found.shrunk, source).encode())
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
    reader = csv.DictReader(io.StringIO(text))
    names = [name.strip() for name in reader.fieldnames or ()]
    if "bundle" not in names or len(set(names)) < len(names):
        raise _wrong(
            path, "is no table of measurements", f"give a CSV file with a line of heads, of {', '.join(COLUMNS)}"
        )
    if unknown := [name for name in names if name not in COLUMNS]:
        raise _wrong(path, f"has the columns {', '.join(unknown)}", f"leave them out; known are {', '.join(COLUMNS)}")
    found = []
    for number, cells in enumerate(reader, 1):
        if None in cells or None in cells.values():
            raise _wrong(
                f"{path.name}, row {number}", f"has not as many cells as the {len(names)} heads", "add or remove some"
            )
        found.append({name.strip(): cell.strip() for name, cell in cells.items()})
    return found


def _measured(
    path: Path, number: int, row: Mapping[str, str], runs: dict[tuple[str, ...], _Run],
    host: str, runner: str,
) -> list[Measurement]:  # fmt: skip
    where = f"{path.name}, row {number}"
    given = [name for name in QUANTITIES if row.get(name)]
    if not row["bundle"] or not given:
        raise _wrong(where, "has no bundle or no figure", f"give a bundle and one of {', '.join(QUANTITIES)}")
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
    phase = row.get("phase") or list(counts.phases)[-1]
    if phase not in counts.phases:
        raise _wrong(where, f"has the phase {phase!r}", f"give one of {', '.join(counts.phases)}")
    check_border(opened.program, row.get("border", ""))
    work: RunLoads = loads(opened.program, counts.phases[phase], mapping, system, row.get("border", ""))
    return [
        Measurement(
            row.get("name") or f"{row['bundle']} ({where})", work, system, host_profile(host, False), phase, name,
            "" if name in TIMES else boundary, _number(where, row, name, 0.0), _number(where, row, "error", ERROR),
            row.get("powered") or "used", "" if name in TIMES else part,
        )
        for name in given
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
