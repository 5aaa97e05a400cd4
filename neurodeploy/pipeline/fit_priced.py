"""Energy and time of `fit`: of a plan that fits, of a part of one that does not, of the host alone, of streaming."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neurodeploy.accounting.band import exactly, of
from neurodeploy.accounting.costs import cost
from neurodeploy.accounting.ledger import BOUNDARIES, EnergyLedger
from neurodeploy.accounting.outlines import Assumed
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.copies import ALONE
from neurodeploy.ir.program import Program
from neurodeploy.pipeline.fit_answer import nearest
from neurodeploy.pipeline.fit_asked import Asked
from neurodeploy.pipeline.fit_pricing import OnHost, price
from neurodeploy.synapses.hollow import at_width, columns_of, facts_of, layers_of, without_head

if TYPE_CHECKING:
    from partitioner.fit.chips import Layout
    from partitioner.fit.plan import Fit

Row = dict[str, Any]
#: Tokens before the one that is priced, where nothing is asked.
CONTEXT = 1024


def assumed(program: Program, asked: Asked) -> Assumed:
    """The activity, and the context cut to the model's positions."""
    facts, context = facts_of(program), min(asked.context or CONTEXT, program.info.max_positions)
    if asked.activity is not None:
        return Assumed(asked.activity, "asked for", context)
    return Assumed(facts.activity, facts.activity_source, context)


def assumptions(program: Program, asked: Asked, given: Assumed) -> list[str]:
    """The sentences beside every price of this call."""
    host_only = price(program, (), None, _everything(program), asked.systems[0], asked.host, given, 0)
    said = [text for ledger in host_only for text in ledger.assumptions if " 0 chips in use" not in text]
    return list(dict.fromkeys(said))


def priced(
    program: Program, made: Fit, system: SystemSpec, asked: Asked, given: Assumed, with_head: bool
) -> dict[str, Any]:
    """Prefill and generation of a plan that fits."""
    from partitioner.fit.chips import layout

    where, program = layout(made, system, asked.available(system), head=with_head), at_width(program, made.bits)
    units = [*made.units, *([made.head] if with_head and made.head is not None else [])]
    cores = sum(unit.all_cores for unit in units)
    return _both(price(program, units, where, _head(program, not with_head), system, asked.host, given, cores))


def _head(program: Program, on_host: bool) -> list[OnHost]:
    return [entry for entry in _everything(program) if entry.layer is None] if on_host else []


def _everything(program: Program) -> list[OnHost]:
    found = []
    for population in layers_of(program):
        copies, columns = program.copies.get(population.name, ALONE), columns_of(program, population)
        found.append(OnHost(population.size, columns, copies.count, float(copies.share), population.layer))
    return found


def _both(ledgers: tuple[EnergyLedger, EnergyLedger]) -> dict[str, Any]:
    return {ledger.phase: summary(ledger) for ledger in ledgers}


def summary(ledger: EnergyLedger) -> dict[str, Any]:
    """A ledger without its entries: bands by boundary and component, time, what binds, on what the figures rest."""
    basis: dict[str, float] = {}
    for entry in ledger.entries:
        basis[entry.basis] = basis.get(entry.basis, 0.0) + entry.joules.nominal
    whole = sum(basis.values()) or 1.0
    first = ledger.first_token_seconds
    return {
        "joules_per_token": {name: ledger.joules(name).to_json() for name in BOUNDARIES},
        "seconds_per_token": ledger.seconds.to_json(),
        "tokens_per_s": ledger.tokens_per_s,
        "first_token_seconds": first.to_json() if first else None,
        "bound_by": ledger.bound_by,
        "seconds_split": dict(ledger.time_split),
        "by_component": {name: band.to_json() for name, band in ledger.by_component().items()},
        "basis": {name: joules / whole for name, joules in sorted(basis.items())},
        "bytes_per_token": {
            entry.device: entry.count / 8 for entry in ledger.entries if entry.component in ("inter-chip", "host link")
        },
    }


def chip_plan(program: Program, made: Fit, asked: Asked, given: Assumed, entry: Row) -> dict[str, Any]:
    """Which chips hold what, who is idle, and what a token moves; on several boards where one is too small."""
    from partitioner.fit.chips import layout

    system = next(s for s in asked.systems if s.name == entry["system"])
    with_head = entry["head"] == "chip"
    where = layout(made, system, max(entry["chips_available"], entry["chips_used"]), head=with_head)
    units = [*made.units, *([made.head] if with_head and made.head is not None else [])]
    always, sometimes = where.awake(units)
    found: dict[str, Any] = {
        "system": system.name, "bits": entry["bits"], "chips": where.chips, "boards": -(-where.chips // system.chips),
        "grid": list(system.grid), "experts_on_whole_chips": where.whole,
        "awake_chips_per_token": {"always": always, "of_chosen_experts": sometimes},
        "idle_share": 1.0 - (always + sometimes) / where.chips if where.chips else 0.0,
        "affinity": "none is known from a configuration",
        "groups": _groups(where, [unit.name for unit in units]),
    }  # fmt: skip
    if not entry["fits"]:
        cores, program = sum(unit.all_cores for unit in units), at_width(program, made.bits)
        found |= _both(price(program, units, where, _head(program, not with_head), system, asked.host, given, cores))
    source = found if not entry["fits"] else entry
    found["bytes_per_token"] = source["generate"]["bytes_per_token"]
    return found


def _groups(where: Layout, names: Sequence[str]) -> list[dict[str, Any]]:
    """A record for each unit of each layer: first and last chip; of experts one pair each, with the chip of the rest."""
    found: dict[tuple[int, int], list[list[int]]] = {}
    for spot in where.spots:
        chips = spot.chips(where.per_chip)
        found.setdefault((spot.layer, spot.unit), []).append([min(chips), max(chips)] if not spot.tail else chips)
    records = []
    for (layer, unit), spans in found.items():
        entry: dict[str, Any] = {
            "layer": layer,
            "unit": names[unit],
            "chips": [min(map(min, spans)), max(map(max, spans))],
        }
        if len(spans) > 1:
            entry["experts"] = [_ranges(span) if len(span) > 2 else span for span in spans]
        records.append(entry)
    return records


def _ranges(chips: list[int]) -> list[int]:
    """Whole chips as first and last, then the one of the rest."""
    return [chips[0], chips[-2], chips[-1]]


def fallback(program: Program, asked: Asked, given: Assumed, rows: Sequence[Row]) -> dict[str, Any] | None:
    """What the largest asked system keeps at the widest width, priced beside the host alone and beside streaming."""
    from partitioner.fit.chips import place
    from partitioner.fit.offload import fallback as choose

    entry = nearest(rows)
    if entry is None:
        return None
    system = next(s for s in asked.systems if s.name == entry["system"])
    available = asked.available(system)
    resident = without_head(program) if asked.head == "host" else program
    plan = choose(resident, system, available, entry["bits"], entry["memory_kib"], asked.host)
    where, program = place(plan.kept, system.chip.cores, available), at_width(program, entry["bits"])
    gone = [OnHost(v.rows, v.columns, g.copies, g.share, 0) for g in plan.gone for v in g.views]
    gone += _head(program, asked.head == "host")
    every = _everything(program)
    hybrid = _both(price(program, plan.kept, where, gone, system, asked.host, given, plan.cores))
    alone = _both(price(program, (), None, every, system, asked.host, given, 0))
    link = cost(system.chip, "bw_host_link_b_per_s")
    moved = exactly(plan.streamed).over(of(link))
    joules = of(cost(system.chip, "host_link_bit_j")) * (8 * plan.streamed)
    found = {
        "system": system.name, "bits": entry["bits"], "chips": where.chips, "cores": plan.cores,
        "on_host": [
            {
                "group": g.name, "copies": g.copies, "of": g.of, "layers": list(g.layers), "share": g.share,
                "weights": g.weights,
            }
            for g in plan.gone
        ],
        "on_chips": [
            {"unit": u.name, "layers": list(u.layers), "copies": u.copies, "cores": u.all_cores} for u in plan.kept
        ],
        "host_bytes": {"plan": _weights(gone), "alone": _weights(every)},
        "crossings_per_token": {"plan": plan.crossings[0], "resident": plan.crossings[1]},
        "plan": hybrid,
        "host_alone": alone,
        "beside_host_alone": _ratios(hybrid["generate"], alone["generate"]),
        "optimised": "energy",
        "streaming": {
            "bytes_per_token": plan.streamed, "seconds_per_token": moved.to_json(), "joules_of_link": joules.to_json(),
            "basis": link.basis.value, "source": link.source,
            "said": "the transfer of weights alone, before any computing; no faster reload of Loihi 2 is public",
        },
        "host": asked.host.name,
    }  # fmt: skip
    found["text"] = _said(found)
    return found


def _ratios(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, float]:
    """Energy at the wall and time of a token, over those of another way."""
    joules, seconds = ([way[key] for way in (one, other)] for key in ("joules_per_token", "seconds_per_token"))
    return {
        "energy": joules[0]["wall"]["nominal"] / joules[1]["wall"]["nominal"],
        "time": seconds[0]["nominal"] / seconds[1]["nominal"],
    }


def _weights(entries: Sequence[OnHost]) -> int:
    return sum(entry.copies * entry.rows * entry.columns for entry in entries)


def _said(found: dict[str, Any]) -> str:
    """The plan in a clause: what stays, at what price, both ratios to the host alone, what was optimised, streaming."""
    from neurodeploy.reporting.terminal_offload import beside

    plan, alone = found["plan"]["generate"], found["host_alone"]["generate"]
    seconds, joules = plan["seconds_per_token"]["nominal"], plan["joules_per_token"]["wall"]["nominal"]
    host_seconds, host_joules = alone["seconds_per_token"]["nominal"], alone["joules_per_token"]["wall"]["nominal"]
    counts: dict[str, list[int]] = {}
    for entry in found["on_host"]:
        total = counts.setdefault(entry["group"].split(": ")[-1], [0, 0])
        total[0], total[1] = total[0] + entry["copies"], total[1] + entry["of"]
    gone = ", ".join(f"{n} of {of} {name}{'s' if of > 1 else ''}" for name, (n, of) in list(counts.items())[:3])
    ratio = found["beside_host_alone"]
    cheaper = "" if ratio["energy"] <= 1 else ", though the host alone takes less"
    return (
        f"fallback at {found['bits']} bits: {gone} to the host {found['host']}, the rest on {found['chips']} chips: "
        f"{seconds:.3g} s and {joules:.3g} J a generated token at the wall, "
        f"{beside(ratio['energy'], ratio['time'], 'the host alone')} ({host_seconds:.3g} s, {host_joules:.3g} J); of what "
        f"leaves room, the set with the least {found['optimised']} leaves{cheaper}; streaming those weights in would take "
        f"{found['streaming']['seconds_per_token']['nominal']:.3g} s"
    )
