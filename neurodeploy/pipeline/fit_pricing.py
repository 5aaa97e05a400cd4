"""Energy and time of `fit`: of a plan that fits, of a part of one that does not, of the host alone, of streaming."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neurodeploy.accounting.account import account
from neurodeploy.accounting.band import exactly
from neurodeploy.accounting.costs import cost, priced
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.accounting.outlines import Assumed, OnHost, host_load, outline_loads
from neurodeploy.errors import some
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.copies import ALONE
from neurodeploy.ir.program import Program
from neurodeploy.pipeline.fit_answer import Row
from neurodeploy.pipeline.fit_loads import ends_of, loads_of_units
from neurodeploy.pipeline.fit_reading import Asked
from neurodeploy.reporting.fitted import nearest
from neurodeploy.synapses.hollow import at_width, columns_of, facts_of, layers_of, without_head

if TYPE_CHECKING:
    from partitioner.fit.chips import Layout
    from partitioner.fit.plan import Fit, Unit

#: Tokens before the one that is priced, where nothing is asked.
CONTEXT = 1024
#: What of a ledger `fit` prints.
SUMMARY = (
    "joules_per_token", "seconds_per_token", "tokens_per_s", "first_token_seconds", "bound_by", "seconds_split",
    "by_component",
)  # fmt: skip


def assumed(program: Program, asked: Asked) -> Assumed | None:
    """The activity, and the context cut to the model's positions; None where energy and time depend on an input."""
    if program.streamed:
        return None
    facts, context = facts_of(program), min(asked.context or CONTEXT, program.info.max_positions)
    if asked.activity is not None:
        return Assumed(asked.activity, "asked for", context)
    return Assumed(facts.activity, facts.activity_source, context)


def everything(program: Program) -> list[OnHost]:
    """All islands, on the host."""
    found = []
    for population in layers_of(program):
        copies, columns = program.copies.get(population.name, ALONE), columns_of(program, population)
        found.append(OnHost(population.size, columns, copies.count, float(copies.share), population.layer))
    return found


def loads_of(
    program: Program, units: Sequence[Unit], layout: Layout | None, gone: Sequence[OnHost], system: SystemSpec,
    assumed: Assumed, batch: int = 1,
) -> RunLoads:  # fmt: skip
    """Of a token of a plan; without `layout` the host does everything, for `batch` sequences at once."""
    classes = loads_of_units(program, units, layout, system, assumed.activity) if layout is not None else []
    prompt, token = host_load(program, gone, assumed.prompt, batch)
    chips, cores = layout.chips if layout is not None else 0, sum(unit.all_cores for unit in units)
    ends = ends_of(program, units) if layout is not None else 0.0
    return outline_loads(classes, token, prompt, system, assumed, chips=chips, cores=cores, ends=ends)


def price(
    program: Program, units: Sequence[Unit], layout: Layout | None, gone: Sequence[OnHost], system: SystemSpec,
    host: HostSpec, assumed: Assumed,
) -> tuple[EnergyLedger, EnergyLedger]:  # fmt: skip
    """Ledgers of prefill and of generation."""
    loads = loads_of(program, units, layout, gone, system, assumed)
    return account(loads, system, host, "prefill"), account(loads, system, host, "generate")


@dataclass(frozen=True, slots=True)
class Pricing:
    """What the plans of a program cost; nothing where no activity is known (`given` is None)."""

    program: Program
    asked: Asked
    given: Assumed | None

    def of(
        self, units: Sequence[Unit], where: Layout | None, gone: Sequence[OnHost], system: SystemSpec, bits: int
    ) -> Row:
        """Prefill and generation of a plan."""
        if self.given is None:
            return {}
        loads = loads_of(at_width(self.program, bits), units, where, gone, system, self.given)
        made = (account(loads, system, self.asked.host, phase) for phase in loads.phases)
        return {ledger.phase: {**summary(ledger), "crossings_per_token": 2 * loads.exchanges} for ledger in made}

    def of_row(self, made: Fit, entry: Row, where: Layout) -> Row:
        """What the plan of a row costs where it stands so."""
        gone = self._head(entry["head"] == "host")
        return self.of(made.standing(entry["head"]), where, gone, self.system(entry), made.bits)

    def system(self, entry: Row) -> SystemSpec:
        return next(system for system in self.asked.systems if system.name == entry["system"])

    def _head(self, on_host: bool) -> list[OnHost]:
        return [entry for entry in everything(self.program) if entry.layer is None] if on_host else []

    def assumptions(self) -> list[str]:
        """The sentences beside every price of this call."""
        if self.given is None:
            return []
        system, host = self.asked.systems[0], self.asked.host
        ledgers = price(self.program, (), None, everything(self.program), system, host, self.given)
        said = [text for ledger in ledgers for text in ledger.assumptions if " 0 chips in use" not in text]
        return list(dict.fromkeys(said))

    def chip_plan(self, made: Fit, entry: Row) -> Row:
        """Which chips hold what, who is idle, and what a token moves; on several boards where one is too small."""
        system, units = self.system(entry), made.standing(entry["head"])
        where = layout(made, entry)
        priced = entry if entry["fits"] else self.of_row(made, entry, where)
        always, sometimes = where.awake(units)
        return {
            "system": system.name, "bits": entry["bits"], "chips": where.chips,
            "boards": -(-where.chips // system.chips), "grid": list(system.grid), "experts_on_whole_chips": where.whole,
            "awake_chips_per_token": {"always": always, "of_chosen_experts": sometimes},
            "idle_share": 1.0 - (always + sometimes) / where.chips if where.chips else 0.0,
            "affinity": "none is known from a configuration",
            "groups": _groups(where, [unit.name for unit in units]),
            **({} if entry["fits"] else priced),
            "bytes_per_token": priced["generate"]["bytes_per_token"] if "generate" in priced else {},
        }  # fmt: skip

    def fallback(self, rows: Sequence[Row]) -> Row | None:
        """What the largest asked system keeps at the widest width, priced beside the host alone and beside streaming."""
        from partitioner.fit.chips import place
        from partitioner.fit.offload import fallback

        entry = nearest(rows)
        if entry is None or self.given is None:
            return None
        system, bits = self.system(entry), entry["bits"]
        available, head_there = self.asked.available(system), self.asked.head == "host"
        resident = without_head(self.program) if head_there else self.program
        plan = fallback(resident, system, available, bits, entry["memory_kib"], self.asked.host)
        left = [group for group in plan.groups if group.gone]
        where = place(plan.kept, system.chip.cores, available)
        gone = [OnHost(v.rows, v.columns, g.gone, float(g.unit.share), 0) for g in left for v in g.unit.views]
        gone, every = gone + self._head(head_there), everything(self.program)
        hybrid, alone = self.of(plan.kept, where, gone, system, bits), self.of((), None, every, system, bits)
        link = cost(system.chip, "bw_host_link_b_per_s")
        found = {
            "system": system.name, "bits": bits, "chips": where.chips, "cores": plan.cores,
            "on_host": [
                {
                    "group": g.unit.name, "copies": g.gone, "of": g.unit.copies, "layers": list(g.layers),
                    "share": float(g.unit.share), "weights": g.gone * g.unit.weights,
                }
                for g in left
            ],
            "on_chips": [
                {"unit": u.name, "layers": list(u.layers), "copies": u.copies, "cores": u.all_cores} for u in plan.kept
            ],
            "host_bytes": {"plan": _weights(gone), "alone": _weights(every)},
            "crossings_per_token": dict(zip(("plan", "resident"), plan.crossings, strict=True)),
            "plan": hybrid,
            "host_alone": alone,
            "beside_host_alone": _ratios(hybrid["generate"], alone["generate"]),
            "optimised": "energy",
            "streaming": {
                "bytes_per_token": plan.streamed,
                "seconds_per_token": exactly(plan.streamed).over(priced(system.chip, "bw_host_link_b_per_s")).to_json(),
                "joules_of_link": (priced(system.chip, "host_link_bit_j") * (8 * plan.streamed)).to_json(),
                "basis": link.basis.value, "source": link.source,
                "said": "the transfer of weights alone, before any computing; no faster reload of Loihi 2 is public",
            },
            "host": self.asked.host.name,
        }  # fmt: skip
        return {**found, "text": _said(found)}


def layout(made: Fit, entry: Row) -> Layout:
    """Where the units of a row stand, on its chips or as many as they take."""
    from partitioner.fit.chips import place

    return place(made.standing(entry["head"]), made.cores_per_chip, max(entry["chips_available"], entry["chips_used"]))


def summary(ledger: EnergyLedger) -> Row:
    """A ledger without its entries: bands by boundary and component, time, what binds, on what the figures rest."""
    basis: dict[str, float] = {}
    for entry in ledger.entries:
        basis[entry.basis] = basis.get(entry.basis, 0.0) + entry.joules.nominal
    whole, told = sum(basis.values()) or 1.0, ledger.to_json()
    moved = [entry for entry in ledger.entries if entry.component in ("inter-chip", "host link")]
    return {
        **{name: told[name] for name in SUMMARY},
        "basis": {name: joules / whole for name, joules in sorted(basis.items())},
        "bytes_per_token": {entry.device: entry.count / 8 for entry in moved},
    }


def _groups(where: Layout, names: Sequence[str]) -> list[Row]:
    """A record for each unit of each layer: first and last chip; of experts one pair each, with the chip of the rest."""
    found: dict[tuple[int, int], list[list[int]]] = {}
    for spot in where.spots:
        chips = spot.chips(where.per_chip)
        found.setdefault((spot.layer, spot.unit), []).append(
            [chips[0], *chips[-2:]] if len(chips) > 2 and spot.tail else chips if spot.tail else [chips[0], chips[-1]]
        )
    records = []
    for (layer, unit), spans in found.items():
        entry: Row = {"layer": layer, "unit": names[unit], "chips": [min(map(min, spans)), max(map(max, spans))]}
        if len(spans) > 1:
            entry["experts"] = spans
        records.append(entry)
    return records


def _ratios(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, float]:
    """Energy at the wall and time of a token, over those of another way."""
    joules, seconds = ([way[key] for way in (one, other)] for key in ("joules_per_token", "seconds_per_token"))
    return {
        "energy": joules[0]["wall"]["nominal"] / joules[1]["wall"]["nominal"],
        "time": seconds[0]["nominal"] / seconds[1]["nominal"],
    }


def _weights(entries: Sequence[OnHost]) -> int:
    return sum(entry.copies * entry.rows * entry.columns for entry in entries)


def _said(found: Row) -> str:
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
        f"fallback at {some(found['bits'], 'bit')}: {gone} to the host {found['host']}, the rest on "
        f"{some(found['chips'], 'chip')}: "
        f"{seconds:.3g} s and {joules:.3g} J a generated token at the wall, "
        f"{beside(ratio['energy'], ratio['time'], 'the host alone')} ({host_seconds:.3g} s, {host_joules:.3g} J); of what "
        f"leaves room, the set with the least {found['optimised']} leaves{cheaper}; streaming those weights in would take "
        f"{found['streaming']['seconds_per_token']['nominal']:.3g} s"
    )
