"""What page and terminal say of ways to do without the chip (`accounting.paying`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.units import Data


def ways(phase: Data, unit: str) -> tuple[list[str], list[list[str]]] | None:
    """Heads and rows of a table: the chip with its host, the same without it, then hosts of other profiles. None of an
    account that does not say it."""
    found: Mapping[str, Any] | None = phase.get("without_chip")
    if found is None:
        return None
    at = str(found["boundary"])
    heads = ["Way", f"J per {unit}, {at}>", f"s per {unit}>", "Joules of the chip's>", "Low – high>", "The chip"]
    chip = ["chip and its host", *_figures(phase, at), "1", units.DASH, units.DASH]
    return heads, [chip, *(_row(row, at) for row in (*found["ways"], *found["elsewhere"]))]


def _figures(row: Data, at: str) -> list[str]:
    return [units.si(row["joules_per_token"][at]["nominal"], "J"), units.si(row["seconds_per_token"]["nominal"], "s")]


def _row(row: Data, at: str) -> list[str]:
    ratio = row["ratio"]
    bits = f", {units.some(row['activation_bits'], 'bit')}" if row["activation_bits"] else ""
    batch = f", {row['batch']} at once" if row["batch"] > 1 else ""
    open_ = "" if row["settled"] or row["verdict"] == "not possible" else ", not settled"
    return [
        f"{row['way']}{bits}, {row['host']}{batch}", *_figures(row, at), units.digits(ratio["nominal"], 3),
        units.span(ratio, ""), f"{row['verdict']}{open_}",
    ]  # fmt: skip


def verdicts(phase: Data) -> list[str]:
    """Sentences: whether the chip pays beside each way on its own host, and else with what it would."""
    found: Mapping[str, Any] = phase.get("without_chip") or {}
    rows: Sequence[Data] = found.get("ways", ())
    said = [*(str(row["text"]) for row in rows), *(str(note) for note in found.get("notes", ()))]
    return [f"{text[0].upper()}{text[1:]}." for text in said]


def clause(phase: Data) -> str | None:
    """Whether the chip pays beside its host alone, one at a time, as a part of a sentence; None where nothing is known."""
    row = next(iter((phase.get("without_chip") or {}).get("ways", ())), None)
    if row is None or row["verdict"] == "not possible":
        return None
    open_ = "" if row["settled"] else " (not settled by the bands)"
    times = units.digits(row["ratio"]["nominal"], 2)
    return f"{row['verdict']} beside its host alone, which takes {times} times its joules at the wall{open_}"
