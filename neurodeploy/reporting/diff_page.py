"""The page of `diff`: the sentence, every figure of both sides, bands side by side, what differs of settings and host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from neurodeploy.reporting import differences, units
from neurodeploy.reporting.derive import PHASE_TEXT, number_ranges, pattern
from neurodeploy.reporting.differences import WORDS
from neurodeploy.reporting.html import Child, Html, el, fact_list, join
from neurodeploy.reporting.page import document
from neurodeploy.reporting.sections.bands import band_chart
from neurodeploy.reporting.sections.frame import MAX_ROWS, Body, cell, section, table, texts
from neurodeploy.reporting.sections.hero import Figure, cards
from neurodeploy.reporting.units import Data

_CARDS = ("joules_wall", "seconds", "cores", "crossings", "host_operations", "loss")

#: Charts: title, unit, boundary of joules ("" of seconds).
_DRAWN = (("Joules at the wall", "J", "wall"), ("Joules at the chip", "J", "chip"), ("Seconds", "s", ""))


def diff_page(found: Mapping[str, Any]) -> str:
    """One HTML file; equal data give equal bytes."""
    made = [(anchor, title, body) for anchor, title, part in _PARTS if (body := part(found)) is not None]
    a, b = differences.names(found)
    clauses = differences.clauses(found)
    said = f": {', '.join(clauses)}." if clauses else f": {found['answer'].rpartition(': ')[2]}."
    over = [el("span", part) for part in ("neurodeploy diff", *_read(found))]
    head = el(
        "header",
        el("p", *over, class_="over"),
        el("h1", el("b", b), el("span", f" beside {a}", class_="clause"), said),
        el("p", *(el("span", f"{note[:1].upper()}{note[1:]}.") for note in found["notes"]), class_="model"),
        cards(_figures(found)),
        class_="hero",
    )
    contents = [(anchor, title) for anchor, title, _ in made]
    return document(f"{b} beside {a}", head, contents, [section(*part) for part in made])


def _read(found: Data) -> Iterator[str]:
    """What both were run on, once where that is the same."""
    read = [found[side]["read"] for side in ("a", "b")]
    told = [f"{one['input']}, {units.some(one['steps'], one['unit'])}" for one in read if one is not None]
    yield from dict.fromkeys(told)


def _figures(found: Data) -> Iterator[Figure]:
    phase = differences.main_phase(found)
    for name in _CARDS:
        banded = name in ("joules_wall", "seconds")
        row = differences.figure(found, name, phase if banded else None)
        if row is None:
            continue
        lines = [f"{differences.value(row, 'b')} for {differences.value(row, 'a')}"]
        if banded and phase is not None:
            lines.append(
                f"per {PHASE_TEXT[phase]}, modelled" + ("" if row["settled"] else "; the bands do not settle it")
            )
        title = WORDS[name].capitalize()
        if row["ratio"] is None:
            yield title, differences.value(row, "b"), "", [f"for {differences.value(row, 'a')}"]
        else:
            yield title, units.digits(row["ratio"]["nominal"], 3), "times", lines


def _all_figures(found: Data) -> Body:
    a, b = differences.names(found)
    rows = [[_named(row), *_told(row)] for row in found["figures"]]
    lead = (
        "Both are priced by one account; the band of a ratio is of both together, and holds 1 where nothing is settled."
    )
    heads = ["Figure", f"{a}>", f"{b}>", "Ratio>"]
    return [lead, table("Figures side by side", heads, texts(heads, rows), "")]


def _told(row: Data) -> tuple[str, str, str]:
    return differences.value(row, "a"), differences.value(row, "b"), differences.times(row)


def _named(row: Data) -> str:
    words = WORDS[row["name"]]
    return f"{words} per {PHASE_TEXT[row['phase']]}" if row["phase"] else words


def _bands(found: Data) -> Body | None:
    named = dict(zip(differences.names(found), (found["a"]["phases"], found["b"]["phases"]), strict=True))
    if not any(named.values()):
        return None
    charts = []
    for phase in PHASE_TEXT:
        told = {name: phases[phase] for name, phases in named.items() if phase in phases}
        for title, unit, key in _DRAWN:
            bands = [
                (name, each["joules_per_token"][key] if key else each["seconds_per_token"])
                for name, each in told.items()
            ]
            if bands:
                charts.append(band_chart(f"{title}, {PHASE_TEXT[phase]}", unit, bands))
    return ["Modelled, with the host and the supply at the wall and without them at the chip.", *charts]


def _settings(found: Data) -> Body | None:
    if not found["settings"]:
        return None
    a, b = differences.names(found)
    heads = ["Setting", a, b]
    rows = [[row["name"], _worded(row["a"]), _worded(row["b"])] for row in found["settings"]]
    return [None, table("Settings that differ", heads, texts(heads, rows), "")]


def _worded(value: object) -> str:
    return "not set" if value is None else f"{value}"


def _operations(found: Data) -> Body | None:
    """Equal layers share a row."""
    if not found["operations"]:
        return None
    a, b = differences.names(found)
    groups: dict[tuple[Any, ...], list[str]] = {}
    for row in found["operations"]:
        key = (pattern(row["path"]), *((row[side] or {}).get("rule") for side in ("a", "b")))
        groups.setdefault(key, []).append(row["path"])
    reasons = {row["path"]: row for row in found["operations"]}
    rows = [
        [
            cell(name, class_="path"), cell(number_ranges(paths), class_="layers"),
            cell(units.count(len(paths)), float(len(paths))),
            *(cell(_reason(reasons[paths[0]][side])) for side in ("a", "b")),
        ]
        for (name, *_), paths in list(groups.items())[:MAX_ROWS]
    ]  # fmt: skip
    lead = f"{units.some(len(rows), 'kind')} of host operations: on one host alone, or for another reason."
    return [lead, table("Host operations that differ", ["Operation", "Layers", "Ops>", a, b], rows)]


def _reason(held: Data | None) -> Html:
    if held is None:
        return el("span", "not on the host", class_="muted")
    return join([el("code", held["rule"]), " ", held["reason"]])


def _both(found: Data) -> Body:
    parts = [
        el("div", el("h3", name), fact_list(_facts(side)))
        for name, side in zip(differences.names(found), (found["a"], found["b"]), strict=True)
    ]
    return [None, el("div", *parts, class_="two")]


def _facts(side: Data) -> list[tuple[str, Child]]:
    model, placed, loss = side["model"], side["map"], side["loss"]
    said = None if loss is None else f"{units.percent(loss['value'], 2, signed=True)} ({loss['of']}, {loss['on']})"
    where = "not mapped" if placed is None else differences.placed(placed)
    return [
        ("Bundle", side["bundle"]), ("Kind", side["kind"]), ("Model", model["name"]), ("Source", model["source"]),
        ("Licence", model["licence"]), ("Mapped", where), ("Loss", said),
    ]  # fmt: skip


#: anchor, title, maker
_PARTS = (
    ("figures", "Figures", _all_figures),
    ("bands", "Joules and seconds", _bands),
    ("settings", "Settings that differ", _settings),
    ("operations", "Host operations that differ", _operations),
    ("both", "What is compared", _both),
)
