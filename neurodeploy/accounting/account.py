"""`account`: exact counts and a mapping to the joules and seconds of one token.

::

    E = sum over events (count * unit cost) + sum over cores (active steps) * core_step_j
        + chips powered * (p_static_w + p_infra_w) * T + host + loss of the supply

with every sum at its own boundary (`ledger.BOUNDARIES`) and `T` from `timing`. Coefficients come from the chip's table
with their bands; what is counted and what is only bounded is said in each entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from neurodeploy.accounting import timing
from neurodeploy.accounting.band import Band, of, total
from neurodeploy.accounting.costs import SUPPLY_LOSS, cost, neuron_update
from neurodeploy.accounting.ledger import EnergyLedger, LedgerEntry
from neurodeploy.accounting.notes import NOT_MODELLED, assumptions
from neurodeploy.accounting.work import IslandWork, derive
from neurodeploy.errors import UserError
from neurodeploy.ir.chip import ChipSpec, HostSpec, Quantity, SystemSpec
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.program import Island
from neurodeploy.ir.result import ActivityCounts

PHASES = ("prefill", "generate")
POWERED = ("used", "system")
BORDERS = ("calls", "none")


def account(
    mapping: Placement,
    counts: ActivityCounts,
    islands: Mapping[str, Island],
    system: SystemSpec,
    host: HostSpec,
    phase: str,
    *,
    powered: str = "used",
    border: str = "calls",
    prompts: int = 1,
) -> EnergyLedger:
    """The energy and the time of one token of `phase`, averaged over all tokens of `counts`.

    Parameters
    ----------
    mapping : which core of `system` holds which shard.
    counts : exact counts of a run of that phase; `host_flops` and `host_bytes` are the host's own work in it,
        `host_islands` what it computed in place of the chip.
    islands : every island in the mapping; their weights are not read, so that they may be hollow (`ir.hollow`).
    phase : "prefill" (pipelined over the tokens of a prompt) or "generate" (fall-through, token after token).
    powered : "used" charges the static power of the chips that hold a shard, "system" that of all chips of the system.
    border : "calls", each island call crosses the host border in and out; "none", the islands feed one another.
    prompts : prompts that the tokens of a prefill belong to.

    Raises
    ------
    UserError : ND3102, no token or no work; ND3103, the chip's table lacks a cost; ND3104, an option that does not
        exist; ND3106, a mapping for another system.
    InternalError : ND9031, the inputs contradict one another.
    """
    for name, value, known in (("phase", phase, PHASES), ("powered", powered, POWERED), ("border", border, BORDERS)):
        if value not in known:
            raise UserError(
                "ND3104", name, f"{value!r} is not an option of the energy account", f"use {' or '.join(known)}"
            )
    works = derive(mapping, counts, islands, system, border)
    if not 1 <= prompts <= counts.tokens:
        raise UserError(
            "ND3104", "prompts", f"{prompts} prompts in {counts.tokens} tokens", "give at least a token a prompt"
        )
    chips = system.chips if powered == "system" else mapping.chips_used
    if phase == "generate":
        time = timing.generate(works, counts, system, host, border, mapping.chips_used, islands)
    else:
        time = timing.prefill(works, counts, system, host, border, mapping.chips_used, islands, prompts)
    if time.seconds.low <= 0:
        raise UserError(
            "ND3102", "energy", "nothing was computed in this run", "run at least one token through the model"
        )
    entries = [
        *_events(works, counts.tokens, system.chip, border),
        *_standing(works, counts.tokens, system.chip, chips, time),
        *host_entries(host, time),
    ]
    entries.append(supply_entry(entries))
    return EnergyLedger(
        phase=phase,
        system=system.name,
        host=host.name,
        tokens=counts.tokens,
        entries=tuple(entries),
        seconds=time.seconds,
        first_token_seconds=time.first_token,
        bound_by=time.bound_by,
        time_split=time.parts,
        chips_powered=chips,
        chips_used=mapping.chips_used,
        cores_used=mapping.cores_used,
        assumptions=assumptions(phase, powered, border, system, mapping, works, len(counts.host_islands)),
        not_modelled=NOT_MODELLED,
    )


def per_token(count: int, tokens: int) -> int | float:
    """``count / tokens``, an int where it divides."""
    return count // tokens if count % tokens == 0 else count / tokens


@dataclass(frozen=True, slots=True)
class _Event:
    """A kind of event: where it stands in the ledger, and its count in the works of one layer over the run."""

    device: str
    component: str
    text: str
    boundary: str
    unit_cost: Quantity
    count: int
    counting: str
    low_count: int | None = None

    def entry(self, tokens: int, layer: int | None) -> LedgerEntry:
        band = Band(self.count if self.low_count is None else self.low_count, self.count, self.count)
        joules = of(self.unit_cost) * band * (1.0 / tokens)
        count = per_token(self.count, tokens)
        return LedgerEntry(
            self.device, self.component, self.text, self.boundary, count, self.unit_cost, joules, self.counting, layer
        )


def _events(works: Iterable[IslandWork], tokens: int, chip: ChipSpec, border: str) -> list[LedgerEntry]:
    """Everything that a layer's events cost, layer by layer; kinds that never happened leave no entry."""
    layers: dict[int | None, list[IslandWork]] = {}
    for work in works:
        layers.setdefault(work.layer, []).append(work)
    return [
        event.entry(tokens, layer)
        for layer, group in layers.items()
        for event in _layer_events(group, chip, border)
        if event.count
    ]


def _layer_events(group: list[IslandWork], chip: ChipSpec, border: str) -> list[_Event]:
    cores, mesh, bits = f"{chip.name} cores", f"{chip.name} mesh", 8 * chip.formats["message_bytes"]
    synapses = sum(int(work.stages[0].loads[:, 0].sum()) for work in group if work.stages)
    partial = sum(work.synops for work in group) - synapses
    sent = "upper bound" if partial else "counted"
    direct = sum(work.traffic.core_to_core_interchip for work in group)
    crossing = sum(work.traffic.interchip for work in group)
    host = sum(work.traffic.entering + work.traffic.leaving for work in group) if border == "calls" else 0
    updates, steps = sum(work.updates for work in group), sum(work.core_steps for work in group)
    messages = sum(work.traffic.deliveries for work in group)
    ew, ns = sum(work.traffic.hops_ew for work in group), sum(work.traffic.hops_ns for work in group)
    synop = cost(chip, "synop_fc_j")
    return [
        _Event(cores, "synapses", "synaptic operation", "rails", synop, synapses, "counted"),
        _Event(cores, "synapses", "partial sum added by a reducer", "rails", synop, partial, "upper bound"),
        _Event(cores, "neurons", "neuron update, active", "rails", neuron_update(chip), updates, "counted"),
        _Event(cores, "core steps", "active core and step", "rails", cost(chip, "core_step_j"), steps, "upper bound"),
        _Event(cores, "messages", "message delivered", "rails", cost(chip, "spike_out_message_j"), messages, sent),
        _Event(mesh, "mesh hops", "hop, east-west", "rails", cost(chip, "hop_ew_j"), ew, "modelled"),
        _Event(mesh, "mesh hops", "hop, north-south", "rails", cost(chip, "hop_ns_j"), ns, "modelled"),
        _Event(
            "chip-to-chip links",
            "inter-chip",
            "bit over a chip-to-chip link",
            "chip",
            cost(chip, "interchip_bit_j"),
            crossing * bits,
            "modelled",
            direct * bits,
        ),
        _Event(
            "host link",
            "host link",
            "bit over the host link",
            "board",
            cost(chip, "host_link_bit_j"),
            host * bits,
            "modelled",
        ),
    ]


def _standing(
    works: list[IslandWork], tokens: int, chip: ChipSpec, chips: int, time: timing.Timing
) -> list[LedgerEntry]:
    """What flows whether anything happens or not: idle neurons, and the power of every powered chip and its board."""
    resident = sum(work.neurons for work in works)
    active = sum(work.updates for work in works) / tokens
    idle = max(0.0, resident * time.steps_per_token - active)
    update, static, infra = cost(chip, "neuron_idle_j"), cost(chip, "p_static_w"), cost(chip, "p_infra_w")
    chip_seconds = time.seconds * chips
    cores = f"{chip.name} cores"
    entries = [
        LedgerEntry(
            cores,
            "static",
            f"chip-seconds of {chips} powered chips",
            "rails",
            chip_seconds.nominal,
            static,
            of(static) * chip_seconds,
            "modelled",
        ),
        LedgerEntry(
            "board",
            "infrastructure",
            f"chip-seconds of x86, FPGA and I/O for {chips} powered chips",
            "board",
            chip_seconds.nominal,
            infra,
            of(infra) * chip_seconds,
            "modelled",
        ),
    ]
    if idle:
        exact = int(idle) if idle == int(idle) else idle
        entries.insert(
            0,
            LedgerEntry(
                cores, "neurons", "neuron update, idle", "rails", exact, update, of(update) * idle, "upper bound"
            ),
        )
    return entries


def host_entries(host: HostSpec, time: timing.Timing) -> list[LedgerEntry]:
    """The host's idle power over the whole token and its active power above that over its own work; islands by layer."""
    spans = [
        ("host compute", "seconds at idle power", host.idle_power, time.seconds, None),
        ("host compute", "seconds of work, power above idle", host.active_power, time.host_busy, None),
        *(
            ("host islands", "seconds of islands' integer sums, power above idle", host.active_power, span, layer)
            for layer, span in time.host_islands.items()
        ),
    ]
    return [
        LedgerEntry(host.name, part, text, "wall", span.nominal, watts, of(watts) * span, "modelled", layer)
        for part, text, watts, span, layer in spans
    ]


def supply_entry(entries: list[LedgerEntry]) -> LedgerEntry:
    """The loss of the power supply on everything behind it."""
    delivered = total(entry.joules for entry in entries)
    return LedgerEntry(
        "power supply",
        "power supply",
        "joules delivered, of which a fraction is lost",
        "wall",
        delivered.nominal,
        SUPPLY_LOSS,
        of(SUPPLY_LOSS) * delivered,
        "assumed",
    )
