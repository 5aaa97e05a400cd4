"""The answer of a verb in at most five lines, the first of which answers: what a terminal shows without ``-v``, a `repr`.

Whatever must be known before a figure is believed (open questions, losses, what exceeds a budget) comes second; of
everything else that the verb remarked the last line has the number. `terminal` prints the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neurodeploy.reporting import brief_made, brief_run, derive, exploration, side_by_side, terminal_diff, units
from neurodeploy.reporting.said import Said
from neurodeploy.reporting.without_chip import clause

#: Lines of an answer.
LINES = 5
#: The boundary with host and supply.
WALL = derive.BOUNDARY_OF_TABLES[-1]
#: Remarks of which the first is a line of its own, right after the answer, and its words; then those that are counted.
FIRST = {"open_questions": ("open question", "bold yellow"), "losses": ("lost", "bold red"), "violations": ("", "red")}
COUNTED = {"warnings": "warning", "notes": "note"}
REST = {"open_questions": "open question", "losses": "loss", "violations": "violation"}


def _map(found: Mapping[str, Any]) -> list[Said]:
    """Fit, chips and cores against the lower bound, what crosses to the host, what is there by no wish of the user."""
    used, bound = found["cores_used"], found["cores_lower_bound"]
    over = f", {units.percent(used / bound - 1, 2)} above the least possible {units.count(bound)}" if bound else ""
    verdict, left = derive.fit_of(found), units.some(found["host_islands"], "island")
    chips = f"{units.count(found['chips_used'])} of {units.some(found['chips_available'], 'chip')}"
    said = f"fits partly, {left} on the host, {chips}" if verdict == derive.PARTLY else f"{verdict}, {chips}"
    colour = {derive.PARTLY: " yellow", derive.NOT_FIT: " red"}.get(verdict, "")
    of_file = f" ({told_of(own)})" if (own := found.get("system_file")) else ""
    lines = [
        Said(f"{found['system']}{of_file}: {said}", f"bold{colour}"),
        Said(f"{units.some(used, 'core')}{over}; bound by {units.words(found['binding_resource'])}"),
    ]
    border = found.get("border_bytes_per_token")
    if border is not None:
        left_there = len(found["host_ops"]) - len((found.get("offload") or {}).get("on_host", ()))
        rest = f", {units.some(left_there, 'host operation')}" if "unit" not in found else " if every neuron sends"
        moved = ""
        if found.get("steps_per_token"):
            cross, steps = found["crossings_per_token"], found["steps_per_token"]
            moved = f" in {units.some(cross, 'crossing')}, {units.some(steps, 'step')} of the chip"
        per = found.get("unit", "token")
        lines.append(Said(f"{units.si(border, 'B')} per {per} over the host border{moved}{rest}"))
    if (found.get("offload") or {}).get("on_host"):
        lines.insert(1, brief_made.offloaded(found["offload"]))
    if found.get("plan"):
        lines.append(Said(f"plan written to {found['plan']}"))
    return lines


def told_of(own: Mapping[str, str]) -> str:
    """The user's file that a system is of, and the beginning of its digest."""
    return f"{own['file']}, sha256 {own['sha256'][:12]}"


def _energy(found: Mapping[str, Any]) -> list[Said]:
    """Joules and seconds of each phase, what binds, whether the chip pays, what all of it is."""
    lines, notes = list[Said](), dict[str, set[str]](assumptions=set(), not_modelled=set())
    for name, phase in derive.phases(found).items():
        if phase is None:
            continue
        for key, kept in notes.items():
            kept.update(phase[key])
        spent = [
            f"{units.spread(band, 'J')} at the {boundary}"
            for boundary in derive.BOUNDARY_OF_TABLES
            if (band := phase["joules_per_token"].get(boundary)) is not None
        ]
        took = f"{units.spread(phase['seconds_per_token'], 's')}"
        said = f"{derive.PHASE_TEXT[name].capitalize()}: {', '.join([*spent, took])}"
        lines.append(Said(said, "bold"))
    phase = derive.headline_phase(found)[0]
    if phase is None:
        return lines
    lines.insert(
        1, Said(f"bound by {units.words(phase['bound_by']).partition(' (')[0]}; most of it: {_largest(phase)}")
    )
    if pays := clause(phase):
        lines.insert(2, Said(f"the chip {pays}"))
    count = [
        units.some(len(kept), thing) for kept, thing in zip(notes.values(), ("assumption", "omission"), strict=True)
    ]
    by = f", by the numbers of {told_of(own)}" if (own := found.get("system_file")) else ""
    lines.append(Said(f"modelled, not measured{by}: {count[0]} and {count[1]}, see -v, --json or report", "dim"))
    if wanted := _asked(found, phase):
        lines.insert(1, wanted)
    return [*lines[: LINES - 1], lines[-1]]


def _asked(found: Mapping[str, Any], phase: Mapping[str, Any]) -> Said | None:
    """What of an account was asked for beside it: other bundles or plans, or changes."""
    if found.get("variants"):
        rows = [row for row in found["variants"] if row["generate"]]
        spent = [row["generate"]["joules_per_token"][WALL]["nominal"] for row in rows]
        each = ", ".join(
            f"{side_by_side.name_of(row, rows)} {units.si(joules, 'J')}"
            for row, joules in zip(rows, spent, strict=True)
        )
        return Said(f"side by side at the {WALL}: {each}; the rest: -v")
    changes = phase.get("what_if") or {}
    asked = [row for row in changes.get("each", ()) if row["asked"]]
    saved = [f"{row['change']} saves {units.percent(row['saved']['joules'], 2)}" for row in asked]
    return Said(f"what if: {', '.join(saved)} of the joules at the {changes['ranked_at']}") if saved else None


def _largest(phase: Mapping[str, Any]) -> str:
    parts = derive.components(phase)
    whole = sum(part.joules["nominal"] for part in parts)
    named = [f"{units.words(p.name)} ({units.share(p.joules['nominal'] / whole)})" for p in parts[:2] if whole]
    return ", ".join(named) or units.DASH


def explain_answer(found: Sequence[Any]) -> Said:
    """How much of a program is on the chip, and how it crosses the border."""
    chip = sum(op["device"] == "chip" for op in found)
    thing, unit = derive.steps_of(found)
    cross, steps = (sum(op.get(f"{what}_per_token", 0) for op in found) for what in ("crossings", "steps"))
    moved = (
        f": {units.some(cross, 'crossing')} of the host border and {units.some(steps, 'step')} of the chip a {unit}"
        if steps
        else ""
    )
    on = "runs" if chip == 1 else "run"
    return Said(f"{units.count(chip)} of {units.some(len(found), thing)} {on} on the chip{moved}", "bold")


def _explain(found: Sequence[Any]) -> list[Said]:
    """What is on the chip, then the rules that keep most operations on the host."""
    kept: dict[str, list[Any]] = {}
    for op in found:
        if op["device"] != "chip":
            kept.setdefault(op["rule"], []).append(op)
    rules = sorted(kept.items(), key=lambda item: -len(item[1]))
    shown = LINES - 1 if len(rules) <= LINES - 1 else LINES - 2
    lines = [Said(f"{units.count(len(ops))} on the host, {rule}: {ops[0]['reason']}") for rule, ops in rules[:shown]]
    if more := len(rules) - shown:
        lines += [Said(f"and {units.some(more, 'rule')} more, with what would put each on the chip: -v", "dim")] * (
            more > 0
        )
    return [explain_answer(found), *lines]


def _explore(found: Mapping[str, Any]) -> list[Said]:
    """The answer, what else is on the front, what failed, what was compared, where it all is."""
    rows = [row for row in exploration.ordered(found["rows"]) if row["front"] and row["joules_wall"] is not None]
    lines = [Said(found["answer"], "bold" if rows else "bold red")]
    if rows:
        named = [f"{exploration.name_of(found, row)} ({units.si(row['joules_wall'], 'J')})" for row in rows[:4]]
        lines.append(Said(f"on the front: {'; '.join(named)}{'; ..' if len(rows) > len(named) else ''}"))
    if failed := [row["error"] for row in found["rows"] if row["error"]]:
        lines.append(Said(f"{exploration.points(len(failed))} without figures, such as: {failed[0]}", "yellow"))
    lines.append(Said(f"{found['chosen']}; loss: {found['loss_is']}; run: {found['data']}", "dim"))
    lines.append(Said(f"page, data and table: {', '.join(found['paths'])}", "dim"))
    return lines


def _demo(found: Mapping[str, Any]) -> list[Said]:
    """Whether all ways write the same text, what each costs and loses, where the page is."""
    others = [name for name, same in found["same_text"].items() if not same]
    rows = found["compared"]
    said = f"other text with {', '.join(others)}" if others else "the same text whatever is on the chip"
    spent = ", ".join(
        f"{row['on_chip']} {units.si(row['generate']['joules_per_token']['wall']['nominal'], 'J')}"
        for row in rows
        if row["generate"]
    )
    lost = ", ".join(
        f"{row['on_chip']} {units.percent(row['loss']['bits_per_byte_change'], 2, signed=True)}"
        for row in rows
        if row["loss"]
    )
    text = "".join(found["generate"][key] for key in ("prompt", "text"))
    return [
        Said(f"the embedded model on {found['map']['system']}: {said}", "bold yellow" if others else "bold"),
        Said(f"it wrote: {' '.join(text.split())[:90]}.."),
        Said(f"a generated token at the wall, modelled, by what is on the chip: {spent}"),
        Said(f"bits a byte against float: {lost}"),
        Said(f"page: {found['report'][0]}; each verb's own answer and the comparison: -v", "dim"),
    ]


#: Who makes the lines of a verb's answer.
BRIEFS: Mapping[str, Callable[[Any], list[Said]]] = {
    "convert": brief_made.convert, "export": brief_made.export, "fit": brief_made.fit, "calibrate": brief_made.calibrate,
    "report": brief_made.report, "verify": brief_made.verify, "doctor": brief_made.doctor, "run": brief_run.run,
    "eval": brief_run.eval_, "generate": brief_run.generate, "map": _map, "energy": _energy, "explain": _explain,
    "explore": _explore, "demo": _demo, "diff": terminal_diff.lines,
}  # fmt: skip


def brief(verb: str, found: Any) -> list[Said]:
    """The lines of an answer: the answer, first remarks, facts; then warnings and notes, or how many have no room."""
    lines = BRIEFS[verb](found)
    given = found if isinstance(found, Mapping) else {}
    first = [
        Said(f"{word}: {given[key][0]}" if word else f"{given[key][0]}", style)
        for key, (word, style) in FIRST.items()
        if given.get(key)
    ]
    rest = [units.some(len(given[key]) - 1, thing) for key, thing in REST.items() if len(given.get(key) or ()) > 1]
    base = [*lines[:1], *first, *lines[1:]]
    remarks = [Said(f"{word}: {line}", "yellow") for key, word in COUNTED.items() for line in given.get(key) or ()]
    if not rest and len(base) + len(remarks) <= LINES:
        return [*base, *remarks]
    counted = [units.some(len(given[key]), thing) for key, thing in COUNTED.items() if given.get(key)]
    more = ", ".join([*rest, *counted])
    if not more:
        return base[:LINES]
    return [*base[: LINES - 1], Said(f"{more}: -v shows all", "yellow" if rest else "dim")]
