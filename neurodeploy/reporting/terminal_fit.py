"""`fit` for the terminal: one line that answers, a table of systems and widths, what does not fit and what then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from neurodeploy.reporting import brief_made, units
from neurodeploy.reporting.terminal_offload import beside
from neurodeploy.reporting.terminal_table import say, show_table, told

#: Groups of the fallback, problems and notes that are shown; `--json` has all.
LINES = 6


def print_fit(found: Mapping[str, Any], console: Console) -> None:
    """Answer, model, rows, problems, chip plan, fallback, what it all rests on."""
    told(console, brief_made.fit(found))
    if found["kind"] != "spiking network":
        _plans(console, found["plans"])
    _systems(console, found["rows"])
    _prices(console, found["rows"])
    _problems(console, found["rows"])
    if found.get("chip_plan"):
        _chips(console, found["chip_plan"])
    if found.get("fallback"):
        _fallback(console, found["fallback"])
    if found.get("on_chip"):
        _on_chip(console, found["on_chip"])
    if found.get("assumed"):
        given = found["assumed"]
        said = f"assumed: {given['activity']:g} of activations non-zero ({given['activity_source']}); context "
        say(console, f"{said}{units.some(given['context'], 'token')}; host {found['host']}", "dim")
    for note in found["notes"]:
        say(console, f"note: {note}", "dim")
    if "out" in found:
        say(console, f"written to {found['out']}")


def print_fit_models(found: Mapping[str, str], console: Console) -> None:
    """Names that need no file."""
    show_table(console, ["Name", "Model and source of its configuration"], [[*row] for row in found.items()])


def _plans(console: Console, plans: Sequence[Mapping[str, Any]]) -> None:
    """Cores at each width, head included, beside the least possible and beside weights over memory; and without the head."""
    memory = any(plan["memory_kib"] is not None for plan in plans)
    table = []
    for plan in (p for p in plans if "cores" in p):
        bound = plan["cores_lower_bound"]
        over = units.percent(plan["cores"] / bound - 1, 2) if bound else units.DASH
        line = [str(plan["bits"]), *([str(plan["memory_kib"] or "own")] if memory else []), units.count(plan["cores"])]
        line += [
            units.count(bound),
            over,
            units.count(plan["cores_naive_bound"]),
            units.words(plan["binding_resource"]),
        ]
        apart = (plan["head_cores"], plan["cores_without_head"], plan["chips_without_head"])
        table.append([*line, units.count(plan["chips"]), *map(units.count, apart)])
    heads = ["Bits>", *(["KiB>"] if memory else []), "Cores>", "least>", "above>", "naive>", "Binds", "Chips>"]
    show_table(console, [*heads, "Head cores>", "Without it: cores>", "chips>"], table)


def _systems(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """A line for each system (and memory), a column for each width: chips, and joules of a generated token."""
    widths = list(dict.fromkeys(row["bits"] for row in rows))
    lines: dict[tuple[str, int | None], list[str]] = {}
    for row in rows:
        key = (row["system"], row["memory_kib"])
        line = lines.setdefault(key, [_called(*key), units.count(row["chips_available"])])
        line.append(_cell(row))
    heads = ["System", "Chips>", *(f"{units.some(width, 'bit')}>" for width in widths)]
    show_table(console, heads, list(lines.values()))


def _called(system: str, memory: int | None) -> str:
    return system if memory is None else f"{system}, {memory} KiB"


def _cell(row: Mapping[str, Any]) -> str:
    if row["chips"] is None:
        return "no"
    if not row["fits"]:
        return f"no, {units.count(row.get('chips_used', row['chips']))}"
    if "generate" not in row:
        return f"fits, {units.count(row['chips'])}"
    joules = row["generate"]["joules_per_token"]["board"]["nominal"]
    seconds = row["generate"]["seconds_per_token"]["nominal"]
    head = " + head on host" if row["head"] == "host" else ""
    return f"fits, {units.count(row['chips_used'])}{head}; {units.si(joules, 'J')}, {units.si(seconds, 's')}"


def _prices(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Of every plan that fits: crossings a token, and what a generated and a prompt token take, with what binds."""
    table = []
    for row in (row for row in rows if row["fits"] and "generate" in row):
        line = [f"{_called(row['system'], row['memory_kib'])}, {units.some(row['bits'], 'bit')}"]
        line.append(f"{row['generate']['crossings_per_token']:.4g}")
        for phase in ("generate", "prefill"):
            joules, seconds = (row[phase][key] for key in ("joules_per_token", "seconds_per_token"))
            line += [
                units.si(joules["board"]["nominal"], "J"),
                units.si(seconds["nominal"], "s"),
                row[phase]["bound_by"],
            ]
        table.append(line)
    heads = ["A token, at the board", "Crossings>", "generated>", "time>", "Binds", "of a prompt>", "time>", "Binds"]
    show_table(console, heads, table[:LINES])


def _on_chip(console: Console, found: Mapping[str, Any]) -> None:
    said = f"on the chip: {found['what']}"
    if "bytes" in found:
        held = f"keys and values of {units.some(found['context'], 'token')} at most, {units.some(found['bits'], 'bit')} each"
        said += f" (attention there is hypothetical); {held}, {units.si(found['bytes'], 'B')}"
    say(console, said, "dim")


def _problems(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Layer, resource, need, limit, remedy: for each system the widest weights that do not fit it."""
    seen: set[tuple[str, int | None]] = set()
    table = []
    for row in rows:
        key = (row["system"], row["memory_kib"])
        if row["fits"] or key in seen:
            continue
        seen.add(key)
        problem = row["problem"]
        what = f"{problem['layer']}: {units.words(problem['resource'])}"
        where = f"{_called(*key)}, {units.some(row['bits'], 'bit')}"
        table.append([where, what, problem["need"], problem["limit"], problem["remedy"]])
    show_table(console, ["Does not fit", "Layer: resource", "Needs", "Limit", "Remedy"], table[:LINES])


def _chips(console: Console, plan: Mapping[str, Any]) -> None:
    boards = f" of {units.some(plan['boards'], 'board')}" if plan["boards"] > 1 else ""
    awake = plan["awake_chips_per_token"]
    line = (
        f"chip plan, {units.some(plan['bits'], 'bit')} on {plan['system']}: {units.some(plan['chips'], 'chip')}{boards}"
    )
    if awake["of_chosen_experts"]:
        kept = "on whole chips" if plan["experts_on_whole_chips"] else "across chips"
        line += (
            f", experts {kept}; a token wakes {units.count(awake['always'])} and "
            f"{awake['of_chosen_experts']:.0f} of the chosen experts, {units.share(plan['idle_share'])} idle"
        )
    say(console, line)
    moved = [f"{units.si(amount, 'B')} over the {device}" for device, amount in plan["bytes_per_token"].items()]
    if moved:
        say(console, f"a generated token moves {', '.join(moved)}")


def _fallback(console: Console, found: Mapping[str, Any]) -> None:
    on_chips, gone = found["on_chips"], found["on_host"]
    used = f"{units.some(found['chips'], 'chip')} used"
    say(console, f"fallback on {found['system']} at {units.some(found['bits'], 'bit')}: {used}", "bold")
    kept = [[u["unit"], units.ranges(u["layers"]), units.count(u["copies"]), units.count(u["cores"])] for u in on_chips]
    show_table(console, ["On chips", "Layers", "Copies>", "Cores>"], kept[:LINES])
    copies = [f"{units.count(g['copies'])} of {units.count(g['of'])}" for g in gone]
    left = [
        [g["group"], units.ranges(g["layers"]), n, units.si(g["weights"])] for g, n in zip(gone, copies, strict=True)
    ]
    show_table(console, [f"On the host ({found['host']})", "Layers", "Copies>", "Weights>"], left[:LINES])
    crossings, streaming = found["crossings_per_token"], found["streaming"]
    rows = []
    for name, way in (("this plan", found["plan"]), ("host alone", found["host_alone"])):
        seconds = [units.si(way[phase]["seconds_per_token"]["nominal"], "s") for phase in ("generate", "prefill")]
        joules, prompt = (way[phase]["joules_per_token"]["wall"] for phase in ("generate", "prefill"))
        rows.append([name, seconds[0], units.spread(joules, "J"), seconds[1], units.si(prompt["nominal"], "J")])
    heads = ["A token, at the wall", "Generate s>", "Generate J>", "Prefill s>", "Prefill J>"]
    show_table(console, heads, rows)
    ratio = found["beside_host_alone"]
    said = f"this plan takes {beside(ratio['energy'], ratio['time'], 'the host alone')}; what leaves was chosen "
    say(console, f"{said}for the least {found['optimised']} of all sets that leave enough room")
    time, held = units.span(streaming["seconds_per_token"], "s"), found["host_bytes"]
    said = (
        f"the host must hold {units.si(held['plan'], 'B')} of weights, alone {units.si(held['alone'], 'B')} (a byte a "
    )
    say(console, f"{said}weight, whatever its width): whether it can is not checked")
    said = f"{units.some(crossings['plan'], 'border crossing')} a token, {crossings['resident']:.4g} if all were resident; "
    moved = units.si(streaming["bytes_per_token"], "B")
    say(console, f"{said}streaming what left would move {moved} a token, {time}: {streaming['said']}")
