"""`account`: the loads of a run to the joules and seconds of one unit: a token, or a sample.

::

    E = sum over events (count * unit cost) + chips * steps * chip_step_j + chips powered * (p_static_w + p_infra_w) * T
        + host + loss of the supply

with every sum at its own boundary (`ledger.BOUNDARIES`) and `T` from `timing`. What a run of a chip misses by though its
coefficients be known is a factor around 1 of its joules, and one of its seconds (`energy_error_ratio`,
`time_error_ratio`; from errors of published rows, docs/validation.md). Coefficients come from the chip's table
with their bands; what is counted and what is only bounded is said in each entry. Convolutions are priced with the chip's
convolution coefficients, all other synapses with those of fully connected ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from neurodeploy.accounting import timing
from neurodeploy.accounting.band import Band, between, exactly, total
from neurodeploy.accounting.costs import MICROCODED_J, SENT_J, cost, host_priced, priced
from neurodeploy.accounting.ledger import EnergyLedger, LedgerEntry, per_unit
from neurodeploy.accounting.loads import EventCounts, RunLoads, check_option
from neurodeploy.accounting.notes import NOT_MODELLED, NOTES, said
from neurodeploy.errors import UserError, some
from neurodeploy.ir.chip import ChipSpec, HostSpec, SystemSpec

#: Which chips draw power: those that hold a shard, all of the system, or those with work in a step, with their share of the
#: board or without it.
POWERED = ("used", "system", "gated", "gated-board")


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the ledger for each layer in which it happened. `price` is the unit cost, of a bit where `bits` says so;
    `count` names the field of `EventCounts`, `least` that of the low end where it is another; `device` holds the chip."""

    device: str
    component: str
    text: str
    boundary: str
    price: str
    count: str
    counting: str
    least: str = ""
    bits: bool = False


#: What bits between chips err with: whether every chip has a host port of its own.
ROUTES = "routes between chips"
CORES, MESH, LINKS = "{chip} cores", "{chip} mesh", "chip-to-chip links"
#: Every event that is priced.
EVENTS = (
    Event(CORES, "synapses", "synaptic operation", "rails", "synop_fc_j", "synops", "counted"),
    Event(CORES, "synapses", "synaptic operation of a convolution", "rails", "synop_conv_j", "conv_synops", "counted"),
    Event(CORES, "synapses", "partial sum added by a reducer", "rails", "synop_fc_j", "partial_sums", "upper bound"),
    Event(CORES, "neurons", "neuron update", "rails", "neuron_update_j", "fixed_updates", "counted"),
    Event(CORES, "neurons", "neuron update, microcoded", "rails", MICROCODED_J, "updates", "counted"),
    Event(CORES, "synapses", "number written to a memory", "rails", "synop_learning_j", "writes", "modelled"),
    Event(CORES, "core steps", "active core and step", "rails", "core_step_j", "core_steps", "counted"),
    Event(CORES, "messages", "spike sent", "rails", "spike_out_j", "spikes", "counted"),
    Event(CORES, "messages", "message delivered", "rails", "message_j", "messages", "counted"),
    Event(CORES, "messages", "partial sum sent and delivered", "rails", SENT_J, "partial_messages", "upper bound"),
    Event(MESH, "mesh hops", "hop, east-west", "rails", "hop_ew_j", "hops_ew", "modelled"),
    Event(MESH, "mesh hops", "hop, north-south", "rails", "hop_ns_j", "hops_ns", "modelled"),
    Event(LINKS, "inter-chip", "bit over a chip-to-chip link", "chip", "interchip_bit_j", "interchip", "modelled",
         least="interchip_least", bits=True),
    Event("host link", "host link", "bit over the host link", "board", "host_link_bit_j", "host_messages", "modelled",
         bits=True),
)  # fmt: skip


def account(
    loads: RunLoads, system: SystemSpec, host: HostSpec, phase: str, *, powered: str = "used", prompts: int = 1
) -> EnergyLedger:
    """The energy and the time of one unit of `phase`, averaged over all units of `loads`.

    Parameters
    ----------
    loads : of `program.loads` or `outlines.outline_loads`.
    phase : "prefill" (pipelined over the tokens of a prompt), "generate" (fall-through, token after token) or "sample"
        (all time steps of a sample).
    powered : "used" charges the static power of the chips that hold a shard, "system" that of all chips of the system;
        "gated" that of a chip only while it has work, nor are its idle neurons updated else, and "gated-board" the
        infrastructure alike. Waking up is free: a bound, for no figure of a gated Loihi 2 is public.
    prompts : prompts that the tokens of a prefill belong to.

    Raises
    ------
    UserError : ND3102, no work; ND3103, the chip's table lacks a cost; ND3104, an option that does not exist.
    """
    check_option("phase", phase, loads.phases)
    check_option("powered", powered, POWERED)
    if not 1 <= prompts <= loads.units:
        raise UserError(
            "ND3104",
            "prompts",
            f"{some(prompts, 'prompt')} in {some(loads.units, 'token')}",
            "give at least a token a prompt",
        )
    chips = system.chips if powered == "system" else loads.chips_used
    if phase == "prefill":
        time = timing.pipelined(loads, system, host, loads.units / prompts)
    else:
        time = timing.in_turn(loads, system, host)
    if time.seconds.nominal <= 0:
        raise UserError(
            "ND3102", "energy", "nothing was computed in this run", "run at least one token through the model"
        )
    chip, off = system.chip, priced(system.chip, "energy_error_ratio")
    known = [*_events(loads, chip), *_standing(loads, chip, chips, time, powered)]
    entries = [*(replace(entry, joules=entry.joules * off) for entry in known), *_host(host, time)]
    entries.append(_supply(entries, host))
    late = priced(chip, "time_error_ratio") if loads.steps else exactly(1.0)
    facts = {
        **loads.facts,
        phase: True,
        f"powered {powered}": True,
        "gated": powered.startswith("gated"),
        f"chip {system.chip.name}": True,
        "chip": system.chip,
        "at_most": time.most.nominal / time.seconds.nominal,
        "overlapping": bool(system.chip.pace.way_out),
        "all_chips": system.chips,
        "system": system.name,
        "own file": system.origin,
        "own_file": system.origin,
        "chips": loads.chips_used,
        "several chips": loads.chips_used > 1,
        "started": time.launches.nominal > 0,
        "around": host.around is not None,
    }
    return EnergyLedger(
        phase=phase,
        system=system.name,
        host=host.name,
        tokens=loads.units,
        entries=tuple(entries),
        seconds=time.seconds * late,
        first_token_seconds=time.first_token and time.first_token * late,
        steps_counting=loads.counting,
        seconds_at_most=time.most * late if loads.counting == "upper bound" else None,
        bound_by=time.bound_by,
        time_split=time.parts,
        chips_powered=chips,
        chips_used=loads.chips_used,
        cores_used=loads.cores_used,
        assumptions=said(NOTES, facts),
        not_modelled=said(NOT_MODELLED, facts),
        layers=loads.layers,
    )


def _events(loads: RunLoads, chip: ChipSpec) -> Iterator[LedgerEntry]:
    """Everything that a layer's events cost, layer by layer; kinds that never happened leave no entry."""
    layers: dict[int | None, list[EventCounts]] = {}
    for part in loads.parts:
        layers.setdefault(part.layer, []).append(part.counts)
    prices = [(cost(chip, event.price), priced(chip, event.price)) for event in EVENTS]
    for layer, parts in layers.items():
        counts = EventCounts.total(parts)
        for event, (price, drawn) in zip(EVENTS, prices, strict=True):
            scale = 8 * chip.formats["message_bytes"] if event.bits else 1
            count, least = (scale * getattr(counts, field) for field in (event.count, event.least or event.count))
            if count:
                yield LedgerEntry(
                    event.device.format(chip=chip.name),
                    event.component,
                    event.text,
                    event.boundary,
                    per_unit(count, loads.units),
                    price,
                    drawn * between(least, count, ROUTES) * (1.0 / loads.units),
                    "assumed" if loads.assumed else event.counting,
                    layer,
                )


def _standing(loads: RunLoads, chip: ChipSpec, chips: int, time: timing.Timing, powered: str) -> Iterator[LedgerEntry]:
    """What flows whether anything happens or not: idle neurons, and the power of every powered chip and its board."""
    done = EventCounts.total(part.counts for part in loads.parts)
    active = (done.fixed_updates + done.updates) / loads.units
    gated, steps = powered.startswith("gated"), time.steps
    if gated:  # neurons lie evenly over chips
        steps = time.awake_steps / max(1, loads.chips_used)
    idle = max(0.0, loads.neurons * steps - active)
    always, cores = time.seconds * chips, f"{chip.name} cores"
    taking = time.awake_steps if gated else time.steps * loads.chips_used
    if taking:
        taking = int(taking) if taking == int(taking) else taking
        joules, counting = priced(chip, "chip_step_j") * taking, "assumed" if loads.assumed else "counted"
        text = "step of a chip, its barrier and clocks"
        yield LedgerEntry(cores, "core steps", text, "rails", taking, cost(chip, "chip_step_j"), joules, counting)
    if idle:
        exact, counting = int(idle) if idle == int(idle) else idle, "assumed" if loads.assumed else "upper bound"
        price, joules = cost(chip, "neuron_idle_j"), priced(chip, "neuron_idle_j") * idle
        yield LedgerEntry(cores, "neurons", "neuron update, idle", "rails", exact, price, joules, counting)
    rows = (
        (cores, "static", "", "rails", "p_static_w", gated),
        ("board", "infrastructure", "x86, FPGA and I/O for ", "board", "p_infra_w", powered == "gated-board"),
    )
    for device, component, what, boundary, key, asleep in rows if chips else ():
        spent = time.awake if asleep else always
        text = f"chip-seconds of {what}{'chips with work' if asleep else f'{chips} powered chips'}"
        watts, joules = cost(chip, key), priced(chip, key) * spent
        yield LedgerEntry(device, component, text, boundary, spent.nominal, watts, joules, "modelled")


def _host(host: HostSpec, time: timing.Timing) -> Iterator[LedgerEntry]:
    """The host's idle power over the whole unit, with that of the machine around it; its active power above that over its
    own work, islands by layer; and what it draws while it waits for the start of operations."""
    spans = [
        ("host compute", "seconds at idle power", "idle_power", time.seconds, None),
        ("host compute", "seconds of work, power above idle", "active_power", time.host_busy, None),
        *(
            ("host islands", "seconds of islands' integer sums, power above idle", "active_power", span, layer)
            for layer, span in time.host_islands.items()
        ),
        *_if("seconds of starting operations, power above idle", host, "launch_power", time.launches),
        *_if("seconds of the machine around the card", host, "around", time.seconds),
    ]
    for part, text, key, span, layer in spans:
        watts, joules = getattr(host, key), host_priced(host, key) * span
        yield LedgerEntry(host.name, part, text, "wall", span.nominal, watts, joules, "modelled", layer)


def _if(text: str, host: HostSpec, key: str, span: Band) -> list[tuple[str, str, str, Band, None]]:
    """A row of `_host` where the host has that power, and any time of it."""
    return [] if getattr(host, key) is None or not span.nominal else [("host compute", text, key, span, None)]


def _supply(entries: list[LedgerEntry], host: HostSpec) -> LedgerEntry:
    """The loss of the power supply on everything behind it."""
    delivered = total(entry.joules for entry in entries)
    return LedgerEntry(
        "power supply",
        "power supply",
        "joules delivered, of which a fraction is lost",
        "wall",
        delivered.nominal,
        host.supply_loss,
        host_priced(host, "supply_loss") * delivered,
        "assumed",
    )
