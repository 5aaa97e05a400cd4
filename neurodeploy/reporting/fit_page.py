"""The page of `fit`: the answer, every system and width, what a token costs, cores, what does not fit and what then.

It is made of the parts of a report; the section on energy is the report's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.fitted import best
from neurodeploy.reporting.html import Child, Html, el, fact_list, text
from neurodeploy.reporting.page import document
from neurodeploy.reporting.sections.bands import band_chart
from neurodeploy.reporting.sections.energy import energy
from neurodeploy.reporting.sections.frame import MAX_ROWS, Body, bullets, cell, number, section, table
from neurodeploy.reporting.sections.hero import Figure, band_figure, cards
from neurodeploy.reporting.units import Data

#: The boundary of the terminal's figures: chips, boards and what they need, without host and supply.
_BOUNDARY = "board"
_PHASES = ("generate", "prefill")


def fit_page(found: Mapping[str, Any]) -> str:
    """One HTML file; equal data give equal bytes."""
    made = [(anchor, title, body) for anchor, title, part in _PARTS if (body := part(found)) is not None]
    first, _, rest = found["answer"].partition("; ")
    head = el(
        "header",
        el(
            "p",
            el("span", "neurodeploy fit"),
            el("span", found["model"]),
            el("span", "planned from shapes"),
            class_="over",
        ),
        el("h1", *_answered(found["name"], first), ".", class_=None if found["fits"] else "fails"),
        el("p", f"{rest[:1].upper()}{rest[1:]}.", class_="model") if rest else None,
        cards(_figures(found)),
        class_="hero",
    )
    contents = [(anchor, title) for anchor, title, _ in made]
    return document(f"{found['name']}: does it fit?", head, contents, [section(*part) for part in made])


def _answered(name: str, first: str) -> Iterator[Html]:
    """The sentence in its parts: the name, whether it fits, with what."""
    where, colon, rest = first.removeprefix(name).partition(":")
    yield el("b", name)
    yield el("span", where, class_="clause")
    yield text(f"{colon}{rest}")


def _figures(found: Data) -> Iterator[Figure]:
    row = best([each for each in found["rows"] if each["memory_kib"] is None])
    if row is None:
        return
    least = _least(row) or 0
    said = [
        f"on {row['system']}, {units.some(row['bits'], 'bit')} a weight",
        f"bound by {units.words(row['binding_resource'])}",
    ]
    yield "Chips", units.count(row["chips_used"]), f"of {units.count(row['chips_available'])}", said
    head = {"host": "without the head, which is on the host", "chip": "head included"}.get(row["head"])
    yield (
        "Cores",
        units.count(row["cores_used"]),
        "",
        [f"{units.count(least)} at least", *([head] if head else [])],
    )
    if "generate" in row:
        phase = row["generate"]
        yield band_figure(
            "Energy per generated token", phase["joules_per_token"][_BOUNDARY], "J", f"at the {_BOUNDARY}, modelled"
        )
        yield band_figure(
            "Time per generated token",
            phase["seconds_per_token"],
            "s",
            f"modelled, bound by {units.words(phase['bound_by'])}",
        )
        crossings = f"{phase['crossings_per_token']:,.4g}"
        yield "Crossings of the host border", crossings, "", ["of a generated token"]


def _least(row: Data) -> int | None:
    """Cores that no plan can do without, of what is on the chips."""
    if row["chips"] is None:
        return None
    return int(row["cores_lower_bound_without_head" if row["head"] == "host" else "cores_lower_bound"])


def _systems(found: Data) -> Body:
    rows = found["rows"]
    fitting = sum(row["fits"] for row in rows)
    shown = [
        [
            cell(_named(row)), number(row["bits"]), cell(_verdict(row)), number(row.get("chips_used")),
            number(row["chips_available"]), number(row.get("cores_used")), number(_least(row)),
            cell(row["head"] or ""), *_priced(row),
        ]
        for row in rows[:MAX_ROWS]
    ]  # fmt: skip
    heads = ["System", "Bits>", "Fits", "Chips>", "of>", "Cores>", "Least possible>", "Head on"]
    heads += ["Crossings>", f"J per token, {_BOUNDARY}>", "Low – high>", "s per token>", "s per prompt token>"]
    lead = f"{units.count(fitting)} of {units.some(len(rows), 'combination')} of system and width fit."
    return [lead, table("Systems and widths", heads, shown)]


def _named(row: Data) -> str:
    memory = row["memory_kib"]
    return str(row["system"]) if memory is None else f"{row['system']}, {memory} KiB a core"


def _verdict(row: Data) -> str:
    return "yes" if row["fits"] else "no" if row["chips"] is not None else "no core holds it"


def _priced(row: Data) -> list[Html]:
    if "generate" not in row:
        return [cell("")] * 5
    phase, prompt = (row[name] for name in _PHASES)
    joules = phase["joules_per_token"][_BOUNDARY]
    return [
        number(phase["crossings_per_token"]), number(joules["nominal"], "J"), cell(units.span(joules, "J"), joules["high"]),
        number(phase["seconds_per_token"]["nominal"], "s"), number(prompt["seconds_per_token"]["nominal"], "s"),
    ]  # fmt: skip


def _tokens(found: Data) -> Body | None:
    rows = [row for row in found["rows"] if "generate" in row]
    if len(rows) < 2:
        return None
    names = [f"{_named(row)}, {units.some(row['bits'], 'bit')}" for row in rows]
    joules = [row["generate"]["joules_per_token"][_BOUNDARY] for row in rows]
    seconds = [row["generate"]["seconds_per_token"] for row in rows]
    charts = [
        band_chart(title, unit, list(zip(names, bands, strict=True)))
        for title, unit, bands in ((f"Joules at the {_BOUNDARY}", "J", joules), ("Seconds", "s", seconds))
    ]
    return ["What fits, side by side: of a generated token, modelled.", *charts]


def _energy(found: Data) -> Body | None:
    """The report's section, of the row that the answer names."""
    row = best([each for each in found["rows"] if "generate" in each and each["memory_kib"] is None])
    if row is None:
        return None
    without: dict[str, Any] = {"entries": (), "by_layer": {}, "assumptions": (), "not_modelled": ()}
    return energy({"energy": {name: {**row[name], **without} for name in _PHASES}})


def _cores(found: Data) -> Body | None:
    plans = [plan for plan in found["plans"] if "cores" in plan]
    if not plans:
        return None
    rows = [
        [
            cell(plan["chip"]), number(plan["bits"]), number(plan["memory_kib"]) if plan["memory_kib"] else cell(""),
            *(number(plan[key]) for key in ("cores", "cores_lower_bound", "cores_naive_bound")),
            cell(units.words(plan["binding_resource"])), number(plan["chips"]),
            *(number(plan[key]) if plan["head_cores"] else cell("") for key in ("head_cores", "chips_without_head")),
        ]
        for plan in plans
    ]  # fmt: skip
    heads = ["Chip", "Bits>", "KiB a core>", "Cores>", "Least possible>", "Weights over memory>", "Bound by", "Chips>"]
    heads += ["Cores of the head>", "Chips without it>"]
    kinds = [
        [
            cell(unit["name"]), number(plan["bits"]), number(unit["layers"]),
            number(unit["copies"]), number(unit["cores"]), number(unit["cores_of_all"]), number(unit["weights"]),
        ]
        for plan in plans
        for unit in plan["units"]
    ]  # fmt: skip
    parts = table(
        "Parts that repeat",
        ["Part", "Bits>", "Layers>", "Copies>", "Cores of one>", "Cores of all>", "Weights of one>"],
        kinds,
    )
    return [None, table("Cores at each width", heads, rows), el("h3", "Parts that repeat"), parts]


def _problems(found: Data) -> Body | None:
    rows = [row for row in found["rows"] if not row["fits"]]
    if not rows:
        return None
    shown = [
        [
            cell(_named(row)), number(row["bits"]),
            cell(f"{row['problem']['layer']}: {units.words(row['problem']['resource'])}"),
            *(cell(row["problem"][key]) for key in ("need", "limit", "remedy")),
        ]
        for row in rows[:MAX_ROWS]
    ]  # fmt: skip
    return [None, table("What does not fit", ["System", "Bits>", "Layer: resource", "Needs", "Limit", "Remedy"], shown)]


def _chips(found: Data) -> Body | None:
    plan = found["chip_plan"]
    if plan is None:
        return None
    awake = plan["awake_chips_per_token"]
    facts: list[tuple[str, Child]] = [
        ("System", f"{plan['system']} at {units.some(plan['bits'], 'bit')}"),
        ("Chips", f"{units.count(plan['chips'])} on {units.some(plan['boards'], 'board')}"),
        ("Awake a token", f"{units.count(awake['always'])} always, {awake['of_chosen_experts']:.0f} of chosen experts"),
        ("Idle a token", units.share(plan["idle_share"])),
        *((f"Over the {device}", f"{units.si(amount, 'B')} a token") for device, amount in plan["bytes_per_token"].items()),
    ]  # fmt: skip
    return [None, fact_list(facts)]


def _fallback(found: Data) -> Body | None:
    plan = found["fallback"]
    if plan is None:
        return None
    ways = {"this plan": plan["plan"], "host alone": plan["host_alone"]}
    charts = [
        band_chart(
            "Joules at the wall",
            "J",
            [(name, way["generate"]["joules_per_token"]["wall"]) for name, way in ways.items()],
        ),
        band_chart("Seconds", "s", [(name, way["generate"]["seconds_per_token"]) for name, way in ways.items()]),
    ]
    gone = [
        [
            cell(row["group"]),
            cell(units.ranges(row["layers"])),
            number(row["copies"]),
            number(row["of"]),
            number(row["weights"]),
        ]
        for row in plan["on_host"][:MAX_ROWS]
    ]
    heads = ["Group", "Layers", "Copies>", "of>", "Weights>"]
    lead = f"{plan['text'][:1].upper()}{plan['text'][1:]}."
    return [lead, *charts, el("h3", f"On the host ({plan['host']})"), table("What the host takes over", heads, gone)]


def _asked(found: Data) -> Body:
    given, weights = found["assumed"], found.get("weights")
    facts: list[tuple[str, Child]] = [
        ("Model", found["name"]),
        ("Kind", found["kind"]),
        ("Source", found.get("source")),
    ]
    if weights is not None:
        facts += [
            ("Parameters", units.si(weights["total"])), ("In projections", units.si(weights["body"])),
            ("Met by a token", units.si(weights["active"])), ("Embedding", units.si(weights["embedding"])),
        ]  # fmt: skip
    else:
        facts += [("Neurons", units.count(found["neurons"])), ("Synapses", units.count(found["synapses"]))]
    if found["on_chip"] is not None:
        facts.append(("On the chip", found["on_chip"]["what"]))
    if given is not None:
        facts += [
            ("Activity", f"{given['activity']:g}: {given['activity_source']}"),
            ("Context", units.some(given["context"], "token")),
        ]
    facts.append(("Host", found["host"]))
    notes = bullets(list(found["assumptions"]), "Assumed"), bullets(list(found["notes"]), "Notes")
    return [None, el("div", fact_list(facts), el("div", *notes), class_="two")]


#: anchor, title, maker
_PARTS = (
    ("systems", "Systems and widths", _systems),
    ("tokens", "A token, side by side", _tokens),
    ("energy", "Energy", _energy),
    ("problems", "What does not fit", _problems),
    ("fallback", "With the host's help", _fallback),
    ("cores", "Cores", _cores),
    ("chip-plan", "Chips", _chips),
    ("asked", "What was asked and assumed", _asked),
)
