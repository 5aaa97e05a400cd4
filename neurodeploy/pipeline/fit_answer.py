"""The words and tables of `fit`: one line that answers, a row for each system and width, what binds and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from neurodeploy.errors import NeurodeployError, some
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.copies import ALONE
from neurodeploy.ir.program import Program
from neurodeploy.neurons.registry import memory_bytes
from neurodeploy.ops.host.lowering import Remembered
from neurodeploy.pipeline.counts import size_of
from neurodeploy.pipeline.fit_reading import Asked
from neurodeploy.reporting.fitted import nearest, width
from neurodeploy.synapses.hollow import columns_of, facts_of, layers_of, shown, weights_of

if TYPE_CHECKING:
    from partitioner.fit.plan import Fit

Row = dict[str, Any]
#: What a core or a chip lacks, by the code of the error that says so.
LACKING = {"ND2002": "one core", "ND2004": "what the chip has", "ND2090": "what the chip has"}


def model_json(program: Program) -> dict[str, Any]:
    """What was read: sizes, classes of layers, what no text passes through."""
    info = program.info
    if program.streamed:
        return {"kind": "spiking network", "name": info.name, **size_of(program.network)}
    weights = weights_of(program)
    return {
        "kind": "language model",
        "name": info.name,
        "family": info.family,
        "source": info.source,
        "layers": info.layers,
        "weights": {**weights._asdict(), "tied": info.tied_embeddings},
        "classes": [
            {
                "block": copies.kind, "layers": list(copies.layers), "name": shown(population),
                "rows": population.size, "columns": columns_of(program, population),
                "experts": copies.experts, "chosen": copies.chosen,
            }
            for population in layers_of(program)
            if (copies := program.copies.get(population.name)) is not None
        ],
        "left_out": list(facts_of(program).left_out),
    }  # fmt: skip


def on_chip(program: Program, kept: Remembered | None) -> dict[str, Any] | None:
    """What of a language model is on the chip, and what attention remembers there: positions of a layer that sees all, bits
    of a key or value, bytes of all layers."""
    if program.streamed:
        return None
    if kept is None:
        return {"what": "block" if "lowered" in program.conversion else "projections"}
    held = [(p, program.copies.get(p.name, ALONE).count) for p in program.network.populations.values()]
    return {"what": "all", **kept._asdict(), "bytes": sum(count * memory_bytes(p) for p, count in held)}


def notes(program: Program) -> list[str]:
    """What holds for every plan of a program."""
    if program.streamed:
        return ["energy and time depend on the input: convert the network, then `neurodeploy energy X.nd --input FILE`"]
    facts = facts_of(program)
    said = [*facts.notes, "the embedding table stays on the host, which reads one row of it a token"]
    if facts.left_out:
        said.append(f"left out, no text passes through it: {', '.join(facts.left_out)}")
    if any(program.copies[name].experts > 1 for name in program.copies.keys() & program.network.populations.keys()):
        said.append(
            "which experts of neighbouring layers follow one another is not in a configuration: no affinity is used"
        )
    estimated = [op.attrs for op in program.operations if op.op == "estimate"]
    guessed = sorted({str(attrs["what"]) for attrs in estimated if attrs["bytes"]})
    if guessed:
        said.append(f"estimated work of the host, without a kernel here: {', '.join(guessed)}")
    return said


def figures(made: Fit) -> Row:
    """Of the whole model, head included, and "..._without_head" of its body."""
    body, whole = made.body, made.whole
    return {
        "chips": whole.chips, "chips_without_head": body.chips, "cores": whole.cores, "cores_without_head": body.cores,
        "cores_lower_bound": whole.bound, "cores_lower_bound_without_head": body.bound,
        "head_cores": whole.cores - body.cores, "binding_resource": made.binding,
    }  # fmt: skip


def plan_json(made: Fit | NeurodeployError, chip: str, bits: int, memory: int | None, system: str) -> dict[str, Any]:
    """Cores and chips of one width beside their bounds: of the whole model, head included, and without the head."""
    start = {"chip": chip, "bits": bits, "memory_kib": memory, **({"system": system} if system else {})}
    if isinstance(made, NeurodeployError):
        return {**start, "error": made.to_json()}
    return {
        **start,
        **figures(made),
        "cores_naive_bound": made.whole.naive,
        "fill": made.fill,
        "units": [
            {
                "name": unit.name, "layers": len(unit.layers), "copies": unit.copies, "share": float(unit.share),
                "cores": unit.cores, "cores_of_all": unit.all_cores, "weights": unit.weights,
            }
            for unit in made.units
        ],
    }  # fmt: skip


def row(made: Fit | NeurodeployError, system: SystemSpec, asked: Asked, bits: int, memory: int | None) -> Row:
    """One system at one width.

    "chips" and "cores" are those of the whole model, the vocabulary head included; without the head they are under
    "..._without_head". "chips_used" and "cores_used" are those of the plan, whose "head" is on the "chip" or the "host".
    """
    available = asked.available(system)
    start: Row = {
        "system": system.name, "chip": system.chip.name, "bits": bits, "memory_kib": memory,
        "chips_available": available, "system_chips": system.chips,
    }  # fmt: skip
    if isinstance(made, NeurodeployError):
        return {**start, "fits": False, "chips": None, "error": made.to_json(), "head": None}
    to_host = asked.head == "host" or (asked.head == "auto" and made.body.chips <= available < made.whole.chips)
    used = made.body if to_host else made.whole
    return {
        **start,
        "fits": used.chips <= available,
        **figures(made),
        "chips_used": used.chips,
        "cores_used": used.cores,
        "head": None if made.head is None else "host" if to_host else "chip",
        "widest": made.widest,
    }


def offered(entry: Row) -> str:
    """The chips that a row may use: all of the system, or those that were asked for, with both numbers."""
    available, whole = entry["chips_available"], entry["system_chips"]
    return (
        f"{some(whole, 'chip')} of {entry['system']}"
        if available == whole
        else f"{available} asked for, of {whole} of {entry['system']}"
    )


def of_chips(entry: Row, used: int) -> str:
    """Chips that are used, of those that may be: where fewer were asked for than there are, both numbers."""
    available, whole = entry["chips_available"], entry["system_chips"]
    return f"{used} of {some(available, 'chip')}" + (f" asked for (it has {whole})" if available < whole else "")


def _need(entry: Row) -> str:
    """Chips of the whole model, and without its head where it has one."""
    apart = f" ({entry['chips_without_head']} without the head)" if entry["head_cores"] else ""
    return f"{some(entry['chips'], 'chip')}{apart}"


def add_problems(rows: Sequence[Row]) -> None:
    """Of each row that does not fit: layer, resource, need, limit, remedy."""
    for entry in rows:
        if entry["fits"]:
            continue
        if entry["chips"] is None:
            error = entry["error"]
            entry["problem"] = {
                "layer": error["subject"],
                "resource": LACKING.get(error["code"], error["code"]),
                "need": error["problem"],
                "limit": entry["chip"] if error["code"] in LACKING else entry["system"],
                "remedy": error["fix"],
            }
            continue
        entry["problem"] = {
            "layer": entry["widest"],
            "resource": entry["binding_resource"],
            "need": f"{_need(entry)}, {some(entry['cores'], 'core')}",
            "limit": offered(entry),
            "remedy": _remedy(entry, rows),
        }


def _remedy(entry: Row, rows: Sequence[Row]) -> str:
    from targets.systems import SYSTEMS

    same = [r for r in rows if r["system"] == entry["system"] and r["memory_kib"] == entry["memory_kib"]]
    narrower = [r for r in same if r["bits"] < entry["bits"] and r["chips"] is not None]
    found = [f"{r['bits']}-bit weights fit ({some(r['chips_used'], 'chip')})" for r in narrower if r["fits"]][:1]
    larger = [s for s in SYSTEMS.values() if s.chip.name == entry["chip"] and s.chips >= entry["chips_used"]]
    if entry["chips_used"] <= entry["system_chips"]:
        found.append(f"allow {some(entry['chips_used'], 'chip')} of {entry['system']}")
    elif larger:
        best = min(larger, key=lambda s: s.chips)
        found.append(f"{best.name} ({some(best.chips, 'chip')}) holds it")
    else:
        boards = -(-entry["chips_used"] // entry["system_chips"])
        found.append(f"it would take {boards} of {entry['system']}")
    if entry["head"] == "chip" and entry["chips_without_head"] <= entry["chips_available"]:
        found.append("the head on the host (--head host) leaves room")
    found.append(f"map --chips {entry['chips_available']} leaves to the host what does not fit")
    return "; or ".join(found)


def answer(program: Program, rows: Sequence[Row], found: Row | None, fallback: Row | None, asked: Asked) -> str:
    """One line."""
    name = program.info.name
    if found is not None:
        on_host = found["head"] == "host"
        cores = found["cores_used"]
        bound = found["cores_lower_bound_without_head" if on_host else "cores_lower_bound"]
        over = f"{100 * (cores / bound - 1):.1f} % above the least possible {bound}" if bound else "no bound"
        head = {
            "chip": ", head included",
            "host": f", head on the host ({some(found['head_cores'], 'core')} more, {some(found['chips'], 'chip')} with it)",
            None: f"; bound by {found['binding_resource'].replace('_', ' ')}",
        }
        chips = of_chips(found, found["chips_used"])
        said = (
            f"{name} fits on {found['system']}: {chips} at {some(found['bits'], 'bit')}, {some(cores, 'core')}, {over}"
        )
        said += head[found["head"]]
        wider = [r for r in rows if r["system"] == found["system"] and r["bits"] > found["bits"]]
        refused = [f"{r['chips_used']} at {some(r['bits'], 'bit')}" for r in wider if r["chips"] is not None]
        if refused:
            said += f"; it would need {', '.join(refused)}"
        generate = found.get("generate")
        if generate:
            joules, seconds = generate["joules_per_token"]["board"], generate["seconds_per_token"]
            said += (
                f"; {joules['nominal']:.3g} J ({joules['low']:.2g} to {joules['high']:.2g}) and {seconds['nominal']:.3g} s "
                "a generated token at the board, modelled"
            )
        return said
    where = nearest(rows)
    if where is None:
        error = max(rows, key=width)["error"]
        system = rows[0]["system"] if asked.alone else "any system"
        return f"{name} does not fit on {system}: {error['subject']}: {error['problem']}; {error['fix']}"
    needs = [f"{_need(r)} at {some(r['bits'], 'bit')}" for r in rows if r["system"] == where["system"] and r["chips"]]
    system = where["system"] if asked.alone else f"any system, the largest being {where['system']}"
    available, whole = where["chips_available"], where["system_chips"]
    has = f"it has {whole}" if available == whole else f"at most {available} of its {whole} were asked for"
    said = (
        f"{name} does not fit on {system}: needs {', '.join(needs)}; {has}; "
        f"bound by {where['binding_resource'].replace('_', ' ')}, most of it in {where['widest']}"
    )
    if fallback:
        said += f"; {fallback['text']}"
    return said
