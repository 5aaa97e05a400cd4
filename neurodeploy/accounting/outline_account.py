"""`account_outline`: energy and time of a token for a plan without weights, class by class.

The same terms, unit costs and rules of time as `account` and `timing`; one copy of each class of islands is derived from
its shards and multiplied. Two things are simpler: loads of cores that two copies share are not added up, and partial sums
load no link. Counts come from an assumed activity, so that every entry says "assumed".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from neurodeploy.accounting import timing
from neurodeploy.accounting.account import host_entries, supply_entry
from neurodeploy.accounting.band import ZERO, Band, exactly, largest, of, total
from neurodeploy.accounting.costs import cost, neuron_update
from neurodeploy.accounting.ledger import EnergyLedger, LedgerEntry
from neurodeploy.accounting.notes import EXCHANGE, NOT_MODELLED
from neurodeploy.accounting.outline_board import Board
from neurodeploy.accounting.outline_loads import ClassLoad, CopyFlow, HostLoad, border, by_chip
from neurodeploy.ir.chip import ChipSpec, HostSpec, Quantity, SystemSpec


def account_outline(
    loads: Sequence[ClassLoad],
    groups: Sequence[Sequence[int]],
    host_load: HostLoad,
    system: SystemSpec,
    host: HostSpec,
    phase: str,
    *,
    chips: int,
    cores: int,
    activity: float,
    activity_source: str,
    prompt: int,
) -> EnergyLedger:
    """The energy and the time of one token of `phase` ("prefill" of a prompt of `prompt` tokens, or "generate").

    loads : all classes that stand on chips. groups : indices of classes that share cores (one unit's), whose loads add up.
    chips : powered ones, cores : used ones, for the static terms and the report.
    """
    board = Board(system)
    time = _generate(loads, host_load, system, host, board, activity, chips)
    if phase == "prefill":
        time = _prefill(loads, groups, host_load, system, host, board, activity, chips, prompt, time)
    entries = [*_events(loads, system.chip, board, activity), *_standing(loads, system.chip, chips, time)]
    entries = [*(entry for entry in entries if entry.count), *host_entries(host, time)]
    entries.append(supply_entry(entries))
    return EnergyLedger(
        phase=phase,
        system=system.name,
        host=host.name,
        tokens=prompt if phase == "prefill" else 1,
        entries=tuple(entries),
        seconds=time.seconds,
        first_token_seconds=time.first_token,
        bound_by=time.bound_by,
        time_split=time.parts,
        chips_powered=chips,
        chips_used=chips,
        cores_used=cores,
        assumptions=_assumptions(phase, system, activity, activity_source, chips),
        not_modelled=NOT_MODELLED,
    )


def _core_step(chip: ChipSpec, loads: NDArray[np.float64]) -> Band:
    """Seconds of the busiest core, end by end."""
    if not len(loads):
        return ZERO
    return Band(*(float(x) for x in timing.core_seconds(chip, loads).max(axis=0)))


def _resident(loads: Iterable[ClassLoad]) -> int:
    return max((max(load.work.resident.values(), default=0) for load in loads), default=0)


def _over(messages: float, chip: ChipSpec, key: str) -> Band:
    return exactly(messages * chip.formats["message_bytes"]).over(of(cost(chip, key)))


def _generate(
    loads: Sequence[ClassLoad], host_load: HostLoad, system: SystemSpec, host: HostSpec, board: Board, activity: float,
    chips: int,
) -> timing.Timing:  # fmt: skip
    """Fall-through: every call in turn, and the host's own work (`timing.generate`)."""
    chip = system.chip
    idle = of(cost(chip, "t_neuron_idle_s")) * _resident(loads)
    floor = of(cost(chip, "t_step_floor_s"))
    barrier = of(cost(chip, "t_barrier_multichip_s")) if chips > 1 else ZERO
    parts, steps = dict.fromkeys(timing.PARTS, ZERO), 0.0
    for load in loads:
        for number, stage in enumerate(load.work.stages):
            core = largest((_core_step(chip, stage.loads / load.work.tokens), idle))
            for flow in load.flows:
                part, seconds = "cores", core
                if number == 0:
                    part, seconds = _with_links(chip, board, flow, core, activity)
                parts[part] += seconds * load.share
            parts["step floor"] += floor * load.calls
            parts["multi-chip barrier"] += barrier * load.calls
            steps += load.calls
    calls = sum(load.calls for load in loads)
    parts["host link latency"] = of(cost(chip, "t_host_link_s")) * calls
    parts["host link bytes"] = _over(border(loads, activity), chip, "bw_host_link_b_per_s")
    parts["host compute"] = timing.host_seconds(host, *host_load.generate)
    islands = timing.host_seconds(host, *host_load.islands_generate)
    if islands.nominal:
        parts[timing.ISLANDS] = islands
    nominal = {part: band.nominal for part, band in parts.items()}
    binding = max(nominal, key=lambda part: nominal[part])
    said = f"{binding} ({timing.waiting(calls)})" if binding == "host link latency" else binding
    return timing.Timing(
        total(parts.values()), nominal, said, parts["host compute"], steps,
        None, _islands(islands),
    )  # fmt: skip


def _islands(seconds: Band) -> dict[int | None, Band]:
    return {None: seconds} if seconds.nominal else {}


def _with_links(chip: ChipSpec, board: Board, flow: CopyFlow, core: Band, activity: float) -> tuple[str, Band]:
    """What takes longest in an island's first step: its busiest core, a chip's port, or a link."""
    port = float((flow.delivered * activity + flow.leaving).max(initial=0.0))
    link = board.busiest(flow.chips, (flow.entering * activity).astype(np.float64), flow.leaving.astype(np.float64))
    longest = largest((_over(port, chip, "bw_link_b_per_s"), _over(link, chip, "bw_interchip_b_per_s")))
    return ("links" if longest.nominal > core.nominal else "cores"), largest((core, longest))


def _prefill(
    loads: Sequence[ClassLoad], groups: Sequence[Sequence[int]], host_load: HostLoad, system: SystemSpec,
    host: HostSpec, board: Board, activity: float, chips: int, prompt: int, fall: timing.Timing,
) -> timing.Timing:  # fmt: skip
    """Pipelined: the slowest of cores, links, border and host sets the pace (`timing.prefill`)."""
    chip = system.chip
    core = largest([of(cost(chip, "t_neuron_idle_s")) * _resident(loads), *(_merged(chip, loads, g) for g in groups)])
    numbers, entering, delivered, leaving = by_chip(loads, activity)
    link = board.busiest(numbers, entering, leaving)
    ports = _over(float((delivered + leaving).max(initial=0.0)), chip, "bw_link_b_per_s")
    links = largest((ports, _over(link, chip, "bw_interchip_b_per_s")))
    overhead = {
        "step floor": of(cost(chip, "t_step_floor_s")),
        "multi-chip barrier": of(cost(chip, "t_barrier_multichip_s")) if chips > 1 else ZERO,
    }
    part = "links" if links.nominal > core.nominal else "cores"
    step = largest((core, links))
    busy = timing.host_seconds(host, *host_load.prefill)
    islands = timing.host_seconds(host, *host_load.islands_prefill)
    stages = {"host compute": busy + islands}
    calls = 0.0
    if loads:
        stages = {part: step + total(overhead.values()), **stages}
        stages["host link bytes"] = _over(border(loads, activity), chip, "bw_host_link_b_per_s")
        calls = sum(len(load.flows) * (1.0 - (1.0 - load.share) ** prompt) for load in loads)
    latency = of(cost(chip, "t_host_link_s")) * (calls / prompt)
    slowest = max(stages, key=lambda name: stages[name].nominal)
    pace = largest(stages.values())
    parts = dict.fromkeys(timing.PARTS, 0.0) | {slowest: pace.nominal, "host link latency": latency.nominal}
    if slowest == "host compute" and islands.nominal:
        parts |= {"host compute": busy.nominal, timing.ISLANDS: islands.nominal}
    if slowest == part:
        parts |= {name: band.nominal for name, band in overhead.items()} | {slowest: step.nominal}
    seconds = pace + latency
    first = seconds * prompt + fall.seconds
    binding = max(parts, key=lambda name: parts[name])
    return timing.Timing(seconds, parts, binding, busy, 1.0 if loads else 0.0, first, _islands(islands))


def _merged(chip: ChipSpec, loads: Sequence[ClassLoad], group: Sequence[int]) -> Band:
    """The busiest core of a unit when each of its islands works on a token of its own."""
    cores: dict[tuple[int, int], NDArray[np.float64]] = {}
    for index in group:
        load = loads[index]
        for stage in load.work.stages:
            for place, work in zip(stage.cores.tolist(), stage.loads * (load.share / load.work.tokens), strict=True):
                key = (place[0], place[1])
                cores[key] = cores[key] + work if key in cores else work
    return _core_step(chip, np.array(list(cores.values()))) if cores else ZERO


def _events(loads: Sequence[ClassLoad], chip: ChipSpec, board: Board, activity: float) -> list[LedgerEntry]:
    """What the events of a token cost (`account`), over all copies."""
    cores, mesh, bits = f"{chip.name} cores", f"{chip.name} mesh", 8 * chip.formats["message_bytes"]

    def mean(value: str) -> float:
        return sum(load.calls * float(getattr(load.work, value)) / load.work.tokens for load in loads)

    def traffic(value: str) -> float:
        return sum(load.calls * float(getattr(load.work.traffic, value)) / load.work.tokens for load in loads)

    synapses = sum(
        load.calls * float(load.work.stages[0].loads[:, 0].sum()) / load.work.tokens
        for load in loads
        if load.work.stages
    )
    direct = traffic("core_to_core_interchip")
    chips, entering, _, leaving = by_chip(loads, activity)
    crossing = direct + float((board.hops(chips) * (entering + leaving)).sum())
    synop = cost(chip, "synop_fc_j")
    return [
        _entry(cores, "synapses", "synaptic operation", "rails", synop, synapses),
        _entry(cores, "synapses", "partial sum added by a reducer", "rails", synop, mean("synops") - synapses),
        _entry(cores, "neurons", "neuron update, active", "rails", neuron_update(chip), mean("updates")),
        _entry(cores, "core steps", "active core and step", "rails", cost(chip, "core_step_j"), mean("core_steps")),
        _entry(cores, "messages", "message delivered", "rails", cost(chip, "spike_out_message_j"), traffic("deliveries")),
        _entry(mesh, "mesh hops", "hop, east-west", "rails", cost(chip, "hop_ew_j"), traffic("hops_ew")),
        _entry(mesh, "mesh hops", "hop, north-south", "rails", cost(chip, "hop_ns_j"), traffic("hops_ns")),
        _entry(
            "chip-to-chip links", "inter-chip", "bit over a chip-to-chip link", "chip", cost(chip, "interchip_bit_j"),
            crossing * bits, direct * bits,
        ),
        _entry(
            "host link", "host link", "bit over the host link", "board", cost(chip, "host_link_bit_j"),
            border(loads, activity) * bits,
        ),
    ]  # fmt: skip


def _entry(
    device: str, component: str, text: str, boundary: str, unit: Quantity, count: float, low: float | None = None
) -> LedgerEntry:
    joules = of(unit) * Band(count if low is None else low, count, count)
    return LedgerEntry(device, component, text, boundary, count, unit, joules, "assumed")


def _standing(loads: Sequence[ClassLoad], chip: ChipSpec, chips: int, time: timing.Timing) -> list[LedgerEntry]:
    """Idle neurons, and the power of every powered chip and its board."""
    resident = sum(load.work.neurons * len(load.flows) for load in loads)
    active = sum(load.calls * load.work.updates / load.work.tokens for load in loads)
    idle, seconds = max(0.0, resident * time.steps_per_token - active), time.seconds * chips
    static, infra = cost(chip, "p_static_w"), cost(chip, "p_infra_w")
    text = f"chip-seconds of {chips} powered chips"
    return [
        _entry(f"{chip.name} cores", "neurons", "neuron update, idle", "rails", cost(chip, "neuron_idle_j"), idle),
        LedgerEntry(
            f"{chip.name} cores", "static", text, "rails", seconds.nominal, static, of(static) * seconds, "modelled"
        ),
        LedgerEntry(
            "board", "infrastructure", text, "board", seconds.nominal, infra, of(infra) * seconds, "modelled"
        ),
    ]  # fmt: skip


def _assumptions(phase: str, system: SystemSpec, activity: float, source: str, chips: int) -> tuple[str, ...]:
    said = [
        "All figures are modelled from shapes, an assumed activity and a table of coefficients; nothing was measured.",
        f"Activity: {activity:g} of all inputs of a projection are events ({source}).",
        "Every row sends its output; experts are chosen equally often.",
        "Intel has published no energy per operation for Loihi 2: its coefficients are derived from published runs."
        if system.chip.name == "loihi2"
        else f"Coefficients are those of {system.chip.name}: {system.chip.source}.",
        "Bands add and multiply end by end, as if all coefficients erred together.",
        f"Static and board power are charged for {chips} chips in use, those of experts that idle included: no figure of a "
        "gated Loihi 2 chip is public.",
        "Cores of a unit are placed in order; a mapping places them better, which changes hops and nothing else.",
        "Messages of the host enter each board at its chip 0 and travel along the grid, one copy for each chip.",
        "The power supply loses 10 % (5 to 20 %) of what it delivers: a guess.",
    ]
    if phase == "generate":
        said.append(EXCHANGE)
    else:
        said.append("Tokens of the prompt follow one another through all islands, one token a step and island.")
    return tuple(said)
